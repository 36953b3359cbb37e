// Package parquet reads and writes the bytes of Parquet files: everything that stands in a file except what the values mean.
// It is the one place in this program that knows the format. Package rewrite (filters a file by row in encoded form), package
// pick (reads single rows into Arrow) and package table (documents of known columns, the manifests') stand on it.
//
// # Words
//
//   - File: an opened file whose footer is read and checked ([Open]).
//   - Leaf or column: a node of the schema that holds values ([Column]). [Node] is the tree around the leaves.
//   - Row group, column chunk, page: a file has row groups, a row group has one [Chunk] for each leaf, a chunk has pages. The
//     first page of a chunk may be its dictionary, all others are data pages, version 1 or 2.
//   - Slot: one entry of a column: a value, a null or an empty list. Each has a definition level and, in a repeated column, a
//     repetition level ([Levels]). A row of a column that is not repeated has one slot. A row of a repeated one has one or more.
//   - Value: what is present in a slot whose definition level is the column's highest. Only values are stored in the values
//     section of a page.
//   - Dictionary-coded: the values section of a page holds indexes into the chunk's dictionary ([Dictionary]).
//   - PLAIN: the simplest encoding of values. Bounds and dictionary entries are PLAIN values "without a length": a byte array
//     without the four bytes before it.
//   - Bounds: a minimum and a maximum of some values, in the column's [Order].
//   - Page index: the offset index (where each data page is and which row it begins with) and the column index (bounds and
//     null count of each data page), which lie between the pages and the footer ([PageIndex]).
//   - Claim: a size or a count that a file states. No memory is taken for a claim before it is held against what the file, the
//     codec or the page can hold.
//
// # Reading
//
// [Open] reads the footer. [File.Columns] are the leaves in the schema's order; [File.Lookup] finds one by its dotted path.
// [File.Chunks] returns the chunks of a row group. A [ChunkReader] reads one of them:
//
//	r := parquet.NewChunkReader(f, &chunks[leaf], 256<<10)
//	for {
//		err := r.Next() // to the next data page
//		if err == io.EOF {
//			break
//		}
//		if err == nil {
//			err = r.Load() // decodes it
//		}
//		if err != nil {
//			return f.Fault(err, group, leaf, r.Number)
//		}
//		// r.Page.Levels, r.Page.Count, r.Values or r.Dict and r.Index
//	}
//
// With [File.PageIndexes] a reader finds the page on which a row begins, and [ChunkReader.SeekPage] goes there.
//
// Below it are the parts, for readers with other needs: a [PageWalk] goes from header to header over any [Source] of bytes, a
// [Page] decompresses a body and decodes its levels, [Values] decodes a values section. Decoders append to memory that the
// caller keeps, so a reader that reuses it allocates nothing from page to page. Slices that they return are valid until the
// next call on the same object, unless their comment says otherwise.
//
// # Writing
//
// An [Output] is the file. For each row group and each leaf a [ChunkWriter] takes the pages in order. An [EncodedPage]
// compresses a page and makes its header:
//
//	raw := levels.AppendV1(raw[:0], col)         // or AppendReps and AppendDefs, of a V2 page
//	raw = encoding.AppendDelta(raw, values, 64)  // any encoding of package encoding
//	h := parquet.PageHeader{Kind: parquet.DataPage, Values: slots, Encoding: parquet.DeltaBinaryPacked,
//		RepEncoding: parquet.RLE, DefEncoding: parquet.RLE}
//	err := page.Encode(&codec, id, &h, raw)
//	err = chunk.DataPage(&page.Header, page.Head, page.Body, rows, nulls, &bounds)
//
// Then [ChunkWriter.Metadata], [ChunkWriter.OffsetIndex] and [ChunkWriter.ColumnIndex] give what the footer and the page index
// say of the chunk, and [Output.Finish] writes both. Metadata is built as thrift structs: the constants FileSchema,
// GroupColumns, MetaCodec and so on are the field numbers of parquet.thrift. What this package does not know stays as it is.
//
// # Errors
//
// Faults of a file's bytes are *[Error], which names file, row group, column and page, and never a value. It wraps
// [ErrCorrupt] or [ErrUnsupported]. What exceeds a limit of this package is unsupported; what contradicts itself is corrupt.
// Functions below File return errors without a place; [File.Fault] gives them one and sorts the errors of packages thrift,
// encoding and codec into the two. Errors of the reader or writer below come through, wrapped.
//
// # Limits
//
// Refused as unsupported: encrypted files, LZO, data in other files, a footer above 256 MiB, row groups of 2^31 rows or more,
// pages of more than 2^26 slots, levels above 255, a schema more than 128 nodes deep.
//
// Sources: the Parquet format, github.com/apache/parquet-format (parquet.thrift, Encodings.md, LogicalTypes.md, PageIndex.md).
package parquet
