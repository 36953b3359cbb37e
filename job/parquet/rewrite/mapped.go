package rewrite

import (
	"bytes"
	"slices"

	"assent/job/parquet"
	"assent/job/parquet/encoding"
)

// mapped is what becomes of the used entries of a dictionary whose column has a Transform.
type mapped struct {
	mapper Mapper
	out    *parquet.Column
	uses   []int    // by entry of the input: how many kept values it stands for
	plain  []byte   // once settled: the distinct results in the order of their bytes, as PLAIN
	starts []uint32 // where they begin in plain, without a length, and one more
	width  int      // of the length before each
}

// mapEntries maps each used entry, once. The order of the results is that of their bytes: no other order would be free of what the
// rows are like, as writers number entries by their first row.
func (d *pruned) mapEntries() error {
	m := d.mapped
	if m.out.Physical == parquet.ByteArray {
		m.width = 4
	}
	type result struct {
		entry  int32
		lo, hi int
	}
	var raw []byte
	var all []result
	var err error
	for i := range d.n {
		if !d.used.Get(i) {
			continue
		}
		lo := len(raw)
		if raw, err = mapValue(m.mapper, m.out, raw, d.entry(i), m.uses[i]); err != nil {
			return err
		}
		all = append(all, result{int32(i), lo, len(raw)})
	}
	value := func(r result) []byte { return raw[r.lo+m.width : r.hi] }
	slices.SortFunc(all, func(x, y result) int { return bytes.Compare(value(x), value(y)) })
	d.table, d.kept, d.bytes = make([]int32, d.n), 0, 0
	for i, r := range all {
		if i == 0 || !bytes.Equal(value(all[i-1]), value(r)) {
			m.starts = append(m.starts, uint32(len(m.plain)+m.width))
			m.plain = append(m.plain, raw[r.lo:r.hi]...)
			d.kept++
		}
		d.table[r.entry] = int32(d.kept - 1)
		d.bytes += int64(m.uses[r.entry]) * int64(r.hi-r.lo)
	}
	m.starts = append(m.starts, uint32(len(m.plain)+m.width))
	return nil
}

// result returns result i, without a length.
func (m *mapped) result(i int) []byte { return m.plain[m.starts[i] : m.starts[i+1]-uint32(m.width)] }

// appendPlain appends the PLAIN results that stand for the draft's indices of the input's dictionary.
func (m *mapped) appendPlain(to *draft, table []int32) {
	for _, i := range to.indices {
		r := table[i]
		to.plain = append(to.plain, m.plain[int(m.starts[r])-m.width:int(m.starts[r+1])-m.width]...)
	}
}

// addBounds sets a draft's bounds to those of its changed values. Its indices are those of the output's dictionary.
func (s *splice) addBounds(d *draft) {
	d.bounds.Reset()
	if len(d.indices) == 0 {
		addPlain(&d.bounds, s.to, d.plain)
		return
	}
	used := slices.Grow(s.filter.pageUsed[:0], s.dict.kept)[:s.dict.kept]
	s.filter.pageUsed = used
	clear(used)
	encoding.MarkUsed(used, d.indices)
	for i, hit := range used {
		if hit != 0 {
			d.bounds.Add(s.to, s.dict.mapped.result(i))
		}
	}
}
