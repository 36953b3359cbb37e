// Package source reads the inputs of a job: it finds their files, binds their columns to
// what the configuration says they mean, and loads the control inputs.
//
// Words:
//
//   - A control input says who may be used: consent, deletions, restrictions, accounts,
//     aliases, organisations. The other inputs are data sets.
//   - To bind is to find, in one file, the column that has a role, a moment or another
//     part ([Bind]). A column may stand in the file, in its path (a Hive key) or nowhere.
//   - A canonical id is an id as text, as all inputs are compared by it ([IDForm]).
//   - A [Join] is what the data names of a list of ids; a near miss is an id that it
//     would name after folding ([NearMisses]).
//
// Package listing below it finds the files. This package reads them by job/parquet.
package source
