package access

import (
	"maps"
	"slices"

	"assent/job/internal/pages"
	"assent/job/internal/receipt"
)

// page makes the page of a receipt, of which digest is the SHA-256.
func (r *Receipt) page(digest string) ([]byte, error) {
	given := "records that the account authored"
	if r.IncludeReceived {
		given = "all used records that name the account"
	}
	p := &receipt.Page{
		Title: "Receipt of a copy of data", Done: r.MadeAt, SHA256: digest,
		Lead: "An account asked what is held about it for AI training. The copy that answers this was made.",
		Facts: []receipt.Fact{
			{Name: "Programme", Value: r.Program},
			{Name: "Account, by reference", Value: r.Subject, ID: true},
			{Name: "Made (UTC)", Value: pages.Time(r.MadeAt)},
			{Name: "From the run", Value: r.RunID, ID: true},
			{Name: "Its manifest's SHA-256", Value: r.ManifestSHA256, ID: true},
			{Name: "Consent as of (UTC)", Value: pages.Time(r.AsOf)},
			{Name: "Content given", Value: given},
			{Name: "Tables", Value: string(r.Format)},
			{Name: "By", Value: r.Tool},
		},
	}
	if r.Request != "" || r.RequestedAt != nil {
		p.Requests = []receipt.Request{{ID: r.Request, At: r.RequestedAt}}
	}
	sets := receipt.Table{Heading: "Records that name the account", Header: []string{"data set", "used", "with content", "not used"}, Numbers: 1}
	for _, name := range slices.Sorted(maps.Keys(r.Datasets)) {
		d := r.Datasets[name]
		sets.Rows = append(sets.Rows, []string{name, pages.Count(d.Used), pages.Count(d.Content), pages.Count(d.NotUsed)})
	}
	files := receipt.Table{Heading: "Files", Header: []string{"file", "SHA-256", "bytes"}, Numbers: 2}
	for _, f := range r.Files {
		files.Rows = append(files.Rows, []string{f.Path, f.SHA256, pages.Count(f.Bytes)})
	}
	p.Tables = append(p.Tables, sets, files)
	if a := r.Archive; a != nil {
		p.Tables = append(p.Tables, receipt.Table{Heading: "Archive of these files", Header: files.Header, Rows: [][]string{{a.Path, a.SHA256, pages.Count(a.Bytes)}}, Numbers: 2})
	}
	return p.HTML()
}
