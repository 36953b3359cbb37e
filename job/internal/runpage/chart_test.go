package runpage

import (
	"math"
	"regexp"
	"strconv"
	"testing"

	"assent/manifests"
	"assent/schema"
)

// TestBarsAddUp checks that the parts of each bar are, together, as high as the bar's
// records have it, that none overlaps another, and that all is inside.
func TestBarsAddUp(t *testing.T) {
	m := example(t)
	v := &view{Run: m.run}
	for _, name := range []string{"events", "messages"} {
		v.add(name, m.run.Datasets[name])
	}
	v.charts(m.daily)
	part := regexp.MustCompile(`M([0-9.]+) ([0-9]+)h([0-9.]+)v([0-9]+)h-([0-9.]+)z`)
	for _, s := range v.Sets {
		type drawn struct{ height, floor int }
		bars := map[string]*drawn{}
		for _, l := range s.Chart.Layers {
			for _, p := range part.FindAllStringSubmatch(l.Path, -1) {
				y, _ := strconv.Atoi(p[2])
				h, _ := strconv.Atoi(p[4])
				x, _ := strconv.ParseFloat(p[1], 64)
				w, _ := strconv.ParseFloat(p[3], 64)
				b := bars[p[1]]
				if b == nil {
					b = &drawn{floor: 1000}
					bars[p[1]] = b
				}
				if p[3] != p[5] || x < 0 || x+w > 1000 || y+h != b.floor || y < 0 {
					t.Errorf("%s: %s on %d", s.Name, p[0], b.floor)
				}
				b.floor, b.height = y, b.height+h
			}
			if rest := part.ReplaceAllString(l.Path, ""); rest != "" {
				t.Errorf("path %q", rest)
			}
		}
		top := int64(math.Round(float64(s.Chart.Most.Records) * 1000 / float64(1000-bars[s.Chart.Most.X].floor)))
		records, kept := int64(0), int64(0)
		for i := range s.Chart.Bars {
			b := &s.Chart.Bars[i]
			records, kept = records+b.Records, kept+b.Kept
			if b.Records == 0 {
				continue
			}
			if want := 1000 * float64(b.Records) / float64(top); math.Abs(float64(bars[b.X].height)-want) > 2 {
				t.Errorf("%s, %s: %d high, want %.1f", s.Name, b.Label, bars[b.X].height, want)
			}
		}
		inRows := int64(0)
		for _, b := range s.Chart.Rows {
			sum := int64(0)
			for _, n := range b.Figures {
				sum += n
			}
			if inRows += b.Records; sum != b.Records {
				t.Errorf("%s, %s: the figures add up to %d of %d", s.Name, b.Label, sum, b.Records)
			}
		}
		if inRows != records {
			t.Errorf("%s: %d records in the figures, %d in the bars", s.Name, inRows, records)
		}
		if records+s.Chart.Before+s.Chart.After+s.Chart.Unknown != s.In || kept != s.Kept {
			t.Errorf("%s: %d records and %d kept in the chart, of %d and %d", s.Name, records, kept, s.In, s.Kept)
		}
		if ticks := s.Chart.Y; len(ticks) < 3 || len(ticks) > 6 || ticks[0].Label != "0" || ticks[0].At != 100 || ticks[len(ticks)-1].At != 0 {
			t.Errorf("%s: %+v", s.Name, ticks)
		}
	}
}

