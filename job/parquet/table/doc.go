// Package table writes and reads Parquet files of a few known columns, column by column: documents whose writer and reader are
// the same program.
//
// # Words
//
//   - Field: a column, a list or a group of columns, as the document describes it ([Field]). Its leaves are the columns.
//   - Leaf: the index of a column among all columns, in the order of the fields.
//   - Level, slot, page, chunk, row group, bounds: as in package parquet.
//
// # Writing
//
// A [Writer] takes row group after row group, in each of them chunk after chunk, and in each chunk the dictionary, if the column
// has one, and the pages:
//
//	w.BeginGroup()
//	c := w.Chunk(leaf)
//	c.TextDictionary("in", "out")
//	c.Page(&table.Page{Rows: 3, Codes: []int32{0, 1, 1}})
//	c.End()
//	err := w.EndGroup(3, leaf)
//	err = w.Finish(keyValues)
//
// The first error sticks and comes back from EndGroup and Finish. Pages are of version 1, compressed by zstd unless the field
// says otherwise, with a checksum. Each chunk has an offset index, and a column index where all its pages have bounds. The same
// calls give the same bytes.
//
// # Reading
//
// [Open] takes only files that have the document's columns. A [Group] reads its columns side by side, row by row, from the first
// row or from any other ([Group.SeekRow]). Everything is taken to come from outside: see package parquet for its limits, to which
// this one adds its own. A page without a checksum is refused.
package table
