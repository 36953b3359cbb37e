// Package arrowparquet writes Arrow record batches as Parquet files.
//
// It exists because the two libraries at hand each have one half: arrow has the
// schemas and the columns in memory, parquet-go the better writer of files. (Arrow's
// own writer has no page index, and would make the program 20 MB larger.) A record
// batch is shredded column by column, straight from Arrow's buffers into the pages of
// a column chunk; no row is ever put together. Of Arrow's types it takes those that
// package pick makes, and maps.
//
//   - leaf: a primitive column of the Parquet schema, named by its dotted path
//     (`metadata.tags.list.element`); a nested Arrow column has several.
//   - shredding: turning nested values into a leaf's values with repetition and
//     definition levels, as in the Dremel paper.
//   - page: the unit of encoding and compression; ends at a row.
//
// The mapping follows the Parquet format's LogicalTypes.md: strings are STRING,
// timestamps keep their unit and are adjusted to UTC where Arrow has a time zone,
// lists and maps take the standard three-level form.
package arrowparquet
