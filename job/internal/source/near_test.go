package source

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode"

	"assent/manifests"
)

func TestFold(t *testing.T) {
	for _, c := range []struct {
		id, form string
		folds    Folds
		prefix   string
	}{
		{"123", "123", 0, ""},
		{"abc", "abc", 0, ""},
		{"  123\t", "123", FoldBlanks, ""},
		{"123\x00\x00", "123", FoldBlanks, ""},
		{"\u00a0\ufeffabc", "abc", FoldBlanks, ""},
		{"ABC", "abc", FoldCase, ""},
		{"ÄÖ", "äö", FoldCase, ""},
		{"000123", "123", FoldZeros, ""},
		{"0", "0", 0, ""},
		{"000", "0", FoldZeros, ""},
		{"acct_123", "123", FoldPrefix, "acct_"},
		{"U17", "17", FoldPrefix | FoldCase, "u"},
		{"urn:uuid:550e8400-e29b", "550e8400e29b", FoldPrefix | FoldHyphens, "urn:uuid:"},
		{"550E8400-E29B", "550e8400e29b", FoldCase | FoldHyphens, ""},
		{" Acct-007 ", "7", FoldBlanks | FoldCase | FoldPrefix | FoldZeros, "acct-"},
		{"acct_", "acct_", 0, ""},
		{"-", "", FoldHyphens, ""},
		{"", "", 0, ""},
	} {
		form, folds, prefix := fold([]byte(c.id))
		if string(form) != c.form || folds != c.folds || string(prefix) != c.prefix {
			t.Errorf("%q: %q, %s, prefix %q; want %q, %s, %q", c.id, form, folds, prefix, c.form, c.folds, c.prefix)
		}
	}
}

// FuzzFold folds what was folded already: the form does not change but for further
// prefixes, and the input is not written to.
func FuzzFold(f *testing.F) {
	f.Add([]byte("Acct-007 "))
	f.Fuzz(func(t *testing.T, id []byte) {
		before := string(id)
		form, folds, _ := fold(id)
		if simple(id) && (folds&(FoldBlanks|FoldCase|FoldHyphens) != 0 || bytes.ContainsFunc(id, func(r rune) bool { return blank(r) || unicode.IsUpper(r) || r == '-' })) {
			t.Errorf("%q is called simple", before)
		}
		if string(id) != before {
			t.Errorf("%q was changed to %q", before, id)
		}
		if folds == 0 && string(form) != before {
			t.Errorf("%q became %q, and nothing was folded", before, form)
		}
		if len(form) > 1 && form[0] == '0' || strings.Contains(string(form), "-") {
			t.Errorf("%q became %q", before, form)
		}
	})
}

// key is a key for tests.
var key = &manifests.Key{1, 2, 3}

// folded is a list of ids as text.
type folded []string

func (l folded) Len() int                { return len(l) }
func (l folded) Near(i int) NearID       { return NearIDOf(key.NewHasher(), []byte(l[i])) }
func (l folded) Ref(i int) manifests.Ref { return key.NewReferrer().Ref([]byte(l[i])) }

// missesOf takes a control input and the data through the steps of a run: the ids of the
// data that the list has are seen, the others go through the filter. The list may have
// ids of other inputs behind those of the control input.
func missesOf(control, others []string, datasets ...[]string) Misses {
	list := folded(slices.Concat(control, others))
	all := func(yield func([]byte) bool) {
		for i := range list {
			if !yield([]byte(list[i])) {
				return
			}
		}
	}
	filter := NewNearFilter(key.NewHasher(), len(list), all)
	seen := map[int]bool{}
	var near []Near
	for _, data := range datasets {
		s := NewNearSeen(filter)
		for _, d := range data {
			if i := slices.Index(list, d); i >= 0 {
				seen[i] = true
			} else {
				s.Add(NearIDOf(key.NewHasher(), []byte(d)))
			}
		}
		near = append(near, s.Near())
	}
	return NearMisses(list, func(i int) bool { return seen[i] }, func(i int) bool { return i < len(control) }, near)
}

// TestNearMissesShown has more near misses than are shown: the same ones are, in whatever
// order the ids are listed.
func TestNearMissesShown(t *testing.T) {
	control := []string{"A", "B", "C", "D", "E", "F"}
	data := []string{"a", "b", "c", "d", "e", "f"}
	var want []manifests.Ref
	for i := range control {
		want = append(want, folded(control).Ref(i))
	}
	slices.SortFunc(want, func(a, b manifests.Ref) int { return strings.Compare(a.String(), b.String()) })
	for range 20 {
		rand.Shuffle(len(control), func(i, j int) { control[i], control[j] = control[j], control[i] })
		if m := missesOf(control, nil, data); m.Count != 6 || !slices.Equal(m.First, want[:shownMisses]) {
			t.Fatalf("%+v, want %v", m, want[:shownMisses])
		}
	}
}

// TestNearIDMark packs what folding says of an id and takes it apart again.
func TestNearIDMark(t *testing.T) {
	for _, id := range []string{"", "-", "1", " Acct-007 ", "URN:uuid:1", "a_1", "b_1"} {
		n := NearIDOf(key.NewHasher(), []byte(id))
		if got := Marked(n.Form, n.Mark()); got != n {
			t.Errorf("%q: %+v, want %+v", id, got, n)
		}
		if _, folds, prefix := fold([]byte(id)); n != (NearID{}) && (n.Folds != folds || (n.Prefix != 0) != (len(prefix) > 0)) {
			t.Errorf("%q: %+v", id, n)
		}
	}
}

