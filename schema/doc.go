// Package schema says what the data means: the nouns of the programme as small
// named types, shared by the package that decides (filter), the package that
// writes down what was decided (manifests) and the one that runs it all (job).
// It imports none of them.
//
//   - record: one row of a data set.
//   - category: what kind of data a data set holds; each account has one consent
//     switch for each.
//   - party: an account whose consent a record needs, under a role.
//   - subject: a party, or another account that the record names.
//   - moment: an instant at which a record's content was created, edited or shared.
//   - timeline: an account's consent for one category, as half-open spans.
//   - horizon: up to when the consent snapshot is complete.
//   - reason: why a record is excluded; stable, append-only codes.
//
// Reasons and categories are tables, a row each (reason.go, category.go): all that the
// program says of one, to whomever, stands in its row.
package schema
