package publish

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"time"

	"assent/job/internal/objstore"
)

// scopesDir is where an output has its registry: which scopes were exported from which run.
const scopesDir = "_scopes"

// Scope is an entry of the registry. It holds no account's id or reference: all that was
// exported from a run is to be looked at when the run is erased.
type Scope struct {
	RunID    string    `json:"run_id"`
	To       string    `json:"to"` // URI
	MadeAt   time.Time `json:"made_at"`
	Accounts int       `json:"accounts"`
	SHA256   string    `json:"manifest_sha256"` // of the scope's manifest
}

func (s *Scope) object() string {
	return path.Join(scopesDir, RunDir(s.RunID), s.MadeAt.UTC().Format("20060102T150405Z")+"-"+s.SHA256[:12]+".json")
}

// Register enters a scope.
func (p *Output) Register(ctx context.Context, s *Scope) error {
	data, err := json.Marshal(s)
	if err == nil {
		_, err = p.Store.Put(ctx, s.object(), append(data, '\n'), objstore.Any)
	}
	return err
}

// Unregister takes a scope out that did not come about.
func (p *Output) Unregister(ctx context.Context, s *Scope) error {
	return p.Store.Delete(ctx, objstore.Object{Name: s.object()})
}

// Scopes returns what was exported from a run, the oldest first.
func (p *Output) Scopes(ctx context.Context, runID string) ([]Scope, error) {
	objects, err := p.Store.List(ctx, path.Join(scopesDir, RunDir(runID)))
	if err != nil {
		return nil, err
	}
	all := []Scope{}
	for _, o := range objects {
		data, _, err := p.Store.Read(ctx, o.Name)
		if err != nil {
			return nil, err
		}
		var s Scope
		if err := json.Unmarshal(data, &s); err != nil {
			return nil, fmt.Errorf("%s: %w", p.Store.URI(o.Name), err)
		}
		all = append(all, s)
	}
	return all, nil
}
