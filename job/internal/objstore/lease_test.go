package objstore_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"assent/job/internal/objstore"
	"assent/job/internal/objstore/faulty"
	"assent/job/internal/objstore/storetest"
)

const (
	interval = 5 * time.Second // the defaults
	ttl      = 20 * time.Second
	poll     = interval / 4
)

func acquire(ctx context.Context, s objstore.Store, run string) (*objstore.Lease, error) {
	return objstore.Acquire(ctx, s, "_lease", objstore.Holder{Run: run}, objstore.LeaseOptions{})
}

func mustAcquire(t *testing.T, s objstore.Store, run string) *objstore.Lease {
	t.Helper()
	l, err := acquire(t.Context(), s, run)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// holder returns the content of the lease object; its zero value if there is none.
func holder(t *testing.T, s objstore.Store) (h objstore.Holder) {
	t.Helper()
	data, _, err := s.Read(t.Context(), "_lease")
	if errors.Is(err, objstore.ErrNotExist) {
		return h
	}
	if err == nil {
		err = json.Unmarshal(data, &h)
	}
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// leave writes a lease that nobody renews.
func leave(t *testing.T, s objstore.Store, change func(*objstore.Holder)) {
	t.Helper()
	l := mustAcquire(t, s, "crashed")
	h := holder(t, s)
	if err := l.Release(); err != nil {
		t.Fatal(err)
	}
	h.Token = "of the crashed one"
	change(&h)
	data, err := json.Marshal(h)
	if err == nil {
		_, err = s.Put(t.Context(), "_lease", data, objstore.IfAbsent)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func elsewhere(h *objstore.Holder) { h.Host = "elsewhere" }

// inBubble runs a test with a fake clock and a file store.
func inBubble(t *testing.T, run func(t *testing.T, s objstore.Store)) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) { run(t, open(t, dir)) })
}

func TestLeaseIsRenewedUntilReleased(t *testing.T) {
	inBubble(t, func(t *testing.T, s objstore.Store) {
		l := mustAcquire(t, s, "run=1")
		first := holder(t, s)
		if first.Run != "run=1" || first.PID != os.Getpid() || first.Host == "" || first.Started.IsZero() {
			t.Errorf("holder = %+v", first)
		}
		time.Sleep(10*time.Minute + interval/2)
		if err := l.Context().Err(); err != nil {
			t.Errorf("after ten minutes: %v", context.Cause(l.Context()))
		}
		if got := holder(t, s); got.Beat != 120 || got.Token != first.Token {
			t.Errorf("after ten minutes: %+v", got)
		}
		if err := l.Confirm(t.Context()); err != nil {
			t.Error(err)
		}
		if got := holder(t, s); got.Beat != 121 {
			t.Errorf("after Confirm: %+v", got)
		}
		for range 2 {
			if err := l.Release(); err != nil {
				t.Error(err)
			}
		}
		if l.Context().Err() == nil || holder(t, s).Token != "" {
			t.Errorf("after Release: %v, %+v", l.Context().Err(), holder(t, s))
		}
		mustAcquire(t, s, "run=2").Release()
	})
}

func TestLeaseIsHeld(t *testing.T) {
	inBubble(t, func(t *testing.T, s objstore.Store) {
		l := mustAcquire(t, s, "run=1")
		defer l.Release()
		began := time.Now()
		_, err := acquire(t.Context(), s, "run=2")
		var held *objstore.HeldError
		if !errors.Is(err, objstore.ErrHeld) || !errors.As(err, &held) || held.Holder.Run != "run=1" {
			t.Fatalf("Acquire: %v, want ErrHeld by run=1", err)
		}
		for _, part := range []string{s.URI("_lease"), "run=1", holder(t, s).Host, "2000-01-01T00:00:00Z"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("message %q lacks %q", err, part)
			}
		}
		if took := time.Since(began); took > interval+poll {
			t.Errorf("took %v to find it held", took)
		}
		if err := l.Confirm(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestLeaseRunsOut(t *testing.T) {
	for name, change := range map[string]func(*objstore.Holder){
		"another host":          elsewhere,
		"another boot":          func(h *objstore.Holder) { h.Boot, h.PID = "another", 1<<30 },
		"boot not known":        func(h *objstore.Holder) { h.Boot, h.PID = "", 1<<30 },
		"process alive":         func(h *objstore.Holder) {},
		"clock far ahead":       func(h *objstore.Holder) { h.Host = "elsewhere"; h.Started = h.Started.AddDate(10, 0, 0) },
		"clock far behind":      func(h *objstore.Holder) { h.Host = "elsewhere"; h.Started = h.Started.AddDate(-10, 0, 0) },
		"process start unknown": func(h *objstore.Holder) { h.PIDStart = "" },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s objstore.Store) {
				leave(t, s, change)
				began := time.Now()
				l := mustAcquire(t, s, "run=2")
				defer l.Release()
				if took := time.Since(began); took < ttl || took > ttl+poll {
					t.Errorf("taken over after %v, want %v", took, ttl)
				}
				if got := holder(t, s); got.Run != "run=2" {
					t.Errorf("holder = %+v", got)
				}
			})
		})
	}
}

