package objstore

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"cloud.google.com/go/storage"
	"github.com/googleapis/gax-go/v2"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"
)

const (
	// retryFor bounds how long one request is repeated after transient errors.
	retryFor = 2 * time.Minute
	// chunkSize is the bytes that a Writer buffers: one resumable request each.
	// At 8 MiB the round trip costs less than the transfer.
	chunkSize = 8 << 20
	// writeTag is the metadata key that tells Put's own write from others'.
	writeTag = "assent-write"
)

// gsPlace is gs://: buckets of Google Cloud Storage.
type gsPlace struct{ buckets }

func (gsPlace) open(ctx context.Context, o *Opener, loc Location) (Store, error) {
	return o.gs.open(ctx, loc)
}

// gsClient is the GCS client that all stores of an Opener share.
type gsClient struct {
	mu     sync.Mutex
	client *storage.Client
}

func (c *gsClient) open(ctx context.Context, loc Location) (Store, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.client == nil {
		// The client outlives ctx: its credentials refresh under what it gets here.
		client, err := storage.NewClient(context.WithoutCancel(ctx),
			option.WithScopes(storage.ScopeReadWrite),
			option.WithUserAgent("assent"),
			storage.WithDisabledClientMetrics())
		if err != nil {
			return nil, gsError(loc.String(), "open", err)
		}
		client.SetRetry(
			storage.WithBackoff(gax.Backoff{Initial: 100 * time.Millisecond, Max: 20 * time.Second, Multiplier: 2}),
			storage.WithMaxRetryDuration(retryFor))
		c.client = client
	}
	return &gsStore{bucket: c.client.Bucket(loc.Bucket), root: loc}, nil
}

func (c *gsClient) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.client == nil {
		return nil
	}
	client := c.client
	c.client = nil
	return client.Close()
}

// gsStore keeps objects below a prefix of a bucket.
//
// What changes an object is conditional on its generation wherever the caller
// named one, so that the client may repeat it: a repeat after a lost answer
// then fails with 412, and the code looks whether the state is its own doing.
type gsStore struct {
	bucket *storage.BucketHandle
	root   Location
}

// handle reads what is stored, also where that has a Content-Encoding (which
// the client can only do with XML reads, its default).
func (s *gsStore) handle(name string) *storage.ObjectHandle {
	return s.bucket.Object(s.key(name)).ReadCompressed(true)
}

// query asks for the objects below prefix.
func (s *gsStore) query(prefix string) *storage.Query {
	q := &storage.Query{Prefix: s.key(""), Projection: storage.ProjectionNoACL}
	if prefix != "" {
		q.Prefix = s.key(prefix) + "/"
	}
	return q
}

// any tells whether any object is below prefix.
func (s *gsStore) any(ctx context.Context, prefix string) (bool, error) {
	it := s.bucket.Objects(ctx, s.query(prefix))
	it.PageInfo().MaxSize = 1
	_, err := it.Next()
	if errors.Is(err, iterator.Done) {
		return false, nil
	}
	return err == nil, err
}

// list returns every object below prefix, whatever its name, and with a
// delimiter the directories there, both sorted.
func (s *gsStore) list(ctx context.Context, prefix, delimiter string) (objects []Object, dirs []string, err error) {
	base, q := s.key(""), s.query(prefix)
	q.Delimiter = delimiter
	if err := q.SetAttrSelection([]string{"Name", "Size", "Generation", "CRC32C", "Created"}); err != nil {
		return nil, nil, err
	}
	for it := s.bucket.Objects(ctx, q); ; {
		attrs, err := it.Next()
		switch {
		case errors.Is(err, iterator.Done):
			slices.SortFunc(objects, func(a, b Object) int { return strings.Compare(a.Name, b.Name) })
			slices.Sort(dirs)
			return objects, dirs, nil
		case err != nil:
			return nil, nil, err
		case attrs.Prefix != "":
			dirs = append(dirs, pathName(strings.TrimSuffix(strings.TrimPrefix(attrs.Prefix, base), "/")))
		default:
			objects = append(objects, gsObject(pathName(strings.TrimPrefix(attrs.Name, base)), attrs))
		}
	}
}

func (s *gsStore) stat(ctx context.Context, name string) (Object, error) {
	attrs, err := s.handle(name).Attrs(ctx)
	if err != nil {
		return Object{}, err
	}
	return gsObject(name, attrs), nil
}

func gsObject(name string, attrs *storage.ObjectAttrs) Object {
	return Object{
		Name:       name,
		Size:       attrs.Size,
		Generation: strconv.FormatInt(attrs.Generation, 10),
		CRC32C:     attrs.CRC32C,
		HasCRC:     true,
		Versioned:  true,
		Modified:   attrs.Created,
	}
}

