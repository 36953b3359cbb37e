package objstore

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// Holder says who holds a lease: the lease object's content, as JSON. Acquire
// fills every field that is empty, but Run, with this process's.
type Holder struct {
	Run      string    `json:"run"`                 // what it is held for
	Host     string    `json:"host"`                // host name
	PID      int       `json:"pid"`                 // process id
	Boot     string    `json:"boot,omitempty"`      // boot and namespaces in which PID means something; "" if not known
	PIDStart string    `json:"pid_start,omitempty"` // when the process started, in the kernel's ticks: guards against reuse of PID
	Started  time.Time `json:"started"`             // when the lease was acquired, by that host's clock: for people
	Beat     int64     `json:"beat"`                // counts renewals
	Token    string    `json:"token"`               // unique to one Acquire
}

// HeldError says who holds the lease that Acquire did not get. It is an ErrHeld.
type HeldError struct {
	URI    string
	Holder Holder // zero if the lease object could not be understood
}

func (e *HeldError) Error() string {
	if e.Holder.Token == "" {
		return fmt.Sprintf("%s: %v", e.URI, ErrHeld)
	}
	return fmt.Sprintf("%s: %v: run %s on %s since %s", e.URI, ErrHeld,
		e.Holder.Run, e.Holder.Host, e.Holder.Started.UTC().Format(time.RFC3339))
}

func (e *HeldError) Unwrap() error { return ErrHeld }

// ErrLeaseLost is the cause of the end of a lease's context where the lease
// was taken over, removed, or could not be renewed in time.
var ErrLeaseLost = errors.New("lease lost")

// LeaseOptions are the times of a lease. All who use one must agree on them.
type LeaseOptions struct {
	Interval time.Duration // between renewals; default 5 s
	TTL      time.Duration // how long it holds unrenewed; default 20 s, at least 3 intervals
}

func (o LeaseOptions) withDefaults() LeaseOptions {
	o.Interval = cmp.Or(o.Interval, 5*time.Second)
	o.TTL = max(cmp.Or(o.TTL, 20*time.Second), 3*o.Interval)
	return o
}

// Lease is a held lock on what its object stands for. It is renewed in the
// background until Release.
//
// Others take it over only after they have seen its object unchanged for TTL
// by their own clock, or know that its process is dead. The holder's context
// ends one interval before that could be: TTL - Interval after the start of
// the last renewal that succeeded. So no clock is compared with another.
type Lease struct {
	store Store
	name  string
	opts  LeaseOptions

	mu     sync.Mutex // one renewal at a time; guards:
	holder Holder     // as last written
	obj    Object     // as last written
	expiry *time.Timer

	ctx     context.Context
	cancel  context.CancelCauseFunc
	stop    context.CancelFunc // ends the renewals
	done    sync.WaitGroup     // the renewals
	release sync.Once
	err     error // Release's
}

// Acquire takes the lease name in store for holder. Where somebody else's is
// there, it waits: until that one is renewed, which is a [HeldError]; or until
// it is gone or has expired (at most TTL), and then takes over. A lease whose
// holder was a process of this host that is dead is taken over at once.
//
// The end of ctx ends the lease's context, but not the lease: it is held,
// while the caller winds up, until Release.
func Acquire(ctx context.Context, store Store, name string, holder Holder, opts LeaseOptions) (*Lease, error) {
	opts = opts.withDefaults()
	holder = complete(holder)
	w := watch{store: store, name: name, opts: opts}
	cond := IfAbsent // nearly always there is none
	for {
		began := time.Now()
		obj, err := put(ctx, store, name, &holder, cond)
		if errors.Is(err, ErrPrecondition) { // somebody has it: watch that one
			if cond, err = w.wait(ctx); err != nil {
				return nil, err
			}
			continue
		} else if err != nil {
			return nil, err
		}
		l := &Lease{store: store, name: name, opts: opts, holder: holder, obj: obj}
		l.ctx, l.cancel = context.WithCancelCause(ctx)
		l.expiry = time.AfterFunc(l.left(began), func() { _ = l.lost("not renewed in time") })
		renewals, stop := context.WithCancel(context.WithoutCancel(ctx))
		l.stop = stop
		l.done.Go(func() { l.renew(renewals) })
		return l, nil
	}
}

// Context ends when the lease is lost (its cause is then ErrLeaseLost), when
// the context given to Acquire ends, and with Release.
func (l *Lease) Context() context.Context { return l.ctx }

// Confirm renews the lease now: nil means that it was still held, and is for
// another TTL. Call it right before what must not be done twice: a process
// that was stopped for a while learns late that it lost its lease.
func (l *Lease) Confirm(ctx context.Context) error {
	if err := l.beat(ctx); err != nil {
		return fmt.Errorf("confirm lease: %w", err)
	}
	return context.Cause(l.ctx)
}