func TestLeaseRenewedAtTheLastMoment(t *testing.T) {
	inBubble(t, func(t *testing.T, s objstore.Store) {
		leave(t, s, elsewhere)
		go func() {
			time.Sleep(ttl - poll - time.Millisecond)
			h := holder(t, s)
			h.Beat++
			data, _ := json.Marshal(h)
			s.Put(t.Context(), "_lease", data, objstore.Any)
		}()
		if _, err := acquire(t.Context(), s, "run=2"); !errors.Is(err, objstore.ErrHeld) {
			t.Errorf("Acquire: %v, want ErrHeld", err)
		}
	})
}

func TestLeaseReleasedWhileWatched(t *testing.T) {
	inBubble(t, func(t *testing.T, s objstore.Store) {
		leave(t, s, elsewhere)
		go func() {
			time.Sleep(interval)
			s.Delete(t.Context(), objstore.Object{Name: "_lease"})
		}()
		began := time.Now()
		defer mustAcquire(t, s, "run=2").Release()
		if took := time.Since(began); took > interval+poll {
			t.Errorf("taken after %v", took)
		}
	})
}

func TestLeaseOfDeadProcess(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("processes are only looked at on Linux")
	}
	gone := exec.Command(os.Args[0], "-test.run=^$")
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	zombie := exec.Command(os.Args[0], "-test.run=^$")
	out, err := zombie.StdoutPipe()
	if err == nil {
		err = zombie.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer zombie.Wait()
	for buf := make([]byte, 100); err == nil; _, err = out.Read(buf) { // until it closes its end
	}
	for name, change := range map[string]func(*objstore.Holder){
		"ended":  func(h *objstore.Holder) { h.PID = gone.Process.Pid },
		"zombie": func(h *objstore.Holder) { h.PID, h.PIDStart = zombie.Process.Pid, "" },
		"reused": func(h *objstore.Holder) { h.PIDStart += "0" },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s objstore.Store) {
				leave(t, s, change)
				began := time.Now()
				defer mustAcquire(t, s, "run=2").Release()
				if took := time.Since(began); took > 0 && name != "zombie" || took > ttl/2 { // a zombie may still be on its way
					t.Errorf("taken over after %v", took)
				}
			})
		})
	}
}

func TestLeaseNotUnderstood(t *testing.T) {
	inBubble(t, func(t *testing.T, s objstore.Store) {
		put := func(content string) {
			if _, err := s.Put(t.Context(), "_lease", []byte(content), objstore.Any); err != nil {
				t.Fatal(err)
			}
		}
		put("garbage")
		go func() {
			time.Sleep(interval)
			put("more garbage")
		}()
		_, err := acquire(t.Context(), s, "run=2")
		if !errors.Is(err, objstore.ErrHeld) || !strings.Contains(err.Error(), s.URI("_lease")) {
			t.Errorf("Acquire: %v, want ErrHeld", err)
		}
		mustAcquire(t, s, "run=2").Release() // it does not change any more
	})
}

