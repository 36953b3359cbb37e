package job

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path"
	"slices"
	"strings"
	"time"

	"assent/job/internal/objstore"
	"assent/job/internal/runpage"
	"assent/manifests"
	"assent/schema"
)

// Objects of an output and of a run.
const (
	currentObject  = "current.json"
	successObject  = "_SUCCESS"
	manifestObject = "_manifest/run.json"
	reportObject   = "_manifest/report.html"
	leaseObject    = "_lock.json"
	stagingDir     = "_staging"
)

// publication is an output root while a run is published there.
type publication struct {
	store   objstore.Store
	program string
	log     *slog.Logger
}

// published returns the manifest of a complete run; nil where there is none.
func (p *publication) published(ctx context.Context, dir string) (*manifests.Run, string, error) {
	data, _, err := p.store.Read(ctx, path.Join(dir, successObject))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", err
	}
	success, err := manifests.ParseSuccess(data)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", p.store.URI(path.Join(dir, successObject)), err)
	}
	data, _, err = p.store.Read(ctx, path.Join(dir, manifestObject))
	if err != nil {
		return nil, "", err
	}
	uri := p.store.URI(path.Join(dir, manifestObject))
	digest := manifests.SHA256(data)
	if digest != success.ManifestSHA256 {
		return nil, "", refused("the run was changed after it was published; do not train on it", "%s: its SHA-256 is not the one that _SUCCESS names", uri)
	}
	run, err := manifests.ParseRun(data)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", uri, err)
	}
	if runDir(run.RunID) != dir {
		return nil, "", refused("the directory was renamed or copied; do not train on it", "%s: it is the manifest of run %s", uri, run.RunID)
	}
	return run, digest, nil
}

// erased returns where the manifest of a run is that was erased, or is being erased;
// nothing where none was.
func (p *publication) erased(ctx context.Context, dir string) (uri string, err error) {
	evidence := path.Join(erasedDir, dir, path.Base(manifestObject))
	_, err = p.store.Stat(ctx, evidence)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return p.store.URI(evidence), err
}

// refuseErased refuses to make a run again that was erased: the same inputs mean that
// they lack the deletion requests for which it was.
func (p *publication) refuseErased(ctx context.Context, id string) error {
	evidence, err := p.erased(ctx, runDir(id))
	if err != nil || evidence == "" {
		return err
	}
	return refused("the deletion requests are those of an earlier day; run with the whole ledger", "run %s was erased, see %s, and its inputs would bring it back", id, evidence)
}

// noRun is the error for a directory that holds no complete run.
func (p *publication) noRun(ctx context.Context, dir string) error {
	evidence, err := p.erased(ctx, dir)
	if err != nil {
		return err
	}
	hint := "`assent runs -c job.yaml` lists the published runs"
	if evidence != "" {
		return usageError(hint, "no published run at %s: it was erased, see %s", p.store.URI(dir), evidence)
	}
	return usageError(hint, "no published run at %s", p.store.URI(dir))
}

// checkOwner refuses an output that holds runs of another programme. One run that
// can be read tells; that others cannot is for `runs` and `verify` to say.
func (p *publication) checkOwner(ctx context.Context) error {
	dirs, err := p.store.Dirs(ctx, "")
	if err != nil {
		return err
	}
	var unreadable error
	for _, dir := range dirs {
		if !strings.HasPrefix(dir, "run=") {
			continue
		}
		run, _, err := p.published(ctx, dir)
		if err != nil {
			unreadable = err
			continue
		}
		if run != nil && run.Program.Name != p.program {
			return usageError("give each programme an output of its own", "output %s belongs to the programme %q, not to %q", p.store.URI(""), run.Program.Name, p.program)
		}
		if run != nil {
			return nil
		}
	}
	return unreadable
}

// commit seals the staged run and publishes it: counts by day, manifest, report,
// marker, promotion. The stage below prefix holds everything else. It completes the
// manifest.
func commit(ctx context.Context, p *publication, run *manifests.Run, daily []manifests.DayCounts, prefix string) (digest string, err error) {
	put := func(name string, data []byte, failed error) (sha256 string) {
		if err == nil {
			err = failed
		}
		if err == nil {
			_, err = p.store.Put(ctx, path.Join(prefix, name), data, objstore.Any)
		}
		return manifests.SHA256(data)
	}
	data, failed := manifests.MarshalDaily(daily)
	run.Daily = manifests.Object{Path: manifests.DailyPath, Bytes: int64(len(data)), SHA256: put(manifests.DailyPath, data, failed)}
	data, failed = run.Marshal() // checks conservation
	digest = put(manifestObject, data, failed)
	data, failed = runpage.Page(run, digest, daily) // checks conservation by day
	sealed := &manifests.Success{RunID: run.RunID, ManifestSHA256: digest, ReportSHA256: put(reportObject, data, failed)}
	data, failed = sealed.Marshal()
	put(successObject, data, failed)
	if err != nil {
		return "", err
	}
	return digest, p.store.Promote(ctx, prefix, runDir(run.RunID), successObject)
}

