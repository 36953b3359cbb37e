package consent

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"assent/filter"
	"assent/filter/sections"
	"assent/job/internal/objstore"
	"assent/job/internal/objstore/faulty"
	"assent/job/internal/source"
	"assent/manifests"
	"assent/schema"
)

var key = &manifests.Key{1, 2, 3}

func id(i int) []byte { return fmt.Appendf(nil, "Acct-%d", i) }

// build returns an index of n accounts and some contracts, told in an order by seed.
func build(t testing.TB, n int, seed uint64) *Built {
	t.Helper()
	b := filter.NewBuilder()
	r := rand.New(rand.NewPCG(seed, seed))
	for _, i := range r.Perm(n) {
		a, err := b.Account(id(i))
		if err != nil {
			t.Fatal(err)
		}
		b.Register(a)
		if i%3 == 0 {
			if err := b.Event(a, schema.Category(i%schema.NumCategories), schema.OptedOut, schema.Instant(i), filter.Sequence{}); err != nil {
				t.Fatal(err)
			}
		}
		if i%10 == 0 {
			if err := b.Restrict(fmt.Append(nil, i), schema.Span{From: schema.Instant(i), Until: schema.Forever}); err != nil {
				t.Fatal(err)
			}
		}
	}
	return New(b.Freeze(filter.Policy{Start: 1, Horizon: schema.Forever, Default: schema.OptedIn}), key)
}

