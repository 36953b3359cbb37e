package verify

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	pthrift "github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// remains looks at what a column's chunks hold beside the values of kept rows:
// entries of dictionaries that no row uses, least and greatest values of statistics
// and of the page index, bloom filters. What is not tight is a suspect; it is a residue where a
// dropped row has it and no kept one. All values of all
// rows are looked at, of whatever type.
type remains struct {
	c        *comparison
	column   *handedColumn
	out      *cursor
	suspects map[string]*suspect
	parts    []*suspect // of these
	err      error
	ordered  bool // bounds are worked out, else every bound is a suspect

	group       int // row group being read, -1 before the first
	dict        dictionary
	used        bitmap
	index       *format.ColumnIndex
	number      int // of the page being read
	page, chunk bounds
	bloom       *bloomCheck   // nil: there is none
	blooms      []*bloomCheck // of earlier row groups, that have more than they should
}

// bounds are the least and the greatest value seen.
type bounds struct {
	any      bool
	min, max parquet.Value
}

// suspect is a value beside those of rows.
type suspect struct {
	where []string // the first places
	value []byte   // as PLAIN has it, without a length
	part  bool     // it may be cut short, and then the greatest may be rounded up
	row   int64    // a dropped row that has it, -1
	kept  bool     // a kept row has it
}

// maxSuspects bounds how many values of a column are looked for at a time; of those
// cut short, of which each is compared with each row's, maxParts. A file in order has
// next to none.
const (
	maxSuspects = 100_000
	maxParts    = 200
)

// watchRemains looks at the pages that a cursor over the output reads.
func watchRemains(c *comparison, column *handedColumn, out *cursor) *remains {
	r := &remains{c: c, column: column, out: out, group: -1, suspects: map[string]*suspect{}, ordered: ordered(&out.f.leaves[out.column])}
	out.onPage, out.onEnd = r.onPage, r.finish
	return r
}

// ordered reports whether the column's order is plain: that of its integers, or of
// its bytes.
func ordered(l *leaf) bool {
	switch l.kind() {
	case parquet.Boolean, parquet.Int32, parquet.Int64, parquet.Float, parquet.Double:
		return true
	case parquet.ByteArray, parquet.FixedLenByteArray:
		switch l.element.LogicalType.Value.(type) {
		case nil:
			switch c := l.element.ConvertedType; c.V {
			case deprecated.UTF8, deprecated.Enum, deprecated.Json, deprecated.Bson:
				return true
			default:
				return !c.Valid
			}
		case *format.StringType, *format.EnumType, *format.JsonType, *format.BsonType, *format.UUIDType:
			return true
		}
	}
	return false
}

func (r *remains) onPage(group int, d dictionary, indices []int32) {
	r.endPage()
	if group != r.group {
		r.endGroup()
		r.beginGroup(group)
	}
	r.page = bounds{}
	if d == nil {
		return
	}
	if r.dict != d {
		r.dict, r.used = d, newBitmap(int64(d.Len()))
	}
	for _, i := range indices {
		r.used.set(int64(i))
	}
}

func (r *remains) beginGroup(group int) {
	r.group, r.chunk, r.dict, r.number = group, bounds{}, nil, 0
	r.index = nil
	chunk := &r.out.f.groups()[group].Columns[r.out.column]
	if chunk.ColumnIndexOffset > 0 && chunk.ColumnIndexLength > 0 {
		index, err := r.out.f.columnIndex(chunk)
		if err != nil {
			r.tellGroup("the column index cannot be read: %v", err)
		}
		r.index = index
	}
	var err error
	if r.bloom, err = r.out.f.bloomOf(group, r.out.column); err != nil {
		r.tellGroup("the bloom filter cannot be read: %v", err)
	}
}

// tellGroup reports a difference of the row group being read.
func (r *remains) tellGroup(format string, args ...any) {
	what := fmt.Sprintf("row group %d: ", r.group) + fmt.Sprintf(format, args...)
	r.c.found.add(Difference{File: r.c.m.Output, Column: r.name(), What: what})
}

func (r *remains) name() string { return r.out.f.leaves[r.out.column].path }

func (f *parquetFile) columnIndex(chunk *format.ColumnChunk) (_ *format.ColumnIndex, err error) {
	defer recovered(&err)
	if int64(chunk.ColumnIndexLength) > f.size {
		return nil, io.ErrUnexpectedEOF
	}
	raw := make([]byte, chunk.ColumnIndexLength)
	if _, err := io.ReadFull(io.NewSectionReader(f.r, chunk.ColumnIndexOffset, int64(len(raw))), raw); err != nil {
		return nil, err
	}
	index := new(format.ColumnIndex)
	if err := pthrift.Unmarshal(new(pthrift.CompactProtocol), raw, index); err != nil {
		return nil, err
	}
	if n := len(index.NullPages); len(index.MinValues) != n || len(index.MaxValues) != n {
		return nil, errors.New("its lists differ in length")
	}
	return index, nil
}

