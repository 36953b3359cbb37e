package objstore_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"assent/job/internal/objstore"
	"assent/job/internal/objstore/storetest"
)

const gsRoot = "gs://" + storetest.Bucket + "/root"

// everyRequest runs an operation with a fault at its request 0, 1, 2 ... until
// there is no such request.
func everyRequest(t *testing.T, fault storetest.Fault, setup func(*testing.T, objstore.Store), operate func(objstore.Store) error, check func(*testing.T, objstore.Store, error)) {
	for i := 0; ; i++ {
		done := false
		t.Run(fmt.Sprintf("request %d", i), func(t *testing.T) {
			g := storetest.FakeGCS(t)
			s := openPatient(t, gsRoot, time.Second, time.Minute)
			setup(t, s)
			g.Inject(fault, i)
			err := operate(s)
			done = len(g.Requests()) <= i
			g.Inject(storetest.NoFault, 0)
			check(t, s, err)
		})
		if done {
			if i < 2 {
				t.Errorf("only %d requests", i)
			}
			return
		}
	}
}

func TestGSPromoteCrash(t *testing.T) {
	var whole map[string]string
	promote := func(s objstore.Store) error {
		return s.Promote(context.Background(), "tmp/run=1", "out/run=1", "_SUCCESS", nil)
	}
	setup := func(t *testing.T, s objstore.Store) {
		storetest.Stage(t, s, "tmp/run=1", 3)
		whole = tree(t, s, "tmp/run=1")
		for _, name := range []string{"out/run=1/stale", "out/run=1/data/part=0/x.parquet"} {
			if _, err := s.Put(t.Context(), name, []byte("stale"), objstore.Any); err != nil {
				t.Fatal(err)
			}
		}
	}
	check := func(t *testing.T, s objstore.Store, _ error) {
		from, to := tree(t, s, "tmp/run=1"), tree(t, s, "out/run=1")
		_, marked := to["_SUCCESS"]
		if marked && !equal(to, whole) || !marked && !equal(from, whole) {
			t.Errorf("from: %v\nto: %v", from, to)
		}
		if err := promote(s); err != nil && !(marked && errors.Is(err, objstore.ErrExist)) {
			t.Errorf("repeat: %v", err)
		}
		if err := s.RemoveAll(t.Context(), "tmp/run=1"); err != nil {
			t.Error(err)
		}
		if got := tree(t, s, ""); len(got) != len(whole) || !equal(tree(t, s, "out/run=1"), whole) {
			t.Errorf("after the repeat: %v", got)
		}
	}
	for name, fault := range map[string]storetest.Fault{"before": storetest.CrashBefore, "after": storetest.CrashAfter, "once": storetest.Forbid} {
		t.Run(name, func(t *testing.T) { everyRequest(t, fault, setup, promote, check) })
	}
	for name, fault := range map[string]storetest.Fault{"busy": storetest.Busy, "lost": storetest.LoseAnswer, "short": storetest.CutShort} {
		t.Run(name, func(t *testing.T) {
			everyRequest(t, fault, setup, promote, func(t *testing.T, s objstore.Store, err error) {
				if err != nil || !equal(tree(t, s, "out/run=1"), whole) || len(tree(t, s, "tmp")) > 0 {
					t.Errorf("not healed: %v; %v", err, tree(t, s, ""))
				}
			})
		})
	}
}

func TestGSRemoveAllCrash(t *testing.T) {
	setup := func(t *testing.T, s objstore.Store) { storetest.Stage(t, s, "out/run=1", 3) }
	remove := func(s objstore.Store) error { return s.RemoveAll(context.Background(), "out/run=1") }
	everyRequest(t, storetest.CrashAfter, setup, remove, func(t *testing.T, s objstore.Store, err error) {
		got := tree(t, s, "out/run=1")
		if _, marked := got["_SUCCESS"]; marked && len(got) != 4 {
			t.Errorf("marked, but only %v", got)
		}
		if err := remove(s); err != nil || len(tree(t, s, "")) > 0 {
			t.Errorf("repeat: %v, %v", err, tree(t, s, ""))
		}
	})
}

// transient are the faults that a repeat heals.
var transient = map[string]storetest.Fault{
	"busy": storetest.Busy, "lost": storetest.LoseAnswer, "too many": storetest.TooMany,
	"no answer": storetest.Hang, "no answer to what was done": storetest.HangAfter,
}

