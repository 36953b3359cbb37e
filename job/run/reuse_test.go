package run

import (
	"bytes"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"assent/job/erase"
	"assent/job/internal/objstore"
	"assent/job/jobtest"
)

// TestReuse lives through random histories: nights on which events come late or are corrected, deletions, restrictions,
// aliases, memberships and registry entries come and go, files are added, changed and removed, the horizon moves, the
// configuration or the key changes, runs are erased. Each night's run, which starts from the one before, publishes the bytes of
// a run from nothing.
func TestReuse(t *testing.T) {
	histories, nights := 40, 5
	if testing.Short() {
		histories = 8
	}
	if n, err := strconv.Atoi(os.Getenv("ASSENT_HISTORIES")); err == nil {
		histories = n
	}
	var sum, all taken
	var idle, whole int
	var settled, opened int // idle nights on which no file had to be opened, and how many were
	sameData := 0           // nights on which data was taken over of blocks that were decided anew
	did := map[string]int{}
	for seed := range histories {
		m := newMarket(t, uint64(seed))
		ahead := false // of the horizon are records that it may pass one night
		for night := range nights {
			var what []string
			if night > 0 {
				what = m.night(t)
			}
			name := fmt.Sprintf("seed %d, night %d: %s", seed, night, strings.Join(what, ", "))
			got, of := m.compare(t, name)
			sum.add(got)
			all.add(of)
			if m.sameData {
				sameData++
			}
			for _, w := range what {
				did[w]++
			}
			ahead = ahead || slices.Contains(what, "a file ahead")
			if night > 0 && !ahead && slices.Equal(what, []string{"the horizon moves"}) {
				idle++
				if m.ahead > 0 && m.sizes.piece == 1<<30 {
					settled++
					opened += m.opened
				}
				if got.files == of.files {
					whole++
				}
			}
		}
	}
	t.Logf("of %+v were taken over: %+v; %d of %d nights on which nothing but the horizon moved, whole; on %d nights data of blocks that were decided anew; what happened: %v", all, sum, whole, idle, sameData, did)
	if idle < histories/5 || whole != idle {
		t.Errorf("of %d nights on which nothing but the horizon moved, all was taken over on %d", idle, whole)
	}
	if settled < histories/10 || opened > 0 {
		t.Errorf("on %d nights on which all files had been left alone, %d were opened", settled, opened)
	}
	if 4*sum.files < all.files || 20*sum.groups < all.groups {
		t.Errorf("of %+v were taken over only %+v", all, sum)
	}
	if sameData < histories/4 {
		t.Errorf("on %d nights alone was data taken over of blocks that were decided anew", sameData)
	}
	if len(did) < 18 && !testing.Short() {
		t.Errorf("only some of the changes happened: %v", did)
	}
}

// taken counts what is taken over: files as a whole, and row groups of others.
type taken struct{ files, groups int }

func (t *taken) add(more taken) { t.files, t.groups = t.files+more.files, t.groups+more.groups }

// market is a small job that changes from night to night.
type market struct {
	r       *rand.Rand
	dir     string
	horizon time.Time
	tables  map[string][]string            // of each control input, its rows
	files   map[string]map[string][]string // by data set and name
	made    int                            // records
	config  string                         // what may change of it
	key     int
	erasing bool
	sizes   sizes
	ahead   time.Duration // of the clock: whether files were left alone long enough to be known again
	opened  int           // files of data sets, by the night's run

	sameData bool // the night's run took data over of blocks that it decided anew
}

var marketHeaders = map[string]string{
	"consent": "account_id:string,category:string,opted_in:bool,effective_at:ts_us", "deletions": "account_id:string,requested_at:ts_us,request_id:string",
	"restrictions": "contract_id:string,from:ts_us,until:ts_us", "accounts": "account_id:string", "aliases": "old_account_id:string,account_id:string",
	"memberships": "account_id:string,organisation_id:string,from:ts_us,until:ts_us",
	"messages":    "message_id:string,freelancer_id:string,client_id:string,sender_id:string,contract_id:string,sent_at:ts_us,edited_at:ts_us,body:string",
	"events":      "event_id:string,account_id:string,target_account_id:string,occurred_at:ts_us",
}

