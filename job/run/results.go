package run

import (
	"context"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"

	"assent/job"
)

// results reads what all shards of a plan have left; the first one has all their tallies. That one has left nothing is an error
// that names it.
func (r *runner) results(ctx context.Context, plan *planned) ([]*ShardResult, error) {
	results := make([]*ShardResult, len(plan.Shards))
	var counts tallies
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(atATime)
	for i := range results {
		g.Go(func() (err error) {
			if results[i], _, err = readResult(gctx, r.out.Store, &plan.Plan, plan.digest, i); results[i] != nil {
				counts.take(results[i])
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	var missing []string
	for i, result := range results {
		if result == nil {
			missing = append(missing, fmt.Sprint(i))
		}
	}
	if len(missing) > 0 {
		const shown = 10
		return nil, &job.Error{
			Exit: job.ExitFailed, Hint: "do them with `assent shard`, then commit again",
			Err: fmt.Errorf("%d of %d shards are not done: %s", len(missing), len(results), strings.Join(missing[:min(shown, len(missing))], ", ")),
		}
	}
	if len(results) > 0 {
		counts.give(results[0])
	}
	return results, nil
}
