package verify_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"assent/job"
	"assent/job/internal/objstore"
	"assent/job/jobtest"
	"assent/job/verify"
)

// blurred is a store in which some bytes of one file read as others. So an audit sees a page that its reader cannot read, of an input that the
// run could.
type blurred struct {
	objstore.Store
	uri      string
	from, to int64
}

func (b *blurred) Open(ctx context.Context, o objstore.Object) (objstore.Reader, error) {
	r, err := b.Store.Open(ctx, o)
	if err != nil || b.URI(o.Name) != b.uri {
		return r, err
	}
	return &blurredReader{r, b}, nil
}

type blurredReader struct {
	objstore.Reader
	b *blurred
}

func (r *blurredReader) ReadAt(p []byte, off int64) (int, error) {
	n, err := r.Reader.ReadAt(p, off)
	for i := range p[:n] {
		if at := off + int64(i); r.b.from <= at && at < r.b.to {
			p[i] ^= 0xff
		}
	}
	return n, err
}

// blur wraps a store so that the last page of a column cannot be read.
func blur(t *testing.T, file, column string) func(objstore.Store) objstore.Store {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	f, err := parquet.OpenFile(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range f.Metadata().RowGroups[0].Columns {
		if strings.Join(c.MetaData.PathInSchema, ".") == column {
			start := c.MetaData.DataPageOffset
			if d := c.MetaData.DictionaryPageOffset; d > 0 {
				start = d
			}
			end := start + c.MetaData.TotalCompressedSize
			return func(s objstore.Store) objstore.Store { return &blurred{s, file, end - 3, end} }
		}
	}
	t.Fatalf("no column %s", column)
	return nil
}

// TestVerifyNotChecked audits right runs of which some input page cannot be read: none is
// called unfit, and none verified.
func TestVerifyNotChecked(t *testing.T) {
	config, dir := auditedJob(t)
	for _, c := range []struct {
		name, file, column string
		says               string // of what is not checked
		files              int64  // that are checked all the same
	}{
		{"a data column", "messages/m.parquet", "body", "messages/m.parquet: column body: before row", 3},
		{"a moment", "messages/m.parquet", "sent_at", "messages/m.parquet: before row 0: column sent_at: row group 0", 2},
		{"a party", "messages/m.parquet", "client_id", "messages/m.parquet: before row 0: column client_id", 2},
		{"a list of parties", "events/e.parquet", "actors.list.element", "events/e.parquet: before row", 2},
		{"consent", "consent/a.parquet", "effective_at", "consent/a.parquet: before row", 0},
		{"deletions", "deletions/a.parquet", "account_id", "deletions/a.parquet: before row", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			env := jobtest.NewEnv(t)
			env.Opener.Wrap = blur(t, filepath.Join(filepath.Dir(config), c.file), c.column)
			r, err := verify.Run(t.Context(), env, verify.Options{Config: config, Run: dir})
			if exit, _ := job.Explain(err); exit != job.ExitBadInput || r == nil || r.Status != verify.NotChecked || r.Count != 0 {
				t.Fatalf("exit %d, %v, %+v", exit, err, r)
			}
			if len(r.Unread) != 1 || !strings.HasPrefix(r.Unread[0].String(), c.says) || !strings.Contains(r.Unread[0].Why, "row group 0: page 0") {
				t.Errorf("%v", r.Unread)
			}
			if r.Checked.Files != c.files || !strings.Contains(err.Error(), "no difference") {
				t.Errorf("%d files, %v", r.Checked.Files, err)
			}
			var page strings.Builder
			if err := r.WriteText(&page); err != nil || !strings.Contains(page.String(), "not everything could be checked") || strings.Contains(page.String(), "DO NOT USE") {
				t.Errorf("%v\n%s", err, page.String())
			}
		})
	}
}
