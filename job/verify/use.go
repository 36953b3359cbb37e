package verify

import (
	"context"
	"maps"
	"slices"
	"strings"

	"assent/job"
	"assent/job/internal/publish"
	"assent/manifests"
)

// Words of Options.Use. The first is also an audience in the run manifest.
const (
	useMarketplace = "marketplace"
	useAccount     = "account:"
)

const hintUse = "train on data sets that the use may have, by --dataset; for the models of an account make its training set with `assent scope`"

func (o *Options) validateUse() error {
	account, ofAccount := strings.CutPrefix(o.Use, useAccount)
	switch {
	case o.Use == "" && len(o.Datasets) > 0:
		return job.UsageError("", "--dataset says what is used: say what for with --use")
	case o.Use == "", o.Use == useMarketplace:
		return nil
	case !ofAccount || account == "":
		return job.UsageError("nothing of a run may train models of third parties", "--use is neither marketplace nor account:ID")
	case o.Config == "":
		return job.UsageError("a run names accounts by references, which take the key to make", "--use account:ID needs a configuration: name it with -c")
	}
	return nil
}

// use is what a run is going to be used for.
type use struct {
	account map[manifests.Ref]bool // whose models; nil: everyone's
	parties map[string][]string    // roles of parties, by data set
}

// findUse makes the references of the account that is to use the run: of each of its ids.
func (a *audit) findUse(ctx context.Context) error {
	id, ok := strings.CutPrefix(a.o.Use, useAccount)
	if !ok {
		return nil
	}
	ids := map[string]bool{id: true}
	if a.cfg.Aliases != nil {
		aliases, err := a.readAliases(ctx)
		if err != nil {
			return err
		}
		ids = withAliases(ids, aliases)
	}
	refs := referencer{key: a.key}
	a.use = use{account: map[manifests.Ref]bool{}, parties: map[string][]string{}}
	for id := range ids {
		a.use.account[refs.ref(id)] = true
	}
	for _, d := range a.cfg.Datasets {
		for _, p := range d.Parties {
			a.use.parties[d.Name] = append(a.use.parties[d.Name], p.Name)
		}
	}
	return nil
}

// owns reports whether an entry of a subject index says that the account is a party to kept rows.
func (u *use) owns(dataset string, e *manifests.SubjectRows) bool {
	return e.Kept && u.account[e.Ref] && slices.ContainsFunc(e.Roles, func(r string) bool { return slices.Contains(u.parties[dataset], r) })
}

// checkUse checks that the run may be used for what it is to be used for. Data that is exclusive to the accounts concerned may
// train models of an account that is a party to every record of it, and no others.
func (a *audit) checkUse() error {
	if a.o.Use == "" {
		return nil
	}
	if a.found.none() { // else something worse is to be said
		a.hint = hintUse
	}
	names := a.o.Datasets
	if len(names) == 0 {
		names = slices.Sorted(maps.Keys(a.run.Datasets))
	}
	for _, name := range names {
		d, ok := a.run.Datasets[name]
		if !ok {
			return job.UsageError("it has "+strings.Join(slices.Sorted(maps.Keys(a.run.Datasets)), ", "), "the run has no data set %q", name)
		}
		permitted := a.run.Use[name]
		switch {
		case permitted.Audience == useMarketplace: // everyone, the account too
		case a.use.account == nil:
			a.found.of(publish.ManifestObject, "use: %s is %s to the accounts concerned: it may not train models for the marketplace", name, permitted.Audience)
		default:
			own := int64(0)
			for i := range d.Files {
				own += a.own[d.Files[i].Subjects]
			}
			if own != d.RowsKept {
				a.found.of(publish.ManifestObject, "use: %s is %s to the accounts concerned: the account is a party to %d of its %d records", name, permitted.Audience, own, d.RowsKept)
			}
		}
	}
	return nil
}
