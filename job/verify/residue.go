package verify

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go/format"

	"assent/manifests"
)

// Spot checks for residues: pieces of values of dropped rows are looked for in every
// byte of the data file, as it stands and with its pages decompressed. Which rows are
// tried depends on nothing but the file.

const (
	probeLength = 24 // bytes of a value, at most
	probeLeast  = 8
	probeGroups = 3 // row groups tried
	probeRows   = 2 // rows tried in each, of each column of strings
	maxProbes   = 512
)

// probe is a piece of a value of a dropped row.
type probe struct {
	piece  []byte
	row    int64
	column string
	fate   string // why the value should not be there
	struck bool   // a kept row or the metadata has it as well
	hit    string // where it was found
}

// probeSet looks for many pieces at once: every piece is in at under its first eight
// bytes, and filter has a bit for each hash of such eight bytes.
type probeSet struct {
	all    []*probe
	at     map[uint64][]*probe
	filter [1 << 10]uint64
	carry  []byte // the end of what was looked at last, as pieces may cross values
}

func (p *probeSet) add(value []byte, from int, row int64, column, fate string) {
	piece := value[from:min(from+probeLength, len(value))]
	if len(p.all) == maxProbes || len(piece) < probeLeast || distinctBytes(piece) < 4 {
		return
	}
	x := &probe{piece: bytes.Clone(piece), row: row, column: column, fate: fate}
	key := binary.LittleEndian.Uint64(piece)
	p.all = append(p.all, x)
	p.at[key] = append(p.at[key], x)
	h := probeHash(key)
	p.filter[h/64] |= 1 << (h % 64)
}

func distinctBytes(b []byte) int {
	seen := map[byte]bool{}
	for _, c := range b {
		seen[c] = true
	}
	return len(seen)
}

func probeHash(key uint64) uint64 { return key * 0x9e3779b97f4a7c15 >> 48 }

// search calls f for every occurrence of a piece.
func (p *probeSet) search(data []byte, f func(x *probe, offset int)) {
	if len(p.all) == 0 {
		return
	}
	for i := 0; i+probeLeast <= len(data); i++ {
		key := binary.LittleEndian.Uint64(data[i:])
		h := probeHash(key)
		if p.filter[h/64]>>(h%64)&1 == 0 {
			continue
		}
		for _, x := range p.at[key] {
			if bytes.HasPrefix(data[i:], x.piece) {
				f(x, i)
			}
		}
	}
}

// strike drops the pieces that a kept value has. Values that follow each other in a
// column may stand side by side in a page, so that they are looked at together.
func (p *probeSet) strike(value []byte) {
	if len(p.all) == 0 {
		return
	}
	if len(value) > 64<<10 { // not copied
		p.carry = append(p.carry, value[:probeLength]...)
		p.endColumn()
		p.search(value, func(x *probe, _ int) { x.struck = true })
		p.carry, value = p.carry[:0], value[len(value)-probeLength:]
	}
	p.carry = append(p.carry, value...)
	if len(p.carry) > 64<<10 {
		p.endColumn()
	}
}

func (p *probeSet) endColumn() {
	p.search(p.carry, func(x *probe, _ int) { x.struck = true })
	p.carry = append(p.carry[:0], p.carry[max(0, len(p.carry)-probeLength):]...)
}

// probes chooses pieces of values of dropped rows.
func (c *comparison) chooseProbes() error {
	p := &probeSet{at: map[uint64][]*probe{}}
	type place struct {
		group int
		rows  []int64 // within it
		first int64   // of the group in the file
	}
	var places []place
	first := int64(0)
	for g, group := range c.in.groups() {
		var dropped []int64
		for row := range group.NumRows {
			if !c.in.kept.has(first + row) {
				dropped = append(dropped, row)
			}
		}
		if n := len(dropped); n > 0 {
			places = append(places, place{g, spread(dropped, probeRows), first})
		}
		first += group.NumRows
	}
	for _, at := range spread(places, probeGroups) {
		for column := range c.in.leaves {
			if c.in.leaves[column].isBytes() {
				c.probeColumn(p, at.group, column, at.rows, at.first, "the row is dropped, no kept row has its value")
			}
		}
	}
	c.probeHanded(p)
	c.checked.Probes += int64(len(p.all))
	c.probes = p
	text, err := c.metadataText()
	p.search(text, func(x *probe, _ int) { x.struck = true })
	return err
}