// value takes a value of a kept row.
func (r *remains) value(v parquet.Value) {
	if r.bloom != nil {
		r.bloom.add(v)
	}
	if !r.ordered {
		return
	}
	t := r.out.f.leaves[r.out.column].typ
	r.page.add(t, v)
}

func (b *bounds) add(t parquet.Type, v parquet.Value) {
	if v.Kind() == parquet.Float && v.Float() != v.Float() || v.Kind() == parquet.Double && v.Double() != v.Double() {
		return // NaN has no place in the order
	}
	switch {
	case !b.any:
		b.any, b.min = true, cloneBound(v)
		b.max = b.min
	case t.Compare(v, b.min) < 0:
		b.min = cloneBound(v)
	case t.Compare(v, b.max) > 0:
		b.max = cloneBound(v)
	}
}

// longestBound is how many bytes of a least or greatest value are kept. What a file says that is longer is not known again, and so
// looked for.
const longestBound = 1 << 16

func cloneBound(v parquet.Value) parquet.Value {
	if isBytes(v) && len(v.ByteArray()) > longestBound {
		return parquet.ByteArrayValue(bytes.Clone(v.ByteArray()[:longestBound]))
	}
	return v.Clone()
}

func (r *remains) endPage() {
	if r.group < 0 {
		return
	}
	if r.page.any {
		t := r.out.f.leaves[r.out.column].typ
		r.chunk.add(t, r.page.min)
		r.chunk.add(t, r.page.max)
	}
	if r.index != nil && r.number < len(r.index.NullPages) && !r.index.NullPages[r.number] {
		where := fmt.Sprintf("the page index of row group %d, page %d", r.group, r.number)
		r.bound(where, r.index.MinValues[r.number], &r.page)
		r.bound(where, r.index.MaxValues[r.number], &r.page)
	}
	r.number++
}

func (r *remains) endGroup() {
	if r.group < 0 {
		return
	}
	s := &r.out.f.groups()[r.group].Columns[r.out.column].MetaData.Statistics
	where := fmt.Sprintf("the statistics of row group %d", r.group)
	for _, v := range [][]byte{s.MinValue, s.MaxValue, s.Min, s.Max} {
		r.bound(where, v, &r.chunk)
	}
	if r.bloom != nil {
		lacks, more := r.bloom.compare()
		if lacks {
			r.tellGroup("the bloom filter lacks a kept value, which readers would not find")
		}
		if more && r.column.changes() {
			r.tellGroup("the bloom filter has more than the changed values")
		} else if more {
			r.blooms = append(r.blooms, r.bloom)
		}
		r.bloom = nil
	}
	if r.dict == nil {
		return
	}
	if r.column.changes() {
		r.checkOrder()
	}
	for i := range int64(r.dict.Len()) {
		if !r.used.has(i) {
			r.suspect(fmt.Sprintf("the dictionary of row group %d", r.group), r.dict.Index(int32(i)).Bytes(), false)
		}
	}
}

// checkOrder checks that the entries of a changed column's dictionary are in an order of their own. The input's numbers them by the
// first rows that have them.
func (r *remains) checkOrder() {
	for i := 1; i < r.dict.Len(); i++ {
		if bytes.Compare(r.dict.Index(int32(i-1)).Bytes(), r.dict.Index(int32(i)).Bytes()) >= 0 {
			r.tellGroup("the column is changed, and the entries of its dictionary are not sorted")
			return
		}
	}
}

// finish ends a row group, if one has begun.
func (r *remains) finish() {
	r.endPage()
	r.endGroup()
	r.group, r.dict = -1, nil
}

// bound looks at a least or greatest value beside those that there are.
func (r *remains) bound(where string, v []byte, there *bounds) {
	if len(v) == 0 || r.zero(v) {
		return
	}
	part := r.out.f.leaves[r.out.column].kind() == parquet.ByteArray
	if there.any && (alike(there.min.Bytes(), v, part) || alike(there.max.Bytes(), v, part)) {
		return
	}
	r.suspect(where, v, part)
}

