// Package runs lists the published runs of an output, says which of them is current, and
// removes the oldest.
//
//   - hold: keeps a run from being removed while somebody reads it. It ends by itself.
//   - prune: the removal of the oldest runs. It never removes the current one, one under
//     a hold, nor one that holds accounts with a deletion request: that is for `erase`,
//     which leaves a receipt.
package runs

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"assent/job"
	"assent/job/internal/holdings"
	"assent/job/internal/pages"
	"assent/job/internal/publish"
	"assent/manifests"
)

// Options name the configuration, whose output is looked at.
// The tags are those of the command line.
type Options struct {
	Config string   `short:"c" required:"" placeholder:"FILE" help:"${config}"`
	Set    []string `placeholder:"KEY=VALUE" sep:"none" help:"${set}"`
}

// Info is a published run as it is listed.
type Info struct {
	RunID        string    `json:"run_id"`
	URI          string    `json:"uri"`
	Horizon      time.Time `json:"consent_as_of"`
	FinishedAt   time.Time `json:"finished_at"`
	RowsIn       int64     `json:"rows_in"`
	RowsKept     int64     `json:"rows_kept"`
	RowsExcluded int64     `json:"rows_excluded"`
	Current      bool      `json:"current"`
	HoldsErased  *bool     `json:"holds_erased"`      // accounts with a deletion request; null where not known, as without a ledger
	HeldBy       []string  `json:"held_by,omitempty"` // names of readers' holds
	Problem      string    `json:"problem,omitempty"` // why it must not be used
}

// List is the answer: the published runs, the newest horizon first.
type List []Info

// Run lists the published runs. A run that is damaged is listed with its problem.
func Run(ctx context.Context, e *job.Env, o Options) (List, error) {
	cfg, out, err := publish.Open(ctx, e, o.Config, o.Set)
	if err != nil {
		return nil, err
	}
	holder, err := holdings.NewHolder(ctx, e, cfg)
	if err != nil {
		return nil, err
	}
	holds, err := out.Holds(ctx, e.Now(), false)
	if err != nil && publish.Damaged(err) && ctx.Err() == nil {
		e.Log.Warn("which runs are held is not known", "error", err)
	} else if err != nil {
		return nil, err
	}
	return list(ctx, out, holder, holds)
}

func list(ctx context.Context, out *publish.Output, holder *holdings.Holder, holds map[string][]publish.Hold) (List, error) {
	current, err := out.Current(ctx)
	if err != nil {
		return nil, err
	}
	dirs, err := out.Store.Dirs(ctx, "")
	if err != nil {
		return nil, err
	}
	runs := List{}
	for _, dir := range dirs {
		id, ok := strings.CutPrefix(dir, publish.RunPrefix)
		if !ok {
			continue
		}
		info := Info{RunID: id, URI: out.Store.URI(dir), Current: current != nil && current.Run == dir}
		for _, h := range holds[dir] {
			info.HeldBy = append(info.HeldBy, h.Name)
		}
		found, err := info.look(ctx, out, holder, current)
		if err != nil {
			return nil, err
		}
		if found {
			runs = append(runs, info)
		}
	}
	slices.SortStableFunc(runs, func(a, b Info) int {
		if c := b.Horizon.Compare(a.Horizon); c != 0 {
			return c
		}
		return b.FinishedAt.Compare(a.FinishedAt)
	})
	return runs, nil
}

// look fills in what the run itself says, or what is wrong with it. A directory without
// a complete run is nobody's.
func (i *Info) look(ctx context.Context, out *publish.Output, holder *holdings.Holder, current *manifests.Current) (found bool, err error) {
	run, err := out.FindRun(ctx, publish.RunDir(i.RunID))
	if err != nil {
		i.Problem = err.Error()
		return true, ctx.Err()
	}
	if run == nil {
		return false, nil
	}
	i.count(run.Run)
	if i.Current && current.ManifestSHA256 != run.Digest {
		i.Problem = "current.json names another manifest of this run"
	}
	if run.Program.Name != out.Program {
		i.Problem = "belongs to the programme " + run.Program.Name
	}
	i.HoldsErased, err = holder.Holds(ctx, run)
	if err != nil && publish.Damaged(err) && ctx.Err() == nil {
		i.Problem, err = err.Error(), nil
	}
	return true, err
}

func (i *Info) count(run *manifests.Run) {
	i.Horizon, i.FinishedAt = run.ConsentAsOf, run.Invocation.FinishedAt
	for _, d := range run.Datasets {
		i.RowsIn += d.RowsIn
		i.RowsKept += d.RowsKept
		i.RowsExcluded += d.RowsExcluded
	}
}

// Current returns the URI of the run that current.json names.
func Current(ctx context.Context, e *job.Env, o Options) (string, error) {
	_, out, err := publish.Open(ctx, e, o.Config, o.Set)
	if err != nil {
		return "", err
	}
	current, err := out.Current(ctx)
	if err != nil {
		return "", err
	}
	if current == nil {
		return "", &job.Error{Exit: job.ExitFailed, Hint: "publish one with `assent run`", Err: fmt.Errorf("%s: no run is published there", out.Store.URI(""))}
	}
	run, err := out.FindRun(ctx, current.Run)
	if err != nil {
		return "", err
	}
	if run == nil || run.Digest != current.ManifestSHA256 {
		return "", job.Refused("run `assent runs` to see what there is, and publish again", "%s names %s, which is not there as it was published", out.Store.URI(publish.CurrentObject), current.Run)
	}
	return out.Store.URI(current.Run), nil
}

// WriteText writes the list as a table.
func (l List) WriteText(w io.Writer) error {
	if len(l) == 0 {
		_, err := fmt.Fprintln(w, "no runs are published there")
		return err
	}
	t := job.NewTable(w)
	t.Row("run", "horizon", "kept", "excluded", "erased accounts", "current", "state")
	for _, r := range l {
		current, state, erased := "", "ok", "?"
		if r.HoldsErased != nil {
			erased = map[bool]string{true: "held", false: "none"}[*r.HoldsErased]
		}
		if r.Current {
			current = "current"
		}
		if len(r.HeldBy) > 0 {
			state = "ok, read by " + strings.Join(r.HeldBy, ", ")
		}
		if r.Problem != "" {
			state = "DO NOT USE: " + r.Problem
		}
		t.Row(r.RunID, r.Horizon.Format("2006-01-02T15:04:05Z"), pages.Count(r.RowsKept), pages.Count(r.RowsExcluded), erased, current, state)
	}
	return t.Flush()
}
