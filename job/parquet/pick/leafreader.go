package pick

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"sort"
	"sync"

	"assent/job/parquet"
)

// A leafReader reads rows of one column chunk from front to back.
type leafReader struct {
	*parquet.ChunkReader
	col   *parquet.Column
	pages []parquet.PageLocation // by the offset index; nil where there is none
	at    int                    // of pages: the current one; -1: none
	carry bool                   // each page needs the one before, see parquet.Application.CarriesDelta

	// The current page, and the slot on it that is next.
	first int64 // the first row that begins on it
	rows  int64 // how many begin on it
	slots int
	slot  int
	value int   // values before slot
	begun int64 // rows that begin before slot
	plain plainStrings

	out   *Slots // those read and not handed out yet
	most  int64  // bytes of out at which it is enough
	kept  int    // bytes of pages that may be kept from one batch to the next
	large int    // bytes of a page from which on it is read in turn
	turn  *sync.Mutex
	mine  bool // it has the turn
}

// readBlock is what is read at least where no offset index says how long a page is.
const readBlock = 64 << 10

// leafReaders returns readers of some chunks of a row group. The offset indexes are read at once.
func (f *File) leafReaders(group int, leaves []int) ([]*leafReader, error) {
	chunks, err := f.Chunks(group)
	if err != nil {
		return nil, err
	}
	asked := make([]parquet.Chunk, len(leaves))
	for i, leaf := range leaves {
		asked[i] = chunks[leaf]
	}
	indexes, err := f.OffsetIndexes(asked)
	if err != nil {
		return nil, f.Fault(err, group, -1, -1)
	}
	readers, turn, all := make([]*leafReader, len(leaves)), new(sync.Mutex), int64(1)
	for i := range asked {
		all += asked[i].End - asked[i].Start
	}
	for i, leaf := range leaves {
		c := &asked[i]
		r := &leafReader{ChunkReader: parquet.NewChunkReader(f.File, c, readBlock), col: &f.Columns()[leaf], at: -1,
			carry: f.Application().CarriesDelta(), kept: f.kept / len(leaves), turn: turn}
		r.large = max(r.kept, f.large)
		part := float64(c.End-c.Start) / float64(all)
		r.most = max(int64(part*float64(f.batch)), int64(f.batch/len(leaves)/4), 1)
		r.Large, readers[i] = r.takeTurn, r
		if x := indexes[i]; x != nil && usable(x.Locations, c, f.RowGroupRows(group)) {
			readers[i].pages = x.Locations
		}
	}
	return readers, nil
}

// usable reports whether an offset index can be that of a chunk with so many rows. One that cannot is not used: without it
// the same rows are found, by reading more.
func usable(pages []parquet.PageLocation, c *parquet.Chunk, rows int64) bool {
	for i, l := range pages {
		if l.Offset < c.Start || int64(l.Size) > c.End-l.Offset || l.FirstRow >= rows || i > 0 && l.FirstRow <= pages[i-1].FirstRow {
			return false
		}
	}
	return len(pages) > 0 && pages[0].FirstRow == 0
}

// read reads the slots of some rows of the file, ascending, into l.out: of all, or of the n-th if of(n). The row group's first row is
// base. The first ones may stand there already. It stops where they are enough, but not before the first row.
func (l *leafReader) read(ctx context.Context, rows []int64, of func(n int) bool, base int64) error {
	defer l.endTurn()
	if l.out == nil {
		l.out = l.newSlots()
	}
	for n := l.out.rows(); n < len(rows) && (n == 0 || l.out.bytes() < l.most); n++ {
		if of == nil || of(n) {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := l.find(rows[n] - base); err != nil {
				return err
			}
			if err := l.take(l.out); err != nil {
				return err
			}
		}
		l.out.Rows = append(l.out.Rows, l.out.count)
	}
	l.rest()
	return nil
}

func (l *leafReader) newSlots() *Slots { return &Slots{Column: l.col, Rows: []int32{0}} }

