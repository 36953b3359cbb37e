package verify

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"assent/job"
	"assent/job/internal/config"
	"assent/job/internal/objstore"
	"assent/job/internal/publish"
	"assent/manifests"
)

// audit is one audit under way.
type audit struct {
	*job.Env
	o     Options
	cfg   *config.Config // nil without one
	key   *manifests.Key // nil without a configuration
	store objstore.Store // the output
	dir   string         // the run's directory there

	run     *manifests.Run // nil where it cannot be read
	success *manifests.Success
	sealed  string                     // SHA-256 of the run manifest
	daily   []manifests.DayCounts      // nil where they cannot be read
	objects map[string]objstore.Object // of the run's directory, by name below it
	damaged map[string]bool            // objects whose bytes are not those that run.json names

	found    differences
	readings readings
	checked  Checked
	current  bool
	hint     string
}

// openAudit finds the run's directory and loads the configuration where there is one.
func openAudit(ctx context.Context, e *job.Env, o Options) (*audit, error) {
	a := &audit{Env: e, o: o, damaged: map[string]bool{}, hint: "do not train on this run; what was found is on stdout"}
	output, dir, err := publish.SplitRun(o.Run)
	if err != nil {
		return nil, err
	}
	a.dir = dir
	if o.Config != "" {
		if a.cfg, err = config.Load(o.Config, o.Set); err != nil {
			return nil, err
		}
		if !o.Quick || a.cfg.Deletions != nil {
			if a.key, err = config.SubjectKey(a.cfg); err != nil {
				return nil, err
			}
		}
	}
	a.store, err = e.Opener.OpenLocation(ctx, output)
	return a, err
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
	a.checkObjects()
	if err := a.checkCurrent(ctx); err != nil {
		return err
	}
	if err := a.checkDigests(ctx); err != nil {
		return err
	}
	if err := a.checkReport(ctx); err != nil {
		return err
	}
	if err := a.checkCounts(ctx); err != nil {
		return err
	}
	if a.o.Quick {
		return a.checkErased(ctx)
	}
	return a.deep(ctx)
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
		return (&publish.Output{Store: a.store}).NoRun(ctx, a.dir)
	}
	return nil
}

