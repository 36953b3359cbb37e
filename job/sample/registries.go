package sample

import (
	"fmt"
	"math"
)

// The rows of the inputs. A null is nil.
type (
	accountRow struct {
		Account []byte `parquet:"account_id,string,dict"`
	}
	consentRow struct {
		Account   []byte `parquet:"account_id,string,dict"`
		Category  string `parquet:"category,dict"`
		In        bool   `parquet:"opted_in,plain"`
		Effective int64  `parquet:"effective_at,timestamp(microsecond),plain"`
		Sequence  int64  `parquet:"sequence,plain"`
	}
	deletionRow struct {
		Account   []byte `parquet:"account_id,string,dict"`
		Requested int64  `parquet:"requested_at,timestamp(microsecond),plain"`
		Request   []byte `parquet:"request_id,string,plain"`
	}
	restrictionRow struct {
		Contract []byte `parquet:"contract_id,string,dict"`
		From     int64  `parquet:"from,timestamp(microsecond),plain"`
		Until    *int64 `parquet:"until,timestamp(microsecond),plain"`
	}
)

// The inputs beside the data sets. Their rows come in the order of a permutation,
// as no real export is sorted by account.

// registry writes accounts [from, until) of the registry's order.
func (m *market) registry(from, until uint64, t *table) error {
	if from == 0 {
		for _, a := range goldenAccounts {
			if err := t.add(&accountRow{[]byte(a)}); err != nil {
				return err
			}
		}
	}
	order := newPermutation(hash(m.seed, domainRegistryOrder, 0), m.accounts)
	var r accountRow
	for i := from; i < until; i++ {
		a := account(order.at(i))
		if !m.registered(a) {
			continue
		}
		r.Account = m.appendAccount(r.Account[:0], a)
		if err := t.add(&r); err != nil {
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
	add := func(account []byte, e consentEvent) error {
		if e.at < from || e.at >= until {
			return nil
		}
		return t.add(&consentRow{account, e.category, e.in, e.at, e.sequence})
	}
	for _, g := range goldenConsent {
		for _, s := range g.switches {
			if err := add([]byte(g.account), consentEvent{s, g.in, micros(g.at), g.sequence}); err != nil {
				return err
			}
		}
	}
	for o := range organisation(m.organisations()) {
		at, leaves := m.leaves(o)
		for _, category := range allSwitches {
			if !leaves {
				break
			}
			if err := add(m.appendOrganisation(nil, o), consentEvent{category, false, at, 1}); err != nil {
				return err
			}
		}
	}
	order := newPermutation(hash(m.seed, domainConsentOrder, uint64(from)), m.accounts)
	var buf, old []byte
	var events []consentEvent
	for i := range m.accounts {
		a := account(order.at(i))
		if events = m.history(events[:0], a); len(events) == 0 {
			continue
		}
		buf = m.appendAccount(buf[:0], a)
		if old = buf; m.merged(a) {
			old = m.appendOld(nil, a)
		}
		for _, e := range events {
			id := buf
			if e.at < mergedAt {
				id = old
			}
			if err := add(id, e); err != nil {
				return err
			}
		}
	}
	return nil
}

// deletions writes the ledger. It goes over a twentieth more accounts than the market
// has, so that some requests are of accounts without a record.
func (m *market) deletions(t *table) error {
	for _, g := range goldenDeletions {
		if err := t.add(&deletionRow{[]byte(g.account), micros(g.at), []byte(g.request)}); err != nil {
			return err
		}
	}
	all := m.accounts + m.accounts/20
	order := newPermutation(hash(m.seed, domainRegistryOrder, 1), all)
	d := newDice(hash(m.seed, domainDeletion, math.MaxUint64))
	var r deletionRow
	for i := range all {
		a := account(order.at(i))
		for range m.deletionRequests(a) {
			r.Account = m.appendAccount(r.Account[:0], a)
			r.Requested = d.between(programStart, horizon)
			r.Request = fmt.Appendf(r.Request[:0], "dr-%08x", i<<1|d.below(2))
			if err := t.add(&r); err != nil {
				return err
			}
		}
	}
	return nil
}

// restrictionTable writes the contracts' clauses.
func (m *market) restrictionTable(t *table) error {
	for _, g := range goldenRestrictions {
		if err := t.add(&restrictionRow{[]byte(g.contract), micros(g.from), goldenInstant(g.until, micros)}); err != nil {
			return err
		}
	}
	order := newPermutation(hash(m.seed, domainRestrictionOrder, 0), m.contracts)
	var r restrictionRow
	for i := range m.contracts {
		c := contract(order.at(i))
		for _, span := range m.restrictions(c) {
			r.Contract = m.appendContract(r.Contract[:0], c)
			r.From, r.Until = span.from, nullable(span.until)
			if err := t.add(&r); err != nil {
				return err
			}
		}
	}
	return nil
}