// cut hands out the slots of the first rows. The others stay.
func (l *leafReader) cut(rows int) *Slots {
	s := l.out
	l.out = nil
	if rows == s.rows() {
		return s
	}
	rest, n, end := l.newSlots(), int(s.Rows[rows]), uint32(0)
	for _, at := range s.Rows[rows+1:] {
		rest.Rows = append(rest.Rows, at-int32(n))
	}
	rest.count = s.count - int32(n)
	s.Rows, s.count = s.Rows[:rows+1], int32(n)
	s.Reps, rest.Reps = divide(s.Reps, n)
	s.Defs, rest.Defs = divide(s.Defs, n)
	s.Null, rest.Null = divide(s.Null, n)
	s.Ints, rest.Ints = divide(s.Ints, n)
	s.Bytes.Ends, rest.Bytes.Ends = divide(s.Bytes.Ends, n)
	if n > 0 && len(s.Bytes.Ends) > 0 {
		end = s.Bytes.Ends[n-1]
	}
	s.Bytes.Data, rest.Bytes.Data = divide(s.Bytes.Data, int(end))
	for i := range rest.Bytes.Ends {
		rest.Bytes.Ends[i] -= end
	}
	l.out = rest
	return s
}

// divide cuts a column of slots in two. It is empty where the leaf does not need it.
func divide[T any](column []T, n int) (first, rest []T) {
	if len(column) == 0 {
		return column, nil
	}
	return column[:n:n], column[n:]
}

// takeTurn waits for the turn to have a page of so many bytes in memory, where that is large.
func (l *leafReader) takeTurn(bytes int) error {
	if bytes > l.large && !l.mine && !l.carry {
		l.turn.Lock()
		l.mine = true
	}
	return nil
}

// rest gives the memory of pages back, where that is more than may be kept, and the turn, if the leaf has it.
func (l *leafReader) rest() {
	if n := l.Memory(); n > l.kept && !l.carry {
		l.Forget()
		l.plain = plainStrings{}
		l.at, l.rows, l.slots = -1, 0, 0
		parquet.GiveBack(n)
	}
	l.endTurn()
}

func (l *leafReader) endTurn() {
	if l.mine {
		l.mine = false
		l.turn.Unlock()
	}
}

// find loads the page on which a row begins, and moves to its first slot.
func (l *leafReader) find(row int64) error {
	if l.pages != nil {
		i := sort.Search(len(l.pages), func(i int) bool { return l.pages[i].FirstRow > row }) - 1
		if i != l.at {
			if err := l.jump(i); err != nil {
				return err
			}
		}
	}
	for row >= l.first+l.rows {
		if l.pages != nil {
			return parquet.Corruptf("row %d is not on the page that the offset index names", row)
		}
		if err := l.nextPage(row); err == io.EOF {
			return parquet.Corruptf("ends before row %d", row)
		} else if err != nil {
			return err
		}
	}
	return l.seek(row)
}

