package table

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"assent/job/parquet"
	"assent/job/parquet/codec"
)

// testSchema has a column of each kind that a Field can describe.
func testSchema() *Schema { return NewSchema(testFields()...) }

func testFields() []Field {
	return []Field{
		{Name: "id", Type: Text, Encoding: parquet.DeltaLengthByteArray, Bounded: true},
		{Name: "key", Type: Text, Encoding: parquet.DeltaByteArray, Bounded: true},
		{Name: "number", Type: Int64, Encoding: parquet.DeltaBinaryPacked, Bounded: true},
		{Name: "flag", Type: Bool, Encoding: parquet.Plain, Uncompressed: true},
		{Name: "moment", Type: Nanos, Optional: true, Encoding: parquet.DeltaBinaryPacked, Bounded: true},
		{Name: "words", Type: Text, List: true, Encoding: parquet.RLEDictionary},
		{Name: "pairs", List: true, Fields: []Field{
			{Name: "name", Type: Text, Encoding: parquet.RLEDictionary},
			{Name: "since", Type: Nanos, Optional: true, Encoding: parquet.RLEDictionary},
		}},
	}
}

const (
	leafID = iota
	leafKey
	leafNumber
	leafFlag
	leafMoment
	leafWords
	leafName
	leafSince
)

type pair struct {
	name  string
	since int64 // 0: null
}

type row struct {
	id, key string
	number  int64
	flag    bool
	moment  int64 // 0: null
	words   []string
	pairs   []pair
}

var vocabulary = []string{"", "in", "out", strings.Repeat("long", 50)}

func makeRows(rng *rand.Rand, n int) []row {
	rows := make([]row, n)
	key := 0
	for i := range rows {
		key += rng.IntN(3)
		r := &rows[i]
		r.id = strings.Repeat("x", rng.IntN(200)) + vocabulary[rng.IntN(3)]
		r.key = strings.Repeat("0", 8) + string(rune('a'+key/26/26%26)) + string(rune('a'+key/26%26)) + string(rune('a'+key%26))
		r.number = rng.Int64() >> rng.IntN(64)
		r.flag = rng.IntN(3) == 0
		if rng.IntN(3) > 0 {
			r.moment = 1 + rng.Int64N(1<<60)
		}
		for range 1 + rng.IntN(3) {
			r.words = append(r.words, vocabulary[rng.IntN(len(vocabulary))])
		}
		for range rng.IntN(4) {
			r.pairs = append(r.pairs, pair{vocabulary[rng.IntN(3)], int64(rng.IntN(5))})
		}
	}
	if n > 2 {
		rows[0].number, rows[n-1].number = math.MinInt64, math.MaxInt64
	}
	return rows
}

func code(word string) int32 { return int32(slices.Index(vocabulary, word)) }

// fill adds a row to the pages of all columns.
func fill(pages *[leafSince + 1]Page, r *row) {
	for leaf, text := range map[int]string{leafID: r.id, leafKey: r.key} {
		p := &pages[leaf]
		p.Data = append(p.Data, text...)
		p.Ends = append(p.Ends, uint32(len(p.Data)))
	}
	pages[leafNumber].Ints = append(pages[leafNumber].Ints, r.number)
	pages[leafFlag].Bools.AppendRun(r.flag, 1)
	if p := &pages[leafMoment]; r.moment == 0 {
		p.Defs = append(p.Defs, 0)
	} else {
		p.Defs, p.Ints = append(p.Defs, 1), append(p.Ints, r.moment)
	}
	for i, word := range r.words {
		p := &pages[leafWords]
		p.Reps, p.Codes = append(p.Reps, uint8(min(i, 1))), append(p.Codes, code(word))
	}
	names, sinces := &pages[leafName], &pages[leafSince]
	if len(r.pairs) == 0 {
		names.Reps, names.Defs = append(names.Reps, 0), append(names.Defs, 0)
		sinces.Reps, sinces.Defs = append(sinces.Reps, 0), append(sinces.Defs, 0)
	}
	for i, x := range r.pairs {
		repeat := uint8(min(i, 1))
		names.Reps, names.Defs, names.Codes = append(names.Reps, repeat), append(names.Defs, 1), append(names.Codes, code(x.name))
		sinces.Reps = append(sinces.Reps, repeat)
		if x.since == 0 {
			sinces.Defs = append(sinces.Defs, 1)
			continue
		}
		sinces.Defs, sinces.Codes = append(sinces.Defs, 2), append(sinces.Codes, int32(x.since-1))
	}
}

