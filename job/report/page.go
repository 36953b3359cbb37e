// Package report makes the page that tells people what a run did.
package report

import (
	"bytes"
	_ "embed"
	"html/template"

	"assent/manifests"
)

//go:embed page.html
var pageHTML string

var page = template.Must(template.New("page").Parse(pageHTML))

// Page returns the page.
func Page(run *manifests.Run, digest string, daily []manifests.DayCounts) ([]byte, error) {
	if err := manifests.CheckDaily(run, daily); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err := page.Execute(&b, map[string]any{"Run": run, "Digest": digest})
	return b.Bytes(), err
}