// point makes current.json name the run, unless it names one with a newer horizon
// or, at the same horizon, one that finished later. It reports whether the run is
// current now.
func (p *publication) point(ctx context.Context, run *manifests.Run, digest string) (bool, error) {
	for range 5 { // another writer may come in between; leases make that rare
		data, object, err := p.store.Read(ctx, currentObject)
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
		next, err := (&manifests.Current{Run: runDir(run.RunID), ManifestSHA256: digest}).Marshal()
		if err != nil {
			return false, err
		}
		if _, err = p.store.Put(ctx, currentObject, next, condition); err == nil {
			return true, nil
		} else if !errors.Is(err, objstore.ErrPrecondition) {
			return false, err
		}
	}
	return false, fmt.Errorf("%s: other jobs keep replacing it", p.store.URI(currentObject))
}

func (p *publication) names(current []byte, run *manifests.Run) bool {
	c, err := manifests.ParseCurrent(current)
	return err == nil && c.Run == runDir(run.RunID)
}

// older reports whether what current.json names is to give way to run.
func (p *publication) older(ctx context.Context, current []byte, run *manifests.Run) (bool, error) {
	c, err := manifests.ParseCurrent(current)
	if err != nil {
		return false, fmt.Errorf("%s: %w", p.store.URI(currentObject), err)
	}
	if c.Run == runDir(run.RunID) {
		return false, nil
	}
	now, _, err := p.published(ctx, c.Run)
	if err != nil {
		return false, err
	}
	if now == nil { // it was removed
		return true, nil
	}
	if t := now.RequestsAsOf; t != nil && (run.RequestsAsOf == nil || run.RequestsAsOf.Before(*t)) {
		p.log.Warn("the newest deletion request is older than that of the current run: is the ledger whole?", "run", run.RunID, "current", now.RunID)
	}
	if now.ConsentAsOf.After(run.ConsentAsOf) {
		p.log.Warn("the run is published but not current: current.json names one with a newer horizon", "run", run.RunID, "horizon", run.ConsentAsOf, "current", now.RunID)
		return false, nil
	}
	return now.ConsentAsOf.Before(run.ConsentAsOf) || now.Invocation.FinishedAt.Before(run.Invocation.FinishedAt), nil
}

// manifest puts the run manifest together.
func manifest(p *Plan, out *outcome, gates []manifests.Gate, requestsAsOf schema.Instant, version string, started time.Time, workers int) *manifests.Run {
	cfg := p.Config
	run := &manifests.Run{
		SchemaVersion: manifests.SchemaVersion,
		RunID:         p.RunID,
		Tool:          manifests.Tool{Name: "assent", Version: version},
		Program:       manifests.Program{Name: cfg.Program.Name, StartsAt: cfg.Program.StartsAt.Time(), Default: cfg.Program.Default.String()},
		ConsentAsOf:   p.Horizon.Time(),
		PolicyDigest:  p.Digest,
		Inputs:        p.inputs(),
		Datasets:      map[string]manifests.Dataset{},
		Gates:         gates,
		Use:           map[string]manifests.Use{},
		Invocation:    manifests.Invocation{StartedAt: started.UTC(), FinishedAt: time.Now().UTC(), Workers: workers},
	}
	if requestsAsOf != schema.Unknown {
		t := requestsAsOf.Time()
		run.RequestsAsOf = &t
	}
	for i, d := range out.datasets {
		entry := manifests.Dataset{Category: d.Category.String(), Files: out.files[i], Causes: d.tally.causeCounts(d.roleNames())}
		for _, f := range entry.Files {
			entry.RowsIn += f.RowsIn
			entry.RowsKept += f.RowsKept
			entry.RowsExcluded += f.ExcludedByReason.Total()
			entry.ExcludedByReason.Add(&f.ExcludedByReason)
		}
		run.Datasets[d.Name] = entry
		run.Use[d.Name] = manifests.Use{Audience: d.Category.Audience()}
	}
	return run
}

// daily returns the counts by day of all data sets.
func (o *outcome) daily() []manifests.DayCounts {
	var daily []manifests.DayCounts
	for _, d := range slices.SortedFunc(slices.Values(o.datasets), func(a, b *dataset) int { return strings.Compare(a.Name, b.Name) }) {
		daily = append(daily, d.tally.daily(d.Name)...)
	}
	return daily
}

// output opens the output that a configuration names.
func (e *Env) output(ctx context.Context, config string, set []string) (*Config, *publication, error) {
	if config == "" {
		return nil, nil, usageError("", "no configuration: name it with -c")
	}
	cfg, err := LoadConfig(config, set)
	if err != nil {
		return nil, nil, err
	}
	store, err := e.Opener.Open(ctx, cfg.Output)
	if err != nil {
		return nil, nil, err
	}
	return cfg, &publication{store: store, program: cfg.Program.Name, log: e.Log}, nil
}

// current reads current.json; nil where there is none.
func (p *publication) current(ctx context.Context) (*manifests.Current, error) {
	data, _, err := p.store.Read(ctx, currentObject)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	current, err := manifests.ParseCurrent(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.store.URI(currentObject), err)
	}
	return current, nil
}

func errNoRun(p *publication) error {
	return fmt.Errorf("%s: no run is published there", p.store.URI(""))
}
