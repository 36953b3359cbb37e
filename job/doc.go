// Package job holds the program's verbs and the only orchestration there is:
//
//	config → plan (inputs, identities, run id) → history (consent index)
//	       → for each input file: keys → decide → rewrite → stage
//	       → commit (check counts and gates, write the run manifest, _SUCCESS, current.json)
//
// A dry run is all of it without the writing. The packages below do not know each
// other: filter decides, rewrite filters Parquet, manifests writes documents,
// objstore reads and writes objects; the files here join them.
//
// Words: a verb is a command of the program, a struct with Validate and a method
// that does it. A plan is what a run is about to do, found out without doing
// anything. A shard is a set of input files that one machine works on; run has
// one. Staging is a hidden place below the output where everything is written
// before commit publishes it.
package job
