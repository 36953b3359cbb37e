package access

import (
	"bytes"
	"context"
	"time"

	"assent/filter"
	"assent/job/internal/source"
	"assent/job/parquet/rewrite"
	"assent/manifests"
	"assent/schema"
)

// loadChoices reads what the account itself decided, up to the run's horizon.
func (a *accessing) loadChoices(ctx context.Context) error {
	sink := &subjectSink{id: a.subject, world: filter.NewWorld()}
	loader := source.Loader{Cfg: a.cfg, Sink: sink, Newest: schema.Unknown, NewestRequest: schema.Unknown}
	p := &source.Planner{Cfg: a.cfg, Opener: a.Opener, Log: a.Log, Limit: 1, Quick: true}
	read := func(role, uri string, check func(*rewrite.File) error, load func(context.Context, *source.File) error) error {
		in, err := p.Resolve(ctx, role, uri)
		if err != nil {
			return err
		}
		for _, f := range in.Files {
			if err := p.Look(ctx, &in, f, check); err != nil {
				return err
			}
			if err := load(ctx, f); err != nil {
				return err
			}
		}
		return nil
	}
	err := read("consent", a.cfg.Consent.Path, func(f *rewrite.File) error { _, err := source.BindConsent(f, &a.cfg.Consent); return err }, loader.Consent)
	if err == nil && a.cfg.Deletions != nil {
		err = read("deletions", a.cfg.Deletions.Path, func(f *rewrite.File) error { _, err := source.BindDeletions(f, a.cfg.Deletions); return err }, loader.Deletions)
	}
	if err != nil {
		return err
	}
	a.choices, err = sink.choices(a.run)
	return err
}

// subjectSink gathers the facts about one account.
type subjectSink struct {
	source.Sink
	id    []byte
	world *filter.World
}

func (s *subjectSink) IDs(rewrite.Bytes) error { return nil }

func (s *subjectSink) Event(_ int, id []byte, e filter.Event) error {
	if bytes.Equal(id, s.id) {
		s.world.Events[schema.AccountID(id)] = append(s.world.Events[schema.AccountID(id)], e)
	}
	return nil
}

func (s *subjectSink) Deletion(id []byte, d filter.Deletion) error {
	if bytes.Equal(id, s.id) {
		s.world.Deletions[schema.AccountID(id)] = append(s.world.Deletions[schema.AccountID(id)], d)
	}
	return nil
}

func (s *subjectSink) choices(run *manifests.Run) (Choices, error) {
	initial, err := schema.ParseState(run.Program.Default)
	if err != nil {
		return Choices{}, err
	}
	s.world.Policy = filter.Policy{Start: schema.FromTime(run.Program.StartsAt), Horizon: schema.FromTime(run.ConsentAsOf), Default: initial}
	id := schema.AccountID(s.id)
	c := Choices{Program: run.Program.Name, AsOf: run.ConsentAsOf, DeletionRequests: []*time.Time{}}
	for _, category := range schema.Categories() {
		choice := Choice{Category: category.String(), Timeline: []Stretch{}}
		for _, stretch := range s.world.Timeline(id, category) {
			out := Stretch{Until: stretch.Until.Time(), State: stretch.State.String()}
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
