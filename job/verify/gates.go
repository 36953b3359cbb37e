package verify

import (
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"

	"assent/job/internal/publish"
	"assent/manifests"
)

// idCount counts distinct ids of a control input. Those that the data names are in the
// facts; of the others only hashes are kept, and no more than most.
type idCount struct {
	matched int // named by the data
	others  map[uint64]bool
	most    int // 0: nothing is counted
}

func (c *idCount) other(id []byte) {
	if len(c.others) <= c.most {
		c.others[xxhash.Sum64(id)] = true
	}
}

// all returns how many ids there are; exact tells whether there may be more.
func (c *idCount) all() (n int, exact bool) {
	return c.matched + len(c.others), len(c.others) <= c.most
}

// share returns which part of the smaller set, of these ids and of so many that the data
// names, is in both: nil where one of the sets is empty. It is known unless there are
// more ids than were counted.
func (c *idCount) share(named int) (share *float64, known bool) {
	all, exact := c.all()
	smaller := min(all, named)
	if smaller == 0 {
		return nil, exact
	}
	s := float64(c.matched) / float64(smaller)
	return &s, exact || all >= named
}

// countedExactly is up to how many distinct ids of the data the run counts exactly, beside
// accounts that are in the consent history and restricted contracts. Beyond that it
// estimates, by up to some percent.
const countedExactly = 4096

// tolerance is what a share may be off, relatively, where the data names so many ids, of
// which the run has counted so many exactly in any case.
func tolerance(named, exactly int) float64 {
	if named-exactly >= countedExactly {
		return 0.1
	}
	return 0
}

// gateName is a gate as it is told.
func gateName(g manifests.Gate) string {
	return strings.TrimRight(g.Name+"/"+g.Dataset+"/"+g.Role, "/")
}

