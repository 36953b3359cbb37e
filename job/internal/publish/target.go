package publish

import (
	"context"
	"path"
	"path/filepath"
	"strings"

	"assent/job"
	"assent/job/internal/objstore"
)

// OpenTarget opens where a file that an option --to names is to be.
func OpenTarget(ctx context.Context, e *job.Env, uri string) (objstore.Store, string, error) {
	loc, err := objstore.Parse(uri)
	if err != nil {
		return nil, "", job.UsageError("", "--to: %w", err)
	}
	name := path.Base(filepath.ToSlash(loc.Path))
	if loc.IsLocal() {
		if loc.Path, err = filepath.Abs(loc.Path); err != nil {
			return nil, "", err
		}
		loc.Path = filepath.Dir(loc.Path)
	} else {
		loc.Path = strings.TrimSuffix(strings.TrimSuffix(loc.Path, name), "/")
	}
	store, err := e.Opener.OpenLocation(ctx, loc)
	return store, name, err
}
