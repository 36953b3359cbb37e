// Package manifests writes, reads and checks the documents that a run leaves beside
// its data, so that every record's fate can be shown years later without the record:
//
//   - run manifest (run.json): what went in, what came out, by which rules, with
//     digests. One a run.
//   - counts by day (daily.csv): records of each data set by the day of their required
//     moment, kept and by primary reason. One a run.
//   - success marker (_SUCCESS) and pointer (current.json): small documents that seal
//     a run and name the newest one.
//   - exclusion manifest: why each excluded record is excluded. One Parquet file an
//     input file.
//   - subject index: in which rows an account appears, kept or excluded, and under
//     which roles. One Parquet file an input file.
//
// Words:
//
//   - reference: the keyed hash that stands for an account in manifests. They hold
//     no raw account id and no content, so they can outlive a deletion.
//   - cause: a primary reason, and the roles of the accounts that are why it holds.
//   - account (here): a number that stands for a reference while one input file is
//     worked on, see Accounts.
//   - pair: an account and a record that names it.
//   - entry: a row of a subject index: rows of the input file that name one account
//     under the same roles with the same outcome.
//   - run: neighbouring rows of which the same is to be said, but for record ids and
//     moments. Writers take a run at a time, and what they write does not depend on how
//     rows are cut into runs.
//   - segment: the pairs that a subject index sorts and writes together, one row
//     group; nearly always the whole file.
//
// Nothing here opens files, reads a clock or starts a goroutine. The same calls give
// the same bytes. This package describes the columns of its two Parquet documents and
// fills their pages; package table makes Parquet of them, and reads it.
//
// # Subject index
//
// Its columns are
//
//	ref    string          the account's reference
//	roles  list of string  the roles under which the rows name it, in the data set's order
//	kept   boolean         whether the rows are kept
//	rows   list of int64   0-based rows of the input file, in ascending or descending order
//
// Any reader of Parquet will do. By DuckDB, in a run's directory, everything about one
// account, $REF being the reference that assent explain shows:
//
//	SELECT filename, unnest(rows) AS source_row, kept, roles
//	FROM read_parquet('_manifest/subjects/*/**', filename = true)
//	WHERE ref = '$REF'
//	ORDER BY ALL;
//
// An account's entries are side by side within a row group, and pages of all columns
// begin at the same entries, so that Lookup reads the footer, the page index and as a
// rule one page of each column. Each row group has a bloom filter of its references, behind
// all row groups: an account that a file does not name costs no page. The chunk's key-value
// metadata has the filter's CRC-32 (assent.filter.crc32). Row groups name an account again where
// a block of the input ends, or where a block has tens of millions of pairs, or millions of accounts.
package manifests
