package verify

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"runtime/metrics"
	"strings"
	"sync"

	"assent/job"
	"assent/job/internal/config"
	"assent/job/internal/objstore"
	"assent/job/internal/publish"
	"assent/manifests"
)

// audit is one audit under way.
type audit struct {
	*job.Env
	o   Options
	cfg *config.Config // nil without one
	key *manifests.Key // of references; nil where no reference is made
	// pseudonyms is the key that they are made by; nil where none are checked.
	pseudonyms *manifests.Key
	published

	signedWith *publicKey // nil: not known

	found   differences
	checked Checked
	hint    string
	use     use
	own     map[string]int64 // records that the account of use is a party to, by subject index
	schemas sync.Map         // with Quick: columns of data files by the bytes of their schemas, see columnsOf
	// columnsSeen are the columns of data files by themselves: most files have the same.
	columnsSeen sync.Map
}

// published is a run as it lies in its output.
type published struct {
	store   objstore.Store             // of the output
	dir     string                     // of the run, there
	objects map[string]objstore.Object // of the run's directory, by their names below it
	current bool                       // current.json names the run

	run     *manifests.Run // nil where it cannot be read
	success *manifests.Success
	sealed  string                // SHA-256 of the run manifest
	marker  string                // SHA-256 of the marker
	daily   []manifests.DayCounts // nil where they cannot be read
	intact  map[string]bool       // objects whose bytes are those that run.json names

	columns map[string]map[string]string // of the data files that could be read, see columnsOf
	turns   *turns                       // nil: no file waits for another
}

const (
	hintDiffers = "do not train on this run; what was found is on stdout"
	hintInputs  = "an audit speaks of a run only beside the inputs that it was made from, as they were; details are on stdout"
	hintRules   = "name the configuration, the --set assignments and the key with which the run was made; details are on stdout"
	hintUnread  = "the audit reads Parquet by another library than the run, and that cannot read these; what it could read is as it must be"
	hintErased  = "do not train on this run: publish a new one with `assent run`, and remove this one with `assent erase --apply`"
)

// openAudit finds the run's directory and loads the configuration where there is one.
func openAudit(ctx context.Context, e *job.Env, o Options) (*audit, error) {
	a := &audit{Env: e, o: o, hint: hintDiffers, published: published{turns: newTurns(o.Workers)}}
	output, dir, err := publish.SplitRun(o.Run)
	if err != nil {
		return nil, err
	}
	a.dir = dir
	if o.Config != "" {
		if a.cfg, err = config.Load(o.Config, o.Set); err != nil {
			return nil, err
		}
		if !o.Quick || a.cfg.Deletions != nil || strings.HasPrefix(o.Use, useAccount) {
			if a.key, err = config.SubjectKey(a.cfg); err != nil {
				return nil, err
			}
		}
		if !o.Quick {
			if a.pseudonyms, err = config.PseudonymKey(a.cfg, a.key); err != nil {
				return nil, err
			}
		}
	}
	if a.signedWith, err = a.readPublicKey(); err != nil {
		return nil, err
	}
	a.store, err = e.Opener.OpenLocation(ctx, output)
	return a, err
}

// auditMemory is what an audit may take, in bytes, beside the facts of accounts and two of the largest pages.
const auditMemory = 256 << 20

// limitMemory asks the garbage collector to keep the process within that. Else the heap grows to twice what is in use.
func (a *audit) limitMemory() {
	if a.LimitMemory == nil {
		return
	}
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}} // as of the last collection
	metrics.Read(live)
	a.LimitMemory(max(auditMemory/8*7, int64(live[0].Value.Uint64())+auditMemory/2))
}

// do audits from the outside in, and goes no deeper where what lies deeper is
// meaningless: without a manifest there are no files to speak of, and decisions
// cannot be judged by other inputs or rules than the run's.
func (a *audit) do(ctx context.Context) error {
	if err := a.list(ctx); err != nil {
		return err
	}
	if err := a.readManifest(ctx); err != nil || a.run == nil {
		return err
	}
	if err := a.findUse(ctx); err != nil {
		return err
	}
	if err := a.checkObjects(ctx); err != nil {
		return err
	}
	if err := a.checkUse(); err != nil {
		return err
	}
	if err := a.checkSignature(ctx); err != nil {
		return err
	}
	if err := a.checkCurrent(ctx); err != nil {
		return err
	}
	if err := a.checkDocuments(ctx); err != nil {
		return err
	}
	if err := a.checkReport(ctx); err != nil || a.o.Quick {
		return err
	}
	if err := a.checkSince(ctx); err != nil {
		return err
	}
	return a.checkAgainstInputs(ctx)
}

