package objstore

import (
	"context"
	"fmt"
	"path"
	"path/filepath"
	"strings"
)

// Location is a parsed URI: a local path, or a bucket and what is in it.
type Location struct {
	Bucket string // "" for a local path
	Path   string // local path, cleaned; or object name or prefix, without slashes at its ends
}

// IsLocal tells a local path from gs://.
func (l Location) IsLocal() bool { return l.Bucket == "" }

// String is the location's URI, without a trailing slash.
func (l Location) String() string {
	switch {
	case l.IsLocal():
		return l.Path
	case l.Path == "":
		return "gs://" + l.Bucket
	}
	return "gs://" + l.Bucket + "/" + l.Path
}

// Join is the location of a name below l.
func (l Location) Join(name string) Location {
	switch {
	case name == "":
	case l.IsLocal():
		l.Path = filepath.Join(l.Path, filepath.FromSlash(name))
	default:
		l.Path = path.Join(l.Path, name)
	}
	return l
}

// Parse reads a URI: gs://bucket/prefix, file:///path, or a local path, which
// is anything that has no scheme. Other schemes are errors that say what there is.
func Parse(uri string) (Location, error) {
	scheme, rest, found := strings.Cut(uri, "://")
	switch {
	case uri == "":
		return Location{}, fmt.Errorf("empty path")
	case strings.ContainsRune(uri, 0):
		return Location{}, fmt.Errorf("%q: NUL in path", uri)
	case !found || !isScheme(scheme):
		return Location{Path: filepath.Clean(uri)}, nil
	case scheme == "file":
		if !strings.HasPrefix(rest, "/") {
			return Location{}, fmt.Errorf("%s: want file:///path, or the path alone", uri)
		}
		return Location{Path: filepath.Clean(filepath.FromSlash(rest))}, nil
	case scheme == "gs":
		return parseGS(uri, rest)
	}
	return Location{}, fmt.Errorf("%s: unknown scheme %q: a path is local or gs://bucket/prefix", uri, scheme+"://")
}

func parseGS(uri, rest string) (Location, error) {
	bucket, name, _ := strings.Cut(rest, "/")
	if bucket == "" || strings.ContainsAny(bucket, `*?[]\@:`) {
		return Location{}, fmt.Errorf("%s: want gs://bucket/prefix", uri)
	}
	name = strings.TrimSuffix(name, "/")
	if name != "" {
		if err := checkName(name); err != nil {
			return Location{}, fmt.Errorf("%s: %w", uri, err)
		}
	}
	return Location{Bucket: bucket, Path: name}, nil
}

func isScheme(s string) bool {
	for i, c := range []byte(s) {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (i == 0 || !strings.ContainsRune("0123456789+-.", rune(c))) {
			return false
		}
	}
	return s != ""
}

// Opener opens stores, which share one GCS client. The client is made when the
// first gs:// URI is opened, with the environment's credentials (Application
// Default Credentials) or, where STORAGE_EMULATOR_HOST is set, for that host.
// The zero value is ready for use, also by several goroutines.
type Opener struct {
	// Wrap, if set, is applied to every store before it is handed out: tests
	// inject faults through it.
	Wrap func(Store) Store

	gs gsClient
}

// Open returns the store with the root uri. The root need not exist: a missing
// directory is made by the first write, and reads as empty.
func (o *Opener) Open(ctx context.Context, uri string) (Store, error) {
	loc, err := Parse(uri)
	if err != nil {
		return nil, err
	}
	return o.OpenLocation(ctx, loc)
}

// OpenLocation is Open for a parsed URI.
func (o *Opener) OpenLocation(ctx context.Context, loc Location) (Store, error) {
	var s Store
	if loc.IsLocal() {
		s = &fileStore{root: loc.Path}
	} else {
		var err error
		if s, err = o.gs.open(ctx, loc); err != nil {
			return nil, err
		}
	}
	if o.Wrap != nil {
		s = o.Wrap(s)
	}
	return s, nil
}

// Close ends the GCS client's connections, if there is a client.
func (o *Opener) Close() error { return o.gs.close() }
