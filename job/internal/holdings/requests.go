// Package holdings finds out which rows of a published run name which accounts, from
// the run's subject indexes.
//
//   - requests: the accounts that asked for deletion, by their references, as the ledger
//     of the configuration has them.
//   - held: a run holds an account if a record that it kept names it, as a party or as
//     another subject.
//   - subject index: an object of the run, one for each data file, that lists the rows
//     that name an account, by the account's reference.
package holdings

import (
	"context"
	"maps"
	"slices"
	"time"

	"assent/filter"
	"assent/job"
	"assent/job/internal/config"
	"assent/job/internal/source"
	"assent/manifests"
	"assent/schema"
)

// Requests are the accounts with a deletion request.
type Requests struct {
	Accounts int
	Refs     []manifests.Ref             // of all of their ids, sorted
	asked    map[manifests.Ref][]Request // of each account, under all of its ids
	all      []Asked
}

// Request is a deletion request. Either may be missing.
type Request struct {
	ID string     `json:"request_id,omitempty"`
	At *time.Time `json:"requested_at,omitempty"`
}

// Asked is an account with its requests, by the references of its ids. The first of these
// is that of the account itself, where the others are its aliases'.
type Asked struct {
	Refs     []manifests.Ref
	Requests []Request
}

// All returns the accounts, in the order of their first references.
func (q *Requests) All() []Asked { return q.all }

// Of returns the requests of the account that a reference stands for; nil where it has none.
func (q *Requests) Of(ref manifests.Ref) []Request { return q.asked[ref] }

// LoadRequests reads the ledger of deletion requests.
func LoadRequests(ctx context.Context, e *job.Env, cfg *config.Config, key *manifests.Key) (*Requests, error) {
	aliases, err := source.ReadAliases(ctx, e, cfg)
	if err != nil {
		return nil, err
	}
	accounts := map[schema.AccountID][]Request{}
	err = source.ReadDeletions(ctx, e, cfg, func(id []byte, d filter.Deletion) error {
		r := Request{ID: d.Request}
		if d.RequestedAt != schema.Unknown {
			at := d.RequestedAt.Time()
			r.At = &at
		}
		account := aliases.Account(schema.AccountID(id))
		if !slices.ContainsFunc(accounts[account], r.same) {
			accounts[account] = append(accounts[account], r)
		}
		return nil
	})
	q := &Requests{Accounts: len(accounts), asked: map[manifests.Ref][]Request{}}
	referrer := key.NewReferrer()
	for account, requests := range accounts {
		a := Asked{Refs: []manifests.Ref{referrer.Ref([]byte(string(account)))}, Requests: requests}
		for _, id := range aliases.IDs(account) {
			ref := referrer.Ref([]byte(string(id)))
			if q.asked[ref] = requests; ref != a.Refs[0] {
				a.Refs = append(a.Refs, ref)
			}
		}
		q.all = append(q.all, a)
	}
	slices.SortFunc(q.all, func(a, b Asked) int { return compareRefs(a.Refs[0], b.Refs[0]) })
	q.Refs = slices.SortedFunc(maps.Keys(q.asked), compareRefs)
	return q, err
}

func (r Request) same(other Request) bool {
	return r.ID == other.ID && (r.At == nil) == (other.At == nil) && (r.At == nil || r.At.Equal(*other.At))
}

func compareRefs(a, b manifests.Ref) int { return slices.Compare(a[:], b[:]) }