// probeHanded chooses pieces of values of columns that are left out, or pseudonymised, in any rows.
func (c *comparison) probeHanded(p *probeSet) {
	var fates []string
	for i := range c.handed.columns {
		fate := ""
		switch x := &c.handed.columns[i]; {
		case !x.leaf.isBytes():
		case x.out < 0:
			fate = "the column is left out, no other has its value"
		case x.action == manifests.Pseudonymised:
			fate = "the column is pseudonymised, no other has its value"
		}
		fates = append(fates, fate)
	}
	first := int64(0)
	for g, group := range c.in.groups() {
		rows := spread(rowsOf(group.NumRows), probeRows)
		for column, fate := range fates {
			if fate != "" && g < probeGroups {
				c.probeColumn(p, g, column, rows, first, fate)
			}
		}
		first += group.NumRows
	}
}

func rowsOf(n int64) (rows []int64) {
	for row := range n {
		rows = append(rows, row)
	}
	return rows
}

// spread returns up to n elements, spread evenly, the first and the last among them.
func spread[T any](all []T, n int) []T {
	if len(all) <= n {
		return all
	}
	var some []T
	for i := range n {
		some = append(some, all[i*(len(all)-1)/max(n-1, 1)])
	}
	return some
}

// probeColumn chooses pieces of one column in some rows of a row group. It stops where
// the column cannot be read, which is told when the column is compared.
func (c *comparison) probeColumn(p *probeSet, group, column int, rows []int64, first int64, fate string) {
	values := c.in.cursorAt(group, column)
	defer values.close()
	for row := int64(0); len(rows) > 0; row++ {
		if row < rows[0] {
			if values.skip() != nil {
				return
			}
			continue
		}
		rows = rows[1:]
		all, err := values.row()
		if err != nil {
			return
		}
		for _, v := range all[:min(len(all), probeRows)] {
			if v.IsNull() {
				continue
			}
			b := v.ByteArray()
			p.add(b, 0, first+row, c.in.leaves[column].path, fate)
			if len(b) >= 4*probeLength { // texts often begin alike
				p.add(b, len(b)/2, first+row, c.in.leaves[column].path, fate)
			}
		}
	}
}

// searchPages looks for the pieces in the decompressed pages of a column, and takes
// the bounds of page headers for suspects.
func (c *comparison) searchPages(column int, r *remains) error {
	if c.in.total == c.in.rows() && !c.handed.any() {
		return nil // nothing was dropped
	}
	for group := range c.out.groups() {
		w, err := c.out.walk(group, column)
		for err == nil {
			if err = w.next(); err != nil {
				break
			}
			c.probes.search(w.plain, func(x *probe, _ int) {
				x.hit = fmt.Sprintf("page %d of column %s, row group %d", w.number-1, c.out.leaves[column].path, group)
			})
			for _, s := range []*format.Statistics{&w.header.DataPageHeader.V.Statistics, &w.header.DataPageHeaderV2.V.Statistics} {
				where := fmt.Sprintf("a page header of row group %d", group)
				for _, v := range [][]byte{s.MinValue, s.MaxValue, s.Min, s.Max} {
					if len(v) > 0 && !r.zero(v) {
						r.suspect(where, v, false)
					}
				}
			}
		}
		if w != nil {
			w.end()
		}
		if !errors.Is(err, io.EOF) {
			return fmt.Errorf("row group %d: column %s: %w", group, c.out.leaves[column].path, err)
		}
	}
	return nil
}

// searchFile looks for the pieces in the file as it stands.
func (c *comparison) searchFile() error {
	p, out := c.probes, c.out
	if len(p.all) == 0 {
		return nil
	}
	buf := make([]byte, 1<<20)
	for from := int64(0); from < out.size; {
		n := min(int64(len(buf)), out.size-from)
		if _, err := io.ReadFull(io.NewSectionReader(out.r, from, n), buf[:n]); err != nil {
			return err
		}
		p.search(buf[:n], func(x *probe, offset int) { x.hit = fmt.Sprintf("the file at offset %d", from+int64(offset)) })
		if from+n == out.size {
			break
		}
		from += n - probeLength
	}
	return nil
}

// tellProbes reports the pieces that were found and that nothing kept has. It is told
// all of that only where every column was compared to its end.
func (c *comparison) tellProbes() {
	if c.partial {
		return
	}
	for _, x := range c.probes.all {
		if x.hit != "" && !x.struck {
			c.found.add(Difference{File: c.m.Output, Row: &x.row, Column: x.column, What: x.fate + ", and a piece of it still stands in " + x.hit})
		}
	}
}
