package rewrite

import (
	"math/bits"
	"slices"

	"assent/job/parquet"
	"assent/job/parquet/encoding"
	"assent/job/parquet/thrift"
)

// pruned is a chunk's dictionary and the set of its entries that kept rows use. Once it is settled, that set does not grow any more,
// and table maps the entries to those of the output's dictionary: the used ones, in the same order.
type pruned struct {
	col      *parquet.Column
	plain    []byte   // entries as PLAIN
	page     []byte   // the page's body as it stands in the file; nil where that is not kept
	ratio    float64  // of the page's bytes, compressed, to those as PLAIN
	ends     []uint32 // ByteArray: where the entries end in plain
	n        int
	encoding parquet.Encoding
	sorted   thrift.Type     // is_sorted
	hits     []byte          // by entry: 1 if a kept row uses it; nil once the dictionary is settled
	used     encoding.Bitmap // the same, once it is settled
	values   int             // kept values that are entries, and their bytes as PLAIN
	bytes    int64
	pays     bool // whatever values are still to come, the dictionary takes less than they would as PLAIN; bytes are not counted any more
	settled  bool
	plainly  bool    // the output has PLAIN values instead, see unfold
	identity bool    // all entries are used
	table    []int32 // nil for the identity
	kept     int
	mapped   *mapped // nil: the entries stay as they are
}

// newPruned returns a dictionary of which no entry is used yet. plain is the decompressed page, which it keeps.
func newPruned(col *parquet.Column, plain []byte, h *parquet.PageHeader) (*pruned, error) {
	d := &pruned{col: col, plain: plain, n: h.Values, encoding: h.Encoding, sorted: h.Sorted, ratio: float64(h.Size) / float64(max(h.RawSize, 1))}
	switch col.Physical {
	case parquet.Boolean:
		// One byte for each, as bounds have them.
		var b encoding.Bitmap
		if err := encoding.DecodeBools(&b, plain, d.n); err != nil {
			return nil, err
		}
		d.plain = make([]byte, d.n)
		for i := range d.plain {
			if b.Get(i) {
				d.plain[i] = 1
			}
		}
	case parquet.ByteArray:
		var err error
		if d.ends, err = encoding.ScanByteArrays(nil, plain, d.n); err != nil {
			return nil, err
		}
	default:
		if int64(d.n)*int64(col.Width()) > int64(len(plain)) {
			return nil, parquet.Corruptf("a dictionary of %d entries in %d bytes", d.n, len(plain))
		}
	}
	d.hits = make([]byte, d.n)
	return d, nil
}

// mayStay reports whether the dictionary's page is likely to stand in the output as it is: its entries are few, or all rows are kept
// from which a dictionary of values that do not repeat comes.
func (s *splice) mayStay(h *parquet.PageHeader) bool {
	n := int64(h.Values)
	return s.mapper == nil && h.Size <= maxPooled && (n <= s.sel.count/4 || n <= s.sel.rows && s.sel.CountRange(0, n) == n)
}

// stays reports whether the page stands in the output as it is: all entries are used, and it holds nothing else.
func (d *pruned) stays() bool {
	size := d.n * d.col.Width()
	if d.col.Physical == parquet.ByteArray && d.n > 0 {
		size = int(d.ends[d.n-1])
	}
	return d.page != nil && d.identity && d.col.Physical != parquet.Boolean && size == len(d.plain)
}

func (d *pruned) len() int {
	if d == nil {
		return 0
	}
	return d.n
}

// entry returns entry i as PLAIN without a length.
func (d *pruned) entry(i int) []byte {
	switch d.col.Physical {
	case parquet.Boolean:
		return d.plain[i : i+1]
	case parquet.ByteArray:
		return d.plain[d.begin(i)+4 : d.ends[i]]
	}
	w := d.col.Width()
	return d.plain[i*w : i*w+w]
}

// begin returns where entry i of a ByteArray begins in plain.
func (d *pruned) begin(i int) uint32 {
	if i == 0 {
		return 0
	}
	return d.ends[i-1]
}

// note adds the entries to which the indices point to b. Until the dictionary is settled they count as used. page is scratch.
func (d *pruned) note(b *parquet.Bounds, page *[]byte, indices []int32) {
	if len(indices) == 0 {
		return
	}
	if !d.settled {
		d.count(indices)
	}
	bounded := d.col.Order != parquet.OrderNone && d.mapped == nil // see addBounds
	if !bounded || d.n > len(indices)/2 && b.AddEntries(d.col, d.plain, indices) {
		if !d.settled {
			encoding.MarkUsed(d.hits, indices)
		}
		return
	}
	// Of few entries, or of byte arrays, each that occurs is looked at once.
	*page = slices.Grow((*page)[:0], d.n)[:d.n]
	clear(*page)
	encoding.MarkUsed(*page, indices)
	for i, hit := range *page {
		if hit != 0 {
			b.Add(d.col, d.entry(i))
			if !d.settled {
				d.hits[i] = 1
			}
		}
	}
}

