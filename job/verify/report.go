package verify

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"assent/job/internal/publish"
	"assent/job/internal/runpage"
	"assent/manifests"
	"assent/schema"
)

// checkReport checks the counts by day against the run manifest, and the report
// against both where this is the program that made it. Another version's report may
// look otherwise: of that, all that can be said is that it is unchanged.
func (a *audit) checkReport(ctx context.Context) error {
	read := func(name string) ([]byte, error) {
		if !a.intact[name] {
			return nil, nil
		}
		data, _, err := a.store.Read(ctx, a.object(name))
		return data, err
	}
	data, err := read(manifests.DailyPath)
	if err != nil || data == nil {
		return err
	}
	daily, err := manifests.ParseDaily(data)
	if err == nil {
		err = manifests.CheckDaily(a.run, daily)
	}
	if err != nil {
		a.found.of(manifests.DailyPath, "%v", err)
		return nil
	}
	a.daily = daily
	if a.run.Tool.Version != a.Version || !namesBuild(a.Version) {
		return nil
	}
	page, err := read(publish.ReportObject)
	if err != nil || page == nil {
		return err
	}
	if again, err := runpage.Again(a.run, a.sealed, data); err != nil || !bytes.Equal(again, page) {
		a.found.of(publish.ReportObject, "it is not the report of the run manifest and the counts by day")
	}
	a.checked.Reports++
	return nil
}

// namesBuild reports whether a version stands for one program alone.
func namesBuild(version string) bool {
	return version != "(devel)" && !strings.HasSuffix(version, "dirty")
}

// recount counts the decisions of an audit by day and by cause. It is to the run's
// tally what filter.World is to the index: the day is text, and so is the cause.
type recount struct {
	days   map[string]*manifests.DayCounts // by text of the day
	causes map[string]int64                // by text of reason and roles
	part   bool                            // some file could not be read to its end
}

func newRecount() *recount {
	return &recount{days: map[string]*manifests.DayCounts{}, causes: map[string]int64{}}
}

// dayText is what daily.csv has for a record's day.
func dayText(at, start, horizon schema.Instant) string {
	if at == schema.Unknown {
		return "unknown"
	}
	day := at.Time().Format(time.DateOnly)
	switch {
	case day < start.Time().Format(time.DateOnly):
		return "before"
	case day > horizon.Time().Format(time.DateOnly):
		return "after"
	}
	return day
}

func (c *recount) day(text string) *manifests.DayCounts {
	if c.days[text] == nil {
		c.days[text] = new(manifests.DayCounts)
	}
	return c.days[text]
}

// add adds a file's counts; nil are those of one that could not be read.
func (c *recount) add(d *recount) {
	if d == nil {
		c.part = true
		return
	}
	for text, n := range d.days {
		sum := c.day(text)
		sum.Kept += n.Kept
		sum.Excluded.Add(&n.Excluded)
	}
	for cause, rows := range d.causes {
		c.causes[cause] += rows
	}
}

func causeText(reason string, roles []string) string { return fmt.Sprintf("%s by %q", reason, roles) }

// compareCounts holds what was counted of a data set against its entry in the run
// manifest and against the counts by day.
func (a *audit) compareCounts(dataset string, c *recount) {
	if c.part {
		return // was told
	}
	for i := range a.daily {
		d := &a.daily[i]
		if d.Dataset != dataset {
			continue
		}
		text := d.DayText()
		if n := c.day(text); n.Kept != d.Kept || n.Excluded != d.Excluded {
			a.found.of(manifests.DailyPath, "%s, %s: the rules keep %d of %d records, it has %d of %d, or other reasons", dataset, text, n.Kept, n.Records(), d.Kept, d.Records())
		}
		delete(c.days, text)
	}
	for _, text := range slices.Sorted(maps.Keys(c.days)) {
		if n := c.days[text].Records(); n > 0 && a.daily != nil {
			a.found.of(manifests.DailyPath, "%s, %s: there are %d records, it has none", dataset, text, n)
		}
	}
	for _, cause := range a.run.Datasets[dataset].Causes {
		text := causeText(cause.Reason, cause.Roles)
		if n := c.causes[text]; n != cause.Rows {
			a.found.of(publish.ManifestObject, "causes of %s: %d records are excluded for %s, it has %d", dataset, n, text, cause.Rows)
		}
		delete(c.causes, text)
	}
	for _, text := range slices.Sorted(maps.Keys(c.causes)) {
		a.found.of(publish.ManifestObject, "causes of %s: %d records are excluded for %s, it has none", dataset, c.causes[text], text)
	}
}
