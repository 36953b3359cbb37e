package run

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"time"

	"assent/job/internal/objstore"
	"assent/job/internal/publish"
	"assent/manifests"
)

// A local input's identity is a checksum of its bytes. A file that was not touched since an earlier run need not be read for it: run.json
// has what the system said of the file then. Only settled files are noted there: those that had been changed last well before the run
// looked at them. A file that was written to while, or right before, the run read it could change once more without another
// time of its change, as clocks tick in steps: it is read again (git calls such a file racily clean). What is compared has the time of
// the last change of status, which no program can set back.

// settledAfter is for how long a file must have been left alone. The clocks of a file server and of this machine may differ by less.
const settledAfter = time.Minute

// stampOf is what the system says of a local file; empty where that is not enough to know it again.
func stampOf(o objstore.Object) string {
	if o.Changed.IsZero() || o.Generation == "" || o.Versioned {
		return ""
	}
	return fmt.Sprintf("%s-%x", o.Generation, o.Changed.UnixNano())
}

// known returns what knows the identities of files that were not touched since the current run; nil where there is none to ask.
func (r *runner) known(ctx context.Context) (func(path string, o objstore.Object) string, error) {
	if r.options.NoReuse {
		return nil, nil
	}
	run, err := r.currentRun(ctx)
	if err != nil && publish.Damaged(err) || err == nil && (run == nil || len(run.Invocation.InputStamps) == 0) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	inputs := make(map[string]*manifests.Input, len(run.Inputs))
	for i := range run.Inputs {
		inputs[run.Inputs[i].Path] = &run.Inputs[i]
	}
	return func(path string, o objstore.Object) string {
		in, stamp := inputs[path], stampOf(o)
		if in == nil || stamp == "" || run.Invocation.InputStamps[path] != stamp || in.Bytes != o.Size {
			return ""
		}
		return in.Identity
	}, nil
}

// stamps returns those of settled files.
func (r *runner) stamps(objects map[string]objstore.Object) map[string]string {
	stamps := map[string]string{}
	for path, o := range objects {
		newest := o.Changed
		if o.Modified.After(newest) {
			newest = o.Modified
		}
		if stamp := stampOf(o); stamp != "" && newest.Before(r.started.Add(-settledAfter)) {
			stamps[path] = stamp
		}
	}
	return stamps
}

// Stamps are no part of the plan's document, which has no time in it: they lie beside it for commit.
func stampsObject(id string) string { return path.Join(indexDir(id), "stamps.json") }

func (r *runner) keepStamps(ctx context.Context, p *planned) error {
	data, err := json.Marshal(p.stamps)
	if err == nil {
		_, err = r.out.Store.Put(ctx, stampsObject(p.RunID), data, objstore.Any)
	}
	return err
}

// readStamps returns the plan's stamps.
func (r *runner) readStamps(ctx context.Context, p *planned) (stamps map[string]string, err error) {
	data, _, err := r.out.Store.Read(ctx, stampsObject(p.RunID))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &stamps)
	}
	return stamps, err
}
