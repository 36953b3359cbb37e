package filter_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cespare/xxhash/v2"

	"assent/filter"
	"assent/filter/sections"
	"assent/schema"
)

// refOf returns the reference of an id, as a run would make it.
func refOf(id []byte) (r filter.Ref) {
	if len(id) > 0 {
		mac := hmac.New(sha256.New, []byte("key"))
		mac.Write(id)
		copy(r[:], mac.Sum(nil))
	}
	return r
}

// storedIndex takes ids where the stored form takes their references.
type storedIndex struct {
	*filter.Stored
	data []byte
}

func (s storedIndex) Account(id []byte) filter.Account   { return s.Stored.Account(refOf(id)) }
func (s storedIndex) Contract(id []byte) filter.Contract { return s.Stored.Contract(refOf(id)) }

func refsOf(x *filter.Index) (accounts, contracts []filter.Ref) {
	for a := range x.Accounts() {
		accounts = append(accounts, refOf(x.ID(filter.Account(a))))
	}
	for c := range x.Restricted() {
		contracts = append(contracts, refOf(x.ContractID(filter.Contract(c))))
	}
	return accounts, contracts
}

func storedOf(t testing.TB, x *filter.Index) storedIndex {
	t.Helper()
	var b bytes.Buffer
	accounts, contracts := refsOf(x)
	order, err := x.Order(accounts, contracts)
	if err != nil {
		t.Fatal(err)
	}
	sum, err := order.Write(&b)
	if err != nil {
		t.Fatal(err)
	}
	s, err := filter.Open(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if s.Sum() != sum {
		t.Fatalf("the sum is %x, and %x when it was written", s.Sum(), sum)
	}
	return storedIndex{s, b.Bytes()}
}

// TestStoredFacts compares what the two forms say of each account, on random scenes.
func TestStoredFacts(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	aliases, members := 0, 0
	for range 2000 {
		data := make([]byte, r.IntN(300))
		for i := range data {
			data[i] = byte(r.Uint32())
		}
		s := newScene(&dice{data})
		x, err := s.index(s.world.Policy, nil)
		if err != nil {
			t.Fatal(err)
		}
		y := storedOf(t, x)
		if x.Accounts() != y.Accounts() || x.Restricted() != y.Restricted() || x.HistoryAccounts() != y.HistoryAccounts() || x.HasRegistry() != y.HasRegistry() || x.Policy() != y.Policy() {
			t.Fatalf("the forms differ as a whole: %+v, %+v", x.Policy(), y.Policy())
		}
		number := map[filter.Account]filter.Account{} // of the built one to the stored one
		for i := range y.Accounts() {
			a := filter.Account(i)
			if y.Stored.Account(y.Ref(a)) != y.Same(a) {
				t.Fatalf("account %d is not found by its reference", i)
			}
		}
		for i := range x.Accounts() {
			number[filter.Account(i)] = numberOf(y, refOf(x.ID(filter.Account(i))))
		}
		for a, b := range number {
			if number[x.Same(a)] != y.Same(b) {
				t.Fatalf("%q is another account", x.ID(a))
			}
			for _, f := range []filter.Fact{filter.OfRegistry, filter.OfDeletions, filter.OfHistory, filter.OfMembers, filter.OfAliases} {
				if x.Told(a, f) != y.Told(b, f) {
					t.Fatalf("%q: fact %b", x.ID(a), f)
				}
				if f == filter.OfAliases && x.Told(a, f) {
					aliases++
				}
			}
			if x.InHistory(a) != y.InHistory(b) || x.Registered(a) != y.Registered(b) {
				t.Fatalf("%q: history or registry", x.ID(a))
			}
			d, ok := x.Deletion(a)
			if e, is := y.Deletion(b); d != e || ok != is {
				t.Fatalf("%q: %+v and %+v", x.ID(a), d, e)
			}
		}
		var built []filter.Account
		for o := range x.Organisations() {
			built = append(built, number[o])
			members++
		}
		stored := slices.Collect(y.Organisations())
		slices.Sort(built)
		slices.Sort(stored)
		if !slices.Equal(built, stored) {
			t.Fatalf("organisations %v and %v", built, stored)
		}
	}
	if aliases < 1000 || members < 300 {
		t.Errorf("only %d aliases and %d members were rolled", aliases, members)
	}
}

func numberOf(y storedIndex, ref filter.Ref) filter.Account {
	for i := range y.Accounts() {
		if y.Ref(filter.Account(i)) == ref {
			return filter.Account(i)
		}
	}
	return filter.Absent
}

// TestStoredHoldsNoID looks for ids in the bytes.
func TestStoredHoldsNoID(t *testing.T) {
	b := filter.NewBuilder()
	for i := range 100 {
		a := account(b, schema.AccountID(fmt.Sprintf("secret-%d", i)))
		if err := b.Event(a, schema.Platform, schema.OptedOut, 1, filter.Sequence{}); err != nil {
			t.Fatal(err)
		}
		b.Delete(a, filter.Deletion{RequestedAt: 1, Request: "request"})
		if err := b.Restrict(fmt.Appendf(nil, "secret-%d", i), schema.Span{From: 1, Until: 2}); err != nil {
			t.Fatal(err)
		}
	}
	if y := storedOf(t, b.Freeze(filter.Policy{})); bytes.Contains(y.data, []byte("secret")) || !bytes.Contains(y.data, []byte("request")) {
		t.Error("an id is in what is stored, or the requests are not")
	}
}

// TestStoredLookup looks up many accounts, also ones that are not there.
func TestStoredLookup(t *testing.T) {
	for _, n := range []int{0, 1, 7, 8, 9, 1000, 20_000} {
		b := filter.NewBuilder()
		for i := range n {
			b.Register(account(b, schema.AccountID(fmt.Sprint(i))))
		}
		y := storedOf(t, b.Freeze(filter.Policy{}))
		refs := []filter.Ref{{}}
		for i := range 2 * n {
			refs = append(refs, refOf(fmt.Append(nil, i)))
		}
		for i, a := range y.AppendAccounts(nil, refs) {
			switch {
			case i == 0 && a != filter.Null:
				t.Fatalf("of %d accounts the zero reference is %d", n, a)
			case i > 0 && i <= n && (a < 0 || y.Ref(a) != refs[i]), i > n && a != filter.Absent:
				t.Fatalf("of %d accounts, id %d is %d", n, i-1, a)
			}
		}
	}
}

func TestOrderRefusesReferences(t *testing.T) {
	b := filter.NewBuilder()
	account(b, "a")
	account(b, "b")
	x := b.Freeze(filter.Policy{})
	if _, err := x.Order([]filter.Ref{{1}, {1}}, nil); !errors.Is(err, filter.ErrTwoOfOneRef) {
		t.Errorf("two ids of one reference: %v", err)
	}
	if _, err := x.Order([]filter.Ref{{1}}, nil); err == nil {
		t.Error("a reference is missing, and nothing is said")
	}
}

// TestOpenDamaged flips each byte of a stored index in turn, and cuts it at each.
func TestOpenDamaged(t *testing.T) {
	good := sceneIndex(t).data
	for i := range good {
		if _, err := filter.Open(good[:i]); !errors.Is(err, sections.ErrDamaged) {
			t.Fatalf("cut at %d: %v", i, err)
		}
		bad := slices.Clone(good)
		bad[i] ^= 0x10
		if _, err := filter.Open(bad); !errors.Is(err, sections.ErrDamaged) {
			t.Fatalf("byte %d was flipped: %v", i, err)
		}
	}
}

// sceneIndex returns an index that has something of each kind.
func sceneIndex(t testing.TB) storedIndex {
	b := filter.NewBuilder()
	b.UseRegistry()
	var all []filter.Account
	for i := range 20 {
		a := account(b, schema.AccountID(fmt.Sprint(i)))
		all = append(all, a)
		b.Register(a)
		for k := range i % 5 {
			if err := b.Event(a, schema.Category(k%3), schema.State(k/3), schema.Instant(10+k), filter.Sequence{}); err != nil {
				t.Fatal(err)
			}
		}
		if i%6 == 0 {
			b.Delete(a, filter.Deletion{RequestedAt: schema.Instant(i), Request: fmt.Sprint("dr-", i)})
		}
		if err := b.Restrict(fmt.Append(nil, i%7), schema.Span{From: schema.Instant(i), Until: 90}); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(b.Alias(all[1], all[2]), b.Alias(all[3], all[2]), b.Member(all[4], all[5], schema.Span{From: 1, Until: 50}), b.Member(all[9], all[5], schema.Span{From: 3, Until: 9})); err != nil {
		t.Fatal(err)
	}
	return storedOf(t, b.Freeze(filter.Policy{Start: 5, Horizon: 100, Default: schema.OptedIn}))
}

// FuzzOpen opens what only looks like a stored index: its checksums are made to hold, so
// that the columns themselves are doubted. What opens is used in all ways, without a panic.
func FuzzOpen(f *testing.F) {
	good := sceneIndex(f).data
	f.Add(good, uint16(0), []byte{})
	for at := 16; at < len(good); at += 24 {
		f.Add(good, uint16(at), []byte{0xff, 0xff, 0xff, 0xff})
		f.Add(good, uint16(at), []byte{1})
	}
	f.Fuzz(func(t *testing.T, data []byte, at uint16, patch []byte) {
		data = slices.Clone(data)
		if int(at) < len(data) {
			copy(data[at:], patch)
		}
		fixSums(data, 19)
		s, err := filter.Open(data)
		if err != nil {
			if s != nil || !errors.Is(err, sections.ErrDamaged) {
				t.Fatalf("%v", err)
			}
			return
		}
		use(s)
	})
}

// fixSums computes the checksums of a file of sections anew, as far as its table leads.
func fixSums(data []byte, n int) {
	size := len(data)
	table := size - 16 - 24*n
	if table < 16 {
		return
	}
	for i := range n {
		entry := data[table+24*i:]
		begin, length := binary.LittleEndian.Uint64(entry), binary.LittleEndian.Uint64(entry[8:])
		if begin <= uint64(table) && length <= uint64(table)-begin {
			binary.LittleEndian.PutUint64(entry[16:], xxhash.Sum64(data[begin:begin+length]))
		}
	}
	binary.LittleEndian.PutUint64(data[size-16:], uint64(n))
	binary.LittleEndian.PutUint64(data[size-8:], xxhash.Sum64(slices.Concat(data[:16], data[table:size-8])))
}

// use asks an index everything of all accounts and contracts.
func use(s *filter.Stored) {
	n := min(s.Accounts(), 1000)
	rows := &filter.Rows{Len: n, Parties: make([]filter.Accounts, 1), Moments: make([][]schema.Instant, 1)}
	for a := range n {
		rows.Parties[0].IDs = append(rows.Parties[0].IDs, s.Account(s.Ref(filter.Account(a))))
		rows.Moments[0] = append(rows.Moments[0], schema.Instant(a))
		contract := filter.Unrestricted
		if s.Restricted() > 0 {
			contract = filter.Contract(a % s.Restricted())
		}
		rows.Contract = append(rows.Contract, contract)
		s.Deletion(filter.Account(a))
		s.Told(filter.Account(a), filter.OfAliases)
	}
	rows.Subjects = rows.Parties
	out := make([]schema.Reasons, n)
	for _, c := range schema.Categories() {
		d := s.Decider(c)
		d.Decide(rows, out)
		for i, reasons := range out {
			d.Findings(rows, i, nil)
			if !reasons.Kept() {
				d.When(rows, i, reasons.Primary())
			}
		}
	}
	for o := range s.Organisations() {
		s.Same(o)
	}
}