func open(t testing.TB, dir string, wrap func(objstore.Store) objstore.Store) objstore.Store {
	t.Helper()
	s, err := (&objstore.Opener{Wrap: wrap}).Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func store(t testing.TB, b *Built, s objstore.Store) Objects {
	t.Helper()
	o, err := b.Store(t.Context(), s, "p")
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// TestStoredAsBuilt compares what both forms say of ids that are there and of ids that are
// not. A store that is wrapped has no file to map, as GCS has none.
func TestStoredAsBuilt(t *testing.T) {
	const n = 2000
	built := build(t, n, 1)
	dir := t.TempDir()
	o := store(t, build(t, n, 1), open(t, dir, nil)) // what is stored is looked up no more
	if again := store(t, build(t, n, 2), open(t, t.TempDir(), nil)); again.Index != o.Index || again.Forms != o.Forms {
		t.Errorf("the order of what the index is told changes what is stored: %+v, %+v", o, again)
	}
	for name, wrap := range map[string]func(objstore.Store) objstore.Store{"mapped": nil, "read": faulty.New(faulty.None, 0, nil).Wrap} {
		t.Run(name, func(t *testing.T) {
			s := open(t, dir, wrap)
			lookup, err := OpenLookup(t.Context(), s, "p", o, key)
			if err != nil {
				t.Fatal(err)
			}
			listing, err := OpenListing(t.Context(), s, "p", o)
			if err != nil {
				t.Fatal(err)
			}
			if inHeap := lookup.Heap > o.Index.Bytes; inHeap != (wrap != nil) {
				t.Errorf("%d bytes of heap for an index of %d", lookup.Heap, o.Index.Bytes)
			}
			compare(t, built, lookup, listing, n)
			beside, err := lookup.Listing(t.Context(), s, "p", o)
			if err != nil {
				t.Fatal(err)
			}
			compare(t, built, lookup, beside, n)
			if data, _, err := s.Read(t.Context(), "p/index"); err != nil || manifests.SHA256(data) != o.SHA256 {
				t.Errorf("the index has another SHA-256 than was told: %v", err)
			}
			if err := errors.Join(beside.Close(), lookup.Close(), listing.Close()); err != nil {
				t.Error(err)
			}
		})
	}
}

func compare(t *testing.T, built *Built, lookup *Lookup, listing *Listing, n int) {
	table := manifests.NewAccounts(key.NewReferrer())
	var ids []byte
	var ends []uint32
	for i := range 2 * n {
		ids = append(ids, id(i)...)
		ends = append(ends, uint32(len(ids)))
	}
	table.AppendAccounts(nil, ids, ends)
	a, b := built.Lookup().AppendAccounts(nil, table, 0), lookup.AppendAccounts(nil, table, 0)
	list := built.Listing()
	for i := range a {
		if (a[i] >= 0) != (i < n) || (a[i] >= 0) != (b[i] >= 0) {
			t.Fatalf("id %d is %d and %d", i, a[i], b[i])
		}
		if a[i] < 0 {
			continue
		}
		if list.InHistory(a[i]) != listing.InHistory(b[i]) {
			t.Fatalf("id %d: in the history %v", i, list.InHistory(a[i]))
		}
		if p, q := list.AccountList, listing.AccountList; p.Near(int(a[i])) != q.Near(int(b[i])) || p.Ref(int(a[i])) != q.Ref(int(b[i])) {
			t.Fatalf("id %d is listed as %+v and %+v", i, p.Near(int(a[i])), q.Near(int(b[i])))
		}
	}
	found := 0
	for i := range n {
		contract := fmt.Append(nil, i)
		c, d := built.Lookup().Contract(contract), lookup.Contract(contract)
		if (c >= 0) != (d >= 0) || (c >= 0) != (i%10 == 0) {
			t.Fatalf("contract %d is %d and %d", i, c, d)
		}
		if c >= 0 {
			found++
			if p, q := list.ContractList, listing.ContractList; p.Near(int(c)) != q.Near(int(d)) || p.Ref(int(c)) != q.Ref(int(d)) {
				t.Fatalf("contract %d is listed as %+v and %+v", i, p.Near(int(c)), q.Near(int(d)))
			}
		}
	}
	if found != listing.Restricted() || listing.AccountList.Len() != n || listing.ContractList.Len() != found {
		t.Errorf("%d contracts of %d, %d accounts", found, listing.Restricted(), listing.AccountList.Len())
	}
	near := func(l *Lookup) source.Near {
		s := source.NewNearSeen(l.NearAccounts)
		for _, id := range []string{"acct-7", "acct-100007", " ACCT-3"} {
			s.Add(source.NearIDOf(l.Hash, []byte(id)))
		}
		return s.Near()
	}
	if p, q := near(built.Lookup()), near(lookup); fmt.Sprint(p) != fmt.Sprint(q) || len(p.IDs) != 2 {
		t.Errorf("near misses %v and %v", p, q)
	}
}

// TestOpenRefuses opens indexes that were damaged, and objects of two indexes together.
func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, nil)
	o := store(t, build(t, 100, 1), s)
	other := store(t, build(t, 101, 1), open(t, t.TempDir(), nil))
	refused := func(name string, o Objects, want error) {
		t.Helper()
		if l, err := OpenLookup(t.Context(), s, "p", o, key); (err == nil) != (name == "forms") || err != nil && want != nil && !errors.Is(err, want) || (l != nil) != (err == nil) {
			t.Errorf("%s: a shard opens it: %v", name, err)
		}
		if l, err := OpenListing(t.Context(), s, "p", o); (err == nil) != (name == "near") || err != nil && want != nil && !errors.Is(err, want) || (l != nil) != (err == nil) {
			t.Errorf("%s: commit opens it: %v", name, err)
		}
	}
	refused("index", Objects{Index: other.Index, Near: o.Near, Forms: o.Forms}, nil)
	refused("near", Objects{Index: o.Index, Near: other.Near, Forms: o.Forms}, nil)
	refused("forms", Objects{Index: o.Index, Near: o.Near, Forms: other.Forms}, nil)
	for _, name := range []string{"index", "near", "forms"} {
		good, _, err := s.Read(t.Context(), "p/"+name)
		if err != nil {
			t.Fatal(err)
		}
		good = bytes.Clone(good)
		bad := bytes.Clone(good)
		bad[len(bad)/2] ^= 1
		for _, data := range [][]byte{bad, good[:len(good)-1], nil} {
			if _, err := s.Put(t.Context(), "p/"+name, data, objstore.Any); err != nil {
				t.Fatal(err)
			}
			refused(name, o, sections.ErrDamaged)
		}
		if _, err := s.Put(t.Context(), "p/"+name, good, objstore.Any); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFaults fails each operation of storing and opening in turn. What was stored without
// an error opens.
func TestFaults(t *testing.T) {
	built := build(t, 100, 1)
	for _, mode := range []faulty.Mode{faulty.Fail, faulty.Short, faulty.Lost} {
		for at := 0; ; at++ {
			faults := faulty.New(mode, at, nil)
			dir := t.TempDir()
			s := open(t, dir, faults.Wrap)
			o, err := built.Store(t.Context(), s, "p")
			if err == nil {
				var l *Lookup
				var m *Listing
				if l, err = OpenLookup(t.Context(), s, "p", o, key); err == nil {
					m, err = OpenListing(t.Context(), s, "p", o)
				}
				if err == nil {
					err = errors.Join(l.Close(), m.Close())
				}
			}
			if !faults.Met() {
				if err != nil {
					t.Fatal(err)
				}
				break
			}
			if err == nil {
				t.Fatalf("operation %d failed, and nothing is said", at)
			}
		}
	}
}