// Release gives the lease back and ends its context. It may be called more
// than once. Where it fails, others wait for the lease's expiry.
func (l *Lease) Release() error {
	l.release.Do(func() {
		l.stop()
		l.done.Wait()
		l.cancel(context.Canceled)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.expiry.Stop()
		// Also where the job was interrupted: the next one need not wait then.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(l.ctx), l.opts.Interval)
		defer cancel()
		l.err = l.store.Delete(ctx, l.obj)
		if errors.Is(l.err, ErrPrecondition) {
			// A renewal that was cut short may have been carried out.
			obj, mine, err := l.mine(ctx)
			if l.err = err; mine {
				l.err = l.store.Delete(ctx, obj)
			}
		}
	})
	return l.err
}

// left is how long a lease holds that was written by a request begun then.
func (l *Lease) left(began time.Time) time.Duration {
	return l.opts.TTL - l.opts.Interval - time.Since(began)
}

func (l *Lease) lost(why string) error {
	err := fmt.Errorf("%w: %s: %s", ErrLeaseLost, l.store.URI(l.name), why)
	l.cancel(err)
	return err
}

// renew renews the lease every Interval until ctx ends or it is another's.
// Other failures are left to the next try and, in the end, to the expiry.
func (l *Lease) renew(ctx context.Context) {
	tick := time.NewTicker(l.opts.Interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := l.beat(ctx); errors.Is(err, ErrLeaseLost) {
			return
		}
	}
}

// beat renews once. ErrLeaseLost means that the lease is another's.
func (l *Lease) beat(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, l.opts.Interval)
	defer cancel()
	next := l.holder
	next.Beat++
	began := time.Now()
	obj, err := put(ctx, l.store, l.name, &next, IfGeneration(l.obj.Generation))
	if errors.Is(err, ErrPrecondition) {
		// An earlier renewal may have been carried out after its time was up.
		now, mine, merr := l.mine(ctx)
		switch {
		case merr != nil:
			return merr
		case mine:
			obj, err = put(ctx, l.store, l.name, &next, IfGeneration(now.Generation))
		}
	}
	if errors.Is(err, ErrPrecondition) {
		return l.lost("taken over")
	} else if err != nil {
		return err
	}
	l.holder, l.obj = next, obj
	if l.ctx.Err() == nil {
		l.expiry.Reset(l.left(began))
	}
	return nil
}

// mine returns the lease object, and whether it is this lease's.
func (l *Lease) mine(ctx context.Context) (Object, bool, error) {
	data, obj, err := l.store.Read(ctx, l.name)
	if errors.Is(err, ErrNotExist) {
		return Object{}, false, nil
	}
	var h Holder
	return obj, err == nil && json.Unmarshal(data, &h) == nil && h.Token == l.holder.Token, err
}

func put(ctx context.Context, store Store, name string, h *Holder, cond Condition) (Object, error) {
	data, err := json.Marshal(h)
	if err != nil {
		return Object{}, err
	}
	return store.Put(ctx, name, append(data, '\n'), cond)
}

// watch observes another's lease. Only changes that it sees itself count, not
// the times that others wrote.
type watch struct {
	store Store
	name  string
	opts  LeaseOptions

	seen  string    // the generation last seen
	since time.Time // when that was first seen
}

// wait returns the condition under which the lease may be taken now, or an
// error: a HeldError where its holder is alive.
func (w *watch) wait(ctx context.Context) (Condition, error) {
	for {
		data, obj, err := w.store.Read(ctx, w.name)
		now := time.Now()
		if errors.Is(err, ErrNotExist) {
			return IfAbsent, nil
		} else if err != nil {
			return Condition{}, err
		}
		var h Holder
		if json.Unmarshal(data, &h) != nil {
			h = Holder{} // not by us, or from the future; it is watched all the same
		}
		if w.seen == "" {
			w.seen, w.since = obj.Generation, now
		}
		switch {
		case obj.Generation != w.seen:
			return Condition{}, &HeldError{URI: w.store.URI(w.name), Holder: h}
		case now.Sub(w.since) >= w.opts.TTL || dead(h):
			return IfGeneration(obj.Generation), nil
		}
		select {
		case <-ctx.Done():
			return Condition{}, context.Cause(ctx)
		case <-time.After(w.opts.Interval / 4):
		}
	}
}

// complete fills the empty fields of h with this process's.
func complete(h Holder) Holder {
	if h.Host == "" {
		h.Host, _ = os.Hostname()
	}
	if h.PID == 0 {
		h.PID = os.Getpid()
		h.Boot = bootID()
		h.PIDStart, _ = processStart(h.PID)
	}
	if h.Started.IsZero() {
		h.Started = time.Now().UTC().Truncate(time.Second)
	}
	h.Token = cmp.Or(h.Token, rand.Text())
	return h
}

// dead tells for certain that the process of h has ended. Only this host, in
// the same boot and the same namespaces, can know.
func dead(h Holder) bool {
	host, err := os.Hostname()
	if err != nil || h.PID <= 0 || h.Host != host || h.Boot == "" || h.Boot != bootID() {
		return false
	}
	start, ended := processStart(h.PID)
	return ended || start != "" && h.PIDStart != "" && start != h.PIDStart
}
