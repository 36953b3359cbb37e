package storetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"assent/job/internal/objstore"
)

// Tests of writing and reading objects.

func testCreate(t *testing.T, s objstore.Store) {
	ctx := t.Context()
	put(t, s, "d/x", "old")
	w, err := s.Create(ctx, "d/x")
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	for _, part := range []string{"new ", "", "content"} {
		if n, err := io.WriteString(w, part); n != len(part) || err != nil {
			t.Fatalf("Write = %d, %v", n, err)
		}
	}
	if got := read(t, s, "d/x"); got != "old" {
		t.Errorf("before Finish: %q", got)
	}
	if got := names(t, s, ""); !slices.Equal(got, []string{"d/x"}) {
		t.Errorf("before Finish: %q", got)
	}
	if err := w.Finish(ctx); err != nil {
		t.Fatal(err)
	}
	w.Abort()
	w.Abort()
	if got := read(t, s, "d/x"); got != "new content" {
		t.Errorf("after Finish: %q", got)
	}
	if _, err := w.Write([]byte("more")); err == nil {
		t.Error("Write after Finish succeeds")
	}
	if err := w.Finish(ctx); err == nil {
		t.Error("Finish after Finish succeeds")
	}
	if got := read(t, s, "d/x"); got != "new content" {
		t.Errorf("after all: %q", got)
	}

	empty, err := s.Create(ctx, "d/empty")
	if err != nil {
		t.Fatal(err)
	}
	if err := empty.Finish(ctx); err != nil {
		t.Fatal(err)
	}
	if got := read(t, s, "d/empty"); got != "" {
		t.Errorf("empty object holds %q", got)
	}
}

func testAbort(t *testing.T, s objstore.Store) {
	ctx := t.Context()
	for _, size := range []int{0, 1, 1 << 20} {
		w, err := s.Create(ctx, "d/x")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(make([]byte, size)); err != nil {
			t.Fatal(err)
		}
		w.Abort()
		w.Abort()
		if err := w.Finish(ctx); err == nil {
			t.Error("Finish after Abort succeeds")
		}
		if got := names(t, s, ""); len(got) > 0 {
			t.Errorf("after Abort of %d bytes: %q", size, got)
		}
	}
	cancelled, cancel := context.WithCancel(ctx)
	w, err := s.Create(cancelled, "d/x")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, "half"); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := w.Finish(ctx); err == nil {
		t.Error("Finish of a cancelled Writer succeeds")
	}
	w.Abort()
	if got := names(t, s, ""); len(got) > 0 {
		t.Errorf("after cancellation: %q", got)
	}
}

