// Package storetest is the contract of objstore.Store as tests, which every
// store passes, and a fake GCS for all tests that need gs://.
package storetest

import (
	"errors"
	"hash/crc32"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"assent/job/internal/objstore"
)

// Run checks a store's whole contract. open returns an empty store, another
// one at each call. The tests named in lacking are left out: for a server that is
// known not to keep that part.
func Run(t *testing.T, open func(t *testing.T) objstore.Store, lacking ...string) {
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
		{"load", testLoad},
		{"whole", testWhole},
		{"changed", testChanged},
		{"identity", testIdentity},
		{"copy", testCopy},
		{"copy refused", testCopyRefused},
		{"concurrent copies", testConcurrentCopies},
		{"delete", testDelete},
		{"promote", testPromote},
		{"promote with", testPromoteWith},
		{"promote refused", testPromoteRefused},
		{"remove all", testRemoveAll},
		{"cancelled", testCancelled},
		{"exists", testExists},
		{"terms", testTerms},
	} {
		if slices.Contains(lacking, test.name) {
			continue
		}
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
		_, calls["Copy from"] = s.Copy(ctx, objstore.Object{Name: name}, "to")
		_, calls["Copy to"] = s.Copy(ctx, objstore.Object{Name: "from"}, name)
		calls["Promote from"] = s.Promote(ctx, name, "to", "last", nil)
		calls["Promote to"] = s.Promote(ctx, "from", name, "last", nil)
		calls["Promote last"] = s.Promote(ctx, "from", "to", name, nil)
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
		_, calls["Copy"] = s.Copy(ctx, objstore.Object{Name: name}, "to")
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

func testExists(t *testing.T, s objstore.Store) {
	put(t, s, "dir/in/file", "x")
	for prefix, want := range map[string]bool{"": true, "dir": true, "dir/": true, "dir/in": true, "dir/in/file": false, "di": false, "none": false, "no/such": false, "dir/in/file/x": false} {
		if got, err := s.Exists(t.Context(), prefix); got != want || err != nil {
			t.Errorf("Exists(%q) = %v, %v", prefix, got, err)
		}
	}
	if _, err := s.Exists(t.Context(), "a/../b"); !errors.Is(err, objstore.ErrName) {
		t.Errorf("Exists of what is no name: %v", err)
	}
}

// testTerms wants a kind and a meaning from every store, whatever its place says.
func testTerms(t *testing.T, s objstore.Store) {
	at := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	terms, err := s.Terms(t.Context(), at)
	if err != nil || terms.Kind == "" || len(terms.Meaning) == 0 || terms.GoneFrom != nil && terms.GoneFrom.Before(at) {
		t.Errorf("Terms = %+v, %v", terms, err)
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
