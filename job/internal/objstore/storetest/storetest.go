// Package storetest is the contract of objstore.Store as tests, which every
// store passes, and a fake GCS for all tests that need gs://.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"assent/job/internal/objstore"
)

// Run checks a store's whole contract. open returns an empty store, another
// one at each call.
func Run(t *testing.T, open func(t *testing.T) objstore.Store) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, objstore.Store)
	}{
		{"names", testNames},
		{"missing", testMissing},
		{"put", testPut},
		{"conditions", testConditions},
		{"concurrent puts", testConcurrentPuts},
		{"list", testList},
		{"create", testCreate},
		{"abort", testAbort},
		{"large", testLarge},
		{"read at", testReadAt},
		{"changed", testChanged},
		{"identity", testIdentity},
		{"delete", testDelete},
		{"promote", testPromote},
		{"promote refused", testPromoteRefused},
		{"remove all", testRemoveAll},
		{"cancelled", testCancelled},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

func testNames(t *testing.T, s objstore.Store) {
	ctx := t.Context()
	for _, name := range []string{"", ".", "..", "/", "/a", "a/", "a//b", "../a", "a/../b", "a/..", "./a", "a/./b", "a\x00b", "\xff"} {
		calls := map[string]error{}
		_, calls["Stat"] = s.Stat(ctx, name)
		_, calls["Identity"] = s.Identity(ctx, objstore.Object{Name: name})
		_, calls["Open"] = s.Open(ctx, objstore.Object{Name: name})
		_, calls["Create"] = s.Create(ctx, name)
		_, _, calls["Read"] = s.Read(ctx, name)
		_, calls["Put"] = s.Put(ctx, name, []byte("x"), objstore.Any)
		calls["Delete"] = s.Delete(ctx, objstore.Object{Name: name})
		calls["Promote from"] = s.Promote(ctx, name, "to", "last")
		calls["Promote to"] = s.Promote(ctx, "from", name, "last")
		calls["Promote last"] = s.Promote(ctx, "from", "to", name)
		if name != "a/" { // a trailing slash is fine in a prefix
			calls["RemoveAll"] = s.RemoveAll(ctx, name)
			if name != "" && name != "/" {
				_, calls["List"] = s.List(ctx, name)
				_, calls["Dirs"] = s.Dirs(ctx, name)
			}
		}
		for call, err := range calls {
			if !errors.Is(err, objstore.ErrName) {
				t.Errorf("%s(%q) = %v, want ErrName", call, name, err)
			}
		}
	}
}

func testMissing(t *testing.T, s objstore.Store) {
	ctx := t.Context()
	put(t, s, "dir/file", "x")
	for _, name := range []string{"none", "no/such/name", "dir", "dir/file/below"} {
		calls := map[string]error{}
		_, calls["Stat"] = s.Stat(ctx, name)
		_, calls["Identity"] = s.Identity(ctx, objstore.Object{Name: name})
		_, calls["Open"] = s.Open(ctx, objstore.Object{Name: name})
		_, _, calls["Read"] = s.Read(ctx, name)
		for call, err := range calls {
			if !errors.Is(err, objstore.ErrNotExist) || !strings.Contains(err.Error(), s.URI(name)) {
				t.Errorf("%s(%q) = %v, want ErrNotExist naming %s", call, name, err, s.URI(name))
			}
		}
	}
	for _, prefix := range []string{"none", "no/such/prefix", "dir/file"} {
		if got, err := s.List(ctx, prefix); err != nil || len(got) > 0 {
			t.Errorf("List(%q) = %v, %v, want nothing", prefix, got, err)
		}
		if got, err := s.Dirs(ctx, prefix); err != nil || len(got) > 0 {
			t.Errorf("Dirs(%q) = %v, %v, want nothing", prefix, got, err)
		}
	}
	if err := s.Delete(ctx, objstore.Object{Name: "no/such/name"}); err != nil {
		t.Error(err)
	}
	if err := s.RemoveAll(ctx, "no/such/prefix"); err != nil {
		t.Error(err)
	}
}

func testPut(t *testing.T, s objstore.Store) {
	ctx := t.Context()
	generations := map[string]bool{}
	for _, content := range []string{"one", "two", "two", "", "three"} {
		obj := put(t, s, "a/b c/ü=%+?#.json", content)
		if obj.Name != "a/b c/ü=%+?#.json" || obj.Size != int64(len(content)) || obj.Modified.IsZero() {
			t.Errorf("Put(%q) = %+v", content, obj)
		}
		if obj.HasCRC && obj.CRC32C != crc32.Checksum([]byte(content), crc32.MakeTable(crc32.Castagnoli)) {
			t.Errorf("Put(%q): CRC32C = %08x", content, obj.CRC32C)
		}
		if generations[obj.Generation] || obj.Generation == "" {
			t.Errorf("Put(%q): generation %q again", content, obj.Generation)
		}
		generations[obj.Generation] = true
		data, read, err := s.Read(ctx, obj.Name)
		if err != nil || string(data) != content || !same(read, obj) {
			t.Errorf("Read = %q, %+v, %v, want %q, %+v", data, read, err, content, obj)
		}
		if stat, err := s.Stat(ctx, obj.Name); err != nil || !same(stat, obj) {
			t.Errorf("Stat = %+v, %v, want %+v", stat, err, obj)
		}
	}
}

func testConditions(t *testing.T, s objstore.Store) {
	ctx := t.Context()
	refused := func(what string, cond objstore.Condition, want string) {
		t.Helper()
		if _, err := s.Put(ctx, "x", []byte("new"), cond); !errors.Is(err, objstore.ErrPrecondition) {
			t.Errorf("Put %s: %v, want ErrPrecondition", what, err)
		}
		if data, _, _ := s.Read(ctx, "x"); string(data) != want {
			t.Errorf("after Put %s: %q, want %q", what, data, want)
		}
	}
	refused("over a generation where there is nothing", objstore.IfGeneration("1"), "")
	refused("over no generation where there is nothing", objstore.IfGeneration(""), "")
	one, err := s.Put(ctx, "x", []byte("one"), objstore.IfAbsent)
	if err != nil {
		t.Fatal(err)
	}
	refused("if absent", objstore.IfAbsent, "one")
	refused("over no generation", objstore.IfGeneration(""), "one")
	refused("over a foreign generation", objstore.IfGeneration("12345"), "one")
	if _, err := s.Put(ctx, "x", []byte("two"), objstore.IfGeneration(one.Generation)); err != nil {
		t.Error(err)
	}
	refused("over a former generation", objstore.IfGeneration(one.Generation), "two")
	if got := names(t, s, ""); !slices.Equal(got, []string{"x"}) {
		t.Errorf("left behind: %q", got)
	}
}

func testConcurrentPuts(t *testing.T, s objstore.Store) {
	ctx := t.Context()
	const writers, rounds = 4, 5
	var wg sync.WaitGroup
	won := make([]int, writers)
	for i := range writers {
		wg.Go(func() {
			if _, err := s.Put(ctx, "d/first", []byte{byte(i)}, objstore.IfAbsent); err == nil {
				won[i]++
			} else if !errors.Is(err, objstore.ErrPrecondition) {
				t.Error(err)
			}
			for n := 0; n < rounds; {
				cond, count := objstore.IfAbsent, 0
				data, obj, err := s.Read(ctx, "d/count")
				if err == nil {
					cond = objstore.IfGeneration(obj.Generation)
					count, _ = strconv.Atoi(string(data))
				} else if !errors.Is(err, objstore.ErrNotExist) {
					t.Error(err)
					return
				}
				switch _, err := s.Put(ctx, "d/count", []byte(strconv.Itoa(count+1)), cond); {
				case err == nil:
					n++
				case !errors.Is(err, objstore.ErrPrecondition):
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	data, _, err := s.Read(ctx, "d/count")
	if err != nil || string(data) != strconv.Itoa(writers*rounds) {
		t.Errorf("count = %q, %v, want %d", data, err, writers*rounds)
	}
	slices.Sort(won)
	if won[writers-1] != 1 || won[writers-2] != 0 {
		t.Errorf("winners of one name: %v", won)
	}
}

func testList(t *testing.T, s objstore.Store) {
	ctx := t.Context()
	all := []string{"B", "a", "a-b/1", "a/1", "a/b/c/2", "a/ä", "a0", "dt=2026-01-01/_x", "dt=2026-01-01/x.parquet", "dt=2026-01-01-2/x"}
	for _, name := range all {
		if name != "a" { // a directory of that name follows
			put(t, s, name, "content of "+name)
		}
	}
	all = slices.DeleteFunc(all, func(n string) bool { return n == "a" })
	slices.Sort(all)
	if got := names(t, s, ""); !slices.Equal(got, all) {
		t.Errorf("List = %q, want %q", got, all)
	}
	for prefix, want := range map[string][]string{
		"a":             {"a/1", "a/b/c/2", "a/ä"},
		"a/":            {"a/1", "a/b/c/2", "a/ä"},
		"a/b":           {"a/b/c/2"},
		"dt=2026-01-01": {"dt=2026-01-01/_x", "dt=2026-01-01/x.parquet"},
		"dt=2026":       nil,
		"B":             nil,
	} {
		if got := names(t, s, prefix); !slices.Equal(got, want) {
			t.Errorf("List(%q) = %q, want %q", prefix, got, want)
		}
	}
	objects, err := s.List(ctx, "a/b")
	if err != nil {
		t.Fatal(err)
	}
	stat, err := s.Stat(ctx, "a/b/c/2")
	if err != nil || !same(objects[0], stat) {
		t.Errorf("List has %+v, Stat %+v (%v)", objects[0], stat, err)
	}
	for prefix, want := range map[string][]string{
		"":    {"a", "a-b", "dt=2026-01-01", "dt=2026-01-01-2"},
		"a":   {"a/b"},
		"a/b": {"a/b/c"},
	} {
		if got, err := s.Dirs(ctx, prefix); err != nil || !slices.Equal(got, want) {
			t.Errorf("Dirs(%q) = %q, %v, want %q", prefix, got, err, want)
		}
	}
}

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
		if err != nil || !regexp.MustCompile(`^(generation:[0-9]+|crc32c:[0-9a-f]{8})$`).MatchString(id) {
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

func testDelete(t *testing.T, s objstore.Store) {
	ctx := t.Context()
	one := put(t, s, "x", "one")
	two := put(t, s, "x", "two")
	if err := s.Delete(ctx, one); !errors.Is(err, objstore.ErrPrecondition) {
		t.Errorf("Delete of a former generation: %v, want ErrPrecondition", err)
	}
	if got := read(t, s, "x"); got != "two" {
		t.Errorf("after it: %q", got)
	}
	must(t, s.Delete(ctx, two))
	must(t, s.Delete(ctx, two))
	if got := names(t, s, ""); len(got) > 0 {
		t.Errorf("after Delete: %q", got)
	}
	put(t, s, "x", "three")
	must(t, s.Delete(ctx, objstore.Object{Name: "x"}))
	if got := names(t, s, ""); len(got) > 0 {
		t.Errorf("after unconditional Delete: %q", got)
	}
}

// Stage makes a tree of n objects and its marker _SUCCESS below prefix.
func Stage(t testing.TB, s objstore.Store, prefix string, n int) {
	t.Helper()
	for i := range n {
		put(t, s, fmt.Sprintf("%s/data/part=%d/x.parquet", prefix, i), fmt.Sprintf("content %d", i))
	}
	put(t, s, prefix+"/_SUCCESS", "all")
}

func testPromote(t *testing.T, s objstore.Store) {
	ctx := t.Context()
	put(t, s, "out/run=12/other", "sibling")
	for round, remains := range []bool{false, true} {
		Stage(t, s, "tmp/run=1", 20)
		put(t, s, "tmp/run=1/empty", "")
		if remains {
			put(t, s, "out/run=1/data/part=0/x.parquet", "of an interrupted promotion")
			put(t, s, "out/run=1/stale/y.parquet", "of an interrupted promotion")
		}
		want := map[string]string{}
		for _, name := range names(t, s, "tmp/run=1") {
			want["out"+strings.TrimPrefix(name, "tmp")] = read(t, s, name)
		}
		must(t, s.Promote(ctx, "tmp/run=1", "out/run=1", "_SUCCESS"))
		got := map[string]string{}
		for _, name := range names(t, s, "out/run=1") {
			got[name] = read(t, s, name)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("round %d: got %v, want %v", round, got, want)
		}
		if left := names(t, s, "tmp"); len(left) > 0 {
			t.Errorf("round %d: left behind %q", round, left)
		}
		must(t, s.RemoveAll(ctx, "out/run=1"))
	}
	if got := names(t, s, ""); !slices.Equal(got, []string{"out/run=12/other"}) {
		t.Errorf("at the end: %q", got)
	}
}

func testPromoteRefused(t *testing.T, s objstore.Store) {
	ctx := t.Context()
	Stage(t, s, "tmp/run=1", 2)
	Stage(t, s, "out/run=1", 1)
	before := names(t, s, "")
	if err := s.Promote(ctx, "tmp/run=1", "out/run=1", "_SUCCESS"); !errors.Is(err, objstore.ErrExist) {
		t.Errorf("Promote onto a complete tree: %v, want ErrExist", err)
	}
	if err := s.Promote(ctx, "none", "out/run=1", "_SUCCESS"); !errors.Is(err, objstore.ErrExist) {
		t.Errorf("repeat of a Promote that was done: %v, want ErrExist", err)
	}
	for _, from := range []string{"none", "tmp/run=1/data"} {
		if err := s.Promote(ctx, from, "out/run=2", "_SUCCESS"); !errors.Is(err, objstore.ErrNotExist) {
			t.Errorf("Promote of %s, which has no marker: %v, want ErrNotExist", from, err)
		}
	}
	if got := names(t, s, ""); !slices.Equal(got, before) {
		t.Errorf("after what was refused: %q, want %q", got, before)
	}
}

func testRemoveAll(t *testing.T, s objstore.Store) {
	ctx := t.Context()
	Stage(t, s, "out/run=1", 20)
	put(t, s, "out/run=12/x", "sibling")
	put(t, s, "out/x", "sibling")
	must(t, s.RemoveAll(ctx, "out/run=1/"))
	must(t, s.RemoveAll(ctx, "out/run=1"))
	if got := names(t, s, ""); !slices.Equal(got, []string{"out/run=12/x", "out/x"}) {
		t.Errorf("after RemoveAll: %q", got)
	}
	if got, err := s.Dirs(ctx, "out"); err != nil || !slices.Equal(got, []string{"out/run=12"}) {
		t.Errorf("after RemoveAll: directories %q, %v", got, err)
	}
}

func testCancelled(t *testing.T, s objstore.Store) {
	Stage(t, s, "tmp/run=1", 1)
	obj := put(t, s, "x", "content")
	r, err := s.Open(t.Context(), obj)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	before := names(t, s, "")
	ctx, cancel := context.WithCancel(t.Context())
	late, err := s.Open(ctx, obj)
	if err != nil {
		t.Fatal(err)
	}
	defer late.Close()
	cancel()
	calls := map[string]error{}
	_, calls["List"] = s.List(ctx, "")
	_, calls["Dirs"] = s.Dirs(ctx, "")
	_, calls["Stat"] = s.Stat(ctx, "x")
	_, _, calls["Read"] = s.Read(ctx, "x")
	_, calls["Put"] = s.Put(ctx, "new", []byte("x"), objstore.Any)
	_, calls["Create"] = s.Create(ctx, "new")
	calls["Delete"] = s.Delete(ctx, obj)
	calls["Promote"] = s.Promote(ctx, "tmp/run=1", "out/run=1", "_SUCCESS")
	calls["RemoveAll"] = s.RemoveAll(ctx, "tmp/run=1")
	calls["Unchanged"] = r.Unchanged(ctx)
	_, calls["ReadAt"] = late.ReadAt(make([]byte, 1), 0)
	for call, err := range calls {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s with a cancelled context: %v", call, err)
		}
	}
	if got := names(t, s, ""); !slices.Equal(got, before) {
		t.Errorf("after cancelled calls: %q, want %q", got, before)
	}
}

func put(t testing.TB, s objstore.Store, name, content string) objstore.Object {
	t.Helper()
	obj, err := s.Put(t.Context(), name, []byte(content), objstore.Any)
	must(t, err)
	return obj
}

func read(t testing.TB, s objstore.Store, name string) string {
	t.Helper()
	data, _, err := s.Read(t.Context(), name)
	must(t, err)
	return string(data)
}

func names(t testing.TB, s objstore.Store, prefix string) []string {
	t.Helper()
	objects, err := s.List(t.Context(), prefix)
	must(t, err)
	var names []string
	for _, o := range objects {
		names = append(names, o.Name)
	}
	return names
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func same(a, b objstore.Object) bool {
	return a.Name == b.Name && a.Size == b.Size && a.Generation == b.Generation &&
		a.CRC32C == b.CRC32C && a.HasCRC == b.HasCRC && a.Modified.Equal(b.Modified)
}
