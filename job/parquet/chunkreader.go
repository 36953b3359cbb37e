package parquet

import (
	"sync"

	"assent/job/parquet/codec"
	"assent/job/parquet/encoding"
)

// A ChunkReader reads the data pages of a column chunk and decodes their values: Next goes to a page, Load decodes it. Pages
// that are not loaded cost no more than their header. Its errors have no place yet, see File.Fault.
//
// A loaded page has Page.Count values, in the slots in which Page.Levels say that one is present. If Dict is not nil the
// values are its entries Index[i], else they are in Values. All of it is valid until the next call.
type ChunkReader struct {
	PageWalk
	Page   Page
	Dict   *Dictionary
	Index  []int32
	Values Values
	// Large, if set, is called before a body is read and decompressed, with the bytes that this takes. Where it fails, so does the reading.
	Large func(bytes int) error

	f       *File
	chunk   *Section // of the whole chunk
	block   int64
	page    *Section    // that SeekPage went to
	dict    *Dictionary // of the chunk, once it was needed
	carries bool        // see Application.CarriesDelta
	last    []byte      // value of the page before, where carries
}

// NewChunkReader returns a reader of c, a chunk of f. It reads at least block bytes at a time.
func NewChunkReader(f *File, c *Chunk, block int64) *ChunkReader {
	r := &ChunkReader{f: f, block: block, carries: f.app.CarriesDelta()}
	r.chunk = f.Section(c.Start, c.End, block)
	r.PageWalk = *NewPageWalk(&f.columns[c.Column], c, r.chunk)
	return r
}

// Next goes to the next data page that has slots. io.EOF is the end.
func (r *ChunkReader) Next() error {
	for {
		if err := r.PageWalk.Next(); err != nil {
			return err
		}
		switch {
		case r.Header.Kind == DictionaryPage && r.dict == nil:
			if err := r.readDictionary(&r.PageWalk); err != nil {
				return err
			}
		case r.Header.IsData() && r.Header.Values > 0:
			return nil
		}
	}
}

// SeekPage makes the page that stands in the file from start up to end the next one: the one of the given number, before which
// seen slots lie (0 where that is not known).
func (r *ChunkReader) SeekPage(start, end int64, number int, seen int64) {
	if r.page == nil {
		r.page = r.f.Section(start, end, end-start)
	}
	r.page.Move(start, end, end-start)
	r.ResumeAt(r.page, number, seen)
}

// Memory returns the bytes that r keeps.
func (r *ChunkReader) Memory() int {
	n := r.Page.Memory() + r.Values.Memory() + 4*cap(r.Index) + r.chunk.Memory() + r.page.Memory()
	if r.dict != nil {
		n += r.dict.Memory()
	}
	return n
}

// Forget gives all memory back. The page that was loaded is the next one, and the dictionary is read again where it is needed.
// A chunk whose pages carry on from one to the next cannot be forgotten.
func (r *ChunkReader) Forget() {
	seen := r.Seen - int64(r.Header.Values)
	r.chunk = r.f.Section(r.Offset, r.Chunk.End, r.block)
	r.Page, r.Dict, r.Index, r.Values, r.page, r.dict = Page{}, nil, nil, Values{}, nil, nil
	r.ResumeAt(r.chunk, r.Number, seen)
}

// Load decodes the page to which Next went.
func (r *ChunkReader) Load() error {
	if err := r.LoadPage(); err != nil {
		return err
	}
	return r.Decode()
}

// LoadPage decompresses the page to which Next went, and decodes its levels. Page.Values has the values, as they are encoded.
func (r *ChunkReader) LoadPage() error {
	body, err := r.body(&r.PageWalk)
	if err != nil {
		return err
	}
	r.Dict = nil
	r.Values.Reset()
	err = withCodec(func(c *codec.Codec) error { return r.Page.Load(c, r.col, r.Chunk.Codec, &r.Header, body) })
	r.chunk.Shrink()
	r.page.Shrink()
	return err
}

// body returns the body of the page on which w stands.
func (r *ChunkReader) body(w *PageWalk) ([]byte, error) {
	if r.Large != nil {
		if err := r.Large(w.Header.Size + w.Header.RawSize); err != nil {
			return nil, err
		}
	}
	return w.Body()
}

// Decode decodes the values of the page that LoadPage has loaded.
func (r *ChunkReader) Decode() (err error) {
	p := &r.Page
	if p.Header.DictCoded() && p.Count > 0 {
		if r.dict == nil {
			first := NewPageWalk(r.col, r.Chunk, r.f.Section(r.Chunk.Start, r.Chunk.End, r.block))
			first.Limits = r.Limits
			if err := first.Next(); err != nil {
				return err
			}
			if err := r.readDictionary(first); err != nil {
				return err
			}
		}
		r.Dict = r.dict
		r.Index, err = encoding.DecodeIndices(r.Index[:0], p.Values, p.Count, r.Dict.Len())
		return err
	}
	if p.Count == 0 {
		return nil
	}
	if err := r.Values.Decode(r.col, p.Header.Encoding, p.Values, p.Count, r.last); err != nil {
		return err
	}
	if n := r.Values.Bytes.Len(); r.carries && p.Header.Encoding == DeltaByteArray {
		r.last = append(r.last[:0], r.Values.Bytes.At(n-1)...)
	}
	return nil
}

// readDictionary reads the dictionary on which w stands.
func (r *ChunkReader) readDictionary(w *PageWalk) error {
	if w.Header.Kind != DictionaryPage {
		return Corruptf("dictionary-coded without a dictionary")
	}
	body, err := r.body(w)
	if err != nil {
		return err
	}
	err = withCodec(func(c *codec.Codec) error {
		plain, err := LoadDictionary(c, r.Chunk.Codec, &w.Header, body)
		if err == nil {
			r.dict, err = ParseDictionary(r.col, plain, w.Header.Values)
		}
		return err
	})
	r.chunk.Shrink()
	return err
}

// codecs holds idle codecs, which are some megabytes each.
var codecs = sync.Pool{New: func() any { return new(codec.Codec) }}

func withCodec(do func(*codec.Codec) error) error {
	c := codecs.Get().(*codec.Codec)
	defer codecs.Put(c)
	return do(c)
}
