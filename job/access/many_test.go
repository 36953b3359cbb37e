package access_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"assent/filter"
	"assent/job"
	"assent/job/access"
	"assent/job/jobtest"
	"assent/job/run"
	"assent/manifests"
	"assent/schema"
)

// published writes a market, with an alias of me, runs its job, and returns options for
// copies from it.
func (m *accessMarket) published(t testing.TB) access.Options {
	t.Helper()
	dir := t.TempDir()
	o := access.Options{Config: m.write(t, dir), Set: []string{`inputs.aliases={path: aliases.parquet}`}}
	if err := jobtest.WriteParquet(filepath.Join(dir, "aliases.parquet"), "old_account_id:string,account_id:string\nsecret-acct-3,secret-acct-2\n"); err != nil {
		t.Fatal(err)
	}
	r, err := run.Run(t.Context(), jobtest.NewEnv(t), run.Options{Config: o.Config, Set: o.Set})
	if err != nil {
		t.Fatal(err)
	}
	o.Run, o.Dir = r.URI, filepath.Join(dir, "copies")
	return o
}

func writeList(t testing.TB, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "list.csv")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func refOf(t testing.TB, id string) string {
	t.Helper()
	key, err := manifests.ParseKey(jobtest.TestKey)
	if err != nil {
		t.Fatal(err)
	}
	ref := key.NewReferrer().Ref([]byte(id))
	return ref.String()
}

// TestMany makes copies for many accounts at once, and holds each against the copy that is
// made for its account alone: in one pass, and with so little memory that each has its own.
func TestMany(t *testing.T) {
	ids := []string{"me", "nobody-knows", "secret-acct-1", "secret-acct-3"} // the last is an alias
	for seed, format := range []string{"csv", "parquet", "jsonl"} {
		for _, memory := range []int64{0, 20_000, 1} {
			t.Run(fmt.Sprint(format, " ", memory), func(t *testing.T) {
				rng := rand.New(rand.NewPCG(uint64(seed), 8))
				m := newAccessMarket(t, rng)
				m.world.Deletions, m.world.Registry["me"] = map[schema.AccountID][]filter.Deletion{}, true
				m.other(t, rng)
				o := m.published(t)
				o.Format, o.IncludeReceived, o.Memory = format, memory == 0, memory
				many := o
				many.Subjects = writeList(t, "\ufeffme,\"req, 1\",2026-05-20\r\n\nnobody-knows\nsecret-acct-1,req-3\nsecret-acct-3,,2026-05-21T10:00:00Z\n")
				r, err := access.Run(t.Context(), jobtest.NewEnv(t), many)
				if err != nil || r.Copies != 4 || !slices.Equal(r.NotFound, []int{3}) {
					t.Fatalf("%+v, %v", r, err)
				}
				all := jobtest.Tree(t, many.Dir)
				var receipts access.Receipts
				if err := json.Unmarshal([]byte(all["receipts.json"]), &receipts); err != nil {
					t.Fatal(err)
				}
				content := 0
				for i, id := range ids {
					alone := o
					alone.Subject, alone.Dir = id, filepath.Join(t.TempDir(), "copy")
					if _, err := access.Run(t.Context(), jobtest.NewEnv(t), alone); err != nil {
						t.Fatal(err)
					}
					want, got := jobtest.Tree(t, alone.Dir), map[string]string{}
					for name, data := range all {
						if below, ok := strings.CutPrefix(name, refOf(t, id)+"/"); ok {
							got[below] = data
						}
						if strings.HasPrefix(name, "content/") {
							content++
						}
					}
					c := receipts.Copies[i]
					if c.Dir != refOf(t, id) || c.Receipt != manifests.SHA256([]byte(got["receipt.json"])) || c.Line != []int{1, 3, 4, 5}[i] {
						t.Errorf("%+v", c)
					}
					for _, name := range []string{"receipt.json", "receipt.html"} { // they have the request
						delete(got, name)
						delete(want, name)
					}
					jobtest.SameTrees(t, id, got, want)
				}
				for name := range maps.Keys(all) {
					if strings.Contains(name, "acct") {
						t.Error(name)
					}
				}
				if page := all[refOf(t, "me")+"/receipt.html"]; !strings.Contains(page, "req, 1") || !strings.Contains(page, "20 June 2026") {
					t.Error(page)
				}
				if !strings.Contains(all[refOf(t, "me")+"/receipt.json"], `"request_id": "req, 1",
  "requested_at": "2026-05-20T00:00:00Z"`) {
					t.Error(all[refOf(t, "me")+"/receipt.json"])
				}
			})
		}
	}
}

