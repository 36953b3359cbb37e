package job

import (
	"bytes"
	"context"
	"time"

	"assent/filter"
	"assent/job/access"
	"assent/job/parquet/rewrite"
	"assent/manifests"
	"assent/schema"
)

// loadChoices reads what the account itself decided, up to the run's horizon.
func (a *accessing) loadChoices(ctx context.Context) error {
	sink := &subjectSink{id: a.subject, world: filter.NewWorld()}
	loader := historyLoader{cfg: a.cfg, sink: sink, newest: schema.Unknown, newestRequest: schema.Unknown}
	p := &planner{cfg: a.cfg, opener: a.Opener, log: a.Log, limit: 1, quick: true}
	read := func(role, uri string, check func(*rewrite.File) error, load func(context.Context, *plannedFile) error) error {
		in, err := p.resolve(ctx, role, uri)
		if err != nil {
			return err
		}
		for _, f := range in.files {
			if err := p.look(ctx, &in, f, check); err != nil {
				return err
			}
			if err := load(ctx, f); err != nil {
				return err
			}
		}
		return nil
	}
	err := read("consent", a.cfg.Consent.Path, func(f *rewrite.File) error { _, err := bindConsent(f, &a.cfg.Consent); return err }, loader.consent)
	if err == nil && a.cfg.Deletions != nil {
		err = read("deletions", a.cfg.Deletions.Path, func(f *rewrite.File) error { _, err := bindDeletions(f, a.cfg.Deletions); return err }, loader.deletions)
	}
	if err != nil {
		return err
	}
	a.choices, err = sink.choices(a.run)
	return err
}

// subjectSink gathers the facts about one account.
type subjectSink struct {
	sink
	id    []byte
	world *filter.World
}

func (s *subjectSink) ids(rewrite.Bytes) error { return nil }

func (s *subjectSink) event(_ int, id []byte, e filter.Event) error {
	if bytes.Equal(id, s.id) {
		s.world.Events[schema.AccountID(id)] = append(s.world.Events[schema.AccountID(id)], e)
	}
	return nil
}

func (s *subjectSink) deletion(id []byte, d filter.Deletion) error {
	if bytes.Equal(id, s.id) {
		s.world.Deletions[schema.AccountID(id)] = append(s.world.Deletions[schema.AccountID(id)], d)
	}
	return nil
}

func (s *subjectSink) choices(run *manifests.Run) (access.Choices, error) {
	initial, err := schema.ParseState(run.Program.Default)
	if err != nil {
		return access.Choices{}, err
	}
	s.world.Policy = filter.Policy{Start: schema.FromTime(run.Program.StartsAt), Horizon: schema.FromTime(run.ConsentAsOf), Default: initial}
	id := schema.AccountID(s.id)
	c := access.Choices{Program: run.Program.Name, AsOf: run.ConsentAsOf, DeletionRequests: []*time.Time{}}
	for _, category := range schema.Categories() {
		choice := access.Choice{Category: category.String(), Timeline: []access.Stretch{}}
		for _, stretch := range s.world.Timeline(id, category) {
			out := access.Stretch{Until: stretch.Until.Time(), State: stretch.State.String()}
			if stretch.From != schema.Earliest {
				from := stretch.From.Time()
				out.From = &from
			}
			choice.Timeline = append(choice.Timeline, out)
		}
		c.Categories = append(c.Categories, choice)
	}
	for _, d := range s.world.Deletions[id] {
		var at *time.Time
		if d.RequestedAt != schema.Unknown {
			t := d.RequestedAt.Time()
			at = &t
		}
		c.DeletionRequests = append(c.DeletionRequests, at)
	}
	return c, nil
}