// testLarge writes and reads more than one request holds.
func testLarge(t *testing.T, s objstore.Store) {
	ctx := t.Context()
	data := make([]byte, 20<<20+12345)
	for i := 0; i < len(data); i += 1 << 10 {
		data[i] = byte(i >> 10 * 7)
	}
	w, err := s.Create(ctx, "large")
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	for part := range slices.Chunk(data, 3<<20+1) {
		if _, err := w.Write(part); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Finish(ctx); err != nil {
		t.Fatal(err)
	}
	got, obj, err := s.Read(ctx, "large")
	if err != nil || !bytes.Equal(got, data) || obj.Size != int64(len(data)) {
		t.Errorf("read %d bytes of %d, %+v, %v", len(got), len(data), obj, err)
	}
}

func testLoad(t *testing.T, s objstore.Store) {
	ctx := t.Context()
	large := bytes.Repeat([]byte("0123456789"), 1_700_000) // more than one range
	for _, want := range [][]byte{nil, []byte("x"), large} {
		put(t, s, "x", string(want))
		c, err := objstore.Load(ctx, s, "x")
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(c.Data, want) {
			t.Errorf("%d bytes of %d, or others", len(c.Data), len(want))
		}
		put(t, s, "x", "another content")
		if !bytes.Equal(c.Data, want) {
			t.Error("another content for the name changes what was loaded")
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := objstore.Load(ctx, s, "missing"); !errors.Is(err, objstore.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
}

func testWhole(t *testing.T, s objstore.Store) {
	ctx := t.Context()
	for _, want := range []string{"", "x", strings.Repeat("0123456789", 200_000)} {
		obj := put(t, s, "x", want)
		for _, buf := range [][]byte{nil, []byte("something else"), make([]byte, 10, 1<<20)} {
			if got, err := objstore.Whole(ctx, s, obj, buf); err != nil || string(got) != want {
				t.Errorf("%d bytes of %d, %v", len(got), len(want), err)
			}
		}
		put(t, s, "x", "another content")
		// The former content, or an error.
		if got, err := objstore.Whole(ctx, s, obj, nil); err == nil && string(got) != want || err != nil && !errors.Is(err, objstore.ErrChanged) {
			t.Errorf("of what was replaced: %d bytes, %v", len(got), err)
		}
	}
	obj := put(t, s, "x", "content")
	must(t, s.Delete(ctx, obj))
	if got, err := objstore.Whole(ctx, s, obj, nil); !errors.Is(err, objstore.ErrNotExist) && !errors.Is(err, objstore.ErrChanged) || !strings.Contains(err.Error(), s.URI("x")) {
		t.Errorf("of what was deleted: %q, %v", got, err)
	}
}

func testReadAt(t *testing.T, s objstore.Store) {
	ctx := t.Context()
	data := make([]byte, 3000)
	for i := range data {
		data[i] = byte(rand.N(256))
	}
	obj := put(t, s, "x", string(data))
	r, err := s.Open(ctx, obj)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if r.Size() != int64(len(data)) {
		t.Errorf("Size = %d", r.Size())
	}
	for _, at := range []struct{ off, length, want int }{
		{0, 3000, 3000}, {0, 1, 1}, {2999, 1, 1}, {1000, 500, 500}, {0, 0, 0},
		{0, 3001, 3000}, {2999, 2, 1}, {3000, 1, 0}, {5000, 10, 0},
	} {
		p := make([]byte, at.length)
		n, err := r.ReadAt(p, int64(at.off))
		var wantErr error
		if at.want < at.length {
			wantErr = io.EOF
		}
		if n != at.want || err != wantErr || n > 0 && !bytes.Equal(p[:n], data[at.off:at.off+n]) {
			t.Errorf("ReadAt(%d bytes, %d) = %d, %v, want %d, %v", at.length, at.off, n, err, at.want, wantErr)
		}
	}
	if _, err := r.ReadAt(make([]byte, 1), -1); err == nil {
		t.Error("ReadAt(-1) succeeds")
	}
	if err := iotest.TestReader(io.NewSectionReader(r, 0, 64), data[:64]); err != nil {
		t.Error(err)
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			p := make([]byte, 300)
			if _, err := r.ReadAt(p, int64(i*300)); err != nil || !bytes.Equal(p, data[i*300:][:300]) {
				t.Errorf("concurrent ReadAt(%d): %v", i*300, err)
			}
		})
	}
	wg.Wait()
	if err := r.Unchanged(ctx); err != nil {
		t.Error(err)
	}

	empty, err := s.Open(ctx, put(t, s, "empty", ""))
	if err != nil {
		t.Fatal(err)
	}
	defer empty.Close()
	if n, err := empty.ReadAt(make([]byte, 1), 0); n != 0 || err != io.EOF {
		t.Errorf("ReadAt of an empty object = %d, %v", n, err)
	}
}

func testChanged(t *testing.T, s objstore.Store) {
	ctx := t.Context()
	for change, do := range map[string]func(){
		"replaced": func() { put(t, s, "x", "other") },
		"deleted":  func() { must(t, s.Delete(ctx, objstore.Object{Name: "x"})) },
	} {
		// Between listing and opening: the former content, or an error.
		obj := put(t, s, "x", "first")
		do()
		r, err := s.Open(ctx, obj)
		if err == nil {
			_, err = r.ReadAt(make([]byte, 5), 0)
			r.Close()
		}
		if !errors.Is(err, objstore.ErrChanged) && !(change == "deleted" && errors.Is(err, objstore.ErrNotExist)) {
			t.Errorf("open of what was %s since: %v", change, err)
		}
		// While open: the former content or an error, and Unchanged tells.
		if r, err = s.Open(ctx, put(t, s, "x", "first")); err != nil {
			t.Fatal(err)
		}
		do()
		p := make([]byte, 5)
		if _, err := r.ReadAt(p, 0); err == nil && string(p) != "first" || err != nil && !errors.Is(err, objstore.ErrChanged) {
			t.Errorf("read while %s: %q, %v", change, p, err)
		}
		if err := r.Unchanged(ctx); !errors.Is(err, objstore.ErrChanged) {
			t.Errorf("Unchanged after it was %s: %v", change, err)
		}
		r.Close()
	}
}

func testIdentity(t *testing.T, s objstore.Store) {
	ctx := t.Context()
	identity := func(obj objstore.Object) string {
		t.Helper()
		id, err := s.Identity(ctx, obj)
		if err != nil || !regexp.MustCompile(`^[a-z0-9]+:[0-9a-f]+$`).MatchString(id) {
			t.Errorf("Identity = %q, %v", id, err)
		}
		return id
	}
	obj := put(t, s, "x", "123456789")
	one := identity(obj)
	if strings.HasPrefix(one, "crc32c:") && one != "crc32c:e3069283" { // the check value of CRC-32C
		t.Errorf("Identity = %q", one)
	}
	if again := identity(objstore.Object{Name: "x"}); again != one {
		t.Errorf("Identity = %q, then %q", one, again)
	}
	if two := identity(put(t, s, "x", "other")); two == one {
		t.Errorf("Identity of two contents is %q", one)
	}
	identity(put(t, s, "empty", ""))
}
