package verify

import (
	"maps"
	"math"
	"slices"
	"strings"

	"assent/job/internal/publish"
	"assent/manifests"
)

// checkGates checks the gates' figures. Those of accounts can be counted again where
// all accounts were in memory at once (whole); the run counts beyond distinctExact
// by an estimate, so there the audit allows for what that may be off.
func (a *audit) checkGates(in *inputs, w *facts, whole bool) {
	g := a.cfg.Gates
	limits := map[string]float64{
		manifests.GateAccountMatch: g.MinAccountMatch, manifests.GateMaxExcluded: g.MaxExcluded, manifests.GateHorizonAge: g.MaxHorizonAge.Seconds(),
		manifests.GateNearMisses: float64(g.MaxNearMisses), manifests.GateDeletionMatch: g.MinDeletionMatch,
		manifests.GateRestrictionMatch: g.MinRestrictionMatch, manifests.GateRegistryMatch: g.MinRegistryMatch,
	}
	wanted := map[string]bool{
		manifests.GateHorizonAge + "//": true, manifests.GateAccountMatch + "//": true, manifests.GateNearMisses + "//": true,
		manifests.GateDeletionMatch + "//": len(in.deletions) > 0, manifests.GateRestrictionMatch + "//": len(in.restrictions) > 0,
		manifests.GateRegistryMatch + "//": len(in.accounts) > 0,
	}
	maps.DeleteFunc(wanted, func(_ string, wanted bool) bool { return !wanted })
	for _, d := range in.datasets {
		wanted[manifests.GateMaxExcluded+"/"+d.Name+"/"] = true
	}
	bit := map[string]int{}
	for _, d := range in.datasets {
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

// countedExactly is up to how many distinct accounts beside the history's the run counts
// exactly. Beyond that it estimates, by up to some percent.
const countedExactly = 4096

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
	if parties-matched >= countedExactly {
		tolerance = 0.1
	}
	s := float64(matched) / float64(smaller)
	return &s, tolerance
}
