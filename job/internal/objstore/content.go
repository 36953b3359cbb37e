package objstore

import (
	"bytes"
	"context"
	"io"

	"golang.org/x/sync/errgroup"
)

// Content is the whole content of an object, however large. Nobody may write to Data.
type Content struct {
	Data   []byte
	Mapped bool // by the system: processes share it, and it takes memory of this one only while it is looked at; see Unload
	close  func() error
}

// Unload says that Data will not be looked at for a while. What is mapped takes no memory of the process then.
func (c *Content) Unload() {
	if c.Mapped {
		unload(c.Data)
	}
}

// Close ends the use of Data.
func (c *Content) Close() error { return c.close() }

// Load returns the content of an object that is never written to again: mapped where the
// place has files that can be, otherwise read into memory, several ranges at a time. The
// system ends a process that looks at a mapped file which was cut short in the meantime.
func Load(ctx context.Context, s Store, name string) (*Content, error) {
	obj, err := s.Stat(ctx, name)
	if err != nil {
		return nil, err
	}
	return LoadListed(ctx, s, obj)
}

// LoadListed is Load of an object as it was listed.
func LoadListed(ctx context.Context, s Store, obj Object) (*Content, error) {
	r, err := s.Open(ctx, obj)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if f, ok := r.(*fileReader); ok {
		if data, unmap, err := mapFile(f.f, f.Size()); err == nil {
			return &Content{data, true, unmap}, nil
		}
	}
	data := make([]byte, r.Size())
	if err := readRanges(r, data); err != nil {
		return nil, err
	}
	if err := OneContent(ctx, r, obj); err != nil {
		return nil, err
	}
	return &Content{data, false, func() error { return nil }}, nil
}

// Whole returns the content of a small object as it was listed, in as few operations as may be. It lies in the memory of buf, where that
// has room for it.
func Whole(ctx context.Context, s Store, obj Object, buf []byte) ([]byte, error) {
	if f, ok := s.(*fileStore); ok && obj.Generation != "" {
		data, err := f.whole(ctx, obj, buf)
		return data, fileError(f.URI(obj.Name), "read", err)
	}
	r, err := s.Open(ctx, obj)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data, err := readAll(r, buf)
	if err != nil {
		return nil, err
	}
	return data, OneContent(ctx, r, obj)
}

// ReadIn is Store.Read of an object whose content may lie in the memory of buf, where that has room for it.
func ReadIn(ctx context.Context, s Store, name string, buf []byte) ([]byte, error) {
	var data []byte
	var err error
	if f, ok := s.(*fileStore); ok {
		data, _, err = f.read(ctx, name, buf)
	} else {
		data, _, err = s.Read(ctx, name)
	}
	return data, err
}

// inMemory is a Reader of an object that was read as a whole.
type inMemory struct {
	*bytes.Reader
	data []byte
}

// InMemory returns a Reader of an object that was read as a whole, and checked where need be. It keeps data, which it does not write to.
func InMemory(data []byte) Reader { return inMemory{bytes.NewReader(data), data} }

// Held makes it a parquet.Held.
func (r inMemory) Held() (data []byte, from int64) { return r.data, 0 }

func (inMemory) Close() error { return nil }

func (inMemory) Unchanged(context.Context) error { return nil }

// OneContent fails with ErrChanged if what was read of an object may be of more than one content. Where the place knows versions it is of
// one, whatever the name has now, and nothing is asked.
func OneContent(ctx context.Context, r Reader, obj Object) error {
	if obj.Versioned {
		return nil
	}
	return r.Unchanged(ctx)
}

// readRanges reads a whole object into data.
func readRanges(r Reader, data []byte) error {
	const size, atATime = 16 << 20, 4
	var g errgroup.Group
	g.SetLimit(atATime)
	for off := 0; off < len(data); off += size {
		part := data[off:min(off+size, len(data))]
		g.Go(func() error {
			n, err := r.ReadAt(part, int64(off))
			if n == len(part) {
				return nil
			}
			if err == nil || err == io.EOF {
				err = ErrChanged
			}
			return err
		})
	}
	return g.Wait()
}
