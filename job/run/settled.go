package run

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	"assent/job/internal/objstore"
	"assent/job/internal/publish"
	"assent/job/internal/source"
	"assent/manifests"
	"assent/schema"
)

// A local input's identity is a checksum of its bytes. A file that was not touched since an earlier run need not be read for it, nor
// opened to see whether its columns serve: run.json
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

// known returns what knows input files that were not touched since the current run; nil where there is none to ask. Under the same
// rules they serve as they did then, and need not be opened.
func (r *runner) known(ctx context.Context) (func(dataset, path string, o objstore.Object) source.Known, error) {
	if r.options.NoReuse {
		return nil, nil
	}
	run, err := r.currentRun(ctx)
	if err != nil && publish.Damaged(err) || err == nil && run == nil {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	type file struct{ dataset, path string }
	inputs := make(map[file]*manifests.Input, len(run.Inputs))
	for i := range run.Inputs {
		inputs[file{run.Inputs[i].Dataset, run.Inputs[i].Path}] = &run.Inputs[i]
	}
	lacks := run.Invocation.InputLacks
	serve := lacks != nil && r.sameRules(run.Run, r.cfg.Digest(), r.cfg.Pseudonyms)
	return func(dataset, path string, o objstore.Object) (known source.Known) {
		in := inputs[file{dataset, path}]
		if in == nil || in.Bytes != o.Size || o.Err != nil || !untouched(in, o, run.Invocation.InputStamps[path]) {
			return known
		}
		known = source.Known{Identity: in.Identity, Serves: serve, Rows: in.Rows}
		for _, text := range lacks[dataset][path] {
			key, column, ok := strings.Cut(text, " ")
			known.Serves = known.Serves && ok
			known.Lacks = append(known.Lacks, schema.Change{Key: key, Column: column})
		}
		return known
	}, nil
}

// untouched reports whether an object is the input that a run has read and, of a local one, noted so.
func untouched(in *manifests.Input, o objstore.Object, stamp string) bool {
	if o.Versioned {
		return o.Generation != "" && in.Identity == "generation:"+o.Generation
	}
	return stamp != "" && stamp == stampOf(o)
}

// noted is what the plan notes of inputs for the next run.
type noted struct {
	Stamps map[string]string              // of settled files, by path; see stampOf
	Lacks  map[string]map[string][]string // see manifests.Invocation
}

// note returns what there is to note of the inputs.
func (r *runner) note(in *source.Inputs) noted {
	n := noted{map[string]string{}, map[string]map[string][]string{}}
	for path, o := range in.Objects() {
		newest := o.Changed
		if o.Modified.After(newest) {
			newest = o.Modified
		}
		if stamp := stampOf(o); stamp != "" && newest.Before(r.started.Add(-settledAfter)) {
			n.Stamps[path] = stamp
		}
	}
	for _, d := range in.Datasets {
		for _, f := range d.Files {
			for _, c := range f.Lacks {
				if n.Lacks[d.Name] == nil {
					n.Lacks[d.Name] = map[string][]string{}
				}
				path := d.Root + f.Rel
				n.Lacks[d.Name][path] = append(n.Lacks[d.Name][path], c.Key+" "+c.Column)
			}
		}
	}
	return n
}

// Notes are no part of the plan's document, which has no time in it: they lie beside it for commit.
func notesObject(id string) string { return path.Join(indexDir(id), "notes.json") }

func (r *runner) keepNotes(ctx context.Context, p *planned) error {
	data, err := json.Marshal(p.noted)
	if err == nil {
		_, err = r.out.Store.Put(ctx, notesObject(p.RunID), data, objstore.Any)
	}
	return err
}

// readNotes returns the plan's notes.
func (r *runner) readNotes(ctx context.Context, p *planned) (n noted, err error) {
	data, _, err := r.out.Store.Read(ctx, notesObject(p.RunID))
	if errors.Is(err, fs.ErrNotExist) {
		return n, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &n)
	}
	return n, err
}
