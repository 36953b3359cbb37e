package objstore_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"assent/job/internal/objstore"
)

func TestParse(t *testing.T) {
	for uri, want := range map[string]objstore.Location{
		"gs://b":             {Scheme: "gs", Bucket: "b"},
		"gs://b/":            {Scheme: "gs", Bucket: "b"},
		"gs://b/p/q/":        {Scheme: "gs", Bucket: "b", Path: "p/q"},
		"gs://b/dt=1/*.parq": {Scheme: "gs", Bucket: "b", Path: "dt=1/*.parq"},
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

func TestSplit(t *testing.T) {
	for uri, want := range map[string][2]string{
		"gs://b/p/x": {"gs://b/p", "x"},
		"gs://b/x":   {"gs://b", "x"},
		"gs://b":     {"gs://b", ""},
		"/p/x":       {"/p", "x"},
		"/x":         {"/", "x"},
		"x":          {".", "x"},
		"../x":       {"..", "x"},
	} {
		dir, base := parse(t, uri).Split()
		if dir.String() != want[0] || base != want[1] {
			t.Errorf("%s is split into %q and %q, want %q", uri, dir, base, want)
		}
		if base != "" && dir.Join(base) != parse(t, uri) {
			t.Errorf("%s and %s make %s", dir, base, dir.Join(base))
		}
	}
}

func parse(t *testing.T, uri string) objstore.Location {
	t.Helper()
	loc, err := objstore.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

// lies tells whether inner lies in outer, or is it.
func lies(t *testing.T, inner, outer string) bool {
	t.Helper()
	in, err := parse(t, inner).Lineage()
	if err != nil {
		t.Fatal(err)
	}
	out, err := parse(t, outer).Lineage()
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(in, func(s objstore.Site) bool { return s.ID == out[0].ID })
}

func TestLineage(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.MkdirAll("a/b", 0o755); err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{"link": "a", "a/up": "..", "far": filepath.Join(dir, "a/b"), "self": "self", "one": "two", "two": "one"} {
		if err := os.Symlink(target, link); err != nil {
			t.Skip(err)
		}
	}
	for _, test := range []struct {
		inner, outer string
		want         bool
	}{
		{"a", "a", true},
		{"a/b", "a", true},
		{"a", "a/b", false},
		{"link/b", "a", true},
		{"far", "link", true},
		{"a/up", ".", true},
		{"a/up/a", "link", true},
		{"a/new/dir", "a", true},
		{"link/new/dir", "a/new", true},
		{"link/new", "far", false},
		{"ab", "a", false},
		{"a/../c", "a", false},
		{"a/b", dir, true},
		{"/", "a", false},
		{"gs://b/p/x", "gs://b/p", true},
		{"gs://b/p", "gs://b", true},
		{"gs://b/px", "gs://b/p", false},
		{"gs://b/p", "gs://c", false},
		{"a", "gs://b", false},
		{"gs://b", "/", false},
	} {
		if got := lies(t, test.inner, test.outer); got != test.want {
			t.Errorf("%s lies in %s: %v", test.inner, test.outer, got)
		}
	}
	for _, loop := range []string{"self", "one", "one/x", "a/up/self/x/y"} {
		if sites, err := parse(t, loop).Lineage(); !errors.Is(err, objstore.ErrLoop) {
			t.Errorf("%s: %v, %v", loop, sites, err)
		}
	}
}
