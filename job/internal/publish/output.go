package publish

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path"
	"strings"
	"sync"

	"assent/job"
	"assent/job/internal/config"
	"assent/job/internal/objstore"
	"assent/manifests"
)

// Objects of an output and of a run.
const (
	CurrentObject  = "current.json"
	SuccessObject  = "_SUCCESS"
	ManifestObject = "_manifest/run.json"
	ReportObject   = "_manifest/report.html"
	SignedObject   = "_manifest/run.intoto.jsonl" // of a run that is signed, see package attest
	LeaseObject    = "_lock.json"
	PlanDir        = "_plan"
)

// Output is the output of a job.
type Output struct {
	Store   objstore.Store
	Program string
	Log     *slog.Logger

	mu   sync.Mutex
	last *Run // that Published has read; nobody writes to it
}

// erased returns where the manifest of a run is that was erased, or is being erased;
// nothing where none was.
func erased(ctx context.Context, output objstore.Store, dir string) (uri string, err error) {
	evidence := path.Join(ErasedDir, dir, path.Base(ManifestObject))
	_, err = output.Stat(ctx, evidence)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return output.URI(evidence), err
}

// RefuseErased refuses to make a run again that was erased: the same inputs mean that
// they lack the deletion requests for which it was.
func (p *Output) RefuseErased(ctx context.Context, id string) error {
	evidence, err := erased(ctx, p.Store, RunDir(id))
	if err != nil || evidence == "" {
		return err
	}
	return job.Refused("the deletion requests are those of an earlier day; run with the whole ledger", "run %s was erased, see %s, and its inputs would bring it back", id, evidence)
}

// NoRun is the error for a directory that holds no complete run.
func (p *Output) NoRun(ctx context.Context, dir string) error { return NoRun(ctx, p.Store, dir) }

// NoRun is the error for a directory of an output that holds no complete run.
func NoRun(ctx context.Context, output objstore.Store, dir string) error {
	evidence, err := erased(ctx, output, dir)
	if err != nil {
		return err
	}
	hint := "`assent runs -c job.yaml` lists the published runs"
	if evidence != "" {
		return job.UsageError(hint, "no published run at %s: it was erased, see %s", output.URI(dir), evidence)
	}
	if evidence, err = pruned(ctx, output, dir); err != nil {
		return err
	}
	if evidence != "" {
		return job.UsageError(hint, "no published run at %s: it was pruned, see %s", output.URI(dir), evidence)
	}
	return job.UsageError(hint, "no published run at %s", output.URI(dir))
}

// CheckOwner refuses an output that holds runs of another programme. One run that
// can be read tells; that others cannot is for `runs` and `verify` to say.
func (p *Output) CheckOwner(ctx context.Context) error {
	if run := p.lastRead(); run != nil {
		return p.checkOwner(run.Run)
	}
	dirs, err := p.Store.Dirs(ctx, "")
	if err != nil {
		return err
	}
	var unreadable error
	for _, dir := range dirs {
		if !strings.HasPrefix(dir, RunPrefix) {
			continue
		}
		run, _, err := p.Published(ctx, dir)
		if err != nil {
			unreadable = err
			continue
		}
		if run != nil {
			return p.checkOwner(run)
		}
	}
	return unreadable
}

func (p *Output) checkOwner(run *manifests.Run) error {
	if run.Program.Name != p.Program {
		return job.UsageError("give each programme an output of its own", "output %s belongs to the programme %q, not to %q", p.Store.URI(""), run.Program.Name, p.Program)
	}
	return nil
}

func (p *Output) lastRead() *Run {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last
}

// Point makes current.json name the run, unless it names one with a newer horizon
// or, at the same horizon, one that finished later. It reports whether the run is
// current now.
func (p *Output) Point(ctx context.Context, run *manifests.Run, digest string) (bool, error) {
	for range 5 { // another writer may come in between; leases make that rare
		data, object, err := p.Store.Read(ctx, CurrentObject)
		condition := objstore.IfAbsent
		if err == nil {
			condition = objstore.IfGeneration(object.Generation)
			older, err := p.older(ctx, data, run)
			if err != nil || !older {
				return err == nil && p.names(data, run), err
			}
		} else if !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
		next, err := (&manifests.Current{Run: RunDir(run.RunID), ManifestSHA256: digest}).Marshal()
		if err != nil {
			return false, err
		}
		if _, err = p.Store.Put(ctx, CurrentObject, next, condition); err == nil {
			return true, nil
		} else if !errors.Is(err, objstore.ErrPrecondition) {
			return false, err
		}
	}
	return false, fmt.Errorf("%s: other jobs keep replacing it", p.Store.URI(CurrentObject))
}

func (p *Output) names(current []byte, run *manifests.Run) bool {
	c, err := manifests.ParseCurrent(current)
	return err == nil && c.Run == RunDir(run.RunID)
}

// older reports whether what current.json names is to give way to run.
func (p *Output) older(ctx context.Context, current []byte, run *manifests.Run) (bool, error) {
	c, err := manifests.ParseCurrent(current)
	if err != nil {
		return false, fmt.Errorf("%s: %w", p.Store.URI(CurrentObject), err)
	}
	if c.Run == RunDir(run.RunID) {
		return false, nil
	}
	now, _, err := p.Published(ctx, c.Run)
	if err != nil {
		return false, err
	}
	if now == nil { // it was removed
		return true, nil
	}
	if t := now.RequestsAsOf; t != nil && (run.RequestsAsOf == nil || run.RequestsAsOf.Before(*t)) {
		p.Log.Warn("the newest deletion request is older than that of the current run: is the ledger whole?", "run", run.RunID, "current", now.RunID)
	}
	if now.ConsentAsOf.After(run.ConsentAsOf) {
		p.Log.Warn("the run is published but not current: current.json names one with a newer horizon", "run", run.RunID, "horizon", run.ConsentAsOf, "current", now.RunID)
		return false, nil
	}
	return now.ConsentAsOf.Before(run.ConsentAsOf) || now.Invocation.FinishedAt.Before(run.Invocation.FinishedAt), nil
}

// Open loads a configuration and opens the output that it names.
func Open(ctx context.Context, e *job.Env, file string, set []string) (*config.Config, *Output, error) {
	if file == "" {
		return nil, nil, job.UsageError("", "no configuration: name it with -c")
	}
	cfg, err := config.Load(file, set)
	if err != nil {
		return nil, nil, err
	}
	store, err := e.Opener.Open(ctx, cfg.Output)
	if err != nil {
		return nil, nil, err
	}
	return cfg, &Output{Store: store, Program: cfg.Program.Name, Log: e.Log}, nil
}

// Current reads current.json; nil where there is none.
func (p *Output) Current(ctx context.Context) (*manifests.Current, error) {
	data, _, err := p.Store.Read(ctx, CurrentObject)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	current, err := manifests.ParseCurrent(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.Store.URI(CurrentObject), err)
	}
	return current, nil
}

// Objects below the output that speak of erasures.
const (
	ErasedDir     = "_erased"
	EntryObject   = "entry.json"
	ReceiptObject = "receipt.json"
)
