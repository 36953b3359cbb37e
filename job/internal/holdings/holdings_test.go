package holdings

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"strconv"
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
	want := map[manifests.Ref][]int64{}
	q := &Requests{ids: map[manifests.Ref][]string{}}
	referrer := key.NewReferrer()
	for i := range 40 { // some of them are in no row
		ref := referrer.Ref(strconv.AppendInt(nil, int64(i*20), 10))
		q.ids[ref] = nil
		q.Refs = append(q.Refs, ref)
	}
	for row := range int64(20000) {
		kept := random.IntN(3) > 0
		for role := range uint8(2) {
			id := strconv.AppendInt(nil, random.Int64N(500), 10)
			if err := w.Add(accounts.Account(id), row, role, kept); err != nil {
				t.Fatal(err)
			}
			ref := referrer.Ref(id)
			if rows := want[ref]; kept && (len(rows) == 0 || rows[len(rows)-1] != row) {
				if _, asked := q.ids[ref]; asked {
					want[ref] = append(rows, row)
				}
			}
		}
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	index, err := manifests.OpenSubjectIndex(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	for name, find := range map[string]func(*manifests.SubjectIndex) (map[manifests.Ref][]int64, error){"lookup": q.lookup, "readThrough": q.readThrough} {
		if got, err := find(index); err != nil || len(want) != 25 || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %d accounts, %v, want %d", name, len(got), err, len(want))
		}
	}
}
