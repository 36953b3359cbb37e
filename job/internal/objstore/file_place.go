package objstore

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// filePlace is the file system of this machine.
type filePlace struct{}

func (filePlace) open(_ context.Context, o *Opener, loc Location) (Store, error) {
	return &fileStore{root: loc.Path, hook: o.Step}, nil
}

func (filePlace) parse(uri, rest string) (Location, error) {
	if !strings.HasPrefix(rest, "/") {
		return Location{}, fmt.Errorf("%s: want file:///path, or the path alone", uri)
	}
	return Location{Path: filepath.Clean(filepath.FromSlash(rest))}, nil
}

func (filePlace) uri(l Location) string { return l.Path }

func (filePlace) join(l Location, name string) Location {
	return Location{Path: filepath.Join(l.Path, filepath.FromSlash(name))}
}

func (filePlace) split(l Location) (Location, string) {
	return Location{Path: filepath.Dir(l.Path)}, filepath.Base(l.Path)
}

// lineage knows directories by device and inode, so links and bind mounts are seen
// through.
func (filePlace) lineage(l Location) ([]Site, error) {
	abs, err := filepath.Abs(l.Path)
	if err != nil {
		return nil, err
	}
	existing, missing := abs, []string(nil) // innermost first
	for {
		_, err = os.Stat(existing)
		if !gone(err) || filepath.Dir(existing) == existing {
			break
		}
		missing = append(missing, filepath.Base(existing))
		existing = filepath.Dir(existing)
	}
	if err == nil {
		existing, err = filepath.EvalSymlinks(existing)
	}
	if err != nil {
		return nil, fileError(l.Path, "stat", err)
	}
	var sites []Site
	for dir := existing; ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil {
			return nil, fileError(dir, "stat", err)
		}
		id, ok := fileID(info)
		if !ok {
			id = dir
		}
		sites = append(sites, Site{Location{Path: dir}, id})
		if filepath.Dir(dir) == dir {
			break
		}
	}
	at := sites[0]
	for i := len(missing) - 1; i >= 0; i-- {
		at = Site{Location{Path: filepath.Join(at.Location.Path, missing[i])}, at.ID + "/" + missing[i]}
		sites = append([]Site{at}, sites...)
	}
	return sites, nil
}

// Terms of a directory: its file system is not asked, as it does not say.
func (s *fileStore) Terms(ctx context.Context, deleted time.Time) (Terms, error) {
	return Terms{Kind: "directory", GoneFrom: &deleted, Meaning: []string{
		"the files were unlinked; the file system reuses their blocks in its own time, and its snapshots and backups keep what they have",
	}}, fileError(s.root, "stat", ctx.Err())
}
