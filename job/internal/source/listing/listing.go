// Package listing finds the files that a job reads: what lies under a path of its
// configuration, and whether all of it is read or somebody is told.
//
// Words:
//
//   - An input is what one path of the configuration names: a file, a directory or a
//     glob. A data set is what is decided about; a control input decides: consent,
//     deletions, restrictions, accounts, aliases.
//   - A name is hidden if it begins with "_" or ".", and is not a Hive directory.
//   - A Hive directory is named key=value. It says that the column key has this value
//     in all files below it, which may lack the column.
//   - A side file is one that writers leave beside data and that holds none: .crc, a
//     folder's mark. (_SUCCESS and the like are hidden.)
//   - A stranger is whatever else lies below a directory, and is not read.
//   - A table is a directory with a log that says which of its files count: Delta,
//     Iceberg, Hudi. The rest are old versions and removed rows.
package listing

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"

	"assent/job/internal/objstore"
)

// Kinds of an [Error], for errors.Is.
var (
	ErrNoInput = errors.New("no data files")
	ErrGlob    = errors.New("bad glob")
	// ErrStranger is a file below a control input's directory that is not read.
	ErrStranger = errors.New("files that are not Parquet by their names")
	// ErrUnreadable is a file that counts, but cannot be opened.
	ErrUnreadable = errors.New("cannot be read")
	ErrTable      = errors.New("its log says which of its files count")
	ErrOverlap    = errors.New("the next run would read what this one publishes")
	// ErrAmbiguous is a name that an object and a directory have.
	ErrAmbiguous = errors.New("both an object and a directory")
)

