// Package job holds what every verb of the program has: its environment, errors with exit
// codes and hints, tables and progress. The verbs are the packages below it, one each:
//
//	run       decides every record and publishes what may be used: plan, shard, commit
//	verify    audits a published run
//	explain   says why one record is or is not used
//	access    writes the copy of what a run holds about one account
//	erase     removes runs that hold accounts which asked for deletion
//	diff      says which records changed sides between two runs
//	report    writes a run's page again
//	runs      lists published runs
//	sample    writes a small marketplace to try the program on
//
// Words: a verb is a command of the program, a package with Options, a function Run (of
// runs: List and Current) and a Result. No verb imports another. What two of them need
// stands in job/internal: config (job.yaml), source (inputs), publish (an output and its
// runs), holdings (which rows of a run name whom), objstore (directories and gs://).
package job
