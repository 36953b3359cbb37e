// Package rewrite writes a Parquet file without some of its rows, in encoded space: it decodes the few columns by which a
// caller decides ([Keys]) and moves all others as the bytes that they are, as far as that can be done ([Writer]).
// It knows nothing of what the rows mean.
//
// # Words
//
// A file has row groups; a row group has one column chunk for each leaf column; a chunk has pages. A slot is an entry of a
// column: a value, a null or an empty list, with a repetition and a definition level; a row of a column that is not repeated
// has one slot, of one that is any number. A [Selection] says which rows of a row group are kept. A chunk is dictionary-coded
// where its pages hold indices into its dictionary page. A page is copied, filtered or dropped. Bounds are a minimum and a
// maximum. Residue is anything by which a dropped row could still be known.
//
// # What becomes of a row group
//
// One of which no row is kept is left out and not read. One of which all are kept is copied byte for byte, with its dictionaries,
// page index, bloom filters and statistics, offsets moved ([copyChunk]). The others lose rows in every chunk, and each
// chunk is spliced ([splice]): a page without a kept row is dropped; one that lost none is copied, under a header made anew;
// the kept slots of the rest are gathered in a [draft], which is encoded and compressed as the input was (encoding, codec, page
// version) once it is about as large as the input's pages are. What can be cut is cut as it stands: levels, PLAIN values,
// dictionary indices. DELTA_*, BYTE_STREAM_SPLIT and booleans are decoded, filtered and encoded again.
//
// No residue: a spliced chunk's dictionary holds only entries that kept rows use, in their old order, and the indices are
// mapped. Statistics, page index and bloom filter are those of the kept values or absent. Everything else in the metadata of a
// spliced chunk that is not its type, path and codec is left out, what is unknown included: geospatial and size statistics,
// and the chunk's own key-value metadata, of which nobody can say whether it speaks of rows. So are unknown fields of a row
// group or file that lost rows. Of the file's key-value metadata stays what is known to describe the schema or the writer, byte
// for byte ([metadataRule]); the length of the range that pandas takes for its index is set right, and GeoParquet's bounding
// boxes are removed where rows were lost.
//
// Bounds of a copied page are taken from the input's page index or page header. Where it has none they are computed from the values
// if these have a fixed width or are dictionary-coded; byte arrays are not decompressed for it, their chunk then has no bounds
// and no column index. The offset index is always written.
//
// # Trust
//
// Every size and count in the input is a claim, held against what the file, the codec or the page can hold before memory is
// taken for it. Checksums are verified where they are given, on all pages that are read. The rows of a repeated column are
// counted from its levels on every page, copied and dropped ones too, since a page that states another number would shift the
// rows after it. Values that are moved undecoded are checked for size alone. Faults are *[Error]; reading and writing errors
// come through as they are.
//
// Repairs that readers make when they see the name of an old writer are made here, since the output bears another name
// ([application]).
//
// # Work and order
//
// The chunks of a row group are tasks side by side. A [task] holds a unit of Options.CPU while it computes, writes straight to
// the output when it is the head, and keeps its output as far as the [Budget] allows when it is not. A [press] encodes a
// chunk's pages aside where a processor is idle. Bytes depend on none of this: page boundaries follow from the input and the
// selection alone.
//
// A transformation of values (another text, a replaced dictionary) would stand where a page is handed to filter.append, one
// that drops columns in Writer.rowGroup and in the footer's schema; both would have to turn off copyChunk for what they touch.
//
// # Limits
//
// Refused as unsupported: encrypted files, LZO, data in other files, a footer above 256 MiB, row groups of 2^31 rows or
// more, pages of more than 2^26 slots, levels above 255.
//
// Sources: the Parquet format, github.com/apache/parquet-format (parquet.thrift, Encodings.md, PageIndex.md, BloomFilter.md).
package rewrite
