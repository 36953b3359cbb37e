package run

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"assent/job/internal/objstore"
	"assent/job/jobtest"
)

// TestLateEvent: what happened before the earlier horizon, and is told only now, touches the blocks alone that have something of
// that time or later. Files of before are taken over, whomever they name.
func TestLateEvent(t *testing.T) {
	for name, c := range map[string]struct {
		events string
		taken  []string
	}{
		"after the first file": {"A,communications,false,2026-03-01T12:00:00Z\nB,platform,false,2026-03-01T12:00:00Z\nC,communications,false,2026-03-09T00:00:00Z\n",
			[]string{"messages/month=2026-02/a.parquet"}},
		"taken back":  {"B,platform,false,2026-03-01T12:00:00Z\n", []string{"messages/month=2026-02/a.parquet"}},
		"before both": {"A,communications,false,2026-03-01T12:00:00Z\nB,communications,false,2026-01-09T00:00:00Z\nB,platform,false,2026-03-01T12:00:00Z\n", nil},
		"after both": {"A,communications,false,2026-03-01T12:00:00Z\nB,platform,false,2026-03-01T12:00:00Z\nC,communications,false,2026-05-09T00:00:00Z\n",
			[]string{"messages/month=2026-02/a.parquet", "messages/month=2026-04/a.parquet"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSteps(t)
			night := func(out string, o Options) string {
				t.Helper()
				o.Set = append(o.Set, "output="+out)
				r, err := Run(t.Context(), s.env(), o)
				if err != nil {
					t.Fatal(err)
				}
				return filepath.Join(out, "run="+r.RunID)
			}
			night(s.out, s.options())
			consent := "account_id:string,category:string,opted_in:bool,effective_at:ts_us\n" + c.events
			if err := jobtest.WriteParquet(filepath.Join(filepath.Dir(s.config), "consent/a.parquet"), consent); err != nil {
				t.Fatal(err)
			}
			o := s.options()
			o.Set = []string{"inputs.consent.as_of=2026-06-02T00:00:00Z"}
			got := night(s.out, o)
			o.NoReuse = true
			want := night(t.TempDir(), o)
			jobtest.SameTrees(t, name, jobtest.Tree(t, got), jobtest.Tree(t, want))
			if taken := slices.Sorted(maps.Keys(readNight(t, got).Invocation.ReusedFrom)); !slices.Equal(taken, c.taken) {
				t.Errorf("%q were taken over, want %q", taken, c.taken)
			}
		})
	}
}

// TestSameData: where an account that had opted out asks for deletion, the blocks that name it are decided anew, as reasons change. They
// keep the rows that they kept, so that their data is taken over; unless it is damaged.
func TestSameData(t *testing.T) {
	t.Run("intact", func(t *testing.T) { sameData(t, false) })
	t.Run("damaged", func(t *testing.T) { sameData(t, true) })
}

