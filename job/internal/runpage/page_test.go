package runpage

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"assent/job/internal/pages"
	"assent/manifests"
	"assent/schema"
)

// made is a run with its counts by day: each of these records, times.
type made struct {
	run   *manifests.Run
	daily []manifests.DayCounts
}

func instant(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func newRun(t *testing.T, start, horizon string) *made {
	t.Helper()
	digest := strings.Repeat("d", 64)
	return &made{run: &manifests.Run{
		SchemaVersion: manifests.SchemaVersion, RunID: "20261120T000000Z-0123456789ab", Tool: manifests.Tool{Name: "assent", Version: "1.2.3"},
		Program:     manifests.Program{Name: "marketplace", StartsAt: instant(t, start), Default: "opted_in"},
		ConsentAsOf: instant(t, horizon), PolicyDigest: strings.Repeat("e", 64),
		Inputs:     []manifests.Input{{Role: "consent", Path: "consent/a.parquet", Bytes: 4096, Identity: "crc32c:00c0ffee", Rows: 321}},
		Datasets:   map[string]manifests.Dataset{},
		Daily:      manifests.Object{Path: manifests.DailyPath, Bytes: 1, SHA256: digest},
		Use:        map[string]manifests.Use{},
		Invocation: manifests.Invocation{StartedAt: instant(t, horizon), FinishedAt: instant(t, horizon), Workers: 2},
	}}
}

// add adds a data set of so many files, to the first of which all records belong.
func (m *made) add(name string, category schema.Category, files int, daily ...manifests.DayCounts) {
	d := manifests.Dataset{Category: category.String()}
	for i := range daily {
		daily[i].Dataset = name
		d.RowsKept += daily[i].Kept
		for r, n := range daily[i].Excluded {
			d.ExcludedByReason[r] += n
		}
	}
	d.RowsExcluded = d.ExcludedByReason.Total()
	d.RowsIn = d.RowsKept + d.RowsExcluded
	for r, n := range d.ExcludedByReason {
		if n == 0 {
			continue
		}
		c := manifests.CauseCount{Reason: schema.Reason(r).String(), Roles: []string{}, Rows: n}
		if schema.AccountReasons().Has(schema.Reason(r)) {
			c.Roles = []string{"freelancer", "client"}
		}
		d.Causes = append(d.Causes, c)
	}
	for i := range files {
		f := manifests.File{Source: fmt.Sprintf("part-%04d.parquet", i), Bytes: 1234, SHA256: strings.Repeat("a", 64)}
		f.Output = name + "/" + f.Source
		f.Exclusions, f.ExclusionsSHA256 = "_manifest/exclusions/"+f.Output, f.SHA256
		f.Subjects, f.SubjectsSHA256 = "_manifest/subjects/"+f.Output, f.SHA256
		in := manifests.Input{Dataset: name, Path: f.Output, Bytes: 2048, Identity: fmt.Sprintf("generation:%d", i)}
		if i == 0 {
			f.RowsIn, f.RowsKept, f.ExcludedByReason, in.Rows = d.RowsIn, d.RowsKept, d.ExcludedByReason, d.RowsIn
		}
		d.Files, m.run.Inputs = append(d.Files, f), append(m.run.Inputs, in)
	}
	m.run.Datasets[name], m.run.Use[name] = d, manifests.Use{Audience: category.Audience()}
	m.daily = append(m.daily, daily...)
}

// page makes the page of a run, which has to be one that can be published.
func (m *made) page(t *testing.T) string {
	t.Helper()
	data, err := m.run.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(data)
	page, err := Page(m.run, hex.EncodeToString(sum[:]), m.daily)
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

func day(t *testing.T, text string, kept int64, excluded manifests.ReasonCounts) manifests.DayCounts {
	t.Helper()
	d, err := schema.ParseDay(text)
	if err != nil {
		t.Fatal(err)
	}
	return manifests.DayCounts{Day: d, Kept: kept, Excluded: excluded}
}

// everyDay has counts that change from day to day, for the first reasons.
func everyDay(t *testing.T, first string, days int) (out []manifests.DayCounts) {
	at := day(t, first, 0, manifests.ReasonCounts{})
	for i := range int64(days) {
		c := at
		c.Day += schema.Day(i)
		c.Kept = 100 + i%7*3
		for r := range c.Excluded[:schema.FirstReasons] {
			c.Excluded[r] = (i + int64(r)) % 5
		}
		out = append(out, c)
	}
	return out
}

func example(t *testing.T) *made {
	m := newRun(t, "2026-01-05T00:00:00Z", "2026-11-20T00:00:00Z")
	requests := instant(t, "2026-11-19T06:00:00Z")
	match := 0.92706
	m.run.RequestsAsOf = &requests
	m.run.Gates = []manifests.Gate{
		{Name: "min_account_match", Limit: 0.001, Value: &match, Passed: true},
		{Name: "min_account_match", Dataset: "messages", Role: "client", Limit: 0.001, Passed: true},
		{Name: "max_excluded", Dataset: "messages", Limit: 0.4, Value: &match, Passed: false},
		{Name: "max_horizon_age", Limit: 129600, Passed: true},
	}
	m.add("events", schema.Platform, 2, everyDay(t, "2026-02-01", 250)...)
	messages := everyDay(t, "2026-01-05", 320)
	before := manifests.DayCounts{Day: manifests.DaysBefore, Excluded: manifests.ReasonCounts{schema.BeforeProgram: 1494}}
	unknown := manifests.DayCounts{Day: manifests.DayUnknown, Excluded: manifests.ReasonCounts{schema.MomentUnknown: 42}}
	m.add("messages", schema.Communications, 3, slices.Concat([]manifests.DayCounts{before}, messages, []manifests.DayCounts{unknown})...)
	return m
}

// TestPageHasFigures looks for every figure of the run.
func TestPageHasFigures(t *testing.T) {
	m := example(t)
	page := m.page(t)
	var wants []string
	for name, d := range m.run.Datasets {
		wants = append(wants, name, pages.Count(d.RowsIn), pages.Count(d.RowsKept), pages.Count(d.RowsExcluded), share(d.RowsKept, d.RowsIn))
		for _, n := range d.ExcludedByReason {
			wants = append(wants, "<td>"+pages.Count(n)+"</td>")
		}
		for _, f := range d.Files {
			wants = append(wants, f.Output, pages.Count(f.RowsKept), pages.Count(f.Bytes), f.SHA256)
		}
	}
	for _, in := range m.run.Inputs {
		wants = append(wants, in.Path, in.Identity, pages.Count(in.Rows), pages.Count(in.Bytes))
	}
	for _, r := range schema.AllReasons() {
		if r < schema.FirstReasons {
			wants = append(wants, r.String(), r.Label(), r.Sentence())
		} else if strings.Contains(page, r.String()) || strings.Contains(page, fmt.Sprintf(".r%d", r)) {
			t.Errorf("%s is on the page and does not occur", r)
		}
	}
	wants = append(wants, m.run.RunID, m.run.PolicyDigest, m.run.Daily.SHA256, "1.2.3", "20 November 2026, 00:00:00 UTC",
		"5 January 2026", "19 November 2026, 06:00:00 UTC", "≥ 0.1%", "92.71%", "≤ 40%", "not passed", "≤ 36 hours", "nothing to compare",
		"one bar a day", "Week from", "1,494 records from before", "42 records without a known day", "exclusive use of the accounts concerned",
		"improve the marketplace for everyone", "No third-party training", "The freelancer and the client had both opted out", "No contracts&#39; clauses",
	)
	for _, want := range wants {
		if !strings.Contains(page, want) && !strings.Contains(page, strings.ReplaceAll(want, "'", "&#39;")) {
			t.Errorf("%q is not on the page", want)
		}
	}
	if again := m.page(t); again != page {
		t.Error("made again it is another")
	}
}

// TestPageHasEveryReason checks that each reason that occurs has its words and its colour,
// in the light and in the dark.
func TestPageHasEveryReason(t *testing.T) {
	m := newRun(t, "2026-01-05T00:00:00Z", "2026-03-01T00:00:00Z")
	var excluded manifests.ReasonCounts
	for r := range excluded {
		excluded[r] = 10
	}
	m.add("messages", schema.Communications, 1, day(t, "2026-02-01", 10, excluded))
	page := m.page(t)
	legend := page[strings.Index(page, `class="key"`):]
	for _, r := range schema.AllReasons() {
		for _, want := range []string{r.String(), r.Label(), r.Sentence(), fmt.Sprintf(".r%d { background: var(--r%d); fill: var(--r%d); }", r, r, r)} {
			if !strings.Contains(page, want) {
				t.Errorf("%s: %q is not on the page", r, want)
			}
		}
		if n := strings.Count(page, fmt.Sprintf("--r%d: #", r)); n != 2 {
			t.Errorf("%s: %d colours, want one for each theme", r, n)
		}
		if !strings.Contains(legend, fmt.Sprintf(`<span class="r%d"></span>%s`, r, r.Label())) {
			t.Errorf("%s is not in the legend: %.300s", r, legend)
		}
	}
}

// TestCategoriesNamed checks that the rules on the page name every category.
func TestCategoriesNamed(t *testing.T) {
	for _, c := range schema.Categories() {
		m := newRun(t, "2026-01-05T00:00:00Z", "2026-03-01T00:00:00Z")
		m.add("some", c, 1)
		if text := strings.ToLower(strings.Join(rules(m.run), " ")); !strings.Contains(text, strings.ToLower(c.Title())) {
			t.Errorf("%s: %s", c, text)
		}
	}
}

// TestPageNeedsNothing checks that the page loads nothing, runs nothing and leads nowhere.
func TestPageNeedsNothing(t *testing.T) {
	page := example(t).page(t)
	if !strings.Contains(page, `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">`) {
		t.Error("no policy against loading")
	}
	for _, bad := range []string{"http:", "https:", "//", "src=", "url(", "@import", "<script", "<link", "javascript:", " on", "ZgotmplZ"} {
		text := page
		if bad == " on" { // attributes of events
			if found := regexp.MustCompile(`<[^>]* on[a-z]+=`).FindString(page); found != "" {
				t.Errorf("%s", found)
			}
			continue
		}
		if i := strings.Index(text, bad); i >= 0 {
			t.Errorf("%q: %s", bad, text[max(0, i-40):i+40])
		}
	}
	ids := map[string]bool{}
	for _, m := range regexp.MustCompile(` id="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if ids[m[1]] {
			t.Errorf("id %s twice", m[1])
		}
		ids[m[1]] = true
	}
	for _, m := range regexp.MustCompile(`href="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if !strings.HasPrefix(m[1], "#") || !ids[m[1][1:]] {
			t.Errorf("link to %s", m[1])
		}
	}
	for _, m := range regexp.MustCompile(`aria-labelledby="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		for _, id := range strings.Fields(m[1]) {
			if !ids[id] {
				t.Errorf("label %s is missing", id)
			}
		}
	}
}

// TestPageStructure checks what readers that do not see the page go by.
func TestPageStructure(t *testing.T) {
	page := example(t).page(t)
	level := 0
	for _, m := range regexp.MustCompile(`<h([1-6])`).FindAllStringSubmatch(page, -1) {
		n, _ := strconv.Atoi(m[1])
		if n > level+1 {
			t.Errorf("a heading of level %d follows one of %d", n, level)
		}
		level = n
	}
	if strings.Count(page, "<h1>") != 1 || !strings.Contains(page, `<html lang="en">`) {
		t.Error("headings or language")
	}
	for _, th := range regexp.MustCompile(`<th[^e][^>]*>`).FindAllString(page, -1) {
		if !strings.Contains(th, "scope=") {
			t.Errorf("%s has no scope", th)
		}
	}
	for _, table := range strings.Split(page, "<table")[1:] {
		before := table[:strings.Index(table, "</table>")]
		if !strings.Contains(before, "<caption>") && !strings.Contains(before, "Identity") && !strings.Contains(before, "SHA-256") && !strings.Contains(before, "Week from") {
			t.Errorf("a table without a caption: %.200s", before)
		}
	}
	checkNesting(t, page)
}

// checkNesting checks that every element is closed where it has to be.
func checkNesting(t *testing.T, page string) {
	t.Helper()
	body := page[strings.Index(page, "</style>")+8:]
	var open []string
	for _, m := range regexp.MustCompile(`<(/?)([a-z0-9]+)[^>]*?(/?)>`).FindAllStringSubmatch(body, -1) {
		switch {
		case m[3] != "":
		case m[1] == "":
			open = append(open, m[2])
		case len(open) == 0 || m[2] == "head" && open[0] != "head":
			if m[2] != "head" && m[2] != "html" {
				t.Fatalf("</%s> closes nothing", m[2])
			}
		case open[len(open)-1] != m[2]:
			t.Fatalf("</%s> closes <%s>", m[2], open[len(open)-1])
		default:
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 {
		t.Errorf("not closed: %v", open)
	}
}

// TestPageEscapes has names that would break out of wherever they stand.
func TestPageEscapes(t *testing.T) {
	for _, hostile := range []string{`</style><script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `' onload='alert(1)`, `{{.}}`, `</title></svg><b>`, "a\x00b", `-->`} {
		m := newRun(t, "2026-01-05T00:00:00Z", "2026-03-01T00:00:00Z")
		m.run.Program.Name, m.run.Tool.Version = hostile, hostile
		m.run.Inputs[0].Identity, m.run.Inputs[0].Path = hostile, hostile
		name := strings.NewReplacer("/", "∕", "\x00", "").Replace(hostile)
		m.add(name, schema.Communications, 1, everyDay(t, "2026-01-06", 3)...)
		m.run.Gates = []manifests.Gate{{Name: hostile, Dataset: hostile, Role: hostile, Passed: true}}
		d := m.run.Datasets[name]
		for i := range d.Causes {
			if len(d.Causes[i].Roles) > 0 {
				d.Causes[i].Roles[0] = hostile
			}
		}
		page := m.page(t)
		for _, bad := range []string{"<script", "<img", "<b>alert", "onerror=alert(1)>", "ZgotmplZ"} {
			if i := strings.Index(page, bad); i >= 0 {
				t.Errorf("%q: %q", hostile, page[max(0, i-60):i+60])
			}
		}
		if strings.Count(page, "</style>") != 1 || strings.Count(page, "</main>") != 1 {
			t.Errorf("%q breaks out", hostile)
		}
		checkNesting(t, page)
	}
}

// TestPageBounds checks that a page stays small whatever the run.
func TestPageBounds(t *testing.T) {
	for name, m := range map[string]*made{
		"example":    example(t),
		"files":      func() *made { m := example(t); m.add("many", schema.Platform, 2000); return m }(),
		"four years": func() *made { return years(t, "2022-01-05T00:00:00Z", "2026-01-05T00:00:00Z", 1461) }(),
		"for ever":   func() *made { return years(t, "1677-01-01T00:00:00Z", "2262-04-11T00:00:00Z", 213000) }(),
	} {
		page := m.page(t)
		if len(page) > 200<<10 {
			t.Errorf("%s: %d bytes", name, len(page))
		}
		if name == "files" && !strings.Contains(page, "more, in <code>_manifest/run.json") {
			t.Errorf("%s: it is not said that there are more", name)
		}
	}
}

func years(t *testing.T, start, horizon string, days int) *made {
	m := newRun(t, start, horizon)
	first := schema.FromTime(m.run.Program.StartsAt).Day().String()
	for _, name := range []string{"deliverables", "events", "messages"} {
		m.add(name, schema.Platform, 12, everyDay(t, first, days)...)
	}
	return m
}

// TestPageOfNothing has a run without records, and one of which all were left out.
func TestPageOfNothing(t *testing.T) {
	m := newRun(t, "2026-01-05T00:00:00Z", "2026-03-01T00:00:00Z")
	m.add("messages", schema.Communications, 1)
	page := m.page(t)
	for _, want := range []string{"<strong>0</strong> records read", "It has no records.", "Nothing was left out."} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is not on the page", want)
		}
	}
	if strings.Contains(page, "<svg") || strings.Contains(page, "NaN") {
		t.Error("a chart of nothing")
	}
	m = newRun(t, "2026-01-05T00:00:00Z", "2026-03-01T00:00:00Z")
	m.add("messages", schema.Communications, 1, manifests.DayCounts{Day: manifests.DaysAfter, Excluded: manifests.ReasonCounts{schema.AfterHorizon: 5}})
	if page = m.page(t); !strings.Contains(page, "It has no records between the programme&#39;s start and the horizon. Not in the chart: 5 records from after") &&
		!strings.Contains(page, "It has no records between the programme's start and the horizon. Not in the chart: 5 records from after") {
		t.Error(page)
	}
	m = newRun(t, "2026-03-05T00:00:00Z", "2026-03-01T00:00:00Z") // a horizon before the start
	m.add("messages", schema.Communications, 1, manifests.DayCounts{Day: manifests.DaysBefore, Excluded: manifests.ReasonCounts{schema.BeforeProgram: 5}})
	m.page(t)
	if _, err := Page(m.run, "", nil); err == nil {
		t.Error("a page of counts that are not the run's")
	}
}
