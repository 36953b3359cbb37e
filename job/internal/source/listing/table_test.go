package listing_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"assent/job/internal/objstore"
	"assent/job/internal/objstore/faulty"
	"assent/job/internal/objstore/storetest"
	"assent/job/internal/source/listing"
)

func TestTables(t *testing.T) {
	logs := map[string][]string{
		"Delta":   {"_delta_log/00000000000000000000.json", "_delta_log/00000000000000000010.checkpoint.parquet", "_delta_log/_last_checkpoint", "_delta_log/_sidecars/x.parquet"},
		"Iceberg": {"metadata/v3.metadata.json", "metadata/00002-55d5eefe.metadata.json", "metadata/00002-55d5eefe.gz.metadata.json", "metadata/v1.metadata.json.gz", "metadata/version-hint.text"},
		"Hudi":    {".hoodie/hoodie.properties", ".hoodie/20240101000000000.commit", ".hoodie/metadata/files/x"},
	}
	everywhere(t, func(t *testing.T, root string) {
		i := 0
		for format, files := range logs {
			if strings.HasPrefix(root, "gs://") {
				files = files[:1] // the names are the same
			}
			for _, log := range files {
				at := string(rune('a' + i))
				i++
				put(t, root, at+"/t/"+log, at+"/t/p.parquet", at+"/t/data/dt=1/q.parquet", at+"/u/r.parquet")
				refused(t, root+"/"+at, format, "", "t", "t/", "t/data", "t/data/dt=1", "t/p.parquet", "t/data/dt=1/q.parquet",
					"t/*.parquet", "t/data/*/*.parquet", "t/data/dt=1/*.parquet", "*/*.parquet", "**", "*", "t/data/dt=*")
				for _, path := range []string{"u", "u/*.parquet", "u*/*", "*/r.parquet", "u/r.parquet"} {
					if in, err := find(t, root+"/"+at+"/"+path, listing.Control); err != nil || len(in.Files) != 1 {
						t.Errorf("%s beside a table: %q, %v", path, rels(in), err)
					}
				}
			}
		}
		// The log alone, and its own files.
		put(t, root, "log/_delta_log/0.checkpoint.parquet", "hidden/_old/_delta_log/0.json", "hidden/_old/a.parquet", "hidden/b.parquet", "part/.hoodie_partition_metadata", "part/a.parquet",
			"parts/x=1/.hoodie_partition_metadata.parquet", "parts/x=1/a.parquet")
		refused(t, root, "Delta", "log/_delta_log", "log/_delta_log/0.checkpoint.parquet", "log/_delta_log/*", "hidden/_old", "hidden/_o*")
		refused(t, root, "Hudi", "part", "part/a.parquet", "parts", "parts/*/*")
		if in, err := find(t, root+"/hidden", listing.Control); err != nil || len(in.Files) != 1 {
			t.Errorf("a table below a hidden name: %q, %v", rels(in), err)
		}
		// Names that no table format has.
		put(t, root, "no/metadata/a.json", "no/metadata/b.parquet", "no/_delta_logs/0.json", "no/a.parquet", "no/x/v1.metadata.json.parquet", "no2/metadata/deep/v1.metadata.json", "no2/a.parquet")
		if in, err := find(t, root+"/no", listing.Dataset); err != nil || len(in.Files) != 3 {
			t.Errorf("no table: %q, %v", rels(in), err)
		}
		if in, err := find(t, root+"/no2/a.parquet", listing.Dataset); err != nil || len(in.Files) != 1 {
			t.Errorf("no table: %q, %v", rels(in), err)
		}
	})
}

func refused(t *testing.T, root, format string, paths ...string) {
	t.Helper()
	for _, path := range paths {
		in, err := find(t, root+"/"+path, listing.Dataset)
		e, ok := errors.AsType[*listing.Error](err)
		if !ok || !errors.Is(err, listing.ErrTable) || !strings.Contains(err.Error(), format) || !strings.Contains(e.Hint, "snapshot") {
			t.Errorf("%q below a %s table: %q, %v", path, format, rels(in), err)
		}
	}
}

