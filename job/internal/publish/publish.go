package publish

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path"
	"regexp"
	"strings"

	"assent/job"
	"assent/job/internal/config"
	"assent/job/internal/objstore"
	"assent/manifests"
)

// splitRun splits the URI of a run into the output and the run's directory there.
func SplitRun(uri string) (objstore.Location, string, error) {
	loc, err := objstore.Parse(uri)
	if err != nil {
		return loc, "", job.UsageError("", "--run: %w", err)
	}
	output, dir := loc.Split()
	if !strings.HasPrefix(dir, RunPrefix) {
		return output, "", job.UsageError("`assent runs -c job.yaml` lists them", "--run %s is no run's directory, <output>/run=<id>", uri)
	}
	return output, dir, nil
}

var ErrSeal = fmt.Errorf("%w: its bytes are not those that the run manifest names", manifests.ErrManifest)

// Objects of an output and of a run.
const (
	CurrentObject  = "current.json"
	SuccessObject  = "_SUCCESS"
	ManifestObject = "_manifest/run.json"
	ReportObject   = "_manifest/report.html"
	LeaseObject    = "_lock.json"
	StagingDir     = "_staging"
)

// publication is an output root while a run is published there.
type Output struct {
	Store   objstore.Store
	Program string
	Log     *slog.Logger
}

// published returns the manifest of a complete run; nil where there is none.
func (p *Output) Published(ctx context.Context, dir string) (*manifests.Run, string, error) {
	data, _, err := p.Store.Read(ctx, path.Join(dir, SuccessObject))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", err
	}
	success, err := manifests.ParseSuccess(data)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", p.Store.URI(path.Join(dir, SuccessObject)), err)
	}
	data, _, err = p.Store.Read(ctx, path.Join(dir, ManifestObject))
	if err != nil {
		return nil, "", err
	}
	uri := p.Store.URI(path.Join(dir, ManifestObject))
	digest := manifests.SHA256(data)
	if digest != success.ManifestSHA256 {
		return nil, "", job.Refused("the run was changed after it was published; do not train on it", "%s: its SHA-256 is not the one that _SUCCESS names", uri)
	}
	run, err := manifests.ParseRun(data)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", uri, err)
	}
	if RunDir(run.RunID) != dir {
		return nil, "", job.Refused("the directory was renamed or copied; do not train on it", "%s: it is the manifest of run %s", uri, run.RunID)
	}
	return run, digest, nil
}

// erased returns where the manifest of a run is that was erased, or is being erased;
// nothing where none was.
func (p *Output) erased(ctx context.Context, dir string) (uri string, err error) {
	evidence := path.Join(ErasedDir, dir, path.Base(ManifestObject))
	_, err = p.Store.Stat(ctx, evidence)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return p.Store.URI(evidence), err
}

// refuseErased refuses to make a run again that was erased: the same inputs mean that
// they lack the deletion requests for which it was.
func (p *Output) RefuseErased(ctx context.Context, id string) error {
	evidence, err := p.erased(ctx, RunDir(id))
	if err != nil || evidence == "" {
		return err
	}
	return job.Refused("the deletion requests are those of an earlier day; run with the whole ledger", "run %s was erased, see %s, and its inputs would bring it back", id, evidence)
}

// noRun is the error for a directory that holds no complete run.
func (p *Output) NoRun(ctx context.Context, dir string) error {
	evidence, err := p.erased(ctx, dir)
	if err != nil {
		return err
	}
	hint := "`assent runs -c job.yaml` lists the published runs"
	if evidence != "" {
		return job.UsageError(hint, "no published run at %s: it was erased, see %s", p.Store.URI(dir), evidence)
	}
	return job.UsageError(hint, "no published run at %s", p.Store.URI(dir))
}

// checkOwner refuses an output that holds runs of another programme. One run that
// can be read tells; that others cannot is for `runs` and `verify` to say.
func (p *Output) CheckOwner(ctx context.Context) error {
	dirs, err := p.Store.Dirs(ctx, "")
	if err != nil {
		return err
	}
	var unreadable error
	for _, dir := range dirs {
		if !strings.HasPrefix(dir, "run=") {
			continue
		}
		run, _, err := p.Published(ctx, dir)
		if err != nil {
			unreadable = err
			continue
		}
		if run != nil && run.Program.Name != p.Program {
			return job.UsageError("give each programme an output of its own", "output %s belongs to the programme %q, not to %q", p.Store.URI(""), run.Program.Name, p.Program)
		}
		if run != nil {
			return nil
		}
	}
	return unreadable
}

// point makes current.json name the run, unless it names one with a newer horizon
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

// output opens the output that a configuration names.
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

// current reads current.json; nil where there is none.
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

// completeID is the form of a run's id; other directories are not erase's to touch.
var CompleteID = regexp.MustCompile(`^[0-9]{8}T[0-9]{6}Z-[0-9a-f]{12}$`)

// Objects below the output that speak of erasures.
const (
	ErasedDir     = "_erased"
	EntryObject   = "entry.json"
	ReceiptObject = "receipt.json"
)

// damaged reports whether an error says that a run is not as it was published, which
// a repeat would find again; all else may be a fault of the way to it.
func Damaged(err error) bool {
	var e *job.Error
	var syntax *json.SyntaxError
	var typ *json.UnmarshalTypeError
	return errors.As(err, &e) && e.Exit == job.ExitRefused || errors.Is(err, manifests.ErrManifest) ||
		errors.Is(err, fs.ErrNotExist) || errors.As(err, &syntax) || errors.As(err, &typ)
}

// runDir is a run's directory below the output.
func RunDir(id string) string { return "run=" + id }

const RunPrefix = "run="