func newMarket(t *testing.T, seed uint64) *market {
	m := &market{
		r: rand.New(rand.NewPCG(seed, 17)), dir: t.TempDir(), horizon: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC),
		tables: map[string][]string{}, files: map[string]map[string][]string{"messages": {}, "events": {}}, config: "opted_in",
	}
	m.ahead = time.Duration(seed%2) * time.Hour
	// Some files are cut into pieces, some blocks have several row groups.
	m.sizes = sizes{bytes: 1 << 30, files: 1 + m.r.IntN(4), piece: []int64{1 << 30, 1 << 30, 1500}[m.r.IntN(3)], block: []int64{1, 1, 4}[m.r.IntN(3)]}
	for _, table := range []string{"consent", "deletions", "restrictions", "aliases", "memberships"} {
		m.tables[table] = nil
	}
	for i := range 14 {
		m.tables["accounts"] = append(m.tables["accounts"], fmt.Sprintf("a%d", i))
	}
	for range 10 {
		m.add("consent", m.event(m.past()))
	}
	m.add("consent", "A3,communications,false,2026-02-01T00:00:00Z") // near a3, which the data names
	for range 2 {
		m.add("restrictions", m.restriction(m.past()))
		m.add("memberships", m.membership(m.past()))
	}
	for range 5 {
		m.newFile("messages", m.past())
		m.newFile("events", m.past())
	}
	for name := range m.tables {
		m.write(t, name)
	}
	for dataset := range m.files {
		for name := range m.files[dataset] {
			m.writeFile(t, dataset, name)
		}
	}
	return m
}

func (m *market) account() string  { return fmt.Sprintf("a%d", m.r.IntN(14)) }
func (m *market) contract() string { return fmt.Sprintf("c%d", m.r.IntN(12)) }
func (m *market) past() time.Time {
	return m.horizon.Add(-time.Duration(1+m.r.IntN(55*24)) * time.Hour)
}

// lately is an instant that the horizon of the night before did not cover.
func (m *market) lately() time.Time { return m.horizon.Add(-time.Duration(1+m.r.IntN(23)) * time.Hour) }

func (m *market) add(table, row string) { m.tables[table] = append(m.tables[table], row) }

func (m *market) event(at time.Time) string {
	return fmt.Sprintf("%s,%s,%v,%s", m.account(), []string{"communications", "platform"}[m.r.IntN(2)], m.r.IntN(3) == 0, at.Format(time.RFC3339))
}

func (m *market) restriction(from time.Time) string {
	until := ""
	if m.r.IntN(2) == 0 {
		until = from.Add(240 * time.Hour).Format(time.RFC3339)
	}
	return fmt.Sprintf("%s,%s,%s", m.contract(), from.Format(time.RFC3339), until)
}

func (m *market) membership(from time.Time) string {
	return fmt.Sprintf("%s,a%d,%s,", m.account(), m.r.IntN(3), from.Format(time.RFC3339))
}

// newFile makes a file of records around an instant, which may be after the horizon.
func (m *market) newFile(dataset string, around time.Time) string {
	var rows []string
	for range 4 + m.r.IntN(10) {
		m.made++
		at := around.Add(time.Duration(m.r.IntN(30)) * time.Minute)
		if dataset == "events" {
			rows = append(rows, fmt.Sprintf("e%d,%s,%s,%s", m.made, m.account(), m.account(), at.Format(time.RFC3339)))
			continue
		}
		edited := ""
		if m.r.IntN(3) == 0 {
			edited = at.Add(time.Hour).Format(time.RFC3339)
		}
		f, c := m.account(), m.account()
		rows = append(rows, fmt.Sprintf("m%d,%s,%s,%s,%s,%s,%s,write to a%d@example.com", m.made, f, c, f, m.contract(), at.Format(time.RFC3339), edited, m.made))
	}
	name := fmt.Sprintf("part-%03d.parquet", m.made)
	m.files[dataset][name] = rows
	return name
}

func (m *market) write(t *testing.T, table string) {
	m.writeRows(t, filepath.Join(table, "a.parquet"), marketHeaders[table], m.tables[table])
}

func (m *market) writeFile(t *testing.T, dataset, name string) {
	m.writeRows(t, filepath.Join(dataset, name), marketHeaders[dataset], m.files[dataset][name])
}

func (m *market) writeRows(t *testing.T, name, header string, rows []string) {
	t.Helper()
	const rowGroup = 2
	if err := jobtest.WriteRowGroups(filepath.Join(m.dir, name), header+"\n"+strings.Join(rows, "\n")+"\n", rowGroup); err != nil {
		t.Fatal(err)
	}
}

