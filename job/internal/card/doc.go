// Package card makes the two documents by which programs of others find their way in a run: croissant.json, and the dataset
// card of Hugging Face (README.md). Both are told by the run manifest and the columns of the published files, so that a repeat
// of a run makes the same bytes. It opens nothing.
//
// Words:
//
//   - record set: what Croissant calls the rows of one data set.
//   - field: a column in Croissant. A field has parts where its column is nested.
//   - config: what Hugging Face calls a part of a dataset that is loaded by its own name: here a data set of the run.
//   - terms: what a data set may train, in words that a program can compare (see Terms).
package card

import "assent/manifests"

// Where a run has its documents.
const (
	CroissantPath = "_manifest/croissant.json"
	ReadmePath    = "README.md" // at the run's root, where Hugging Face looks for it
)

// Terms is the namespace of the terms of use in croissant.json. It has
//
//	train            the action of training a model
//	trainThirdParty  the action of training a model of others; prohibited
//	audience         for whom a model may be: exclusive to the accounts concerned, or the whole marketplace
//	consentAsOf      the horizon: at and after this instant nothing is known of anyone's consent
//	requestsAsOf     the newest deletion request that the run applied
//	run              the run's id
const Terms = "urn:assent:use:"

// A Document is an object of the run that this package makes.
type Document struct {
	Path string
	Data []byte
}

// Documents returns the documents of a run. columns are those of the published files, by data set.
func Documents(run *manifests.Run, columns map[string][]Column) ([]Document, error) {
	croissant, err := croissant(run, columns)
	if err != nil {
		return nil, err
	}
	return []Document{{CroissantPath, croissant}, {ReadmePath, readme(run, columns)}}, nil
}
