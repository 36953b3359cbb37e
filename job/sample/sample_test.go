package sample

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
	"go.yaml.in/yaml/v3"

	"assent/job"
	"assent/schema"
)

// run writes a sample with an environment that shows no progress.
func run(t *testing.T, o Options) (*Result, error) {
	t.Helper()
	env := job.NewEnv(slog.New(slog.DiscardHandler), "test")
	defer env.Close()
	return Run(t.Context(), env, o)
}

func mustRun(t *testing.T, rows int64, seed uint64) (dir string, r *Result) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "new", "sample")
	r, err := run(t, Options{Dir: dir, Rows: rows, Seed: seed})
	if err != nil {
		t.Fatal(err)
	}
	return dir, r
}

func TestSample(t *testing.T) {
	const rows = 30_000
	dir, result := mustRun(t, rows, 7)
	in := readInputs(t, dir)
	var tables [3][]tableFile
	for i, d := range datasets {
		tables[i] = readTable(t, dir, d.dir)
	}

	t.Run("result", func(t *testing.T) {
		count := func(name string) int64 { return int64(len(allRows(readTable(t, dir, name)))) }
		want := Result{
			Dir: dir, Config: filepath.Join(dir, "job.yaml"), Seed: 7,
			Messages: rows, Deliverables: rows / 10, Events: rows / 2,
			Accounts: count("accounts"), Consent: count("consent_history"),
			Deletions: count("deletion_requests"), Restrictions: count("contract_restrictions"),
			Aliases: count("account_aliases"), Memberships: count("memberships"),
		}
		for _, path := range parquetFiles(t, dir) {
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			want.Files++
			want.Bytes += info.Size()
		}
		if *result != want {
			t.Errorf("got  %+v\nwant %+v", *result, want)
		}
		if accounts := int64(rows / 20); result.Accounts < accounts*95/100 || result.Accounts > accounts+int64(len(goldenAccounts)) {
			t.Errorf("%d accounts registered of %d", result.Accounts, accounts)
		}
		for i := range datasets {
			if n := int64(len(allRows(tables[i]))); n != []int64{rows, rows / 10, rows / 2}[i] {
				t.Errorf("%s: %d rows", datasets[i].name, n)
			}
		}
	})
	t.Run("golden", func(t *testing.T) { testGolden(t, in, tables) })
	t.Run("reasons", func(t *testing.T) { testReasons(t, in, tables) })
	t.Run("layout", func(t *testing.T) { testLayout(t, tables) })
	t.Run("order", func(t *testing.T) { testOrder(t, tables) })
	t.Run("inputs", func(t *testing.T) { testInputs(t, dir, in, tables) })
	t.Run("config", func(t *testing.T) { testConfig(t, dir, tables) })
}

func testGolden(t *testing.T, in *inputs, tables [3][]tableFile) {
	var cases []GoldenCase
	for i, d := range datasets {
		at := slices.IndexFunc(tables[i], func(f tableFile) bool { return strings.HasSuffix(f.path, "month=2026-01/part-000.parquet") })
		rows := tables[i][at].rows
		for n, g := range goldenRows(d.name) {
			cases = append(cases, g.GoldenCase)
			if got := rows[n][d.record]; got != g.Record {
				t.Fatalf("%s: row %d is %v, want %s", d.name, n, got, g.Record)
			}
			if got := in.decide(i, rows[n]); got != g.Reasons || g.Dataset != d.name {
				t.Errorf("%s %s (%s): %v, want %v", d.name, g.Record, g.Why, got.Strings(), g.Reasons.Strings())
			}
		}
		ids := map[any]bool{}
		for _, r := range allRows(tables[i]) {
			if ids[r[d.record]] {
				t.Fatalf("%s: %v comes twice", d.name, r[d.record])
			}
			ids[r[d.record]] = true
		}
	}
	if !slices.Equal(cases, Golden()) {
		t.Error("Golden does not list the planted rows")
	}
}

func testReasons(t *testing.T, in *inputs, tables [3][]tableFile) {
	for i, d := range datasets {
		var with [schema.NumReasons]int // rows beside the golden ones
		excluded, several, all := 0, 0, 0
		for _, r := range allRows(tables[i]) {
			if strings.HasPrefix(r[d.record].(string), "golden-") {
				continue
			}
			all++
			reasons := in.decide(i, r)
			for reason := range reasons.All() {
				with[reason]++
			}
			if !reasons.Kept() {
				excluded++
			}
			if len(reasons.Strings()) > 1 {
				several++
			}
		}
		for reason, n := range with {
			cannot := d.category == schema.Platform && schema.Reason(reason) == restricted ||
				schema.SourceReasons().Has(schema.Reason(reason)) && !(d.name == "events" && schema.Reason(reason) == schema.PrivateRecord)
			if (n == 0) != cannot {
				t.Errorf("%s: %d rows %s", d.name, n, schema.Reason(reason))
			}
		}
		if several == 0 {
			t.Errorf("%s: no row has several reasons", d.name)
		}
		share := 100 * excluded / all
		t.Logf("%s: %d %% excluded, %v", d.name, share, with)
		if d.name == "messages" && (share < 35 || share > 45) {
			t.Errorf("%d %% of messages excluded", share)
		}
	}
}

