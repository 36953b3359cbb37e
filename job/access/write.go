package access

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"golang.org/x/sync/errgroup"

	"assent/job"
	"assent/job/internal/attest"
	"assent/job/internal/pages"
	"assent/job/internal/receipt"
	"assent/job/plain"
	"assent/manifests"
	"assent/schema"
)

// Names of files of a copy.
const (
	receiptsFile = "receipts.json"
	archiveFile  = "copy.zip"
)

// copiesAtATime is how many copies are written side by side: most of that is waiting
// until the files are durable.
const copiesAtATime = 8

// groups divides the askers, in their order. All of a group are served by one pass over
// the data, and their records are in memory until they are written. One that has more than
// may be there is a group by itself, and its content is not gathered at all.
func (a *copier) groups() (all [][]*asker) {
	size := map[*asker]int64{}
	for _, d := range a.datasets {
		for _, f := range d.files {
			const expansion, listed = 8, 200 // bytes in memory for one in the file; for a line of a list
			record := expansion * f.Bytes / max(1, f.RowsKept)
			for _, row := range f.rows {
				size[row.who] += listed
				if a.givesContent(d, row) {
					size[row.who] += record
				}
			}
		}
	}
	sum := int64(0)
	for _, who := range a.askers {
		if sum += size[who]; len(all) == 0 || sum > a.o.Memory {
			all, sum = append(all, nil), size[who]
		}
		last := len(all) - 1
		who.group, all[last] = last, append(all[last], who)
	}
	return all
}

// write writes all copies.
func (a *copier) write(ctx context.Context, dir *Dir) (*Result, error) {
	made := a.Now().UTC().Truncate(time.Second)
	receipts := &Receipts{Program: a.run.Program.Name, RunID: a.run.RunID, ManifestSHA256: a.run.Digest, MadeAt: made, Tool: "assent " + a.Version}
	digests := map[*asker]string{}
	for _, group := range a.groups() {
		copies := make([]*copyWriter, len(group))
		for i, who := range group {
			copies[i] = &copyWriter{copier: a, who: who, made: made}
		}
		var err error
		if len(copies) == 1 {
			err = copies[0].stream(ctx, dir)
		} else {
			err = a.writeGroup(ctx, copies, dir)
		}
		if err != nil {
			return nil, err
		}
		for _, w := range copies {
			digests[w.who] = w.receipt
		}
	}
	result := &Result{Dir: a.o.Dir, RunID: a.run.RunID, Datasets: map[string]DatasetCounts{}}
	for _, who := range a.askers {
		found := false
		for name, c := range who.counts {
			sum := result.Datasets[name]
			result.Datasets[name] = DatasetCounts{sum.Used + c.Used, sum.Content + c.Content, sum.NotUsed + c.NotUsed}
			found = found || c.Used+c.NotUsed > 0
		}
		result.Files += who.files
		result.Found = result.Found || found
		if !found {
			result.NotFound = append(result.NotFound, who.line)
		}
		ref := who.ref.String()
		receipts.Copies = append(receipts.Copies, ReceiptRef{who.line, who.request, ref, ref, found, digests[who]})
	}
	if a.o.Subjects == "" {
		result.NotFound, result.open = nil, "index.html"
		if a.o.Zip {
			result.open = archiveFile
		}
		return result, nil
	}
	result.Copies = len(a.askers)
	result.Files++
	return result, putJSON(dir, receiptsFile, receipts)
}

// writeGroup gathers what there is of many askers, in one pass over the data, and then
// writes one copy after the other.
func (a *copier) writeGroup(ctx context.Context, copies []*copyWriter, dir *Dir) error {
	for n := range a.datasets {
		for _, w := range copies {
			w.who.found = append(w.who.found, new(found))
		}
		all, err := a.find(ctx, n, copies[0].who.group)
		if err != nil {
			return err
		}
		err = a.published(ctx, n, all, func(who *asker, p piece) error {
			p.record.Retain()
			who.found[n].content = append(who.found[n].content, p)
			return nil
		})
		if err != nil {
			return err
		}
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(copiesAtATime)
	for _, w := range copies {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return w.write(dir)
		})
	}
	return g.Wait()
}

// copyWriter writes the copy of one asker.
type copyWriter struct {
	*copier
	who     *asker
	made    time.Time
	out     *Dir
	lists   *Lists
	page    *Page
	set     *PageSet // the current one
	tables  []*contentTable
	receipt string // SHA-256
}

