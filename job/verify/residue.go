package verify

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go/format"
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

func (p *probeSet) add(value []byte, from int, row int64, column string) {
	piece := value[from:min(from+probeLength, len(value))]
	if len(p.all) == maxProbes || len(piece) < probeLeast || distinctBytes(piece) < 4 {
		return
	}
	x := &probe{piece: bytes.Clone(piece), row: row, column: column}
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
func (a *fileAudit) probes() (*probeSet, error) {
	p := &probeSet{at: map[uint64][]*probe{}}
	type place struct {
		group int
		rows  []int64 // within it
		first int64   // of the group in the file
	}
	var places []place
	first := int64(0)
	for g, group := range a.in.groups() {
		var dropped []int64
		for row := range group.NumRows {
			if !a.kept.has(first + row) {
				dropped = append(dropped, row)
			}
		}
		if n := len(dropped); n > 0 {
			places = append(places, place{g, spread(dropped, probeRows), first})
		}
		first += group.NumRows
	}
	for _, at := range spread(places, probeGroups) {
		for column := range a.in.leaves {
			if !a.in.leaves[column].bytesLike() {
				continue
			}
			if err := a.probeColumn(p, at.group, column, at.rows, at.first); err != nil {
				return nil, err
			}
		}
	}
	a.checked.Probes += int64(len(p.all))
	text, err := a.metadataText()
	p.search(text, func(x *probe, _ int) { x.struck = true })
	return p, err
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

func (a *fileAudit) probeColumn(p *probeSet, group, column int, rows []int64, first int64) error {
	c := a.in.cursorAt(group, column)
	defer c.close()
	for row := int64(0); len(rows) > 0; row++ {
		if row < rows[0] {
			if err := c.skip(); err != nil {
				return fmt.Errorf("cannot be compared: %w", err)
			}
			continue
		}
		rows = rows[1:]
		values, err := c.row()
		if err != nil {
			return fmt.Errorf("cannot be compared: %w", err)
		}
		for _, v := range values[:min(len(values), probeRows)] {
			if v.IsNull() {
				continue
			}
			b := v.ByteArray()
			p.add(b, 0, first+row, a.in.leaves[column].path)
			if len(b) >= 4*probeLength { // texts often begin alike
				p.add(b, len(b)/2, first+row, a.in.leaves[column].path)
			}
		}
	}
	return nil
}

// metadataText is what stands in the data file by right: names of columns, key-value
// metadata, and what the run adds to it.
func (a *fileAudit) metadataText() ([]byte, error) {
	var text []byte
	for _, e := range a.in.file.Metadata().Schema {
		text = append(text, e.Name...)
		text = append(text, 0)
	}
	all, err := keyValuesOf(a.in.footer)
	for _, kv := range all {
		text = append(append(text, kv.key...), 0)
		if kv.value != nil {
			text = append(append(text, *kv.value...), 0)
		}
	}
	by, _, _ := a.in.footer.Bytes(fileCreatedBy)
	text = append(append(text, by...), 0)
	for _, s := range []string{a.run.RunID, a.run.Tool.Name + " version " + a.run.Tool.Version, a.d.Name + "/" + a.m.Source, "assent.run_id", "assent.source", "original.created_by"} {
		text = append(append(text, s...), 0)
	}
	return text, err
}

// searchPages looks for the pieces in the decompressed pages of a column, and takes
// the bounds of page headers for suspects.
func (a *fileAudit) searchPages(out *ordinary, column int, p *probeSet, r *remains) error {
	if a.total == a.in.rows() {
		return nil // nothing was dropped
	}
	for group := range out.groups() {
		w, err := out.walk(group, column)
		for err == nil {
			if err = w.next(); err != nil {
				break
			}
			p.search(w.plain, func(x *probe, _ int) {
				x.hit = fmt.Sprintf("page %d of column %s, row group %d", w.number-1, out.leaves[column].path, group)
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
		if !errors.Is(err, io.EOF) {
			return fmt.Errorf("row group %d: column %s: %w", group, out.leaves[column].path, err)
		}
	}
	return nil
}

// searchFile looks for the pieces in the file as it stands.
func (a *fileAudit) searchFile(out *ordinary, p *probeSet) error {
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
func (a *fileAudit) tellProbes(p *probeSet) {
	if a.partial {
		return
	}
	for _, x := range p.all {
		if x.hit != "" && !x.struck {
			a.found.add(Difference{File: a.m.Output, Row: &x.row, Column: x.column, What: "the row is dropped, no kept row has its value, and a piece of it still stands in " + x.hit})
		}
	}
}