func testLayout(t *testing.T, tables [3][]tableFile) {
	for i, d := range datasets {
		if len(tables[i]) < 4 {
			t.Errorf("%s: %d files", d.name, len(tables[i]))
		}
		empty, before := 0, 0
		for _, f := range tables[i] {
			month, part, _ := strings.Cut(strings.TrimPrefix(f.path, d.dir+"/"), "/")
			if len(month) != len("month=2026-01") || !strings.HasPrefix(month, "month=202") || part != "part-000.parquet" {
				t.Errorf("%s: not the path of a partition", f.path)
			}
			if _, ok := f.file.Schema().Lookup("month"); ok {
				t.Errorf("%s: has its partition as a column", f.path)
			}
			meta := f.file.Metadata()
			if len(f.rows) == 0 {
				empty++
			} else if len(meta.RowGroups) < 3 {
				t.Errorf("%s: %d row groups", f.path, len(meta.RowGroups))
			}
			if strings.Contains(f.path, "2025-12") {
				before++
			}
			codec, page := format.Zstd, format.DataPage
			if d.name == "events" {
				codec, page = format.Snappy, format.DataPageV2
			}
			for _, rg := range meta.RowGroups {
				for _, c := range rg.Columns {
					if c.MetaData.Codec != codec || c.ColumnIndexLength == 0 || c.OffsetIndexLength == 0 {
						t.Fatalf("%s: %v: %s, column index %d, offset index %d", f.path, c.MetaData.PathInSchema, c.MetaData.Codec, c.ColumnIndexLength, c.OffsetIndexLength)
					}
					for _, s := range c.MetaData.EncodingStats {
						if s.PageType != page && s.PageType != format.DictionaryPage {
							t.Fatalf("%s: %v: %s", f.path, c.MetaData.PathInSchema, s.PageType)
						}
					}
				}
			}
		}
		if want := map[string]int{"events": 1}[d.name]; empty != want {
			t.Errorf("%s: %d files without rows", d.name, empty)
		}
		if want := map[string]int{"deliverables": 1}[d.name]; before != want {
			t.Errorf("%s: %d files from before the programme", d.name, before)
		}
	}
}

// testOrder wants rows about in the order of time, but not quite.
func testOrder(t *testing.T, tables [3][]tableFile) {
	for i, d := range datasets {
		last, falls, far, n := schema.Instant(0), 0, 0, 0
		for _, r := range allRows(tables[i]) {
			at, ok := r[d.moments[0]].(int64)
			if !ok || strings.HasPrefix(r[d.record].(string), "golden-") {
				continue
			}
			now := d.convert(at)
			n++
			if now < last {
				falls++
			}
			if now < last-schema.Instant(10*day*1000) {
				far++
			}
			last = max(last, now)
		}
		if falls == 0 || falls > n*99/100 || far > 0 {
			t.Errorf("%s: %d of %d rows earlier than one before them, %d by more than ten days", d.name, falls, n, far)
		}
	}
}

func testInputs(t *testing.T, dir string, in *inputs, tables [3][]tableFile) {
	history := readTable(t, dir, "consent_history")
	var ties, equal, sentinels, early, again int
	for _, events := range in.consent {
		slices.SortFunc(events, func(a, b consentRecord) int { return int(min(max(a.at-b.at, -1), 1)) })
		for i, e := range events {
			if e.at == schema.Forever {
				sentinels++
			}
			if e.at < schema.FromMicros(programStart) {
				early++
			}
			if i > 0 && e.in && !events[i-1].in && e.at > events[i-1].at {
				again++
			}
			if i > 0 && e.at == events[i-1].at && e.in != events[i-1].in {
				if ties++; e.sequence == events[i-1].sequence {
					equal++
				}
			}
		}
	}
	if equal < 5 || ties-equal < 5 || sentinels < 5 || early < 5 || again < 5 {
		t.Errorf("%d ties, %d of them undecided, %d sentinels, %d early, %d in again", ties, equal, sentinels, early, again)
	}
	for _, f := range history {
		if v, _ := f.file.Lookup("assent.as_of"); v != "2026-11-20T00:00:00Z" {
			t.Errorf("%s: as of %q", f.path, v)
		}
		if ids := columnOf(f.rows, "account_id"); len(ids) > 40 && slices.IsSorted(ids[len(ids)/2:]) {
			t.Errorf("%s: sorted by account", f.path)
		}
	}

	named := map[string]bool{}
	for i, d := range datasets {
		for _, r := range allRows(tables[i]) {
			for _, c := range d.parties {
				id, _ := r[c].(string)
				named[id] = true
			}
		}
	}
	idle := 0
	for id := range in.deletions {
		if !named[id] {
			idle++
		}
	}
	matched := 0
	for key := range in.consent {
		if id, _, _ := strings.Cut(key, "/"); named[id] {
			matched++
		}
	}
	if idle < 2 || matched < len(in.consent)/10 {
		t.Errorf("%d deletion requests without records, %d of %d timelines with", idle, matched, len(in.consent))
	}

	var open, closed, adjacent, forever int
	for _, spans := range in.restrictions {
		for i, s := range spans {
			switch {
			case i > 0 && spans[i-1].Until == s.From:
				adjacent++
			case s.Until == schema.Forever:
				open++
			default:
				closed++
			}
		}
	}
	for _, r := range allRows(readTable(t, dir, "contract_restrictions")) {
		if r["until"] == never {
			forever++
		}
	}
	if open-forever < 2 || closed < 2 || adjacent < 2 || forever < 2 {
		t.Errorf("restrictions: %d open or forever, %d forever, %d closed, %d adjacent", open, forever, closed, adjacent)
	}
}

