package diff

import (
	"bufio"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/parquet-go/parquet-go"

	"assent/job"
	"assent/job/internal/objstore"
	"assent/job/internal/pages"
	"assent/job/internal/publish"
	"assent/job/plain"
	"assent/manifests"
	"assent/schema"
)

// changeList takes all changes: the first of each kind are shown, and all are written
// to a file where one is wanted.
type changeList struct {
	n     int64
	show  int
	first map[ChangeKind][]Change
	uri   string // empty: no file
	file  objstore.Writer
	rows  rowWriter
}

// rowWriter writes changes in one format. What it writes is complete after close.
type rowWriter interface {
	write(Change) error
	close() error
}

// newChangeList creates the file that the options name. It is there after finish.
func newChangeList(ctx context.Context, e *job.Env, o Options) (*changeList, error) {
	l := &changeList{show: o.Show, first: map[ChangeKind][]Change{}}
	if o.To == "" {
		return l, nil
	}
	store, name, err := publish.OpenTarget(ctx, e, o.To)
	if err != nil {
		return nil, err
	}
	if l.file, err = store.Create(ctx, name); err != nil {
		return nil, err
	}
	l.uri = store.URI(name)
	if path.Ext(name) == ".csv" {
		l.rows, err = newCSVRows(l.file, o.RawCSV)
	} else {
		l.rows = newParquetRows(l.file, e.Version)
	}
	return l, err
}

func (l *changeList) add(c Change) error {
	l.n++
	if len(l.first[c.Kind]) < l.show {
		l.first[c.Kind] = append(l.first[c.Kind], c)
	}
	if l.rows == nil {
		return nil
	}
	return l.rows.write(c)
}

func (l *changeList) finish(ctx context.Context) error {
	if l.rows == nil {
		return nil
	}
	if err := l.rows.close(); err != nil {
		return err
	}
	return l.file.Finish(ctx)
}

func (l *changeList) abort() {
	if l.file != nil {
		l.file.Abort()
	}
}

var changeKinds = []ChangeKind{NowKept, NowExcluded, OnlyBefore, OnlyAfter}

func (l *changeList) shown() (all []Change) {
	for _, kind := range changeKinds {
		all = append(all, l.first[kind]...)
	}
	return all
}

var changeColumns = []string{"dataset", "record_id", "change", "before", "after", "before_file", "after_file"}

type csvRows struct {
	*csv.Writer
	buf *bufio.Writer
	raw bool
}

func newCSVRows(w io.Writer, raw bool) (*csvRows, error) {
	buf := bufio.NewWriterSize(w, 1<<16)
	r := &csvRows{csv.NewWriter(buf), buf, raw}
	return r, r.Write(changeColumns)
}

func (r *csvRows) write(c Change) error {
	row := []string{c.Dataset, c.Record, string(c.Kind), c.Before, c.After, c.BeforeFile, c.AfterFile}
	for i, cell := range row {
		if !r.raw {
			row[i] = plain.Cell(cell)
		}
	}
	return r.Write(row)
}

func (r *csvRows) close() error {
	r.Flush()
	if err := r.Error(); err != nil {
		return err
	}
	return r.buf.Flush()
}

// changeRow is a Change in Parquet: what is not in a run is null.
type changeRow struct {
	Dataset    string  `parquet:"dataset,dict,zstd"`
	Record     string  `parquet:"record_id,zstd"`
	Kind       string  `parquet:"change,dict,zstd"`
	Before     *string `parquet:"before,dict,zstd,optional"`
	After      *string `parquet:"after,dict,zstd,optional"`
	BeforeFile *string `parquet:"before_file,dict,zstd,optional"`
	AfterFile  *string `parquet:"after_file,dict,zstd,optional"`
}

type parquetRows struct {
	w     *parquet.GenericWriter[changeRow]
	batch []changeRow
}