// remove takes a row of a table away; not ok where it has none.
func (m *market) remove(table string) (row string, ok bool) {
	rows := m.tables[table]
	if len(rows) == 0 {
		return "", false
	}
	i := m.r.IntN(len(rows))
	row = rows[i]
	m.tables[table] = slices.Delete(slices.Clone(rows), i, i+1)
	return row, true
}

func (m *market) anyFile(dataset string) string {
	names := slices.Sorted(maps.Keys(m.files[dataset]))
	return names[m.r.IntN(len(names))]
}

// night lets time pass, and says what happened.
func (m *market) night(t *testing.T) (what []string) {
	if m.r.IntN(12) > 0 {
		m.horizon = m.horizon.Add(24 * time.Hour)
		what = append(what, "the horizon moves")
	}
	if m.r.IntN(3) == 0 {
		return what
	}
	changes := m.changes(t)
	names := slices.Sorted(maps.Keys(changes))
	for range 1 + m.r.IntN(2) {
		name := names[m.r.IntN(len(names))]
		if changes[name]() {
			what = append(what, name)
		}
	}
	for name := range m.tables {
		m.write(t, name)
	}
	return what
}

func (m *market) changes(t *testing.T) map[string]func() bool {
	dataset := []string{"messages", "events"}[m.r.IntN(2)]
	gone := func(table string) func() bool {
		return func() bool { _, ok := m.remove(table); return ok }
	}
	comes := func(table string, row func(time.Time) string, at func() time.Time) func() bool {
		return func() bool { m.add(table, row(at())); return true }
	}
	ends := func() bool {
		row, ok := m.remove("memberships")
		if open := strings.HasSuffix(row, ","); ok && open {
			row += m.lately().Format(time.RFC3339)
		}
		if ok {
			m.add("memberships", row)
		}
		return ok
	}
	return map[string]func() bool{
		"toggles": func() bool {
			for range 3 {
				m.add("consent", m.event(m.lately()))
			}
			return true
		},
		"a late event":           comes("consent", m.event, m.past),
		"an event is taken back": gone("consent"),
		"an event is corrected": func() bool {
			row, ok := m.remove("consent")
			if ok {
				flip := strings.NewReplacer("true", "false", "false", "true")
				m.add("consent", flip.Replace(row))
			}
			return ok
		},
		"a deletion": comes("deletions", func(at time.Time) string {
			return fmt.Sprintf("%s,%s,r%d", m.account(), at.Format(time.RFC3339), m.r.IntN(1000))
		}, m.lately),
		"a deletion is withdrawn": gone("deletions"),
		"a restriction":           comes("restrictions", m.restriction, m.past),
		"a recent restriction":    comes("restrictions", m.restriction, m.lately),
		"a restriction ends":      gone("restrictions"),
		"an alias": func() bool {
			m.tables["aliases"] = []string{fmt.Sprintf("a%d,a%d", 7+m.r.IntN(7), m.r.IntN(7))}
			return true
		},
		"an alias is taken back": gone("aliases"),
		"a membership":           comes("memberships", m.membership, m.past),
		"a membership ends":      ends,
		"a membership is undone": gone("memberships"),
		"the registry loses":     gone("accounts"),
		"the registry gains":     func() bool { m.add("accounts", m.account()); return true },
		"a file":                 func() bool { m.writeFile(t, dataset, m.newFile(dataset, m.lately())); return true },
		"a file ahead":           func() bool { m.writeFile(t, dataset, m.newFile(dataset, m.horizon.Add(time.Hour))); return true },
		"a file goes": func() bool {
			if len(m.files[dataset]) == 1 {
				return false
			}
			name := m.anyFile(dataset)
			delete(m.files[dataset], name)
			return os.Remove(filepath.Join(m.dir, dataset, name)) == nil
		},
		"a file changes": func() bool {
			name := m.anyFile(dataset)
			rows := m.files[dataset][name]
			m.files[dataset][name] = rows[:len(rows)-1]
			if len(rows) == 1 {
				m.files[dataset][name] = rows
			}
			m.writeFile(t, dataset, name)
			return true
		},
		"the configuration": func() bool {
			m.config = map[string]string{"opted_in": "opted_out", "opted_out": "opted_in"}[m.config]
			return true
		},
		"the key": func() bool { m.key++; return true },
		"an erasure": func() bool {
			m.add("deletions", m.account()+","+m.lately().Format(time.RFC3339)+",erased")
			m.erasing = true
			return true
		},
	}
}