// write writes rows in row groups of two pages each. All columns but numbers are held.
func write(t testing.TB, rows []row, pageRows int) []byte {
	var file bytes.Buffer
	w := NewWriter(testSchema(), "test version 1.0.0 (build test)")
	w.Reset(&file)
	value := "v"
	for group := range slices.Chunk(rows, 2*pageRows) {
		w.BeginGroup()
		var chunks [leafSince + 1]*Chunk
		for leaf := range chunks {
			chunks[leaf] = w.HeldChunk(leaf)
		}
		chunks[leafNumber] = w.Chunk(leafNumber)
		chunks[leafWords].TextDictionary(vocabulary...)
		chunks[leafName].TextDictionary(vocabulary[:3]...)
		chunks[leafSince].IntDictionary([]int64{1, 2, 3, 4})
		for part := range slices.Chunk(group, pageRows) {
			var pages [leafSince + 1]Page
			for leaf := range pages {
				pages[leaf].Reset(len(part))
			}
			for i := range part {
				fill(&pages, &part[i])
			}
			for leaf := range pages {
				chunks[leaf].Page(&pages[leaf])
			}
		}
		chunks[leafNumber].End()
		for leaf := range chunks {
			if leaf != leafNumber {
				chunks[leaf].End()
			}
		}
		if err := w.EndGroup(len(group), leafKey); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Finish([]parquet.KeyValue{{Key: "k", Value: &value}}); err != nil {
		t.Fatal(err)
	}
	if w.Size() != int64(file.Len()) {
		t.Fatalf("%d bytes written, %d said", file.Len(), w.Size())
	}
	return file.Bytes()
}

type reader struct {
	group                         *Group
	id, key, number, flag, moment *Column
	since                         *Column
	words, name                   Parsed[string]
}

func open(g *Group) *reader {
	text := func(b []byte) (string, error) { return string(b), nil }
	return &reader{group: g, id: g.Column(leafID), key: g.Column(leafKey), number: g.Column(leafNumber), flag: g.Column(leafFlag),
		moment: g.Column(leafMoment), words: Parse(g, leafWords, text), name: Parse(g, leafName, text), since: g.Column(leafSince)}
}

func (r *reader) read() (out row, err error) {
	id, _ := r.id.Text()
	key, _ := r.key.Text()
	out.id, out.key = string(id), string(key)
	out.number, _ = r.number.Int()
	flag, _ := r.flag.Int()
	out.flag = flag != 0
	out.moment, _ = r.moment.Int()
	for more := true; more; more = r.words.More() {
		word, err := r.words.Value()
		if err != nil {
			return out, err
		}
		out.words = append(out.words, word)
	}
	for more := true; more; more = r.name.More() {
		there := r.name.Level() > 0
		name, err := r.name.Value()
		if err != nil {
			return out, err
		}
		if r.since.slot == r.since.slots {
			return out, errors.New("columns disagree")
		}
		since, _ := r.since.Int()
		if there {
			out.pairs = append(out.pairs, pair{name, since})
		}
	}
	return out, nil
}

func equal(a, b row) bool {
	words, pairs := slices.Equal(a.words, b.words), slices.Equal(a.pairs, b.pairs)
	return words && pairs && a.id == b.id && a.key == b.key && a.number == b.number && a.flag == b.flag && a.moment == b.moment
}

func TestTable(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{0, 1, 2, 7, 8, 9, 100, 2500} {
		rows := makeRows(rng, n)
		file := write(t, rows, 500)
		f, err := Open(bytes.NewReader(file), int64(len(file)), "test", testSchema())
		if err != nil {
			t.Fatal(err)
		}
		if v, _ := f.KeyValue("k"); v != "v" || f.NumRows() != int64(n) {
			t.Fatalf("%d rows, %q", f.NumRows(), v)
		}
		first := 0
		for i := range f.NumRowGroups() {
			g, err := f.Group(i)
			if err != nil {
				t.Fatal(err)
			}
			part := rows[first : first+int(g.Rows)]
			first += len(part)
			r := open(g)
			for j := range part {
				if err := g.Next(); err != nil {
					t.Fatal(err)
				}
				if got, err := r.read(); err != nil || !equal(got, part[j]) {
					t.Fatalf("row %d: %v, got %v, want %v", j, err, got, part[j])
				}
			}
			if err := g.End(); err != nil {
				t.Fatal(err)
			}
			seek(t, rng, g, part)
		}
	}
}

// seek reads rows in any order.
func seek(t *testing.T, rng *rand.Rand, g *Group, rows []row) {
	g.Close()
	r := open(g)
	for range 50 {
		j := rng.IntN(len(rows))
		if err := g.SeekRow(int64(j)); err != nil {
			t.Fatal(err)
		}
		if got, err := r.read(); err != nil || !equal(got, rows[j]) {
			t.Fatalf("row %d: %v, got %v, want %v", j, err, got, rows[j])
		}
	}
	for _, j := range []int64{-1, int64(len(rows)), math.MaxInt64} {
		if err := g.SeekRow(j); !errors.Is(err, parquet.ErrCorrupt) {
			t.Errorf("row %d of %d: %v", j, len(rows), err)
		}
	}
	for j := range rows {
		found := false
		for pages, err := range g.Pages(leafKey, []byte(rows[j].key)) {
			if err != nil {
				t.Fatal(err)
			}
			found = found || pages.From <= int64(j) && int64(j) < pages.To
		}
		if !found {
			t.Fatalf("row %d is not where the page index says", j)
		}
	}
	for pages, err := range g.Pages(leafKey, []byte("1")) {
		t.Errorf("%v, %v for a key that is not there", pages, err)
	}
	for _, err := range g.Pages(leafWords, []byte("in")) {
		if !errors.Is(err, parquet.ErrCorrupt) {
			t.Errorf("a leaf without bounds: %v", err)
		}
	}
}

// TestForeign: a document of other columns is refused.
func TestForeign(t *testing.T) {
	file := write(t, makeRows(rand.New(rand.NewPCG(1, 2)), 3), 500)
	for name, change := range map[string]func([]Field) []Field{
		"fewer columns": func(f []Field) []Field { return f[1:] },
		"another name":  func(f []Field) []Field { f[0].Name = "ident"; return f },
		"another type":  func(f []Field) []Field { f[leafNumber].Type = Bool; return f },
		"not optional":  func(f []Field) []Field { f[leafMoment].Optional = false; return f },
		"no list":       func(f []Field) []Field { f[leafWords].List = false; return f },
	} {
		if _, err := Open(bytes.NewReader(file), int64(len(file)), "test", NewSchema(change(testFields())...)); !errors.Is(err, parquet.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestParsedFaults: what parse refuses is a fault of the file's bytes, at each reading.
func TestParsedFaults(t *testing.T) {
	file := write(t, makeRows(rand.New(rand.NewPCG(1, 2)), 3), 500)
	f, err := Open(bytes.NewReader(file), int64(len(file)), "test", testSchema())
	if err != nil {
		t.Fatal(err)
	}
	g, err := f.Group(0)
	if err != nil {
		t.Fatal(err)
	}
	none := errors.New("no such word")
	words := Parse(g, leafWords, func(b []byte) (int, error) { return 0, none })
	for range 2 {
		if err := g.SeekRow(1); err != nil {
			t.Fatal(err)
		}
		if _, err := words.Value(); !errors.Is(err, parquet.ErrCorrupt) || !errors.Is(err, none) || !strings.Contains(err.Error(), "words.list.element") {
			t.Error(err)
		}
	}
}

// FuzzPages reads data pages past their checksums.
func FuzzPages(f *testing.F) {
	f.Add([]byte{2, 0, 0, 0, 8, 1, 2, 0, 0, 0, 8, 1, 3, 8, 1}, byte(leafName), byte(parquet.RLEDictionary), 4)
	f.Add([]byte{128, 1, 4, 4, 0, 2, 0, 0, 0, 0}, byte(leafNumber), byte(parquet.DeltaBinaryPacked), 4)
	f.Add([]byte{128, 1, 4, 2, 4, 128, 1, 4, 2, 0, 'a', 'b'}, byte(leafID), byte(parquet.DeltaLengthByteArray), 2)
	f.Add([]byte{128, 1, 4, 2, 0, 2, 0, 0, 0, 0, 128, 1, 4, 2, 4, 3, 0, 0, 0, 0, 'a', 'b'}, byte(leafKey), byte(parquet.DeltaByteArray), 2)
	f.Fuzz(func(t *testing.T, body []byte, leaf, encoding byte, n int) {
		if n < 0 || n > 1<<20 {
			return
		}
		leaf %= leafSince + 1
		file := writePage(t, int(leaf), parquet.Encoding(encoding), body, n)
		f, err := Open(bytes.NewReader(file), int64(len(file)), "test", testSchema())
		if err != nil {
			return
		}
		for _, seeking := range []bool{false, true} {
			g, err := f.Group(0)
			if err != nil {
				return
			}
			readColumn(t, g, int(leaf), seeking)
		}
	})
}

// readColumn reads a leaf as far as it goes.
func readColumn(t *testing.T, g *Group, leaf int, seeking bool) {
	c := Parse(g, leaf, func(b []byte) (int, error) { return len(b), nil })
	values := int64(0)
	for row := range g.Rows {
		var err error
		if seeking {
			err = g.SeekRow(row)
		} else {
			err = g.Next()
		}
		if err != nil {
			return
		}
		for more := true; more; more = c.More() {
			if c.col.Physical == parquet.ByteArray {
				c.Value()
			} else {
				c.Int()
			}
			values++
		}
	}
	if chunk := g.chunks[leaf]; values > chunk.Values {
		t.Fatalf("%d values of %d", values, chunk.Values)
	}
}

// writePage writes a file of n rows whose only pages are one of a leaf, with a body and an encoding, and its dictionary.
func writePage(t testing.TB, leaf int, encoding parquet.Encoding, body []byte, n int) []byte {
	var file bytes.Buffer
	w := NewWriter(testSchema(), "test")
	w.Reset(&file)
	w.BeginGroup()
	for i := range leafSince + 1 {
		c := w.Chunk(i)
		if i == leafSince {
			c.IntDictionary([]int64{1, 2, 3, 4})
		}
		if i == leafWords || i == leafName {
			c.TextDictionary(vocabulary...)
		}
		h := parquet.PageHeader{Kind: parquet.DataPage, Values: n, Encoding: parquet.Plain, RepEncoding: parquet.RLE, DefEncoding: parquet.RLE}
		raw := []byte(nil)
		if i == leaf {
			h.Encoding, raw = encoding, body
		}
		if err := w.page.Encode(new(codec.Codec), c.codec, &h, raw); err != nil {
			t.Fatal(err)
		}
		if err := c.out.DataPage(&w.page.Header, w.page.Head, w.page.Body, n, -1, &parquet.Bounds{}); err != nil {
			t.Fatal(err)
		}
		c.End()
	}
	w.EndGroup(n, leafKey)
	if err := w.Finish(nil); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}
