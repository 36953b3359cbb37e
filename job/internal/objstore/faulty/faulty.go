// Package faulty wraps a store so that chosen operations fail: the tests of
// what a program leaves behind after a crash, a full disk or a lost answer.
//
// Each call of a Store method but URI is an operation, and so is each Write
// and Finish of a Writer and each ReadAt and Unchanged of a Reader. They are
// numbered from 0 in the order in which they begin. A test runs once to count
// them, or lets i grow until no fault was met:
//
//	for i := 0; ; i++ {
//		f := faulty.New(faulty.Crash, i, nil)
//		opener := &objstore.Opener{Wrap: f.Wrap}
//		err := run(opener)
//		// check what is there, repeat without faults, check again
//		if !f.Met() {
//			break
//		}
//	}
package faulty

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"syscall"
	"time"

	"assent/job/internal/objstore"
)

// ErrInjected is the error of a fault that was given none.
var ErrInjected = errors.New("injected fault")

// Mode says what happens at the chosen operation.
type Mode int

const (
	None  Mode = iota // nothing fails; operations are counted
	Fail              // it fails, and is not carried out
	Lost              // it is carried out, but fails: the answer is lost
	Short             // a Write or ReadAt is half carried out and fails; others as Fail
	Crash             // it and all after it fail, and nothing is cleaned up: Abort does nothing
)

// Kind is a fault by name: what happens, and with which error.
type Kind struct {
	Name string
	Mode Mode
	Err  error
}

// At is the fault at operation i.
func (k Kind) At(i int) *Faults { return New(k.Mode, i, k.Err) }

// Kinds are what storage does to a program, each of which a test of a whole job goes
// through. Errors are as a store returns them once its own repeats are used up. A full
// disk at any byte is [NoSpace]; the loss of what was not synced is [Disk].
func Kinds() []Kind {
	status := func(code int) error { return fmt.Errorf("HTTP %d %s: injected", code, http.StatusText(code)) }
	return []Kind{
		{"fail", Fail, ErrInjected},
		{"short", Short, io.ErrShortWrite},
		{"lost", Lost, ErrInjected},
		{"precondition", Fail, fmt.Errorf("%w: %w", objstore.ErrPrecondition, status(http.StatusPreconditionFailed))},
		{"too many requests", Fail, status(http.StatusTooManyRequests)},
		{"unavailable", Fail, status(http.StatusServiceUnavailable)},
		{"unavailable, but carried out", Lost, status(http.StatusServiceUnavailable)},
		{"timeout", Fail, context.DeadlineExceeded},
		{"timeout, but carried out", Lost, context.DeadlineExceeded},
		{"disk full", Fail, &noSpace{uri: "injected"}},
		{"crash", Crash, ErrInjected},
	}
}

// Faults chooses which operation fails, over all stores that it wraps.
type Faults struct {
	mode Mode
	at   int
	err  error

	mu    sync.Mutex
	ops   []string
	met   bool
	space int64 // bytes that Writers may still write; negative: no limit
}

// New returns faults of a mode at operation at; a nil err is ErrInjected.
func New(mode Mode, at int, err error) *Faults {
	if err == nil {
		err = ErrInjected
	}
	return &Faults{mode: mode, at: at, err: err, space: -1}
}

// NoSpace returns faults that let Writers write so many bytes in all; from then
// on every Write fails with ENOSPC, the one that crosses the limit in its middle.
func NoSpace(bytes int64) *Faults {
	return &Faults{space: bytes, err: ErrInjected}
}

// Met tells whether the fault happened.
func (f *Faults) Met() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.met
}

// Ops lists the operations so far, as "Method name".
func (f *Faults) Ops() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.ops...)
}

// Wrap returns s with the faults. It fits [objstore.Opener.Wrap].
func (f *Faults) Wrap(s objstore.Store) objstore.Store { return &store{Store: s, f: f} }

// begin counts an operation and tells how it goes.
func (f *Faults) begin(op, name string) Mode {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := len(f.ops)
	f.ops = append(f.ops, op+" "+name)
	if f.mode == None || i < f.at || i > f.at && f.mode != Crash {
		return None
	}
	f.met = true
	return f.mode
}

// crashed tells that nothing has an effect any more.
func (f *Faults) crashed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.mode == Crash && f.met
}

// take grants up to n bytes of what space is left.
func (f *Faults) take(n int) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.space < 0 || int64(n) <= f.space {
		if f.space >= 0 {
			f.space -= int64(n)
		}
		return n
	}
	f.met = true
	n = int(f.space)
	f.space = 0
	return n
}

func do[T any](f *Faults, op, name string, run func() (T, error)) (T, error) {
	var zero T
	switch f.begin(op, name) {
	case None:
		return run()
	case Lost:
		if _, err := run(); err != nil {
			return zero, err
		}
	}
	return zero, f.err
}

func do0(f *Faults, op, name string, run func() error) error {
	_, err := do(f, op, name, func() (struct{}, error) { return struct{}{}, run() })
	return err
}

type store struct {
	objstore.Store
	f *Faults
}

func (s *store) List(ctx context.Context, prefix string) ([]objstore.Object, error) {
	return do(s.f, "List", prefix, func() ([]objstore.Object, error) { return s.Store.List(ctx, prefix) })
}

