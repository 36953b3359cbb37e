package run

import (
	"fmt"

	"assent/filter"
	"assent/job/internal/source"
	"assent/manifests"
)

// total is what became of all shards' files of one data set. Files are the plan's.
type total struct {
	DatasetResult
	joins     []*source.Joined // one a role
	contracts *source.Joined
}

// newTotal returns the sum of no shards' results.
func newTotal(d *Dataset, x *filter.Facts) *total {
	t := &total{contracts: source.NewJoined(x.Restricted())}
	t.Files = make([]manifests.File, len(d.Files))
	for range d.Roles() {
		t.joins = append(t.joins, source.NewJoined(x.Accounts()))
	}
	return t
}

// add adds a shard's counts.
func (t *total) add(part *DatasetResult) error {
	if t.Tally == nil && part.Tally != nil {
		t.Tally = part.Tally.empty()
	}
	if len(part.Joins) != len(t.joins) {
		return fmt.Errorf("a shard's result has %d roles, the plan %d", len(part.Joins), len(t.joins))
	}
	if part.Tally != nil { // else the first shard's has it
		t.Tally.add(part.Tally)
	}
	for i := range part.Joins {
		if err := t.joins[i].Add(&part.Joins[i]); err != nil {
			return err
		}
	}
	if err := t.contracts.Add(&part.Contracts); err != nil {
		return err
	}
	t.KeptAtOnce += part.KeptAtOnce
	t.ExcludedAtOnce += part.ExcludedAtOnce
	t.Near.Add(&part.Near)
	t.NearContracts.Add(&part.NearContracts)
	for _, l := range part.LeftOut {
		t.leaveOut(l.Key, l.Files...)
	}
	return nil
}

// addUp returns the sum of the shards' results, with the files in the plan's order. What
// was cut has no sizes and digests yet.
func addUp(plan *Plan, x *filter.Facts, results []*ShardResult) ([]*total, error) {
	sums := make([]*total, len(plan.Datasets))
	for i := range sums {
		sums[i] = newTotal(&plan.Datasets[i], x)
	}
	done := map[Part]bool{}
	for _, r := range results {
		for part, f := range r.files(plan) {
			if done[part] {
				return nil, fmt.Errorf("%s: two shards worked on %s", plan.Datasets[part.Dataset].Name, f.Source)
			}
			done[part] = true
			addPiece(&sums[part.Dataset].Files[part.File], f, plan.file(part).pieces() > 1)
		}
		for i, t := range sums {
			if err := t.add(&r.Datasets[i]); err != nil {
				return nil, fmt.Errorf("%s: shard %d: %w", plan.Datasets[i].Name, r.Shard, err)
			}
		}
	}
	for i := range plan.Datasets {
		d, t := &plan.Datasets[i], sums[i]
		if d.Reuse != nil {
			if err := t.add(&d.Reuse.Result); err != nil {
				return nil, fmt.Errorf("%s: what is taken over: %w", d.Name, err)
			}
		}
		taken := d.taken()
		for j := range d.Files {
			f, sum := &d.Files[j], &t.Files[j]
			if was := taken[f.Rel]; was != nil {
				*sum = *was
			}
			if sum.Source != f.Rel || sum.RowsIn != f.Rows {
				return nil, fmt.Errorf("%s: %s: %d of %d rows were worked on", d.Name, f.Rel, sum.RowsIn, f.Rows)
			}
		}
	}
	return sums, nil
}

// addPiece adds what became of a part of a file.
func addPiece(sum, f *manifests.File, cut bool) {
	if sum.Source != "" {
		sum.RowsIn += f.RowsIn
		sum.RowsKept += f.RowsKept
		sum.ExcludedByReason.Add(&f.ExcludedByReason)
		sum.Pages.Copied += f.Pages.Copied
		sum.Pages.Filtered += f.Pages.Filtered
		sum.Pages.Dropped += f.Pages.Dropped
		sum.Transforms = manifests.AddTransforms(sum.Transforms, f.Transforms)
		return
	}
	*sum = *f
	sum.Transforms = manifests.AddTransforms(nil, f.Transforms) // a copy, to which other parts are added
	if cut {
		sum.Bytes, sum.ExclusionsBytes, sum.SubjectsBytes = 0, 0, 0
		sum.SHA256, sum.ExclusionsSHA256, sum.SubjectsSHA256 = "", "", ""
	}
}
