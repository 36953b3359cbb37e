package listing_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"assent/job/internal/objstore"
	"assent/job/internal/objstore/storetest"
	"assent/job/internal/source/listing"
)

// everywhere runs a test below a directory, below a prefix of our fake of GCS, and of
// fake-gcs-server itself.
func everywhere(t *testing.T, test func(t *testing.T, root string)) {
	t.Run("file", func(t *testing.T) { test(t, t.TempDir()) })
	for name, start := range map[string]func(testing.TB){
		"gs":    func(t testing.TB) { storetest.FakeGCS(t) },
		"plain": func(t testing.TB) { storetest.PlainGCS(t) },
	} {
		t.Run(name, func(t *testing.T) {
			start(t)
			test(t, "gs://"+storetest.Bucket+"/in")
		})
	}
}

// make puts objects, each with its name as content.
func put(t *testing.T, root string, names ...string) {
	t.Helper()
	opener := new(objstore.Opener)
	defer opener.Close()
	s, err := opener.Open(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if _, err := s.Put(t.Context(), name, []byte(name), objstore.Any); err != nil {
			t.Fatal(err)
		}
	}
}

func find(t *testing.T, uri string, use listing.Use) (listing.Inputs, error) {
	t.Helper()
	opener := new(objstore.Opener)
	t.Cleanup(func() { opener.Close() })
	return new(listing.Finder).Find(t.Context(), opener, uri, use)
}

func rels(in listing.Inputs) (got []string) {
	for _, f := range in.Files {
		got = append(got, f.Rel)
	}
	return got
}

func TestFind(t *testing.T) {
	everywhere(t, testFind)
}

