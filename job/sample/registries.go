package sample

import (
	"fmt"
	"math"

	"github.com/apache/arrow/go/v17/arrow/array"
)

// The inputs beside the data sets. Their rows come in the order of a permutation,
// as no real export is sorted by account.

// registry writes accounts [from, until) of the registry's order.
func (m *market) registry(from, until uint64, t *table) error {
	id := text(t, 0)
	if from == 0 {
		for _, a := range goldenAccounts {
			id.put([]byte(a))
			if err := t.row(); err != nil {
				return err
			}
		}
	}
	order := newPermutation(hash(m.seed, domainRegistryOrder, 0), m.accounts)
	var buf []byte
	for i := from; i < until; i++ {
		a := account(order.at(i))
		if !m.registered(a) {
			continue
		}
		buf = m.appendAccount(buf[:0], a)
		id.put(buf)
		if err := t.row(); err != nil {
			return err
		}
	}
	return nil
}

// consentEras returns where the files of the consent history are cut: before the
// programme, each of its months, and what is dated later than the horizon's.
func consentEras() []int64 {
	eras := []int64{math.MinInt64, programStart}
	for _, l := range months("2026-02", "2026-12") {
		eras = append(eras, l.month.UnixMicro())
	}
	return append(eras, math.MaxInt64)
}

// consent writes the events effective in [from, until).
func (m *market) consent(from, until int64, t *table) error {
	id, category := text(t, 0), text(t, 1)
	state, at, sequence := field[*array.BooleanBuilder](t, 2), instants(t, 3), field[*array.Int64Builder](t, 4)
	add := func(account []byte, e consentEvent) error {
		if e.at < from || e.at >= until {
			return nil
		}
		id.put(account)
		category.Append(e.category)
		state.Append(e.in)
		at.put(e.at)
		sequence.Append(e.sequence)
		return t.row()
	}
	for _, g := range goldenConsent {
		for _, s := range g.switches {
			if err := add([]byte(g.account), consentEvent{s, g.in, micros(g.at), g.sequence}); err != nil {
				return err
			}
		}
	}
	order := newPermutation(hash(m.seed, domainConsentOrder, uint64(from)), m.accounts)
	var buf []byte
	var events []consentEvent
	for i := range m.accounts {
		a := account(order.at(i))
		if events = m.history(events[:0], a); len(events) == 0 {
			continue
		}
		buf = m.appendAccount(buf[:0], a)
		for _, e := range events {
			if err := add(buf, e); err != nil {
				return err
			}
		}
	}
	return nil
}

// deletions writes the ledger. It goes over a twentieth more accounts than the market
// has, so that some requests are of accounts without a record.
func (m *market) deletions(t *table) error {
	id, at, request := text(t, 0), instants(t, 1), text(t, 2)
	for _, g := range goldenDeletions {
		id.put([]byte(g.account))
		at.put(micros(g.at))
		request.put([]byte(g.request))
		if err := t.row(); err != nil {
			return err
		}
	}
	all := m.accounts + m.accounts/20
	order := newPermutation(hash(m.seed, domainRegistryOrder, 1), all)
	d := newDice(hash(m.seed, domainDeletion, math.MaxUint64))
	var buf []byte
	for i := range all {
		a := account(order.at(i))
		for range m.deletionRequests(a) {
			buf = m.appendAccount(buf[:0], a)
			id.put(buf)
			at.put(d.between(programStart, horizon))
			buf = fmt.Appendf(buf[:0], "dr-%08x", i<<1|d.below(2))
			request.put(buf)
			if err := t.row(); err != nil {
				return err
			}
		}
	}
	return nil
}

// restrictionTable writes the contracts' clauses.
func (m *market) restrictionTable(t *table) error {
	id, from, until := text(t, 0), instants(t, 1), instants(t, 2)
	for _, g := range goldenRestrictions {
		id.put([]byte(g.contract))
		from.put(micros(g.from))
		until.put(goldenInstant(g.until, micros))
		if err := t.row(); err != nil {
			return err
		}
	}
	order := newPermutation(hash(m.seed, domainRestrictionOrder, 0), m.contracts)
	var buf []byte
	for i := range m.contracts {
		c := contract(order.at(i))
		for _, span := range m.restrictions(c) {
			buf = m.appendContract(buf[:0], c)
			id.put(buf)
			from.put(span.from)
			if span.open {
				until.put(none)
			} else {
				until.put(span.until)
			}
			if err := t.row(); err != nil {
				return err
			}
		}
	}
	return nil
}