// zero reports whether a bound is a zero of a float, which may have either sign.
func (r *remains) zero(v []byte) bool {
	e := r.out.f.leaves[r.out.column].element
	_, half := e.LogicalType.Value.(*format.Float16Type)
	if kind := parquet.Kind(e.Type.V); half || kind == parquet.Float || kind == parquet.Double {
		return v[len(v)-1]&^0x80 == 0 && len(bytes.Trim(v[:len(v)-1], "\x00")) == 0
	}
	return false
}

func (r *remains) suspect(where string, v []byte, part bool) {
	if r.column.changes() { // it might be a value as it was, so that it is not looked for among the changed ones
		r.c.found.add(Difference{File: r.c.m.Output, Column: r.name(), What: "the column is changed, and a value that no kept row has stands in " + where})
		return
	}
	if s := r.suspects[string(v)]; s != nil {
		if len(s.where) < 3 && !slices.Contains(s.where, where) {
			s.where = append(s.where, where)
		}
		return
	}
	if len(r.suspects) == maxSuspects || len(r.parts) == maxParts {
		r.err = cmp.Or(r.err, r.resolve())
	}
	s := &suspect{where: []string{where}, value: bytes.Clone(v), part: part, row: -1}
	r.suspects[string(v)] = s
	if part {
		r.parts = append(r.parts, s)
	}
}

// alike reports whether a bound b may stand for the value v: it is v, or its first
// bytes, the last of them perhaps rounded up.
func alike(v, b []byte, part bool) bool {
	if bytes.Equal(v, b) {
		return true
	}
	last := len(b) - 1
	if !part || last < 0 {
		return false
	}
	if len(v) >= len(b) && bytes.Equal(v[:last], b[:last]) {
		return v[last] == b[last] || v[last] < math.MaxUint8 && v[last]+1 == b[last]
	}
	return roundedRune(v, b)
}

// roundedRune reports whether b is the beginning of v, its last character replaced by the next one, which may differ in several bytes.
func roundedRune(v, b []byte) bool {
	r, size := utf8.DecodeLastRune(b)
	at := len(b) - size
	if size < 2 || len(v) < at || !bytes.Equal(v[:at], b[:at]) {
		return false
	}
	was, _ := utf8.DecodeRune(v[at:])
	return was != utf8.RuneError && (was+1 == r || was == 0xD7FF && r == 0xE000) // surrogates are no characters
}

// resolve looks for the suspects among all rows of the input.
func (r *remains) resolve() error {
	if len(r.suspects)+len(r.blooms) == 0 || r.err != nil {
		return r.err
	}
	c := r.c.in.cursor(slices.IndexFunc(r.c.handed.columns, func(x handedColumn) bool { return x.out == r.out.column }))
	defer c.close()
	for row := range r.c.in.rows() {
		for more := true; more; {
			v, err := c.take()
			if err != nil {
				return r.c.unreadInput(r.name(), row, err)
			}
			if !v.IsNull() {
				r.meet(row, v.Bytes())
			}
			if more, err = c.more(); err != nil {
				return r.c.unreadInput(r.name(), row, err)
			}
		}
	}
	r.tell()
	clear(r.suspects)
	r.parts, r.blooms = r.parts[:0], nil
	return nil
}

// meet takes a value of a row of the input.
func (r *remains) meet(row int64, value []byte) {
	kept := r.c.in.kept.has(row)
	if s := r.suspects[string(value)]; s != nil {
		s.meet(row, kept)
	}
	for _, s := range r.parts {
		if alike(value, s.value, true) {
			s.meet(row, kept)
		}
	}
	for _, f := range r.blooms {
		if !kept {
			f.meet(row, value)
		}
	}
}

func (s *suspect) meet(row int64, kept bool) {
	if s.kept = s.kept || kept; !kept && s.row < 0 {
		s.row = row
	}
}

// tell reports the residues, of those in one place the first.
func (r *remains) tell() {
	residue := func(row int64, where string) {
		r.c.found.add(Difference{File: r.c.m.Output, Row: &row, Column: r.name(),
			What: "the row is dropped, no kept row has its value, and it still stands in " + where})
	}
	told := map[string]bool{}
	for _, s := range slices.SortedFunc(maps.Values(r.suspects), func(x, y *suspect) int {
		return cmp.Or(cmp.Compare(x.row, y.row), cmp.Compare(x.where[0], y.where[0]))
	}) {
		if !s.kept && s.row >= 0 && !told[s.where[0]] {
			told[s.where[0]] = true
			residue(s.row, strings.Join(s.where, ", "))
		}
	}
	for _, b := range r.blooms {
		if b.row >= 0 {
			residue(b.row, fmt.Sprintf("the bloom filter of row group %d", b.group))
		}
	}
}
