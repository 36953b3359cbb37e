package erase

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	"assent/job"
	"assent/job/internal/attest"
	"assent/job/internal/holdings"
	"assent/job/internal/objstore"
	"assent/job/internal/publish"
	receiptpage "assent/job/internal/receipt"
	"assent/manifests"
)

// erasureVersion is the schema_version of entries and receipts.
const erasureVersion = 1

// Entry says what an erasure removes and why. It is written before anything is
// removed and never changed, so that an interrupted erasure can be finished by what
// it was begun for.
type Entry struct {
	SchemaVersion int             `json:"schema_version"`
	ReceiptID     string          `json:"receipt_id"`
	Program       string          `json:"program"`
	Output        string          `json:"output"` // URI
	Tool          manifests.Tool  `json:"tool"`
	BegunAt       time.Time       `json:"begun_at"`
	Runs          []ErasedRun     `json:"runs"`
	Incomplete    []ErasedObjects `json:"incomplete"` // directories of runs that were never finished, or half removed
	Unchecked     []UncheckedRun  `json:"unchecked"`  // not removed
}

// ErasedRun is a run that an erasure removes.
type ErasedRun struct {
	holdings.HeldRun
	ErasedObjects
	Scopes []publish.Scope `json:"scopes"` // that were exported from it; they are elsewhere, and are not removed
}

// ErasedObjects are the objects of a directory that an erasure removes.
type ErasedObjects struct {
	Dir     string         `json:"dir"` // below the output
	Objects []ErasedObject `json:"objects"`
}

// ErasedObject is an object as it was before its removal.
type ErasedObject struct {
	Path       string `json:"path"` // below Dir
	Bytes      int64  `json:"bytes"`
	SHA256     string `json:"sha256,omitempty"`     // by the run manifest, where it names the object
	Generation string `json:"generation,omitempty"` // where the store knows past contents by it
}

// Receipt says that what an entry names is gone. It closes the entry.
type Receipt struct {
	Entry
	EntrySHA256 string         `json:"entry_sha256"`
	RemovedAt   time.Time      `json:"removed_at"` // when the last object was found to be gone
	FinishedBy  manifests.Tool `json:"finished_by"`
	Evidence    []string       `json:"evidence"` // below the output
	Storage     objstore.Terms `json:"storage"`
	NotCovered  []string       `json:"not_covered"`
}

// apply finishes erasures that were interrupted, then erases what there is to erase,
// all of it under the output's lease: nothing is published in between.
func (x *eraser) apply(ctx context.Context) (_ *Result, err error) {
	if dirs, err := x.out.Store.Dirs(ctx, ""); err != nil || len(dirs) == 0 {
		return x.answer(), err // not even an output to lock
	}
	lease, err := objstore.Acquire(ctx, x.out.Store, publish.LeaseObject, objstore.Holder{Run: "erase"}, x.Lease)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, lease.Release()) }()
	ctx = lease.Context()
	result, err := x.applyUnder(ctx, lease)
	return result, job.Cause(ctx, err)
}

func (x *eraser) applyUnder(ctx context.Context, lease *objstore.Lease) (*Result, error) {
	unfinished, err := x.unfinished(ctx)
	if err != nil {
		return nil, err
	}
	var receipts []*Receipt
	for _, entry := range unfinished {
		x.Log.Info("finishing an erasure that was interrupted", "receipt", entry.ReceiptID)
		receipt, err := x.finish(ctx, lease, entry)
		if err != nil {
			return nil, err
		}
		receipts = append(receipts, receipt)
	}
	r, err := x.survey(ctx)
	if err != nil {
		return nil, err
	}
	if r.found() {
		entry, err := x.entry(ctx, r)
		if err != nil {
			return nil, err
		}
		if err := x.begin(ctx, entry); err != nil {
			return nil, err
		}
		receipt, err := x.finish(ctx, lease, entry)
		if err != nil {
			return nil, err
		}
		receipts = append(receipts, receipt)
	}
	r.Runs, r.Incomplete, r.Scopes = []holdings.HeldRun{}, []string{}, []publish.Scope{}
	for _, receipt := range receipts {
		r.Status = Erased
		r.Receipts = append(r.Receipts, x.out.Store.URI(path.Join(publish.ErasedDir, receipt.ReceiptID, publish.ReceiptObject)))
		for _, run := range receipt.Runs {
			r.Runs = append(r.Runs, run.HeldRun)
			r.Scopes = append(r.Scopes, run.Scopes...)
		}
		for _, d := range receipt.Incomplete {
			r.Incomplete = append(r.Incomplete, x.out.Store.URI(d.Dir))
		}
		r.Storage = &receipt.Storage
	}
	return r, nil
}

