package verify

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"assent/job/internal/objstore"
	"assent/job/internal/publish"
	"assent/manifests"
)

// artefact is an object that the run manifest or the marker names.
type artefact struct {
	name   string
	bytes  int64 // sizeUnknown where only the digest is named
	sha256 string
	by     string                              // who names it
	look   func(r *watched, x *artefact) error // into bytes that are as named; nil: not at all

	// What came of it:
	found  differences
	intact bool
	erased bool // a kept row names an account that is to be erased

	columns map[string]string // of a data file, see columnsOf
	own     int64             // of a subject index: records that the account of audit.use is a party to
}

const sizeUnknown = -1

// artefacts returns all artefacts of the run. They are checked by footers and by the
// program's own readers of its manifests, which access and erase use as well. Whether
// they are right is not said yet. erased are accounts that are to be erased.
func (a *audit) artefacts(erased map[manifests.Ref]bool) []*artefact {
	const by = "the run manifest"
	daily := &a.run.Daily
	all := []*artefact{
		{name: publish.ReportObject, bytes: sizeUnknown, sha256: a.success.ReportSHA256, by: publish.SuccessObject},
		{name: daily.Path, bytes: daily.Bytes, sha256: daily.SHA256, by: by},
	}
	for _, d := range a.run.Documents {
		all = append(all, &artefact{name: d.Path, bytes: d.Bytes, sha256: d.SHA256, by: by})
	}
	if x := &a.run.Index; x.Path != "" {
		all = append(all, &artefact{name: x.Path, bytes: x.Bytes, sha256: x.SHA256, by: by})
	}
	for _, dataset := range slices.Sorted(maps.Keys(a.run.Datasets)) {
		files := a.run.Datasets[dataset].Files
		if x := a.run.Datasets[dataset].Footprints; x.Path != "" {
			all = append(all, &artefact{name: x.Path, bytes: x.Bytes, sha256: x.SHA256, by: by})
		}
		for i := range files {
			f := &files[i]
			all = append(all,
				&artefact{name: f.Output, bytes: f.Bytes, sha256: f.SHA256, by: by, look: func(r *watched, x *artefact) error {
					if a.o.Quick {
						return a.quickRows(r, x, f)
					}
					return a.checkRows(r, x, f)
				}},
				&artefact{name: f.Exclusions, bytes: f.ExclusionsBytes, sha256: f.ExclusionsSHA256, by: by, look: func(r *watched, _ *artefact) error {
					if a.o.Quick {
						return quickExclusions(r, dataset, f)
					}
					return a.checkExclusions(r, dataset, f)
				}},
				&artefact{name: f.Subjects, bytes: f.SubjectsBytes, sha256: f.SubjectsSHA256, by: by, look: func(r *watched, x *artefact) error {
					if a.o.Quick && len(erased) == 0 && a.use.account == nil {
						_, err := quickManifest(r, dataset, f)
						return err
					}
					return a.checkSubjects(r, x, dataset, f, erased)
				}})
		}
	}
	return all
}

