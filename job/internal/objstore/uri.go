package objstore

import (
	"context"
	"fmt"
	"path"
	"path/filepath"
	"strings"
)

// Location is a parsed URI: where an object or the root of a store lies. [Parse]
// makes it.
type Location struct {
	Scheme string // "" for a local path
	Bucket string // "" for a local path
	Path   string // local path, cleaned; or object name or prefix, without slashes at its ends
}

// Site is a directory of a [Location.Lineage].
type Site struct {
	Location Location
	// ID is equal for two sites if, and only if, they are the same directory, however
	// it was named.
	ID string
}

// place is a kind of place that stores lie in. It says what its URIs mean.
type place interface {
	// parse reads uri, of which rest is what follows "scheme://".
	parse(uri, rest string) (Location, error)
	uri(Location) string
	join(l Location, name string) Location
	split(Location) (dir Location, base string)
	lineage(Location) ([]Site, error)
	open(context.Context, *Opener, Location) (Store, error)
}

// placeOf is the list of stores.
func placeOf(scheme string) place {
	switch scheme {
	case "", "file":
		return filePlace{}
	case "gs":
		return gsPlace{buckets{scheme}}
	}
	return nil
}

func (l Location) place() place { return placeOf(l.Scheme) }

// IsLocal tells whether l is a path of this machine's file system. Nothing else
// follows from the answer no.
func (l Location) IsLocal() bool { return l.Scheme == "" }

// String is the location's URI, without a trailing slash.
func (l Location) String() string { return l.place().uri(l) }

// Join is the location of a name below l.
func (l Location) Join(name string) Location {
	if name == "" {
		return l
	}
	return l.place().join(l, name)
}

// Split cuts l into its directory and its name there. The name of a root is not one
// that a store takes ("", "/", ".").
func (l Location) Split() (dir Location, base string) { return l.place().split(l) }

// Lineage is l as it really lies and the directories above it, l first, the
// outermost last. Links are resolved as far as l exists; what does not exist yet is
// where its name puts it. So a lies in b, or is b, if the ID of b's first site is
// among those of a. ErrLoop where links lead in a circle.
func (l Location) Lineage() ([]Site, error) { return l.place().lineage(l) }

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
	}
	p := placeOf(scheme)
	if p == nil {
		return Location{}, fmt.Errorf("%s: unknown scheme %q: a path is local or gs://bucket/prefix", uri, scheme+"://")
	}
	return p.parse(uri, rest)
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

// buckets are the URIs of an object store: scheme://bucket/name. A bucket is flat: it
// has neither directories of their own nor links.
type buckets struct{ scheme string }

func (b buckets) parse(uri, rest string) (Location, error) {
	bucket, name, _ := strings.Cut(rest, "/")
	if bucket == "" || strings.ContainsAny(bucket, `*?[]\@:`) {
		return Location{}, fmt.Errorf("%s: want %s://bucket/prefix", uri, b.scheme)
	}
	name = strings.TrimSuffix(name, "/")
	if name != "" {
		if err := checkName(name); err != nil {
			return Location{}, fmt.Errorf("%s: %w", uri, err)
		}
	}
	return Location{Scheme: b.scheme, Bucket: bucket, Path: name}, nil
}

func (b buckets) uri(l Location) string {
	return strings.TrimSuffix(b.scheme+"://"+l.Bucket+"/"+l.Path, "/")
}

func (buckets) join(l Location, name string) Location {
	l.Path = path.Join(l.Path, name)
	return l
}

func (buckets) split(l Location) (Location, string) {
	slash := strings.LastIndexByte(l.Path, '/')
	base := l.Path[slash+1:]
	l.Path = l.Path[:max(slash, 0)]
	return l, base
}

func (b buckets) lineage(l Location) ([]Site, error) {
	sites := []Site{{l, b.uri(l)}}
	for l.Path != "" {
		l, _ = b.split(l)
		sites = append(sites, Site{l, b.uri(l)})
	}
	return sites, nil
}

// Opener opens stores, which share one GCS client. The client is made when the
// first gs:// URI is opened, with the environment's credentials (Application
// Default Credentials) or, where STORAGE_EMULATOR_HOST is set, for that host.
// The zero value is ready for use, also by several goroutines.
type Opener struct {
	// Wrap, if set, is applied to every store before it is handed out: tests
	// inject faults through it.
	Wrap func(Store) Store
	// Step, if set, is asked before each step by which a directory's store changes the
	// file system: what it is about to do (create, write, sync, link, rename, remove,
	// mkdir, syncdir), and the path. An error from it stands for the step's. Tests
	// simulate crashes within an operation with it.
	Step func(step, path string) error

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
	s, err := loc.place().open(ctx, o, loc)
	if err != nil {
		return nil, err
	}
	if o.Wrap != nil {
		s = o.Wrap(s)
	}
	return s, nil
}

// Close ends the GCS client's connections, if there is a client.
func (o *Opener) Close() error { return o.gs.close() }