func sameData(t *testing.T, damaged bool) {
	const large = "messages/month=2026-03/large.parquet"
	s := manyGroups(t)
	s.sizes = sizes{1, 1, 1 << 30, 1}
	dir, log := filepath.Dir(s.config), new(bytes.Buffer)
	write := func(name, text string) {
		t.Helper()
		if err := jobtest.WriteParquet(filepath.Join(dir, name), text); err != nil {
			t.Fatal(err)
		}
	}
	night := func(out, asOf string, noReuse bool) string {
		t.Helper()
		env, o := s.env(), s.options()
		env.Log, o.NoReuse = slog.New(slog.NewTextHandler(log, nil)), noReuse
		o.Set = []string{"output=" + out, "inputs.consent.as_of=" + asOf, "inputs.deletions.path=deletions/"}
		r, err := Run(t.Context(), env, o)
		if err != nil {
			t.Fatal(err)
		}
		return filepath.Join(out, "run="+r.RunID)
	}
	var read []string
	s.wrap = func(store objstore.Store) objstore.Store {
		return reads{store, func(uri string) { read = append(read, uri) }}
	}
	const requests = "account_id:string,requested_at:ts_us,request_id:string\nG,2026-05-01T00:00:00Z,r1\n"
	write("consent/b.parquet", "account_id:string,category:string,opted_in:bool,effective_at:ts_us\nH,communications,false,2026-01-06T00:00:00Z\n")
	write("deletions/a.parquet", requests)
	before := night(s.out, "2026-06-01T00:00:00Z", false)
	write("deletions/a.parquet", requests+"H,2026-06-01T00:00:00Z,r2\n")
	read = nil
	if damaged {
		if err := flipBit(filepath.Join(before, large)); err != nil {
			t.Fatal(err)
		}
	}
	got := night(s.out, "2026-06-02T00:00:00Z", false)
	told, readThen := log.String(), read
	jobtest.SameTrees(t, "H asks for deletion", jobtest.Tree(t, got), jobtest.Tree(t, night(t.TempDir(), "2026-06-02T00:00:00Z", true)))
	was, err := os.Stat(filepath.Join(before, large))
	is, err2 := os.Stat(filepath.Join(got, large))
	if err != nil || err2 != nil || os.SameFile(was, is) == damaged {
		t.Errorf("the data of all blocks was taken over, but the data file was written anew, or it was damaged, but was not: %v, %v", err, err2)
	}
	if groups := readNight(t, got).Invocation.ReusedRowGroups[large]; groups < 1 || groups > 10 {
		t.Errorf("%d of 12 row groups were taken over", groups)
	}
	if !strings.Contains(told, "their data is taken over") || strings.Contains(told, "files_linked=1\n") == damaged {
		t.Errorf("no data was taken over of blocks that were decided anew:\n%s", told)
	}
	if slices.Contains(readThen, filepath.Join(before, large)) != damaged || !slices.Contains(readThen, filepath.Join(before, "_manifest/exclusions", large)) {
		t.Errorf("of the earlier run were read: %q", readThen)
	}
}

// reads notes what is read whole.
type reads struct {
	objstore.Store
	read func(uri string)
}

func (s reads) Read(ctx context.Context, name string) ([]byte, objstore.Object, error) {
	s.read(s.URI(name))
	return s.Store.Read(ctx, name)
}

// TestDigestsGoOn: of a data file that begins as the earlier one did, what they have in common is not digested again.
func TestDigestsGoOn(t *testing.T) {
	s := newSteps(t)
	s.sizes = sizes{1, 1, 1 << 30, 1}
	dir, log := filepath.Dir(s.config), new(bytes.Buffer)
	rows := new(strings.Builder)
	rows.WriteString("message_id:string,freelancer_id:string,client_id:string,sent_at:ts_us,edited_at:ts_us,body:string\n")
	random := rand.New(rand.NewPCG(3, 4))
	for i := range 12 {
		body := make([]byte, 50_000)
		for j := range body {
			body[j] = byte('a' + random.IntN(26))
		}
		fmt.Fprintf(rows, "g%d,%c,Z,2026-02-01T00:00:00Z,,%s\n", i, 'A'+i/2, body)
	}
	if err := jobtest.WriteRowGroups(filepath.Join(dir, "messages/month=2026-03/large.parquet"), rows.String(), 2); err != nil {
		t.Fatal(err)
	}
	night := func(out string, noReuse bool) string {
		t.Helper()
		env, o := s.env(), s.options()
		env.Log, o.NoReuse, o.Set = slog.New(slog.NewTextHandler(log, nil)), noReuse, []string{"output=" + out}
		r, err := Run(t.Context(), env, o)
		if err != nil {
			t.Fatal(err)
		}
		return filepath.Join(out, "run="+r.RunID)
	}
	night(s.out, false)
	const late = "account_id:string,category:string,opted_in:bool,effective_at:ts_us\nE,communications,false,2026-01-06T00:00:00Z\n"
	if err := jobtest.WriteParquet(filepath.Join(dir, "consent/b.parquet"), late); err != nil {
		t.Fatal(err)
	}
	log.Reset()
	got := night(s.out, false)
	told := log.String()
	jobtest.SameTrees(t, "E had opted out", jobtest.Tree(t, got), jobtest.Tree(t, night(t.TempDir(), true)))
	_, after, _ := strings.Cut(told, "whose digests go on from there\" bytes=")
	var bytes int
	if _, err := fmt.Sscan(after, &bytes); err != nil || bytes < 4*2*25_000 {
		t.Errorf("of what the outputs have in common, %d bytes were not digested again: %v\n%s", bytes, err, told)
	}
}
