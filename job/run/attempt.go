package run

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"path"

	"assent/job/internal/objstore"
	"assent/manifests"
)

// files yields the files of a result that fits the plan, with their places there.
func (r *ShardResult) files(plan *Plan) iter.Seq2[Part, *manifests.File] {
	return func(yield func(Part, *manifests.File) bool) {
		next := make([]int, len(r.Datasets))
		for _, part := range plan.Shards[r.Shard].Parts {
			f := &r.Datasets[part.Dataset].Files[next[part.Dataset]]
			next[part.Dataset]++
			if !yield(part, f) {
				return
			}
		}
	}
}

// check holds a result against the plan: it has the shard's files and no others, each with
// all its rows.
func (r *ShardResult) check(plan *Plan, digest string, shard int) error {
	if r.Version != planVersion || r.Plan != digest || r.Shard != shard || len(r.Datasets) != len(plan.Datasets) {
		return errors.New("it is not the result of a shard of this plan")
	}
	want := make([]int, len(r.Datasets))
	for _, part := range plan.Shards[shard].Parts {
		want[part.Dataset]++
	}
	for i := range r.Datasets {
		if d := &r.Datasets[i]; len(d.Files) != want[i] || d.Tally == nil || len(d.Joins) != len(plan.Datasets[i].Roles()) {
			return fmt.Errorf("data set %s: it is not complete", plan.Datasets[i].Name)
		}
	}
	for part, f := range r.files(plan) {
		if rel, rows := plan.file(part).Rel, plan.piece(part).Rows; f.Source != rel || f.RowsIn != rows {
			return fmt.Errorf("data set %s: %s: %d of %d rows were worked on", plan.Datasets[part.Dataset].Name, rel, f.RowsIn, rows)
		}
	}
	return nil
}

// readResult returns the result of a shard; nil where there is none that fits the plan. What
// is there has the generation.
func readResult(ctx context.Context, out objstore.Store, plan *Plan, digest string, shard int) (_ *ShardResult, generation string, err error) {
	data, o, err := out.Read(ctx, resultObject(plan.RunID, shard))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", err
	}
	r := new(ShardResult)
	if err := parseStrictly(data, r); err != nil || r.check(plan, digest, shard) != nil {
		return nil, o.Generation, nil
	}
	return r, o.Generation, nil
}

// errPlanGone means that the plan's directory was removed while a shard was worked on.
var errPlanGone = errors.New("the plan is gone: its run was published, or another plan has followed it")

// do does a shard of the plan, unless its result is there. It reports whether it was.
func (s *sharder) do(ctx context.Context, shard int) (_ *ShardResult, there bool, err error) {
	if s.stage != nil && !s.fresh {
		if r, _, err := readResult(ctx, s.stage, s.plan, s.digest, shard); r != nil || err != nil {
			if err == nil {
				s.progress(s.plan.rows(shard))
			}
			return r, true, err
		}
	}
	w := shardOf(s, shard)
	result, err := w.run(ctx, s.plan.Shards[shard].Parts)
	if err != nil {
		w.discard(ctx)
		return nil, false, err
	}
	result.Version, result.Plan, result.Shard, result.Stage = planVersion, s.digest, shard, w.prefix
	if s.stage == nil {
		return result, false, nil
	}
	return w.keep(ctx, result)
}

// shardOf is a new attempt at a shard.
func shardOf(s *sharder, i int) *shard {
	w := &shard{sharder: s}
	if s.stage != nil {
		w.prefix = newStage(s.plan.RunID, i)
	}
	return w
}

// keep makes an attempt the one that counts, unless another one was faster.
func (s *shard) keep(ctx context.Context, result *ShardResult) (_ *ShardResult, there bool, err error) {
	data, err := json.Marshal(result)
	if err != nil {
		return nil, false, err
	}
	name := resultObject(s.plan.RunID, result.Shard)
	if _, err := s.stage.Stat(ctx, path.Join(planDir(s.plan.RunID), planObject)); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			s.discard(ctx)
			err = errPlanGone
		}
		return nil, false, err
	}
	condition := objstore.IfAbsent
	for range 5 {
		_, err := s.stage.Put(ctx, name, data, condition)
		if !errors.Is(err, objstore.ErrPrecondition) {
			// Where the answer was lost, the result may be there: what it names must stay.
			return result, false, err
		}
		other, generation, err := readResult(ctx, s.stage, s.plan, s.digest, result.Shard)
		switch {
		case err != nil:
			return nil, false, err
		case other != nil && other.Stage == s.prefix: // ours after all
			return result, false, nil
		case other != nil:
			s.discard(ctx)
			return other, true, nil
		case generation == "":
			condition = objstore.IfAbsent
		default: // of another plan, or damaged
			condition = objstore.IfGeneration(generation)
		}
	}
	return nil, false, fmt.Errorf("%s: others keep replacing it", s.stage.URI(name))
}

// discard removes what an attempt has staged that does not count.
func (s *shard) discard(ctx context.Context) {
	if s.stage == nil {
		return
	}
	ctx, cancel := windUp(ctx)
	defer cancel()
	if err := s.stage.RemoveAll(ctx, s.prefix); err != nil {
		s.Log.Warn("what an attempt has staged could not be removed; it goes with its plan", "stage", s.stage.URI(s.prefix), "error", err)
	}
}

// rows returns the number of records in a shard.
func (p *Plan) rows(shard int) (n int64) {
	for _, part := range p.Shards[shard].Parts {
		n += p.piece(part).Rows
	}
	return n
}