func columnOf(rows []record, name string) []string {
	var out []string
	for _, r := range rows {
		out = append(out, r[name].(string))
	}
	return out
}

// testConfig holds the configuration against the files.
func testConfig(t *testing.T, dir string, tables [3][]tableFile) {
	data, err := os.ReadFile(filepath.Join(dir, "job.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	type input struct {
		Path    string
		AsOf    string `yaml:"as_of"`
		Columns map[string]string
	}
	var config struct {
		Program  map[string]string
		Key      string `yaml:"subject_key_file"`
		Other    string `yaml:"pseudonym_key_file"`
		Output   string
		Inputs   map[string]any
		Datasets map[string]struct {
			Path, Category, Record, Author, Contract string
			Parties, Subjects, Moments               map[string]string
			Columns                                  struct{ Drop []string }
			Pseudonymise                             []string
			Redact, Coarsen                          map[string]any
		}
	}
	if err := yaml.Unmarshal(data, &config); err != nil {
		t.Fatal(err)
	}
	if micros(config.Program["starts_at"]) != programStart || config.Output != "out" {
		t.Errorf("program %v, output %s", config.Program, config.Output)
	}
	for name, v := range config.Inputs {
		text, err := yaml.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var in input
		if err := yaml.Unmarshal(text, &in); err != nil {
			t.Fatal(err)
		}
		if name == "consent" && micros(in.AsOf) != horizon {
			t.Errorf("as of %s", in.AsOf)
		}
		for _, f := range readTable(t, dir, in.Path) {
			for _, c := range in.Columns {
				if _, ok := f.file.Schema().Lookup(c); !ok {
					t.Errorf("%s: no column %s", f.path, c)
				}
			}
		}
	}
	if len(config.Inputs) != 6 || len(config.Datasets) != 3 {
		t.Errorf("%d inputs, %d data sets", len(config.Inputs), len(config.Datasets))
	}
	for i, d := range datasets {
		c := config.Datasets[d.name]
		var parties, others, moments []string
		for _, v := range c.Parties {
			parties = append(parties, v)
		}
		for _, v := range c.Subjects {
			others = append(others, v)
		}
		for _, v := range c.Moments {
			moments = append(moments, v)
		}
		same := func(a, b []string) bool {
			return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
		}
		if c.Path != d.dir+"/" || c.Category != d.category.String() || c.Record != d.record ||
			!same(parties, d.parties) || !same(others, d.others) || !same(moments, d.moments) {
			t.Errorf("%s: %+v", d.name, c)
		}
		fields := tables[i][0].file.Schema().Fields()
		changed := slices.Concat(c.Columns.Drop, slices.Collect(maps.Keys(c.Redact)), slices.Collect(maps.Keys(c.Coarsen)))
		if d.name == "messages" && (len(changed) < 3 || c.Columns.Drop == nil || c.Redact == nil || c.Coarsen == nil) {
			t.Errorf("%s: not each transform is shown", d.name)
		}
		if !same(c.Pseudonymise, slices.Concat(parties, others)) {
			t.Errorf("%s: pseudonyms of %v", d.name, c.Pseudonymise)
		}
		for _, column := range slices.Concat(parties, others, moments, []string{c.Record}, changed) {
			if !slices.ContainsFunc(fields, func(f parquet.Field) bool { return f.Name() == column }) {
				t.Errorf("%s: no column %s", d.name, column)
			}
		}
	}
	var keys []string
	for _, name := range []string{config.Key, config.Other} {
		key, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(key))); err != nil || len(raw) != 32 {
			t.Errorf("%s: %d bytes: %v", name, len(raw), err)
		}
		keys = append(keys, string(key))
	}
	if keys[0] == keys[1] {
		t.Error("both keys are the same")
	}
}