// count counts the values that the indices stand for, and their bytes as PLAIN.
func (d *pruned) count(indices []int32) {
	d.values += len(indices)
	switch {
	case d.mapped != nil:
		for _, i := range indices {
			d.mapped.uses[i]++
		}
	case !d.pays:
		d.bytes += d.plainSize(indices)
		// A value more takes 4 bytes or more as PLAIN, and its index 4 at most.
		d.pays = d.bytes > int64(len(d.plain))+int64(d.values)*int64(bits.Len(uint(d.n)))/8
	}
}

// plainSize returns the bytes of the entries to which the indices point, as PLAIN.
func (d *pruned) plainSize(indices []int32) int64 {
	if d.col.Physical != parquet.ByteArray {
		return int64(len(indices)) * int64(d.col.Width())
	}
	n, size, last := int64(0), int64(0), int32(-1) // equal ones come in runs
	for _, i := range indices {
		if i != last {
			last, size = i, int64(d.ends[i]-d.begin(int(i)))
		}
		n += size
	}
	return n
}

// settle fixes the used entries. A dictionary without used entries is not written, see splice.write.
func (d *pruned) settle() error {
	d.settled = true
	encoding.Present(&d.used, d.hits, 1)
	d.hits = nil
	if d.mapped != nil {
		err := d.mapEntries()
		d.plainly = d.kept > 0 && d.unfold()
		return err
	}
	d.kept = d.used.Count()
	if d.identity = d.kept == d.n && d.n > 0; d.identity {
		return nil
	}
	if d.plainly = d.kept > 0 && d.unfold(); d.plainly {
		return nil
	}
	d.table = make([]int32, d.n)
	next := int32(0)
	for i := range d.table {
		d.table[i] = next
		if d.used.Get(i) {
			next++
		}
	}
	return nil
}

// unfold reports whether the kept values take no more bytes as PLAIN than the used entries and the indices to them. A column of
// nearly unique values often has a dictionary, because writers give it up only at a limit. Without the dropped rows the dictionary
// pays even less, and PLAIN values compress better than indices.
func (d *pruned) unfold() bool {
	if d.col.Physical == parquet.Boolean || d.bytes == 0 || d.pays {
		return false
	}
	entries := int64(d.kept) * int64(d.col.Width())
	if d.mapped != nil {
		entries = int64(len(d.mapped.plain))
	} else if d.col.Physical == parquet.ByteArray {
		entries = 0
		for i, end := range d.ends {
			if d.used.Get(i) {
				entries += int64(end - d.begin(i))
			}
		}
	}
	indices := int64(d.values) * int64(bits.Len(uint(d.kept-1))) / 8
	return d.bytes <= entries+indices
}

// remap turns the indices into those of the output.
func (d *pruned) remap(indices []int32) {
	if d.table != nil {
		encoding.Remap(indices, d.table)
	}
}

// appendUsed appends the used entries as PLAIN.
func (d *pruned) appendUsed(dst []byte) ([]byte, error) {
	if d.mapped != nil {
		return append(dst, d.mapped.plain...), nil
	}
	switch d.col.Physical {
	case parquet.Boolean:
		var b encoding.Bitmap
		for i := range d.n {
			if d.used.Get(i) {
				b.AppendRun(d.plain[i] != 0, 1)
			}
		}
		return encoding.AppendBools(dst, &b), nil
	case parquet.ByteArray:
		return encoding.FilterByteArrays(dst, d.plain, &d.used)
	}
	return encoding.FilterFixed(dst, d.plain, d.col.Width(), &d.used)
}

// compact returns the used entries of a ByteArray as PLAIN. They move to the front of plain, where entry finds them; the others are gone.
func (d *pruned) compact() ([]byte, error) {
	begin, to := uint32(0), uint32(0)
	for i, end := range d.ends {
		if d.used.Get(i) {
			to += end - begin
		}
		begin, d.ends[i] = end, to
	}
	var err error
	d.plain, err = encoding.FilterByteArrays(d.plain[:0], d.plain, &d.used)
	return d.plain, err
}

// appendPlain appends the values to which the draft's indices point to its plain values, of a boolean column to its bools.
func (d *pruned) appendPlain(to *draft) {
	if d.col.Physical == parquet.Boolean {
		for _, i := range to.indices {
			to.bools.AppendRun(d.plain[i] != 0, 1)
		}
		return
	}
	to.grow(d.col, int(d.plainSize(to.indices)))
	switch width := d.col.Width(); {
	case d.col.Physical == parquet.ByteArray:
		for _, i := range to.indices {
			to.plain = append(to.plain, d.plain[d.begin(int(i)):d.ends[i]]...)
		}
	case width == 4 || width == 8:
		to.plain = encoding.AppendEntries(to.plain, d.plain, width, to.indices)
	default:
		for _, i := range to.indices {
			to.plain = append(to.plain, d.entry(int(i))...)
		}
	}
}
