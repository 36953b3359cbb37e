package objstore

import (
	"cmp"
	"context"
	"errors"
	"hash/crc32"
	"time"

	"cloud.google.com/go/storage"
	"github.com/googleapis/gax-go/v2"
)

const (
	// blockSize is the bytes of a block in which a Writer keeps what was written.
	blockSize = 1 << 20
	// wholeBlocks is how many blocks an object has at most that is written in one request.
	wholeBlocks = 8
	// behind is how many blocks may wait for a resumable upload, so that whoever writes need not wait for each request.
	behind = 4
	// WriterMemory is the bytes of memory that a Writer of a bucket takes at most: a chunk, blocks that wait, one that is being
	// filled, and one that goes into the chunk.
	WriterMemory = chunkSize + (behind+2)*blockSize
)

// upload writes an object in one request, which GCS refuses where its bytes do not have the sum. Repeated, it writes the same again,
// or h's condition forbids it: so what is transient is repeated here. The client could do that itself, but takes at least 256 KiB of
// memory for each object then. A tag that is not empty tells this write from all others.
func (s *gsStore) upload(ctx context.Context, h *storage.ObjectHandle, sum uint32, tag string, data ...[]byte) (*storage.ObjectAttrs, error) {
	pauses, began := backoff(), time.Now()
	for {
		attrs, err := ask(ctx, s.patience, func(ctx context.Context) (*storage.ObjectAttrs, error) {
			return uploadOnce(ctx, h, sum, tag, data)
		})
		if err == nil || ctx.Err() != nil || !storage.ShouldRetry(err) || time.Since(began) >= s.patience.total {
			return attrs, err
		}
		if gax.Sleep(ctx, pauses.Pause()) != nil {
			return attrs, err
		}
	}
}

func uploadOnce(ctx context.Context, h *storage.ObjectHandle, sum uint32, tag string, data [][]byte) (*storage.ObjectAttrs, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // what was begun and failed cannot be completed later
	w := h.NewWriter(ctx)
	w.ChunkSize = 0 // one request
	w.CRC32C, w.SendCRC32C = sum, true
	if tag != "" {
		w.Metadata = map[string]string{writeTag: tag}
	}
	for _, part := range data {
		if _, err := w.Write(part); err != nil {
			_ = w.Close() // waits for the request's end
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return w.Attrs(), nil
}

func (s *gsStore) Create(ctx context.Context, name string) (Writer, error) {
	if err := cmp.Or(checkName(name), ctx.Err()); err != nil {
		return nil, gsError(s.URI(name), "create", err)
	}
	w := &gsWriter{store: s, name: name}
	w.ctx, w.cancel = context.WithCancel(ctx)
	return w, nil
}

// gsWriter uploads one object; the object appears when the upload is closed. An object of
// a few blocks is kept until then, and sent in one request; a larger one is a resumable
// upload.
type gsWriter struct {
	store  *gsStore
	name   string
	ctx    context.Context
	cancel context.CancelFunc
	blocks [][]byte // what was written and no upload has; all but the last one are full
	upload *gsUpload
	size   int64
	crc    uint32
	done   bool // finished or aborted
}

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

func (w *gsWriter) write(p []byte) (written int, err error) {
	if w.done {
		return 0, errEnded
	}
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	for written < len(p) {
		last := len(w.blocks) - 1
		if last < 0 || len(w.blocks[last]) == blockSize {
			if err := w.nextBlock(); err != nil {
				return written, err
			}
			last = len(w.blocks) - 1
		}
		n := min(len(p)-written, blockSize-len(w.blocks[last]))
		w.blocks[last] = append(w.blocks[last], p[written:written+n]...)
		written += n
	}
	return written, nil
}

// nextBlock appends an empty block. The first one grows, as most objects are small.
func (w *gsWriter) nextBlock() error {
	if len(w.blocks) == wholeBlocks && w.upload == nil {
		w.upload = w.begin()
	}
	if w.upload != nil {
		if err := w.handOver(); err != nil {
			return err
		}
	}
	var block []byte
	if w.size > 0 {
		block = w.store.buffers.get(blockSize)
	}
	w.blocks = append(w.blocks, block)
	return nil
}

// handOver hands all blocks to the upload.
func (w *gsWriter) handOver() error {
	for i, b := range w.blocks {
		if err := w.upload.hand(b); err != nil {
			w.blocks = w.blocks[i:]
			return err
		}
	}
	w.blocks = w.blocks[:0]
	return nil
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
	w.end()
	obj := gsObject(w.name, attrs)
	if obj.Size != w.size || obj.CRC32C != w.crc {
		return cmp.Or(w.store.Delete(ctx, obj), errors.New("stored content differs from what was written"))
	}
	return nil
}

// send ends the upload.
func (w *gsWriter) send(ctx context.Context) (*storage.ObjectAttrs, error) {
	if w.upload == nil {
		if err := w.ctx.Err(); err != nil {
			return nil, err
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(w.ctx, cancel)()
		return w.store.upload(ctx, w.target(), w.crc, "", w.blocks...)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, w.store.patience.total, errNoAnswer)
	defer cancel()
	defer context.AfterFunc(ctx, w.cancel)()
	err := w.handOver()
	if err == nil {
		err = w.upload.close()
	}
	if err != nil {
		if errors.Is(context.Cause(ctx), errNoAnswer) {
			return nil, errNoAnswer
		}
		return nil, cmp.Or(ctx.Err(), err)
	}
	return w.upload.w.Attrs(), nil
}

func (w *gsWriter) Abort() {
	if w.done {
		return
	}
	w.end()
	if w.upload != nil {
		_ = w.upload.close() // with its context cancelled it cannot complete
	}
}

// end ends the use of the writer.
func (w *gsWriter) end() {
	w.done = true
	w.cancel()
	for _, b := range w.blocks {
		w.store.buffers.put(b)
	}
	w.blocks = nil
}

// gsUpload is a resumable upload, which takes blocks while it sends what it has.
type gsUpload struct {
	w      *storage.Writer
	cancel context.CancelFunc
	within time.Duration // it must take the next block
	blocks chan []byte
	closed bool          // blocks is
	ended  chan struct{} // closed once no more blocks are taken
	err    error         // why they are not, or nil; to be read when that is known
}

// begin begins a resumable upload.
func (w *gsWriter) begin() *gsUpload {
	wait := w.store.patience
	u := &gsUpload{w: w.target().NewWriter(w.ctx), cancel: w.cancel, within: wait.total, blocks: make(chan []byte, behind), ended: make(chan struct{})}
	u.w.ChunkSize = chunkSize
	u.w.ChunkRetryDeadline = wait.total
	u.w.ChunkTransferTimeout = wait.answer
	go func() {
		defer close(u.ended)
		for b := range u.blocks {
			if _, u.err = u.w.Write(b); u.err != nil {
				return
			}
			w.store.buffers.put(b)
		}
	}()
	return u
}

// hand hands a block over, once there is room. The client repeats the request that begins an upload without an end.
func (u *gsUpload) hand(b []byte) error {
	if u.closed {
		return errEnded
	}
	late := time.NewTimer(u.within)
	defer late.Stop()
	select {
	case u.blocks <- b:
		return nil
	case <-u.ended:
		return u.err
	case <-late.C:
		u.cancel()
		return errNoAnswer
	}
}

// close sends what is left, and waits for the end.
func (u *gsUpload) close() error {
	if !u.closed {
		u.closed = true
		close(u.blocks)
	}
	<-u.ended
	return cmp.Or(u.err, u.w.Close())
}
