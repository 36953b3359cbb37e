// Package objstore is the program's only access to storage: a local directory
// or gs://bucket/prefix, with one contract that every store keeps and one
// conformance suite (package storetest) that every store passes.
//
// A store is one file here (file*.go, gs*.go), its line in placeOf (uri.go) and its
// line in the suite. What is its own stays there: the kinds of its errors, what a
// deletion means ([Terms]), what its URIs mean. No code elsewhere asks which store
// it has.
//
// Words:
//
//   - A store is a root, and the objects below it.
//
//   - A name is an object's slash-separated path below the root. Names never
//     leave the root: empty elements, ".", ".." and NUL are refused.
//
//   - A prefix is a name used as a directory: "a/b" covers "a/b/c", neither
//     "a/b" nor "a/bc". The empty prefix covers everything. Directories
//     themselves are not objects.
//
//   - A generation is an opaque token for one content of one name: two equal
//     tokens mean the same bytes. GCS has its own; a file's is made of inode,
//     modification time and size.
//
//   - A marker is the object that makes a tree valid (_SUCCESS): whoever
//     reads a tree looks for it first.
//
//   - Promotion turns a staged tree into a published one, marker last.
//
//   - A lease is an object that says who may publish below a root ([Acquire]).
//
//   - A lineage is where something really lies: its directory, the one above that,
//     and so on to the outermost ([Location.Lineage]).
//
// Files that the local store makes on its way (temporaries, trees on their way
// out) have names that begin with ".assent-"; they are never listed.
package objstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"
)

// Kinds of failure, for errors.Is. Every error names the URI concerned.
var (
	ErrNotExist   = fs.ErrNotExist
	ErrExist      = fs.ErrExist
	ErrPermission = fs.ErrPermission
	// ErrNoSpace is a full disk or an exhausted quota.
	ErrNoSpace = errors.New("no space left")
	// ErrPrecondition means that the object is not in the state that the
	// operation was conditional on; nothing was changed.
	ErrPrecondition = errors.New("object changed in between")
	// ErrChanged means that an object is no longer the one that was listed.
	ErrChanged = errors.New("object changed since it was listed")
	// ErrHeld means that another job holds the lease; see [HeldError].
	ErrHeld = errors.New("held by another job")
	// ErrLoop means that symbolic links lead in a circle.
	ErrLoop = errors.New("links lead in a circle")
	// ErrIrregular means that what has the name is not content that can be read: a
	// pipe, a socket, a device.
	ErrIrregular = errors.New("not a regular file")
	// ErrUnavailable means that the place did not answer, or was busy, for as long as a
	// request is repeated. Whether the operation was carried out is not known.
	ErrUnavailable = errors.New("storage unavailable")
	// ErrNoBucket means that the bucket does not exist. It is an ErrNotExist.
	ErrNoBucket = fmt.Errorf("no such bucket: %w", ErrNotExist)
	// ErrPayer means that the place wants to know whom to bill.
	ErrPayer = errors.New("requester pays")
	// ErrName is a name or prefix that could leave the root.
	ErrName = errors.New("invalid object name")
)

// ReadLimit is the size in bytes up to which [Store.Read] takes an object.
const ReadLimit = 64 << 20

