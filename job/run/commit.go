package run

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"assent/job"
	"assent/job/internal/objstore"
	"assent/job/internal/publish"
	"assent/job/internal/runpage"
	"assent/manifests"
	"assent/schema"
)

// commit adds up what the shards did, checks the gates, completes the staged run and
// publishes it. Nothing is published where it fails before its last step, which makes
// the run the current one.
func (r *runner) commit(ctx context.Context, lease *objstore.Lease, plan *planned, results []*ShardResult) (run *manifests.Run, current bool, err error) {
	run, daily, err := r.manifest(plan, results)
	if err != nil {
		return nil, false, err
	}
	tree, err := r.tree(ctx, &plan.Plan, results)
	if err != nil {
		return nil, false, err
	}
	if err := r.checkPinned(ctx, &plan.Plan); err != nil {
		return nil, false, err
	}
	if err := lease.Confirm(ctx); err != nil {
		return nil, false, err
	}
	digest, err := r.seal(ctx, run, daily, tree)
	if err != nil {
		return nil, false, err
	}
	seal := path.Join(planDir(run.RunID), sealDir)
	if err := r.out.Store.Promote(ctx, seal, publish.RunDir(run.RunID), publish.SuccessObject, tree); err != nil {
		return nil, false, err
	}
	if current, err = r.out.Point(ctx, run, digest); err != nil {
		return nil, false, fmt.Errorf("the run is published, but %s does not name it yet: %w", r.out.Store.URI(publish.CurrentObject), err)
	}
	r.Log.Info("published", "run", run.RunID, "current", current)
	return run, current, nil
}

// seal stages what speaks of the run as a whole: counts by day, manifest, report and
// marker. It completes the manifest and returns its digest.
func (r *runner) seal(ctx context.Context, run *manifests.Run, daily []manifests.DayCounts, tree map[string]objstore.Object) (digest string, err error) {
	put := func(name string, data []byte, failed error) (sha256 string) {
		if err == nil {
			err = failed
		}
		if err == nil {
			_, err = r.out.Store.Put(ctx, path.Join(planDir(run.RunID), sealDir, name), data, objstore.Any)
		}
		return manifests.SHA256(data)
	}
	data, failed := manifests.MarshalDaily(daily)
	run.Daily = manifests.Object{Path: manifests.DailyPath, Bytes: int64(len(data)), SHA256: put(manifests.DailyPath, data, failed)}
	documents, failed := r.documents(ctx, run, tree)
	if failed != nil {
		return "", failed
	}
	for _, d := range documents {
		run.Documents = append(run.Documents, manifests.Object{Path: d.Path, Bytes: int64(len(d.Data)), SHA256: put(d.Path, d.Data, nil)})
	}
	data, failed = run.Marshal() // checks conservation
	digest = put(publish.ManifestObject, data, failed)
	data, failed = runpage.Page(run, digest, daily) // checks conservation by day
	success := &manifests.Success{RunID: run.RunID, ManifestSHA256: digest, ReportSHA256: put(publish.ReportObject, data, failed)}
	data, failed = success.Marshal()
	put(publish.SuccessObject, data, failed)
	return digest, err
}

