package runs

import (
	"context"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"assent/job"
	"assent/job/internal/publish"
)

// HoldStatus says what became of a hold.
type HoldStatus string

// What becomes of a hold.
const (
	Held     HoldStatus = "held"
	Released HoldStatus = "released"
	NotHeld  HoldStatus = "not_held" // there was no such hold, so none had to be released
)

// Hold is the answer: a hold, and the run that it keeps from being pruned.
type Hold struct {
	Status    HoldStatus `json:"status"`
	Name      string     `json:"hold"`
	RunID     string     `json:"run_id,omitempty"`
	URI       string     `json:"uri,omitempty"` // of the run
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
}

// TakeHold takes or renews the hold name for so long from now: on the run with the URI,
// or without one on the run that it holds already, or on the current one.
func TakeHold(ctx context.Context, e *job.Env, o Options, name, uri string, during time.Duration) (*Hold, error) {
	if during <= 0 {
		return nil, job.UsageError("such as --for 72h", "--hold %s: for how long? A hold ends by itself", name)
	}
	_, out, err := publish.Open(ctx, e, o.Config, o.Set)
	if err != nil {
		return nil, err
	}
	dir := ""
	if uri != "" {
		if dir = path.Base(uri); out.Store.URI(dir) != strings.TrimSuffix(uri, "/") || !strings.HasPrefix(dir, publish.RunPrefix) {
			return nil, job.UsageError("`assent runs -c job.yaml` lists them", "--run %s is no run of the output %s", uri, out.Store.URI(""))
		}
	}
	h, err := out.TakeHold(ctx, e.Now(), name, dir, during)
	if err != nil {
		return nil, err
	}
	return answer(out, Held, h), nil
}

// Release ends the hold name.
func Release(ctx context.Context, e *job.Env, o Options, name string) (*Hold, error) {
	_, out, err := publish.Open(ctx, e, o.Config, o.Set)
	if err != nil {
		return nil, err
	}
	h, err := out.ReleaseHold(ctx, name)
	if err != nil {
		return nil, err
	}
	if h == nil {
		return &Hold{Status: NotHeld, Name: name}, nil
	}
	return answer(out, Released, h), nil
}

func answer(out *publish.Output, status HoldStatus, h *publish.Hold) *Hold {
	return &Hold{status, h.Name, strings.TrimPrefix(h.Run, publish.RunPrefix), out.Store.URI(h.Run), &h.ExpiresAt}
}

// WriteText writes the answer as a line.
func (h *Hold) WriteText(w io.Writer) error {
	var err error
	switch h.Status {
	case Held:
		_, err = fmt.Fprintf(w, "held by %s until %s: %s\n", h.Name, h.ExpiresAt.Format(time.RFC3339), h.URI)
	case Released:
		_, err = fmt.Fprintf(w, "released: %s held %s\n", h.Name, h.URI)
	case NotHeld:
		_, err = fmt.Fprintf(w, "nothing to release: there is no hold %s\n", h.Name)
	}
	return err
}