// Store is the access to the objects below one root. It is safe for use by
// several goroutines. Every method returns early when its context ends.
type Store interface {
	// URI is the path or gs:// URL of a name, for messages; of the root for "".
	URI(name string) string

	// List returns all that lies below prefix, at any depth, sorted by the bytes
	// of their names. A missing prefix is an empty list. Nothing is left out but
	// directories and what stands for one: what cannot be opened is listed with
	// Err. A place may have names that could not be a path: they
	// have one all the same ("a//b" is "a/%2F/b"), here and wherever a name is given.
	//
	// Locally, symbolic links are followed; one that leads to a directory it stands
	// in is left out, as all below it is listed anyway.
	List(ctx context.Context, prefix string) ([]Object, error)

	// Exists tells whether there is a directory prefix: something is below it or,
	// where the place has directories of their own, an empty one is there. One request.
	Exists(ctx context.Context, prefix string) (bool, error)

	// Dirs returns the names of the directories directly below prefix, sorted.
	// It costs a request a thousand directories, however much they hold. On
	// GCS a directory is what at least one object is below.
	Dirs(ctx context.Context, prefix string) ([]string, error)

	// Stat describes an object. ErrNotExist if there is none, also where name
	// is a directory.
	Stat(ctx context.Context, name string) (Object, error)

	// Terms says what it means that objects were deleted at an instant. Beside an
	// error it says what is known without asking the place.
	Terms(ctx context.Context, deleted time.Time) (Terms, error)

	// Identity is a stable string for the content of obj, fit for manifests:
	// "generation:<n>" on GCS, which costs nothing where obj was listed;
	// "crc32c:<8 hex digits>" for a file, which reads it once.
	Identity(ctx context.Context, obj Object) (string, error)

	// Open reads obj as it was listed: where obj has a generation and another
	// one is there by now, this fails with ErrChanged, or reads from the
	// former. The caller closes the Reader. The reads run under ctx.
	Open(ctx context.Context, obj Object) (Reader, error)

	// Create starts a new object, or a new content for an existing one. What
	// is there stays as it is until Finish. The caller ends the Writer with
	// Finish or Abort. The writes run under ctx.
	Create(ctx context.Context, name string) (Writer, error)

	// Read returns the content of an object of at most ReadLimit bytes, and
	// what Stat would have said of just that content. The caller owns the bytes.
	Read(ctx context.Context, name string) ([]byte, Object, error)

	// Put writes a small object atomically and durably, if cond holds, else
	// fails with ErrPrecondition. It returns the object as written. It keeps
	// no reference to data.
	Put(ctx context.Context, name string, data []byte, cond Condition) (Object, error)

	// Copy makes the object to, which must not exist, with the content of from, whose
	// bytes do not pass through this process: a hard link locally (a copy where the
	// file system has no links between the two places), a rewrite on the server on
	// GCS. from is as it was listed: where it has a generation and another one is
	// there, this fails with ErrChanged, where nothing is there, with ErrNotExist.
	// Where to exists, whatever it holds, it fails with ErrPrecondition. Size and, on
	// GCS, CRC32C of the result are checked. It returns the object as made, visible
	// and durable.
	//
	// A hard link shares the file: who writes to one of the two names in place changes
	// both. No method of a store ever does that.
	Copy(ctx context.Context, from Object, to string) (Object, error)

	// Delete removes an object; one that is missing is no error. Where obj has
	// a generation and another one is there, it fails with ErrPrecondition.
	Delete(ctx context.Context, obj Object) error

	// Promote makes the tree below from the tree below to, together with the objects of
	// with, which lie elsewhere in the store: each has its name below to there. last is
	// the marker, relative to both. If to/last exists, it fails with ErrExist and touches
	// nothing; if to exists without it, that is what an interrupted promotion left, and is
	// removed. from/last and the objects of with must exist: else ErrNotExist; one that has
	// a generation must still have it. Neither of from and to may be in the other.
	//
	// A file store links the objects of with, or copies them where it cannot, and renames
	// once: readers see all of to or none. On GCS all else is copied (on the server,
	// checked) before the marker, and what is below from is deleted after it: readers must
	// look for the marker. The objects of with stay.
	//
	// After an error or a crash at any point a repeat either finishes the job
	// or fails with ErrExist because it had been done; what is left below from
	// then is for RemoveAll. Two promotions to one place at a time are the
	// caller's to prevent ([Acquire]).
	Promote(ctx context.Context, from, to, last string, with map[string]Object) error

	// RemoveAll removes all objects below prefix; a missing prefix is no
	// error, an empty one is refused. A file store moves the tree aside first,
	// so that readers never see half of it; it also finishes removals that
	// were interrupted in the same parent directory, and removes the directories
	// above that are empty then, but the root. GCS deletes the objects directly
	// below prefix whose names begin with _ first, as those of markers do.
	RemoveAll(ctx context.Context, prefix string) error
}