func openPatient(t *testing.T, uri string, answer, total time.Duration) objstore.Store {
	t.Helper()
	opener := new(objstore.Opener)
	objstore.SetPatience(opener, answer, total)
	t.Cleanup(func() { opener.Close() })
	s, err := opener.Open(t.Context(), uri)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A transient fault at any request of any operation is healed by the client.
func TestGSTransient(t *testing.T) {
	var obj objstore.Object
	setup := func(t *testing.T, s objstore.Store) {
		var err error
		if obj, err = s.Put(t.Context(), "x", []byte("content"), objstore.IfAbsent); err != nil {
			t.Fatal(err)
		}
	}
	operate := func(s objstore.Store) error {
		ctx := context.Background()
		data, now, err := s.Read(ctx, "x")
		if err != nil || string(data) != "content" || now.Generation != obj.Generation {
			return fmt.Errorf("Read = %q, %v, %w", data, now, err)
		}
		if now, err = s.Put(ctx, "x", []byte("more"), objstore.IfGeneration(obj.Generation)); err != nil {
			return err
		}
		if _, err := s.Put(ctx, "y", []byte("y"), objstore.IfAbsent); err != nil {
			return err
		}
		w, err := s.Create(ctx, "z")
		if err != nil {
			return err
		}
		defer w.Abort()
		if _, err := w.Write([]byte("z")); err != nil {
			return err
		}
		if err := w.Finish(ctx); err != nil {
			return err
		}
		return s.Delete(ctx, now)
	}
	for name, fault := range transient {
		t.Run(name, func(t *testing.T) {
			everyRequest(t, fault, setup, operate, func(t *testing.T, s objstore.Store, err error) {
				if got := tree(t, s, ""); err != nil || !equal(got, map[string]string{"y": "y", "z": "z"}) {
					t.Errorf("%v, %v", got, err)
				}
			})
		})
	}
}

// A copy whose answer is lost, or that is delayed, is known again as one's own.
func TestGSCopyTransient(t *testing.T) {
	var from objstore.Object
	setup := func(t *testing.T, s objstore.Store) {
		var err error
		if from, err = s.Put(t.Context(), "x", []byte("content"), objstore.IfAbsent); err != nil {
			t.Fatal(err)
		}
	}
	var got objstore.Object
	operate := func(s objstore.Store) (err error) {
		got, err = s.Copy(context.Background(), from, "y")
		if err == nil {
			_, err = s.Stat(context.Background(), "y")
		}
		return err
	}
	for name, fault := range transient {
		t.Run(name, func(t *testing.T) {
			everyRequest(t, fault, setup, operate, func(t *testing.T, s objstore.Store, err error) {
				now, serr := s.Stat(t.Context(), "y")
				if err != nil || serr != nil || now.Generation != got.Generation || now.CRC32C != from.CRC32C {
					t.Errorf("%+v, %v; there is %+v, %v", got, err, now, serr)
				}
			})
		})
	}
}

func TestGSRefused(t *testing.T) {
	g := storetest.FakeGCS(t)
	s := open(t, gsRoot)
	obj, err := s.Put(t.Context(), "x", []byte("content"), objstore.Any)
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	for call, do := range map[string]func() error{
		"List":   func() error { _, err := s.List(ctx, ""); return err },
		"Stat":   func() error { _, err := s.Stat(ctx, "x"); return err },
		"Put":    func() error { _, err := s.Put(ctx, "x", nil, objstore.Any); return err },
		"Delete": func() error { return s.Delete(ctx, obj) },
		"Read": func() error {
			r, err := s.Open(ctx, obj)
			if err == nil {
				_, err = r.ReadAt(make([]byte, 3), 0)
			}
			return err
		},
		"Finish": func() error {
			w, err := s.Create(ctx, "x")
			if err != nil {
				return err
			}
			defer w.Abort()
			return w.Finish(ctx)
		},
	} {
		g.Inject(storetest.Forbid, 0)
		if err := do(); !errors.Is(err, objstore.ErrPermission) || !strings.HasPrefix(err.Error(), gsRoot) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want ErrPermission naming the URI on one line", call, err)
		}
	}
	if got := tree(t, s, ""); !equal(got, map[string]string{"x": "content"}) {
		t.Errorf("left: %v", got)
	}
	missing := open(t, "gs://no-such-bucket/root")
	if _, err := missing.List(ctx, ""); !errors.Is(err, objstore.ErrNotExist) {
		t.Errorf("List of a missing bucket: %v", err)
	}
	if _, err := missing.Put(ctx, "x", nil, objstore.Any); !errors.Is(err, objstore.ErrNotExist) {
		t.Errorf("Put into a missing bucket: %v", err)
	}
}

func TestGSShortReads(t *testing.T) {
	g := storetest.FakeGCS(t)
	s := open(t, gsRoot)
	data := bytes.Repeat([]byte("0123456789"), 100_000)
	obj, err := s.Put(t.Context(), "x", data, objstore.Any)
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Open(t.Context(), obj)
	if err != nil {
		t.Fatal(err)
	}
	g.Inject(storetest.CutShort, 0)
	got := make([]byte, len(data)-7)
	if n, err := r.ReadAt(got, 7); n != len(got) || err != nil || !bytes.Equal(got, data[7:]) {
		t.Errorf("ReadAt = %d, %v", n, err)
	}
	if n := len(g.Requests()); n != 2 {
		t.Errorf("%d requests: %q", n, g.Requests())
	}
}