func TestNearMisses(t *testing.T) {
	for _, c := range []struct {
		name            string
		control, others []string
		data            [][]string
		count           int64
		folds           Folds
	}{
		{"exact", []string{"a", "b"}, nil, [][]string{{"a", "b", "c"}}, 0, 0},
		{"nothing alike", []string{"a", "b"}, nil, [][]string{{"c", "d"}}, 0, 0},
		{"padding", []string{"a   ", "b"}, nil, [][]string{{"a", "b"}}, 1, FoldBlanks},
		{"padding on the data's side", []string{"17"}, nil, [][]string{{"17   "}}, 1, FoldBlanks},
		{"case", []string{"ABC", "b"}, nil, [][]string{{"abc", "b"}}, 1, FoldCase},
		{"case on both sides", []string{"AbC"}, nil, [][]string{{"aBc"}}, 1, FoldCase},
		{"zeros", []string{"7", "8", "9"}, nil, [][]string{{"007", "008"}}, 2, FoldZeros},
		{"hyphens", []string{"550e8400-e29b-41d4"}, nil, [][]string{{"550e8400e29b41d4"}}, 1, FoldHyphens},
		{"hyphens and case", []string{"550E8400-E29B-41D4"}, nil, [][]string{{"550e8400e29b41d4"}}, 1, FoldHyphens | FoldCase},
		{"a prefix that the data lacks", []string{"acct_1", "acct_2"}, nil, [][]string{{"1", "2", "3"}}, 2, FoldPrefix},
		{"a prefix that the input lacks", []string{"1", "2"}, nil, [][]string{{"user:1", "user:3"}}, 1, FoldPrefix},
		{"a prefix that one data set lacks", []string{"acct_1", "acct_2"}, nil, [][]string{{"acct_2", "acct_3"}, {"1", "3"}}, 1, FoldPrefix},
		{"two prefixes", []string{"acct_1"}, nil, [][]string{{"user_1", "user_2"}}, 1, FoldPrefix},
		{"matched as it stands, and alike to another", []string{"a"}, nil, [][]string{{"a", "A"}}, 0, 0},
		{"clients and freelancers by letter", []string{"c1"}, nil, [][]string{{"f1", "c2", "f3"}}, 0, 0},
		{"an input of clients and freelancers", []string{"c1", "f2"}, nil, [][]string{{"f1", "c2", "f3"}}, 0, 0},
		{"alike to an id of another input", []string{"0123"}, []string{"123"}, [][]string{{"123", "9"}}, 1, FoldZeros},
		{"alike to an id of another input that no record has", []string{"0123"}, []string{"123"}, [][]string{{"9"}}, 0, 0},
		{"a prefix, alike to an id of a registry", []string{"acct_1"}, []string{"1", "2"}, [][]string{{"1", "2"}}, 1, FoldPrefix},
		{"no data", []string{"a"}, nil, nil, 0, 0},
		{"no input", nil, nil, [][]string{{"a", "A"}}, 0, 0},
	} {
		m := missesOf(c.control, c.others, c.data...)
		if m.Count != c.count || m.Folds != c.folds || len(m.First) != int(min(c.count, shownMisses)) {
			t.Errorf("%s: %+v (%s), want %d (%s)", c.name, m, m.Folds, c.count, c.folds)
		}
	}
}

// TestNearMissesAgree compares random ids with what two loops find, without prefixes.
func TestNearMissesAgree(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	letters := []string{"a", "A", "b", "0", "7", "-", " "}
	word := func() string {
		b := new(strings.Builder)
		b.WriteString("9") // no prefix
		for range 1 + r.IntN(4) {
			b.WriteString(letters[r.IntN(len(letters))])
		}
		return b.String()
	}
	unique := func(n int) (ids []string) {
		for range n {
			ids = append(ids, word())
		}
		slices.Sort(ids)
		return slices.Compact(ids)
	}
	hits := 0
	for range 2000 {
		control, data := unique(1+r.IntN(6)), unique(1+r.IntN(6))
		want := int64(0)
		for _, c := range control {
			form, _, _ := fold([]byte(c))
			alike := func(d string) bool { other, _, _ := fold([]byte(d)); return string(other) == string(form) }
			if !slices.Contains(data, c) && slices.ContainsFunc(data, alike) {
				want++
			}
		}
		hits += int(want)
		if got := missesOf(control, nil, data); got.Count != want {
			t.Fatalf("%q in %q: %d, want %d", control, data, got.Count, want)
		}
	}
	if hits < 100 {
		t.Errorf("only %d near misses were made", hits)
	}
}

// TestNearFilter holds that the filter knows its ids and lets few others through.
func TestNearFilter(t *testing.T) {
	const n = 20_000
	id := func(i int) []byte { return fmt.Appendf(nil, "%d", i*7919) }
	f := NewNearFilter(key.NewHasher(), n, func(yield func([]byte) bool) {
		for i := range n {
			yield(id(i))
		}
	})
	through := 0
	for i := range 2 * n {
		known := NearIDOf(key.NewHasher(), id(i))
		if has := f.has(known.Form); i < n && !has {
			t.Fatalf("%d is not known", i)
		} else if i >= n && has {
			through++
		}
	}
	if through > n/400 {
		t.Errorf("%d of %d others were let through", through, n)
	}
}
