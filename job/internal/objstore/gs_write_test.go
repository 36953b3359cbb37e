package objstore_test

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"assent/job/internal/objstore"
	"assent/job/internal/objstore/storetest"
)

// TestGSWriter writes objects of sizes around those from which on they are written otherwise, in parts of any length. Up to 8 MiB are
// one request.
func TestGSWriter(t *testing.T) {
	g := storetest.FakeGCS(t)
	s := open(t, gsRoot)
	random := rand.New(rand.NewPCG(1, 2))
	content := make([]byte, 21<<20)
	for i := range content {
		content[i] = byte(i>>16 ^ i)
	}
	for _, size := range []int{0, 1, 1<<20 - 1, 1 << 20, 8 << 20, 8<<20 + 1, 9 << 20, 16 << 20, len(content)} {
		g.Inject(storetest.NoFault, 0)
		w, err := s.Create(t.Context(), "x")
		if err != nil {
			t.Fatal(err)
		}
		for rest := content[:size]; len(rest) > 0; {
			part := rest[:min(len(rest), 1+random.IntN(3<<20))]
			if n, err := w.Write(part); n != len(part) || err != nil {
				t.Fatalf("%d bytes: %d of %d were written: %v", size, n, len(part), err)
			}
			rest = rest[len(part):]
		}
		if err := w.Finish(t.Context()); err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		uploads := 0
		for _, line := range g.Requests() {
			if strings.Contains(line, "/upload/") {
				uploads++
			}
		}
		want := 1
		if size > 8<<20 {
			want = 2 + size/(8<<20) // the first one begins, the last one ends
		}
		if uploads != want {
			t.Errorf("%d bytes: %d requests, want %d: %q", size, uploads, want, g.Requests())
		}
		if data, _, err := s.Read(t.Context(), "x"); err != nil || !bytes.Equal(data, content[:size]) {
			t.Errorf("%d bytes: read %d: %v", size, len(data), err)
		}
	}
}

// TestGSWriterFails: where the place takes nothing, whoever writes learns it soon, and later uses of the writer fail too.
func TestGSWriterFails(t *testing.T) {
	g := storetest.FakeGCS(t)
	s := openPatient(t, gsRoot, 500*time.Millisecond, time.Second)
	g.Inject(storetest.AllBusy, 0)
	w, err := s.Create(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	written, block := 0, make([]byte, 1<<20)
	for err == nil {
		if _, err = w.Write(block); err == nil {
			written += len(block)
		}
	}
	if written > objstore.WriterMemory {
		t.Errorf("%d bytes were taken of which none could be sent", written)
	}
	if w.Finish(t.Context()) == nil {
		t.Error("finished what was not written")
	}
	if _, err := w.Write(block); err == nil {
		t.Error("written after the end")
	}
	w.Abort()
	w.Abort()
	g.Inject(storetest.NoFault, 0)
	if left := tree(t, s, ""); len(left) > 0 {
		t.Errorf("left: %d objects", len(left))
	}
}
