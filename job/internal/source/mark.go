package source

import (
	"assent/job/parquet"
	"assent/schema"
)

// Mark finds the rows of one file that a column marks: those whose value is one of a
// match's. The zero value marks none. Not safe for concurrent use.
type Mark struct {
	KeyColumn // to read; a vector of it is given to Has
	wanted    map[string]bool

	dict    *parquet.Dictionary
	entries []bool // of dict, which are wanted
	scratch []byte
}

// mark finds the column of a match. Without one, no row is marked.
func (f *Finder) mark(key string, m *schema.Match) *Mark {
	if m == nil {
		return &Mark{KeyColumn: absent}
	}
	mark := &Mark{KeyColumn: f.code(key+".column", m.Column), wanted: map[string]bool{}}
	for _, v := range m.Values {
		mark.wanted[v] = true
	}
	return mark
}

// Has reports whether row i of a vector of the column is marked. A null is not.
func (m *Mark) Has(v *parquet.Vector, i int) bool {
	switch {
	case m.wanted == nil, v.Null != nil && v.Null[i]:
		return false
	case v.Dict == nil:
		m.scratch = m.ID.Append(m.scratch[:0], v, i)
		return m.wanted[string(m.scratch)]
	case m.dict != v.Dict:
		m.dict, m.entries = v.Dict, m.entries[:0]
		for e := range v.Dict.Len() {
			m.scratch = m.ID.appendEntry(m.scratch[:0], v.Dict, e)
			m.entries = append(m.entries, m.wanted[string(m.scratch)])
		}
	}
	return m.entries[v.Index[i]]
}

// BoundMark is a Mark by the place of its column among those of a batch.
type BoundMark struct {
	At int
	*Mark
	Reason schema.Reason // that a mark gives
}

// marks finds what the source states of a data set's records.
func (b *Binding) marks(find *Finder, d *schema.Dataset) {
	for _, m := range []struct {
		key    string
		match  *schema.Match
		reason schema.Reason
	}{{"private", d.Private, schema.PrivateRecord}, {"deleted", d.Deleted, schema.SourceDeleted}} {
		if m.match != nil {
			mark := find.mark(m.key, m.match)
			b.Marks = append(b.Marks, BoundMark{b.add(mark.KeyColumn).At, mark, m.reason})
		}
	}
}

// Stated returns the reasons that the source states of row i of a batch.
func (b *Binding) Stated(columns func(at int) *parquet.Vector, i int) (set schema.Reasons) {
	for _, m := range b.Marks {
		if m.Has(columns(m.At), i) {
			set |= m.Reason.Set()
		}
	}
	return set
}