func (s *store) Dirs(ctx context.Context, prefix string) ([]string, error) {
	return do(s.f, "Dirs", prefix, func() ([]string, error) { return s.Store.Dirs(ctx, prefix) })
}

func (s *store) Exists(ctx context.Context, prefix string) (bool, error) {
	return do(s.f, "Exists", prefix, func() (bool, error) { return s.Store.Exists(ctx, prefix) })
}

func (s *store) Terms(ctx context.Context, deleted time.Time) (objstore.Terms, error) {
	return do(s.f, "Terms", "", func() (objstore.Terms, error) { return s.Store.Terms(ctx, deleted) })
}

func (s *store) Stat(ctx context.Context, name string) (objstore.Object, error) {
	return do(s.f, "Stat", name, func() (objstore.Object, error) { return s.Store.Stat(ctx, name) })
}

func (s *store) Identity(ctx context.Context, obj objstore.Object) (string, error) {
	return do(s.f, "Identity", obj.Name, func() (string, error) { return s.Store.Identity(ctx, obj) })
}

func (s *store) Read(ctx context.Context, name string) ([]byte, objstore.Object, error) {
	var obj objstore.Object
	data, err := do(s.f, "Read", name, func() (data []byte, err error) {
		data, obj, err = s.Store.Read(ctx, name)
		return data, err
	})
	if err != nil {
		obj = objstore.Object{}
	}
	return data, obj, err
}

func (s *store) Put(ctx context.Context, name string, data []byte, cond objstore.Condition) (objstore.Object, error) {
	return do(s.f, "Put", name, func() (objstore.Object, error) { return s.Store.Put(ctx, name, data, cond) })
}

func (s *store) Copy(ctx context.Context, from objstore.Object, to string) (objstore.Object, error) {
	return do(s.f, "Copy", to, func() (objstore.Object, error) { return s.Store.Copy(ctx, from, to) })
}

func (s *store) Delete(ctx context.Context, obj objstore.Object) error {
	return do0(s.f, "Delete", obj.Name, func() error { return s.Store.Delete(ctx, obj) })
}

func (s *store) Promote(ctx context.Context, from, to, last string, with map[string]objstore.Object) error {
	return do0(s.f, "Promote", to, func() error { return s.Store.Promote(ctx, from, to, last, with) })
}

func (s *store) RemoveAll(ctx context.Context, prefix string) error {
	return do0(s.f, "RemoveAll", prefix, func() error { return s.Store.RemoveAll(ctx, prefix) })
}

func (s *store) Open(ctx context.Context, obj objstore.Object) (objstore.Reader, error) {
	r, err := do(s.f, "Open", obj.Name, func() (objstore.Reader, error) { return s.Store.Open(ctx, obj) })
	if err != nil {
		return nil, err
	}
	return &reader{Reader: r, f: s.f, name: obj.Name}, nil
}

func (s *store) Create(ctx context.Context, name string) (objstore.Writer, error) {
	w, err := do(s.f, "Create", name, func() (objstore.Writer, error) { return s.Store.Create(ctx, name) })
	if err != nil {
		return nil, err
	}
	return &writer{w: w, f: s.f, name: name}, nil
}

type reader struct {
	objstore.Reader
	f    *Faults
	name string
}

func (r *reader) ReadAt(p []byte, off int64) (int, error) {
	switch r.f.begin("ReadAt", r.name) {
	case None:
		return r.Reader.ReadAt(p, off)
	case Short:
		n, err := r.Reader.ReadAt(p[:len(p)/2], off)
		if err == nil {
			err = io.ErrUnexpectedEOF
		}
		return n, err
	}
	return 0, r.f.err
}

func (r *reader) Unchanged(ctx context.Context) error {
	return do0(r.f, "Unchanged", r.name, func() error { return r.Reader.Unchanged(ctx) })
}

type writer struct {
	w    objstore.Writer
	f    *Faults
	name string
}

func (w *writer) Write(p []byte) (int, error) {
	switch mode := w.f.begin("Write", w.name); {
	case mode == Short:
		n, err := w.w.Write(p[:len(p)/2])
		if err == nil {
			err = w.f.err
		}
		return n, err
	case mode == Lost:
		if _, err := w.w.Write(p); err != nil {
			return 0, err
		}
		return 0, w.f.err
	case mode != None:
		return 0, w.f.err
	}
	room := w.f.take(len(p))
	n, err := w.w.Write(p[:room])
	if err == nil && room < len(p) {
		err = &noSpace{uri: w.name}
	}
	return n, err
}

func (w *writer) Finish(ctx context.Context) error {
	return do0(w.f, "Finish", w.name, func() error { return w.w.Finish(ctx) })
}

func (w *writer) Abort() {
	if !w.f.crashed() {
		w.w.Abort()
	}
}

// noSpace looks as the file store's error for a full disk does.
type noSpace struct{ uri string }

func (e *noSpace) Error() string   { return e.uri + ": write: " + syscall.ENOSPC.Error() }
func (e *noSpace) Unwrap() []error { return []error{objstore.ErrNoSpace, syscall.ENOSPC} }
