package run

import (
	"fmt"
	"slices"
	"strings"

	"assent/filter"
	"assent/job"
	"assent/job/internal/source"
	"assent/manifests"
)

// controlInput is the ids of one control input, in a list that it may share with others.
type controlInput struct {
	role   string // as in the configuration, below inputs
	what   string // that its ids name, in the plural
	gate   string // empty: none of its own
	limit  float64
	list   source.NearList
	wanted func(int) bool // whether an id of the list is this input's
	same   func(int) int  // the place of the account that an id is one of
	data   *source.Joined // what the data names of the list, by places of accounts
	near   []source.Near  // by data set

	organisations map[int]bool // by places of accounts: memberships name them
}

const accountIDs = "accounts"

// joins counts, for each control input, which of its ids the data names, and checks the
// gates that hold it to that (README, "No silent miss").
func (c *checker) joins() []manifests.Join {
	var joins []manifests.Join
	var near int64
	var failure error
	inputs := c.controlInputs()
	for _, in := range inputs {
		j := c.count(&in)
		misses := source.NearMisses(in.list, in.seen, in.wanted, in.near)
		misses.Count = min(misses.Count, j.IDs-j.Matched) // of an account, several ids may be near
		j.NearMisses = misses.Count
		if near += misses.Count; near > c.gates.MaxNearMisses && failure == nil && misses.Count > 0 {
			failure = c.nearMiss(&in, misses)
		}
		joins = append(joins, j)
	}
	value := float64(near)
	c.add(manifests.Gate{Name: manifests.GateNearMisses, Limit: float64(c.gates.MaxNearMisses), Value: &value}, failure)
	for i, in := range inputs {
		c.match(&in, joins[i])
	}
	return joins
}

// seen reports whether the data names an id of the list, or another id of its account. So
// does a membership: a switch that is meant for an organisation must reach it, too.
func (in *controlInput) seen(i int) bool {
	account := in.same(i)
	return in.data.Has(account) || in.organisations[account]
}

// count counts an input's ids, and those that the data names. Ids of one account count
// once.
func (c *checker) count(in *controlInput) manifests.Join {
	j := manifests.Join{Role: in.role}
	counted := map[int]bool{} // accounts that have several ids
	for i := range in.list.Len() {
		if !in.wanted(i) {
			continue
		}
		account := in.same(i)
		if in.what == accountIDs && c.index.Told(filter.Account(i), filter.OfAliases) {
			if counted[account] {
				continue
			}
			counted[account] = true
		}
		j.IDs++
		switch {
		case in.data.Has(account):
			j.Matched++
		case in.what == accountIDs && c.index.HasRegistry() && !c.index.Registered(filter.Account(account)):
			j.Unregistered++
		}
	}
	return j
}

func (c *checker) controlInputs() []controlInput {
	x := c.index
	accounts := controlInput{
		what: accountIDs, list: x.AccountList, data: source.NewJoined(x.Accounts()),
		same: func(i int) int { return int(x.Same(filter.Account(i))) },
	}
	for o := range x.Organisations() {
		if accounts.organisations == nil {
			accounts.organisations = map[int]bool{}
		}
		accounts.organisations[int(o)] = true
	}
	contracts := controlInput{
		what: "contracts", list: x.ContractList, data: source.NewJoined(x.Restricted()),
		same: func(i int) int { return i },
	}
	for i := range c.total {
		t := c.total[i]
		for _, j := range t.joins {
			accounts.data.Merge(j)
		}
		accounts.near = append(accounts.near, t.Near)
		contracts.data.Merge(t.contracts)
		contracts.near = append(contracts.near, t.NearContracts)
	}
	of := func(in controlInput, role, gate string, limit float64, wanted func(int) bool) controlInput {
		in.role, in.gate, in.limit, in.wanted = role, gate, limit, wanted
		return in
	}
	told := func(f filter.Fact) func(int) bool {
		return func(i int) bool { return x.Told(filter.Account(i), f) }
	}
	all := []controlInput{
		of(accounts, "consent", "", 0, told(filter.OfHistory)),
		of(accounts, "deletions", manifests.GateDeletionMatch, c.gates.MinDeletionMatch, told(filter.OfDeletions)),
		of(contracts, "restrictions", manifests.GateRestrictionMatch, c.gates.MinRestrictionMatch, func(int) bool { return true }),
		of(accounts, "accounts", manifests.GateRegistryMatch, c.gates.MinRegistryMatch, told(filter.OfRegistry)),
		of(accounts, "aliases", manifests.GateAliasMatch, c.gates.AliasMatch(), told(filter.OfAliases)),
		of(accounts, "organisations", manifests.GateOrganisationMatch, c.gates.OrganisationMatch(), told(filter.OfMembers)),
	}
	return slices.DeleteFunc(all, func(in controlInput) bool { return !c.configured[in.role] })
}

// nearMiss says which ids of an input would join after folding.
func (c *checker) nearMiss(in *controlInput, m source.Misses) error {
	var refs []string
	for _, r := range m.First {
		refs = append(refs, r.String())
	}
	return job.Refused(fmt.Sprintf("mend the export of inputs.%s, so that it writes ids as the data does; to allow so many, set gates.max_near_misses", in.role),
		"gate %s: inputs.%s: %d of its %s are in no record as they stand, but are after taking away %s; by reference: %s",
		manifests.GateNearMisses, in.role, m.Count, in.what, m.Folds, strings.Join(refs, ", "))
}

// match checks the share of an input's ids, or of the data's where these are fewer, that
// is in both.
func (c *checker) match(in *controlInput, j manifests.Join) {
	if in.gate == "" {
		return // the consent history has a gate for each role
	}
	gate := manifests.Gate{Name: in.gate, Limit: in.limit}
	named := in.data.Named()
	smaller := min(j.IDs, named)
	if smaller == 0 {
		c.add(gate, nil)
		return
	}
	share := float64(j.Matched) / float64(smaller)
	gate.Value = &share
	if in.limit == 0 || j.Matched > 0 && share >= in.limit {
		c.add(gate, nil)
		return
	}
	c.add(gate, job.Refused(fmt.Sprintf("check that both sides write ids the same way (prefix, case, number or text); where it is right that they do not meet, lower gates.%s (0 turns the gate off)", in.gate),
		"gate %s: inputs.%s names %d %s and the data %d, but only %d are the same (%.6f of the smaller set, want %g)",
		in.gate, in.role, j.IDs, in.what, named, j.Matched, share, in.limit))
}
