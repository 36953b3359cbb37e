package source

import (
	"context"

	"assent/filter"
	"assent/job"
	"assent/job/parquet"
	"assent/job/parquet/rewrite"
	"assent/schema"
)

// deletions reads a file of deletion requests.
func (l *Loader) deletions(ctx context.Context, f *File, take func(id []byte, d filter.Deletion) error) error {
	in := l.Cfg.Deletions
	var c *deletionColumns
	var ids idCursor
	var at []schema.Instant
	bind := func(file *rewrite.File) (_ []KeyColumn, err error) {
		if c, err = BindDeletions(file, f.Rel, in); err != nil {
			return nil, err
		}
		ids.form = c.Account.ID
		return []KeyColumn{c.Account, c.At, c.Request, c.Deleted.KeyColumn}, nil
	}
	return Scan(ctx, f, bind, func(first int64, rows int, v []*parquet.Vector) error {
		ids.read(v[0])
		at = Grow(at, rows)
		c.At.Instants(v[1], at)
		for i := range rows {
			if c.Deleted.Has(v[3], i) {
				continue
			}
			d := filter.Deletion{RequestedAt: at[i], Request: string(c.Request.ID.Append(nil, v[2], i))}
			l.NewestRequest = max(l.NewestRequest, at[i])
			id, err := ids.at(v[0], i), error(nil)
			if len(id) == 0 {
				err = filter.ErrNoID
			} else {
				err = take(id, d)
			}
			if err != nil {
				return job.BadInput("a deletion request names an account; mend the ledger and run again", "%w", &rowError{f.URI(), first + int64(i), in.Account.Path, err})
			}
		}
		return nil
	})
}

func (l *Loader) restrictions(ctx context.Context, f *File) error {
	in := l.Cfg.Restrictions
	var c *restrictionColumns
	var ids idCursor
	var from, until []schema.Instant
	bind := func(file *rewrite.File) (_ []KeyColumn, err error) {
		if c, err = BindRestrictions(file, f.Rel, in); err != nil {
			return nil, err
		}
		ids.form = c.Contract.ID
		return []KeyColumn{c.Contract, c.From, c.Until, c.Deleted.KeyColumn}, nil
	}
	return Scan(ctx, f, bind, func(first int64, rows int, v []*parquet.Vector) error {
		ids.read(v[0])
		from, until = Grow(from, rows), Grow(until, rows)
		c.From.Instants(v[1], from)
		c.Until.Instants(v[2], until)
		for i := range rows {
			if c.Deleted.Has(v[3], i) {
				continue
			}
			span := spanOf(from[i], until[i])
			if err := l.Sink.Restriction(ids.at(v[0], i), span); err != nil {
				return job.BadInput("a restriction needs a contract and a start that is not after its end; mend the list and run again",
					"%w", &rowError{f.URI(), first + int64(i), in.Contract.Path + ", " + in.From.Path + ", " + in.Until.Path, err})
			}
		}
		return nil
	})
}

func (l *Loader) accounts(ctx context.Context, f *File) error {
	var c *accountColumns
	var ids idCursor
	bind := func(file *rewrite.File) (_ []KeyColumn, err error) {
		if c, err = BindAccounts(file, f.Rel, l.Cfg.Accounts); err != nil {
			return nil, err
		}
		ids.form = c.Account.ID
		return []KeyColumn{c.Account, c.Deleted.KeyColumn}, nil
	}
	return Scan(ctx, f, bind, func(first int64, rows int, v []*parquet.Vector) error {
		ids.read(v[0])
		for i := range rows {
			if c.Deleted.Has(v[1], i) {
				continue
			}
			if err := l.Sink.Registered(ids.at(v[0], i)); err != nil {
				return job.BadInput("the registry lists accounts; mend it and run again", "%w", &rowError{f.URI(), first + int64(i), l.Cfg.Accounts.Account.Path, err})
			}
		}
		return nil
	})
}

// spanOf is the span that a row of an input states. Without an end it is open.
func spanOf(from, until schema.Instant) schema.Span {
	if until == schema.Unknown {
		until = schema.Forever
	}
	return schema.Span{From: from, Until: until}
}
