package run

import (
	"bytes"
	"fmt"
	"testing"

	parquetgo "github.com/parquet-go/parquet-go"

	"assent/filter"
	"assent/job/internal/consent"
	"assent/job/internal/source"
	"assent/job/parquet"
	"assent/job/parquet/rewrite"
	"assent/manifests"
	"assent/schema"
)

// TestEntriesInUse: of the accounts of a dictionary those are looked up, counted and held that rows name, each once, before and after
// their numbers become void.
func TestEntriesInUse(t *testing.T) {
	type row struct {
		Client *string `parquet:"client,optional,dict"`
	}
	const entries = 5000
	name := func(i int) string { return fmt.Sprintf("account-%d", i) }
	var rows []row
	for i := range entries {
		id := name(i)
		rows = append(rows, row{&id})
	}
	var data bytes.Buffer
	out := parquetgo.NewGenericWriter[row](&data)
	if _, err := out.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := parquet.Open(t.Context(), bytes.NewReader(data.Bytes()), int64(data.Len()), "in")
	if err != nil {
		t.Fatal(err)
	}
	keys, err := rewrite.Keys(t.Context(), f, 0, []int{0})
	if err != nil {
		t.Fatal(err)
	}
	defer keys.Close()
	batch, err := keys.Next()
	if err != nil {
		t.Fatal(err)
	}
	dict := batch.Columns[0].Dict

	b := filter.NewBuilder()
	a, err := b.Account([]byte(name(4000)))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Event(a, schema.Platform, schema.OptedOut, 1, filter.Sequence{}); err != nil {
		t.Fatal(err)
	}
	key := new(manifests.Key)
	x := consent.New(b.Freeze(filter.Policy{}), key).Lookup()
	all := fileAccounts{index: x, near: source.NewNearSeen(x.NearAccounts), table: manifests.NewAccounts(key.NewReferrer())}
	var role roleAccounts
	role.reset(&all, source.IDForm(0), 0, source.NewJoinCounter(x.Accounts()))
	for _, c := range []struct {
		dict  *parquet.Dictionary
		index []int32
		null  []bool
		held  int // accounts, afterwards
		trim  bool
	}{
		{dict, []int32{7, 7, 4000, 7}, nil, 2, false},
		{dict, []int32{9, 4000, 1, 9}, []bool{false, false, true, false}, 3, true},
		{dict, []int32{4000, 9, 4000}, nil, 2, false},
		{new(parquet.Dictionary), []int32{0, 0}, []bool{true, true}, 2, false}, // of a page of nulls
	} {
		role.read(&parquet.Vector{Dict: c.dict, Index: c.index, Null: c.null})
		for i, entry := range c.index {
			got, h := role.accounts.IDs[i], role.handles[i]
			switch {
			case c.null != nil && c.null[i]:
				if got != filter.Null || h != manifests.NoAccount {
					t.Errorf("%v: a null is account %d, %d", c.index, got, h)
				}
			case string(all.id(h)) != name(int(entry)), (got >= 0) != (entry == 4000):
				t.Errorf("%v: entry %d is account %d, %s", c.index, entry, got, all.id(h))
			}
		}
		if n := all.table.Len(); n != c.held {
			t.Errorf("%v: %d accounts are held, not %d", c.index, n, c.held)
		}
		if c.trim {
			all.trim()
			role.forget()
		}
	}
	if j := role.join.Join(); len(j.Others) != 2 { // beside the one that the history names
		t.Errorf("%d accounts are counted that the history lacks", len(j.Others))
	}
}