func testFind(t *testing.T, root string) {
	put(t, root,
		"one.csv", "m/b.parquet", "m/a.parquet", "m/dt=2026-01-01/a.parquet", "m/dt=2026-01-02/a.parquet", "m/dt=2026-01-02/x/c.parquet",
		"m/readme.txt", "m/a.parquet.crc", "m/.a.parquet.crc", "m/_SUCCESS", "m/_tmp/x.parquet", "m/dt=2026-01-01/.x.parquet",
		"m/.hidden/y/z.parquet", "m2/x.parquet", "spark.parquet/part-0.parquet", "text/a.txt", "text/_b.parquet", "lit[e]ral/a.parquet", "_under/a.parquet",
	)
	all := []string{"a.parquet", "b.parquet", "dt=2026-01-01/a.parquet", "dt=2026-01-02/a.parquet", "dt=2026-01-02/x/c.parquet"}
	for _, test := range []struct {
		path, root string
		want       []string
	}{
		{"one.csv", "", []string{"one.csv"}},
		{"m/_tmp/x.parquet", "m/_tmp", []string{"x.parquet"}},
		{"m", "m", all},
		{"m/", "m", all},
		{"_under", "_under", []string{"a.parquet"}},
		{"spark.parquet", "spark.parquet", []string{"part-0.parquet"}},
		{"*.parquet", "", []string{"spark.parquet/part-0.parquet"}},
		{"m/*.parquet", "m", []string{"a.parquet", "b.parquet"}},
		{"m/dt=2026-01-0?/*.parquet", "m", []string{"dt=2026-01-01/a.parquet", "dt=2026-01-02/a.parquet"}},
		{"m/dt=*-0[2-9]/**/*.parquet", "m", []string{"dt=2026-01-02/a.parquet", "dt=2026-01-02/x/c.parquet"}},
		{"m/**/a.parquet", "m", []string{"a.parquet", "dt=2026-01-01/a.parquet", "dt=2026-01-02/a.parquet"}},
		{"m/dt=2026*", "m", all[2:]},
		{"m/dt=*-02/", "m", all[3:]},
		{"m*/*.parquet", "", []string{"m/a.parquet", "m/b.parquet", "m2/x.parquet"}},
		{"m/*.txt", "m", []string{"readme.txt"}},
		{"m/**", "m", []string{"a.parquet", "b.parquet", "dt=2026-01-01/a.parquet", "dt=2026-01-02/a.parquet", "dt=2026-01-02/x/c.parquet", "readme.txt"}},
		{"*/_tmp/*", "", []string{"m/_tmp/x.parquet"}},
		{"*/_*/*.parquet", "", []string{"m/_tmp/x.parquet"}},
		{"lit[e]ral", "lit[e]ral", []string{"a.parquet"}},
	} {
		in, err := find(t, root+"/"+test.path, listing.Dataset)
		if err != nil {
			t.Errorf("Find(%q): %v", test.path, err)
			continue
		}
		for _, f := range in.Files {
			whole := strings.TrimPrefix(test.root+"/"+f.Rel, "/")
			if data, _, err := in.Store.Read(t.Context(), f.Name); err != nil || string(data) != whole {
				t.Errorf("Find(%q): %s holds %q, %v, want %q", test.path, f.Rel, data, err, whole)
			}
		}
		if got := rels(in); !slices.Equal(got, test.want) || in.Root != strings.TrimSuffix(root+"/"+test.root, "/") {
			t.Errorf("Find(%q) = %q below %q, want %q below %q", test.path, got, in.Root, test.want, test.root)
		}
	}
	for path, want := range map[string]error{
		"none":           objstore.ErrNotExist,
		"none/x.parquet": objstore.ErrNotExist,
		"none/*.parquet": objstore.ErrNotExist,
		"lit[e]ral/*":    listing.ErrNoInput, // a glob by then
		"one.csv/x":      objstore.ErrNotExist,
		"text":           listing.ErrNoInput,
		"m/*.csv":        listing.ErrNoInput,
		"m/[.parquet":    listing.ErrGlob,
		"m/[a-/*":        listing.ErrGlob,
		`m/x[\`:          listing.ErrGlob,
		"no/**/[":        listing.ErrGlob,
	} {
		in, err := find(t, root+"/"+path, listing.Dataset)
		if !errors.Is(err, want) || !strings.Contains(err.Error(), root) {
			t.Errorf("Find(%q) = %+v, %v, want %v", path, in, err, want)
		}
		if _, ok := errors.AsType[*listing.Error](err); ok != (want != objstore.ErrNotExist) {
			t.Errorf("Find(%q) is %T", path, err)
		}
	}
}

// TestNames holds what is read, what is told and what is left out below a directory.
func TestNames(t *testing.T) {
	for name, want := range map[string]string{
		"a.parquet":                    "read",
		"A.PARQUET":                    "read",
		"a.Parquet":                    "read",
		"a.parq":                       "read",
		"a.PARQ":                       "read",
		"a.snappy.parquet":             "read",
		"dt=1/a.parquet":               "read",
		"_loaded=2026-03/a.parquet":    "read",
		".k=v/a.parquet":               "read",
		"_k=/a.parquet":                "read",
		"x/_k=v/y/.z=1/a.parquet":      "read",
		"a b/ü.parquet":                "read",
		"000000_0":                     "told",
		"a.parquet.gz":                 "told",
		"a.orc":                        "told",
		"a.csv":                        "told",
		"a.parquet~":                   "told",
		"dt=1/part-00000":              "told",
		"_k=v/manifest":                "told",
		"aparquet":                     "told",
		"_SUCCESS":                     "",
		"_a.parquet":                   "",
		"_k=v.parquet":                 "", // a file is no directory
		".a.parquet.crc":               "",
		"a.parquet.crc":                "",
		"a.CRC":                        "",
		"dt=1_$folder$":                "",
		"_tmp/dt=1/a.parquet":          "",
		"_k=v/_tmp/a.parquet":          "",
		".Trash/a.parquet":             "",
		"_=/.x/a.parquet":              "",
		"_temporary/0/task=1/a.parq":   "",
		".spark-staging/k=v/a.parquet": "",
	} {
		t.Run(strings.ReplaceAll(name, "/", "|"), func(t *testing.T) {
			root := t.TempDir()
			put(t, root, "z.parquet", name)
			in, err := find(t, root, listing.Dataset)
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case slices.Contains(rels(in), name) != (want == "read"):
				t.Errorf("read: %q, want %q %s", rels(in), name, want)
			case slices.Contains(in.Strangers, fmt.Sprintf("%q", name)) != (want == "told"):
				t.Errorf("told: %q, want %q %s", in.Strangers, name, want)
			}
			in, err = find(t, root, listing.Control)
			if want == "told" {
				if _, ok := errors.AsType[*listing.Error](err); !ok || !errors.Is(err, listing.ErrStranger) || !strings.Contains(err.Error(), name) {
					t.Errorf("as a control input: %v", err)
				}
			} else if err != nil || slices.Contains(rels(in), name) != (want == "read") {
				t.Errorf("as a control input: %q, %v", rels(in), err)
			}
		})
	}
}

// TestStrangersHint takes the advice that the error gives.
func TestStrangersHint(t *testing.T) {
	everywhere(t, func(t *testing.T, root string) {
		put(t, root, "c/000000_0", "c/dt=1/000000_0", "c/B.PARQUET", "c/dt=1/c.parquet", "c/manifest", "c/x1", "c/x2", "c/x3")
		_, err := find(t, root+"/c", listing.Control)
		e, ok := errors.AsType[*listing.Error](err)
		if !ok || !strings.Contains(err.Error(), `"000000_0", "dt=1/000000_0", "manifest", "x1", "x2" and 1 more`) {
			t.Fatal(err)
		}
		for glob, want := range map[string]int{root + "/c/**/*.parquet": 2, root + "/c/**": 8} {
			if in, err := find(t, glob, listing.Control); err != nil || len(in.Files) != want || !strings.Contains(e.Hint, glob) {
				t.Errorf("%s: %q, %v; the hint is %s", glob, rels(in), err, e.Hint)
			}
		}
	})
}

func TestKeys(t *testing.T) {
	null := listing.Key{Name: "k", Null: true}
	for dir, want := range map[string][]listing.Key{
		"":                               nil,
		".":                              nil,
		"a/b":                            nil,
		"dt=2026-01-01":                  {{Name: "dt", Value: "2026-01-01"}},
		"a=1/x/b=2":                      {{Name: "a", Value: "1"}, {Name: "b", Value: "2"}},
		"t=2026-01-01 10%3A00%3A00":      {{Name: "t", Value: "2026-01-01 10:00:00"}},
		"k=__HIVE_DEFAULT_PARTITION__":   {null},
		"k=__HIVE_DEFAULT_PARTITION__x":  {{Name: "k", Value: "__HIVE_DEFAULT_PARTITION__x"}},
		"k=%5F_HIVE_DEFAULT_PARTITION__": {{Name: "k", Value: "__HIVE_DEFAULT_PARTITION__"}}, // as Spark reads it
		"k=a=b":                          {{Name: "k", Value: "a=b"}},
		"k=a%3Db":                        {{Name: "k", Value: "a=b"}},
		"a%2Fb=c%2fd":                    {{Name: "a/b", Value: "c/d"}},
		"k=":                             {{Name: "k"}},
		"=v":                             nil,
		"k=100%":                         {{Name: "k", Value: "100%"}},
		"k=%zz%4":                        {{Name: "k", Value: "%zz%4"}},
		"k=%25%32%35":                    {{Name: "k", Value: "%25"}},
		"k=%C3%A4":                       {{Name: "k", Value: "ä"}}, // pyarrow, DuckDB
		"k=ä+b":                          {{Name: "k", Value: "ä+b"}},
		"_loaded=2026-03/k=1/k=2":        {{Name: "_loaded", Value: "2026-03"}, {Name: "k", Value: "1"}, {Name: "k", Value: "2"}},
	} {
		if got := listing.Keys(dir); !slices.Equal(got, want) {
			t.Errorf("Keys(%q) = %+v, want %+v", dir, got, want)
		}
	}
	everywhere(t, func(t *testing.T, root string) {
		put(t, root, "m/_a=1/b=x%3Ay/p.parquet", "m/p.parquet")
		in, err := find(t, root+"/m", listing.Control)
		if err != nil || len(in.Files) != 2 {
			t.Fatal(rels(in), err)
		}
		if got := in.Files[0].Keys; !slices.Equal(got, []listing.Key{{Name: "_a", Value: "1"}, {Name: "b", Value: "x:y"}}) || len(in.Files[1].Keys) > 0 {
			t.Errorf("%+v", in.Files)
		}
	})
}

// TestMarks has the objects with which consoles and file system adapters mark folders.
func TestMarks(t *testing.T) {
	for name, start := range map[string]func(testing.TB) *storetest.GCS{"gs": func(t testing.TB) *storetest.GCS { return storetest.FakeGCS(t) }, "plain": storetest.PlainGCS} {
		t.Run(name, func(t *testing.T) {
			g := start(t)
			for name, content := range map[string]string{
				"in/": "", "in/m/": "", "in/m/dt=1/": "", "in/m/dt=1/a.parquet": "a", "in/m/_x/": "", "in/m//": "",
				"in/m//b.parquet": "b", "in/m/dt=1//dt=2//c.parquet": "c", "in/m/./d.parquet": "d", "in/m/../e.parquet": "e",
				"in/m/dt=3": "", "in/m/dt=3/f.parquet": "f", "in/m/dt=4_$folder$": "", "in/empty/": "",
				"in/n": "", "in/n/g.parquet": "g", "in/o": "object", "in/o/h.parquet": "h",
				"in/p/content/": "content", "in/p/i.parquet": "i",
			} {
				g.PutObject(storetest.Bucket, name, []byte(content))
			}
			root := "gs://" + storetest.Bucket + "/in"
			for path, want := range map[string][]string{
				"m":     {"%2E%2E/e.parquet", "%2E/d.parquet", "%2F/b.parquet", "dt=1/%2F/dt=2/%2F/c.parquet", "dt=1/a.parquet", "dt=3/f.parquet"},
				"m/":    {"%2E%2E/e.parquet", "%2E/d.parquet", "%2F/b.parquet", "dt=1/%2F/dt=2/%2F/c.parquet", "dt=1/a.parquet", "dt=3/f.parquet"},
				"m/dt*": {"dt=1/%2F/dt=2/%2F/c.parquet", "dt=1/a.parquet", "dt=3/f.parquet"},
				"n":     {"g.parquet"},
				"o/":    {"h.parquet"},
			} {
				in, err := find(t, root+"/"+path, listing.Control)
				if err != nil || !slices.Equal(rels(in), want) {
					t.Errorf("%s: %q, %v, want %q", path, rels(in), err, want)
					continue
				}
				for _, f := range in.Files {
					r, err := in.Store.Open(t.Context(), f.Object)
					if err != nil {
						t.Fatal(err)
					}
					data := make([]byte, r.Size())
					if _, err := r.ReadAt(data, 0); err != nil || string(data)+".parquet" != filepath.Base(f.Rel) || r.Unchanged(t.Context()) != nil {
						t.Errorf("%s holds %q, %v", f.Rel, data, err)
					}
					if id, err := in.Store.Identity(t.Context(), f.Object); err != nil || id == "" {
						t.Error(err)
					}
				}
			}
			for path, want := range map[string]error{"empty": listing.ErrNoInput, "o": listing.ErrAmbiguous, "p": listing.ErrStranger} {
				if in, err := find(t, root+"/"+path, listing.Control); !errors.Is(err, want) {
					t.Errorf("%s: %q, %v", path, rels(in), err)
				}
			}
			// The whole bucket, whose root has no mark.
			if in, err := find(t, "gs://"+storetest.Bucket, listing.Dataset); err != nil || len(in.Files) != 9 {
				t.Errorf("bucket: %q, %v", rels(in), err)
			}
		})
	}
}

func TestBadLinks(t *testing.T) {
	for name, links := range map[string]map[string]string{
		"itself":              {"m/x": "x"},
		"two":                 {"m/x": "y", "m/y": "x"},
		"named as Parquet":    {"m/x.parquet": "x.parquet"},
		"nowhere":             {"m/x": "none"},
		"nowhere, as Parquet": {"m/x.parquet": "none"},
		"below":               {"m/dt=1/x": "../dt=1/x"},
	} {
		for _, path := range []string{"m", "m/**", "*", "*/**/*.parquet"} {
			t.Run(name+" "+strings.ReplaceAll(path, "/", "|"), func(t *testing.T) {
				root := t.TempDir()
				put(t, root, "m/a.parquet", "m/dt=1/b.parquet", "n/c.parquet")
				link(t, root, links)
				in, err := find(t, root+"/"+path, listing.Dataset)
				if _, ok := errors.AsType[*listing.Error](err); !ok || !errors.Is(err, listing.ErrUnreadable) || errors.Is(err, objstore.ErrNotExist) {
					t.Errorf("%q, %v", rels(in), err)
				}
				if in, err := find(t, root+"/n", listing.Control); err != nil || len(in.Files) != 1 {
					t.Errorf("beside it: %q, %v", rels(in), err)
				}
			})
		}
	}
	root := t.TempDir()
	put(t, root, "m/a.parquet", "m/_x/b.parquet", "m/dt=1/c.parquet")
	link(t, root, map[string]string{"loop": "loop", "m/_loop": "_loop", "m/.gone": "gone", "m/_x/gone": "gone", "m/self": ".", "m/dt=1/up": "../../m", "m/b.parquet": "a.parquet"})
	for _, path := range []string{"loop", "loop/x", "loop/*.parquet"} {
		if _, err := find(t, root+"/"+path, listing.Dataset); !errors.Is(err, objstore.ErrLoop) {
			t.Errorf("%s: %v", path, err)
		} else if _, ok := errors.AsType[*listing.Error](err); !ok {
			t.Errorf("%s: %T", path, err)
		}
	}
	// Hidden links are not followed; one to a directory it stands in leads to nothing new.
	if in, err := find(t, root+"/m", listing.Control); err != nil || !slices.Equal(rels(in), []string{"a.parquet", "b.parquet", "dt=1/c.parquet"}) {
		t.Errorf("%q, %v", rels(in), err)
	}
}

func link(t *testing.T, root string, links map[string]string) {
	t.Helper()
	for name, target := range links {
		if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
			t.Skip(err)
		}
	}
}

func TestEmptyAndForbidden(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "real/data/part=0/x.parquet")
	if err := os.Mkdir(filepath.Join(dir, "empty"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := find(t, filepath.Join(dir, "empty"), listing.Dataset); !errors.Is(err, listing.ErrNoInput) {
		t.Errorf("an empty directory: %v, want ErrNoInput", err)
	}
	link(t, dir, map[string]string{"link": "real"})
	t.Chdir(dir)
	for path, root := range map[string]string{".": ".", "link": "link", "link/data/*/*.parquet": "link/data", "*/data/*/*.parquet": ".", "./real/": "real"} {
		in, err := find(t, path, listing.Dataset)
		if err != nil || in.Root != root || !strings.HasSuffix(in.Files[0].Rel, "part=0/x.parquet") {
			t.Errorf("Find(%q) = %+v, %v", path, in, err)
		}
	}
	if os.Geteuid() == 0 {
		return
	}
	if err := os.Chmod("real/data", 0); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod("real/data", 0o755)
	if _, err := find(t, "real", listing.Dataset); !errors.Is(err, objstore.ErrPermission) {
		t.Errorf("an unreadable directory: %v, want ErrPermission", err)
	}
}
