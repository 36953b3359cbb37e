package objstore_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"assent/job/internal/objstore"
	"assent/job/internal/objstore/storetest"
)

// TestGSAhead reads a large object from several goroutines while ranges are announced, passed and announced again: what
// is read must be the object's, whatever is there, under way or given back.
func TestGSAhead(t *testing.T) {
	g := storetest.FakeGCS(t)
	s := open(t, gsRoot)
	content := make([]byte, 24<<20)
	for i := range content {
		content[i] = byte(i>>16 ^ i)
	}
	o, err := s.Put(t.Context(), "large", content, objstore.Any)
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	ahead, ok := r.(objstore.Ahead)
	if !ok {
		t.Fatal("the reader cannot be told what will be read")
	}
	var all sync.WaitGroup
	for seed := range uint64(4) {
		all.Go(func() {
			random := rand.New(rand.NewPCG(seed, 1))
			for range 40 {
				from := random.Int64N(int64(len(content)))
				to := min(from+random.Int64N(9<<20), int64(len(content)))
				switch random.IntN(4) {
				case 0:
					ahead.WillRead(from, to)
				case 1:
					ahead.Passed(from)
				default:
					b := make([]byte, to-from)
					if n, err := r.ReadAt(b, from); err != nil && err != io.EOF || n != len(b) || !bytes.Equal(b, content[from:to]) {
						t.Errorf("%d bytes at %d: %d, %v", len(b), from, n, err)
					}
				}
			}
		})
	}
	all.Wait()
	ahead.Passed(o.Size)

	// What was announced is asked for in pieces of 4 MiB, and reading it asks for nothing more.
	g.Inject(storetest.NoFault, 0)
	ahead.WillRead(0, 12<<20)
	for at := int64(0); at < 12<<20; at += 1 << 20 {
		b := make([]byte, 1<<20)
		for { // a piece that has no room yet is read by itself; here there is room, as soon as it was asked for
			if len(gets(g)) == 3 {
				break
			}
		}
		if _, err := r.ReadAt(b, at); err != nil || !bytes.Equal(b, content[at:at+1<<20]) {
			t.Fatalf("at %d: %v", at, err)
		}
	}
	if n := len(gets(g)); n != 3 {
		t.Errorf("%d requests for 12 MiB that were announced", n)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

// gets are the requests that read content.
func gets(g *storetest.GCS) (all []string) {
	for _, line := range g.Requests() {
		if strings.HasPrefix(line, "GET ") && strings.HasSuffix(line, "/large") && !strings.Contains(line, "/storage/v1/") {
			all = append(all, line)
		}
	}
	return all
}
