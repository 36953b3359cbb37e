package objstore

import (
	"cmp"
	"context"
	"errors"
	"hash/crc32"
	"io"
	"strconv"
	"sync"
)

// wholeSize is the size in bytes up to which an object is read in one request: to ask for its parts would take longer.
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
	r.ahead = ahead{room: s.ahead, buffers: s.buffers, fetch: func(ctx context.Context, p []byte, off int64) error {
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
