package holdings

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"assent/job"
	"assent/job/internal/config"
	"assent/job/internal/publish"
	"assent/manifests"
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
	Ref      string    `json:"ref"`
	Requests []string  `json:"request_ids"` // those that have an id
	Asked    []Request `json:"requests"`
	KeptRows int64     `json:"kept_rows"`
}

// IndexReaders is how many subject indexes are looked into at a time: most of that
// is waiting.
const IndexReaders = 8

// errHeld ends a search that only wants to know whether.
var errHeld = errors.New("held")

// Held finds out which of the accounts a run holds; nil for none.
func (q *Requests) Held(ctx context.Context, run *publish.Run) (*HeldRun, error) {
	h := &HeldRun{RunID: run.RunID, URI: run.URI(""), Horizon: run.ConsentAsOf, Files: []HeldFile{}, Subjects: []HeldSubject{}}
	var mu sync.Mutex
	kept := map[manifests.Ref]int64{} // rows
	err := q.search(ctx, run, publish.DigestSmall, func(f *manifests.File, found map[manifests.Ref][]int64) error {
		var all []int64
		for _, rows := range found {
			all = append(all, rows...)
		}
		slices.Sort(all)
		file := HeldFile{f.Output, len(found), int64(len(slices.Compact(all)))}
		mu.Lock()
		defer mu.Unlock()
		h.Files = append(h.Files, file)
		h.KeptRows += file.KeptRows
		for ref, rows := range found {
			kept[ref] += int64(len(rows))
		}
		return nil
	})
	if err != nil || len(kept) == 0 {
		return nil, err
	}
	slices.SortFunc(h.Files, func(a, b HeldFile) int { return strings.Compare(a.Path, b.Path) })
	for _, ref := range slices.SortedFunc(maps.Keys(kept), compareRefs) {
		subject := HeldSubject{Ref: ref.String(), Requests: []string{}, Asked: q.asked[ref], KeptRows: kept[ref]}
		for _, r := range subject.Asked {
			if r.ID != "" {
				subject.Requests = append(subject.Requests, r.ID)
			}
		}
		h.Subjects = append(h.Subjects, subject)
	}
	h.Accounts = len(h.Subjects)
	return h, nil
}

// Holder answers, for the verb runs, whether runs hold accounts with a deletion request.
type Holder struct {
	requests *Requests // nil: not known
	key      *manifests.Key
}

// NewHolder reads the ledger, where one is configured. Where it or the key cannot be
// had, that is no reason not to list runs.
func NewHolder(ctx context.Context, e *job.Env, cfg *config.Config) (*Holder, error) {
	h := new(Holder)
	if cfg.Deletions == nil {
		return h, nil
	}
	var err error
	if h.key, err = config.SubjectKey(cfg); err == nil {
		h.requests, err = LoadRequests(ctx, e, cfg, h.key)
	}
	if exit, _ := job.Explain(err); exit == job.ExitUsage {
		e.Log.Warn("whether runs hold erased accounts is not known", "error", err)
		return new(Holder), nil
	}
	return h, err
}

// Knows tells whether there is a ledger that could be read.
func (h *Holder) Knows() bool { return h.requests != nil }

// Holds reports whether a run holds any of the accounts; nil: not known.
func (h *Holder) Holds(ctx context.Context, run *publish.Run) (*bool, error) {
	if h.requests == nil || !run.MadeUnder(h.key) {
		return nil, nil
	}
	err := h.requests.search(ctx, run, publish.DigestNone, func(*manifests.File, map[manifests.Ref][]int64) error { return errHeld })
	held := errors.Is(err, errHeld)
	if err != nil && !held {
		return nil, err
	}
	return &held, nil
}

// search calls take, several at a time, for the files of a run that hold accounts, with
// the kept rows of every one. For digested see publish.Run.Open.
func (q *Requests) search(ctx context.Context, run *publish.Run, digested int64, take func(*manifests.File, map[manifests.Ref][]int64) error) error {
	if len(q.Refs) == 0 {
		return nil
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(IndexReaders)
	for name, d := range run.Datasets {
		for i := range d.Files {
			f := &d.Files[i]
			if f.RowsKept == 0 {
				continue
			}
			g.Go(func() error {
				if err := ctx.Err(); err != nil {
					return err
				}
				found, err := q.searchFile(ctx, run, name, f, digested)
				if err != nil || len(found) == 0 {
					return err
				}
				return take(f, found)
			})
		}
	}
	return g.Wait()
}

// searchFile returns the kept rows of every account that a file holds, ascending.
func (q *Requests) searchFile(ctx context.Context, run *publish.Run, dataset string, f *manifests.File, digested int64) (map[manifests.Ref][]int64, error) {
	index, err := OpenIndex(ctx, run, dataset, f, digested)
	if err != nil {
		return nil, err
	}
	defer index.Close()
	named, err := index.Find(q.Refs)
	if err != nil {
		return nil, run.Fault(f.Subjects, err)
	}
	found := map[manifests.Ref][]int64{}
	for ref, rows := range named {
		for _, row := range rows {
			if row.Kept {
				found[ref] = append(found[ref], row.Row)
			}
		}
	}
	return found, index.Unchanged(ctx)
}
