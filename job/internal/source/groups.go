package source

import (
	"context"

	"assent/filter"
	"assent/job"
	"assent/job/internal/config"
	"assent/job/parquet"
	"assent/job/parquet/rewrite"
	"assent/schema"
)

// Aliases and organisations: which ids are one account, and which accounts belong
// together.

type aliasColumns struct {
	Alias, Account KeyColumn
	Deleted        *Mark
}

// BindAliases finds the columns of a file of aliases.
func BindAliases(f *rewrite.File, rel string, in *config.AliasesInput) (*aliasColumns, error) {
	find := Finder{File: f, Rel: rel}
	c := &aliasColumns{
		Alias:   find.ID("inputs.aliases.columns.alias", in.Alias.Path, false),
		Account: find.ID("inputs.aliases.columns.account", in.Account.Path, false),
		Deleted: find.mark("inputs.aliases.deleted", in.Deleted),
	}
	return c, find.Err
}

// aliases reads a file of aliases. Neither id that take gets is empty.
func (l *Loader) aliases(ctx context.Context, f *File, take func(alias, account []byte) error) error {
	in := l.Cfg.Aliases
	var c *aliasColumns
	var aliases, accounts idCursor
	bind := func(file *rewrite.File) (_ []KeyColumn, err error) {
		if c, err = BindAliases(file, f.Rel, in); err != nil {
			return nil, err
		}
		aliases.form, accounts.form = c.Alias.ID, c.Account.ID
		return []KeyColumn{c.Alias, c.Account, c.Deleted.KeyColumn}, nil
	}
	return Scan(ctx, f, bind, func(first int64, rows int, v []*parquet.Vector) error {
		aliases.read(v[0])
		accounts.read(v[1])
		for i := range rows {
			if c.Deleted.Has(v[2], i) {
				continue
			}
			alias, account, err := aliases.at(v[0], i), accounts.at(v[1], i), filter.ErrNoID
			if len(alias) > 0 && len(account) > 0 {
				err = take(alias, account)
			}
			if err != nil {
				return job.BadInput("an alias is of one account, and not of itself; mend the list and run again",
					"%w", &rowError{f.URI(), first + int64(i), in.Alias.Path + ", " + in.Account.Path, err})
			}
		}
		return nil
	})
}

// ReadAliases reads the list of aliases; nil where none is configured. It needs no plan.
func ReadAliases(ctx context.Context, e *job.Env, cfg *config.Config) (*filter.Aliases, error) {
	if cfg.Aliases == nil {
		return nil, nil
	}
	l, all := Loader{Cfg: cfg}, filter.NewAliases()
	check := func(f *rewrite.File, rel string) error { _, err := BindAliases(f, rel, cfg.Aliases); return err }
	err := NewPlanner(e, cfg).read(ctx, "aliases", cfg.Aliases.Path, check, func(f *File) error {
		return l.aliases(ctx, f, func(alias, account []byte) error {
			return all.Add(schema.AccountID(alias), schema.AccountID(account))
		})
	})
	return all, err
}

// members takes memberships. The other methods of Sink are never called, as no other input is read with it.
type members struct {
	Sink
	take func(account, organisation schema.AccountID, s schema.Span)
}

// Member is Sink's.
func (m members) Member(account, organisation []byte, s schema.Span) error {
	m.take(schema.AccountID(account), schema.AccountID(organisation), s)
	return nil
}

// ReadMembers hands every membership to take, where memberships are configured. It needs no plan.
func ReadMembers(ctx context.Context, e *job.Env, cfg *config.Config, take func(account, organisation schema.AccountID, s schema.Span)) error {
	if cfg.Organisations == nil {
		return nil
	}
	l := Loader{Cfg: cfg, Sink: members{take: take}}
	check := func(f *rewrite.File, rel string) error {
		_, err := BindOrganisations(f, rel, cfg.Organisations)
		return err
	}
	return NewPlanner(e, cfg).read(ctx, "organisations", cfg.Organisations.Path, check, func(f *File) error {
		return l.organisations(ctx, f)
	})
}

type memberColumns struct {
	Account, Organisation, From, Until KeyColumn
	Deleted                            *Mark
}

// BindOrganisations finds the columns of a file of memberships.
func BindOrganisations(f *rewrite.File, rel string, in *config.OrganisationsInput) (*memberColumns, error) {
	find := Finder{File: f, Rel: rel, assumeUTC: in.AssumeUTC}
	c := &memberColumns{
		Account:      find.ID("inputs.organisations.columns.account", in.Account.Path, false),
		Organisation: find.ID("inputs.organisations.columns.organisation", in.Organisation.Path, false),
		From:         find.instant("inputs.organisations.columns.from", in.From.Path, in.Units["from"], presence{}),
		Until:        absent,
		Deleted:      find.mark("inputs.organisations.deleted", in.Deleted),
	}
	if find.wanted(in.Until) {
		c.Until = find.instant("inputs.organisations.columns.until", in.Until.Path, in.Units["until"], presence{})
	}
	return c, find.Err
}

func (l *Loader) organisations(ctx context.Context, f *File) error {
	in := l.Cfg.Organisations
	var c *memberColumns
	var accounts, organisations idCursor
	var from, until []schema.Instant
	bind := func(file *rewrite.File) (_ []KeyColumn, err error) {
		if c, err = BindOrganisations(file, f.Rel, in); err != nil {
			return nil, err
		}
		accounts.form, organisations.form = c.Account.ID, c.Organisation.ID
		return []KeyColumn{c.Account, c.Organisation, c.From, c.Until, c.Deleted.KeyColumn}, nil
	}
	return Scan(ctx, f, bind, func(first int64, rows int, v []*parquet.Vector) error {
		accounts.read(v[0])
		organisations.read(v[1])
		from, until = Grow(from, rows), Grow(until, rows)
		c.From.Instants(v[2], from)
		c.Until.Instants(v[3], until)
		for i := range rows {
			if c.Deleted.Has(v[4], i) {
				continue
			}
			span := spanOf(from[i], until[i])
			account, organisation, err := accounts.at(v[0], i), organisations.at(v[1], i), filter.ErrNoID
			if len(account) > 0 && len(organisation) > 0 {
				if err = filter.CheckMembership(span); err == nil {
					err = l.Sink.Member(account, organisation, span)
				}
			}
			if err != nil {
				return job.BadInput("a membership needs an account, an organisation and a start that is not after its end; mend the list and run again",
					"%w", &rowError{f.URI(), first + int64(i), in.Account.Path + ", " + in.Organisation.Path + ", " + in.From.Path + ", " + in.Until.Path, err})
			}
		}
		return nil
	})
}
