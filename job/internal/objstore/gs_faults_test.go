package objstore_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"assent/job"
	"assent/job/internal/objstore"
	"assent/job/internal/objstore/storetest"
)

// gsCalls are operations on the object x and others, each by its name.
func gsCalls(s objstore.Store, x objstore.Object) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"list":   func(ctx context.Context) error { _, err := s.List(ctx, ""); return err },
		"dirs":   func(ctx context.Context) error { _, err := s.Dirs(ctx, ""); return err },
		"exists": func(ctx context.Context) error { _, err := s.Exists(ctx, "dir"); return err },
		"stat":   func(ctx context.Context) error { _, err := s.Stat(ctx, "x"); return err },
		"read":   func(ctx context.Context) error { _, _, err := s.Read(ctx, "x"); return err },
		"put":    func(ctx context.Context) error { _, err := s.Put(ctx, "y", []byte("y"), objstore.IfAbsent); return err },
		"copy":   func(ctx context.Context) error { _, err := s.Copy(ctx, x, "z"); return err },
		"delete": func(ctx context.Context) error { return s.Delete(ctx, x) },
		"create": func(ctx context.Context) error { return create(ctx, s, "w", []byte("w")) },
		"large":  func(ctx context.Context) error { return create(ctx, s, "large", make([]byte, 1<<20)) },
		"resume": func(ctx context.Context) error { return create(ctx, s, "resume", make([]byte, 9<<20)) },
		"read at": func(ctx context.Context) error {
			r, err := s.Open(ctx, x)
			if err == nil {
				_, err = r.ReadAt(make([]byte, 3), 0)
			}
			return err
		},
	}
}

func create(ctx context.Context, s objstore.Store, name string, data []byte) error {
	w, err := s.Create(ctx, name)
	if err != nil {
		return err
	}
	defer w.Abort()
	if _, err := w.Write(data); err != nil {
		return err
	}
	return w.Finish(ctx)
}

// TestGSUnavailable wants an end, and a clear word, where no repeat helps.
func TestGSUnavailable(t *testing.T) {
	g := storetest.FakeGCS(t)
	s := openPatient(t, gsRoot, 500*time.Millisecond, time.Second)
	x, err := s.Put(t.Context(), "x", []byte("content"), objstore.Any)
	if err != nil {
		t.Fatal(err)
	}
	for name, call := range gsCalls(s, x) {
		g.Inject(storetest.AllBusy, 0)
		began := time.Now()
		err := call(t.Context())
		if !errors.Is(err, objstore.ErrUnavailable) || !strings.HasPrefix(err.Error(), gsRoot) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want ErrUnavailable on one line", name, err)
		}
		if exit, hint := job.Explain(err); exit != job.ExitFailed || !strings.Contains(hint, "again later") {
			t.Errorf("%s: exit %d, hint %q", name, exit, hint)
		}
		if took := time.Since(began); took > 30*time.Second {
			t.Errorf("%s: gave up after %v", name, took)
		}
	}
	g.Inject(storetest.NoFault, 0)
	if got := tree(t, s, ""); !equal(got, map[string]string{"x": "content"}) {
		t.Errorf("left: %v", got)
	}
}

// TestGSNotOurs has somebody else's object under the name: the same content is no proof
// that it is one's own, whatever was repeated before.
func TestGSNotOurs(t *testing.T) {
	for name, fault := range map[string]storetest.Fault{"at once": storetest.NoFault, "busy": storetest.Busy, "no answer": storetest.Hang} {
		t.Run(name, func(t *testing.T) {
			g := storetest.FakeGCS(t)
			s, other := openPatient(t, gsRoot, time.Second, time.Minute), open(t, gsRoot)
			var x objstore.Object
			for _, name := range []string{"x", "y", "z"} {
				var err error
				if x, err = other.Put(t.Context(), name, []byte("content"), objstore.Any); err != nil {
					t.Fatal(err)
				}
			}
			g.Inject(fault, 0)
			if _, err := s.Put(t.Context(), "x", []byte("content"), objstore.IfAbsent); !errors.Is(err, objstore.ErrPrecondition) {
				t.Errorf("Put: %v", err)
			}
			g.Inject(fault, 0)
			if _, err := s.Copy(t.Context(), x, "y"); !errors.Is(err, objstore.ErrPrecondition) {
				t.Errorf("Copy: %v", err)
			}
		})
	}
}

