package run

import (
	"fmt"

	"assent/manifests"
)

// addUp returns the sum of the shards' results, with the files in the plan's order. What
// was cut has no sizes and digests yet.
func addUp(plan *Plan, results []*ShardResult) ([]DatasetResult, error) {
	total := make([]DatasetResult, len(plan.Datasets))
	for i := range total {
		total[i].Files = make([]manifests.File, len(plan.Datasets[i].Files))
	}
	done := map[Part]bool{}
	for _, r := range results {
		for part, f := range r.files(plan) {
			if done[part] {
				return nil, fmt.Errorf("%s: two shards worked on %s", plan.Datasets[part.Dataset].Name, f.Source)
			}
			done[part] = true
			addPiece(&total[part.Dataset].Files[part.File], f, plan.file(part).pieces() > 1)
		}
		for i := range total {
			total[i].add(&r.Datasets[i])
		}
	}
	for i := range plan.Datasets {
		d, t := &plan.Datasets[i], &total[i]
		for j := range d.Files {
			f, sum := &d.Files[j], &t.Files[j]
			if f.Reuse != nil {
				*sum = f.Reuse.Result.Files[0]
				t.add(&f.Reuse.Result)
			}
			if sum.Source != f.Rel || sum.RowsIn != f.Rows {
				return nil, fmt.Errorf("%s: %s: %d of %d rows were worked on", d.Name, f.Rel, sum.RowsIn, f.Rows)
			}
		}
	}
	return total, nil
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
		return
	}
	*sum = *f
	if cut {
		sum.Bytes, sum.ExclusionsBytes, sum.SubjectsBytes = 0, 0, 0
		sum.SHA256, sum.ExclusionsSHA256, sum.SubjectsSHA256 = "", "", ""
	}
}
