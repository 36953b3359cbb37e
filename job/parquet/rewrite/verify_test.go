package rewrite

import (
	"bytes"
	"fmt"
	"io"
	"testing"

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
	f, err := Open(t.Context(), bytes.NewReader(data), int64(len(data)), "out.parquet")
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
		chunks, err := f.chunks(g)
		if err != nil {
			t.Fatal(err)
		}
		indexes, err := f.indexes(chunks)
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
			compressed += c.end - c.start
			raw += v.raw
			if indexes[i] != nil {
				withOffset++
			}
		}
		if lost[g] && withOffset != len(chunks) {
			t.Errorf("row group %d: %d of %d chunks have an offset index", g, withOffset, len(chunks))
		}
		if n, _ := rg.Int(rgTotalByteSize, -1); n != raw {
			t.Errorf("row group %d: total_byte_size %d, not %d", g, n, raw)
		}
		if n, _ := rg.Int(rgTotalCompressedSize, compressed); n != compressed {
			t.Errorf("row group %d: total_compressed_size %d, not %d", g, n, compressed)
		}
		if n, _ := rg.Int(rgFileOffset, chunks[0].start); n != chunks[0].start {
			t.Errorf("row group %d: file_offset %d, not %d", g, n, chunks[0].start)
		}
		if n, _ := rg.Int(rgOrdinal, int64(g)); n != int64(g) {
			t.Errorf("row group %d: ordinal %d", g, n)
		}
	}
}

// lostGroups says of the row groups that are left whether they lost rows.
func lostGroups(t testing.TB, in []byte, keep func(i, n int64) bool) (lost []bool) {
	t.Helper()
	f, err := Open(t.Context(), bytes.NewReader(in), int64(len(in)), "in.parquet")
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
	f     *File
	c     *chunk
	col   *Column
	index *pageIndexes
	exact bool
	lost  bool
	where string

	raw    int64
	rows   int64
	slots  int64
	nulls  int64
	data   int
	all    bounds
	dict   *pruned
	dec    codec.Codec
	kinds  map[string]int64
	bounds []bounds
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
	if w.src.offset() != v.c.end {
		v.errorf("ends at %d, not %d", w.src.offset(), v.c.end)
	}
	if n, _ := v.c.meta.Int(cmTotalUncompressedSize, -1); n != v.raw {
		v.errorf("total_uncompressed_size %d, not %d", n, v.raw)
	}
	if v.slots != v.c.values {
		v.errorf("num_values %d, not %d", v.c.values, v.slots)
	}
	if v.lost {
		v.encodings()
		v.statistics()
		v.columnIndex()
	}
	if v.index != nil && len(v.index.locations) != v.data {
		v.errorf("%d locations for %d pages", len(v.index.locations), v.data)
	}
}

func (v *verifier) page(w *walk) {
	v.t.Helper()
	body, err := w.body()
	if err != nil {
		v.t.Fatalf("%s: %v", v.where, err)
	}
	h := &w.h
	v.raw += int64(h.length + h.rawSize)
	v.kinds[fmt.Sprint(h.kind, " ", h.encoding)]++
	if h.kind == pageDictionary {
		if v.c.dictOffset != w.at {
			v.errorf("dictionary_page_offset %d, not %d", v.c.dictOffset, w.at)
		}
		plain, err := loadDictionary(&v.dec, v.c.codec, h, body)
		if err == nil {
			v.dict, err = newPruned(v.col, plain, h)
		}
		if err != nil {
			v.t.Fatalf("%s: %v", v.where, err)
		}
		return
	}
	if v.data == 0 && v.c.dataOffset != w.at {
		v.errorf("data_page_offset %d, not %d", v.c.dataOffset, w.at)
	}
	if v.index != nil {
		l := v.index.locations[min(v.data, len(v.index.locations)-1)]
		if l.offset != w.at || int(l.size) != h.length+h.size || l.firstRow != v.rows {
			v.errorf("page %d: location %+v, not %d, %d, %d", w.page, l, w.at, h.length+h.size, v.rows)
		}
	}
	var p dataPage
	if err := p.load(&v.dec, v.col, v.c.codec, h, body); err != nil {
		v.t.Fatalf("%s: page %d: %v", v.where, w.page, err)
	}
	if h.values == 0 {
		v.errorf("page %d is empty", w.page)
	} else if v.index != nil && v.col.MaxRep > 0 && p.reps[0] != 0 {
		v.errorf("page %d begins within a row", w.page)
	}
	b := v.values(&p)
	v.all.merge(v.col, &b)
	v.bounds = append(v.bounds, b)
	v.counts = append(v.counts, int64(h.values-p.count))
	v.null = append(v.null, p.count == 0)
	v.nulls += int64(h.values - p.count)
	v.slots += int64(h.values)
	v.rows += int64(p.starts)
	v.data++
}