func (a *audit) object(name string) string { return path.Join(a.dir, name) }

func (a *audit) list(ctx context.Context) error {
	objects, err := a.store.List(ctx, a.dir)
	if err != nil {
		return err
	}
	a.objects = make(map[string]objstore.Object, len(objects))
	for _, o := range objects {
		a.objects[strings.TrimPrefix(o.Name, a.dir+"/")] = o
	}
	if len(objects) == 0 {
		return publish.NoRun(ctx, a.store, a.dir)
	}
	return nil
}

// readManifest reads the marker and the run manifest that it seals.
func (a *audit) readManifest(ctx context.Context) error {
	read := func(name string) ([]byte, error) {
		if o := a.objects[name]; o.Err != nil {
			a.found.of(name, "%v", o.Err)
			return nil, nil
		}
		data, _, err := a.store.Read(ctx, a.object(name))
		if errors.Is(err, fs.ErrNotExist) {
			a.found.of(name, "missing: the run is not complete")
			return nil, nil
		}
		return data, err
	}
	data, err := read(publish.SuccessObject)
	if err != nil || data == nil {
		return err
	}
	a.marker = manifests.SHA256(data)
	if a.success, err = manifests.ParseSuccess(data); err != nil {
		a.found.of(publish.SuccessObject, "%v", err)
		return nil
	}
	if data, err = read(publish.ManifestObject); err != nil || data == nil {
		return err
	}
	if a.sealed = manifests.SHA256(data); a.sealed != a.success.ManifestSHA256 {
		a.found.of(publish.ManifestObject, "its SHA-256 is not the one that %s names", publish.SuccessObject)
		return nil
	}
	run, err := manifests.ParseRun(data) // checks conservation
	if err != nil {
		a.found.of(publish.ManifestObject, "%v", err)
		return nil
	}
	a.checked.Objects += 2
	a.checked.Bytes += a.objects[publish.SuccessObject].Size + a.objects[publish.ManifestObject].Size
	a.run = run
	if publish.RunDir(run.RunID) != a.dir {
		a.found.of(publish.ManifestObject, "it is the manifest of run %s: the directory was renamed or copied", run.RunID)
	}
	if a.success.RunID != run.RunID {
		a.found.of(publish.SuccessObject, "it names run %s", a.success.RunID)
	}
	if a.cfg != nil && a.cfg.Program.Name != run.Program.Name {
		a.found.of(publish.ManifestObject, "the run belongs to the programme %q, not to %q", run.Program.Name, a.cfg.Program.Name)
	}
	for _, g := range run.Gates {
		if !g.Passed {
			a.found.of(publish.ManifestObject, "gate %s did not pass, and the run was published", g.Name)
		}
	}
	return nil
}

// checkCurrent checks that current.json, where there is one, names a run as it stands.
func (a *audit) checkCurrent(ctx context.Context) error {
	data, _, err := a.store.Read(ctx, publish.CurrentObject)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // until the first run becomes current, or where all were erased
	}
	if err != nil {
		return err
	}
	current, err := manifests.ParseCurrent(data)
	if err != nil {
		a.found.of(publish.CurrentObject, "%v", err)
		return nil
	}
	if a.current = current.Run == a.dir; a.current && current.ManifestSHA256 == a.sealed {
		return nil
	}
	manifest, _, err := a.store.Read(ctx, path.Join(current.Run, publish.ManifestObject))
	if errors.Is(err, fs.ErrNotExist) {
		a.found.of(publish.CurrentObject, "it names %s, which is not there", current.Run)
		return nil
	}
	if err != nil {
		return err
	}
	if manifests.SHA256(manifest) != current.ManifestSHA256 {
		a.found.of(publish.CurrentObject, "the SHA-256 that it names is not that of the manifest of %s", current.Run)
	}
	return nil
}
