package verify

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"math/bits"
	"runtime/debug"
	"slices"
	"sync"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// Of large pages there is one copy at a time, as far as that can be: parquet-go would make three of each. Those of byte strings are
// not given to it, but taken apart as they lie in memory.

const (
	// largePage is the size in bytes from which on a page is large, compressed or not.
	largePage = 4 << 20
	// veryLarge is the size from which on memory goes back to the system as soon as it can.
	veryLarge = 32 << 20
)

// oldDictionary is PLAIN_DICTIONARY, the old name of RLE_DICTIONARY.
const oldDictionary format.Encoding = 2

// largeValues are the values of a large page. It implements parquet.ValueReader.
type largeValues struct {
	values                 []byte // PLAIN, those still to come
	repetition, definition []byte // a level for each slot still to come; nil where all are 0
	slots                  int
	most                   byte // the definition level of a value that is not null
	dict                   *largeDict
	indices                []int32     // of dict, in place of values: those of the whole page
	at                     int         // of indices
	delta                  *deltaTexts // in place of values
}

// largeDict is a large dictionary of byte strings.
type largeDict struct {
	plain []byte
	ends  []int // of the entries
}

func newLargeDict(plain []byte, n int) (*largeDict, error) {
	d := &largeDict{plain: plain}
	for at := 0; len(d.ends) < n; d.ends = append(d.ends, at) {
		if len(plain)-at < 4 {
			return nil, io.ErrUnexpectedEOF
		}
		if at += 4 + int(binary.LittleEndian.Uint32(plain[at:])); at > len(plain) {
			return nil, io.ErrUnexpectedEOF
		}
	}
	return d, nil
}

// Len returns the number of entries.
func (d *largeDict) Len() int { return len(d.ends) }

// Index returns entry i, which shares the memory of the dictionary.
func (d *largeDict) Index(i int32) parquet.Value {
	begin := 0
	if i > 0 {
		begin = d.ends[i-1]
	}
	return parquet.ByteArrayValue(d.plain[begin+4 : d.ends[i] : d.ends[i]])
}

// setDict says that the values are count indices of entries: a byte of width, then the hybrid.
func (v *largeValues) setDict(d *largeDict, count int) error {
	v.dict = d
	if count == 0 {
		return nil
	}
	if len(v.values) == 0 {
		return io.ErrUnexpectedEOF
	}
	if v.values[0] == 0 {
		v.indices = make([]int32, count)
	} else if v.values[0] > 32 {
		return errors.New("indices of more than 32 bits")
	} else if err := hybrid(v.values[1:], int(v.values[0]), count, func(i uint64, n int) {
		for range n {
			v.indices = append(v.indices, int32(min(i, math.MaxInt32)))
		}
	}); err != nil {
		return err
	}
	if len(v.indices) != count || int(slices.Max(v.indices)) >= d.Len() {
		return errors.New("indices that the dictionary does not have")
	}
	return nil
}

// value returns the next value that is not null.
func (v *largeValues) value() parquet.Value {
	if v.dict != nil {
		v.at++
		return v.dict.Index(v.indices[v.at-1])
	}
	if v.delta != nil {
		return v.delta.next()
	}
	end := 4 + int(binary.LittleEndian.Uint32(v.values)) // settleValues has looked at all lengths
	value := parquet.ByteArrayValue(v.values[4:end:end])
	v.values = v.values[end:]
	return value
}

func newLargeValues(w *pageWalk, l levels, values []byte, slots int) (v *largeValues, err error) {
	v = &largeValues{values: values, slots: slots, most: byte(w.def)}
	if v.repetition, err = expand(l.repetition, w.rep, slots); err != nil {
		return nil, err
	}
	v.definition, err = expand(l.definition, w.def, slots)
	return v, err
}

// expand decodes levels; nil where they are all 0.
func expand(data []byte, most, slots int) ([]byte, error) {
	if most == 0 {
		return nil, nil
	}
	all := make([]byte, 0, slots)
	err := hybrid(data, bits.Len(uint(most)), slots, func(level uint64, n int) {
		for range n {
			all = append(all, byte(level))
		}
	})
	if err == nil && len(all) != slots {
		err = io.ErrUnexpectedEOF
	}
	return all, err
}

// ReadValues returns the next values, which share the memory of the page as far as they stand there as they are. Of others it makes
// few at a time, where they are large.
func (v *largeValues) ReadValues(to []parquet.Value) (n int, err error) {
	made := 0
	for ; n < len(to) && v.slots > 0 && made < largePage; n++ {
		repetition, definition := 0, int(v.most)
		if v.repetition != nil {
			repetition, v.repetition = int(v.repetition[0]), v.repetition[1:]
		}
		if v.definition != nil {
			definition, v.definition = int(v.definition[0]), v.definition[1:]
		}
		value := parquet.Value{}
		if definition == int(v.most) {
			value = v.value()
		}
		to[n] = value.Level(repetition, definition, 0)
		v.slots--
		if v.delta != nil {
			made += v.delta.made
			v.delta.made = 0
		}
	}
	if v.slots == 0 {
		return n, io.EOF
	}
	return n, nil
}

// enlarge makes room for a large page of so many bytes, compressed and not. What others have let go by now makes room first.
func (w *pageWalk) enlarge(size, raw int) {
	if cap(w.body) < size {
		w.body = nil
		letGo(size)
		w.body = make([]byte, 0, size)
	}
	const slack = 64 // that decoders may want
	if cap(w.plain) < raw {
		w.plain = nil
		letGo(raw)
		w.plain = make([]byte, 0, raw+slack)
	}
}

// shrink gives the memory of a large body back: it is decompressed.
func (w *pageWalk) shrink() {
	if n := cap(w.body); n >= largePage {
		w.body = nil
		letGo(n)
	}
}

// letGo is called after n bytes were let go, or before so many are taken.
func letGo(n int) {
	if n >= veryLarge {
		debug.FreeOSMemory()
	}
}

// turns are what the files of an audit take turns by: those that hold more bytes of pages than each may have.
type turns struct {
	share int           // that each file may hold without the turn
	free  chan struct{} // has a token where nobody has the turn
}

// newTurns returns turns of so many files at a time.
func newTurns(files int) *turns {
	t := &turns{share: auditMemory / 2 / files, free: make(chan struct{}, 1)}
	t.free <- struct{}{}
	return t
}

// largeTurn is a file's turn: one file at a time has it, with its input.
type largeTurn struct {
	*turns // nil: nobody waits
	ctx    context.Context
	mu     sync.Mutex
	mine   bool
	held   int // bytes of pages
}

// hold says that who has held some bytes of pages is about to hold more. Where the file holds more than its share then, it waits for its
// turn. Nobody who has the turn waits for another file.
func (t *largeTurn) hold(held *int, bytes int) error {
	if t == nil || t.turns == nil || bytes <= *held {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.held += bytes - *held
	*held = bytes
	if t.mine || t.held <= t.share {
		return nil
	}
	select {
	case <-t.free:
		t.mine = true
		return nil
	case <-t.ctx.Done():
		return context.Cause(t.ctx)
	}
}

// letGo says that who has held some bytes of pages holds none any more.
func (t *largeTurn) letGo(held *int) {
	if t == nil || t.turns == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.held -= *held
	*held = 0
}

// end ends the turn, if the file has it.
func (t *largeTurn) end() {
	if t.mine {
		t.mine = false
		letGo(veryLarge)
		t.free <- struct{}{}
	}
}
