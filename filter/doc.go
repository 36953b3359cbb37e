// Package filter decides which records may be used for training. It has no I/O,
// no clock, no goroutines and no logs: what it is told is all it knows, so the
// same inputs give the same decisions.
//
// It holds two formulations of the same rules (the normative text is restated in
// the package comment's terms below):
//
//   - [Index] and [Decider] are the fast one. A [Builder] takes the consent
//     history, the deletion requests, the contract restrictions, the registry of
//     accounts, aliases and memberships, in any order, and freezes them into an index that is read by
//     any number of goroutines without a lock and without an allocation. A
//     Decider goes through a batch of rows column by column. An index can be written
//     in a form without ids, a [Stored], that many processes open and share.
//   - [World] and its Explain are the slow and obvious one: maps, and each rule
//     spelt out for one record. It answers `assent explain`, it is what the audit
//     uses, and tests hold the fast one against it.
//
// The two share the types of package schema and nothing else.
//
// Words: an event sets an account's switch for a category from its instant on. A
// timeline is what the events of one account and category add up to; as a frozen
// timeline starts at the programme's default and only real changes are kept, it
// is a sorted list of instants at which the state flips. The horizon is the
// instant up to which the history is complete. A restriction is a contract's
// no-AI clause over a span. A deletion request covers all records of which its
// account is a subject, of any time. An alias is an id of an account that has another
// one: both are one account. A membership is the span over which an account belongs to
// an organisation, which is an account, too.
package filter