// take appends the slots of the row that begins at the current one.
func (l *leafReader) take(out *Slots) error {
	for first := true; ; first = false {
		for l.slot < l.slots && (first || l.repeats()) {
			if err := l.takeSlot(out); err != nil {
				return err
			}
			first = false
		}
		if l.slot < l.slots || l.pages != nil || l.col.MaxRep == 0 {
			return nil
		}
		// The row may go on on the next page where no offset index forbids it.
		if err := l.nextPage(l.first + l.rows); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// jump loads a page that the offset index names.
func (l *leafReader) jump(i int) error {
	at := l.pages[i]
	number := i
	if l.pages[0].Offset > l.Chunk.Start {
		number++ // the dictionary page
	}
	if err := l.takeTurn(int(at.Size)); err != nil { // the page is read with its header
		return err
	}
	l.SeekPage(at.Offset, at.Offset+int64(at.Size), number, 0)
	if err := l.Next(); err != nil {
		return err
	}
	if l.Header.Length+l.Header.Size != int(at.Size) {
		return parquet.Corruptf("the page at %d is not the one that the offset index names", at.Offset)
	}
	if err := l.load(at.FirstRow); err != nil {
		return err
	}
	if l.repeats() {
		return parquet.Corruptf("the page at %d begins within a row", at.Offset)
	}
	l.at = i
	return nil
}

// nextPage goes to the next data page, without an index. The page is not loaded if it is known to end before a row. io.EOF is
// the end of the chunk.
func (l *leafReader) nextPage(row int64) error {
	for {
		first := l.first + l.rows
		begins := l.Number < 0
		if err := l.Next(); err != nil {
			return err
		}
		if n := int64(l.Header.Values); l.col.MaxRep == 0 && first+n <= row && !l.carry {
			l.first, l.rows = first, n
			continue
		}
		if err := l.load(first); err != nil {
			return err
		}
		if begins && l.repeats() {
			return parquet.Corruptf("the first page begins within a row")
		}
		return nil
	}
}

// load loads the page to which Next went. The first row that begins on it is first.
func (l *leafReader) load(first int64) error {
	if err := l.LoadPage(); err != nil {
		return err
	}
	parquet.GiveBack(l.Header.Size) // of it as it stands in the file
	isPlain := l.col.Physical == parquet.ByteArray && l.Page.Header.Encoding == parquet.Plain
	l.plain = plainStrings{is: isPlain, page: l.Page.Values}
	if !isPlain {
		if err := l.Decode(); err != nil {
			return err
		}
	}
	l.first, l.rows, l.slots = first, int64(l.Page.Rows), l.Header.Values
	l.slot, l.value, l.begun = 0, 0, 0
	return nil
}

// repeats reports whether the next slot continues a row.
func (l *leafReader) repeats() bool { return len(l.Page.Reps) > 0 && l.Page.Reps[l.slot] != 0 }

// present reports whether the next slot has a value.
func (l *leafReader) present() bool { return l.Page.All || l.Page.Present.Get(l.slot) }

// seek moves forward to the first slot of a row that begins on the page.
func (l *leafReader) seek(row int64) error {
	if to := int(row - l.first); l.col.MaxRep == 0 && l.Page.All {
		l.slot, l.value = to, to
		return nil
	} else if l.col.MaxRep == 0 && to < l.slots {
		l.value += l.Page.Present.CountRange(l.slot, to)
		l.slot = to
		return nil
	}
	for ; l.slot < l.slots; l.slot++ {
		if !l.repeats() {
			if l.first+l.begun == row {
				return nil
			}
			l.begun++
		}
		if l.present() {
			l.value++
		}
	}
	return parquet.Corruptf("row %d is not on its page", row)
}

// takeSlot appends the next slot.
func (l *leafReader) takeSlot(out *Slots) error {
	if !l.repeats() {
		l.begun++
	}
	present := l.present()
	if l.col.MaxRep > 0 {
		out.Reps = append(out.Reps, l.Page.Reps[l.slot])
	}
	if l.col.MaxDef > 0 {
		out.Defs = append(out.Defs, l.Page.Def(l.col, l.slot))
		out.Null = append(out.Null, !present)
	}
	l.slot++
	out.count++
	if !present {
		out.appendValue(l.col, 0, nil)
		return nil
	}
	i := l.value
	l.value++
	var number int64
	var b []byte
	var err error
	switch integer := l.col.Integer(); {
	case l.plain.is:
		b, err = l.plain.at(i)
	case l.Dict != nil && integer:
		number = l.Dict.Int(int(l.Index[i]))
	case l.Dict != nil:
		b = l.Dict.Bytes(int(l.Index[i]))
	case integer:
		number = l.Values.Ints[i]
	default:
		b = l.Values.Bytes.At(i)
	}
	if err != nil {
		return err
	}
	if len(out.Bytes.Data) > math.MaxUint32-len(b) {
		return fmt.Errorf("%w: a batch of more than 4 GiB in one column", parquet.ErrUnsupported)
	}
	out.appendValue(l.col, number, b)
	return nil
}

// appendValue appends a slot's value: number in a column of integers, else b.
func (s *Slots) appendValue(c *parquet.Column, number int64, b []byte) {
	if c.Integer() {
		s.Ints = append(s.Ints, number)
		return
	}
	s.Bytes.Data = append(s.Bytes.Data, b...)
	s.Bytes.Ends = append(s.Bytes.Ends, uint32(len(s.Bytes.Data)))
}

// plainStrings are the PLAIN byte arrays of a page, of which a few are asked for, in their order: to decode all would cost many
// times what it costs to step over those between.
type plainStrings struct {
	is   bool // else the page has others
	page []byte
	done int // bytes of the values before next
	next int
}

// at returns value i.
func (p *plainStrings) at(i int) ([]byte, error) {
	if i < p.next {
		p.done, p.next = 0, 0
	}
	for {
		rest := p.page[p.done:]
		if len(rest) < 4 {
			return nil, parquet.Corruptf("fewer values than the page says")
		}
		n := binary.LittleEndian.Uint32(rest)
		if uint64(n) > uint64(len(rest)-4) {
			return nil, parquet.Corruptf("a value of %d bytes where the page has %d left", n, len(rest)-4)
		}
		if p.next == i {
			return rest[4 : 4+n], nil
		}
		p.done += 4 + int(n)
		p.next++
	}
}