// Error is an input that cannot be used as it stands: its path, or what lies there,
// must change. Repeating the job does not help.
type Error struct {
	Hint string
	Err  error
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

func fail(hint, format string, args ...any) error {
	return &Error{hint, fmt.Errorf(format, args...)}
}

// Use is what an input is for.
type Use int

const (
	Control Use = iota // strangers are an error: a missed opt-out is a wrong decision
	Dataset            // strangers are listed
)

// Inputs are the files of one input.
type Inputs struct {
	Store objstore.Store
	Root  string // URI below which Rel stands
	Files []File // sorted by Rel; never empty
	// Strangers are the names below Root that a data set does not read, quoted, with
	// what they are; for a warning.
	Strangers []string
	// Unseen are the directories above the input, by URI, that may not be looked into:
	// whether it is part of a table is not known there.
	Unseen []string
}

// File is one file of an input.
type File struct {
	objstore.Object
	Rel  string // path below the input's root, slash-separated; unique
	Keys []Key  // of the Hive directories of Rel, outermost first
}

// Finder finds inputs. It remembers what it found, so that one look at a directory
// serves all inputs below it, and [Finder.Apart] can hold them against the output. The
// zero value is ready for use. Find may be called from several goroutines at once.
type Finder struct {
	mu     sync.Mutex // guards:
	inputs []located
	looks  map[string]func() (logged, error) // at a directory, by the ID of its site; each is made once
}

// located is an input and where it really lies.
type located struct {
	uri     string
	at      objstore.Location // of the file, or of the root
	pattern []string          // nil but for a glob
	spots   []spot
}

// Find finds the files that uri stands for:
//
//   - an object: itself, whatever its name; its Rel is its base name;
//   - a directory or prefix: every *.parquet and *.parq below it, at any depth, in
//     upper or lower case;
//   - a glob ("*", "?", "[a-z]" within one path element, "**" across any number of
//     them): every file that matches, whatever its name, and what such a directory
//     holds below each directory that matches. Its root is the longest directory before
//     the first element with such a character. The case of ".parquet" does not matter.
//
// In the latter two, hidden names are left out, unless the glob spells their first
// character, and side files. What exists under the literal name comes before what the
// name matches as a glob.
//
// Nothing there is objstore.ErrNotExist. What the path or its files must be changed
// for is an [Error]: none of these files; below the directory of a control input, a
// stranger; a link that leads nowhere or in a circle; a table at, above or below what
// was named, links resolved. A directory that may not be read is
// objstore.ErrPermission.
func (f *Finder) Find(ctx context.Context, opener *objstore.Opener, uri string, use Use) (Inputs, error) {
	loc, err := objstore.Parse(uri)
	if err != nil {
		return Inputs{}, fail("", "%w", err)
	}
	s := &search{Finder: f, opener: opener, use: use, located: located{uri: uri, at: loc}}
	isFile, err := s.object(ctx)
	if err == nil && !isFile {
		err = s.tree(ctx)
		if dir, pattern, ok := splitGlob(loc); ok && errors.Is(err, objstore.ErrNotExist) {
			s.at, s.pattern = dir, pattern
			err = s.glob(ctx)
		}
	}
	if errors.Is(err, objstore.ErrLoop) || errors.Is(err, objstore.ErrIrregular) {
		err = fail("name a file, a directory or a glob", "%w", err)
	}
	if err != nil {
		return Inputs{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.inputs = append(f.inputs, s.located)
	return s.in, nil
}

// search is one Find.
type search struct {
	*Finder
	located
	opener *objstore.Opener
	use    Use
	in     Inputs
	listed []objstore.Object
	tables map[string]string // formats of the tables below the root, by their directories

	strangers []string
}

// object finds the input if it is an object.
func (s *search) object(ctx context.Context) (bool, error) {
	dir, base := s.at.Split()
	store, err := s.opener.OpenLocation(ctx, dir)
	if err != nil {
		return false, err
	}
	obj, err := store.Stat(ctx, base)
	switch {
	case errors.Is(err, objstore.ErrNotExist), errors.Is(err, objstore.ErrName): // the latter: a root, ".."
		return false, nil
	case err != nil:
		return false, err
	}
	isDir, err := store.Exists(ctx, base)
	switch {
	case err != nil:
		return false, err
	case isDir && (obj.Size == 0 || strings.HasSuffix(s.uri, "/")):
		return false, nil // a folder's mark
	case isDir:
		return false, fail("end the path in / to mean what lies below it", "%s: %w", s.uri, ErrAmbiguous)
	}
	s.in = Inputs{Store: store, Root: dir.String(), Files: []File{{Object: obj, Rel: base}}}
	if err := s.locateFile(dir); err != nil {
		return true, err
	}
	return true, s.checkTables(ctx)
}

// glob finds the files that match the pattern.
func (s *search) glob(ctx context.Context) error {
	for _, element := range s.pattern {
		if _, err := path.Match(element, ""); err != nil {
			return fail(`in a glob, [ begins a set of characters that ] ends; \ before a character takes it as it is`, "%s: %w: %w", s.uri, ErrGlob, err)
		}
	}
	return s.tree(ctx)
}

// tree finds the files below a directory, those that match the pattern if there is one.
func (s *search) tree(ctx context.Context) error {
	store, err := s.opener.OpenLocation(ctx, s.at)
	if err != nil {
		return err
	}
	if s.listed, err = store.List(ctx, ""); err != nil {
		return err
	}
	if len(s.listed) == 0 {
		if exists, err := store.Exists(ctx, ""); err != nil {
			return err
		} else if !exists {
			return fmt.Errorf("%s: %w", s.at, objstore.ErrNotExist)
		}
	}
	s.in = Inputs{Store: store, Root: s.at.String()}
	s.strangers, s.tables = nil, map[string]string{}
	var broken error
	for _, obj := range s.listed {
		if err := s.entry(obj); err != nil && broken == nil {
			broken = err
		}
	}
	if err := s.locateTree(); err != nil {
		return err
	}
	if err := s.checkTables(ctx); err != nil {
		return err
	}
	return s.complain(broken)
}

// entry sorts what is listed into files, strangers and what is left out.
func (s *search) entry(obj objstore.Object) error {
	elements := strings.Split(obj.Name, "/")
	if root, format := tableOf(elements); format != "" {
		s.tables[root] = format
	}
	class := classify(s.pattern, elements)
	if class == leftOut && !(obj.Err != nil && reaches(s.pattern, elements)) {
		return nil
	}
	switch err := obj.Err; {
	case errors.Is(err, objstore.ErrLoop), errors.Is(err, objstore.ErrNotExist):
		return fail("mend or remove the link: it may stand for a directory of files", "%s: %w: %v", s.in.Store.URI(obj.Name), ErrUnreadable, err)
	case errors.Is(err, objstore.ErrName) && class == isRead:
		return fail("give the file a name in UTF-8", "%s: %w: %v", s.in.Store.URI(""), ErrUnreadable, err)
	case err != nil && class != leftOut:
		s.strangers = append(s.strangers, fmt.Sprintf("%q (%v)", obj.Name, err))
	case obj.Size == 0 && s.isDir(obj.Name): // a folder's mark
	case class == isRead:
		s.in.Files = append(s.in.Files, File{Object: obj, Rel: obj.Name, Keys: Keys(path.Dir(obj.Name))})
	case class == isStranger:
		s.strangers = append(s.strangers, fmt.Sprintf("%q", obj.Name))
	}
	return nil
}

// isDir tells whether something is listed below name: an empty object of that name
// is a folder's mark.
func (s *search) isDir(name string) bool {
	i, _ := slices.BinarySearchFunc(s.listed, name+"/", func(o objstore.Object, name string) int { return strings.Compare(o.Name, name) })
	return i < len(s.listed) && strings.HasPrefix(s.listed[i].Name, name+"/")
}

// complain says what is wrong with what was found.
func (s *search) complain(broken error) error {
	if broken != nil {
		return broken
	}
	dir := strings.TrimSuffix(s.at.String(), "/")
	if s.use == Control && len(s.strangers) > 0 {
		return fail(fmt.Sprintf("move them away, or say with a glob which files are meant: %s/**/*.parquet these alone, %s/** all of them", dir, dir),
			"%s: %w: %s", dir, ErrStranger, some(s.strangers))
	}
	s.in.Strangers = s.strangers
	if len(s.in.Files) > 0 {
		return nil
	}
	what := "*.parquet"
	if s.pattern != nil {
		what = strings.Join(s.pattern, "/")
	}
	beside := ""
	if len(s.strangers) > 0 {
		beside = ": " + some(s.strangers)
	}
	return fail(fmt.Sprintf("below a directory, *.parquet and *.parq are read, but no name that begins with _ or . (key=value directories excepted); %s/** reads files of any name", dir),
		"%s: %w: none of %d files is %s and not hidden%s", dir, ErrNoInput, len(s.listed), what, beside)
}

// some lists the first few of many names.
func some(names []string) string {
	const most = 5
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}
