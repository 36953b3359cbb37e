package job

import (
	"context"

	"assent/filter"
	"assent/job/parquet/rewrite"
	"assent/schema"
)

func (l *historyLoader) deletions(ctx context.Context, f *plannedFile) error {
	in := l.cfg.Deletions
	var c *deletionColumns
	var ids idCursor
	var at []schema.Instant
	bind := func(file *rewrite.File) (_ []keyColumn, err error) {
		if c, err = bindDeletions(file, in); err != nil {
			return nil, err
		}
		ids.form = c.account.id
		return []keyColumn{c.account, c.at, c.request}, nil
	}
	return scan(ctx, f, bind, func(first int64, rows int, v []*rewrite.Vector) error {
		ids.read(v[0])
		at = grow(at, rows)
		if v[1] != nil {
			c.at.time.instants(v[1], at)
		}
		for i := range rows {
			d := filter.Deletion{RequestedAt: schema.Unknown}
			if v[1] != nil {
				d.RequestedAt = at[i]
				l.newestRequest = max(l.newestRequest, at[i])
			}
			if v[2] != nil {
				d.Request = string(c.request.id.append(nil, v[2], i))
			}
			if err := l.sink.deletion(ids.at(v[0], i), d); err != nil {
				return badInput("a deletion request names an account; mend the ledger and run again", "%w", &rowError{f.uri(), first + int64(i), in.Account.path, err})
			}
		}
		return nil
	})
}

func (l *historyLoader) restrictions(ctx context.Context, f *plannedFile) error {
	in := l.cfg.Restrictions
	var c *restrictionColumns
	var ids idCursor
	var from, until []schema.Instant
	bind := func(file *rewrite.File) (_ []keyColumn, err error) {
		if c, err = bindRestrictions(file, in); err != nil {
			return nil, err
		}
		ids.form = c.contract.id
		return []keyColumn{c.contract, c.from, c.until}, nil
	}
	return scan(ctx, f, bind, func(first int64, rows int, v []*rewrite.Vector) error {
		ids.read(v[0])
		from, until = grow(from, rows), grow(until, rows)
		c.from.time.instants(v[1], from)
		if v[2] != nil {
			c.until.time.instants(v[2], until)
		}
		for i := range rows {
			span := schema.Span{From: from[i], Until: schema.Forever}
			if v[2] != nil && until[i] != schema.Unknown {
				span.Until = until[i]
			}
			if err := l.sink.restriction(ids.at(v[0], i), span); err != nil {
				return badInput("a restriction needs a contract and a start that is not after its end; mend the list and run again",
					"%w", &rowError{f.uri(), first + int64(i), in.Contract.path + ", " + in.From.path + ", " + in.Until.path, err})
			}
		}
		return nil
	})
}

func (l *historyLoader) accounts(ctx context.Context, f *plannedFile) error {
	var column keyColumn
	var ids idCursor
	bind := func(file *rewrite.File) (_ []keyColumn, err error) {
		if column, err = bindAccounts(file, l.cfg.Accounts); err != nil {
			return nil, err
		}
		ids.form = column.id
		return []keyColumn{column}, nil
	}
	return scan(ctx, f, bind, func(first int64, rows int, v []*rewrite.Vector) error {
		ids.read(v[0])
		for i := range rows {
			if err := l.sink.registered(ids.at(v[0], i)); err != nil {
				return badInput("the registry lists accounts; mend it and run again", "%w", &rowError{f.uri(), first + int64(i), l.cfg.Accounts.Account.path, err})
			}
		}
		return nil
	})
}

// indexSink builds the index.
type indexSink struct {
	b        *filter.Builder
	accounts []filter.Account // beside the ids announced last
}

func (s *indexSink) ids(all rewrite.Bytes) (err error) {
	s.accounts, err = s.b.AppendAccounts(s.accounts[:0], all.Data, all.First, all.Ends)
	return err
}

func (s *indexSink) event(place int, _ []byte, e filter.Event) error {
	return s.b.Event(s.accounts[place], e.Category, e.State, e.At, e.Sequence)
}

func (s *indexSink) deletion(id []byte, d filter.Deletion) error {
	a, err := s.b.Account(id)
	if err != nil {
		return err
	}
	s.b.Delete(a, d)
	return nil
}

func (s *indexSink) restriction(contract []byte, span schema.Span) error {
	return s.b.Restrict(contract, span)
}

func (s *indexSink) registry() { s.b.UseRegistry() }

func (s *indexSink) registered(id []byte) error {
	a, err := s.b.Account(id)
	if err != nil {
		return err
	}
	s.b.Register(a)
	return nil
}
