package sample

// Accounts that were merged, and organisations of accounts.

type (
	aliasRow struct {
		Old     []byte `parquet:"old_account_id,string,plain"`
		Account []byte `parquet:"account_id,string,dict"`
	}
	membershipRow struct {
		Account      []byte `parquet:"account_id,string,dict"`
		Organisation []byte `parquet:"organisation_id,string,dict"`
		From         int64  `parquet:"from,timestamp(microsecond),plain"`
		Until        *int64 `parquet:"until,timestamp(microsecond),plain"`
	}
)

// mergedAt is when accounts were merged. Until then their switches were turned under the old id.
var mergedAt = micros("2026-06-15T00:00:00Z")

// merged says whether an account was made of two: one in a hundred was.
func (m *market) merged(a account) bool { return hash(m.seed, domainAlias, uint64(a))%100 == 0 }

// appendOld appends the old id of a merged account, which no other account has.
func (m *market) appendOld(dst []byte, a account) []byte {
	return appendID(append(dst, "ac"...), m.accountIDs.at(1<<(idBits-1)+uint64(a)))
}

// aliases writes the accounts that were merged.
func (m *market) aliases(t *table) error {
	for _, g := range goldenAliases {
		if err := t.add(&aliasRow{[]byte(g.old), []byte(g.account)}); err != nil {
			return err
		}
	}
	order := newPermutation(hash(m.seed, domainAlias, ^uint64(0)), m.accounts)
	for i := range m.accounts {
		if a := account(order.at(i)); m.merged(a) {
			if err := t.add(&aliasRow{m.appendOld(nil, a), m.appendAccount(nil, a)}); err != nil {
				return err
			}
		}
	}
	return nil
}

// organisation numbers the organisations of a market from 0. An organisation has a switch, as an account has.
type organisation uint64

func (m *market) organisations() uint64 { return max(4, m.accounts/200) }

func (m *market) appendOrganisation(dst []byte, o organisation) []byte {
	return appendID(append(dst, "or"...), m.accountIDs.at(1<<(idBits-2)+uint64(o)))
}

// leaves returns when an organisation opts out of everything: one in four does.
func (m *market) leaves(o organisation) (at int64, ok bool) {
	if o%4 != 1 {
		return 0, false
	}
	return during(newDice(hash(m.seed, domainMembership, ^uint64(o)))), true
}

// membership returns the organisation of an account: one account in forty has one.
func (m *market) membership(a account) (o organisation, from, until int64, ok bool) {
	d := newDice(hash(m.seed, domainMembership, uint64(a)))
	if !d.oneIn(40) {
		return 0, 0, 0, false
	}
	o, from, until = organisation(d.below(m.organisations())), midnight(d.between(programStart-100*day, horizon)), none
	if d.oneIn(3) {
		until = from + d.between(10*day, 200*day)
	}
	return o, from, until, true
}

// memberships writes which account belonged to which organisation.
func (m *market) memberships(t *table) error {
	for _, g := range goldenMemberships {
		if err := t.add(&membershipRow{[]byte(g.account), []byte(g.organisation), micros(g.from), goldenInstant(g.until, micros)}); err != nil {
			return err
		}
	}
	order := newPermutation(hash(m.seed, domainMembership, 1<<62), m.accounts)
	for i := range m.accounts {
		a := account(order.at(i))
		o, from, until, ok := m.membership(a)
		if !ok {
			continue
		}
		if err := t.add(&membershipRow{m.appendAccount(nil, a), m.appendOrganisation(nil, o), from, nullable(until)}); err != nil {
			return err
		}
	}
	return nil
}
