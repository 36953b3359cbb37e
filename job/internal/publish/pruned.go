package publish

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	"assent/job"
	"assent/job/internal/objstore"
	"assent/manifests"
)

// PrunedDir is where below the output the evidence of pruned runs is:
//
//	_pruned/run=<id>/removing.json   while it is being removed: the announcement
//	_pruned/run=<id>/                run.json, daily.csv, report.html and _SUCCESS, for good
//
// The evidence is counts and digests: it says what was decided by which rules and
// inputs, and holds nothing of an account. It is not below _erased, as a run that was
// pruned may be made again, and one that was erased may not.
const PrunedDir = "_pruned"

// Announcement says that a run is about to be removed, and why.
type Announcement struct {
	Run     string         `json:"run"` // its directory
	BegunAt time.Time      `json:"begun_at"`
	Tool    manifests.Tool `json:"tool"`
}

func announcement(dir string) string { return path.Join(PrunedDir, dir, "removing.json") }

// Announced tells whether a run is about to be removed, or half removed.
func (p *Output) Announced(ctx context.Context, dir string) (bool, error) {
	_, err := p.Store.Stat(ctx, announcement(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// Announce says that the run in dir is about to be removed: from now on nobody takes a
// hold on it. Holds are to be looked for after it. The caller has the output's lease.
func (p *Output) Announce(ctx context.Context, a Announcement) error {
	_, err := p.Store.Put(ctx, announcement(a.Run), marshalLine(a), objstore.Any)
	return err
}

// Withdraw takes an announcement back.
func (p *Output) Withdraw(ctx context.Context, dir string) error {
	return p.Store.Delete(ctx, objstore.Object{Name: announcement(dir)})
}

// Interrupted returns the directories of the runs that were announced and not removed,
// or half removed: what a prune left that was interrupted. The caller has the output's
// lease.
func (p *Output) Interrupted(ctx context.Context) (dirs []string, err error) {
	objects, err := p.Store.List(ctx, PrunedDir)
	if err != nil {
		return nil, err
	}
	for _, o := range objects {
		dir := path.Dir(strings.TrimPrefix(o.Name, PrunedDir+"/"))
		if o.Name != announcement(dir) {
			continue
		}
		if id, ok := strings.CutPrefix(dir, RunPrefix); !ok || !CompleteID.MatchString(id) {
			return nil, job.Refused("", "%s: it would remove %q, which is no run", p.Store.URI(o.Name), dir)
		}
		dirs = append(dirs, dir)
	}
	return dirs, nil
}

// RemoveRun removes an announced run, or what an interrupted removal has left of it,
// and the announcement. First its evidence is kept, then its marker goes, so that a run
// that is half removed does not look published. The caller has the output's lease.
func (p *Output) RemoveRun(ctx context.Context, dir string) error {
	// Not every run has all of its evidence, and an interrupted removal kept it before.
	if _, _, err := p.KeepEvidence(ctx, dir, PrunedDir); err != nil {
		return err
	}
	if err := p.Store.Delete(ctx, objstore.Object{Name: path.Join(dir, SuccessObject)}); err != nil {
		return removeHint(err)
	}
	if err := p.Store.RemoveAll(ctx, dir); err != nil {
		return removeHint(err)
	}
	left, err := p.Store.List(ctx, dir)
	if err != nil {
		return err
	}
	if len(left) > 0 {
		return fmt.Errorf("%s: still there after its removal, with %d more", p.Store.URI(left[0].Name), len(left)-1)
	}
	return p.Withdraw(ctx, dir)
}

func removeHint(err error) error {
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return &job.Error{Exit: job.ExitFailed, Hint: "objects may be on hold or under a retention policy, or the job may not delete; the next `assent runs --prune` goes on from here once that is settled", Err: err}
}

// UnfinishedErasure returns the URI of an erasure's entry that has no receipt; "" where
// all have one.
func (p *Output) UnfinishedErasure(ctx context.Context) (string, error) {
	objects, err := p.Store.List(ctx, ErasedDir)
	if err != nil {
		return "", err
	}
	closed := map[string]bool{}
	for _, o := range objects {
		if path.Base(o.Name) == ReceiptObject {
			closed[path.Dir(o.Name)] = true
		}
	}
	for _, o := range objects {
		if path.Base(o.Name) == EntryObject && !closed[path.Dir(o.Name)] {
			return p.Store.URI(o.Name), nil
		}
	}
	return "", nil
}

// pruned returns where the evidence of a run is that was pruned; "" where none was.
func pruned(ctx context.Context, output objstore.Store, dir string) (uri string, err error) {
	evidence := path.Join(PrunedDir, dir, path.Base(ManifestObject))
	_, err = output.Stat(ctx, evidence)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return output.URI(evidence), err
}
