package verify

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"assent/job"
	"assent/job/internal/objstore"
	"assent/job/internal/publish"
	"assent/job/internal/source"
	"assent/job/internal/source/listing"
	"assent/manifests"
	"assent/schema"
)

// inputKey names an input in the run manifest.
type inputKey struct{ role, dataset, path string }

func (k inputKey) String() string { return k.path }

// deep compares the run with its inputs.
func (a *audit) deep(ctx context.Context) error {
	before := a.found.count
	identities, err := a.checkInputs(ctx)
	if err != nil || a.found.count > before {
		a.hint = "an audit speaks of a run only beside the inputs that it was made from, as they were; details are on stdout"
		return err
	}
	p := &source.Planner{Cfg: a.cfg, Opener: a.Opener, Log: a.Log, Limit: max(4, a.o.Workers), Quick: true}
	plan, err := p.Inputs(ctx)
	if err != nil {
		return err
	}
	each(plan, func(k inputKey, f *source.File) { f.Identity = identities[k] })
	if a.checkRules(plan); a.found.count > before {
		a.hint = "name the configuration, the --set assignments and the key with which the run was made; details are on stdout"
		return nil
	}
	a.checkRowsIn(plan)
	tasks := a.tasks(plan)
	if a.found.count > before {
		return nil // other files than the inputs: each was told
	}
	err = a.checkFiles(ctx, plan, tasks)
	if isUnreadable(err) {
		return nil // was told
	}
	return err
}

// each calls f for every input of a plan.
func each(p *source.Inputs, f func(k inputKey, file *source.File)) {
	for _, in := range []*source.Input{&p.Consent, &p.Deletion, &p.Restrict, &p.Accounts} {
		for _, file := range in.Files {
			f(inputKey{role: in.Role, path: in.Root + file.Rel}, file)
		}
	}
	for _, d := range p.Datasets {
		for _, file := range d.Files {
			f(inputKey{dataset: d.Name, path: d.Root + file.Rel}, file)
		}
	}
}

