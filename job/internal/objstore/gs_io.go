package objstore

import (
	"cmp"
	"context"
	"errors"
	"hash/crc32"
	"io"
	"strconv"
	"sync"

	"cloud.google.com/go/storage"
)

// wholeSize is the size in bytes up to which an object is read, and written, in one
// request: to ask for its parts would take longer.
const wholeSize = 512 << 10

func (s *gsStore) Open(ctx context.Context, obj Object) (Reader, error) {
	err := checkName(obj.Name)
	if err == nil && obj.Generation == "" {
		obj, err = s.Stat(ctx, obj.Name)
	}
	if err != nil {
		return nil, gsError(s.URI(obj.Name), "open", err)
	}
	generation, err := strconv.ParseInt(obj.Generation, 10, 64)
	if err != nil {
		return nil, gsError(s.URI(obj.Name), "open", ErrChanged)
	}
	r := &gsReader{store: s, ctx: ctx, obj: obj, generation: generation}
	r.whole = sync.OnceValues(r.readWhole)
	r.ahead = ahead{room: s.ahead, fetch: func(ctx context.Context, p []byte, off int64) error {
		_, err := r.read(ctx, p, off)
		return err
	}}
	return r, nil
}

// gsReader reads one generation: every ReadAt is a range request, but a small object is
// read once, and what was announced ([Ahead]) is on its way.
type gsReader struct {
	store      *gsStore
	ctx        context.Context
	obj        Object
	generation int64 // of obj
	whole      func() ([]byte, error)
	ahead      ahead
}

func (r *gsReader) Size() int64 { return r.obj.Size }

func (r *gsReader) Close() error {
	r.Passed(r.obj.Size)
	return nil
}

// WillRead implements [Ahead].
func (r *gsReader) WillRead(from, to int64) {
	if r.obj.Size > wholeSize {
		r.ahead.want(r.ctx, max(from, 0), min(to, r.obj.Size))
	}
}

// Passed implements [Ahead].
func (r *gsReader) Passed(before int64) { r.ahead.drop(before) }

