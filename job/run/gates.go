package run

import (
	"time"

	"assent/filter"
	"assent/job"
	"assent/job/internal/config"
	"assent/job/internal/consent"
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

// checkGates evaluates the gates over what was decided, and counts what joins. The first
// gate that fails is the error.
func checkGates(plan *planned, sum []*total) ([]manifests.Gate, []manifests.Join, error) {
	c := &checker{gates: plan.Gates, datasets: plan.Datasets, index: plan.listing, total: sum, configured: map[string]bool{}}
	for _, in := range plan.Inputs {
		c.configured[in.Role] = true
	}
	joins := c.joins() // first, as a near miss says more than that nothing joins
	ofInputs := c.passed
	c.passed = nil
	c.accounts()
	c.passed = append(c.passed, ofInputs...)
	c.excluded()
	// The age itself differs between repeats of a run, so the manifest has none.
	c.passed = append(c.passed, manifests.Gate{Name: manifests.GateHorizonAge, Limit: plan.Gates.MaxHorizonAge.Seconds(), Passed: true})
	return c.passed, joins, c.err
}

// checker evaluates gates one after the other.
type checker struct {
	gates    config.Gates
	datasets []Dataset
	index    *consent.Listing
	total    []*total

	configured map[string]bool // roles of control inputs that have files

	passed []manifests.Gate // and the one that did not
	err    error            // of the first that failed
}

func (c *checker) add(g manifests.Gate, failure error) {
	g.Passed = failure == nil
	c.passed = append(c.passed, g)
	if c.err == nil {
		c.err = failure
	}
}

// excluded checks the share of each data set that is excluded.
func (c *checker) excluded() {
	limit := c.gates.MaxExcluded
	for i := range c.total {
		name := c.datasets[i].Name
		var rows, excluded int64
		for _, f := range c.total[i].Files {
			rows += f.RowsIn
			excluded += f.ExcludedByReason.Total()
		}
		share := 0.0
		if rows > 0 {
			share = float64(excluded) / float64(rows)
		}
		var err error
		if share > limit {
			err = job.Refused("look into why with `assent run --dry-run`; if it is right, raise gates.max_excluded",
				"gate %s: %s: %d of %d records (%.4f) would be excluded, more than %g", manifests.GateMaxExcluded, name, excluded, rows, share, limit)
		}
		c.add(manifests.Gate{Name: manifests.GateMaxExcluded, Dataset: name, Limit: limit, Value: &share}, err)
	}
}

// accounts checks that the ids of the consent history and of the data join: over all
// parties together, and for each party role
// of each data set by itself where it names so many accounts that even the smallest
// share allowed would be one of them. Without the latter, one data set whose ids join
// would vouch for another whose ids do not.
func (c *checker) accounts() {
	all := source.NewJoined(c.index.Accounts())
	for i := range c.total {
		for r := range c.datasets[i].Parties {
			all.Merge(c.total[i].joins[r])
		}
	}
	c.account(all, "", "")
	for i := range c.total {
		d := &c.datasets[i]
		for r := range d.Parties {
			j := c.total[i].joins[r]
			if float64(min(j.Named(), c.history()))*c.gates.MinAccountMatch >= 1 {
				c.account(j, d.Name, d.Parties[r].Name)
			}
		}
	}
}

func (c *checker) inHistory(i int) bool { return c.index.InHistory(filter.Account(i)) }
func (c *checker) history() int64       { return int64(c.index.HistoryAccounts()) }

func (c *checker) account(j *source.Joined, dataset, role string) {
	limit := c.gates.MinAccountMatch
	matched := j.Count(c.inHistory)
	data := j.Named()
	smaller := min(c.history(), data)
	gate := manifests.Gate{Name: manifests.GateAccountMatch, Dataset: dataset, Role: role, Limit: limit}
	if smaller == 0 { // one of the sets is empty: nothing to join
		c.add(gate, nil)
		return
	}
	share := float64(matched) / float64(smaller)
	gate.Value = &share
	if limit == 0 || matched > 0 && share >= limit {
		c.add(gate, nil)
		return
	}
	where := ""
	if dataset != "" {
		where = dataset + ", " + role + ": "
	}
	c.add(gate, job.Refused("check that both sides write ids the same way (prefix, case, number or text); to allow it, lower gates.min_account_match (0 turns the gate off)",
		"gate %s: %sthe consent history names %d accounts and the data %d, but only %d are the same (%.6f of the smaller set, want %g)",
		manifests.GateAccountMatch, where, c.history(), data, matched, share, limit))
}
