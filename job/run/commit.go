package run

import (
	"context"
	"path"
	"slices"
	"strings"
	"time"

	"assent/job/internal/objstore"
	"assent/job/internal/publish"
	"assent/job/internal/runpage"
	"assent/job/internal/source"
	"assent/manifests"
	"assent/schema"
)

// commit seals the staged run and publishes it: counts by day, manifest, report,
// marker, promotion. The stage below prefix holds everything else. It completes the
// manifest.
func commit(ctx context.Context, p *publish.Output, run *manifests.Run, daily []manifests.DayCounts, prefix string) (digest string, err error) {
	put := func(name string, data []byte, failed error) (sha256 string) {
		if err == nil {
			err = failed
		}
		if err == nil {
			_, err = p.Store.Put(ctx, path.Join(prefix, name), data, objstore.Any)
		}
		return manifests.SHA256(data)
	}
	data, failed := manifests.MarshalDaily(daily)
	run.Daily = manifests.Object{Path: manifests.DailyPath, Bytes: int64(len(data)), SHA256: put(manifests.DailyPath, data, failed)}
	data, failed = run.Marshal() // checks conservation
	digest = put(publish.ManifestObject, data, failed)
	data, failed = runpage.Page(run, digest, daily) // checks conservation by day
	sealed := &manifests.Success{RunID: run.RunID, ManifestSHA256: digest, ReportSHA256: put(publish.ReportObject, data, failed)}
	data, failed = sealed.Marshal()
	put(publish.SuccessObject, data, failed)
	if err != nil {
		return "", err
	}
	return digest, p.Store.Promote(ctx, prefix, publish.RunDir(run.RunID), publish.SuccessObject)
}

// manifest puts the run manifest together.
func manifest(p *source.Plan, out *outcome, gates []manifests.Gate, requestsAsOf schema.Instant, version string, started time.Time, workers int) *manifests.Run {
	cfg := p.Config
	run := &manifests.Run{
		SchemaVersion: manifests.SchemaVersion,
		RunID:         p.RunID,
		Tool:          manifests.Tool{Name: "assent", Version: version},
		Program:       manifests.Program{Name: cfg.Program.Name, StartsAt: cfg.Program.StartsAt.Time(), Default: cfg.Program.Default.String()},
		ConsentAsOf:   p.Horizon.Time(),
		PolicyDigest:  p.Digest,
		Inputs:        p.Inputs(),
		Datasets:      map[string]manifests.Dataset{},
		Gates:         gates,
		Use:           map[string]manifests.Use{},
		Invocation:    manifests.Invocation{StartedAt: started.UTC(), FinishedAt: time.Now().UTC(), Workers: workers},
	}
	if requestsAsOf != schema.Unknown {
		t := requestsAsOf.Time()
		run.RequestsAsOf = &t
	}
	for i, d := range out.datasets {
		entry := manifests.Dataset{Category: d.Category.String(), Files: out.files[i], Causes: d.tally.causeCounts(d.RoleNames())}
		for _, f := range entry.Files {
			entry.RowsIn += f.RowsIn
			entry.RowsKept += f.RowsKept
			entry.RowsExcluded += f.ExcludedByReason.Total()
			entry.ExcludedByReason.Add(&f.ExcludedByReason)
		}
		run.Datasets[d.Name] = entry
		run.Use[d.Name] = manifests.Use{Audience: d.Category.Audience()}
	}
	return run
}

// daily returns the counts by day of all data sets.
func (o *outcome) daily() []manifests.DayCounts {
	var daily []manifests.DayCounts
	for _, d := range slices.SortedFunc(slices.Values(o.datasets), func(a, b *dataset) int { return strings.Compare(a.Name, b.Name) }) {
		daily = append(daily, d.tally.daily(d.Name)...)
	}
	return daily
}