// TestManyLists checks what a list may hold. No complaint may show an id.
func TestManyLists(t *testing.T) {
	m := newAccessMarket(t, rand.New(rand.NewPCG(1, 9)))
	o := m.published(t)
	for name, test := range map[string]struct{ list, want string }{
		"empty":          {"\n\n", "it names no account"},
		"no id":          {"me\n,req\n", "line 2 has no id"},
		"four columns":   {"me,a,2026-01-01,b\n", "line 1 has no id, or more than three columns"},
		"not a day":      {"me,a,yesterday\n", "line 1: the time of a request is a day"},
		"bad quotes":     {"me\nsecret-acct\"x\n", "line 2: bare"},
		"twice":          {"secret-acct-1\nme\nsecret-acct-1,r\n", "line 3 asks for the account of line 1 again"},
		"twice by alias": {"secret-acct-2\nsecret-acct-3\n", "line 2 asks for the account of line 1 again"},
	} {
		t.Run(name, func(t *testing.T) {
			o := o
			o.Subjects = writeList(t, test.list)
			_, err := access.Run(t.Context(), jobtest.NewEnv(t), o)
			if exit, hint := job.Explain(err); exit != job.ExitUsage || !strings.Contains(fmt.Sprint(err), test.want) || strings.Contains(fmt.Sprint(err, hint), "secret") {
				t.Errorf("exit %d, %v", exit, err)
			}
			if _, err := os.Stat(o.Dir); err == nil {
				t.Error("something was written")
			}
		})
	}
}

// TestZip wants the archive to hold the copy, and the receipt beside it to name it.
func TestZip(t *testing.T) {
	m := newAccessMarket(t, rand.New(rand.NewPCG(1, 9)))
	o := m.published(t)
	o.Subject, o.Format, o.IncludeReceived = "me", "csv", true
	if _, err := access.Run(t.Context(), jobtest.NewEnv(t), o); err != nil {
		t.Fatal(err)
	}
	want := jobtest.Tree(t, o.Dir)
	key, signed := jobtest.SigningKey(t)
	t.Setenv("ASSENT_SIGNING_KEY", key)
	o.Dir, o.Zip = filepath.Join(t.TempDir(), "zipped"), true
	if _, err := access.Run(t.Context(), jobtest.NewEnv(t), o); err != nil {
		t.Fatal(err)
	}
	files := jobtest.Tree(t, o.Dir)
	archive := files["copy.zip"]
	var receipt access.Receipt
	if err := json.Unmarshal([]byte(files["receipt.json"]), &receipt); err != nil {
		t.Fatal(err)
	}
	if len(files) != 4 || !strings.Contains(files["receipt.html"], manifests.SHA256([]byte(files["receipt.json"]))) || receipt.Archive == nil || receipt.Archive.SHA256 != manifests.SHA256([]byte(archive)) || receipt.Archive.Bytes != int64(len(archive)) {
		t.Fatalf("%v, %+v", slices.Sorted(maps.Keys(files)), receipt)
	}
	z, err := zip.NewReader(bytes.NewReader([]byte(archive)), int64(len(archive)))
	if err != nil {
		t.Fatal(err)
	}
	for name, digest := range signed(files["receipt.intoto.jsonl"]) {
		if manifests.SHA256([]byte(files[name])) != digest {
			t.Errorf("%s is not as it was signed", name)
		}
	}
	got := map[string]string{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		got[f.Name] = string(data)
	}
	for _, f := range receipt.Files {
		if manifests.SHA256([]byte(got[f.Path])) != f.SHA256 {
			t.Errorf("%s is not as in the receipt", f.Path)
		}
	}
	within := signed(got["receipt.intoto.jsonl"])
	for name, digest := range within {
		if manifests.SHA256([]byte(got[name])) != digest {
			t.Errorf("%s is not as it was signed in the archive", name)
		}
	}
	if delete(got, "receipt.intoto.jsonl"); len(within) != len(got) {
		t.Errorf("%d of %d files are signed", len(within), len(got))
	}
	for _, name := range []string{"receipt.json", "receipt.html"} { // made at another time
		if got[name] == "" {
			t.Error("not in the archive:", name)
		}
		delete(got, name)
		delete(want, name)
	}
	jobtest.SameTrees(t, "archive", got, want)
}
