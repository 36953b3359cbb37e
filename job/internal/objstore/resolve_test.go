package objstore_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"assent/job/internal/objstore"
	"assent/job/internal/objstore/storetest"
)

func TestParse(t *testing.T) {
	for uri, want := range map[string]objstore.Location{
		"gs://b":             {Bucket: "b"},
		"gs://b/":            {Bucket: "b"},
		"gs://b/p/q/":        {Bucket: "b", Path: "p/q"},
		"gs://b/dt=1/*.parq": {Bucket: "b", Path: "dt=1/*.parq"},
		"dir/":               {Path: "dir"},
		"./a/../b":           {Path: "b"},
		"/abs/x":             {Path: "/abs/x"},
		"file:///abs/x":      {Path: "/abs/x"},
		"a:b":                {Path: "a:b"},
		"s3:/x":              {Path: "s3:/x"},
		"1a://x":             {Path: "1a:/x"},
	} {
		got, err := objstore.Parse(uri)
		if err != nil || got != want {
			t.Errorf("Parse(%q) = %+v, %v, want %+v", uri, got, err, want)
		}
		if again, err := objstore.Parse(got.String()); err != nil || again != got {
			t.Errorf("Parse(%q) = %+v, %v, want %+v", got.String(), again, err, got)
		}
	}
	for uri, part := range map[string]string{
		"":              "empty",
		"s3://b/x":      `unknown scheme "s3://"`,
		"https://x/y":   "gs://bucket/prefix",
		"gs://":         "gs://bucket/prefix",
		"gs:///x":       "gs://bucket/prefix",
		"gs://*/x":      "gs://bucket/prefix",
		"gs://b/../c":   "gs://b/../c",
		"gs://b//c":     "gs://b//c",
		"gs://b/x\x00":  "NUL",
		"x\x00":         "NUL",
		"file://host/x": "file:///path",
	} {
		if got, err := objstore.Parse(uri); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("Parse(%q) = %+v, %v, want an error with %q", uri, got, err, part)
		}
	}
}

func TestResolve(t *testing.T) {
	storetest.FakeGCS(t)
	for name, root := range map[string]string{"file": t.TempDir(), "gs": "gs://" + storetest.Bucket + "/in"} {
		t.Run(name, func(t *testing.T) { testResolve(t, root) })
	}
}

