package scope

import (
	"context"

	"assent/filter"
	"assent/job/internal/source"
	"assent/schema"
)

// readStates finds out in which categories accounts are out at the horizon: their own switch counts, and that of each organisation to
// which they belong then.
func (x *exporter) readStates(ctx context.Context) error {
	if x.o.AtHorizon == "any" {
		return nil
	}
	initial, err := schema.ParseState(x.run.Program.Default)
	if err != nil {
		return err
	}
	world := filter.NewWorld()
	horizon := schema.FromTime(x.run.ConsentAsOf)
	world.Policy = filter.Policy{Start: schema.FromTime(x.run.Program.StartsAt), Horizon: horizon, Default: initial}
	if err := x.readTimelines(ctx, world); err != nil {
		return err
	}
	for _, a := range x.accounts {
		for _, c := range schema.Categories() {
			a.out[c], _ = world.OutAt(a.id, c, horizon-1)
		}
	}
	return nil
}

// readTimelines reads what decides the states of the accounts: memberships first, as the organisations' events count.
func (x *exporter) readTimelines(ctx context.Context, world *filter.World) error {
	asked := map[schema.AccountID]schema.AccountID{} // of each id, the account by which the world knows it
	for _, a := range x.accounts {
		for _, id := range a.own {
			asked[id] = a.id
		}
	}
	known := map[schema.AccountID]schema.AccountID{}
	err := source.ReadMembers(ctx, x.Env, x.cfg, func(account, organisation schema.AccountID, s schema.Span) {
		if id, ok := asked[account]; ok {
			of := x.aliases.Account(organisation)
			for _, each := range x.aliases.IDs(of) {
				known[each] = of
			}
			world.Memberships[id] = append(world.Memberships[id], filter.Membership{Span: s, Organisation: of})
		}
	})
	if err != nil {
		return err
	}
	for id, account := range asked {
		known[id] = account
	}
	return source.ReadConsent(ctx, x.Env, x.cfg, func(id []byte, e filter.Event) error {
		if account, ok := known[schema.AccountID(id)]; ok {
			world.Events[account] = append(world.Events[account], e)
		}
		return nil
	})
}