// TestGSCorrupt has a byte change on the way: nothing of it is taken or left.
func TestGSCorrupt(t *testing.T) {
	g := storetest.FakeGCS(t)
	s := openPatient(t, gsRoot, time.Second, 2*time.Second)
	data := []byte("some " + storetest.Fragile + " content")
	long := append(data, make([]byte, 9<<20)...)
	for name, call := range map[string]func() error{
		"put":    func() error { _, err := s.Put(t.Context(), "x", data, objstore.IfAbsent); return err },
		"create": func() error { return create(t.Context(), s, "x", data) },
		"large":  func() error { return create(t.Context(), s, "x", long) },
	} {
		g.Inject(storetest.Corrupt, 0)
		if name == "large" {
			g.Inject(storetest.Corrupt, 1) // the first begins the upload
		}
		err := call()
		g.Inject(storetest.NoFault, 0)
		left := tree(t, s, "")
		if healed := err == nil && (left["x"] == string(data) || left["x"] == string(long)); !healed && (err == nil || len(left) > 0) {
			t.Errorf("%s: %v; left: %d objects", name, err, len(left))
		}
		if err := s.Delete(t.Context(), objstore.Object{Name: "x"}); err != nil {
			t.Fatal(err)
		}
	}
	obj, err := s.Put(t.Context(), "x", data, objstore.Any)
	if err != nil {
		t.Fatal(err)
	}
	g.Inject(storetest.Corrupt, 0)
	r, err := s.Open(t.Context(), obj)
	if err == nil {
		_, err = io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
	}
	if err == nil || !strings.Contains(err.Error(), "CRC") {
		t.Errorf("read: %v", err)
	}
}

// TestGSExplains wants each refusal to have its kind, its exit code and a next step.
func TestGSExplains(t *testing.T) {
	g := storetest.FakeGCS(t)
	s := open(t, gsRoot)
	x, err := s.Put(t.Context(), "x", []byte("content"), objstore.Any)
	if err != nil {
		t.Fatal(err)
	}
	missing := open(t, "gs://no-such-bucket/root")
	for _, test := range []struct {
		name  string
		store objstore.Store
		setup func()
		kind  error
		exit  int
		hint  string
	}{
		{"permission", s, func() { g.Inject(storetest.Forbid, 0) }, objstore.ErrPermission, job.ExitFailed, "roles/storage.objectUser"},
		{"no bucket", missing, func() {}, objstore.ErrNoBucket, job.ExitUsage, "create the bucket"},
		{"requester pays", s, g.RequesterPays, objstore.ErrPayer, job.ExitUsage, "GOOGLE_CLOUD_QUOTA_PROJECT"},
	} {
		for name, call := range gsCalls(test.store, x) {
			if test.kind == objstore.ErrNoBucket && strings.Contains("read at, delete, copy", name) {
				continue // where nothing is there is nothing to delete, and what was listed has changed
			}
			test.setup()
			err := call(t.Context())
			exit, hint := job.Explain(err)
			if !errors.Is(err, test.kind) || exit != test.exit || !strings.Contains(hint, test.hint) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: %s: %v, exit %d, hint %q", test.name, name, err, exit, hint)
			}
		}
	}
	t.Setenv("GOOGLE_CLOUD_QUOTA_PROJECT", "a-project")
	paying := open(t, gsRoot)
	if data, _, err := paying.Read(t.Context(), "x"); err != nil || string(data) != "content" {
		t.Errorf("with a project: %q, %v", data, err)
	}
	if err := create(t.Context(), paying, "w", make([]byte, 1<<20)); err != nil {
		t.Errorf("with a project: %v", err)
	}
}
