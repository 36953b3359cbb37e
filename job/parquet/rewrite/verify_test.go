package rewrite

import (
	"bytes"
	"fmt"
	"io"
	"testing"

	"assent/job/parquet"
	"assent/job/parquet/codec"
	"assent/job/parquet/encoding"
	"assent/job/parquet/thrift"
)

// checkFile holds everything that a written file says of itself against its pages: places, sizes, counts, encodings,
// statistics, page index. in is the file it was written from: of row groups that lost no row, what in said of them is not
// judged. exact also asks that minima and maxima are given and tight, as they are where no page was copied.
func checkFile(t testing.TB, in, data []byte, keep func(i, n int64) bool, exact bool) {
	t.Helper()
	lost := lostGroups(t, in, keep)
	f, err := parquet.Open(t.Context(), bytes.NewReader(data), int64(len(data)), "out.parquet")
	if err != nil {
		t.Fatal(err)
	}
	if f.NumRowGroups() != len(lost) {
		t.Fatalf("%d row groups, not %d", f.NumRowGroups(), len(lost))
	}
	for g := range f.NumRowGroups() {
		rg, err := f.RowGroup(g)
		if err != nil {
			t.Fatal(err)
		}
		chunks, err := f.Chunks(g)
		if err != nil {
			t.Fatal(err)
		}
		indexes, err := f.PageIndexes(chunks)
		if err != nil {
			t.Fatal(err)
		}
		var compressed, raw int64
		withOffset := 0
		for i := range chunks {
			c := &chunks[i]
			v := &verifier{t: t, f: f, c: c, col: &f.Columns()[i], index: indexes[i], exact: exact, lost: lost[g],
				where: fmt.Sprintf("row group %d, %s", g, f.Columns()[i].Name())}
			v.run()
			compressed += c.End - c.Start
			raw += v.raw
			if indexes[i] != nil {
				withOffset++
			}
		}
		if lost[g] && withOffset != len(chunks) {
			t.Errorf("row group %d: %d of %d chunks have an offset index", g, withOffset, len(chunks))
		}
		if n, _ := rg.Int(parquet.GroupTotalByteSize, -1); n != raw {
			t.Errorf("row group %d: total_byte_size %d, not %d", g, n, raw)
		}
		if n, _ := rg.Int(parquet.GroupTotalCompressedSize, compressed); n != compressed {
			t.Errorf("row group %d: total_compressed_size %d, not %d", g, n, compressed)
		}
		if n, _ := rg.Int(parquet.GroupFileOffset, chunks[0].Start); n != chunks[0].Start {
			t.Errorf("row group %d: file_offset %d, not %d", g, n, chunks[0].Start)
		}
		if n, _ := rg.Int(parquet.GroupOrdinal, int64(g)); n != int64(g) {
			t.Errorf("row group %d: ordinal %d", g, n)
		}
	}
}

// lostGroups says of the row groups that are left whether they lost rows.
func lostGroups(t testing.TB, in []byte, keep func(i, n int64) bool) (lost []bool) {
	t.Helper()
	f, err := parquet.Open(t.Context(), bytes.NewReader(in), int64(len(in)), "in.parquet")
	if err != nil {
		t.Fatal(err)
	}
	row := int64(0)
	for g := range f.NumRowGroups() {
		kept := int64(0)
		for range f.RowGroupRows(g) {
			if keep(row, f.NumRows()) {
				kept++
			}
			row++
		}
		if kept > 0 {
			lost = append(lost, kept < f.RowGroupRows(g))
		}
	}
	return lost
}

type verifier struct {
	t     testing.TB
	f     *parquet.File
	c     *parquet.Chunk
	col   *parquet.Column
	index *parquet.PageIndex
	exact bool
	lost  bool
	where string

	raw    int64
	rows   int64
	slots  int64
	nulls  int64
	data   int
	all    parquet.Bounds
	dict   *pruned
	dec    codec.Codec
	kinds  map[string]int64
	bounds []parquet.Bounds
	counts []int64 // nulls
	null   []bool
}

func (v *verifier) errorf(format string, args ...any) {
	v.t.Helper()
	v.t.Errorf("%s: %s", v.where, fmt.Sprintf(format, args...))
}

