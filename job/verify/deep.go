package verify

import (
	"context"
	"maps"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"assent/filter"
	"assent/job"
	"assent/job/internal/publish"
	"assent/manifests"
	"assent/schema"
)

// checkAgainstInputs compares the run with its inputs: first that these, and the rules,
// are the run's, then every file.
func (a *audit) checkAgainstInputs(ctx context.Context) error {
	in, err := a.findInputs(ctx)
	if err != nil {
		return err
	}
	for _, step := range []struct {
		check func(ctx context.Context, in *inputs) (differences, error)
		hint  string // where it finds something, which ends the audit
	}{
		{a.compareInputs, hintInputs},
		{a.look, hintDiffers},
		{a.checkRules, hintRules},
	} {
		found, err := step.check(ctx, in)
		a.found.merge(&found)
		if err != nil {
			return err
		}
		if !found.none() {
			a.hint = step.hint
			return nil
		}
	}
	tasks, found := a.pairFiles(in)
	a.found.merge(&found)
	if !found.none() {
		return nil
	}
	return a.found.unreadable(a.checkFiles(ctx, in, tasks))
}

// checkRules checks that the configuration is the run's, as far as decisions depend on
// it. Where all else is the same, a run's id that differs tells that the key of the
// references does, as it is the one thing left.
func (a *audit) checkRules(_ context.Context, in *inputs) (found differences, err error) {
	differ := func(what string, got, want any) {
		if got != want {
			found.of(publish.ManifestObject, "%s: the configuration has %v, the run %v", what, got, want)
		}
	}
	run := a.run
	differ("program.starts_at", a.cfg.Program.StartsAt, schema.FromTime(run.Program.StartsAt))
	differ("program.default", a.cfg.Program.Default.String(), run.Program.Default)
	if horizon := a.horizonNamed(in); horizon != schema.Unknown { // else it is the newest event's; see checkMoments
		differ("the consent horizon", horizon, schema.FromTime(run.ConsentAsOf))
	}
	differ("the key of pseudonyms", a.cfg.Pseudonyms, run.PseudonymKey)
	if a.cfg.Digest() != run.PolicyDigest {
		found.of(publish.ManifestObject, "policy_digest: the configuration's rules are not those of the run")
	}
	for _, d := range in.datasets {
		differ("the category of "+d.Name, d.Category.String(), run.Datasets[d.Name].Category)
	}
	if len(in.datasets) != len(run.Datasets) {
		found.of(publish.ManifestObject, "the run has %d data sets, the configuration %d", len(run.Datasets), len(in.datasets))
	}
	if found.none() && !run.MadeUnder(a.key) {
		found.of(publish.ManifestObject, "run_id: the same inputs, rules and horizon give another: the subject key is not the run's")
	}
	return found, nil
}

// horizonNamed is the configured horizon, else the earliest one that the consent files
// name; schema.Unknown where not all of them name one.
func (a *audit) horizonNamed(in *inputs) schema.Instant {
	if a.cfg.Consent.AsOf != schema.Unknown {
		return a.cfg.Consent.AsOf
	}
	if len(in.consent) == 0 {
		return schema.Unknown
	}
	least := schema.Forever
	for _, f := range in.consent {
		least = min(least, f.asOf) // Unknown is the least
	}
	return least
}

// pairFiles pairs each file of the data sets with its entry in the run manifest.
func (a *audit) pairFiles(in *inputs) (tasks []*fileAudit, found differences) {
	bit, contacts := 0, newContacts()
	for _, d := range in.datasets {
		entries := map[string]*manifests.File{}
		files := a.run.Datasets[d.Name].Files
		for i := range files {
			entries[files[i].Source] = &files[i]
		}
		for _, f := range d.files {
			m := entries[f.rel]
			if m == nil {
				found.of(f.path, "the run manifest has no entry for the input")
				continue
			}
			delete(entries, f.rel)
			tasks = append(tasks, &fileAudit{published: &a.published, d: d, f: f, m: m, bit: bit, pseudonyms: a.pseudonyms, contacts: contacts})
		}
		for _, source := range slices.Sorted(maps.Keys(entries)) {
			found.of(entries[source].Output, "there is no such input")
		}
		bit += len(d.Parties)
	}
	return tasks, found
}

