package verify

import (
	"context"
	"maps"

	"assent/filter"
	"assent/schema"
)

// Aliases make one account of several ids, and organisations are parties beside their
// members. Facts are gathered under the id that filter.World.Account returns; an account
// that data files name by several ids is counted once.

func (a *audit) aliasesOf(files []*input, list *filter.Aliases) controlInput {
	cfg := a.cfg.Aliases
	columns := func(b *binder) []*keyReader {
		const under = "inputs.aliases.columns."
		return []*keyReader{b.id(under+"alias", cfg.Alias.Path), b.id(under+"account", cfg.Account.Path)}
	}
	take := func(row []key) string {
		if list.Add(schema.AccountID(row[0].text()), schema.AccountID(row[1].text())) != nil {
			return "the alias is not of one account, and the run was published"
		}
		return ""
	}
	return controlInput{files: files, deleted: cfg.Deleted, columns: columns, take: take}
}

func (a *audit) membersOf(files []*input, w *facts) controlInput {
	cfg := a.cfg.Organisations
	columns := func(b *binder) []*keyReader {
		const under = "inputs.organisations.columns."
		return []*keyReader{
			b.id(under+"account", cfg.Account.Path), b.id(under+"organisation", cfg.Organisation.Path),
			b.instant(cfg.Units["from"])(under+"from", cfg.From.Path), b.optional(under+"until", cfg.Until, b.instant(cfg.Units["until"])),
		}
	}
	take := func(row []key) string {
		span := schema.Span{From: row[2].instant(), Until: schema.Forever}
		if !row[3].IsNull() {
			span.Until = row[3].instant()
		}
		member, organisation := row[0].appendID(nil), row[1].appendID(nil)
		if len(member) == 0 || len(organisation) == 0 || span.From == schema.Unknown || span.Until < span.From {
			return "the membership is not complete, and the run was published"
		}
		of := w.world.Account(schema.AccountID(organisation))
		account, named := w.concerned(member)
		if named == nil {
			w.other(roleOrganisations, member)
			return ""
		}
		w.organisations[of] = true
		w.world.Memberships[account] = append(w.world.Memberships[account], filter.Membership{Span: span, Organisation: of})
		return ""
	}
	return controlInput{files, cfg.AssumeUTC, cfg.Deleted, columns, take}
}

// loadGroups reads aliases and memberships, which say whom all other facts concern.
func (a *audit) loadGroups(ctx context.Context, in *inputs, w *facts, found *differences) error {
	if a.cfg.Aliases != nil {
		w.world.Aliases = filter.NewAliases()
		aliases := a.aliasesOf(in.aliases, w.world.Aliases)
		if err := aliases.scan(ctx, found); err != nil {
			return err
		}
		w.mergeAliases()
	}
	if a.cfg.Organisations == nil {
		return nil
	}
	members := a.membersOf(in.organisations, w)
	err := members.scan(ctx, found)
	w.ids[roleOrganisations].matched = len(w.world.Memberships)
	return err
}

// mergeAliases finds the accounts that data files name by an id that is in the list of
// aliases.
func (w *facts) mergeAliases() {
	list := w.world.Aliases
	for _, x := range w.accounts {
		if !list.Has(x.id) {
			continue
		}
		account := list.Account(x.id)
		if first := w.merged[account]; first != nil {
			first.parties |= x.parties
			x.parties, x.counted = 0, true
			w.more++
			continue
		}
		w.merged[account] = x
	}
	w.ids[roleAliases].matched = len(w.merged)
	for account := range list.Accounts() {
		if w.merged[account] == nil {
			w.ids[roleAliases].other([]byte(string(account)))
		}
	}
}

// concerned returns under which id facts about an account stand, and the account where
// data files name it by any of its ids.
func (w *facts) concerned(id []byte) (schema.AccountID, *account) {
	if w.world.Aliases == nil {
		if x := w.accounts[string(id)]; x != nil {
			return x.id, x
		}
		return "", nil
	}
	account := w.world.Account(schema.AccountID(id))
	if x := w.merged[account]; x != nil {
		return account, x
	}
	return account, w.accounts[string(account)]
}

// other counts an id of a control input that no data file names.
func (w *facts) other(role string, id []byte) {
	if w.world.Aliases != nil {
		id = []byte(string(w.world.Account(schema.AccountID(id))))
	}
	w.ids[role].other(id)
}

// readAliases returns the list of aliases as it is now; nil where none is configured.
func (a *audit) readAliases(ctx context.Context) (*filter.Aliases, error) {
	if a.cfg.Aliases == nil {
		return nil, nil
	}
	list := filter.NewAliases()
	return list, a.readNow(ctx, roleAliases, a.cfg.Aliases.Path, func(files []*input) controlInput { return a.aliasesOf(files, list) })
}

// withAliases adds the other ids of some accounts.
func withAliases(ids map[string]bool, list *filter.Aliases) map[string]bool {
	all := maps.Clone(ids)
	done := map[schema.AccountID]bool{}
	for id := range ids {
		account := list.Account(schema.AccountID(id))
		if done[account] || !list.Has(account) {
			continue
		}
		done[account] = true
		for _, other := range list.IDs(account) {
			all[string(other)] = true
		}
	}
	return all
}
