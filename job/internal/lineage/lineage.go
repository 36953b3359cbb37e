// Package lineage tells a lineage service by OpenLineage events that a run starts, and how it ends: its inputs, its outputs
// with figures, and which column comes from which. That a service cannot be reached is for the caller to log: it is never a
// reason for a run to fail.
//
// Words:
//
//   - event: one JSON document, START at the beginning, COMPLETE or FAIL at the end, both with one run id.
//   - dataset (here): an input or output by namespace and name: file and an absolute path, or gs://bucket and a path.
//   - facet: a part of an event that has a schema of its own.
//   - parent: the task of a scheduler that the run is a part of.
//
// Source: https://openlineage.io/spec/2-0-2/OpenLineage.json and the facets' schemas; names by https://openlineage.io/docs/spec/naming.
package lineage

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Options say where events go. The zero value sends none.
type Options struct {
	URL       string // of the service, with the endpoint
	APIKey    string // bearer token; may be empty
	File      string // events are appended to, one a line
	Namespace string // of the job
	Parent    string // namespace/job/run id
	Root      string // of the parent's, the same form
}

// FromEnvironment reads what OpenLineage's own clients read: OPENLINEAGE_URL, _ENDPOINT, _API_KEY, _NAMESPACE, _DISABLED,
// _PARENT_ID and _ROOT_PARENT_ID, and for a file OPENLINEAGE__TRANSPORT__TYPE=file with OPENLINEAGE__TRANSPORT__LOG_FILE_PATH.
func FromEnvironment(getenv func(string) string) Options {
	if strings.EqualFold(getenv("OPENLINEAGE_DISABLED"), "true") {
		return Options{}
	}
	o := Options{APIKey: getenv("OPENLINEAGE_API_KEY"), Namespace: getenv("OPENLINEAGE_NAMESPACE"), Parent: getenv("OPENLINEAGE_PARENT_ID"), Root: getenv("OPENLINEAGE_ROOT_PARENT_ID")}
	if o.Namespace == "" {
		o.Namespace = "default"
	}
	if url := getenv("OPENLINEAGE_URL"); url != "" {
		endpoint := getenv("OPENLINEAGE_ENDPOINT")
		if endpoint == "" {
			endpoint = "api/v1/lineage"
		}
		o.URL = strings.TrimSuffix(url, "/") + "/" + strings.TrimPrefix(endpoint, "/")
	}
	if strings.EqualFold(getenv("OPENLINEAGE__TRANSPORT__TYPE"), "file") {
		o.File = getenv("OPENLINEAGE__TRANSPORT__LOG_FILE_PATH")
	}
	return o
}

// Run sends the events of one run.
type Run struct {
	options Options
	id      string
	job     string
	version string // of the program
	now     func() time.Time
	inputs  []Dataset
}

// Dataset is an input or an output.
type Dataset struct {
	URI        string // file path or gs:// URI
	Version    string // empty: not told
	Rows, Size int64  // of an output
	Files      int64
	Columns    []Column
	FilteredBy []Source // what decides which rows of an output there are
}

// Column is a column of an output. It comes from the one of the same name in the source.
type Column struct {
	Name, Type string
	From       string // URI of the source
	Changed    bool   // its values are not those of the source: pseudonyms, redacted texts, coarser instants
}

// Source is a column of an input.
type Source struct{ URI, Field string }

// Job is what all events of a run say of it.
type Job struct {
	Program string
	Version string // of the program that runs it
	Now     func() time.Time
	Inputs  []Dataset
	// ID is a UUID that another process tells of the same run, see RunID. Empty: a new one.
	ID string
}

// RunID is the id of a run that several processes tell of: the same for each of them.
func RunID(uri string) string { return uuid.NewSHA1(uuid.NameSpaceURL, []byte(uri)).String() }

// New returns what sends the events of a run. It sends none yet.
func New(o Options, j Job) (*Run, error) {
	r := &Run{options: o, id: j.ID, job: "assent." + j.Program, version: j.Version, now: j.Now, inputs: j.Inputs}
	if r.id == "" {
		id, err := uuid.NewV7()
		if err != nil {
			return nil, err
		}
		r.id = id.String()
	}
	return r, nil
}

// Start sends START, with the time at which the run began.
func (r *Run) Start(ctx context.Context, began time.Time) error {
	return r.send(ctx, "START", began, nil, nil)
}

// Complete sends COMPLETE.
func (r *Run) Complete(ctx context.Context, outputs []Dataset) error {
	return r.send(ctx, "COMPLETE", r.now(), outputs, nil)
}

// Fail sends FAIL with why.
func (r *Run) Fail(ctx context.Context, why error) error {
	return r.send(ctx, "FAIL", r.now(), nil, why)
}

// patience is how long an event may take to be sent.
const patience = 5 * time.Second

func (r *Run) send(ctx context.Context, kind string, at time.Time, outputs []Dataset, why error) error {
	if r.options.URL == "" && r.options.File == "" {
		return nil
	}
	data, err := json.Marshal(r.event(kind, at, outputs, why))
	if err != nil {
		return err
	}
	// The end of a run that was interrupted is told, too.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	var errs []error
	if r.options.File != "" {
		errs = append(errs, appendLine(r.options.File, data))
	}
	if r.options.URL != "" {
		errs = append(errs, r.post(ctx, data))
	}
	return errors.Join(errs...)
}

func appendLine(file string, data []byte) error {
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(append(data, '\n'))
	return errors.Join(err, f.Close())
}

func (r *Run) post(ctx context.Context, data []byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.options.URL, bytes.NewReader(data))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	if r.options.APIKey != "" {
		request.Header.Set("Authorization", "Bearer "+r.options.APIKey)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 1<<20)) // so that the connection can be used again
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("%s: HTTP %s", r.options.URL, answer.Status)
	}
	return nil
}
