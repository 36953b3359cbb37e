// Package manifests writes, reads and checks the documents that a run leaves beside
// its data, so that every record's fate can be shown years later without the record:
//
//   - run manifest (run.json): what went in, what came out, by which rules, with
//     digests. One a run.
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
//   - account (here): a number that stands for a reference while one input file is
//     worked on, see Accounts.
//   - pair: an account and a record that names it.
//   - segment: the pairs that a subject index sorts and writes together, one row
//     group.
//
// Nothing here opens files, reads a clock or starts a goroutine. The same calls give
// the same bytes.
package manifests
