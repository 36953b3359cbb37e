package objstore

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"hash/crc32"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"cloud.google.com/go/storage"
	"github.com/googleapis/gax-go/v2"
	"golang.org/x/sync/semaphore"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"
)

const (
	// retryFor bounds how long one request is repeated after transient errors.
	retryFor = 2 * time.Minute
	// answerIn bounds how long one request may go without being answered in whole; then
	// it is given up and repeated, as a connection may be dead without anybody knowing.
	answerIn = 40 * time.Second
	// chunkSize is the bytes of a request of a resumable upload.
	// At 8 MiB the round trip costs less than the transfer.
	chunkSize = 8 << 20
	// writeTag is the metadata key that tells Put's own write from others'.
	writeTag = "assent-write"
	// payer is the environment variable of Google's libraries for the project that is
	// billed: also for a bucket whose readers pay.
	payer = "GOOGLE_CLOUD_QUOTA_PROJECT"
	// emulator is the environment variable of Google's libraries for the host of an emulator.
	emulator = "STORAGE_EMULATOR_HOST"
)

// gsPlace is gs://: buckets of Google Cloud Storage.
type gsPlace struct{ buckets }

func (gsPlace) open(ctx context.Context, o *Opener, loc Location) (Store, error) {
	return o.gs.open(ctx, loc)
}

// gsClient is the GCS client that all stores of an Opener share.
type gsClient struct {
	mu       sync.Mutex
	client   *storage.Client
	patience patience
	ahead    *semaphore.Weighted // bytes, see AheadMemory
	buffers  buffers
}

func (c *gsClient) open(ctx context.Context, loc Location) (Store, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.client == nil {
		options := []option.ClientOption{
			option.WithScopes(storage.ScopeReadWrite),
			option.WithUserAgent("assent"),
			option.WithTelemetryDisabled(), // it wraps every request
			storage.WithDisabledClientMetrics(),
		}
		if os.Getenv(emulator) != "" {
			options = append(options, option.WithHTTPClient(&http.Client{Transport: plainTransport()}))
		}
		// The client outlives ctx: its credentials refresh under what it gets here.
		client, err := storage.NewClient(context.WithoutCancel(ctx), options...)
		if err != nil {
			return nil, gsError(loc.String(), "open", err)
		}
		c.patience = c.patience.orDefault()
		client.SetRetry(storage.WithBackoff(backoff()), storage.WithMaxRetryDuration(c.patience.total))
		c.client, c.ahead = client, semaphore.NewWeighted(AheadMemory)
	}
	bucket := c.client.Bucket(loc.Bucket)
	if project := os.Getenv(payer); project != "" {
		bucket = bucket.UserProject(project)
	}
	return &gsStore{bucket: bucket, root: loc, patience: c.patience, ahead: c.ahead, buffers: &c.buffers}, nil
}

// plainTransport is for an emulator. It speaks HTTP/1.1, where each request that is under way has a connection: the client's
// own transport keeps 100, and closes those of all requests beyond when they are answered.
func plainTransport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConns, t.MaxIdleConnsPerHost = 0, 1024
	return t
}

// backoff has jitter: each pause is a random part of what it allows.
func backoff() gax.Backoff {
	return gax.Backoff{Initial: 100 * time.Millisecond, Max: 20 * time.Second, Multiplier: 2}
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
	bucket   *storage.BucketHandle
	root     Location
	patience patience
	ahead    *semaphore.Weighted // of all stores of the Opener
	buffers  *buffers            // too
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
	return ask(ctx, s.patience, func(ctx context.Context) (bool, error) {
		it := s.bucket.Objects(ctx, s.query(prefix))
		it.PageInfo().MaxSize = 1
		_, err := it.Next()
		if errors.Is(err, iterator.Done) {
			return false, nil
		}
		return err == nil, err
	})
}

// list returns every object below prefix, whatever its name, and with a
// delimiter the directories there, both sorted.
func (s *gsStore) list(ctx context.Context, prefix, delimiter string) (objects []Object, dirs []string, err error) {
	base, q := s.key(""), s.query(prefix)
	q.Delimiter = delimiter
	if err := q.SetAttrSelection([]string{"Name", "Size", "Generation", "CRC32C", "Created"}); err != nil {
		return nil, nil, err
	}
	for token := ""; ; {
		page, next, err := s.page(ctx, q, token)
		if err != nil {
			return nil, nil, err
		}
		for _, attrs := range page {
			if attrs.Prefix != "" {
				dirs = append(dirs, pathName(strings.TrimSuffix(strings.TrimPrefix(attrs.Prefix, base), "/")))
			} else {
				objects = append(objects, gsObject(pathName(strings.TrimPrefix(attrs.Name, base)), attrs))
			}
		}
		if token = next; token == "" {
			slices.SortFunc(objects, func(a, b Object) int { return strings.Compare(a.Name, b.Name) })
			slices.Sort(dirs)
			return objects, dirs, nil
		}
	}
}

// page asks for a thousand of the objects of a listing: those from token on.
func (s *gsStore) page(ctx context.Context, q *storage.Query, token string) (page []*storage.ObjectAttrs, next string, err error) {
	page, err = ask(ctx, s.patience, func(ctx context.Context) (page []*storage.ObjectAttrs, err error) {
		next, err = iterator.NewPager(s.bucket.Objects(ctx, q), 1000, token).NextPage(&page)
		return page, err
	})
	return page, next, err
}

func (s *gsStore) stat(ctx context.Context, name string) (Object, error) {
	attrs, err := s.attrs(ctx, name)
	if err != nil {
		return Object{}, err
	}
	return gsObject(name, attrs), nil
}

func (s *gsStore) attrs(ctx context.Context, name string) (*storage.ObjectAttrs, error) {
	return ask(ctx, s.patience, s.handle(name).Attrs)
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
	sum, tag := crc32.Checksum(data, castagnoli), rand.Text()
	attrs, err := s.upload(ctx, h, sum, tag, data)
	if errors.Is(gsKind(err), ErrPrecondition) {
		// Perhaps the answer to this very write was lost, and it was repeated.
		attrs, err = s.attrs(ctx, name)
		if errors.Is(err, storage.ErrObjectNotExist) || err == nil && attrs.Metadata[writeTag] != tag {
			err = ErrPrecondition
		}
	}
	switch {
	case err != nil:
		return Object{}, err
	case attrs.Size != int64(len(data)) || attrs.CRC32C != sum:
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
	err := do(ctx, s.patience, h.Delete)
	if errors.Is(gsKind(err), ErrPrecondition) {
		// GCS may say so of an object that is missing, too.
		if _, serr := s.attrs(ctx, obj.Name); errors.Is(serr, storage.ErrObjectNotExist) {
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
	attrs, err := ask(ctx, s.patience, func(ctx context.Context) (*storage.ObjectAttrs, error) {
		return dst.If(storage.Conditions{DoesNotExist: true}).CopierFrom(s.handle(from.Name).Generation(generation)).Run(ctx)
	})
	if errors.Is(gsKind(err), ErrPrecondition) {
		attrs, err = s.attrs(ctx, to) // perhaps ours: the first answer was lost
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
	tag := rand.Text()
	attrs, err := ask(ctx, s.patience, func(ctx context.Context) (*storage.ObjectAttrs, error) {
		copier := s.handle(to).If(storage.Conditions{DoesNotExist: true}).CopierFrom(src)
		copier.Metadata = map[string]string{writeTag: tag}
		return copier.Run(ctx)
	})
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
	attrs, err := s.attrs(ctx, to)
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