func TestUnits(t *testing.T) {
	for _, c := range []struct {
		start, horizon string
		days           int    // with records
		unit           string // of bars
		bars           int
		line           string // unit of the figures
		lines          int
		from, to       string
		cut            bool
	}{
		{"2026-01-05T00:00:00Z", "2026-01-05T12:00:00Z", 1, "day", 1, "day", 1, "5 January 2026", "5 January 2026", false},
		{"2026-01-05T00:00:00Z", "2026-03-01T00:00:00Z", 30, "day", 56, "day", 56, "5 January 2026", "1 March 2026", false},
		{"2026-01-07T00:00:00Z", "2026-11-20T00:00:00Z", 300, "day", 318, "week", 46, "7 January 2026", "20 November 2026", false},
		{"2022-01-05T00:00:00Z", "2026-01-05T00:00:00Z", 1400, "week", 210, "month", 49, "5 January 2022", "5 January 2026", false},
		{"1990-01-05T00:00:00Z", "2026-01-05T00:00:00Z", 13000, "year", 37, "year", 37, "5 January 1990", "5 January 2026", false},
		{"1700-01-05T00:00:00Z", "2262-04-11T00:00:00Z", 200000, "decade", 57, "decade", 57, "5 January 1700", "11 April 2262", false},
		{"2026-01-05T00:00:00Z", "2262-04-11T00:00:00Z", 60, "day", 60, "day", 60, "5 January 2026", "5 March 2026", true},
	} {
		m := newRun(t, c.start, c.horizon)
		m.add("messages", schema.Platform, 1, everyDay(t, c.start[:10], c.days)...)
		v := &view{Run: m.run}
		v.add("messages", m.run.Datasets["messages"])
		v.charts(m.daily)
		if v.Lines.Name != c.line || len(v.Sets[0].Chart.Rows) != c.lines {
			t.Errorf("%s to %s: %d lines by %s", c.start, c.horizon, len(v.Sets[0].Chart.Rows), v.Lines.Name)
		}
		if v.Unit.Name != c.unit || len(v.Sets[0].Chart.Bars) != c.bars || v.From != c.from || v.To != c.to || v.Cut != c.cut {
			t.Errorf("%s to %s: %d bars by %s from %s to %s, %v", c.start, c.horizon, len(v.Sets[0].Chart.Bars), v.Unit.Name, v.From, v.To, v.Cut)
		}
		if ticks := v.Sets[0].Chart.X; len(ticks) == 0 || len(ticks) > maxTicks {
			t.Errorf("%s to %s: %+v", c.start, c.horizon, ticks)
		}
	}
}

func TestWords(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{share(0, 0), "–"}, {share(0, 10), "0.0%"}, {share(10, 10), "100.0%"}, {share(1, 1e6), "<0.1%"}, {share(1e6-1, 1e6), ">99.9%"}, {share(2, 3), "66.7%"},
		{percentText(0.001), "0.1%"}, {percentText(1), "100%"}, {percentText(0), "0%"}, {percentText(0.927067), "92.71%"}, {percentText(0.0000001), "1e-05%"}, {percentText(0.00001), "0.001%"},
		{duration(129600), "36 hours"}, {duration(86400), "24 hours"}, {duration(10 * 86400), "10 days"}, {duration(60), "1 minute"}, {duration(90.5), "90.5 seconds"},
		{size(1), "1 byte"}, {size(1536), "1.5 KiB"}, {size(20 << 30), "20.0 GiB"},
		{short(0), "0"}, {short(5000), "5,000"}, {short(15000), "15k"}, {short(2500000), "2.5M"},
		{causeText(manifests.CauseCount{Reason: "opted_out", Roles: []string{"client"}}), "The client had opted out"},
		{causeText(manifests.CauseCount{Reason: "opted_out", Roles: []string{"a", "b", "c"}}), "The a, the b and the c had all opted out"},
		{causeText(manifests.CauseCount{Reason: "party_unknown", Roles: []string{"team_lead"}}), "The team lead is missing or not known"},
		{causeText(manifests.CauseCount{Reason: "party_unknown", Roles: []string{"a", "b"}}), "The a and the b are missing or not known"},
		{causeText(manifests.CauseCount{Reason: "deletion_requested", Roles: []string{"target"}}), "Deletion was asked for by the target"},
		{causeText(manifests.CauseCount{Reason: "contract_restricted"}), "The contract forbids AI training"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
	for n, want := range map[int64]int64{1: 1, 4: 1, 5: 2, 8: 2, 9: 5, 21: 10, 4900: 2000, 80001: 50000} {
		if got := niceStep(n); got != want {
			t.Errorf("step of %d: %d, want %d", n, got, want)
		}
	}
}