// dirs are the directories that the entry's erasure removes.
func (e *Entry) dirs() (dirs []*ErasedObjects) {
	for i := range e.Runs {
		dirs = append(dirs, &e.Runs[i].ErasedObjects)
	}
	for i := range e.Incomplete {
		dirs = append(dirs, &e.Incomplete[i])
	}
	return dirs
}

// unfinished returns the entries that have no receipt, the oldest first.
func (x *eraser) unfinished(ctx context.Context) ([]*Entry, error) {
	objects, err := x.out.Store.List(ctx, publish.ErasedDir)
	if err != nil {
		return nil, err
	}
	closed := map[string]bool{}
	for _, o := range objects {
		if dir, name := path.Split(o.Name); name == publish.ReceiptObject {
			closed[dir] = true
		}
	}
	var entries []*Entry
	for _, o := range objects {
		if dir, name := path.Split(o.Name); name != publish.EntryObject || closed[dir] {
			continue
		}
		data, _, err := x.out.Store.Read(ctx, o.Name)
		if err != nil {
			return nil, err
		}
		entry := new(Entry)
		if err := json.Unmarshal(data, entry); err != nil {
			return nil, fmt.Errorf("%s: %w", x.out.Store.URI(o.Name), err)
		}
		if entry.SchemaVersion != erasureVersion || path.Join(publish.ErasedDir, entry.ReceiptID, publish.EntryObject) != o.Name {
			return nil, job.Refused("an erasure is finished by the version of assent that began it, or a later one", "%s: not an entry that this program can finish", x.out.Store.URI(o.Name))
		}
		for _, d := range entry.dirs() {
			if id, ok := strings.CutPrefix(d.Dir, publish.RunPrefix); !ok || !publish.CompleteID.MatchString(id) {
				return nil, job.Refused("", "%s: it would remove %q, which is no run", x.out.Store.URI(o.Name), d.Dir)
			}
		}
		entries = append(entries, entry)
	}
	return entries, nil
}

// entry puts together what is to be removed.
func (x *eraser) entry(ctx context.Context, r *Result) (*Entry, error) {
	entry := &Entry{
		SchemaVersion: erasureVersion, Program: x.cfg.Program.Name, Output: x.out.Store.URI(""), Tool: x.tool(), BegunAt: x.Now().UTC().Truncate(time.Second),
		Runs: []ErasedRun{}, Incomplete: []ErasedObjects{}, Unchecked: r.Unchecked,
	}
	for _, held := range r.Runs {
		run, err := x.out.FindRun(ctx, publish.RunDir(held.RunID))
		if err != nil {
			return nil, err
		}
		if run == nil {
			return nil, fmt.Errorf("%s: it was removed just now by someone else", held.URI)
		}
		objects, err := x.objects(ctx, run.Dir, run)
		if err != nil {
			return nil, err
		}
		scopes, err := x.out.Scopes(ctx, held.RunID)
		if err != nil {
			return nil, err
		}
		entry.Runs = append(entry.Runs, ErasedRun{held, objects, scopes})
	}
	for _, uri := range r.Incomplete {
		objects, err := x.objects(ctx, path.Base(uri), nil)
		if err != nil {
			return nil, err
		}
		entry.Incomplete = append(entry.Incomplete, objects)
	}
	sum := manifests.Digest(entry)
	entry.ReceiptID = entry.BegunAt.Format("20060102T150405Z") + "-" + sum[:12]
	return entry, nil
}

func (x *eraser) tool() manifests.Tool { return manifests.Tool{Name: "assent", Version: x.Version} }

// objects lists a run's directory, with the digests that its manifest names.
func (x *eraser) objects(ctx context.Context, dir string, run *publish.Run) (ErasedObjects, error) {
	listed, err := x.out.Store.List(ctx, dir)
	if err != nil {
		return ErasedObjects{}, err
	}
	digests := map[string]string{}
	if run != nil {
		digests[publish.ManifestObject] = run.Digest
		for _, o := range run.Objects() {
			digests[o.Path] = o.SHA256
		}
	}
	out := ErasedObjects{Dir: dir, Objects: []ErasedObject{}}
	for _, o := range listed {
		e := ErasedObject{Path: strings.TrimPrefix(o.Name, dir+"/"), Bytes: o.Size}
		e.SHA256 = digests[e.Path]
		if o.Versioned {
			e.Generation = o.Generation
		}
		out.Objects = append(out.Objects, e)
	}
	return out, nil
}

// begin writes the entry, if nothing speaks against the erasure.
func (x *eraser) begin(ctx context.Context, entry *Entry) error {
	if err := x.checkCurrent(ctx, entry); err != nil {
		return err
	}
	if err := x.checkDeletable(ctx, entry); err != nil {
		return err
	}
	data, err := marshalDocument(entry)
	if err != nil {
		return err
	}
	_, err = x.out.Store.Put(ctx, path.Join(publish.ErasedDir, entry.ReceiptID, publish.EntryObject), data, objstore.IfAbsent)
	return err
}