// contentTable is a table of content: one for each schema that the files have.
type contentTable struct {
	*Table
	schema *arrow.Schema
	info   PageTable
}

// stream finds the records of its asker and writes them as they are read.
func (w *copyWriter) stream(ctx context.Context, dir *Dir) error {
	return w.within(dir, func() error {
		for n, d := range w.datasets {
			w.who.found = append(w.who.found, new(found))
			w.set = NewPageSet(d.Name, d.Category)
			all, err := w.find(ctx, n, w.who.group)
			if err == nil {
				err = w.published(ctx, n, all, func(_ *asker, p piece) error { return w.content(p) })
			}
			if err == nil {
				err = w.endSet(w.who.found[n])
			}
			if err != nil {
				return err
			}
			w.who.found[n] = nil
		}
		return nil
	})
}

// write writes what was gathered.
func (w *copyWriter) write(dir *Dir) error {
	return w.within(dir, func() error {
		for n, d := range w.datasets {
			w.set = NewPageSet(d.Name, d.Category)
			found := w.who.found[n]
			w.who.found[n] = nil
			for _, p := range found.content {
				if err := w.content(p); err != nil {
					return err
				}
				p.record.Release()
			}
			if err := w.endSet(found); err != nil {
				return err
			}
		}
		return nil
	})
}

// within begins the copy, has its records written, and ends it.
func (w *copyWriter) within(dir *Dir, records func() error) (err error) {
	if w.out = dir; w.o.Subjects != "" {
		if w.out, err = dir.Sub(w.who.ref.String()); err != nil {
			return err
		}
		defer func() {
			if err != nil {
				w.out.Abort()
			}
		}()
	}
	w.who.counts = map[string]DatasetCounts{}
	w.page = &Page{
		Program: w.run.Program.Name, Starts: w.run.Program.StartsAt, AsOf: w.run.ConsentAsOf,
		OptedInAtFirst: w.run.Program.Default == schema.OptedIn.String(),
		Format:         w.format, RawCSV: w.o.RawCSV, IncludeReceived: w.o.IncludeReceived,
		Choices: w.who.choices, NotUsedBy: map[Reason]int64{},
	}
	if w.lists, err = w.out.NewLists(w.format); err != nil {
		return err
	}
	if err := records(); err != nil {
		return err
	}
	if err := w.lists.Close(); err != nil {
		return err
	}
	return w.end()
}

// list writes the lists of the current data set.
func (w *copyWriter) list(records *found) error {
	for _, r := range records.used {
		w.set.AddUsed(r)
		if err := w.lists.Used(r); err != nil {
			return err
		}
	}
	for _, r := range records.notUsed {
		w.set.AddNotUsed(r)
		w.page.NotUsedBy[r.Reason]++
		if err := w.lists.NotUsed(r); err != nil {
			return err
		}
	}
	return nil
}

// content writes rows of the current data set.
func (w *copyWriter) content(p piece) error {
	t, err := w.table(p.record.Schema())
	if err != nil {
		return err
	}
	rows := p.record.NewSlice(p.from, p.until)
	defer rows.Release()
	t.info.Rows += rows.NumRows()
	return t.Write(rows)
}

// table returns the table of content for a schema.
func (w *copyWriter) table(s *arrow.Schema) (*contentTable, error) {
	for _, t := range w.tables {
		if t.schema.Equal(s) {
			return t, nil
		}
	}
	name := "content/" + w.set.Name
	if n := len(w.tables); n > 0 {
		name = fmt.Sprintf("%s-%d", name, n+1)
	}
	table, err := w.out.NewTable(name, w.format, s)
	if err != nil {
		return nil, err
	}
	t := &contentTable{Table: table, schema: s, info: PageTable{Path: name + "." + string(w.format)}}
	for _, field := range s.Fields() {
		t.info.Columns = append(t.info.Columns, field.Name)
	}
	w.tables = append(w.tables, t)
	return t, nil
}

// endSet ends the current data set, of which these records were found.
func (w *copyWriter) endSet(records *found) error {
	if err := w.list(records); err != nil {
		return err
	}
	for _, t := range w.tables {
		if err := t.Close(); err != nil {
			return err
		}
		w.set.Tables = append(w.set.Tables, t.info)
	}
	w.tables = nil
	w.page.Sets = append(w.page.Sets, w.set)
	w.who.counts[w.set.Name] = w.set.DatasetCounts
	return nil
}

