package holdings

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"assent/filter"
	"assent/job"
	"assent/job/internal/config"
	"assent/job/internal/objstore"
	"assent/job/internal/publish"
	"assent/job/internal/source"
	"assent/job/parquet/rewrite"
	"assent/manifests"
	"assent/schema"
)

// HeldRun is a published run that holds accounts with a deletion request: some of
// the records that it kept name them.
type HeldRun struct {
	RunID    string        `json:"run_id"`
	URI      string        `json:"uri"`
	Horizon  time.Time     `json:"consent_as_of"`
	Current  bool          `json:"current"`
	Accounts int           `json:"accounts"`
	KeptRows int64         `json:"kept_rows"` // records, each counted once
	Files    []HeldFile    `json:"files"`
	Subjects []HeldSubject `json:"subjects"` // by reference
}

// HeldFile is a published data file that has such records.
type HeldFile struct {
	Path     string `json:"path"` // below the run
	Accounts int    `json:"accounts"`
	KeptRows int64  `json:"kept_rows"`
}

// HeldSubject is an account that is held, by its reference.
type HeldSubject struct {
	Ref      string   `json:"ref"`
	Requests []string `json:"request_ids"` // those that have an id
	KeptRows int64    `json:"kept_rows"`
}

// requests are the accounts with a deletion request, by their references.
type Requests struct {
	ids  map[manifests.Ref][]string // request ids
	Refs []manifests.Ref            // sorted
}

// loadRequests reads the ledger of deletion requests.
func LoadRequests(ctx context.Context, e *job.Env, cfg *config.Config, key *manifests.Key) (*Requests, error) {
	p := &source.Planner{Cfg: cfg, Opener: e.Opener, Log: e.Log, Limit: 1, Quick: true}
	in, err := p.Resolve(ctx, "deletions", cfg.Deletions.Path)
	if err != nil {
		return nil, err
	}
	s := &requestSink{referrer: key.NewReferrer(), requests: map[manifests.Ref][]string{}}
	loader := source.Loader{Cfg: cfg, Sink: s, NewestRequest: schema.Unknown}
	for _, f := range in.Files {
		err := p.Look(ctx, &in, f, func(file *rewrite.File) error { _, err := source.BindDeletions(file, cfg.Deletions); return err })
		if err == nil {
			err = loader.Deletions(ctx, f)
		}
		if err != nil {
			return nil, err
		}
	}
	refs := slices.SortedFunc(maps.Keys(s.requests), compareRefs)
	return &Requests{s.requests, refs}, nil
}

func compareRefs(a, b manifests.Ref) int { return slices.Compare(a[:], b[:]) }

// requestSink takes deletion requests, and is told of nothing else.
type requestSink struct {
	source.Sink
	referrer *manifests.Referrer
	requests map[manifests.Ref][]string
}

func (s *requestSink) Deletion(id []byte, d filter.Deletion) error {
	if len(id) == 0 {
		return filter.ErrNoID
	}
	ref := s.referrer.Ref(id)
	ids, ok := s.requests[ref]
	if !ok {
		ids = []string{}
	}
	if d.Request != "" && !slices.Contains(ids, d.Request) {
		ids = append(ids, d.Request)
	}
	s.requests[ref] = ids
	return nil
}

// indexReaders is how many subject indexes are looked into at a time: most of that
// is waiting.
const IndexReaders = 8

// lookupBytes is about what one look-up reads of a subject index. Where looking up
// all accounts would read more than the index is long, it is read through instead.
const lookupBytes = 64 << 10

// errHeld ends a search that only wants to know whether.
var errHeld = errors.New("held")

// held finds out which accounts a published run holds; nil for none.
func (q *Requests) Held(ctx context.Context, out *publish.Output, run *manifests.Run) (*HeldRun, error) {
	h := &HeldRun{RunID: run.RunID, URI: out.Store.URI(publish.RunDir(run.RunID)), Horizon: run.ConsentAsOf, Files: []HeldFile{}, Subjects: []HeldSubject{}}
	var mu sync.Mutex
	rows := map[manifests.Ref]int64{}
	err := q.search(ctx, out, run, func(f *manifests.File, found map[manifests.Ref][]int64) error {
		var all []int64
		for _, of := range found {
			all = append(all, of...)
		}
		slices.Sort(all)
		file := HeldFile{f.Output, len(found), int64(len(slices.Compact(all)))}
		mu.Lock()
		defer mu.Unlock()
		h.Files = append(h.Files, file)
		h.KeptRows += file.KeptRows
		for ref, of := range found {
			rows[ref] += int64(len(of))
		}
		return nil
	})
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	slices.SortFunc(h.Files, func(a, b HeldFile) int { return strings.Compare(a.Path, b.Path) })
	for _, ref := range slices.SortedFunc(maps.Keys(rows), compareRefs) {
		h.Subjects = append(h.Subjects, HeldSubject{ref.String(), q.ids[ref], rows[ref]})
	}
	h.Accounts = len(h.Subjects)
	return h, nil
}