func testResolve(t *testing.T, root string) {
	opener := new(objstore.Opener)
	defer opener.Close()
	s, err := opener.Open(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"one.csv", "m/b.parquet", "m/a.parquet", "m/dt=2026-01-01/a.parquet", "m/dt=2026-01-02/a.parquet", "m/dt=2026-01-02/x/c.parquet",
		"m/readme.txt", "m/a.parquet.crc", "m/.a.parquet.crc", "m/_SUCCESS", "m/_tmp/x.parquet", "m/dt=2026-01-01/.x.parquet",
		"m/.hidden/y/z.parquet", "m2/x.parquet", "spark.parquet/part-0.parquet", "text/a.txt", "text/_b.parquet", "lit[e]ral/a.parquet", "_under/a.parquet",
	} {
		if _, err := s.Put(t.Context(), name, []byte(name), objstore.Any); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		path, root string
		want       []string
	}{
		{"one.csv", "", []string{"one.csv"}},
		{"m/_tmp/x.parquet", "m/_tmp", []string{"x.parquet"}},
		{"m", "m", []string{"a.parquet", "b.parquet", "dt=2026-01-01/a.parquet", "dt=2026-01-02/a.parquet", "dt=2026-01-02/x/c.parquet"}},
		{"m/", "m", []string{"a.parquet", "b.parquet", "dt=2026-01-01/a.parquet", "dt=2026-01-02/a.parquet", "dt=2026-01-02/x/c.parquet"}},
		{"_under", "_under", []string{"a.parquet"}},
		{"spark.parquet", "spark.parquet", []string{"part-0.parquet"}},
		{"m/*.parquet", "m", []string{"a.parquet", "b.parquet"}},
		{"m/dt=2026-01-0?/*.parquet", "m", []string{"dt=2026-01-01/a.parquet", "dt=2026-01-02/a.parquet"}},
		{"m/dt=*-0[2-9]/**/*.parquet", "m", []string{"dt=2026-01-02/a.parquet", "dt=2026-01-02/x/c.parquet"}},
		{"m/**/a.parquet", "m", []string{"a.parquet", "dt=2026-01-01/a.parquet", "dt=2026-01-02/a.parquet"}},
		{"m*/*.parquet", "", []string{"m/a.parquet", "m/b.parquet", "m2/x.parquet"}},
		{"m/*.txt", "m", []string{"readme.txt"}},
		{"lit[e]ral", "lit[e]ral", []string{"a.parquet"}},
		{"lit[e]ral/*", "", nil},
	} {
		in, err := objstore.Resolve(t.Context(), opener, root+"/"+test.path)
		if test.want == nil {
			if err == nil {
				t.Errorf("Resolve(%q) = %+v", test.path, in)
			}
			continue
		}
		if err != nil {
			t.Errorf("Resolve(%q): %v", test.path, err)
			continue
		}
		var got []string
		for _, f := range in.Files {
			got = append(got, f.Rel)
			whole := strings.TrimPrefix(test.root+"/"+f.Rel, "/")
			if data, _, err := in.Store.Read(t.Context(), f.Name); err != nil || string(data) != whole {
				t.Errorf("Resolve(%q): %s holds %q, %v, want %q", test.path, f.Rel, data, err, whole)
			}
		}
		if !slices.Equal(got, test.want) || in.Root != strings.TrimSuffix(root+"/"+test.root, "/") {
			t.Errorf("Resolve(%q) = %q below %q, want %q below %q", test.path, got, in.Root, test.want, test.root)
		}
	}
	for path, want := range map[string]error{
		"none":           objstore.ErrNotExist,
		"none/x.parquet": objstore.ErrNotExist,
		"none/*.parquet": objstore.ErrNotExist,
		"one.csv/x":      objstore.ErrNotExist,
		"text":           objstore.ErrNoInput,
		"m/*.csv":        objstore.ErrNoInput,
		"m/dt=2026*":     objstore.ErrNoInput, // a glob matches files
	} {
		in, err := objstore.Resolve(t.Context(), opener, root+"/"+path)
		if !errors.Is(err, want) || !strings.Contains(err.Error(), root) {
			t.Errorf("Resolve(%q) = %+v, %v, want %v", path, in, err, want)
		}
	}
	if _, err := objstore.Resolve(t.Context(), opener, root+"/m/[.parquet"); err == nil || !strings.Contains(err.Error(), "glob") {
		t.Errorf("bad glob: %v", err)
	}
}

func TestResolveLocal(t *testing.T) {
	dir := t.TempDir()
	storetest.Stage(t, open(t, dir), "real", 1)
	if err := os.Mkdir(filepath.Join(dir, "empty"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := objstore.Resolve(t.Context(), new(objstore.Opener), filepath.Join(dir, "empty")); !errors.Is(err, objstore.ErrNoInput) {
		t.Errorf("an empty directory: %v, want ErrNoInput", err)
	}
	if err := os.Symlink("real", filepath.Join(dir, "link")); err != nil {
		t.Skip(err)
	}
	t.Chdir(dir)
	for path, root := range map[string]string{".": ".", "link": "link", "link/data/*/*.parquet": "link/data", "*/data/*/*.parquet": ".", "./real/": "real"} {
		in, err := objstore.Resolve(t.Context(), new(objstore.Opener), path)
		if err != nil || in.Root != root || !strings.HasSuffix(in.Files[0].Rel, "part=0/x.parquet") {
			t.Errorf("Resolve(%q) = %+v, %v", path, in, err)
		}
	}
	if os.Geteuid() == 0 {
		return
	}
	if err := os.Chmod("real/data", 0); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod("real/data", 0o755)
	if _, err := objstore.Resolve(t.Context(), new(objstore.Opener), "real"); !errors.Is(err, objstore.ErrPermission) {
		t.Errorf("an unreadable directory: %v, want ErrPermission", err)
	}
}
