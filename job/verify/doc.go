// Package verify audits a published run: it says whether the run is what the inputs and
// the rules ask for, or in what it differs.
//
// It tells everything that the run did a second time, in the plainest way, so that a
// fault of the fast path does not excuse itself. Footers and values are decoded by
// parquet-go, pages are walked and columns found by code of this package, decisions are
// those of filter.World, and counts, references, exclusions and subjects are worked out
// anew. With the run it shares
// what the words mean (package schema), how a configuration and the documents are read
// (config, manifests), and where objects lie (objstore, publish).
//
// Words:
//
//   - audit: one call of Run. A full audit needs the inputs as they were. A quick one
//     looks at the published run alone.
//   - difference: something that is not as it must be. One is enough to refuse the run.
//   - artefact: an object that the run manifest or the marker _SUCCESS names. It is intact
//     if its bytes have the digest that they name.
//   - input: a file that the run read. Its name here is the one in run.json.
//   - binder: finds the columns that the configuration names in one file.
//   - facts: what the inputs say of accounts and contracts, as filter.World takes it.
//   - batch: as many data files as name so many accounts that the facts about these may
//     be in memory together. The history is read once for each batch.
//   - not checked: what this package's reader cannot read. It is told apart from
//     differences, because the run may well have read it.
//   - residue: a value of a dropped row that no kept row has, and that is still in the
//     published file. A suspect is a value of which that has to be found out.
//   - probe: a piece of a dropped value that is looked for in every byte of the file.
//
// Memory: the facts about at most Options.Accounts accounts, or about those of one input
// file where it alone names more (some 300 bytes an account and 40 an event of it), and
// hashes of up to as many other ids of each control input; for
// each file being worked on, a bit a row, a page of each key column, and a page of one
// column of the input and of the output.
package verify