func TestGSForeignObjects(t *testing.T) {
	g := storetest.FakeGCS(t)
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	zip.Write([]byte("text"))
	zip.Close()
	g.PutObject(storetest.Bucket, "root/dir/", nil)
	g.PutObject(storetest.Bucket, "root/dir/x", []byte("x"))
	g.PutEncoded(storetest.Bucket, "root/dir/y.gz", "gzip", packed.Bytes())
	s := open(t, gsRoot)
	if got := tree(t, s, "dir"); !equal(got, map[string]string{"x": "x", "y.gz": packed.String()}) {
		t.Errorf("%q", got)
	}
	testOddNames(t, s, g)
	if err := s.RemoveAll(t.Context(), "dir"); err != nil {
		t.Error(err)
	}
	if dirs, err := s.Dirs(t.Context(), ""); err != nil || len(dirs) > 0 {
		t.Errorf("left: %q, %v", dirs, err)
	}
}

// testOddNames has names that no path has, and what looks like their other form.
func testOddNames(t *testing.T, s objstore.Store, g *storetest.GCS) {
	odd := map[string]string{
		"..":          "odd/%2E%2E",
		"../x":        "odd/%2E%2E/x",
		"./x":         "odd/%2E/x",
		"/":           "odd/%2F/%2F",
		"//x":         "odd/%2F/%2F/x",
		"/x":          "odd/%2F/x",
		"a//":         "odd/a/%2F/%2F",
		"%2F/x":       "odd/%252F/x",
		"%252F/x":     "odd/%25252F/x",
		"%2E":         "odd/%252E",
		"%2E%2E":      "odd/%252E%2E",
		"%2e/%2F%2F":  "odd/%2e/%2F%2F",
		"a%2Fb/%25/%": "odd/a%2Fb/%25/%",
	}
	want := map[string]string{}
	for bucket, name := range odd {
		g.PutObject(storetest.Bucket, "root/odd/"+bucket, []byte(bucket))
		want[strings.TrimPrefix(name, "odd/")] = bucket
	}
	if got := tree(t, s, "odd"); !equal(got, want) { // lists and reads
		t.Errorf("%q, want %q", got, want)
	}
	for bucket, name := range odd {
		whole, err := objstore.Parse(s.URI(name))
		if err != nil {
			t.Fatal(err)
		}
		dir, base := whole.Split() // what a message shows can be given again
		if data, obj, err := open(t, dir.String()).Read(t.Context(), base); err != nil || string(data) != bucket || obj.Name != base {
			t.Errorf("%s: %q, %v", whole, data, err)
		}
	}
	if dirs, err := s.Dirs(t.Context(), "odd/%2F"); err != nil || !slices.Equal(dirs, []string{"odd/%2F/%2F"}) {
		t.Errorf("%q, %v", dirs, err)
	}
	if got := tree(t, s, "odd/%2F/%2F"); !equal(got, map[string]string{"x": "//x"}) {
		t.Errorf("%q", got)
	}
	obj, err := s.Stat(t.Context(), "odd/%2F/x")
	if err == nil {
		err = s.Delete(t.Context(), obj)
	}
	if _, gone := s.Stat(t.Context(), "odd/%2F/x"); err != nil || !errors.Is(gone, objstore.ErrNotExist) {
		t.Errorf("%v, then %v", err, gone)
	}
	if _, err := s.Stat(t.Context(), "odd/%252F/x"); err != nil {
		t.Errorf("another one went with it: %v", err)
	}
	if err := s.Promote(t.Context(), "odd", "even", "%252E", nil); err != nil {
		t.Error(err)
	}
	if got, err := s.List(t.Context(), ""); err != nil || len(got) != len(odd)-1+2 { // and dir's two
		t.Errorf("%+v, %v", got, err)
	}
	if err := s.RemoveAll(t.Context(), "even"); err != nil {
		t.Error(err)
	}
}

func TestGSLargeUploadIsCutIntoRequests(t *testing.T) {
	g := storetest.FakeGCS(t)
	s := open(t, gsRoot)
	g.Inject(storetest.NoFault, 0)
	w, err := s.Create(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, 17<<20)); err != nil {
		t.Fatal(err)
	}
	uploads := slices.DeleteFunc(g.Requests(), func(r string) bool { return !strings.HasPrefix(r, "P") })
	if len(uploads) < 2 {
		t.Errorf("nothing was sent before Finish: %q", uploads)
	}
	w.Abort()
	if got := tree(t, s, ""); len(got) > 0 {
		t.Errorf("Abort left %v", got)
	}
}
