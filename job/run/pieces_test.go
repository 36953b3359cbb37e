package run

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"assent/job/internal/objstore/faulty"
	"assent/job/jobtest"
	"assent/job/verify"
	"assent/manifests"
)

// manyGroups is a job with a file of many row groups beside small ones. Some row groups lose
// all rows, some none.
func manyGroups(t *testing.T) *steps {
	s := newSteps(t)
	var rows strings.Builder
	rows.WriteString("message_id:string,freelancer_id:string,client_id:string,sent_at:ts_us,edited_at:ts_us,body:string\n")
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 60 {
		day := "2026-02-01" // before A has opted out
		if i/5%3 == 1 {
			day = "2026-04-01"
		}
		who := "A"
		if i/5%3 == 2 {
			who = string(rune('A' + random.IntN(8)))
		}
		fmt.Fprintf(&rows, "g%d,%s,%c,%sT00:00:00Z,,text %d\n", i, who, 'B'+random.IntN(9), day, random.IntN(1e6))
	}
	if err := jobtest.WriteRowGroups(filepath.Join(filepath.Dir(s.config), "messages/month=2026-03/large.parquet"), rows.String(), 5); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestPieces cuts a file into pieces and the pieces into shards in several ways. What is
// published does not depend on the shards, nor on who does them.
func TestPieces(t *testing.T) {
	s := manyGroups(t)
	uncut := s.undisturbed()
	const large = "messages/month=2026-03/large.parquet"
	for _, pieceBytes := range []int64{1, 3000} {
		var want map[string]string
		for _, c := range []struct {
			sizes sizes
			tasks int // 0: run in one process
		}{
			{sizes{1 << 30, 100, pieceBytes, 0}, 0}, {sizes{1, 1, pieceBytes, 0}, 0}, {sizes{1, 1, pieceBytes, 0}, 3}, {sizes{1 << 30, 4, pieceBytes, 0}, 2},
		} {
			what := fmt.Sprintf("%+v", c)
			if err := os.RemoveAll(s.out); err != nil {
				t.Fatal(err)
			}
			s.sizes = c.sizes
			var r *Result
			var err error
			if c.tasks == 0 {
				r, err = Run(t.Context(), s.env(), s.options())
			} else {
				r, err = s.all(c.tasks)
			}
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			got := jobtest.Tree(t, s.out)
			if want != nil {
				jobtest.SameTrees(t, what, got, want)
				continue
			}
			want = got
			dir := filepath.Base(r.URI)
			if a, b := got[dir+"/"+large], uncut[dir+"/"+large]; a == "" || a != b {
				t.Errorf("%s: the data differ from those of a file that was not cut", what)
			}
			sameExclusions(t, got[dir+"/_manifest/exclusions/"+large], uncut[dir+"/_manifest/exclusions/"+large])
			if v, err := verify.Run(t.Context(), s.env(), verify.Options{Config: s.config, Run: r.URI}); err != nil {
				t.Errorf("%s: %v\n%+v", what, err, v)
			}
		}
	}
}

// TestBlocks: where the manifests begin anew at each row group, all bytes are the same, whatever pieces the file is cut into.
func TestBlocks(t *testing.T) {
	s := manyGroups(t)
	var want map[string]string
	for _, piece := range []int64{1 << 30, 3000, 1} {
		s.sizes = sizes{1, 1, piece, 1}
		if _, err := s.all(2); err != nil {
			t.Fatal(err)
		}
		got := jobtest.Tree(t, s.out)
		if want == nil {
			want = got
		}
		jobtest.SameTrees(t, fmt.Sprintf("pieces of %d bytes", piece), got, want)
		if err := os.RemoveAll(s.out); err != nil {
			t.Fatal(err)
		}
	}
}

// sameExclusions compares what two exclusion manifests say.
func sameExclusions(t *testing.T, a, b string) {
	t.Helper()
	var rows [2][]string
	for i, data := range []string{a, b} {
		x, err := manifests.OpenExclusions(strings.NewReader(data), int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		for e, err := range x.All() {
			if err != nil {
				t.Fatal(err)
			}
			rows[i] = append(rows[i], fmt.Sprintf("%+v", e))
		}
	}
	if len(rows[0]) == 0 || fmt.Sprint(rows[0]) != fmt.Sprint(rows[1]) {
		t.Errorf("%d exclusions differ from %d", len(rows[0]), len(rows[1]))
	}
}

// TestPlanCutsFiles reads what a plan says of a file that is cut.
func TestPlanCutsFiles(t *testing.T) {
	s := manyGroups(t)
	s.sizes = sizes{1 << 30, 5, 1, 0}
	p, err := s.plan()
	if err != nil || p.Shards != 3 { // 14 parts
		t.Fatalf("%+v, %v", p, err)
	}
	data, err := os.ReadFile(filepath.Join(p.Plan, planObject))
	if err != nil {
		t.Fatal(err)
	}
	plan, err := parsePlan(data)
	if err != nil {
		t.Fatal(err)
	}
	large := plan.Datasets[0].Files[1]
	if len(large.Pieces) != 12 || large.Pieces[11].First != 55 || large.Pieces[11].Rows != 5 || len(plan.Datasets[0].Files[0].Pieces) != 0 {
		t.Errorf("%+v", large)
	}
	for name, spoil := range map[string]func(*Plan){
		"a part twice":        func(p *Plan) { p.Shards[0].Parts[1] = p.Shards[0].Parts[0] },
		"a part missing":      func(p *Plan) { p.Shards = p.Shards[:2] },
		"no such part":        func(p *Plan) { p.Shards[0].Parts[0].Piece = 9 },
		"a gap":               func(p *Plan) { p.Datasets[0].Files[1].Pieces[3].From++ },
		"rows missing":        func(p *Plan) { p.Datasets[0].Files[1].Pieces[11].Rows-- },
		"another version":     func(p *Plan) { p.Version++ },
		"another file":        func(p *Plan) { p.Datasets[0].Files[0].Identity = "crc32c:00000000" },
		"out of the data set": func(p *Plan) { p.Datasets[0].Files[0].Rel = "../a.parquet" },
	} {
		spoiled, err := parsePlan(data)
		if err != nil {
			t.Fatal(err)
		}
		if spoil(spoiled); spoiled.check() == nil {
			t.Errorf("%s: not found", name)
		}
	}
	if _, err := parsePlan([]byte(strings.Replace(string(data), `"run_id"`, `"more":1,"run_id"`, 1))); err == nil {
		t.Error("a key that nobody knows was read over")
	}
}

// TestJoinIsRepeated ends commits while the pieces of a file are joined, and repeats them.
func TestJoinIsRepeated(t *testing.T) {
	s := manyGroups(t)
	s.sizes = sizes{1, 1, 1, 0}
	if _, err := s.all(1); err != nil {
		t.Fatal(err)
	}
	want := jobtest.Tree(t, s.out)
	if err := os.RemoveAll(s.out); err != nil {
		t.Fatal(err)
	}
	p, err := s.plan()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.shard(p.Plan, 0, 1); err != nil {
		t.Fatal(err)
	}
	for i := 1; ; i += 23 {
		f := faulty.New(faulty.Crash, i, nil)
		s.wrap = f.Wrap
		_, err := s.commit(p.Plan)
		s.allOrNothing(fmt.Sprintf("operation %d: %v", i, err), want)
		if !f.Met() {
			break
		}
		s.unlock()
	}
	got := jobtest.Tree(t, s.out)
	maps.DeleteFunc(got, func(name, _ string) bool { return strings.HasPrefix(name, ".") })
	jobtest.SameTrees(t, "after the repeats", got, want)
}