func TestLeaseIsLost(t *testing.T) {
	for name, do := range map[string]func(*testing.T, objstore.Store){
		"taken over": func(t *testing.T, s objstore.Store) {
			if _, err := s.Put(t.Context(), "_lease", []byte(`{"run":"run=2","token":"other"}`), objstore.Any); err != nil {
				t.Fatal(err)
			}
		},
		"removed": func(t *testing.T, s objstore.Store) {
			if err := s.Delete(t.Context(), objstore.Object{Name: "_lease"}); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s objstore.Store) {
				l, late := mustAcquire(t, s, "run=1"), time.Now().Add(interval)
				do(t, s)
				want := holder(t, s)
				<-l.Context().Done()
				if time.Now().After(late) || !errors.Is(context.Cause(l.Context()), objstore.ErrLeaseLost) {
					t.Errorf("at %v: %v", time.Now(), context.Cause(l.Context()))
				}
				if err := l.Confirm(t.Context()); !errors.Is(err, objstore.ErrLeaseLost) {
					t.Errorf("Confirm: %v", err)
				}
				if err := l.Release(); err != nil {
					t.Errorf("Release: %v", err)
				}
				if got := holder(t, s); got != want {
					t.Errorf("Release left %+v, want %+v", got, want)
				}
			})
		})
	}
}