func (r *gsReader) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, gsError(r.store.URI(r.obj.Name), "read", errors.New("negative offset"))
	}
	want := p[:max(0, min(int64(len(p)), r.obj.Size-off))]
	n, err := 0, error(nil)
	switch {
	case len(want) == 0:
	case r.obj.Size <= wholeSize:
		var data []byte
		if data, err = r.whole(); err == nil {
			n = copy(want, data[off:])
		}
	default:
		if n = len(want); !r.ahead.read(r.ctx, want, off) {
			n, err = r.read(r.ctx, want, off)
		}
	}
	err = cmp.Or(r.ctx.Err(), err)
	if errors.Is(gsKind(err), ErrNotExist) {
		err = ErrChanged // this generation was there when it was listed
	}
	if err != nil {
		return n, gsError(r.store.URI(r.obj.Name), "read", err)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// readWhole reads the object, and checks its sum.
func (r *gsReader) readWhole() ([]byte, error) {
	data := make([]byte, r.obj.Size)
	_, err := r.read(r.ctx, data, 0)
	if err == nil && r.obj.HasCRC && crc32.Checksum(data, castagnoli) != r.obj.CRC32C {
		err = errors.New("content does not match its CRC32C")
	}
	return data, err
}

// read fills p. The client repeats the request after transient errors, and
// resumes it where the answer breaks off.
func (r *gsReader) read(ctx context.Context, p []byte, off int64) (int, error) {
	return ask(ctx, r.store.patience, func(ctx context.Context) (int, error) {
		body, err := r.store.handle(r.obj.Name).Generation(r.generation).NewRangeReader(ctx, off, int64(len(p)))
		if err != nil {
			return 0, err
		}
		defer body.Close()
		n, err := io.ReadFull(body, p)
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return n, err
	})
}

func (r *gsReader) Unchanged(ctx context.Context) error {
	now, err := r.store.stat(ctx, r.obj.Name)
	if errors.Is(gsKind(err), ErrNotExist) || err == nil && now.Generation != r.obj.Generation {
		err = ErrChanged
	}
	return gsError(r.store.URI(r.obj.Name), "stat", err)
}

func (s *gsStore) Create(ctx context.Context, name string) (Writer, error) {
	if err := cmp.Or(checkName(name), ctx.Err()); err != nil {
		return nil, gsError(s.URI(name), "create", err)
	}
	w := &gsWriter{store: s, name: name}
	w.ctx, w.cancel = context.WithCancel(ctx)
	return w, nil
}

// gsWriter uploads one object; the object appears when the upload is closed. Up to
// wholeSize bytes are kept until then, and sent in one request; from there on it is a
// resumable upload, which buffers chunkSize bytes. While it sends them, two blocks more
// are taken, so that whoever writes need not wait for each request.
type gsWriter struct {
	store  *gsStore
	name   string
	ctx    context.Context
	cancel context.CancelFunc
	small  []byte
	w      *storage.Writer // nil as long as all is in small
	blocks [2][]byte       // the one that is being filled, and the one that the upload takes
	taken  chan error      // from the upload: what became of the latter; nil: there is none
	size   int64
	crc    uint32
	done   bool // finished or aborted
}

// behindSize is the bytes of a block of a gsWriter.
const behindSize = 4 << 20

// target repeats the upload whatever happens, which is harmless: the content is the same.
func (w *gsWriter) target() *storage.ObjectHandle {
	return w.store.handle(w.name).Retryer(storage.WithPolicy(storage.RetryAlways))
}

func (w *gsWriter) Write(p []byte) (int, error) {
	n, err := w.write(p)
	w.size += int64(n)
	w.crc = crc32.Update(w.crc, castagnoli, p[:n])
	return n, gsError(w.store.URI(w.name), "write", err)
}

func (w *gsWriter) write(p []byte) (int, error) {
	switch {
	case w.done:
		return 0, errEnded
	case w.ctx.Err() != nil:
		return 0, w.ctx.Err()
	case w.w == nil && len(w.small)+len(p) <= wholeSize:
		w.small = append(w.small, p...)
		return len(p), nil
	case w.w == nil:
		w.w = w.target().NewWriter(w.ctx)
		w.w.ChunkSize = chunkSize
		w.w.ChunkRetryDeadline = w.store.patience.total
		w.w.ChunkTransferTimeout = w.store.patience.answer
		w.blocks = [2][]byte{make([]byte, 0, behindSize), make([]byte, 0, behindSize)}
		if err := w.behind(w.small); err != nil {
			return 0, err
		}
		w.small = nil
	}
	if err := w.behind(p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// behind hands bytes on to the upload, which need not have taken them on return.
func (w *gsWriter) behind(p []byte) error {
	for len(p) > 0 {
		block := &w.blocks[0]
		n := min(len(p), behindSize-len(*block))
		*block = append(*block, p[:n]...)
		if p = p[n:]; len(*block) == behindSize {
			if err := w.hand(); err != nil {
				return err
			}
		}
	}
	return nil
}

// hand gives the block that was filled to the upload, once that has taken the one before.
func (w *gsWriter) hand() error {
	if err := w.settle(); err != nil {
		return err
	}
	block, taken := w.blocks[0], make(chan error, 1)
	w.blocks[0], w.blocks[1], w.taken = w.blocks[1][:0], block, taken
	go func() {
		_, err := w.w.Write(block)
		taken <- err
	}()
	return nil
}

// settle waits until the upload has taken the block that it has.
func (w *gsWriter) settle() error {
	if w.taken == nil {
		return nil
	}
	err := <-w.taken
	w.taken = nil
	return err
}

var errEnded = errors.New("finished or aborted before")

func (w *gsWriter) Finish(ctx context.Context) error {
	return gsError(w.store.URI(w.name), "finish", w.finish(ctx))
}

func (w *gsWriter) finish(ctx context.Context) error {
	if w.done {
		return errEnded
	}
	attrs, err := w.send(ctx)
	if err != nil {
		return err
	}
	w.done = true
	w.cancel()
	obj := gsObject(w.name, attrs)
	if obj.Size != w.size || obj.CRC32C != w.crc {
		return cmp.Or(w.store.Delete(ctx, obj), errors.New("stored content differs from what was written"))
	}
	return nil
}

// send ends the upload.
func (w *gsWriter) send(ctx context.Context) (*storage.ObjectAttrs, error) {
	if w.w == nil {
		if err := w.ctx.Err(); err != nil {
			return nil, err
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(w.ctx, cancel)()
		return w.store.upload(ctx, w.target(), w.small, w.crc, "")
	}
	ctx, cancel := context.WithTimeoutCause(ctx, w.store.patience.total, errNoAnswer)
	defer cancel()
	defer context.AfterFunc(ctx, w.cancel)()
	err := w.hand()
	if err = cmp.Or(err, w.settle()); err == nil {
		err = w.w.Close()
	}
	if err != nil {
		if errors.Is(context.Cause(ctx), errNoAnswer) {
			return nil, errNoAnswer
		}
		return nil, cmp.Or(ctx.Err(), err)
	}
	return w.w.Attrs(), nil
}

func (w *gsWriter) Abort() {
	if w.done {
		return
	}
	w.done = true
	w.cancel()
	w.small = nil
	if w.w != nil {
		_ = w.settle()
		w.w.Close() // waits for the upload's end; with its context cancelled it cannot complete
	}
}