// checkGates checks the gates' limits and figures, and the figures of joins. Those of ids
// can be counted again where all accounts were in memory at once (whole).
func (a *audit) checkGates(in *inputs, w *facts, whole bool) {
	cfg := &a.cfg.Gates
	limits := map[string]float64{
		manifests.GateAccountMatch: cfg.MinAccountMatch, manifests.GateMaxExcluded: cfg.MaxExcluded, manifests.GateHorizonAge: cfg.MaxHorizonAge.Seconds(),
		manifests.GateDeletionMatch: cfg.MinDeletionMatch, manifests.GateRestrictionMatch: cfg.MinRestrictionMatch,
		manifests.GateRegistryMatch: cfg.MinRegistryMatch, manifests.GateNearMisses: float64(cfg.MaxNearMisses),
		manifests.GateAliasMatch: cfg.AliasMatch(), manifests.GateOrganisationMatch: cfg.OrganisationMatch(),
	}
	missing := map[string]bool{manifests.GateHorizonAge: true, manifests.GateAccountMatch: true, manifests.GateNearMisses: true}
	for role, gate := range gatesByRole {
		if len(in.control(role)) > 0 {
			missing[gate] = true
		}
	}
	for _, d := range in.datasets {
		missing[manifests.GateMaxExcluded+"/"+d.Name] = true
	}
	differ := func(format string, args ...any) { a.found.of(publish.ManifestObject, format, args...) }
	for _, g := range a.run.Gates {
		delete(missing, gateName(g))
		if g.Limit != limits[g.Name] {
			differ("gate %s: its limit is %g, the configuration has %g", gateName(g), g.Limit, limits[g.Name])
		}
		want, off, known := a.gateValue(in, w, g, whole)
		if known && ((want == nil) != (g.Value == nil) || want != nil && math.Abs(*want-*g.Value) > off**want) {
			differ("gate %s: its value is not what the inputs give", gateName(g))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(missing)) {
		differ("gate %s is missing", name)
	}
	if whole {
		a.checkJoins(in, w)
	}
}

// gatesByRole are the gates of the control inputs that have one each.
var gatesByRole = map[string]string{
	roleDeletions: manifests.GateDeletionMatch, roleRestrictions: manifests.GateRestrictionMatch, roleAccounts: manifests.GateRegistryMatch,
	roleAliases: manifests.GateAliasMatch, roleOrganisations: manifests.GateOrganisationMatch,
}

// gateValue returns the value that a gate has to have, and how much it may be off,
// relatively. known is false where that cannot be said.
func (a *audit) gateValue(in *inputs, w *facts, g manifests.Gate, whole bool) (want *float64, off float64, known bool) {
	switch {
	case g.Name == manifests.GateMaxExcluded:
		d := a.run.Datasets[g.Dataset]
		share := float64(d.RowsExcluded) / float64(max(d.RowsIn, 1))
		return &share, 0, true
	case g.Name == manifests.GateNearMisses: // see checkJoins
		near := 0.0
		for _, j := range a.run.Joins {
			near += float64(j.NearMisses)
		}
		return &near, 0, true
	case !whole:
	case g.Name == manifests.GateAccountMatch:
		return w.accountMatch(in, g.Dataset, g.Role)
	default:
		for role, gate := range gatesByRole {
			if c := w.ids[role]; gate == g.Name && c != nil {
				named, exactly := w.named(role), c.matched
				if role != roleRestrictions { // accounts: the run counts those of the history, and estimates the others
					exactly = w.ids[roleConsent].matched
				}
				want, known = c.share(named)
				return want, tolerance(named, exactly), known
			}
		}
	}
	return nil, 0, false
}

// named returns how many ids the data names of the kind that a control input has.
func (w *facts) named(role string) int {
	if role == roleRestrictions {
		return len(w.contracts)
	}
	return len(w.accounts) - w.more
}

// accountMatch returns the share of accounts that are both in the consent history and
// named as parties, under one role or any.
func (w *facts) accountMatch(in *inputs, dataset, role string) (want *float64, off float64, known bool) {
	roles, bits := uint64(0), 0
	for _, d := range in.datasets {
		for _, r := range d.Parties {
			if role == "" || d.Name == dataset && r.Name == role {
				roles |= 1 << bits
			}
			bits++
		}
	}
	if bits > 64 {
		return nil, 0, false
	}
	parties, count := 0, *w.ids[roleConsent]
	history, exact := count.all()
	count.matched = 0
	for _, x := range w.accounts {
		if x.parties&roles != 0 {
			parties++
			if x.inHistory {
				count.matched++
			}
		}
	}
	smaller := min(parties, history)
	if smaller == 0 {
		return nil, 0, exact
	}
	share := float64(count.matched) / float64(smaller)
	return &share, tolerance(parties, count.matched), exact || history >= parties
}

// checkJoins checks how many ids of each control input the data names. Near misses are
// the run's own to count.
func (a *audit) checkJoins(in *inputs, w *facts) {
	differ := func(format string, args ...any) { a.found.of(publish.ManifestObject, format, args...) }
	there := map[string]bool{}
	registry := w.ids[roleAccounts]
	for _, j := range a.run.Joins {
		there[j.Role] = true
		c := w.ids[j.Role]
		if c == nil {
			differ("joins: there is no input %s", j.Role)
			continue
		}
		if j.Matched != int64(c.matched) {
			differ("joins of %s: the data names %d of its ids, it has %d", j.Role, c.matched, j.Matched)
		}
		all, exact := c.all()
		if exact && j.IDs != int64(all) {
			differ("joins of %s: there are %d ids, it has %d", j.Role, all, j.IDs)
		}
		if !exact || registry == nil || j.Role == roleRestrictions {
			continue
		}
		unregistered := int64(0)
		for id := range c.others {
			if !registry.others[id] {
				unregistered++
			}
		}
		if _, exact := registry.all(); exact && j.Unregistered != unregistered {
			differ("joins of %s: the registry lacks %d ids that no record names, it has %d", j.Role, unregistered, j.Unregistered)
		}
	}
	for _, role := range slices.Sorted(maps.Keys(w.ids)) {
		if !there[role] && len(in.control(role)) > 0 {
			differ("joins of %s are missing", role)
		}
	}
}
