package run

import (
	"context"

	"assent/filter"
	"assent/job/internal/config"
	"assent/job/internal/source"
	"assent/job/internal/source/listing"
)

// openIndex makes the consent index of a plan again, from the control inputs as the plan
// has pinned them.
func (r *runner) openIndex(ctx context.Context, p *planned) error {
	in := new(source.Inputs)
	roles := map[string]*source.Input{
		"consent": &in.Consent, "deletions": &in.Deletion, "restrictions": &in.Restrict,
		"accounts": &in.Accounts, "aliases": &in.Aliases, "organisations": &in.Organisations,
	}
	for i := range p.Controls {
		f := &p.Controls[i]
		store, err := r.Opener.Open(ctx, f.Root)
		if err != nil {
			return err
		}
		now, err := pinned(ctx, store, f)
		if err != nil {
			return err
		}
		of := roles[p.Inputs[i].Role]
		of.Files = append(of.Files, &source.File{File: listing.File{Object: now, Rel: f.Rel}, Store: store})
	}
	b := filter.NewBuilder()
	loader := source.Loader{Cfg: &config.Config{Inputs: p.Rules}, Sink: &indexSink{b: b, limit: r.limitMemory}}
	if err := loader.Load(ctx, in); err != nil {
		return err
	}
	p.index = b.Freeze(filter.Policy{Start: p.Program.StartsAt, Horizon: p.Horizon, Default: p.Program.Default})
	r.limitMemory(p.index.Size())
	return nil
}
