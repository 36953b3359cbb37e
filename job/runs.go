package job

import (
	"context"
	"slices"
	"strings"
	"time"

	"assent/manifests"
)

// RunsOptions configure the verb runs.
type RunsOptions struct {
	Config string
	Set    []string
}

// RunInfo is a published run as runs lists it.
type RunInfo struct {
	RunID        string    `json:"run_id"`
	URI          string    `json:"uri"`
	Horizon      time.Time `json:"consent_as_of"`
	FinishedAt   time.Time `json:"finished_at"`
	RowsIn       int64     `json:"rows_in"`
	RowsKept     int64     `json:"rows_kept"`
	RowsExcluded int64     `json:"rows_excluded"`
	Current      bool      `json:"current"`
	HoldsErased  *bool     `json:"holds_erased"`      // accounts with a deletion request; null where not known, as without a ledger
	Problem      string    `json:"problem,omitempty"` // why it must not be used
}

// Runs lists the published runs, the newest horizon first. A run that is damaged is
// listed with its problem.
func (e *Env) Runs(ctx context.Context, o RunsOptions) ([]RunInfo, error) {
	cfg, out, err := e.output(ctx, o.Config, o.Set)
	if err != nil {
		return nil, err
	}
	current, err := out.current(ctx)
	if err != nil {
		return nil, err
	}
	dirs, err := out.store.Dirs(ctx, "")
	if err != nil {
		return nil, err
	}
	holder, err := e.newHolder(ctx, cfg, out)
	if err != nil {
		return nil, err
	}
	runs := []RunInfo{}
	for _, dir := range dirs {
		id, ok := strings.CutPrefix(dir, "run=")
		if !ok {
			continue
		}
		info := RunInfo{RunID: id, URI: out.store.URI(dir), Current: current != nil && current.Run == dir}
		run, digest, err := out.published(ctx, dir)
		switch {
		case err != nil && ctx.Err() != nil:
			return nil, err
		case err != nil:
			info.Problem = err.Error()
		case run == nil:
			continue // not complete: nobody's
		default:
			info.count(run)
			if info.HoldsErased, err = holder.holds(ctx, run); err != nil && !damaged(err) {
				return nil, err
			} else if err != nil {
				info.Problem = err.Error()
			}
			if info.Current && current.ManifestSHA256 != digest {
				info.Problem = "current.json names another manifest of this run"
			}
			if run.Program.Name != cfg.Program.Name {
				info.Problem = "belongs to the programme " + run.Program.Name
			}
		}
		runs = append(runs, info)
	}
	slices.SortStableFunc(runs, func(a, b RunInfo) int {
		if c := b.Horizon.Compare(a.Horizon); c != 0 {
			return c
		}
		return b.FinishedAt.Compare(a.FinishedAt)
	})
	return runs, nil
}

func (i *RunInfo) count(run *manifests.Run) {
	i.Horizon, i.FinishedAt = run.ConsentAsOf, run.Invocation.FinishedAt
	for _, d := range run.Datasets {
		i.RowsIn += d.RowsIn
		i.RowsKept += d.RowsKept
		i.RowsExcluded += d.RowsExcluded
	}
}

// CurrentRun returns the URI of the run that current.json names.
func (e *Env) CurrentRun(ctx context.Context, o RunsOptions) (string, error) {
	_, out, err := e.output(ctx, o.Config, o.Set)
	if err != nil {
		return "", err
	}
	current, err := out.current(ctx)
	if err != nil {
		return "", err
	}
	if current == nil {
		return "", &Error{ExitFailed, "publish one with `assent run`", errNoRun(out)}
	}
	run, digest, err := out.published(ctx, current.Run)
	if err != nil {
		return "", err
	}
	if run == nil || digest != current.ManifestSHA256 {
		return "", refused("run `assent runs` to see what there is, and publish again", "%s names %s, which is not there as it was published", out.store.URI(currentObject), current.Run)
	}
	return out.store.URI(current.Run), nil
}