// values returns the bounds of a page's values.
func (v *verifier) values(p *dataPage) (b bounds) {
	v.t.Helper()
	if p.h.dictCoded() {
		index, err := encoding.DecodeIndices(nil, p.values, p.count, v.dict.len())
		if err != nil {
			v.t.Fatalf("%s: %v", v.where, err)
		}
		for _, i := range index {
			b.add(v.col, v.dict.entry(int(i)))
		}
		return b
	}
	var x values
	if err := x.decode(v.col, p.h.encoding, p.values, p.count, nil); err != nil {
		v.t.Fatalf("%s: %v", v.where, err)
	}
	for _, i := range x.ints {
		if v.col.Physical == Boolean {
			b.add(v.col, []byte{byte(i)})
		} else {
			b.add(v.col, plainBytes(uint64(i), v.col.width()))
		}
	}
	for i := range x.bytes.Len() {
		b.add(v.col, x.bytes.At(i))
	}
	return b
}

func (v *verifier) encodings() {
	v.t.Helper()
	l, err := v.c.meta.List(cmEncodingStats)
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
		stated[fmt.Sprint(kind, " ", encodingID(enc))] = n
	}
	if fmt.Sprint(stated) != fmt.Sprint(v.kinds) {
		v.errorf("encoding_stats %v, not %v", stated, v.kinds)
	}
}

// within reports whether lo and hi, as given, enclose b.
func (v *verifier) within(what string, b *bounds, lo, hi []byte) {
	v.t.Helper()
	if !b.any {
		return
	}
	least, most := b.plain(v.col)
	if compareBytes(v.col, lo, least) > 0 || compareBytes(v.col, hi, most) < 0 {
		v.errorf("%s: bounds %q, %q of values from %q to %q", what, lo, hi, least, most)
	}
	if v.exact && len(least) <= maxBound && !bytes.Equal(lo, least) || v.exact && len(most) <= maxBound && !bytes.Equal(hi, most) {
		v.errorf("%s: bounds %q, %q are not %q, %q", what, lo, hi, least, most)
	}
	if v.exact && v.col.Physical == ByteArray && v.col.order == orderBytes && (len(lo) > maxBound || len(hi) > maxBound+4) {
		v.errorf("%s: bounds of %d and %d bytes", what, len(lo), len(hi))
	}
}

func (v *verifier) statistics() {
	v.t.Helper()
	s, err := v.c.meta.Struct(cmStatistics)
	if err != nil {
		v.t.Fatal(err)
	}
	nulls, _ := s.Int(stNullCount, -1)
	if nulls != v.nulls && (nulls >= 0 || v.exact) {
		v.errorf("null_count %d, not %d", nulls, v.nulls)
	}
	lo, hasLo, _ := s.Bytes(stMinValue)
	hi, hasHi, _ := s.Bytes(stMaxValue)
	if v.col.order == orderNone {
		if hasLo || hasHi {
			v.errorf("has bounds without an order")
		}
		return
	}
	if v.exact && hasLo != v.all.any {
		v.errorf("min_value %v", hasLo)
	}
	if hasLo && hasHi {
		v.within("statistics", &v.all, lo, hi)
		least, most := v.all.plain(v.col)
		if f, ok := s.Get(stMinExact); ok && f.Type == thrift.True && !bytes.Equal(lo, least) {
			v.errorf("min_value is said to be exact")
		}
		if f, ok := s.Get(stMaxExact); ok && f.Type == thrift.True && !bytes.Equal(hi, most) {
			v.errorf("max_value is said to be exact")
		}
	}
}

func (v *verifier) columnIndex() {
	v.t.Helper()
	if v.index == nil || v.index.rawColumn == nil {
		return
	}
	s, _, err := thrift.Parse(v.index.rawColumn)
	if err != nil {
		v.t.Fatal(err)
	}
	null, lo, hi, nulls := boolList(s, 1, v.data), bytesList(s, 2, v.data), bytesList(s, 3, v.data), intList(s, 5, v.data)
	if null == nil || lo == nil || hi == nil {
		v.errorf("column index has lists of wrong length")
		return
	}
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
			a, b := compareBytes(v.col, lo[last], lo[i]), compareBytes(v.col, hi[last], hi[i])
			if order == ascending && (a > 0 || b > 0) || order == descending && (a < 0 || b < 0) {
				v.errorf("%s: out of boundary order %d", what, order)
			}
		}
		last = i
	}
}