// checkObjects compares the run's directory with what the manifest names, then every
// object with what it says of it.
func (a *audit) checkObjects(ctx context.Context) error {
	erased, err := a.toErase(ctx)
	if err != nil {
		return err
	}
	all := a.artefacts(erased)
	if err := a.checkTree(ctx, all); err != nil {
		return err
	}
	g, gctx := errgroup.WithContext(ctx)
	var next atomic.Int64
	for range a.o.Workers { // not a goroutine an object: most are small, and each would grow its stack anew
		g.Go(func() error {
			var buf []byte
			for i := next.Add(1) - 1; i < int64(len(all)); i = next.Add(1) - 1 {
				if o, there := a.objects[all[i].name]; there && o.Err == nil {
					if err := all[i].check(gctx, a.store, o, &buf); err != nil {
						return err
					}
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	a.intact, a.columns, a.own = make(map[string]bool, len(all)), map[string]map[string]string{}, map[string]int64{}
	for _, x := range all {
		a.found.merge(&x.found)
		a.intact[x.name] = x.intact
		if x.columns != nil {
			a.columns[x.name] = x.columns
		}
		if x.own > 0 {
			a.own[x.name] = x.own
		}
		if o, there := a.objects[x.name]; there {
			a.checked.Objects++
			a.checked.Bytes += o.Size
		}
		if x.erased {
			a.hint = hintErased
		}
	}
	return nil
}

// checkTree tells of artefacts that are missing, and of all else that a published run
// does not have: other objects, links, pipes and the like, and empty directories. A link
// may lead to other bytes tomorrow.
func (a *audit) checkTree(ctx context.Context, artefacts []*artefact) error {
	named := map[string]bool{publish.SuccessObject: true, publish.ManifestObject: true, publish.SignedObject: a.signedWith != nil || a.run.Invocation.SignedBy != ""}
	for _, x := range artefacts {
		named[x.name] = true
		if _, there := a.objects[x.name]; !there {
			a.found.of(x.name, "missing")
		}
	}
	directories := map[string]bool{a.dir: true}
	elsewhere := false // the place has no directories but what some object is below
	for _, name := range slices.Sorted(maps.Keys(a.objects)) {
		o := a.objects[name]
		switch {
		case !named[name]:
			a.found.of(name, "the run manifest does not name it")
		case o.Err != nil:
			a.found.of(name, "%v", o.Err)
		case o.Link != "":
			a.found.of(name, "a link leads there; a run has files alone")
		}
		elsewhere = elsewhere || o.Versioned
		for dir := path.Dir(a.object(name)); dir != a.dir; dir = path.Dir(dir) {
			directories[dir] = true
		}
	}
	if elsewhere {
		return nil
	}
	for _, dir := range slices.Sorted(maps.Keys(directories)) {
		below, err := a.store.Dirs(ctx, dir)
		if err != nil {
			return err
		}
		for _, name := range below {
			if !directories[name] {
				a.found.of(strings.TrimPrefix(name, a.dir+"/"), "an empty directory, which no run has")
			}
		}
	}
	return nil
}

// smallObject is up to which size an object is read once, into memory, rather than once
// for its digest and again for what it holds.
const smallObject = 1 << 20

// check reads an object and compares its digest, then looks into it. buf has room for small objects, and is grown for them: what looks
// into one keeps none of its bytes.
func (x *artefact) check(ctx context.Context, store objstore.Store, o objstore.Object, buf *[]byte) error {
	if x.bytes != sizeUnknown && o.Size != x.bytes {
		x.found.of(x.name, "%d bytes, the run manifest has %d", o.Size, x.bytes)
		return nil
	}
	if o.Size <= smallObject {
		data, err := objstore.Whole(ctx, store, o, *buf)
		if err != nil {
			return err
		}
		*buf = data
		sum := sha256.Sum256(data)
		return x.examine(ctx, objstore.InMemory(data), sum[:])
	}
	r, err := store.Open(ctx, o)
	if err != nil {
		return err
	}
	defer r.Close()
	hash := sha256.New()
	if _, err := io.CopyBuffer(struct{ io.Writer }{hash}, struct{ io.Reader }{io.NewSectionReader(r, 0, r.Size())}, make([]byte, smallObject)); err != nil {
		return err
	}
	if err := x.examine(ctx, r, hash.Sum(nil)); err != nil {
		return err
	}
	return r.Unchanged(ctx)
}

// examine compares an object's digest, then looks into it.
func (x *artefact) examine(ctx context.Context, r objstore.Reader, digest []byte) error {
	if x.intact = hex.EncodeToString(digest) == x.sha256; !x.intact {
		x.found.of(x.name, "its SHA-256 is not the one of %s", x.by)
		return nil
	}
	if x.look != nil {
		w := &watched{Reader: r}
		if err := x.look(w, x); err != nil {
			if failed := w.failed(ctx); failed != nil {
				return failed
			}
			x.found.of(x.name, "%v", err)
		}
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

func (a *audit) checkRows(r *watched, x *artefact, f *manifests.File) error {
	file, err := openParquet(context.Background(), r)
	if err != nil {
		return err
	}
	if n := file.rows(); n != f.RowsKept || n != file.file.NumRows() {
		return fmt.Errorf("%d rows, the run manifest has %d", n, f.RowsKept)
	}
	columns := columnsOf(file)
	known, _ := a.columnsSeen.LoadOrStore(fmt.Sprint(columns), columns)
	x.columns = known.(map[string]string)
	return nil
}

func (a *audit) checkExclusions(r *watched, dataset string, f *manifests.File) error {
	x, err := manifests.OpenExclusions(r, r.Size())
	if err != nil {
		return err
	}
	if err := a.checkMeta(x.Meta(), dataset, f); err != nil {
		return err
	}
	return manifests.CheckExclusions(f, x.All())
}

// checkSubjects checks a subject index and looks in it for accounts that are to be
// erased: a kept row that names one makes a published run unfit for training.
func (a *audit) checkSubjects(r *watched, x *artefact, dataset string, f *manifests.File, erased map[manifests.Ref]bool) error {
	index, err := manifests.OpenSubjectIndex(r, r.Size())
	if err != nil {
		return err
	}
	if err := a.checkMeta(index.Meta(), dataset, f); err != nil {
		return err
	}
	rows, first, own := int64(0), int64(-1), map[int64]bool{}
	err = manifests.CheckSubjects(f, func(yield func(manifests.SubjectRows, error) bool) {
		for e, err := range index.All() {
			if err == nil && e.Kept && erased[e.Ref] {
				rows += int64(len(e.Rows))
				if least := slices.Min(e.Rows); first < 0 || least < first {
					first = least
				}
			}
			if err == nil && a.use.owns(dataset, &e) {
				for _, row := range e.Rows {
					own[row] = true
				}
			}
			if !yield(e, err) {
				return
			}
		}
	})
	x.own = int64(len(own))
	if rows > 0 {
		x.erased = true
		x.found.at(f.Output, first, "kept, though an account that it names has asked for deletion (%d times in this file)", rows)
	}
	return err
}

// checkMeta checks of which file a manifest says that it speaks.
func (a *audit) checkMeta(m manifests.Meta, dataset string, f *manifests.File) error {
	if m.Dataset != dataset || m.Source != f.Source {
		return errors.New("its metadata names another data set or source")
	}
	return nil
}

// toErase returns the accounts that have asked for deletion by now, which may be after
// the run. Beside the inputs of the run nobody asks for them.
func (a *audit) toErase(ctx context.Context) (map[manifests.Ref]bool, error) {
	if !a.o.Quick || a.cfg == nil || a.cfg.Deletions == nil {
		return nil, nil
	}
	ledger, err := a.readLedger(ctx)
	if err != nil {
		return nil, err
	}
	refs := referencer{key: a.key}
	erased := make(map[manifests.Ref]bool, len(ledger))
	for id := range ledger {
		erased[refs.ref(id)] = true
	}
	a.checked.Deleted = int64(len(erased))
	return erased, nil
}