// manifest adds up the shards' results and checks the gates. Every file of the plan must
// be in exactly one of them.
func (r *runner) manifest(plan *planned, results []*ShardResult) (*manifests.Run, []manifests.DayCounts, error) {
	total, err := addUp(&plan.Plan, results)
	if err != nil {
		return nil, nil, err
	}
	gates, joins, err := checkGates(plan, total, r.key.NewReferrer())
	if err != nil {
		return nil, nil, err
	}
	for _, j := range joins {
		if j.Unregistered > 0 {
			r.Log.Warn("accounts of an input are in no record and not in the registry", "input", j.Role, "accounts", j.Unregistered, "of", j.IDs)
		}
	}
	for i := range total {
		r.warnLeftOut(&plan.Datasets[i], total[i].LeftOut)
	}
	run := &manifests.Run{
		SchemaVersion: manifests.SchemaVersion,
		RunID:         plan.RunID,
		Tool:          manifests.Tool{Name: "assent", Version: r.Version},
		Program:       manifests.Program{Name: plan.Program.Name, StartsAt: plan.Program.StartsAt.Time(), Default: plan.Program.Default.String()},
		ConsentAsOf:   plan.Horizon.Time(),
		PolicyDigest:  plan.PolicyDigest,
		Inputs:        plan.Inputs,
		Datasets:      map[string]manifests.Dataset{},
		Gates:         gates,
		Joins:         joins,
		Use:           map[string]manifests.Use{},
		Invocation:    manifests.Invocation{StartedAt: r.started.UTC(), FinishedAt: r.Now().UTC(), Workers: r.options.Workers},
	}
	if plan.RequestsAsOf != schema.Unknown {
		t := plan.RequestsAsOf.Time()
		run.RequestsAsOf = &t
	}
	var daily []manifests.DayCounts
	for i := range total {
		d, t := &plan.Datasets[i], &total[i]
		entry := manifests.Dataset{Category: d.Category.String(), Files: t.Files, Causes: t.Tally.causeCounts(d.RoleNames())}
		for _, f := range entry.Files {
			entry.RowsIn += f.RowsIn
			entry.RowsKept += f.RowsKept
			entry.RowsExcluded += f.ExcludedByReason.Total()
			entry.ExcludedByReason.Add(&f.ExcludedByReason)
		}
		run.Datasets[d.Name] = entry
		run.Use[d.Name] = manifests.Use{Audience: d.Category.Audience()}
		daily = append(daily, t.Tally.daily(d.Name)...)
	}
	slices.SortStableFunc(daily, func(a, b manifests.DayCounts) int { return cmp.Compare(a.Dataset, b.Dataset) })
	return run, daily, nil
}

// warnLeftOut says which keys of a data set's file metadata were left out. Neither keys nor files are named without end.
func (r *runner) warnLeftOut(d *Dataset, all []LeftOut) {
	if len(all) == 0 {
		return
	}
	const most = 20
	var keys, files []string
	for _, l := range all {
		keys = append(keys, job.Quote(l.Key))
		files = append(files, l.Files...)
	}
	slices.Sort(files)
	files = slices.Compact(files)
	r.Log.Warn("file metadata that may hold values of rows was left out, in whole or in part; metadata.keep of the data set carries a key over",
		"dataset", d.Name, "keys", strings.Join(keys[:min(most, len(keys))], ", "), "of_keys", len(keys),
		"files", strings.Join(files[:min(most, len(files))], ", "), "of_files", len(files))
}

// addUp returns the sum of the shards' results, with the files in the plan's order.
func addUp(plan *Plan, results []*ShardResult) ([]DatasetResult, error) {
	total := make([]DatasetResult, len(plan.Datasets))
	for i := range plan.Datasets {
		d, t := &plan.Datasets[i], &total[i]
		files := map[string]manifests.File{}
		for _, r := range results {
			if len(r.Datasets) != len(plan.Datasets) {
				return nil, fmt.Errorf("a shard's result has %d data sets, the plan %d", len(r.Datasets), len(plan.Datasets))
			}
			part := &r.Datasets[i]
			for _, f := range part.Files {
				if _, twice := files[f.Source]; twice {
					return nil, fmt.Errorf("%s: two shards worked on %s", d.Name, f.Source)
				}
				files[f.Source] = f
			}
			t.add(part)
		}
		for _, f := range d.Files {
			if f.Reuse != nil {
				files[f.Rel] = f.Reuse.Result.Files[0]
				t.add(&f.Reuse.Result)
			}
			done, ok := files[f.Rel]
			if !ok || done.RowsIn != f.Rows {
				return nil, fmt.Errorf("%s: %s: %d of %d rows were worked on", d.Name, f.Rel, done.RowsIn, f.Rows)
			}
			t.Files = append(t.Files, done)
		}
		if len(files) != len(d.Files) {
			return nil, fmt.Errorf("%s: the shards worked on %d files, the plan has %d", d.Name, len(files), len(d.Files))
		}
	}
	return total, nil
}