func (m *market) job(t *testing.T) (config string, set []string) {
	t.Setenv("ASSENT_SUBJECT_KEY", strings.Replace(jobtest.TestKey, "c3V", fmt.Sprintf("c3%c", 'V'-rune(m.key%3)), 1))
	config = filepath.Join(m.dir, "job.yaml")
	text := fmt.Sprintf(`version: 1
program: {name: nights, starts_at: 2026-01-05T00:00:00Z, default: %s}
output: out
inputs:
  consent: {path: consent/, as_of: %s, allow_empty: true}
  deletions: {path: deletions/, allow_empty: true}
  restrictions: {path: restrictions/, allow_empty: true}
  accounts: {path: accounts/}
  aliases: {path: aliases/, allow_empty: true}
  organisations: {path: memberships/, allow_empty: true}
datasets:
  messages: {path: messages/, redact: {body: [email, phone]}, coarsen: {edited_at: day}}
  events: {path: events/, category: platform, record: event_id, parties: {actor: account_id}, subjects: {target: target_account_id}, author: actor, moments: {occurred: occurred_at}}
gates: {min_account_match: 0, min_deletion_match: 0, min_restriction_match: 0, min_registry_match: 0, max_near_misses: 100}
`, m.config, m.horizon.Format(time.RFC3339))
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return config, nil
}

// compare publishes the night's run and the same from nothing, and returns what was taken over, and of how much.
func (m *market) compare(t *testing.T, name string) (reused, all taken) {
	t.Helper()
	config, _ := m.job(t)
	before := m.current(t)
	env, seen := jobtest.NewEnv(t), identities{mu: new(sync.Mutex), read: map[string]bool{}, open: map[string]bool{}}
	env.Now = func() time.Time { return time.Now().Add(m.ahead) }
	log := new(bytes.Buffer)
	env.Log = slog.New(slog.NewTextHandler(log, nil))
	env.Opener.Wrap = func(store objstore.Store) objstore.Store { return identities{store, seen.mu, seen.read, seen.open} }
	got, err := Run(t.Context(), env, Options{Config: config, sizes: m.sizes})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	m.opened, m.sameData = 0, strings.Contains(log.String(), "their data is taken over")
	for file := range seen.open {
		if strings.Contains(file, "/messages/") || strings.Contains(file, "/events/") {
			m.opened++
		}
	}
	nothing := t.TempDir()
	want, err := Run(t.Context(), jobtest.NewEnv(t), Options{Config: config, sizes: m.sizes, NoReuse: true, Set: []string{"output=" + nothing}})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	dir := filepath.Join(m.dir, "out", "run="+got.RunID)
	jobtest.SameTrees(t, name, jobtest.Tree(t, dir), jobtest.Tree(t, filepath.Join(nothing, "run="+want.RunID)))
	doc := readNight(t, dir)
	if got.Status == Published {
		checkSince(t, name, doc, before)
	}
	for name, d := range doc.Datasets {
		all.files += len(d.Files)
		for _, f := range d.Files {
			if doc.Invocation.ReusedFrom[f.Output] == "" {
				all.groups += (len(m.files[name][f.Source]) + 1) / 2
			}
		}
	}
	if m.erasing {
		m.erase(t, config)
	}
	if got.Status == AlreadyPublished { // nothing had changed
		return taken{files: all.files}, taken{files: all.files}
	}
	if told := got.Reused; told == nil {
		if len(doc.Invocation.ReusedFrom)+len(doc.Invocation.ReusedRowGroups) > 0 {
			t.Errorf("%s: the answer does not tell what was taken over", name)
		}
	} else if told.Files != len(doc.Invocation.ReusedFrom) || told.RunID == got.RunID {
		t.Errorf("%s: the answer tells of %+v", name, told)
	} else if text := new(strings.Builder); got.WriteText(text) != nil || !strings.Contains(text.String(), "taken over from "+told.RunID) {
		t.Errorf("%s: the table tells nothing of what was taken over:\n%s", name, text)
	}
	reused.files = len(doc.Invocation.ReusedFrom)
	for _, n := range doc.Invocation.ReusedRowGroups {
		reused.groups += n
	}
	return reused, all
}

// erase removes the runs that hold accounts which asked for deletion.
func (m *market) erase(t *testing.T, config string) {
	t.Helper()
	m.erasing = false
	if _, err := erase.Run(t.Context(), jobtest.NewEnv(t), erase.Options{Config: config, Apply: true}); err != nil {
		t.Fatal(err)
	}
}