// checkInputs finds the inputs and compares their identities with the run manifest's.
// It opens none of them, so that one which is no longer a Parquet file is reported
// as what it is: changed.
func (a *audit) checkInputs(ctx context.Context) (map[inputKey]string, error) {
	files, err := a.findInputs(ctx)
	if err != nil {
		return nil, err
	}
	identities := make(map[inputKey]string, len(files))
	named := map[inputKey]bool{}
	wrong := make([]string, len(a.run.Inputs))
	got := make([]string, len(a.run.Inputs))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(a.o.Workers)
	for i := range a.run.Inputs {
		in := &a.run.Inputs[i]
		k := inputKey{in.Role, in.Dataset, in.Path}
		named[k] = true
		f := files[k]
		switch {
		case f == nil:
			wrong[i] = "the input is gone"
			continue
		case f.Size != in.Bytes:
			wrong[i] = fmt.Sprintf("the input has changed since the run: %d bytes, then %d", f.Size, in.Bytes)
			continue
		}
		g.Go(func() (err error) {
			if got[i], err = f.Store.Identity(gctx, f.Object); err == nil && got[i] != in.Identity {
				wrong[i] = fmt.Sprintf("the input has changed since the run: %s, then %s", got[i], in.Identity)
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	for i, in := range a.run.Inputs {
		if wrong[i] != "" {
			a.found.of(in.Path, "%s", wrong[i])
		}
		identities[inputKey{in.Role, in.Dataset, in.Path}] = got[i]
	}
	for _, k := range slices.SortedFunc(maps.Keys(files), func(x, y inputKey) int { return strings.Compare(x.path, y.path) }) {
		if !named[k] {
			a.found.of(k.path, "the run knows no such input")
		}
	}
	a.checked.Inputs = int64(len(a.run.Inputs))
	return identities, nil
}

// findInputs lists what the configuration names as inputs.
func (a *audit) findInputs(ctx context.Context) (map[inputKey]*source.File, error) {
	p := &source.Planner{Cfg: a.cfg, Opener: a.Opener, Log: a.Log}
	files := map[inputKey]*source.File{}
	find := func(role, dataset, path string) error {
		in, err := p.Resolve(ctx, role, path)
		if errors.Is(err, objstore.ErrNotExist) || errors.Is(err, listing.ErrNoInput) {
			return nil // whatever the run had there is gone
		}
		for _, f := range in.Files {
			files[inputKey{role, dataset, in.Root + f.Rel}] = f
		}
		return err
	}
	err := find("consent", "", a.cfg.Consent.Path)
	if c := a.cfg.Deletions; c != nil && err == nil {
		err = find("deletions", "", c.Path)
	}
	if c := a.cfg.Restrictions; c != nil && err == nil {
		err = find("restrictions", "", c.Path)
	}
	if c := a.cfg.Accounts; c != nil && err == nil {
		err = find("accounts", "", c.Path)
	}
	for _, d := range a.cfg.Datasets {
		if err == nil {
			err = find("", d.Name, d.Path)
		}
	}
	return files, err
}

// checkRules checks that the configuration is the run's, as far as decisions depend
// on it, and works out the run's id anew. Where all else is the same, an id that
// differs tells that the key of the references does, as it is the one thing left.
func (a *audit) checkRules(p *source.Inputs) {
	before := a.found.count
	differ := func(what string, got, want any) {
		if got != want {
			a.found.of(publish.ManifestObject, "%s: the configuration has %v, the run %v", what, got, want)
		}
	}
	run := a.run
	differ("program.starts_at", a.cfg.Program.StartsAt, schema.FromTime(run.Program.StartsAt))
	differ("program.default", a.cfg.Program.Default.String(), run.Program.Default)
	horizon := schema.FromTime(run.ConsentAsOf)
	if p.AsOf != schema.Unknown { // else it is the newest event's; see checkFiles
		differ("the consent horizon", p.AsOf, horizon)
	}
	if a.cfg.Digest() != run.PolicyDigest {
		a.found.of(publish.ManifestObject, "policy_digest: the configuration's rules are not those of the run")
	}
	for _, d := range p.Datasets {
		differ("the category of "+d.Name, d.Category.String(), run.Datasets[d.Name].Category)
	}
	if len(p.Datasets) != len(run.Datasets) {
		a.found.of(publish.ManifestObject, "the run has %d data sets, the configuration %d", len(run.Datasets), len(p.Datasets))
	}
	if a.found.count > before {
		return
	}
	if id := manifests.RunID(a.cfg.Digest(), run.ConsentAsOf, p.List(), a.key); id != run.RunID {
		a.found.of(publish.ManifestObject, "run_id: the same inputs, rules and horizon give %s: the subject key is not the run's", id)
	}
}

func (a *audit) checkRowsIn(p *source.Inputs) {
	rows := map[inputKey]int64{}
	for _, in := range a.run.Inputs {
		rows[inputKey{in.Role, in.Dataset, in.Path}] = in.Rows
	}
	each(p, func(k inputKey, f *source.File) {
		if f.Rows != rows[k] {
			a.found.of(k.path, "%d rows, the run manifest has %d", f.Rows, rows[k])
		}
	})
}

// tasks pairs each file of the data sets with its entry in the run manifest.
func (a *audit) tasks(p *source.Inputs) []*fileAudit {
	var tasks []*fileAudit
	bit := 0
	for _, d := range p.Datasets {
		entries := map[string]*manifests.File{}
		files := a.run.Datasets[d.Name].Files
		for i := range files {
			entries[files[i].Source] = &files[i]
		}
		for _, f := range d.Files {
			m := entries[f.Rel]
			if m == nil {
				a.found.of(d.Root+f.Rel, "the run manifest has no entry for the input")
				continue
			}
			delete(entries, f.Rel)
			tasks = append(tasks, &fileAudit{audit: a, d: d, f: f, m: m, bit: bit})
		}
		for _, source := range slices.Sorted(maps.Keys(entries)) {
			a.found.of(entries[source].Output, "there is no such input")
		}
		bit += len(d.Parties)
	}
	return tasks
}

// checkFiles works through the files batch by batch: as many as name so many accounts
// that their facts may be in memory together.
func (a *audit) checkFiles(ctx context.Context, p *source.Inputs, tasks []*fileAudit) error {
	bar := a.Progress.Start(p.Records())
	defer bar.Stop()
	recounts := map[string]*recount{}
	for _, d := range p.Datasets {
		recounts[d.Name] = newRecount()
	}
	for next := 0; next < len(tasks) || next == 0; {
		w := newFacts()
		first := next
		for next < len(tasks) && (next == first || len(w.accounts)+len(w.contracts) < a.o.Accounts) {
			if err := tasks[next].gather(ctx, w); err != nil {
				return err
			}
			next++
		}
		whole := first == 0 && next == len(tasks)
		refs := referencer{key: a.key}
		for _, known := range w.accounts {
			known.ref = refs.ref(known.id)
		}
		told := a.found
		if err := a.load(ctx, p, w, whole); err != nil {
			return err
		}
		if first > 0 {
			a.found = told // the first reading has told what is wrong with the history
		}
		horizon, err := p.Horizon(w.newest)
		if err != nil {
			return err
		}
		w.world.Policy = p.Policy(horizon)
		if first == 0 {
			a.checkMoments(w, horizon)
		}
		if err := a.checkBatch(ctx, tasks[first:next], w, bar); err != nil {
			return err
		}
		for _, t := range tasks[first:next] {
			recounts[t.d.Name].add(t.again)
		}
		if first == 0 {
			a.checkGates(p, w, whole)
		}
		if len(tasks) == 0 {
			break
		}
	}
	for _, d := range p.Datasets {
		a.compareCounts(d.Name, recounts[d.Name])
	}
	return nil
}

func (a *audit) checkBatch(ctx context.Context, tasks []*fileAudit, w *facts, bar job.Bar) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(a.o.Workers)
	for _, t := range tasks {
		g.Go(func() error {
			err := t.check(gctx, w)
			bar.Add(t.m.RowsIn)
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
func (a *audit) checkMoments(w *facts, horizon schema.Instant) {
	if want := schema.FromTime(a.run.ConsentAsOf); horizon != want {
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

// checkGates checks the gates' figures. Those of accounts can be counted again where
// all accounts were in memory at once (whole); the run counts beyond distinctExact
// by an estimate, so there the audit allows for what that may be off.
func (a *audit) checkGates(p *source.Inputs, w *facts, whole bool) {
	limits := map[string]float64{
		manifests.GateAccountMatch: a.cfg.Gates.MinAccountMatch, manifests.GateMaxExcluded: a.cfg.Gates.MaxExcluded, manifests.GateHorizonAge: a.cfg.Gates.MaxHorizonAge.Seconds(),
	}
	wanted := map[string]bool{manifests.GateHorizonAge + "//": true, manifests.GateAccountMatch + "//": true}
	for _, d := range p.Datasets {
		wanted[manifests.GateMaxExcluded+"/"+d.Name+"/"] = true
	}
	bit := map[string]int{}
	for _, d := range p.Datasets {
		for _, r := range d.Parties {
			bit[d.Name+"/"+r.Name] = len(bit)
		}
	}
	for _, g := range a.run.Gates {
		name := g.Name + "/" + g.Dataset + "/" + g.Role
		delete(wanted, name)
		if g.Limit != limits[g.Name] {
			a.found.of(publish.ManifestObject, "gate %s: its limit is %g, the configuration has %g", strings.TrimRight(name, "/"), g.Limit, limits[g.Name])
		}
		var want *float64
		tolerance := 0.0
		switch {
		case g.Name == manifests.GateMaxExcluded:
			d := a.run.Datasets[g.Dataset]
			share := float64(d.RowsExcluded) / float64(max(d.RowsIn, 1))
			want = &share
		case g.Name == manifests.GateAccountMatch && whole && len(bit) <= 64:
			roles := ^uint64(0)
			if g.Role != "" {
				roles = 1 << bit[g.Dataset+"/"+g.Role]
			}
			want, tolerance = w.match(roles)
		default:
			continue
		}
		if (want == nil) != (g.Value == nil) || want != nil && math.Abs(*want-*g.Value) > tolerance**want {
			a.found.of(publish.ManifestObject, "gate %s: its value is not what the inputs give", strings.TrimRight(name, "/"))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		a.found.of(publish.ManifestObject, "gate %s is missing", strings.TrimRight(name, "/"))
	}
}

// match returns the share of accounts in both the history and the data, under any of
// some party roles, of the smaller of the two sets; nil where one is empty. The
// tolerance is relative.
func (w *facts) match(roles uint64) (share *float64, tolerance float64) {
	parties, matched, history := 0, 0, len(w.history)
	for _, known := range w.accounts {
		if known.inHistory {
			history++
		}
		if known.parties&roles != 0 {
			parties++
			if known.inHistory {
				matched++
			}
		}
	}
	smaller := min(parties, history)
	if smaller == 0 {
		return nil, 0
	}
	if parties-matched >= source.DistinctExact {
		tolerance = 0.1
	}
	s := float64(matched) / float64(smaller)
	return &s, tolerance
}