// holder answers, for the verb runs, whether runs hold accounts with a deletion request.
type holder struct {
	requests *Requests // nil: not known
	key      *manifests.Key
	out      *publish.Output
}

// newHolder reads the ledger, where one is configured. Where it or the key cannot be
// had, that is no reason not to list runs.
func NewHolder(ctx context.Context, e *job.Env, cfg *config.Config, out *publish.Output) (*holder, error) {
	h := &holder{out: out}
	if cfg.Deletions == nil {
		return h, nil
	}
	var err error
	if h.key, err = config.SubjectKey(cfg); err == nil {
		h.requests, err = LoadRequests(ctx, e, cfg, h.key)
	}
	if exit, _ := job.Explain(err); exit == job.ExitUsage {
		e.Log.Warn("whether runs hold erased accounts is not known", "error", err)
		return h, nil
	}
	return h, err
}

// holds reports whether a published run holds any of the accounts; nil: not known.
func (h *holder) Holds(ctx context.Context, run *manifests.Run) (*bool, error) {
	if h.requests == nil || !run.MadeUnder(h.key) {
		return nil, nil
	}
	err := h.requests.search(ctx, h.out, run, func(*manifests.File, map[manifests.Ref][]int64) error { return errHeld })
	held := errors.Is(err, errHeld)
	if err != nil && !held {
		return nil, err
	}
	return &held, nil
}

// search calls each, several at a time, for the files of a run that hold accounts,
// with the kept rows of every one.
func (q *Requests) search(ctx context.Context, out *publish.Output, run *manifests.Run, each func(*manifests.File, map[manifests.Ref][]int64) error) error {
	if len(q.Refs) == 0 {
		return nil
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(IndexReaders)
	for _, d := range run.Datasets {
		for i := range d.Files {
			f := &d.Files[i]
			if f.RowsKept == 0 {
				continue
			}
			g.Go(func() error {
				if err := ctx.Err(); err != nil {
					return err
				}
				found, err := q.searchFile(ctx, out.Store, publish.RunDir(run.RunID), f)
				if err != nil || len(found) == 0 {
					return err
				}
				return each(f, found)
			})
		}
	}
	return g.Wait()
}

// searchFile returns the kept rows of every account that a file holds, ascending.
func (q *Requests) searchFile(ctx context.Context, store objstore.Store, dir string, f *manifests.File) (map[manifests.Ref][]int64, error) {
	name := path.Join(dir, f.Subjects)
	r, err := store.Open(ctx, objstore.Object{Name: name})
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if r.Size() != f.SubjectsBytes {
		return nil, job.Refused("", "%s: has %d bytes, the run manifest says %d", store.URI(name), r.Size(), f.SubjectsBytes)
	}
	index, err := manifests.OpenSubjectIndex(r, r.Size())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", store.URI(name), err)
	}
	find := q.lookup
	if int64(len(q.Refs))*lookupBytes > r.Size() {
		find = q.readThrough
	}
	found, err := find(index)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", store.URI(name), err)
	}
	return found, r.Unchanged(ctx)
}

func (q *Requests) lookup(index *manifests.SubjectIndex) (map[manifests.Ref][]int64, error) {
	found := map[manifests.Ref][]int64{}
	for _, ref := range q.Refs {
		rows, err := index.Lookup(ref)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			if row.Kept {
				found[ref] = append(found[ref], row.Row)
			}
		}
	}
	return found, nil
}

func (q *Requests) readThrough(index *manifests.SubjectIndex) (map[manifests.Ref][]int64, error) {
	found := map[manifests.Ref][]int64{}
	for e, err := range index.All() {
		if err != nil {
			return nil, err
		}
		if _, ok := q.ids[e.Ref]; ok && e.Kept {
			found[e.Ref] = append(found[e.Ref], e.Rows...)
		}
	}
	for ref, rows := range found { // under several roles, a row comes several times
		slices.Sort(rows)
		found[ref] = slices.Compact(rows)
	}
	return found, nil
}
