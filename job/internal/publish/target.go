package publish

import (
	"context"
	"path/filepath"

	"assent/job"
	"assent/job/internal/objstore"
)

// OpenTarget opens where a file that an option --to names is to be.
func OpenTarget(ctx context.Context, e *job.Env, uri string) (objstore.Store, string, error) {
	loc, err := objstore.Parse(uri)
	if err != nil {
		return nil, "", job.UsageError("", "--to: %w", err)
	}
	if loc.IsLocal() {
		if loc.Path, err = filepath.Abs(loc.Path); err != nil {
			return nil, "", err
		}
	}
	dir, name := loc.Split()
	store, err := e.Opener.OpenLocation(ctx, dir)
	return store, name, err
}