// checkCurrent refuses to take a run away from under those who read current.json.
func (x *eraser) checkCurrent(ctx context.Context, entry *Entry) error {
	current, err := x.out.Current(ctx)
	if err != nil || current == nil {
		return err
	}
	for _, d := range entry.dirs() {
		if d.Dir == current.Run {
			return job.Refused("publish a run that applies the deletion requests with `assent run`, then erase",
				"%s points at %s, which is to be removed; nothing was removed", x.out.Store.URI(publish.CurrentObject), d.Dir)
		}
	}
	return nil
}

// finish does what an entry says, all of it again where some was done before, and
// writes the receipt.
func (x *eraser) finish(ctx context.Context, lease *objstore.Lease, entry *Entry) (*Receipt, error) {
	if err := x.checkCurrent(ctx, entry); err != nil {
		return nil, err
	}
	evidence := []string{}
	for i := range entry.Runs {
		kept, err := x.keepEvidence(ctx, &entry.Runs[i])
		if err != nil {
			return nil, err
		}
		evidence = append(evidence, kept...)
	}
	for _, d := range entry.dirs() {
		if err := lease.Confirm(ctx); err != nil {
			return nil, err
		}
		if err := x.remove(ctx, d); err != nil {
			return nil, err
		}
	}
	receipt := &Receipt{
		Entry: *entry, RemovedAt: x.Now().UTC().Truncate(time.Second), FinishedBy: x.tool(),
		Evidence: evidence, NotCovered: notCovered,
	}
	receipt.Storage = x.storageTerms(ctx, receipt.RemovedAt)
	data, err := marshalDocument(entry)
	if err != nil {
		return nil, err
	}
	receipt.EntrySHA256 = manifests.SHA256(data)
	if data, err = marshalDocument(receipt); err != nil {
		return nil, err
	}
	page, err := receipt.page(data)
	if err != nil {
		return nil, err
	}
	// An erasure that was interrupted here writes page and signature anew.
	if _, err := x.out.Store.Put(ctx, path.Join(publish.ErasedDir, entry.ReceiptID, receiptpage.HTML), page, objstore.Any); err != nil {
		return nil, err
	}
	if err := x.sign(ctx, receipt, data, page); err != nil {
		return nil, err
	}
	if _, err := x.out.Store.Put(ctx, path.Join(publish.ErasedDir, entry.ReceiptID, publish.ReceiptObject), data, objstore.IfAbsent); err != nil {
		return nil, err
	}
	x.Log.Info("erased", "receipt", entry.ReceiptID, "runs", len(entry.Runs))
	return receipt, nil
}

// sign signs a receipt, its page and its entry, where a key is configured.
func (x *eraser) sign(ctx context.Context, r *Receipt, data, page []byte) error {
	if x.signer == nil {
		return nil
	}
	line, err := x.signer.Envelope(ctx, attest.ReceiptPredicate, map[string]string{"kind": "erase", "receipt_id": r.ReceiptID}, []attest.Subject{
		attest.File(receiptpage.JSON, manifests.SHA256(data)), attest.File(receiptpage.HTML, manifests.SHA256(page)), attest.File(publish.EntryObject, r.EntrySHA256),
	})
	if err != nil {
		return err
	}
	_, err = x.out.Store.Put(ctx, path.Join(publish.ErasedDir, r.ReceiptID, attest.ReceiptObject), line, objstore.Any)
	return err
}

// keepEvidence keeps what says what a run was.
func (x *eraser) keepEvidence(ctx context.Context, run *ErasedRun) ([]string, error) {
	kept, lost, err := x.out.KeepEvidence(ctx, run.Dir, publish.ErasedDir)
	for _, object := range lost {
		if object != publish.SignedObject { // not every run is signed
			x.Log.Warn("a run's manifest was removed before it could be kept as evidence", "run", run.RunID, "object", path.Base(object))
		}
	}
	return kept, err
}

// remove removes a directory, also what an interrupted removal has left of it, and
// looks that nothing is there any more.
func (x *eraser) remove(ctx context.Context, d *ErasedObjects) error {
	if err := x.out.Store.RemoveAll(ctx, d.Dir); err != nil {
		if errors.Is(err, fs.ErrPermission) {
			return &job.Error{Exit: job.ExitFailed, Hint: "objects may be on hold or under a retention policy, or the job may not delete; `assent erase --apply` goes on from here once that is settled", Err: err}
		}
		return err
	}
	left, err := x.out.Store.List(ctx, d.Dir)
	if err != nil {
		return err
	}
	if len(left) > 0 {
		return fmt.Errorf("%s: still there after its removal, with %d more", x.out.Store.URI(left[0].Name), len(left)-1)
	}
	return nil
}

func marshalDocument(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(v)
	return b.Bytes(), err
}
