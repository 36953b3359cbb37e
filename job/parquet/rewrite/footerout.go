package rewrite

import (
	"math"

	"assent/job/parquet"
	"assent/job/parquet/thrift"
)

// footer returns the FileMetaData.
func (w *Writer) footer() thrift.Struct {
	f := w.f
	changed := w.result.RowsKept < w.result.RowsIn || w.changes()
	var meta thrift.Struct
	for _, field := range f.Metadata() {
		// A field that is not known here may speak of dropped rows and columns.
		if field.ID <= parquet.FileFooterSigningKey || !changed {
			meta = append(meta, field)
		}
	}
	w.layout.setSchema(&meta, f)
	meta.Set(thrift.Int64Field(parquet.FileNumRows, w.result.RowsKept))
	var groups []byte
	for i := range w.groups {
		groups = w.groupMetadata(i).Append(groups)
	}
	meta.Set(thrift.ListField(parquet.FileRowGroups, thrift.StrucT, len(w.groups), groups))
	if kv, ok := w.keyValues(); ok {
		meta.Set(kv)
	}
	if w.opts.CreatedBy != "" {
		meta.Set(thrift.BytesField(parquet.FileCreatedBy, []byte(w.opts.CreatedBy)))
	}
	if schema, ok := meta.Get(parquet.FileSchema); ok {
		w.result.Schema = schema.Raw
	}
	if !f.Ordered() {
		// Without column orders, minima and maxima have no meaning.
		var orders []byte
		for range w.layout.kept {
			orders = typeOrder(orders)
		}
		meta.Set(thrift.ListField(parquet.FileColumnOrders, thrift.StrucT, len(w.layout.kept), orders))
	}
	return meta
}

// changes reports whether columns are dropped or changed.
func (w *Writer) changes() bool { return len(w.opts.Drop)+len(w.opts.Transforms) > 0 }

// groupMetadata returns the RowGroup that is number i of the output.
func (w *Writer) groupMetadata(i int) thrift.Struct {
	g := &w.groups[i]
	if g.taken != nil {
		return g.taken.Metadata(i, g.in.Has(parquet.GroupOrdinal))
	}
	var s thrift.Struct
	for _, field := range g.in {
		if field.ID <= parquet.GroupOrdinal || !g.lost && !w.changes() {
			s = append(s, field)
		}
	}
	if w.changes() {
		s.Delete(parquet.GroupSortingColumns)
		if sorting, ok := w.layout.sorting(g.in); ok {
			s.Set(sorting)
		}
	}
	var chunks []byte
	for j := range g.chunks {
		chunks = g.chunks[j].Metadata.Append(chunks)
	}
	s.Set(thrift.ListField(parquet.GroupColumns, thrift.StrucT, len(g.chunks), chunks))
	s.Set(thrift.Int64Field(parquet.GroupTotalByteSize, g.rawSize))
	s.Set(thrift.Int64Field(parquet.GroupNumRows, g.rows))
	if s.Has(parquet.GroupFileOffset) {
		s.Set(thrift.Int64Field(parquet.GroupFileOffset, g.start))
	}
	if s.Has(parquet.GroupTotalCompressedSize) {
		s.Set(thrift.Int64Field(parquet.GroupTotalCompressedSize, g.size))
	}
	if s.Has(parquet.GroupOrdinal) {
		s.Delete(parquet.GroupOrdinal)
		if i <= math.MaxInt16 {
			s.Set(thrift.Int16Field(parquet.GroupOrdinal, int16(i)))
		}
	}
	return s
}
