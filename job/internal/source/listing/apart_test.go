package listing_test

import (
	"errors"
	"strings"
	"testing"

	"assent/job/internal/objstore"
	"assent/job/internal/objstore/storetest"
	"assent/job/internal/source/listing"
)

func apart(t *testing.T, root, output string, inputs ...string) error {
	t.Helper()
	opener := new(objstore.Opener)
	defer opener.Close()
	var f listing.Finder
	for _, in := range inputs {
		if _, err := f.Find(t.Context(), opener, root+"/"+in, listing.Dataset); err != nil {
			t.Fatal(err)
		}
	}
	return f.Apart(output)
}

func TestApart(t *testing.T) {
	everywhere(t, func(t *testing.T, root string) {
		put(t, root, "m/a.parquet", "m/dt=1/b.parquet", "mm/c.parquet", "out/run=1/m/d.parquet", "out/_plan/1/e.parquet", "out/f.parquet", "c/g.parquet")
		for _, test := range []struct {
			input, output, want string
		}{
			{"m", "out", ""},
			{"m", "mx", ""},
			{"mm", "m", ""},
			{"m/a.parquet", "m/out", ""},
			{"m/*.parquet", "x", ""},
			{"m/dt=*/*.parquet", "m/out", ""},
			{"m/*.parquet", "m/dt=1/deep/out", ""},
			{"m/**/*.parquet", "mm/out", ""},
			{"*/g.parquet", "mm/out/deep", ""},

			{"m", "m", "inside the output"},
			{"m", "m/out", "inside the input"},
			{"m", "m/_out", "inside the input"},
			{"m", "m/not/there/yet", "inside the input"},
			{"m", "m/dt=1", "inside the input"},
			{"m/dt=1", "m", "inside the output"},
			{"m/a.parquet", "m", "inside the output"},
			{"m/*.parquet", "m", "inside the output"},
			{"m/**", "m/out", "inside the input"},
			{"m/**/*.parquet", "m/out", "inside the input"},
			{"*/*/*.parquet", "m/out", "inside the input"},
			{"m/d*", "m/data/out", "inside the input"},
			{"*", "out2", "inside the input"},
			{"out/run=1/m", "out", "inside the output"},
			{"out/_plan/1", "out", "inside the output"},
			{"out/run=1/m/d.parquet", "out", "inside the output"},
			{"*/_plan/*", "out", "inside"},
			{"*/*/*/*.parquet", "out", "inside"},
		} {
			err := apart(t, root, root+"/"+test.output, "c", test.input)
			_, ok := errors.AsType[*listing.Error](err)
			if test.want == "" && err != nil || test.want != "" && (!ok || !errors.Is(err, listing.ErrOverlap) || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("input %s, output %s: %v", test.input, test.output, err)
			}
		}
		if err := apart(t, root, "gs://"+storetest.Bucket+"x/in", "m"); err != nil {
			t.Errorf("another bucket: %v", err)
		}
		if strings.HasPrefix(root, "gs://") {
			if err := apart(t, root, "gs://"+storetest.Bucket, "m"); !errors.Is(err, listing.ErrOverlap) {
				t.Errorf("the bucket: %v", err)
			}
			if err := apart(t, root, strings.TrimPrefix(root, "gs://"), "m"); err != nil {
				t.Errorf("a directory of that name: %v", err)
			}
		}
	})
}

func TestApartLinks(t *testing.T) {
	root := t.TempDir()
	put(t, root, "m/a.parquet", "n/a.parquet", "n/deep/b.parquet", "out/run=1/x/a.parquet", "p/a.parquet", "q/a.parquet", "s/a.parquet", "u/dt=1/a.parquet", "v/w/a.parquet")
	link(t, root, map[string]string{
		"to-m": "m", "to-out": "out", "m2": "to-m", "n/published": "../out/run=1", "p/one.parquet": "../out/run=1/x/a.parquet",
		"q/all": "../v", "s/back": "../v/w", "u/dt=2": "../out/run=1/x",
	})
	for _, test := range []struct {
		input, output string
		overlap       bool
	}{
		{"m", "to-m", true},
		{"to-m", "m", true},
		{"m2", "to-m/out", true},
		{"m", "m2/new/out", true},
		{"m", "n/../m/out", true},
		{"to-m/a.parquet", "m", true},
		{"to-m/*.parquet", "m", true},
		{"to-m/**", "m/out", true},
		{"n", "out", true},
		{"n", "to-out", true},
		{"n/published/x", "out", true},
		{"p", "out", true},
		{"p/*.parquet", "to-out", true},
		{"p/one.parquet", "out", true},
		{"q", "v/out", true},
		{"q", "v/w", true},
		{"q/all/w", "v", true},
		{"q/*/w/*.parquet", "v/w/out", false}, // it takes what stands beside out
		{"q/*/w/**", "v/w/out", true},
		{"s", "v", true},
		{"u/*/*.parquet", "out", true},

		{"n/deep", "out", false},
		{"p/a.parquet", "out", false},
		{"m", "to-out", false},
		{"q/*.parquet", "v/out", false},
		{"u/dt=1/*.parquet", "out", false},
	} {
		if err := apart(t, root, root+"/"+test.output, test.input); errors.Is(err, listing.ErrOverlap) != test.overlap {
			t.Errorf("input %s, output %s: %v", test.input, test.output, err)
		}
	}
	t.Chdir(root)
	if err := apart(t, "..", "m/out", strings.TrimPrefix(root, root[:strings.LastIndex(root, "/")+1])+"/m"); !errors.Is(err, listing.ErrOverlap) {
		t.Errorf("relative paths: %v", err)
	}
	link(t, root, map[string]string{"loop": "loop"})
	if err := apart(t, root, root+"/loop", "m"); !errors.Is(err, objstore.ErrLoop) {
		t.Errorf("an output that is a loop: %v", err)
	}
}