// end writes what speaks of the copy as a whole.
func (w *copyWriter) end() error {
	if err := putJSON(w.out, "consent.json", &w.who.choices); err != nil {
		return err
	}
	html, err := w.page.HTML()
	if err != nil {
		return err
	}
	if err := w.out.Put("index.html", html); err != nil {
		return err
	}
	r := &Receipt{
		Program: w.run.Program.Name, RunID: w.run.RunID, ManifestSHA256: w.run.Digest, AsOf: w.run.ConsentAsOf,
		Subject: w.who.ref.String(), Request: w.who.request, MadeAt: w.made, Tool: "assent " + w.Version,
		Format: w.format, RawCSV: w.o.RawCSV, IncludeReceived: w.o.IncludeReceived, Datasets: w.who.counts, Files: slices.Clone(w.out.Files()),
	}
	if !w.who.requestedAt.IsZero() {
		r.RequestedAt = &w.who.requestedAt
	}
	if err = w.putReceipt(r); err == nil && w.o.Zip {
		var archive FileInfo
		if archive, err = w.out.Zip(archiveFile, w.made); err == nil {
			r.Archive = &archive
			err = w.putReceipt(r)
		}
	}
	w.who.files = len(w.out.Files())
	return err
}

// putReceipt writes the receipt, the page that says the same, and the signature of both and
// of the files so far.
func (w *copyWriter) putReceipt(r *Receipt) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	data = append(data, '\n')
	w.receipt = manifests.SHA256(data)
	page, err := r.page(w.receipt)
	if err != nil {
		return err
	}
	files := slices.Clone(w.out.Files())
	err = errors.Join(w.out.Put(receipt.JSON, data), w.out.Put(receipt.HTML, page))
	if err != nil || w.signer == nil {
		return err
	}
	subjects := []attest.Subject{attest.File(receipt.JSON, w.receipt), attest.File(receipt.HTML, manifests.SHA256(page))}
	for _, f := range files {
		subjects = append(subjects, attest.File(f.Path, f.SHA256))
	}
	line, err := w.signer.Envelope(context.Background(), attest.ReceiptPredicate, map[string]string{"kind": "access", "subject_ref": r.Subject, "run_id": r.RunID}, subjects)
	if err != nil {
		return err
	}
	return w.out.Put(attest.ReceiptObject, line)
}

func putJSON(dir *Dir, name string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return dir.Put(name, append(data, '\n'))
}

// Result is the answer.
type Result struct {
	Dir      string                   `json:"dir"`
	RunID    string                   `json:"run_id"`
	Found    bool                     `json:"found"` // a record names the account, or one of them
	Datasets map[string]DatasetCounts `json:"datasets"`
	Files    int                      `json:"files"`
	Copies   int                      `json:"copies,omitempty"`          // of a list
	NotFound []int                    `json:"not_found_lines,omitempty"` // of the list: accounts that no record names
	open     string                   // of one copy: the file to begin with
}

// WriteText writes the answer as a table.
func (r *Result) WriteText(w io.Writer) error {
	t := job.NewTable(w)
	t.Row("data set", "used", "content", "not used")
	for _, name := range slices.Sorted(maps.Keys(r.Datasets)) {
		d := r.Datasets[name]
		t.Row(name, pages.Count(d.Used), pages.Count(d.Content), pages.Count(d.NotUsed))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	var lines []string
	for _, line := range r.NotFound {
		lines = append(lines, fmt.Sprint(line))
	}
	const shown = 20
	switch n := len(lines); {
	case n > shown:
		fmt.Fprintf(w, "\nno record names the accounts of %s lines (ids are compared byte for byte): %s and others\n", pages.Count(int64(n)), strings.Join(lines[:shown], ", "))
	case n > 0:
		fmt.Fprintf(w, "\nno record names the accounts of these lines (ids are compared byte for byte): %s\n", strings.Join(lines, ", "))
	case !r.Found:
		fmt.Fprintf(w, "\nno record names the account (ids are compared byte for byte)\n")
	}
	if r.Copies > 0 {
		_, err := fmt.Fprintf(w, "\n%s copies are in %s; %s says which is whose\n", pages.Count(int64(r.Copies)), plain.Line(r.Dir), receiptsFile)
		return err
	}
	_, err := fmt.Fprintf(w, "\nthe copy is in %s: open %s\n", plain.Line(r.Dir), plain.Line(filepath.Join(r.Dir, r.open)))
	return err
}
