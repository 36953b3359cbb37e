package filter

import (
	"errors"
	"iter"
	"slices"

	"assent/schema"
)

// Faults of a list of aliases.
var (
	ErrTwoAccounts = errors.New("the id is an alias of two accounts")
	ErrAliasCycle  = errors.New("the id is an alias of itself, at once or by way of others")
)

// Alias says that alias and account are one account. Chains are followed: the account
// may be an alias itself. Both are ones that b.Account returned.
func (b *Builder) Alias(alias, account Account) error {
	if to, ok := b.aliases[alias]; ok {
		if to != account {
			return ErrTwoAccounts
		}
		return nil
	}
	if b.endOfChain(account) == alias {
		return ErrAliasCycle
	}
	if b.aliases == nil {
		b.aliases, b.nearer = map[Account]Account{}, map[Account]Account{}
	}
	b.aliases[alias], b.nearer[alias] = account, account
	return nil
}

// endOfChain returns the account at the end of a chain. It shortens the way there for
// those who come after.
func (b *Builder) endOfChain(a Account) Account {
	for {
		next, ok := b.nearer[a]
		if !ok {
			return a
		}
		if after, ok := b.nearer[next]; ok {
			b.nearer[a] = after
		}
		a = next
	}
}

// freezeAliases gives all ids of one account one number: that of the id at the end of
// the chain. What the others were told of goes to it.
func (b *Builder) freezeAliases(x *Index) {
	if b.aliases == nil {
		return
	}
	x.same = make([]Account, len(x.flags))
	x.told = make([]Fact, len(x.flags))
	for id := range x.same {
		x.same[id], x.told[id] = Account(id), factsOf(x.flags[id])
	}
	for alias := range b.aliases {
		x.same[alias] = b.endOfChain(alias)
	}
	for alias, account := range b.aliases {
		x.told[alias] |= OfAliases
		x.told[account] |= OfAliases
		x.flags[x.same[alias]] |= x.flags[alias]
	}
	for alias := range b.aliases {
		if d, ok := b.deletions[alias]; ok {
			b.Delete(x.same[alias], d)
			delete(b.deletions, alias)
		}
	}
	moved := map[int]bool{}
	for alias := range b.aliases {
		moved[int(alias>>accountBits)] = true
	}
	for block := range moved {
		b.events.move(block, x.same)
	}
	for i := range b.members {
		m := &b.members[i]
		m.account, m.organisation = x.same[m.account], x.same[m.organisation]
	}
}

// Aliases says which ids are one account, for those who go by ids. Not safe for
// concurrent use while it is added to. A nil one has no alias.
type Aliases struct {
	to     map[schema.AccountID]schema.AccountID
	groups map[schema.AccountID]*aliasGroup
}

// aliasGroup is the ids of one account.
type aliasGroup struct {
	account schema.AccountID // the one that is no alias
	ids     []schema.AccountID
}

// NewAliases returns an empty list.
func NewAliases() *Aliases {
	return &Aliases{to: map[schema.AccountID]schema.AccountID{}, groups: map[schema.AccountID]*aliasGroup{}}
}

// Add says that alias and account are one account.
func (l *Aliases) Add(alias, account schema.AccountID) error {
	if alias == "" || account == "" {
		return ErrNoID
	}
	if to, ok := l.to[alias]; ok {
		if to != account {
			return ErrTwoAccounts
		}
		return nil
	}
	from, into := l.group(alias), l.group(account)
	if from == into {
		return ErrAliasCycle
	}
	l.to[alias] = account
	if len(from.ids) > len(into.ids) { // the fewer ids move
		from.account = into.account
		from, into = into, from
	}
	for _, id := range from.ids {
		l.groups[id] = into
	}
	into.ids = append(into.ids, from.ids...)
	return nil
}

func (l *Aliases) group(id schema.AccountID) *aliasGroup {
	g := l.groups[id]
	if g == nil {
		g = &aliasGroup{id, []schema.AccountID{id}}
		l.groups[id] = g
	}
	return g
}

// Account returns the account that an id stands for: the id itself where it is no alias.
func (l *Aliases) Account(id schema.AccountID) schema.AccountID {
	if l != nil {
		if g := l.groups[id]; g != nil {
			return g.account
		}
	}
	return id
}

// Accounts yields the accounts that have aliases, in no order.
func (l *Aliases) Accounts() iter.Seq[schema.AccountID] {
	return func(yield func(schema.AccountID) bool) {
		for id, g := range l.groups {
			if id == g.account && !yield(id) {
				return
			}
		}
	}
}

// IDs returns all ids of the account that an id stands for, sorted.
func (l *Aliases) IDs(id schema.AccountID) []schema.AccountID {
	if l != nil {
		if g := l.groups[id]; g != nil {
			return slices.Sorted(slices.Values(g.ids))
		}
	}
	return []schema.AccountID{id}
}

// Has reports whether an id is in the list, as an alias or an account.
func (l *Aliases) Has(id schema.AccountID) bool { return l != nil && l.groups[id] != nil }