// checkFiles works through the files batch by batch: as many as name so many accounts
// that their facts may be in memory together.
func (a *audit) checkFiles(ctx context.Context, in *inputs, tasks []*fileAudit) error {
	bar := a.Progress.Start(in.rows())
	defer bar.Stop()
	recounts := map[string]*recount{}
	for _, d := range in.datasets {
		recounts[d.Name] = newRecount()
	}
	for done := 0; done < len(tasks) || done == 0; {
		w := newFacts()
		batch, complete, err := a.gather(ctx, tasks[done:], w)
		if err != nil {
			return err
		}
		first, whole := done == 0, complete && len(batch) == len(tasks)
		count := 0
		if whole {
			count = a.o.Accounts
		}
		found, err := a.load(ctx, in, w, count)
		if first {
			a.found.merge(&found) // the next batches find the same
		}
		if err != nil {
			return err
		}
		if w.world.Policy, err = a.policy(in, w.newest); err != nil {
			return err
		}
		if first {
			a.checkMoments(w)
		}
		a.limitMemory()
		if err := a.checkBatch(ctx, batch, w, recounts, bar); err != nil {
			return err
		}
		if first {
			a.checkGates(in, w, whole)
		}
		if done += len(batch); len(tasks) == 0 {
			break
		}
	}
	for _, d := range in.datasets {
		a.compareCounts(d.Name, recounts[d.Name])
	}
	return nil
}

// gather takes files for the next batch, and the accounts and contracts that they name.
// It is not complete if some file could not be read.
func (a *audit) gather(ctx context.Context, tasks []*fileAudit, w *facts) (batch []*fileAudit, complete bool, err error) {
	var told differences // once more, when the file is checked
	for i, t := range tasks {
		if i > 0 && len(w.accounts)+len(w.contracts) >= a.o.Accounts {
			break
		}
		if err := told.unreadable(t.gather(ctx, w)); err != nil {
			return nil, false, err
		}
		batch = append(batch, t)
	}
	refs := referencer{key: a.key}
	for id, known := range w.accounts {
		known.ref = refs.ref(id)
	}
	return batch, told.none(), nil
}

// policy returns the programme's rules. The horizon is the newest event's where nothing
// names one.
func (a *audit) policy(in *inputs, newest schema.Instant) (filter.Policy, error) {
	horizon := a.horizonNamed(in)
	if horizon == schema.Unknown {
		horizon = newest
	}
	if horizon == schema.Unknown {
		return filter.Policy{}, job.UsageError("say inputs.consent.as_of: up to when the consent history is complete", "%s: the consent horizon is not known", a.cfg.File)
	}
	return filter.Policy{Start: a.cfg.Program.StartsAt, Horizon: horizon, Default: a.cfg.Program.Default}, nil
}

func (a *audit) checkBatch(ctx context.Context, tasks []*fileAudit, w *facts, recounts map[string]*recount, bar job.Bar) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(a.o.Workers)
	var mu sync.Mutex // of recounts
	for _, t := range tasks {
		g.Go(func() error {
			err := t.check(gctx, w)
			bar.Add(t.m.RowsIn)
			mu.Lock()
			defer mu.Unlock()
			recounts[t.d.Name].add(t.recount)
			t.recount = nil
			return err
		})
	}
	err := g.Wait()
	for _, t := range tasks {
		a.found.merge(&t.found)
		a.checked.add(&t.checked)
	}
	return err
}

// checkMoments checks the instants that the run took from the history.
func (a *audit) checkMoments(w *facts) {
	if horizon, want := w.world.Policy.Horizon, schema.FromTime(a.run.ConsentAsOf); horizon != want {
		a.found.of(publish.ManifestObject, "consent_as_of: the newest event is at %s, the run has %s", horizon, want)
	}
	got := schema.Unknown
	if a.run.RequestsAsOf != nil {
		got = schema.FromTime(*a.run.RequestsAsOf)
	}
	if got != w.newestRequest {
		a.found.of(publish.ManifestObject, "requests_as_of: the newest deletion request is at %s, the run has %s", w.newestRequest, got)
	}
}