func (v *verifier) run() {
	v.t.Helper()
	w := newWalk(v.f, nil, v.c)
	defer w.close()
	v.kinds = map[string]int64{}
	for {
		err := w.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			v.t.Fatalf("%s: %v", v.where, err)
		}
		v.page(w)
	}
	if w.src.Offset() != v.c.End {
		v.errorf("ends at %d, not %d", w.src.Offset(), v.c.End)
	}
	if n, _ := v.c.Metadata.Int(parquet.MetaTotalUncompressedSize, -1); n != v.raw {
		v.errorf("total_uncompressed_size %d, not %d", n, v.raw)
	}
	if v.slots != v.c.Values {
		v.errorf("num_values %d, not %d", v.c.Values, v.slots)
	}
	if v.lost {
		v.encodings()
		v.statistics()
		v.columnIndex()
	}
	if v.index != nil && len(v.index.Locations) != v.data {
		v.errorf("%d locations for %d pages", len(v.index.Locations), v.data)
	}
}

func (v *verifier) page(w *walk) {
	v.t.Helper()
	body, err := w.Body()
	if err != nil {
		v.t.Fatalf("%s: %v", v.where, err)
	}
	h := &w.Header
	v.raw += int64(h.Length + h.RawSize)
	v.kinds[fmt.Sprint(h.Kind, " ", h.Encoding)]++
	if h.Kind == parquet.DictionaryPage {
		if v.c.DictionaryOffset != w.Offset {
			v.errorf("dictionary_page_offset %d, not %d", v.c.DictionaryOffset, w.Offset)
		}
		plain, err := parquet.LoadDictionary(&v.dec, v.c.Codec, h, body)
		if err == nil {
			v.dict, err = newPruned(v.col, plain, h)
		}
		if err != nil {
			v.t.Fatalf("%s: %v", v.where, err)
		}
		return
	}
	if v.data == 0 && v.c.DataOffset != w.Offset {
		v.errorf("data_page_offset %d, not %d", v.c.DataOffset, w.Offset)
	}
	if v.index != nil {
		l := v.index.Locations[min(v.data, len(v.index.Locations)-1)]
		if l.Offset != w.Offset || int(l.Size) != h.Length+h.Size || l.FirstRow != v.rows {
			v.errorf("page %d: location %+v, not %d, %d, %d", w.Number, l, w.Offset, h.Length+h.Size, v.rows)
		}
	}
	var p parquet.Page
	if err := p.Load(&v.dec, v.col, v.c.Codec, h, body); err != nil {
		v.t.Fatalf("%s: page %d: %v", v.where, w.Number, err)
	}
	if h.Values == 0 {
		v.errorf("page %d is empty", w.Number)
	} else if v.index != nil && v.col.MaxRep > 0 && p.Reps[0] != 0 {
		v.errorf("page %d begins within a row", w.Number)
	}
	b := v.values(&p)
	v.all.Merge(v.col, &b)
	v.bounds = append(v.bounds, b)
	v.counts = append(v.counts, int64(h.Values-p.Count))
	v.null = append(v.null, p.Count == 0)
	v.nulls += int64(h.Values - p.Count)
	v.slots += int64(h.Values)
	v.rows += int64(p.Rows)
	v.data++
}

// values returns the bounds of a page's values.
func (v *verifier) values(p *parquet.Page) (b parquet.Bounds) {
	v.t.Helper()
	if p.Header.DictCoded() {
		index, err := encoding.DecodeIndices(nil, p.Values, p.Count, v.dict.len())
		if err != nil {
			v.t.Fatalf("%s: %v", v.where, err)
		}
		for _, i := range index {
			b.Add(v.col, v.dict.entry(int(i)))
		}
		return b
	}
	var x parquet.Values
	if err := x.Decode(v.col, p.Header.Encoding, p.Values, p.Count, nil); err != nil {
		v.t.Fatalf("%s: %v", v.where, err)
	}
	for _, i := range x.Ints {
		if v.col.Physical == parquet.Boolean {
			b.Add(v.col, []byte{byte(i)})
		} else {
			b.Add(v.col, parquet.PlainBytes(uint64(i), v.col.Width()))
		}
	}
	for i := range x.Bytes.Len() {
		b.Add(v.col, x.Bytes.At(i))
	}
	return b
}

