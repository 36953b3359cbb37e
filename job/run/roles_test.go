package run

import (
	"fmt"
	"testing"

	"assent/filter"
	"assent/job/internal/consent"
	"assent/job/parquet"
	"assent/job/parquet/encoding"
	"assent/manifests"
	"assent/schema"
)

// TestEntriesInUse: of the accounts of a dictionary those are looked up, counted and held that rows name, each once, before and after
// their numbers become void.
func TestEntriesInUse(t *testing.T) {
	name := func(i int) string { return fmt.Sprintf("account-%d", i) }
	var ids encoding.Bytes
	for i := range 5000 {
		ids.Data = append(ids.Data, name(i)...)
		ids.Ends = append(ids.Ends, uint32(len(ids.Data)))
	}
	dict, err := parquet.ParseDictionary(&parquet.Column{Physical: parquet.ByteArray}, encoding.AppendByteArrays(nil, &ids), ids.Len())
	if err != nil {
		t.Fatal(err)
	}

	b := filter.NewBuilder()
	a, err := b.Account([]byte(name(4000)))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Event(a, schema.Platform, schema.OptedOut, 1, filter.Sequence{}); err != nil {
		t.Fatal(err)
	}
	key := new(manifests.Key)
	role := newRole(consent.New(b.Freeze(filter.Policy{}), key).Lookup(), key)
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
			case string(role.id(h)) != name(int(entry)), (got >= 0) != (entry == 4000):
				t.Errorf("%v: entry %d is account %d, %s", c.index, entry, got, role.id(h))
			}
		}
		if n := role.table.Len(); n != c.held {
			t.Errorf("%v: %d accounts are held, not %d", c.index, n, c.held)
		}
		if c.trim {
			role.trim()
			role.forget()
		}
	}
	if j := role.join.Join(); len(j.Others) != 2 { // beside the one that the history names
		t.Errorf("%d accounts are counted that the history lacks", len(j.Others))
	}
}
