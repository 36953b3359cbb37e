package rewrite

import (
	"math/bits"

	"assent/job/parquet"
	"assent/job/parquet/encoding"
)

// PLAIN values are copied once at most on their way from a page of the input to one of the output: into the draft. It may take the memory
// of the first page over instead, where the kept values move to the front of the others. The levels are then written just before them:
//
//	draft.room:   | free | levels | kept values | bytes of dropped values, and free |
//	                              draft.plain
//
// So only draft.plain[:len] may be read, and nothing may read the page afterwards.

// makeRoom prepares the draft for the values of a page, of which so many are kept. If it has none yet, and its memory is large enough for
// most of a second page, too, it stays; else it takes the memory of the page.
func (d *draft) makeRoom(p *parquet.Page, col *parquet.Column, kept int) {
	n := len(p.Values)
	share, spare := n, 0
	if p.Count > 0 && n <= maxPooled { // of a few large values the share of their number says little, and growing again would copy them
		share, spare = min(n, int(int64(n)*int64(kept)/int64(p.Count))+n/16), n/8
	}
	own, slots := d.memoryOfPlain(), 2*p.Header.Values
	if cap(own) > maxPooled/2 { // that of merged texts
		slots = max(slots, textSlots)
	}
	head := levelBytes(col, slots)
	switch {
	case len(d.plain) > 0 && cap(d.plain)-len(d.plain) < share:
		// So much that it stays the next time, and doubles where many pages are merged.
		d.grow(col, max(share+spare, min(len(d.plain), textRoom-len(d.plain))))
	case len(d.plain) > 0:
	case n <= maxPooled && head+2*share <= cap(own):
		d.room = own[:cap(own)]
		d.plain = d.room[head:head]
	default:
		d.plain, d.room = p.Take(own)
	}
}

// grow makes room for n more bytes of values, and for the levels before them.
func (d *draft) grow(col *parquet.Column, n int) {
	if cap(d.plain)-len(d.plain) < n {
		head := levelBytes(col, 2*d.slots) // another page may follow
		d.room = make([]byte, head+len(d.plain)+n)
		d.plain = append(d.room[head:head], d.plain...)
	}
}

// levelBytes returns about how many bytes the levels of a page of so many slots take at most.
func levelBytes(col *parquet.Column, slots int) int {
	if col.MaxRep+col.MaxDef == 0 {
		return 0
	}
	return 32 + (bits.Len(uint(col.MaxRep))+bits.Len(uint(col.MaxDef)))*slots/7
}

// before returns how many bytes of room lie before plain, -1 where plain does not lie in it.
func (d *draft) before() int {
	at := len(d.room) - cap(d.plain)
	if cap(d.plain) == 0 || at < 0 || &d.room[at:][:1][0] != &d.plain[:1][0] {
		return -1
	}
	return at
}

// memoryOfPlain returns all the memory in which plain lies.
func (d *draft) memoryOfPlain() []byte {
	if d.before() >= 0 {
		return d.room
	}
	return d.plain
}

// inPlace returns the levels and the values behind them where there is room for the levels before the values, so that these need not
// be copied.
func (d *draft) inPlace(levels []byte) ([]byte, bool) {
	at := d.before()
	if len(d.plain) == 0 || at < len(levels) || d.encoding != parquet.Plain {
		return nil, false
	}
	begin := at - len(levels)
	copy(d.room[begin:], levels)
	return d.room[begin : at+len(d.plain)], true
}

// filterPlain appends those of the PLAIN values in src that keep has.
func filterPlain(dst, src []byte, col *parquet.Column, keep *encoding.Bitmap) ([]byte, error) {
	if col.Physical == parquet.ByteArray {
		return encoding.FilterByteArrays(dst, src, keep)
	}
	return encoding.FilterFixed(dst, src, col.Width(), keep)
}
