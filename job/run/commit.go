package run

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"assent/job"
	"assent/job/internal/attest"
	"assent/job/internal/config"
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
	defer r.timed("commit")()
	// It is needed here alone: machines that do shards have no business with it.
	if r.signer, err = config.SigningKeyOf(plan.SigningFile, r.out.Store.URI("")); err != nil {
		return nil, false, err
	}
	sum, err := r.weigh(plan, results)
	if err != nil {
		return nil, false, err
	}
	found, err := r.lookAround(ctx, plan)
	if err != nil {
		return nil, false, err
	}
	tree, err := r.tree(ctx, &plan.Plan, results, sum.total, found.staged)
	if err != nil {
		return nil, false, err
	}
	run, daily := r.manifest(plan, sum)
	if err := lease.Confirm(ctx); err != nil {
		return nil, false, err
	}
	if err := r.keepForLater(ctx, plan, results, run, found.staged, tree); err != nil {
		return nil, false, err
	}
	run.Invocation.InputStamps, run.Invocation.InputLacks = found.notes.Stamps, found.notes.Lacks
	if run.Invocation.Since, err = r.since(ctx, &plan.Plan, run, tree); err != nil {
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

// around is what commit finds beside the shards' results.
type around struct {
	staged map[string]objstore.Object // by name below the output
	notes  noted
}

// lookAround checks that the inputs and what is taken over are as they were planned, and finds what was staged, at a time: each is a
// matter of some requests.
func (r *runner) lookAround(ctx context.Context, plan *planned) (found around, err error) {
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return r.checkPinned(gctx, &plan.Plan) })
	g.Go(func() error { return r.checkTaken(gctx, plan) })
	g.Go(func() (err error) {
		found.staged, err = objectsBelow(gctx, r.out.Store, path.Join(planDir(plan.RunID), stagedDir))
		return err
	})
	g.Go(func() (err error) {
		found.notes, err = r.readNotes(gctx, plan)
		return err
	})
	err = g.Wait()
	return found, err
}

// seal stages what speaks of the run as a whole: counts by day, manifest, report and
// marker. It completes the manifest and returns its digest.
func (r *runner) seal(ctx context.Context, run *manifests.Run, daily []manifests.DayCounts, tree map[string]objstore.Object) (digest string, err error) {
	g, gctx := errgroup.WithContext(ctx)
	defer func() { err = cmp.Or(g.Wait(), err) }()
	put := func(name string, data []byte, failed error) (sha256 string) {
		if err == nil {
			err = failed
		}
		if err == nil {
			g.Go(func() error {
				_, err := r.out.Store.Put(gctx, path.Join(planDir(run.RunID), sealDir, name), data, objstore.Any)
				return err
			})
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
	marker := put(publish.SuccessObject, data, failed)
	if r.signer != nil {
		data, failed = r.signature(ctx, run, map[string]string{publish.ManifestObject: digest, publish.ReportObject: success.ReportSHA256, publish.SuccessObject: marker})
		put(publish.SignedObject, data, failed)
	} else if err == nil { // of an attempt before, with a key
		err = r.out.Store.Delete(ctx, objstore.Object{Name: path.Join(planDir(run.RunID), sealDir, publish.SignedObject)})
	}
	return digest, err
}

// signature signs the digests of all objects of the run: those that the manifest names,
// and some more.
func (r *runner) signature(ctx context.Context, run *manifests.Run, more map[string]string) ([]byte, error) {
	var files []attest.Subject
	for _, o := range run.Objects() {
		files = append(files, attest.File(o.Path, o.SHA256))
	}
	for name, digest := range more {
		files = append(files, attest.File(name, digest))
	}
	slices.SortFunc(files, func(a, b attest.Subject) int { return strings.Compare(a.Name, b.Name) })
	return r.signer.Envelope(ctx, attest.RunPredicate, map[string]any{
		"run_id": run.RunID, "program": run.Program.Name, "consent_as_of": run.ConsentAsOf, "policy_digest": run.PolicyDigest,
	}, files)
}

// weighed is what became of all shards, after the gates have passed.
type weighed struct {
	total []*total // beside the plan's data sets
	gates []manifests.Gate
	joins []manifests.Join
}

// weigh adds up the shards' results and checks the gates. Every part of the plan must be in
// exactly one of them.
func (r *runner) weigh(plan *planned, results []*ShardResult) (*weighed, error) {
	total, err := addUp(&plan.Plan, plan.listing.Facts, results)
	if err != nil {
		return nil, err
	}
	gates, joins, err := checkGates(plan, total)
	r.seen.gates, r.seen.reused = gates, reused(&plan.Plan)
	if err != nil {
		return nil, err
	}
	for _, j := range joins {
		if j.Unregistered > 0 {
			r.Log.Warn("accounts of an input are in no record and not in the registry", "input", j.Role, "accounts", j.Unregistered, "of", j.IDs)
		}
	}
	for i := range total {
		r.warnLeftOut(&plan.Datasets[i], total[i].LeftOut)
	}
	return &weighed{total, gates, joins}, nil
}

// manifest is the run manifest but for the counts by day, which it returns.
func (r *runner) manifest(plan *planned, sum *weighed) (*manifests.Run, []manifests.DayCounts) {
	run := &manifests.Run{
		SchemaVersion: manifests.SchemaVersion,
		RunID:         plan.RunID,
		Tool:          manifests.Tool{Name: "assent", Version: r.Version},
		Program:       manifests.Program{Name: plan.Program.Name, StartsAt: plan.Program.StartsAt.Time(), Default: plan.Program.Default.String()},
		ConsentAsOf:   plan.Horizon.Time(),
		PolicyDigest:  plan.PolicyDigest,
		PseudonymKey:  plan.Pseudonyms,
		Inputs:        plan.Inputs,
		Datasets:      map[string]manifests.Dataset{},
		Gates:         sum.gates,
		Joins:         sum.joins,
		Use:           map[string]manifests.Use{},
		Invocation:    manifests.Invocation{StartedAt: r.started.UTC(), FinishedAt: r.Now().UTC(), Workers: r.options.Workers, ReusedFrom: plan.reusedFrom(), ReusedRowGroups: plan.reusedRowGroups(), Reused: plan.reused()},
	}
	if r.signer != nil {
		run.Invocation.SignedBy, _ = r.signer.KeyID()
	}
	if plan.RequestsAsOf != schema.Unknown {
		t := plan.RequestsAsOf.Time()
		run.RequestsAsOf = &t
	}
	var daily []manifests.DayCounts
	for i := range sum.total {
		d, t := &plan.Datasets[i], sum.total[i]
		entry := manifests.Dataset{Category: d.Category.String(), Files: t.Files, Causes: t.Tally.causeCounts(d.RoleNames())}
		for _, f := range entry.Files {
			entry.RowsIn += f.RowsIn
			entry.RowsKept += f.RowsKept
			entry.RowsExcluded += f.ExcludedByReason.Total()
			entry.ExcludedByReason.Add(&f.ExcludedByReason)
			entry.Transforms = manifests.AddTransforms(entry.Transforms, f.Transforms)
		}
		run.Datasets[d.Name] = entry
		run.Invocation.KeptAtOnce += t.KeptAtOnce
		run.Invocation.ExcludedAtOnce += t.ExcludedAtOnce
		run.Use[d.Name] = manifests.Use{Audience: d.Category.Audience()}
		daily = append(daily, t.Tally.daily(d.Name)...)
	}
	slices.SortStableFunc(daily, func(a, b manifests.DayCounts) int { return cmp.Compare(a.Dataset, b.Dataset) })
	return run, daily
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
