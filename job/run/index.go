package run

import (
	"assent/filter"
	"assent/job/parquet"
	"assent/schema"
)

// indexSink builds the index.
type indexSink struct {
	b        *filter.Builder
	accounts []filter.Account        // beside the ids announced last
	limit    func(index, held int64) // told what the index will take at least and what the builder holds, in bytes, as they grow
	limited  int                     // events that the builder had when it was told last
}

func (s *indexSink) IDs(all parquet.Bytes) (err error) {
	if n := s.b.Events(); n-s.limited > 1<<18 {
		size := s.b.Size()
		s.limit(size.Index(), size.Held())
		s.limited = n
	}
	s.accounts, err = s.b.AppendAccounts(s.accounts[:0], all.Data, all.First, all.Ends)
	return err
}

func (s *indexSink) Event(place int, _ []byte, e filter.Event) error {
	return s.b.Event(s.accounts[place], e.Category, e.State, e.At, e.Sequence)
}

func (s *indexSink) Deletion(id []byte, d filter.Deletion) error {
	a, err := s.b.Account(id)
	if err != nil {
		return err
	}
	s.b.Delete(a, d)
	return nil
}

func (s *indexSink) Alias(alias, account []byte) error {
	a, err := s.b.Account(alias)
	if err != nil {
		return err
	}
	to, err := s.b.Account(account)
	if err != nil {
		return err
	}
	return s.b.Alias(a, to)
}

func (s *indexSink) Member(account, organisation []byte, span schema.Span) error {
	a, err := s.b.Account(account)
	if err != nil {
		return err
	}
	o, err := s.b.Account(organisation)
	if err != nil {
		return err
	}
	return s.b.Member(a, o, span)
}

func (s *indexSink) Restriction(contract []byte, span schema.Span) error {
	return s.b.Restrict(contract, span)
}

func (s *indexSink) Registry() { s.b.UseRegistry() }

func (s *indexSink) Registered(id []byte) error {
	a, err := s.b.Account(id)
	if err != nil {
		return err
	}
	s.b.Register(a)
	return nil
}
