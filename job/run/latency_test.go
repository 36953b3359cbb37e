package run_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"assent/job/internal/objstore"
	"assent/job/internal/objstore/storetest"
	"assent/job/jobtest"
	"assent/job/run"
)

// TestLatency has a bucket that answers late. Of a small file no request more is made than
// there is to tell, and many files wait at a time, whatever the number of processors.
func TestLatency(t *testing.T) {
	g := storetest.FakeGCS(t)
	const files = 144
	config := jobtest.TinyJob(t)
	dir := filepath.Dir(config)
	store, err := new(objstore.Opener).Open(t.Context(), "gs://"+storetest.Bucket+"/in")
	if err != nil {
		t.Fatal(err)
	}
	put := func(from, to string) {
		data, err := os.ReadFile(filepath.Join(dir, from))
		if err == nil {
			_, err = store.Put(t.Context(), to, data, objstore.Any)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	put("consent/a.parquet", "consent/a.parquet")
	for i := range files {
		put("messages/month=2026-02/a.parquet", fmt.Sprintf("messages/part-%03d.parquet", i))
	}
	g.Inject(storetest.NoFault, 0)
	g.Delay(100 * time.Millisecond)
	root := "gs://" + storetest.Bucket
	env := jobtest.NewEnv(t)
	env.Lease.TTL = 5 * time.Minute // the fake answers one request after the other: on a busy machine a renewal waits behind hundreds
	r, err := run.Run(t.Context(), env, run.Options{Config: config, Workers: 2, Set: []string{
		"output=" + root + "/out", "inputs.consent.path=" + root + "/in/consent/", "datasets.messages.path=" + root + "/in/messages/",
	}})
	if err != nil || r.Status != run.Published {
		t.Fatalf("%+v, %v", r, err)
	}
	if most := g.MostUploads(); most < 16 || most > 3*128+32 { // of the files and of the shards that are worked on at a time
		t.Errorf("%d uploads at a time", most)
	}
	requests := g.Requests()
	count := map[string]int{}
	for _, r := range requests {
		count[strings.Fields(r)[0]]++
		if strings.HasSuffix(r, "?prefix=") {
			t.Errorf("%s: it lists the whole bucket", r)
		}
	}
	// Plan: read. Shard: read, three uploads. Commit: three copies. Then three are deleted. Some
	// more are the run's own: plan, index, documents; a shard of eight files has seven, for its result and its footprints.
	const each, own = 11, 100 + 7*files/8
	if len(requests) > each*files+own {
		t.Errorf("%d requests for %d files: %v", len(requests), files, count)
	}
	t.Logf("%d requests for %d files: %v; %d uploads at a time", len(requests), files, count, g.MostUploads())
}
