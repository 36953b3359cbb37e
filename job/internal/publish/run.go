package publish

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"assent/job"
	"assent/job/internal/objstore"
	"assent/job/parquet"
	"assent/manifests"
)

// RunPrefix begins the name of a run's directory below the output.
const RunPrefix = "run="

// RunDir is a run's directory below the output.
func RunDir(id string) string { return RunPrefix + id }

// CompleteID is the form of a run's id. Directories of another name are nobody's runs.
var CompleteID = regexp.MustCompile(`^[0-9]{8}T[0-9]{6}Z-[0-9a-f]{12}$`)

// SplitRun splits the URI of a run into the output and the run's directory there.
func SplitRun(uri string) (objstore.Location, string, error) {
	loc, err := objstore.Parse(uri)
	if err != nil {
		return loc, "", job.UsageError("", "%w", err)
	}
	output, dir := loc.Split()
	if !strings.HasPrefix(dir, RunPrefix) {
		return output, "", job.UsageError("`assent runs -c job.yaml` lists them", "--run %s is no run's directory, <output>/run=<id>", uri)
	}
	return output, dir, nil
}

// SplitPlan splits the URI of a plan into the output and the plan's id.
func SplitPlan(uri string) (objstore.Location, string, error) {
	loc, err := objstore.Parse(uri)
	if err != nil {
		return loc, "", job.UsageError("", "%w", err)
	}
	dir, id := loc.Split()
	output, plans := dir.Split()
	if plans != PlanDir || !CompleteID.MatchString(id) {
		return output, "", job.UsageError("`assent plan` answers with it", "--plan %s is no plan's directory, <output>/%s/<id>", uri, PlanDir)
	}
	return output, id, nil
}

// Run is a published run, open for reading. Errors of its methods name the object's
// URI. Where they say that the run is damaged, they are refusals.
type Run struct {
	*manifests.Run
	Digest string // SHA-256 of the run manifest's bytes, in hexadecimal
	Dir    string // below the output
	store  objstore.Store
}

// OpenRun opens the published run whose directory has the URI.
func OpenRun(ctx context.Context, e *job.Env, uri string) (*Run, error) {
	output, dir, err := SplitRun(uri)
	if err != nil {
		return nil, err
	}
	store, err := e.Opener.OpenLocation(ctx, output)
	if err != nil {
		return nil, err
	}
	return (&Output{Store: store, Log: e.Log}).Run(ctx, dir)
}

// Run opens the published run in a directory of the output. That there is none is an
// error.
func (p *Output) Run(ctx context.Context, dir string) (*Run, error) {
	run, err := p.FindRun(ctx, dir)
	if err == nil && run == nil {
		return nil, p.NoRun(ctx, dir)
	}
	return run, err
}

// FindRun is Run, but returns nil where there is none.
func (p *Output) FindRun(ctx context.Context, dir string) (*Run, error) {
	manifest, digest, err := p.Published(ctx, dir)
	if err != nil || manifest == nil {
		return nil, refused(err)
	}
	return &Run{manifest, digest, dir, p.Store}, nil
}

// Published returns the manifest of the published run in a directory of the output, which is not to be changed, and
// the SHA-256 of its bytes; nil where there is none. The manifest that was read last is not read again while the run says that it has it.
func (p *Output) Published(ctx context.Context, dir string) (*manifests.Run, string, error) {
	data, _, err := p.Store.Read(ctx, path.Join(dir, SuccessObject))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", err
	}
	success, err := manifests.ParseSuccess(data)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", p.Store.URI(path.Join(dir, SuccessObject)), err)
	}
	if last := p.lastRead(); last != nil && last.Dir == dir && last.Digest == success.ManifestSHA256 {
		return last.Run, last.Digest, nil
	}
	data, _, err = p.Store.Read(ctx, path.Join(dir, ManifestObject))
	if err != nil {
		return nil, "", err
	}
	uri := p.Store.URI(path.Join(dir, ManifestObject))
	digest := manifests.SHA256(data)
	if digest != success.ManifestSHA256 {
		return nil, "", job.Refused("the run was changed after it was published; do not train on it", "%s: its SHA-256 is not the one that _SUCCESS names", uri)
	}
	run, err := manifests.ParseRun(data)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", uri, err)
	}
	if RunDir(run.RunID) != dir {
		return nil, "", job.Refused("the directory was renamed or copied; do not train on it", "%s: it is the manifest of run %s", uri, run.RunID)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = &Run{run, digest, dir, p.Store}
	return run, digest, nil
}

