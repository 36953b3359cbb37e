// Package metrics makes the figures of a run that a monitoring system scrapes: one file in the text format of Prometheus, for
// the textfile collector of its node exporter. It is written when the run ends, also when it fails or is refused.
//
// Words:
//
//   - metric: a name with a value for each set of labels. All of them are gauges: they are of the last run alone.
//   - step: plan, shard or commit, and how long it took. Where each is a process of its own, it has a file of its own, and all
//     of its figures say which: a collector takes no figure twice.
package metrics

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/renameio/v2"

	"assent/manifests"
)

// Run is what is known of a run when it ends. What it did not come to is zero.
type Run struct {
	Version           string
	Program           string
	Exit              int
	Started, Finished time.Time
	Horizon           time.Time
	Steps             []Step
	Gates             []manifests.Gate // evaluated, the one that failed among them
	Manifest          *manifests.Run   // of a run that was published, also before
	Reused            map[string]int64 // files taken over from an earlier run, by data set
	Step, Task        string           // the step that is a process of its own, and the task's number; empty: the whole run
	Shards            map[string]int64 // by what became of them: planned, done, skipped
}

// Step is a step that has ended.
type Step struct {
	Name string
	Took time.Duration
}

// Write replaces the file at once by the run's figures. Its mode is 0644, as another program reads it.
func (r *Run) Write(file string) error { return renameio.WriteFile(file, r.Text(), 0o644) }

// text gathers lines, metric by metric.
type text struct {
	b      strings.Builder
	labels []string // of all values
}

// metric begins a metric.
func (t *text) metric(name, help string) {
	fmt.Fprintf(&t.b, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name)
}

// value adds a value of the metric that was begun last. labels are names and values in turn; those of no value are left out.
func (t *text) value(name string, v float64, labels ...string) {
	t.b.WriteString(name)
	labels = append(labels, t.labels...)
	sep := "{"
	for i := 0; i < len(labels); i += 2 {
		if labels[i+1] != "" {
			fmt.Fprintf(&t.b, `%s%s="%s"`, sep, labels[i], escape.Replace(labels[i+1]))
			sep = ","
		}
	}
	if sep == "," {
		t.b.WriteString("}")
	}
	t.b.WriteString(" " + strconv.FormatFloat(v, 'g', -1, 64) + "\n")
}

// escape is what the text format asks of the values of labels.
// Source: https://prometheus.io/docs/instrumenting/exposition_formats/
var escape = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

// Text returns the file's content.
func (r *Run) Text() []byte {
	t := &text{labels: []string{"verb", r.Step, "task", r.Task}}
	run := ""
	if r.Manifest != nil {
		run = r.Manifest.RunID
	}
	t.metric("assent_info", "The program, the programme and the run that the other figures are of.")
	t.value("assent_info", 1, "version", r.Version, "program", r.Program, "run", run)
	t.metric("assent_exit_code", "How the last run ended: 0 published, 1 failed, 2 usage, 3 refused, 4 bad input, 130 interrupted.")
	t.value("assent_exit_code", float64(r.Exit))
	t.metric("assent_finished_timestamp_seconds", "When the last run ended.")
	t.value("assent_finished_timestamp_seconds", seconds(r.Finished))
	t.metric("assent_duration_seconds", "How long the last run took.")
	t.value("assent_duration_seconds", r.Finished.Sub(r.Started).Seconds())
	if len(r.Steps) > 0 {
		t.metric("assent_step_duration_seconds", "How long each step took.")
		for _, s := range r.Steps {
			t.value("assent_step_duration_seconds", s.Took.Seconds(), "step", s.Name)
		}
	}
	if !r.Horizon.IsZero() {
		t.metric("assent_horizon_timestamp_seconds", "Up to when the consent snapshot is complete.")
		t.value("assent_horizon_timestamp_seconds", seconds(r.Horizon))
		t.metric("assent_horizon_age_seconds", "How old the consent snapshot was when the run ended.")
		t.value("assent_horizon_age_seconds", r.Finished.Sub(r.Horizon).Seconds())
	}
	if len(r.Shards) > 0 {
		t.metric("assent_shards", "Shards by what the step did with them.")
		for _, state := range slices.Sorted(maps.Keys(r.Shards)) {
			t.value("assent_shards", float64(r.Shards[state]), "state", state)
		}
	}
	r.gates(t)
	if r.Manifest != nil {
		r.datasets(t)
	}
	return []byte(t.b.String())
}