// tree returns the contents of all files below a directory.
func tree(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err == nil {
			files[rel], err = os.ReadFile(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestSameSeedSameBytes(t *testing.T) {
	first, _ := mustRun(t, 5_000, 3)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(7)) // as many workers
	second, _ := mustRun(t, 5_000, 3)
	other, _ := mustRun(t, 5_000, 4)
	a, b, c := tree(t, first), tree(t, second), tree(t, other)
	if len(a) != len(b) || len(a) != len(c) {
		t.Fatalf("%d, %d and %d files", len(a), len(b), len(c))
	}
	for path, data := range a {
		if !bytes.Equal(data, b[path]) {
			t.Errorf("%s differs from run to run", path)
		}
		if bytes.Equal(data, c[path]) && path != configName && !strings.Contains(path, "2026-12") {
			t.Errorf("%s is the same for another seed", path)
		}
	}
}

func TestShareExcluded(t *testing.T) {
	for seed := range uint64(3) {
		dir, _ := mustRun(t, 10_000, seed)
		in := readInputs(t, dir)
		excluded := 0
		for _, r := range allRows(readTable(t, dir, "messages")) {
			if !in.decide(0, r).Kept() {
				excluded++
			}
		}
		if share := float64(excluded) / 10_000; share < 0.35 || share > 0.45 {
			t.Errorf("seed %d: %.3f of messages excluded", seed, share)
		}
	}
}

func TestDirectory(t *testing.T) {
	dir := t.TempDir() // there, but empty
	if _, err := run(t, Options{Dir: dir, Rows: MinRows}); err != nil {
		t.Fatal(err)
	}
	before := tree(t, dir)
	if _, err := run(t, Options{Dir: dir, Rows: MinRows}); err == nil {
		t.Error("into a sample: no error")
	} else if exit, hint := job.Explain(err); exit != job.ExitUsage || hint == "" {
		t.Errorf("into a sample: %v: exit code %d, hint %q", err, exit, hint)
	}
	if after := tree(t, dir); len(after) != len(before) {
		t.Errorf("%d files are %d after a refusal", len(before), len(after))
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := run(t, Options{Dir: file, Rows: MinRows}); err == nil {
		t.Error("into a file: no error")
	}
}

func TestValidate(t *testing.T) {
	for _, o := range []Options{{Rows: MinRows}, {Dir: "x"}, {Dir: "x", Rows: MinRows - 1}, {Dir: "x", Rows: MaxRows + 1}} {
		if _, err := run(t, o); err == nil {
			t.Errorf("%+v: no error", o)
		}
	}
}

// progress is a bar that counts, and calls seen at each step.
type progress struct {
	total, done atomic.Int64
	seen        func(done int64)
}

func (p *progress) Start(total int64) job.Bar { p.total.Store(total); return p }
func (p *progress) Add(n int64)               { p.seen(p.done.Add(n)) }
func (p *progress) Stop()                     {}

func TestProgress(t *testing.T) {
	env := job.NewEnv(slog.New(slog.DiscardHandler), "test")
	defer env.Close()
	p := &progress{seen: func(int64) {}}
	env.Progress = p
	r, err := Run(t.Context(), env, Options{Dir: t.TempDir(), Rows: 4_000})
	if err != nil {
		t.Fatal(err)
	}
	if want := r.Messages + r.Deliverables + r.Events; p.total.Load() != want || p.done.Load() != want {
		t.Errorf("%d rows at last of %d, want %d", p.done.Load(), p.total.Load(), want)
	}
}

func TestCancelled(t *testing.T) {
	for _, made := range []bool{false, true} {
		dir := t.TempDir()
		if made {
			dir = filepath.Join(dir, "new")
		}
		ctx, cancel := context.WithCancel(t.Context())
		var once sync.Once
		env := job.NewEnv(slog.New(slog.DiscardHandler), "test")
		env.Progress = &progress{seen: func(rows int64) {
			// Some files are complete by then, others are not.
			if rows > 25_000 {
				once.Do(func() {
					if len(parquetFiles(t, dir)) == 0 {
						t.Error("no file is complete yet: the test shows nothing")
					}
					cancel()
				})
			}
		}}
		_, err := Run(ctx, env, Options{Dir: dir, Rows: 50_000})
		cancel()
		if err := env.Close(); err != nil {
			t.Error(err)
		}
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		entries, err := os.ReadDir(dir)
		if made && !errors.Is(err, fs.ErrNotExist) || !made && (err != nil || len(entries) > 0) {
			t.Errorf("left behind: %v, %v", entries, err)
		}
	}
}
