package run

import (
	"fmt"
	"time"

	"assent/job"
	"assent/job/internal/config"
	"assent/job/internal/source"
	"assent/manifests"
	"assent/schema"
)

// checkHorizonAge refuses a run whose consent snapshot is too old. It is the one
// place where the clock has a say, and all that it can say is no.
func checkHorizonAge(g config.Gates, horizon schema.Instant, now time.Time) error {
	if g.MaxHorizonAge == 0 {
		return nil
	}
	if age := now.Sub(horizon.Time()); age > g.MaxHorizonAge {
		return job.Refused("export the consent history again, or raise gates.max_horizon_age",
			"gate %s: the consent horizon %s is %s old, more than %s", manifests.GateHorizonAge, horizon, age.Round(time.Minute), g.MaxHorizonAge)
	}
	return nil
}

// checkGates evaluates the gates over what was decided. The first that fails is the error.
func checkGates(plan *Plan, total []DatasetResult) ([]manifests.Gate, error) {
	gates, err := accountGates(plan, total)
	limit := plan.Gates.MaxExcluded
	for i := range total {
		name := plan.Datasets[i].Name
		var rows, excluded int64
		for _, f := range total[i].Files {
			rows += f.RowsIn
			excluded += f.ExcludedByReason.Total()
		}
		share := 0.0
		if rows > 0 {
			share = float64(excluded) / float64(rows)
		}
		gate := manifests.Gate{Name: manifests.GateMaxExcluded, Dataset: name, Limit: limit, Value: &share, Passed: share <= limit}
		if !gate.Passed && err == nil {
			err = job.Refused("look into why with `assent run --dry-run`; if it is right, raise gates.max_excluded",
				"gate %s: %s: %d of %d records (%.4f) would be excluded, more than %g", manifests.GateMaxExcluded, name, excluded, rows, share, limit)
		}
		gates = append(gates, gate)
	}
	// The age itself differs between repeats of a run, so the manifest has none.
	gates = append(gates, manifests.Gate{Name: manifests.GateHorizonAge, Limit: plan.Gates.MaxHorizonAge.Seconds(), Passed: true})
	return gates, err
}

// accountGates checks that the ids of the consent history and of the data join: over
// all parties together, as semantics.md has it ("No silent miss"), and for each
// party role of each data set by itself where it names so many accounts that even
// the smallest share allowed would be one of them. Without the latter, one data
// set whose ids join would vouch for another whose ids do not.
func accountGates(plan *Plan, total []DatasetResult) ([]manifests.Gate, error) {
	var gates []manifests.Gate
	var err error
	var all source.Join
	for i := range total {
		d := &plan.Datasets[i]
		for r := range total[i].Joins {
			j := &total[i].Joins[r]
			all.Add(j)
			matched, others := j.Counts()
			enough := float64(min(matched+others, int64(plan.HistoryAccounts)))*plan.Gates.MinAccountMatch >= 1
			if !enough {
				continue
			}
			gate, gateErr := accountGate(plan, j, fmt.Sprintf("%s, %s: ", d.Name, d.Parties[r].Name))
			gate.Dataset, gate.Role = d.Name, d.Parties[r].Name
			gates = append(gates, gate)
			if err == nil {
				err = gateErr
			}
		}
	}
	gate, gateErr := accountGate(plan, &all, "")
	if gateErr != nil {
		err = gateErr
	}
	return append([]manifests.Gate{gate}, gates...), err
}

func accountGate(plan *Plan, j *source.Join, where string) (manifests.Gate, error) {
	limit := plan.Gates.MinAccountMatch
	matched, others := j.Counts()
	history := int64(plan.HistoryAccounts)
	smaller := min(history, matched+others)
	gate := manifests.Gate{Name: manifests.GateAccountMatch, Limit: limit, Passed: true}
	if smaller == 0 { // one of the sets is empty: nothing to join
		return gate, nil
	}
	share := float64(matched) / float64(smaller)
	gate.Value = &share
	if limit == 0 || matched > 0 && share >= limit {
		return gate, nil
	}
	gate.Passed = false
	return gate, job.Refused("check that both sides write ids the same way (prefix, case, number or text); to allow it, lower gates.min_account_match (0 turns the gate off)",
		"gate %s: %sthe consent history names %d accounts and the data %d, but only %d are the same (%.6f of the smaller set, want %g)",
		manifests.GateAccountMatch, where, history, matched+others, matched, share, limit)
}