func (r *Run) gates(t *text) {
	for _, m := range []struct {
		name, help string
		value      func(*manifests.Gate) *float64
	}{
		{"assent_gate_limit", "The configured limit of a gate: a share, a number or seconds.", func(g *manifests.Gate) *float64 { return &g.Limit }},
		{"assent_gate_value", "What the gate found; none where it is off.", func(g *manifests.Gate) *float64 { return g.Value }},
		{"assent_gate_passed", "Whether the value is within the limit: 1 or 0.", func(g *manifests.Gate) *float64 {
			passed := 0.0
			if g.Passed {
				passed = 1
			}
			return &passed
		}},
	} {
		begun := false
		for i := range r.Gates {
			g := &r.Gates[i]
			v := m.value(g)
			if v == nil {
				continue
			}
			if !begun {
				t.metric(m.name, m.help)
				begun = true
			}
			t.value(m.name, *v, "gate", g.Name, "dataset", g.Dataset, "role", g.Role)
		}
	}
}

func (r *Run) datasets(t *text) {
	names := slices.Sorted(maps.Keys(r.Manifest.Datasets))
	t.metric("assent_records", "Records of a data set by outcome.")
	for _, name := range names {
		d := r.Manifest.Datasets[name]
		t.value("assent_records", float64(d.RowsKept), "dataset", name, "outcome", "kept")
		t.value("assent_records", float64(d.RowsExcluded), "dataset", name, "outcome", "excluded")
	}
	t.metric("assent_excluded_records", "Excluded records of a data set by primary reason.")
	for _, name := range names {
		excluded := r.Manifest.Datasets[name].ExcludedByReason
		for _, reason := range excluded.Listed() {
			t.value("assent_excluded_records", float64(excluded[reason]), "dataset", name, "reason", reason.String())
		}
	}
	t.metric("assent_data_bytes", "Size of a data set's published files.")
	for _, name := range names {
		bytes := int64(0)
		for _, f := range r.Manifest.Datasets[name].Files {
			bytes += f.Bytes
		}
		t.value("assent_data_bytes", float64(bytes), "dataset", name)
	}
	t.metric("assent_files", "Published files of a data set, by whether they were made or taken over from an earlier run.")
	for _, name := range names {
		reused := r.Reused[name]
		t.value("assent_files", float64(int64(len(r.Manifest.Datasets[name].Files))-reused), "dataset", name, "how", "made")
		t.value("assent_files", float64(reused), "dataset", name, "how", "reused")
	}
	groups := map[string]int{}
	for output, n := range r.Manifest.Invocation.ReusedRowGroups {
		name, _, _ := strings.Cut(output, "/")
		groups[name] += n
	}
	t.metric("assent_reused_row_groups", "Row groups of a data set's input that were taken over from an earlier run, in files that were made.")
	for _, name := range names {
		t.value("assent_reused_row_groups", float64(groups[name]), "dataset", name)
	}
	if r.Manifest.Invocation.Since != nil {
		t.metric("assent_changed_records", "Records that changed sides since the run before, and kept ones of files that came or went.")
		for _, name := range slices.Sorted(maps.Keys(r.Manifest.Invocation.Since.Datasets)) {
			c := r.Manifest.Invocation.Since.Datasets[name]
			for _, n := range []struct {
				change  string
				records int64
			}{{"now_excluded", c.NowExcluded.Total()}, {"now_kept", c.NowKept.Total()}, {"gone_kept", c.Gone.Kept}, {"new_kept", c.New.Kept}} {
				t.value("assent_changed_records", float64(n.records), "dataset", name, "change", n.change)
			}
		}
	}
}
