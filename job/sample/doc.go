// Package sample writes a small, realistic freelance marketplace: every input of a
// run and the job.yaml that names them. It is what a newcomer tries the program on
// and, at any size, what tests and benchmarks run on.
//
//   - market: the marketplace as a function of a seed. Accounts, contracts, consent
//     histories and restrictions are derived from their index by hashing, never
//     held: a market of any size takes the same memory.
//   - account, contract: numbers in the market, small ones the most active; their
//     ids in files are scrambled.
//   - golden row: a planted record, one for each edge of the rules, with the outcome
//     that they prescribe: a line of golden.csv. Golden accounts and contracts have
//     speaking ids.
//   - load: the instant at which a row reached the export. Files are cut by month of
//     load; what a row says about itself may be late, or missing.
//
// The rows' structs (messageRow and so on) are the canonical snapshots: the columns
// that the configuration's defaults expect. An input may have more columns, other names
// and other types that serve.
//
// The same seed and size give the same bytes on every machine: no clock, no order of a
// map, no floating point, and no codec whose output depends on the processor.
package sample