// read fills p. The client repeats the request after transient errors, and
// resumes it where the answer breaks off.
func (r *gsReader) read(p []byte, off int64) (int, error) {
	body, err := r.store.handle(r.obj.Name).Generation(r.generation).NewRangeReader(r.ctx, off, int64(len(p)))
	if err != nil {
		return 0, err
	}
	defer body.Close()
	n, err := io.ReadFull(body, p)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func (s *gsStore) Create(ctx context.Context, name string) (Writer, error) {
	if err := cmp.Or(checkName(name), ctx.Err()); err != nil {
		return nil, gsError(s.URI(name), "create", err)
	}
	// Repeating an upload is harmless: the content is the same.
	h := s.handle(name).Retryer(storage.WithPolicy(storage.RetryAlways))
	ctx, cancel := context.WithCancel(ctx)
	w := h.NewWriter(ctx)
	w.ChunkSize = chunkSize
	w.ChunkRetryDeadline = retryFor
	return &gsWriter{store: s, name: name, w: w, cancel: cancel}, nil
}

// gsWriter uploads one object; the object appears when the upload is closed.
type gsWriter struct {
	store  *gsStore
	name   string
	w      *storage.Writer
	cancel context.CancelFunc
	size   int64
	crc    uint32
	done   bool // finished or aborted
}

func (w *gsWriter) Write(p []byte) (int, error) {
	n, err := w.w.Write(p)
	w.size += int64(n)
	w.crc = crc32.Update(w.crc, castagnoli, p[:n])
	return n, gsError(w.store.URI(w.name), "write", err)
}

func (w *gsWriter) Finish(ctx context.Context) error {
	return gsError(w.store.URI(w.name), "finish", w.finish(ctx))
}

func (w *gsWriter) finish(ctx context.Context) error {
	if w.done {
		return errors.New("finished or aborted before")
	}
	ctx, cancel := context.WithTimeout(ctx, retryFor)
	defer cancel()
	defer context.AfterFunc(ctx, w.cancel)()
	if err := w.w.Close(); err != nil {
		return cmp.Or(ctx.Err(), err)
	}
	w.done = true
	w.cancel()
	obj := gsObject(w.name, w.w.Attrs())
	if obj.Size != w.size || obj.CRC32C != w.crc {
		return cmp.Or(w.store.Delete(ctx, obj), errors.New("stored content differs from what was written"))
	}
	return nil
}

func (w *gsWriter) Abort() {
	if w.done {
		return
	}
	w.done = true
	w.cancel()
	w.w.Close() // waits for the upload's end; with its context cancelled it cannot complete
}

func (s *gsStore) put(ctx context.Context, name string, data []byte, cond Condition) (Object, error) {
	if err := checkName(name); err != nil {
		return Object{}, err
	}
	h := s.handle(name)
	switch {
	case cond.absent:
		h = h.If(storage.Conditions{DoesNotExist: true})
	case cond.generation != "":
		generation, err := strconv.ParseInt(cond.generation, 10, 64)
		if err != nil {
			return Object{}, ErrPrecondition
		}
		h = h.If(storage.Conditions{GenerationMatch: generation})
	default:
		h = h.Retryer(storage.WithPolicy(storage.RetryAlways))
	}
	ctx, cancel := context.WithTimeout(ctx, retryFor)
	defer cancel()
	w := h.NewWriter(ctx)
	w.ChunkSize = len(data) + 1 // one request
	w.CRC32C, w.SendCRC32C = crc32.Checksum(data, castagnoli), true
	tag := rand.Text()
	w.Metadata = map[string]string{writeTag: tag}
	_, err := w.Write(data)
	if err == nil {
		err = w.Close()
	}
	attrs := w.Attrs()
	if errors.Is(gsKind(err), ErrPrecondition) {
		// Perhaps the answer to this very write was lost, and it was repeated.
		attrs, err = s.handle(name).Attrs(ctx)
		if errors.Is(err, storage.ErrObjectNotExist) || err == nil && attrs.Metadata[writeTag] != tag {
			err = ErrPrecondition
		}
	}
	switch {
	case err != nil:
		return Object{}, err
	case attrs.Size != int64(len(data)) || attrs.CRC32C != w.CRC32C:
		return Object{}, errors.New("stored content differs from what was written")
	}
	return gsObject(name, attrs), nil
}

func (s *gsStore) delete(ctx context.Context, obj Object) error {
	h := s.handle(obj.Name).Retryer(storage.WithPolicy(storage.RetryAlways))
	if obj.Generation != "" {
		generation, err := strconv.ParseInt(obj.Generation, 10, 64)
		if err != nil {
			return ErrPrecondition
		}
		h = h.If(storage.Conditions{GenerationMatch: generation})
	}
	err := h.Delete(ctx)
	if errors.Is(gsKind(err), ErrPrecondition) {
		// GCS may say so of an object that is missing, too.
		if _, serr := s.handle(obj.Name).Attrs(ctx); errors.Is(serr, storage.ErrObjectNotExist) {
			return nil
		}
	}
	if errors.Is(err, storage.ErrObjectNotExist) {
		return nil
	}
	return err
}

// copy makes the object to, which must not exist, from another, on the server.
func (s *gsStore) copy(ctx context.Context, from Object, to string) error {
	generation, err := strconv.ParseInt(from.Generation, 10, 64)
	if err != nil {
		return err
	}
	dst := s.handle(to)
	attrs, err := dst.If(storage.Conditions{DoesNotExist: true}).
		CopierFrom(s.handle(from.Name).Generation(generation)).Run(ctx)
	if errors.Is(gsKind(err), ErrPrecondition) {
		attrs, err = dst.Attrs(ctx) // perhaps ours: the first answer was lost
	}
	if err == nil && (attrs.Size != from.Size || attrs.CRC32C != from.CRC32C) {
		err = errors.New("copy differs from its original")
	}
	return gsError(s.URI(to), "copy", err)
}

// takeOver is Copy. Source and target are conditional on their generations, so a 412
// says that one of them is not as expected; the client repeats the request, so it may
// also be the answer to a repeat of what had been done.
func (s *gsStore) takeOver(ctx context.Context, from Object, to string) (Object, error) {
	if err := cmp.Or(checkName(from.Name), checkName(to)); err != nil {
		return Object{}, err
	}
	if from.Generation == "" || !from.HasCRC {
		now, err := s.stat(ctx, from.Name)
		if err == nil && from.Generation != "" && from.Generation != now.Generation {
			err = ErrChanged
		}
		if err != nil {
			return Object{}, gsError(s.URI(from.Name), "copy", err)
		}
		from = now
	}
	generation, err := strconv.ParseInt(from.Generation, 10, 64)
	if err != nil {
		return Object{}, ErrChanged
	}
	// Not by Generation: that would also read a noncurrent version, of what was deleted.
	src := s.handle(from.Name).If(storage.Conditions{GenerationMatch: generation})
	copier := s.handle(to).If(storage.Conditions{DoesNotExist: true}).CopierFrom(src)
	tag := rand.Text()
	copier.Metadata = map[string]string{writeTag: tag}
	attrs, err := copier.Run(ctx)
	if errors.Is(gsKind(err), ErrPrecondition) || errors.Is(gsKind(err), ErrNotExist) {
		attrs, err = s.whyNotCopied(ctx, from, to, tag, err)
	}
	if err != nil {
		return Object{}, err
	}
	obj := gsObject(to, attrs)
	if obj.Size != from.Size || obj.CRC32C != from.CRC32C {
		return Object{}, cmp.Or(s.delete(ctx, obj), errors.New("copy differs from its original"))
	}
	return obj, nil
}

// whyNotCopied returns the object that was made with tag after all, or the reason why
// there is none. refused is the place's answer.
func (s *gsStore) whyNotCopied(ctx context.Context, from Object, to, tag string, refused error) (*storage.ObjectAttrs, error) {
	attrs, err := s.handle(to).Attrs(ctx)
	switch {
	case err == nil && attrs.Metadata[writeTag] == tag:
		return attrs, nil
	case err == nil:
		return nil, ErrPrecondition
	case !errors.Is(err, storage.ErrObjectNotExist):
		return nil, err
	}
	switch now, err := s.stat(ctx, from.Name); {
	case err != nil:
		return nil, gsError(s.URI(from.Name), "copy", err)
	case now.Generation != from.Generation:
		return nil, gsError(s.URI(from.Name), "copy", ErrChanged)
	}
	return nil, refused
}

// gsError names the URI and the operation in an error of the GCS client.
func gsError(uri, op string, err error) error {
	return storageError(uri, op, err, gsKind, gsMessage)
}

// gsKind classifies errors of the GCS client; nil where it knows none.
func gsKind(err error) error {
	if errors.Is(err, storage.ErrObjectNotExist) || errors.Is(err, storage.ErrBucketNotExist) {
		return ErrNotExist
	}
	api, ok := errors.AsType[*googleapi.Error](err)
	if !ok {
		return nil
	}
	for _, item := range api.Errors {
		if strings.Contains(strings.ToLower(item.Reason), "quota") {
			return ErrNoSpace
		}
	}
	switch api.Code {
	case http.StatusNotFound:
		return ErrNotExist
	case http.StatusUnauthorized, http.StatusForbidden:
		return ErrPermission
	case http.StatusPreconditionFailed:
		return ErrPrecondition
	}
	return nil
}

// gsMessage shortens the client's errors, which may hold a whole HTTP body, to
// one line.
func gsMessage(err error) error {
	api, ok := errors.AsType[*googleapi.Error](err)
	if !ok {
		return err
	}
	message, _, _ := strings.Cut(strings.TrimSpace(api.Message), "\n")
	return fmt.Errorf("HTTP %d %s: %s", api.Code, http.StatusText(api.Code), cmp.Or(message, "no message"))
}