// TestTableBehindLinks has the log above where links lead.
func TestTableBehindLinks(t *testing.T) {
	root := t.TempDir()
	put(t, root, "t/_delta_log/0.json", "t/dt=1/a.parquet", "i/metadata/v1.metadata.json", "i/data/b.parquet", "m/c.parquet", "n/dt=2/d.parquet", "o/e.parquet")
	link(t, root, map[string]string{"l": "t/dt=1", "f.parquet": "i/data/b.parquet", "m/linked.parquet": "../t/dt=1/a.parquet", "n/dt=1": "../t/dt=1", "n/l2": "../l"})
	refused(t, root, "Delta", "l", "l/", "l/a.parquet", "l/*.parquet", "m", "m/*.parquet", "m/linked.parquet", "n", "n/*/*.parquet", "n/l2")
	refused(t, root, "Iceberg", "f.parquet", "f*")
	for _, path := range []string{"m/c.parquet", "m/c*", "n/dt=2", "o"} {
		if in, err := find(t, root+"/"+path, listing.Control); err != nil || len(in.Files) != 1 {
			t.Errorf("%s: %q, %v", path, rels(in), err)
		}
	}
}

// TestEmptyLog is a copy of a table that left its log's files behind.
func TestEmptyLog(t *testing.T) {
	root := t.TempDir()
	put(t, root, "a/p.parquet", "b/dt=1/p.parquet", "c/p.parquet")
	for _, dir := range []string{"a/_delta_log", "b/.hoodie", "c/metadata"} {
		if err := os.Mkdir(root+"/"+dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	refused(t, root, "Delta", "a", "a/p.parquet", "a/*")
	refused(t, root, "Hudi", "b", "b/dt=1", "b/*/*.parquet")
	if in, err := find(t, root+"/c", listing.Control); err != nil || len(in.Files) != 1 {
		t.Errorf("an empty directory metadata: %q, %v", rels(in), err)
	}
	g := storetest.FakeGCS(t)
	g.PutObject(storetest.Bucket, "t/_delta_log/", nil)
	g.PutObject(storetest.Bucket, "t/p.parquet", nil)
	refused(t, "gs://"+storetest.Bucket, "Delta", "t", "t/p.parquet", "t/*")
}

// TestForbiddenAbove may see the input, but not what is above it.
func TestForbiddenAbove(t *testing.T) {
	g := storetest.FakeGCS(t)
	put(t, "gs://"+storetest.Bucket, "a/b/p.parquet")
	opener := new(objstore.Opener)
	defer opener.Close()
	var finder listing.Finder
	if _, err := finder.Find(t.Context(), opener, "gs://"+storetest.Bucket+"/a/b", listing.Control); err != nil {
		t.Fatal(err)
	}
	g.Inject(storetest.NoFault, 0)
	if _, err := finder.Find(t.Context(), opener, "gs://"+storetest.Bucket+"/a/b", listing.Control); err != nil || len(g.Requests()) > 2 {
		t.Errorf("a second look: %q, %v", g.Requests(), err)
	}
	// Requests: the object a/b, the listing, then the looks for logs.
	g.Inject(storetest.Forbid, 2)
	in, err := find(t, "gs://"+storetest.Bucket+"/a/b", listing.Control)
	if err != nil || len(in.Unseen) != 1 || !strings.HasPrefix(in.Unseen[0], "gs://"+storetest.Bucket) {
		t.Errorf("%q, %v", in.Unseen, err)
	}
	for _, mode := range []faulty.Mode{faulty.Fail, faulty.Crash} {
		for i := 0; ; i++ {
			f := faulty.New(mode, i, nil)
			opener.Wrap = f.Wrap
			in, err := new(listing.Finder).Find(t.Context(), opener, "gs://"+storetest.Bucket+"/a/b", listing.Control)
			if !f.Met() {
				break
			}
			if !errors.Is(err, faulty.ErrInjected) {
				t.Errorf("fault %d: %q, %v", i, rels(in), err)
			}
		}
	}
}