// A holder that cannot reach the store stops before another takes over.
func TestLeaseOutage(t *testing.T) {
	inBubble(t, func(t *testing.T, s objstore.Store) {
		cut := faulty.New(faulty.Crash, 5, nil)
		l := mustAcquire(t, cut.Wrap(s), "run=1")
		end := make(chan time.Time, 1)
		go func() {
			<-l.Context().Done()
			end <- time.Now()
		}()
		other, err := acquire(t.Context(), s, "run=2")
		for errors.Is(err, objstore.ErrHeld) {
			other, err = acquire(t.Context(), s, "run=2")
		}
		if err != nil {
			t.Fatal(err)
		}
		defer other.Release()
		select {
		case ended := <-end:
			if time.Since(ended) < interval {
				t.Errorf("holder ended at %v, other began at %v", ended, time.Now())
			}
		default:
			t.Error("two hold the lease")
		}
		if err := context.Cause(l.Context()); !errors.Is(err, objstore.ErrLeaseLost) {
			t.Error(err)
		}
		if err := l.Release(); !errors.Is(err, faulty.ErrInjected) {
			t.Errorf("Release: %v", err)
		}
		if err := other.Confirm(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// One failure of any operation, carried out or not, does not lose a lease
// that was acquired, nor does it leave one behind after Release.
func TestLeaseSurvivesOneFault(t *testing.T) {
	for _, mode := range []faulty.Mode{faulty.Fail, faulty.Lost} {
		for i := 0; ; i++ {
			f := faulty.New(mode, i, nil)
			t.Run(fmt.Sprintf("mode=%d op=%d", mode, i), func(t *testing.T) {
				inBubble(t, func(t *testing.T, s objstore.Store) {
					l, err := acquire(t.Context(), f.Wrap(s), "run=1")
					if err != nil {
						if !errors.Is(err, faulty.ErrInjected) {
							t.Error(err)
						}
						defer mustAcquire(t, s, "run=2").Release() // at the latest after its TTL
						return
					}
					time.Sleep(5*interval + interval/2)
					if err := l.Context().Err(); err != nil {
						t.Errorf("lost: %v", context.Cause(l.Context()))
					}
					if err := l.Confirm(t.Context()); err != nil && !errors.Is(err, faulty.ErrInjected) {
						t.Errorf("Confirm: %v", err)
					}
					if err := l.Release(); err != nil {
						if !errors.Is(err, faulty.ErrInjected) {
							t.Errorf("Release: %v", err)
						}
						return
					}
					if got := holder(t, s); got.Token != "" {
						t.Errorf("Release left %+v", got)
					}
				})
			})
			if !f.Met() {
				break
			}
		}
	}
}

// After a crash at any operation the next one gets the lease, once its TTL is
// over (the process of the test lives on), and no two have it at a time.
func TestLeaseAfterCrash(t *testing.T) {
	for i := 0; ; i++ {
		f := faulty.New(faulty.Crash, i, nil)
		t.Run(fmt.Sprintf("op=%d", i), func(t *testing.T) {
			inBubble(t, func(t *testing.T, s objstore.Store) {
				l, err := acquire(t.Context(), f.Wrap(s), "run=1")
				if err == nil {
					time.Sleep(interval + interval/2)
					defer l.Release()
					if l.Confirm(t.Context()) == nil {
						l.Release()
					}
				}
				next := mustAcquire(t, s, "run=2")
				if l != nil && l.Context().Err() == nil {
					t.Error("two hold the lease")
				}
				if err := next.Release(); err != nil {
					t.Error(err)
				}
			})
		})
		if !f.Met() {
			break
		}
	}
}

func TestLeaseContenders(t *testing.T) {
	for _, stale := range []bool{false, true} {
		t.Run(fmt.Sprintf("stale=%v", stale), func(t *testing.T) {
			inBubble(t, func(t *testing.T, s objstore.Store) {
				if stale {
					leave(t, s, elsewhere)
				}
				var wg sync.WaitGroup
				won := make(chan *objstore.Lease, 8)
				for i := range cap(won) {
					wg.Go(func() {
						l, err := acquire(t.Context(), s, fmt.Sprint("run=", i))
						if err == nil {
							won <- l
						} else if !errors.Is(err, objstore.ErrHeld) {
							t.Error(err)
						}
					})
				}
				wg.Wait()
				if len(won) != 1 {
					t.Fatalf("%d hold the lease", len(won))
				}
				l := <-won
				if err := l.Confirm(t.Context()); err != nil {
					t.Error(err)
				}
				l.Release()
			})
		})
	}
}

func TestLeaseAndItsContext(t *testing.T) {
	inBubble(t, func(t *testing.T, s objstore.Store) {
		ctx, cancel := context.WithCancel(t.Context())
		l, err := acquire(ctx, s, "run=1")
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		if err := l.Context().Err(); err != context.Canceled {
			t.Errorf("context: %v", err)
		}
		// It is held while its job winds up.
		time.Sleep(2 * ttl)
		if _, err := acquire(t.Context(), s, "run=2"); !errors.Is(err, objstore.ErrHeld) {
			t.Errorf("Acquire: %v, want ErrHeld", err)
		}
		if err := l.Release(); err != nil {
			t.Error(err)
		}
		leave(t, s, elsewhere)
		soon, cancel := context.WithTimeout(t.Context(), interval)
		defer cancel()
		if _, err := acquire(soon, s, "run=3"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Acquire until a deadline: %v", err)
		}
	})
}

// The lease needs no more of a store than its conformance suite checks; so on
// GCS only that it works at all.
func TestLeaseOnGS(t *testing.T) {
	storetest.FakeGCS(t)
	s := open(t, "gs://"+storetest.Bucket+"/root")
	for range 2 {
		l := mustAcquire(t, s, "run=1")
		if err := l.Confirm(t.Context()); err != nil {
			t.Error(err)
		}
		if err := l.Release(); err != nil {
			t.Error(err)
		}
	}
	if runtime.GOOS == "linux" {
		leave(t, s, func(h *objstore.Holder) { h.PIDStart += "0" })
		mustAcquire(t, s, "run=2").Release()
	}
	if got := holder(t, s); got.Token != "" {
		t.Errorf("left behind: %+v", got)
	}
}