func (v *verifier) encodings() {
	v.t.Helper()
	l, err := v.c.Metadata.List(parquet.MetaEncodingStats)
	if err != nil {
		v.t.Fatal(err)
	}
	stated := map[string]int64{}
	for _, raw := range l.Elements() {
		s, _, err := thrift.Parse(raw)
		if err != nil {
			v.t.Fatal(err)
		}
		kind, _ := s.Int(1, -1)
		enc, _ := s.Int(2, -1)
		n, _ := s.Int(3, -1)
		stated[fmt.Sprint(kind, " ", parquet.Encoding(enc))] = n
	}
	if fmt.Sprint(stated) != fmt.Sprint(v.kinds) {
		v.errorf("encoding_stats %v, not %v", stated, v.kinds)
	}
}

// within reports whether lo and hi, as given, enclose b.
func (v *verifier) within(what string, b *parquet.Bounds, lo, hi []byte) {
	v.t.Helper()
	if !b.Any {
		return
	}
	least, most := b.Plain(v.col)
	if parquet.Compare(v.col, lo, least) > 0 || parquet.Compare(v.col, hi, most) < 0 {
		v.errorf("%s: bounds %q, %q of values from %q to %q", what, lo, hi, least, most)
	}
	if v.exact && len(least) <= parquet.MaxBound && !bytes.Equal(lo, least) || v.exact && len(most) <= parquet.MaxBound && !bytes.Equal(hi, most) {
		v.errorf("%s: bounds %q, %q are not %q, %q", what, lo, hi, least, most)
	}
	if v.exact && v.col.Physical == parquet.ByteArray && v.col.Order == parquet.OrderBytes && (len(lo) > parquet.MaxBound || len(hi) > parquet.MaxBound+4) {
		v.errorf("%s: bounds of %d and %d bytes", what, len(lo), len(hi))
	}
}

func (v *verifier) statistics() {
	v.t.Helper()
	s, err := v.c.Metadata.Struct(parquet.MetaStatistics)
	if err != nil {
		v.t.Fatal(err)
	}
	nulls, _ := s.Int(parquet.StatsNullCount, -1)
	if nulls != v.nulls && (nulls >= 0 || v.exact) {
		v.errorf("null_count %d, not %d", nulls, v.nulls)
	}
	lo, hasLo, _ := s.Bytes(parquet.StatsMinValue)
	hi, hasHi, _ := s.Bytes(parquet.StatsMaxValue)
	if v.col.Order == parquet.OrderNone {
		if hasLo || hasHi {
			v.errorf("has bounds without an order")
		}
		return
	}
	if v.exact && hasLo != v.all.Any {
		v.errorf("min_value %v", hasLo)
	}
	if hasLo && hasHi {
		v.within("statistics", &v.all, lo, hi)
		least, most := v.all.Plain(v.col)
		if f, ok := s.Get(parquet.StatsMinExact); ok && f.Type == thrift.True && !bytes.Equal(lo, least) {
			v.errorf("min_value is said to be exact")
		}
		if f, ok := s.Get(parquet.StatsMaxExact); ok && f.Type == thrift.True && !bytes.Equal(hi, most) {
			v.errorf("max_value is said to be exact")
		}
	}
}

func (v *verifier) columnIndex() {
	v.t.Helper()
	if v.index == nil || v.index.RawColumn == nil {
		return
	}
	s, _, err := thrift.Parse(v.index.RawColumn)
	if err != nil {
		v.t.Fatal(err)
	}
	x, ok := v.index.Columns()
	if !ok || len(x.Null) != v.data {
		v.errorf("column index has lists of wrong length")
		return
	}
	null, lo, hi, nulls := x.Null, x.Min, x.Max, x.Nulls
	order, _ := s.Int(4, -1)
	last := -1
	for i := range v.data {
		what := fmt.Sprintf("column index, page %d", i)
		if null[i] != v.null[i] {
			v.errorf("%s: null page %v", what, null[i])
		}
		if nulls != nil && nulls[i] != v.counts[i] {
			v.errorf("%s: %d nulls, not %d", what, nulls[i], v.counts[i])
		}
		if null[i] {
			if len(lo[i])+len(hi[i]) > 0 {
				v.errorf("%s: a null page with bounds", what)
			}
			continue
		}
		v.within(what, &v.bounds[i], lo[i], hi[i])
		if last >= 0 {
			a, b := parquet.Compare(v.col, lo[last], lo[i]), parquet.Compare(v.col, hi[last], hi[i])
			if order == 1 && (a > 0 || b > 0) || order == 2 && (a < 0 || b < 0) {
				v.errorf("%s: out of boundary order %d", what, order)
			}
		}
		last = i
	}
}
