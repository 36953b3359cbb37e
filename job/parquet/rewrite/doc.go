// Package rewrite writes a Parquet file without some of its rows. It decodes only the columns by which a caller decides ([Keys]).
// All others it moves in encoded form, as far as that can be done ([Writer]). It knows nothing of what the rows mean.
//
// # Words
//
// The words of package parquet, and these:
//
//   - Selection: which rows of a row group are kept ([Selection]).
//   - Copied, filtered, dropped: what becomes of a page of the input. A copied page keeps its body. A filtered one is decoded and
//     encoded again without some of its slots. A dropped one has no kept row.
//   - Splice: to write a column chunk without its dropped rows ([splice]).
//   - Draft: a page of the output before it is encoded ([draft]).
//   - Residue: anything in the output by which a dropped row could still be known.
//
// # What becomes of a row group
//
// A row group of which no row is kept is left out and not read.
//
// A row group of which all rows are kept is copied byte for byte ([copyChunk]): pages, dictionaries, page index, bloom filters and
// statistics. Only offsets change.
//
// Every other row group loses rows in all its chunks, and each chunk is spliced. A page without a kept row is dropped. A page that
// lost no row is copied; its header is made anew. The kept slots of all other pages are gathered in a draft. When the draft is
// about as large as a page of the input, or has some 3 MiB of long texts ([textPage]), it is encoded and compressed as the input was: same
// encoding, codec and page version. Levels, PLAIN values and dictionary indexes are filtered without decoding them further. DELTA_*,
// BYTE_STREAM_SPLIT and booleans are decoded, filtered and encoded again.
//
// # No residue
//
// The dictionary of a spliced chunk has only the entries that kept rows use, in their old order, and the indexes are mapped to them.
// Its statistics, page index and bloom filter are computed from the kept values, or absent. Of the rest of its metadata only type,
// path and codec are kept; unknown fields, size statistics, geospatial statistics and the chunk's own key-value metadata are left
// out, because nobody can say whether they speak of dropped rows. For the same reason a row group or a file that lost rows loses
// its unknown fields.
//
// Of the file's key-value metadata only what is known to describe the schema or the writer is kept, byte for byte ([metadataRule]).
// If rows were lost, the length of the range that pandas uses as its index is corrected, and the bounding boxes of GeoParquet are
// removed.
//
// # Bounds of copied pages
//
// The bounds of a copied page are those that the input's page index or page header states. If neither does, they are computed from
// the values, if these have a fixed width or are dictionary-coded. Byte arrays are not decompressed for this: their chunk then has
// no bounds and no column index. The offset index is always written.
//
// # Trust
//
// Package parquet holds every size and count that the file claims against what can be true. The rows of a repeated column are
// counted from its levels on every page, copied and dropped ones too: a page that states a wrong number would shift all rows after
// it. Values that are moved undecoded are checked for their size alone. Faults of the bytes are *parquet.Error. Errors of reading
// and writing come through as they are.
//
// The output names another writer than the input. So what readers repair when they see the name of an old writer is repaired here
// ([parquet.Application]).
//
// # Work and order
//
// The chunks of a row group are worked on side by side. A [task] holds a unit of Options.CPU while it computes. The task that is
// first in the file's order, the head, writes straight to the output; the others keep their output, as far as the [Budget] allows.
// A [press] encodes pages of one chunk side by side, as far as processors are free. None of this changes the bytes: where pages end
// follows from the input and the selection alone.
//
// # Columns that are dropped or changed
//
// A dropped column (Options.Drop) is not read, and nothing in the output names it: neither schema, column orders, sorting columns nor
// key-value metadata. A group that loses all of its columns goes too. A MAP or a VARIANT stays or goes as a whole.
//
// Between "these rows are kept" and "these bytes are written" values can be changed, by a [Transform] for each column
// (Options.Transforms). A column without one takes the paths described above, and pays nothing. A column with one is decoded:
// copyChunk and splice.whole, which move bytes as they are, are closed to it. A changed column may become text, whatever it was.
//
// What the file's key-value metadata says of the schema is made to fit, or left out ([metadataRule.relaid]): ARROW:schema, the documents
// of pandas and Spark, and Hugging Face's, if it is kept by the user's word, are edited. Avro's and Iceberg's schemas are left out if the
// schema is another. So is what the user keeps, if it has the name of a dropped column as a word.
//
// Sources: the Parquet format, github.com/apache/parquet-format (parquet.thrift, Encodings.md, PageIndex.md, BloomFilter.md).
package rewrite