// errSeal means that an object's size or digest is another than the run manifest says.
var errSeal = fmt.Errorf("%w: its bytes are not those that the run manifest names", manifests.ErrManifest)

// Sizes for Open, in bytes: objects up to the size have their digest checked.
const (
	DigestNone  = 0
	DigestSmall = 2 << 20
	DigestAll   = 1 << 62
)

// URI is that of an object of the run; of the run's directory for "".
func (r *Run) URI(name string) string { return r.store.URI(path.Join(r.Dir, name)) }

// Fault says in which object of the run an error was met, and makes it a refusal where
// it says that the run is damaged.
func (r *Run) Fault(name string, err error) error {
	uri := r.URI(name)
	if err != nil && !strings.HasPrefix(err.Error(), uri) {
		err = fmt.Errorf("%s: %w", uri, err)
	}
	return refused(err)
}

// Open opens an object of the run, which must have the size that the run manifest
// names. An object of at most digested bytes must have the digest, too. The caller
// closes the reader.
func (r *Run) Open(ctx context.Context, o manifests.Object, digested int64) (objstore.Reader, error) {
	return r.OpenIn(ctx, o, digested, new(Room))
}

// OpenIn is Open that reads an object whose digest is checked into a room, unless it is large.
func (r *Run) OpenIn(ctx context.Context, o manifests.Object, digested int64, room *Room) (objstore.Reader, error) {
	room.Clear()
	const inMemory = 16 << 20
	if o.Bytes <= min(digested, inMemory) {
		var err error
		if room.data, err = objstore.ReadIn(ctx, r.store, path.Join(r.Dir, o.Path), room.data); err != nil {
			return nil, refused(err)
		}
		if int64(len(room.data)) != o.Bytes || room.sum() != o.SHA256 {
			room.Clear()
			return nil, r.Fault(o.Path, errSeal)
		}
		return objstore.InMemory(room.data), nil
	}
	reader, err := r.store.Open(ctx, objstore.Object{Name: path.Join(r.Dir, o.Path)})
	if err != nil {
		return nil, refused(err)
	}
	if reader.Size() != o.Bytes {
		err = r.Fault(o.Path, errSeal)
	} else if o.Bytes <= digested {
		err = r.checkDigest(o, reader)
	}
	if err != nil {
		reader.Close()
		return nil, err
	}
	return reader, nil
}

// Read returns the content of a small object of the run, whose size and digest must be
// those that the run manifest names.
func (r *Run) Read(ctx context.Context, o manifests.Object) ([]byte, error) {
	data, _, err := r.store.Read(ctx, path.Join(r.Dir, o.Path))
	if err != nil {
		return nil, refused(err)
	}
	if int64(len(data)) != o.Bytes || manifests.SHA256(data) != o.SHA256 {
		return nil, r.Fault(o.Path, errSeal)
	}
	return data, nil
}

func (r *Run) checkDigest(o manifests.Object, content io.ReaderAt) error {
	const block = 4 << 20 // each read of an object store is a request
	sum := sha256.New()
	_, err := io.CopyBuffer(sum, struct{ io.Reader }{io.NewSectionReader(content, 0, o.Bytes)}, make([]byte, block))
	if err == nil && hex.EncodeToString(sum.Sum(nil)) != o.SHA256 {
		err = errSeal
	}
	return r.Fault(o.Path, err)
}

// Damaged reports whether an error says that a run is damaged.
func Damaged(err error) bool {
	var e *job.Error
	return errors.As(err, &e) && e.Exit == job.ExitRefused ||
		slices.ContainsFunc([]error{manifests.ErrManifest, parquet.ErrCorrupt, parquet.ErrUnsupported, fs.ErrNotExist}, func(damage error) bool { return errors.Is(err, damage) })
}

// refused makes an error that says that a run is damaged a refusal with a hint.
func refused(err error) error {
	var e *job.Error
	if errors.As(err, &e) || !Damaged(err) {
		return err
	}
	return job.Refused("the run is not as it was published: see `assent verify`, and publish again", "%w", err)
}
