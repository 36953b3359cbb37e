package source

import (
	"context"

	"assent/filter"
	"assent/job"
	"assent/job/internal/config"
	"assent/job/parquet/rewrite"
	"assent/schema"
)

// NewPlanner returns a planner for verbs that publish nothing: it takes no identities.
func NewPlanner(e *job.Env, cfg *config.Config) *Planner {
	return &Planner{Cfg: cfg, Opener: e.Opener, Log: e.Log, Limit: 4, Quick: true}
}

// ReadConsent hands every event of the consent history to take, in the order of files
// and rows. It needs no plan.
func ReadConsent(ctx context.Context, e *job.Env, cfg *config.Config, take func(id []byte, e filter.Event) error) error {
	l := Loader{Cfg: cfg, Newest: schema.Unknown}
	check := func(f *rewrite.File, rel string) error { _, err := BindConsent(f, rel, &cfg.Consent); return err }
	return NewPlanner(e, cfg).read(ctx, "consent", cfg.Consent.Path, check, func(f *File) error {
		return l.consent(ctx, f, nil, func(_ int, id []byte, event filter.Event) error { return take(id, event) })
	})
}

// ReadDeletions is ReadConsent for the ledger of deletion requests. Where none is
// configured, there are no requests.
func ReadDeletions(ctx context.Context, e *job.Env, cfg *config.Config, take func(id []byte, d filter.Deletion) error) error {
	if cfg.Deletions == nil {
		return nil
	}
	l := Loader{Cfg: cfg, NewestRequest: schema.Unknown}
	check := func(f *rewrite.File, rel string) error { _, err := BindDeletions(f, rel, cfg.Deletions); return err }
	return NewPlanner(e, cfg).read(ctx, "deletions", cfg.Deletions.Path, check, func(f *File) error {
		return l.deletions(ctx, f, take)
	})
}

// read checks and loads the files of one input, one after the other.
func (p *Planner) read(ctx context.Context, role, path string, check func(f *rewrite.File, rel string) error, load func(*File) error) error {
	in, err := p.Resolve(ctx, role, path)
	if err != nil {
		return err
	}
	for _, f := range in.Files {
		if err := p.Look(ctx, &in, f, check); err != nil {
			return err
		}
		if err := load(f); err != nil {
			return err
		}
	}
	return nil
}