// Object describes one object at one moment.
type Object struct {
	Name       string // below the store's root
	Size       int64  // bytes
	Generation string // opaque; "" if not known
	CRC32C     uint32 // Castagnoli, of the whole content; only if HasCRC
	HasCRC     bool   // GCS: always; files: never
	Modified   time.Time

	// Changed is when a local file, its content or its status, was changed last, by the system's word. Zero where that is not known.
	Changed time.Time `json:"-"`

	// Versioned says that the place itself knows this content by its generation, so
	// that a document can cite it. GCS: always; files: never.
	Versioned bool
	// Link is the name, the object's own or a directory's, of the last symbolic link
	// that led from the listed prefix to here; "" for none.
	Link string
	// Err is why what is listed cannot be opened: ErrIrregular, ErrLoop, ErrName, or
	// ErrNotExist for a link that leads nowhere. Nil for an object. It names no URI.
	Err error
}

// Reader reads one content of one object. ReadAt may be called from several
// goroutines at once; on GCS each call is one range request, so callers ask
// for long ranges.
type Reader interface {
	io.ReaderAt
	io.Closer
	Size() int64 // bytes
	// Unchanged fails with ErrChanged if the name no longer has the content
	// that was opened: call it after the last read.
	Unchanged(ctx context.Context) error
}

// Ahead is a Reader of a place that answers late. What its caller announces it asks for at
// once, in few requests, as far as there is room (see [AheadMemory]). Announcements change
// what is waited for, never what is read.
type Ahead interface {
	Reader
	// WillRead announces that the bytes from one offset up to another will be read.
	WillRead(from, to int64)
	// Passed says that what lies before an offset will not be read again.
	Passed(before int64)
}

// Writer writes one object, which nobody sees before Finish. It is for one
// goroutine.
type Writer interface {
	io.Writer
	// Finish makes the object visible and durable, after a check of its length
	// (on GCS: and its CRC32C). After an error the object was not replaced, as
	// far as can be known, and the caller calls Abort.
	Finish(ctx context.Context) error
	// Abort drops what was written. It may be called more than once; after
	// Finish succeeded it does nothing, so it can be deferred.
	Abort()
}

// Condition says what must be there for Put to write. The zero value is [Any].
type Condition struct {
	absent     bool
	generation string
}

// Any writes whatever is there.
var Any = Condition{}

// IfAbsent writes only where no such object exists.
var IfAbsent = Condition{absent: true}

// IfGeneration writes only over the content that has this generation. The
// empty generation never matches.
func IfGeneration(generation string) Condition {
	if generation == "" {
		generation = "none"
	}
	return Condition{generation: generation}
}

// storeError is an error of one storage operation.
type storeError struct {
	uri, op string
	kind    error // one of the sentinels, or nil
	err     error
	hint    string // the next step, in the store's own words
}

// Hint is what a store says may be done about its error; "" where it says nothing.
func Hint(err error) string {
	if e, ok := errors.AsType[*storeError](err); ok {
		return e.hint
	}
	return ""
}

func (e *storeError) Error() string {
	return fmt.Sprintf("%s: %s: %v", e.uri, e.op, e.err)
}

func (e *storeError) Unwrap() []error {
	if e.kind == nil {
		return []error{e.err}
	}
	return []error{e.kind, e.err}
}

// storageError names the URI and the operation in err, which kind has classified:
// one of the sentinels or nil. Errors that were named before, and nil, are returned
// as they are. Each store has its own kinds, and its own message where the
// library's would repeat the operation or run over many lines.
func storageError(uri, op string, err error, kind func(error) error, message func(error) error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*storeError](err); ok {
		return err
	}
	return &storeError{uri: uri, op: op, kind: kind(err), err: message(err)}
}

// checkName reports whether name is a name; checkPrefix allows "" too.
func checkName(name string) error {
	if !fs.ValidPath(name) || name == "." || strings.ContainsRune(name, 0) {
		return fmt.Errorf("%w: %q", ErrName, name)
	}
	return nil
}

// checkApart refuses two trees of which one is in the other.
func checkApart(a, b string) error {
	if strings.HasPrefix(a+"/", b+"/") || strings.HasPrefix(b+"/", a+"/") {
		return fmt.Errorf("%w: %q and %q overlap", ErrName, a, b)
	}
	return nil
}

// cleanPrefix drops a trailing slash and checks the rest.
func cleanPrefix(prefix string) (string, error) {
	prefix = strings.TrimSuffix(prefix, "/")
	if prefix == "" {
		return "", nil
	}
	return prefix, checkName(prefix)
}
