package holdings

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"assent/manifests"
)

// TestLookupReadThrough asks one subject index in both ways.
func TestLookupReadThrough(t *testing.T) {
	key := new(manifests.Key)
	var b bytes.Buffer
	accounts := manifests.NewAccounts(key.NewReferrer())
	w := manifests.NewSubjectIndexWriter(&b, accounts, manifests.Meta{
		Dataset: "messages", Source: "a.parquet", Roles: []string{"freelancer", "client"},
	})
	random := rand.New(rand.NewPCG(1, 2))
	want := map[manifests.Ref][]manifests.SubjectRow{}
	var refs []manifests.Ref
	referrer := key.NewReferrer()
	for i := range 40 { // some of them are in no row
		refs = append(refs, referrer.Ref(strconv.AppendInt(nil, int64(i*20), 10)))
	}
	for row := range int64(20000) {
		kept := random.IntN(3) > 0
		var named []manifests.NamedAs
		for role := range uint8(2) {
			id := strconv.AppendInt(nil, random.Int64N(500), 10)
			named = append(named, manifests.NamedAs{Account: accounts.Account(id), Role: role})
			ref := referrer.Ref(id)
			if !slices.Contains(refs, ref) {
				continue
			}
			rows, role := want[ref], []string{"freelancer", "client"}[role]
			if n := len(rows); n > 0 && rows[n-1].Row == row {
				rows[n-1].Roles = append(rows[n-1].Roles, role)
			} else {
				want[ref] = append(rows, manifests.SubjectRow{Row: row, Kept: kept, Roles: []string{role}})
			}
		}
		if err := w.Add(row, 1, named, kept); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	index, err := manifests.OpenSubjectIndex(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	find := map[string]func(*manifests.SubjectIndex, []manifests.Ref) (map[manifests.Ref][]manifests.SubjectRow, error){"lookup": lookup, "readThrough": readThrough}
	for name, find := range find {
		got, err := find(index, refs)
		for _, rows := range got {
			for _, r := range rows {
				slices.SortFunc(r.Roles, func(a, b string) int { return strings.Compare(b, a) }) // freelancer first
			}
		}
		if err != nil || len(want) != 25 || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %d accounts, %v, want %d", name, len(got), err, len(want))
		}
	}
}
