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
	Refs     []manifests.Ref            // of all of their ids, sorted
	ids      map[manifests.Ref][]string // of requests that have one
}

// LoadRequests reads the ledger of deletion requests.
func LoadRequests(ctx context.Context, e *job.Env, cfg *config.Config, key *manifests.Key) (*Requests, error) {
	aliases, err := source.ReadAliases(ctx, e, cfg)
	if err != nil {
		return nil, err
	}
	accounts := map[schema.AccountID][]string{} // ids of requests
	err = source.ReadDeletions(ctx, e, cfg, func(id []byte, d filter.Deletion) error {
		account := aliases.Account(schema.AccountID(id))
		ids, ok := accounts[account]
		if !ok {
			ids = []string{}
		}
		if d.Request != "" && !slices.Contains(ids, d.Request) {
			ids = append(ids, d.Request)
		}
		accounts[account] = ids
		return nil
	})
	referrer := key.NewReferrer()
	requests := map[manifests.Ref][]string{}
	for account, ids := range accounts {
		for _, id := range aliases.IDs(account) {
			requests[referrer.Ref([]byte(string(id)))] = ids
		}
	}
	return &Requests{len(accounts), slices.SortedFunc(maps.Keys(requests), compareRefs), requests}, err
}

func compareRefs(a, b manifests.Ref) int { return slices.Compare(a[:], b[:]) }