func newParquetRows(w io.Writer, version string) *parquetRows {
	noBounds := parquet.SkipPageBounds("record_id") // the footer would have whole ids, however long
	return &parquetRows{w: parquet.NewGenericWriter[changeRow](w, parquet.MaxRowsPerRowGroup(1<<17), noBounds, parquet.CreatedBy("assent", version, ""))}
}

func (r *parquetRows) write(c Change) error {
	text := func(s string) *string {
		if s == "" {
			return nil
		}
		return &s
	}
	r.batch = append(r.batch, changeRow{c.Dataset, c.Record, string(c.Kind), text(c.Before), text(c.After), text(c.BeforeFile), text(c.AfterFile)})
	if len(r.batch) < diffBatch {
		return nil
	}
	return r.flush()
}

func (r *parquetRows) flush() error {
	_, err := r.w.Write(r.batch)
	r.batch = r.batch[:0]
	return err
}

func (r *parquetRows) close() error {
	if err := r.flush(); err != nil {
		return err
	}
	return r.w.Close()
}

// WriteText writes the comparison as a page.
func (r *Result) WriteText(w io.Writer) error {
	b := new(strings.Builder)
	fmt.Fprintf(b, "before %s\nafter  %s\n", plain.Line(r.Before.URI), plain.Line(r.After.URI))
	if len(r.Differs) > 0 {
		fmt.Fprintf(b, "they differ in %s", strings.Join(r.Differs, ", "))
	} else {
		b.WriteString("they were made from the same inputs by the same rules")
	}
	if len(r.NotKnown) > 0 {
		fmt.Fprintf(b, "; not known: %s", strings.Join(r.NotKnown, ", "))
	}
	b.WriteString("\n\n")
	t := job.NewTable(b)
	t.Row("data set", "in both", "now kept", "now excluded", "other reason", "only before", "only after")
	names := slices.Sorted(maps.Keys(r.Datasets))
	for _, name := range names {
		d := r.Datasets[name]
		t.Row(name, pages.Count(d.InBoth), pages.Count(d.NowKept.Total()), pages.Count(d.NowExcluded.Total()), pages.Count(d.OtherReason),
			pages.Count(d.OnlyBefore.Kept+d.OnlyBefore.Excluded), pages.Count(d.OnlyAfter.Kept+d.OnlyAfter.Excluded))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if err := r.writeReasons(b, names); err != nil {
		return err
	}
	if err := r.writeShown(b); err != nil {
		return err
	}
	if r.List != "" {
		fmt.Fprintf(b, "\nall %s: %s\n", pages.Count(r.Listed), plain.Line(r.List))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *Result) writeReasons(b *strings.Builder, names []string) error {
	t := job.NewTable(b)
	t.Row("data set", "change", "reason", "records")
	for _, name := range names {
		d := r.Datasets[name]
		add := func(change string, counts *manifests.ReasonCounts) {
			for reason, n := range counts {
				if n > 0 {
					t.Row(name, change, schema.Reason(reason).String(), pages.Count(n))
				}
			}
		}
		add("kept, was excluded for", &d.NowKept)
		add("excluded, was kept, for", &d.NowExcluded)
	}
	if len(t.Rows) == 1 {
		return nil
	}
	b.WriteString("\n")
	return t.Flush()
}

func (r *Result) writeShown(b *strings.Builder) error {
	if len(r.Shown) == 0 {
		return nil
	}
	b.WriteString("\n")
	t := job.NewTable(b)
	t.Row("record", "data set", "before", "after", "file")
	for _, c := range r.Shown {
		file := c.AfterFile
		switch {
		case file == "":
			file = c.BeforeFile
		case c.BeforeFile != "" && c.BeforeFile != file:
			file = c.BeforeFile + " → " + file
		}
		either := func(s string) string {
			if s == "" {
				return "not there"
			}
			return s
		}
		t.Row(c.Record, c.Dataset, either(c.Before), either(c.After), file)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if more := r.Listed - int64(len(r.Shown)); more > 0 {
		fmt.Fprintf(b, "and %s more (--to FILE lists all)\n", pages.Count(more))
	}
	return nil
}