// readManifest reads the marker and the run manifest that it seals.
func (a *audit) readManifest(ctx context.Context) error {
	read := func(name string) ([]byte, error) {
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

// artefact is an object that the manifest or the marker names, and what it says of it.
type artefact struct {
	name   string
	bytes  int64
	sha256 string
	by     string
}

// sizeUnknown is the size of an artefact of which only the digest is named.
const sizeUnknown = -1

func (a *audit) artefacts() []artefact {
	const by = "the run manifest"
	daily := &a.run.Daily
	all := []artefact{{publish.ReportObject, sizeUnknown, a.success.ReportSHA256, publish.SuccessObject}, {daily.Path, daily.Bytes, daily.SHA256, by}}
	_ = a.eachFile(func(_ string, f *manifests.File) error {
		all = append(all, artefact{f.Output, f.Bytes, f.SHA256, by},
			artefact{f.Exclusions, f.ExclusionsBytes, f.ExclusionsSHA256, by},
			artefact{f.Subjects, f.SubjectsBytes, f.SubjectsSHA256, by})
		return nil
	})
	return all
}

// eachFile calls f for every file of the manifest, data set by data set.
func (a *audit) eachFile(f func(dataset string, file *manifests.File) error) error {
	for _, name := range slices.Sorted(maps.Keys(a.run.Datasets)) {
		files := a.run.Datasets[name].Files
		for i := range files {
			if err := f(name, &files[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkObjects compares the directory with what the manifest names.
func (a *audit) checkObjects() {
	named := map[string]bool{publish.SuccessObject: true, publish.ManifestObject: true}
	for _, x := range a.artefacts() {
		named[x.name] = true
		if _, ok := a.objects[x.name]; !ok {
			a.damaged[x.name] = true
			a.found.of(x.name, "missing")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(a.objects)) {
		if !named[name] {
			a.found.of(name, "the run manifest does not name it")
		}
	}
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
	a.current = current.Run == a.dir
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

// checkDigests reads every object that the manifest names.
func (a *audit) checkDigests(ctx context.Context) error {
	var all []artefact
	total := int64(0)
	for _, x := range a.artefacts() {
		if !a.damaged[x.name] {
			all = append(all, x)
			total += a.objects[x.name].Size
		}
	}
	wrong := make([]string, len(all)) // what is wrong with each
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(a.o.Workers)
	for i, x := range all {
		g.Go(func() error {
			o := a.objects[x.name]
			if x.bytes != sizeUnknown && o.Size != x.bytes {
				wrong[i] = fmt.Sprintf("%d bytes, the run manifest has %d", o.Size, x.bytes)
				return nil
			}
			sum, err := a.digest(gctx, o)
			if err == nil && sum != x.sha256 {
				wrong[i] = "its SHA-256 is not the one of " + x.by
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for i, x := range all {
		if wrong[i] != "" {
			a.damaged[x.name] = true
			a.found.of(x.name, "%s", wrong[i])
		}
	}
	a.checked.Objects += int64(len(all))
	a.checked.Bytes += total
	return nil
}

func (a *audit) digest(ctx context.Context, o objstore.Object) (string, error) {
	r, err := a.store.Open(ctx, o)
	if err != nil {
		return "", err
	}
	defer r.Close()
	hash := sha256.New()
	if _, err := io.CopyBuffer(struct{ io.Writer }{hash}, struct{ io.Reader }{io.NewSectionReader(r, 0, r.Size())}, make([]byte, 8<<20)); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), r.Unchanged(ctx)
}

// checkCounts compares the counts of the manifest with what the files hold, by
// footers and by the program's own readers of its manifests: it is those that access
// and erase will use. It says nothing yet of whether they are right.
func (a *audit) checkCounts(ctx context.Context) error {
	return a.inParallel(ctx, func(ctx context.Context, found *differences, dataset string, f *manifests.File) error {
		if err := a.checkRows(ctx, found, f); err != nil {
			return err
		}
		if err := a.checkExclusions(ctx, found, dataset, f); err != nil {
			return err
		}
		return a.checkSubjects(ctx, found, dataset, f)
	})
}

// inParallel calls f for every file of the manifest, several at a time. What is found
// comes in the order of the files.
func (a *audit) inParallel(ctx context.Context, f func(ctx context.Context, found *differences, dataset string, file *manifests.File) error) error {
	var all []*differences
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(a.o.Workers)
	_ = a.eachFile(func(dataset string, file *manifests.File) error {
		found := new(differences)
		all = append(all, found)
		g.Go(func() error { return f(ctx, found, dataset, file) })
		return nil
	})
	err := g.Wait()
	for _, found := range all {
		a.found.merge(found)
	}
	return err
}

// with opens an object that is not damaged. What f finds wrong with its bytes is a
// difference; that the storage fails is an error.
func (a *audit) with(ctx context.Context, found *differences, name string, f func(r *watched) error) error {
	if a.damaged[name] {
		return nil
	}
	r, err := a.store.Open(ctx, a.objects[name])
	if err != nil {
		return err
	}
	defer r.Close()
	w := &watched{Reader: r}
	if err := f(w); err != nil {
		if failed := w.failed(ctx); failed != nil {
			return failed
		}
		found.of(name, "%v", err)
	}
	return nil
}

// watched remembers whether reading failed, so that a fault of the storage is not
// taken for one of the file, whatever became of the error on its way.
type watched struct {
	objstore.Reader
	mu  sync.Mutex
	err error
}

func (w *watched) ReadAt(p []byte, off int64) (int, error) {
	n, err := w.Reader.ReadAt(p, off)
	if err != nil && !errors.Is(err, io.EOF) {
		w.mu.Lock()
		if w.err == nil {
			w.err = err
		}
		w.mu.Unlock()
	}
	return n, err
}

func (w *watched) failed(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return cmp.Or(context.Cause(ctx), w.err)
}

func (a *audit) checkRows(ctx context.Context, found *differences, f *manifests.File) error {
	return a.with(ctx, found, f.Output, func(r *watched) error {
		file, err := openOrdinary(ctx, r)
		if err != nil {
			return err
		}
		if n := file.rows(); n != f.RowsKept || n != file.file.NumRows() {
			return fmt.Errorf("%d rows, the run manifest has %d", n, f.RowsKept)
		}
		return nil
	})
}

func (a *audit) checkExclusions(ctx context.Context, found *differences, dataset string, f *manifests.File) error {
	return a.with(ctx, found, f.Exclusions, func(r *watched) error {
		x, err := manifests.OpenExclusions(r, r.Size())
		if err != nil {
			return err
		}
		if err := a.checkMeta(x.Meta(), dataset, f); err != nil {
			return err
		}
		return manifests.CheckExclusions(f, x.All())
	})
}

func (a *audit) checkSubjects(ctx context.Context, found *differences, dataset string, f *manifests.File) error {
	return a.with(ctx, found, f.Subjects, func(r *watched) error {
		x, err := manifests.OpenSubjectIndex(r, r.Size())
		if err != nil {
			return err
		}
		if err := a.checkMeta(x.Meta(), dataset, f); err != nil {
			return err
		}
		return manifests.CheckSubjects(f, x.All())
	})
}

// checkMeta checks whom a manifest's file says that it speaks of.
func (a *audit) checkMeta(m manifests.Meta, dataset string, f *manifests.File) error {
	if m.RunID != a.run.RunID || m.Dataset != dataset || m.Source != f.Source {
		return errors.New("its metadata names another run, data set or source")
	}
	return nil
}

// checkErased looks for kept rows of accounts that asked for deletion by now, which
// may be after the run: that is what makes a published run unfit for training.
func (a *audit) checkErased(ctx context.Context) error {
	if a.cfg == nil || a.cfg.Deletions == nil {
		return nil
	}
	ledger, err := a.readLedger(ctx)
	if err != nil {
		return err
	}
	refs := referencer{key: a.key}
	erased := make(map[manifests.Ref]bool, len(ledger))
	for id := range ledger {
		erased[refs.ref(id)] = true
	}
	a.checked.Deleted = int64(len(erased))
	before := a.found.count
	defer func() {
		if a.found.count > before {
			a.hint = "do not train on this run: publish a new one with `assent run`, and remove this one with `assent erase --apply`"
		}
	}()
	return a.inParallel(ctx, func(ctx context.Context, found *differences, _ string, f *manifests.File) error {
		rows, first := int64(0), int64(-1)
		err := a.with(ctx, found, f.Subjects, func(r *watched) error {
			x, err := manifests.OpenSubjectIndex(r, r.Size())
			if err != nil {
				return err
			}
			for e, err := range x.All() {
				if err != nil {
					return err
				}
				if !e.Kept || !erased[e.Ref] {
					continue
				}
				rows += int64(len(e.Rows))
				if least := slices.Min(e.Rows); first < 0 || least < first {
					first = least
				}
			}
			return nil
		})
		if rows > 0 {
			found.at(f.Output, first, "kept, though an account that it names has asked for deletion (%d times in this file)", rows)
		}
		return err
	})
}
