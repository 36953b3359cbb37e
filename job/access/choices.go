package access

import (
	"context"
	"time"

	"assent/filter"
	"assent/job/internal/source"
	"assent/manifests"
	"assent/schema"
)

// loadChoices reads what the askers themselves decided, up to the run's horizon.
func (a *copier) loadChoices(ctx context.Context) error {
	world := filter.NewWorld()
	world.Aliases = a.aliases
	accounts := map[string]schema.AccountID{} // of the askers' ids
	for _, who := range a.askers {
		for id := range who.own {
			accounts[id] = world.Account(who.id)
		}
	}
	err := source.ReadConsent(ctx, a.Env, a.cfg, func(account []byte, e filter.Event) error {
		if id, asked := accounts[string(account)]; asked {
			world.Events[id] = append(world.Events[id], e)
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = source.ReadDeletions(ctx, a.Env, a.cfg, func(account []byte, d filter.Deletion) error {
		if id, asked := accounts[string(account)]; asked {
			world.Deletions[id] = append(world.Deletions[id], d)
		}
		return nil
	})
	for _, who := range a.askers {
		if err == nil {
			who.choices, err = choicesOf(world.Account(who.id), world, a.run.Run)
		}
	}
	return err
}

// choicesOf tells what a world has of an account as the copy has it.
func choicesOf(id schema.AccountID, world *filter.World, run *manifests.Run) (Choices, error) {
	initial, err := schema.ParseState(run.Program.Default)
	if err != nil {
		return Choices{}, err
	}
	world.Policy = filter.Policy{Start: schema.FromTime(run.Program.StartsAt), Horizon: schema.FromTime(run.ConsentAsOf), Default: initial}
	c := Choices{Program: run.Program.Name, AsOf: run.ConsentAsOf, DeletionRequests: []*time.Time{}}
	for _, category := range schema.Categories() {
		choice := Choice{Category: category.String(), Timeline: []Stretch{}}
		for _, stretch := range world.Timeline(id, category) {
			out := Stretch{Until: stretch.Until.Time(), State: stretch.State.String()}
			if stretch.From != schema.Earliest {
				from := stretch.From.Time()
				out.From = &from
			}
			choice.Timeline = append(choice.Timeline, out)
		}
		c.Categories = append(c.Categories, choice)
	}
	for _, d := range world.Deletions[id] {
		var at *time.Time
		if d.RequestedAt != schema.Unknown {
			t := d.RequestedAt.Time()
			at = &t
		}
		c.DeletionRequests = append(c.DeletionRequests, at)
	}
	return c, nil
}
