package rewrite

import (
	"math"

	"assent/job/parquet/thrift"
)

// footer returns the FileMetaData.
func (w *Writer) footer() thrift.Struct {
	f := w.f
	lost := w.result.RowsKept < w.result.RowsIn
	var meta thrift.Struct
	for _, field := range f.Metadata() {
		// What is not known here may hold anything: it is kept only if all rows are.
		if field.ID <= FileFooterSigningKey || !lost {
			meta = append(meta, field)
		}
	}
	meta.Set(thrift.Int64Field(FileNumRows, w.result.RowsKept))
	var groups []byte
	for i := range w.groups {
		groups = w.groups[i].metadata(i).Append(groups)
	}
	meta.Set(thrift.ListField(FileRowGroups, thrift.StrucT, len(w.groups), groups))
	if kv, ok := w.keyValues(); ok {
		meta.Set(kv)
	}
	if w.opts.CreatedBy != "" {
		meta.Set(thrift.BytesField(FileCreatedBy, []byte(w.opts.CreatedBy)))
	}
	if !f.Ordered() {
		// Minima and maxima mean nothing without.
		var orders []byte
		for range f.Columns() {
			orders = thrift.Struct{thrift.StructField(1, nil)}.Append(orders)
		}
		meta.Set(thrift.ListField(FileColumnOrders, thrift.StrucT, len(f.Columns()), orders))
	}
	return meta
}

// metadata returns the RowGroup, the i-th of the output.
func (g *groupOut) metadata(i int) thrift.Struct {
	var s thrift.Struct
	for _, field := range g.in {
		if field.ID <= GroupOrdinal || !g.lost {
			s = append(s, field)
		}
	}
	var chunks []byte
	for j := range g.chunks {
		chunks = g.chunks[j].meta.Append(chunks)
	}
	s.Set(thrift.ListField(GroupColumns, thrift.StrucT, len(g.chunks), chunks))
	s.Set(thrift.Int64Field(GroupTotalByteSize, g.rawSize))
	s.Set(thrift.Int64Field(GroupNumRows, g.rows))
	if s.Has(GroupFileOffset) {
		s.Set(thrift.Int64Field(GroupFileOffset, g.start))
	}
	if s.Has(GroupTotalCompressedSize) {
		s.Set(thrift.Int64Field(GroupTotalCompressedSize, g.size))
	}
	if s.Has(GroupOrdinal) {
		s.Delete(GroupOrdinal)
		if i <= math.MaxInt16 {
			s.Set(thrift.Int16Field(GroupOrdinal, int16(i)))
		}
	}
	return s
}
