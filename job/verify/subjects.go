package verify

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"maps"
	"slices"

	"github.com/parquet-go/parquet-go"

	"assent/manifests"
	"assent/schema"
)

// The subject index has to hold every triple of an account, a row that names it and a
// role, with the row's outcome, and nothing more. It is sorted by account and the
// input is not, so both sides are summed up in hashes, block of rows by block; only
// where a block's sums differ are its triples compared one by one.

// blockOfRows is how many rows share a sum.
const blockOfRows = 4096

// lookedBlocks is how many differing blocks are looked at closely.
const lookedBlocks = 4

// triple is a fact of the subject index.
type triple struct {
	row  int64
	ref  manifests.Ref
	role int // of the data set
	kept bool
}

// pairSums are the sums of two sets of triples. The seed is drawn anew for every
// file, so that nobody can make a false index with a true sum.
type pairSums struct {
	seed maphash.Seed
	want []uint64 // by block
	got  []uint64
	seen []triple // of the row in hand
}

func newPairSums(rows int64) *pairSums {
	n := (rows + blockOfRows - 1) / blockOfRows
	return &pairSums{seed: maphash.MakeSeed(), want: make([]uint64, n), got: make([]uint64, n)}
}

func (s *pairSums) hash(t triple) uint64 {
	var b [16 + 8 + 2]byte
	copy(b[:], t.ref[:])
	binary.LittleEndian.PutUint64(b[16:], uint64(t.row))
	b[24] = byte(t.role)
	if t.kept {
		b[25] = 1
	}
	return maphash.Bytes(s.seed, b[:])
}

// triplesOf returns the triples of a row, each once.
func triplesOf(dst []triple, row int64, kept bool, named []namedAccount) []triple {
	for _, x := range named {
		if x.account == nil {
			continue
		}
		if t := (triple{row, x.account.ref, x.role, kept}); !slices.Contains(dst, t) {
			dst = append(dst, t)
		}
	}
	return dst
}

func (s *pairSums) expect(row int64, kept bool, named []namedAccount) {
	s.seen = triplesOf(s.seen[:0], row, kept, named)
	for _, t := range s.seen {
		s.want[row/blockOfRows] += s.hash(t)
	}
}

// differing returns the blocks whose sums differ.
func (s *pairSums) differing() []int64 {
	var blocks []int64
	for b := range s.want {
		if s.want[b] != s.got[b] {
			blocks = append(blocks, int64(b))
		}
	}
	return blocks
}

// compareSubjects compares the subject index with what was expected.
func (a *fileAudit) compareSubjects(ctx context.Context, d *decisions, w *facts, sums *pairSums) error {
	if !a.intact[a.m.Subjects] {
		return nil
	}
	read, err := a.eachTriple(ctx, d.rows(), func(t triple) {
		a.checked.Pairs++
		sums.got[t.row/blockOfRows] += sums.hash(t)
	})
	if err != nil || !read {
		return err
	}
	blocks := sums.differing()
	if len(blocks) == 0 {
		return nil
	}
	if more := len(blocks) - lookedBlocks; more > 0 {
		blocks = blocks[:lookedBlocks]
		defer func() { a.found.of(a.m.Subjects, "%d more stretches of %d rows differ", more, blockOfRows) }()
	}
	return a.lookClosely(ctx, d, w, blocks)
}

// lookClosely compares the triples of some blocks one by one.
func (a *fileAudit) lookClosely(ctx context.Context, d *decisions, w *facts, blocks []int64) error {
	const missing, surplus = 1, 2
	state := map[triple]int{}
	chosen := map[int64]bool{}
	for _, b := range blocks {
		chosen[b] = true
	}
	k, err := d.records(a.d, func(id []byte) *account { return w.accounts[string(id)] })
	if err != nil {
		return err
	}
	defer k.close()
	var r record
	for row := range d.rows() {
		if err := k.next(&r); err != nil {
			return d.fault(ctx, &row, err)
		}
		if chosen[row/blockOfRows] {
			for _, t := range triplesOf(nil, row, d.kept.has(row), r.named) {
				state[t] = missing
			}
		}
	}
	_, err = a.eachTriple(ctx, d.rows(), func(t triple) {
		switch {
		case !chosen[t.row/blockOfRows]:
		case state[t] == missing:
			state[t] = 0
		case state[t] == 0:
			if _, there := state[t]; !there {
				state[t] = surplus
			}
		}
	})
	maps.DeleteFunc(state, func(_ triple, n int) bool { return n == 0 })
	roles := a.d.Roles()
	for _, t := range slices.SortedFunc(maps.Keys(state), func(x, y triple) int {
		return cmp.Or(cmp.Compare(x.row, y.row), cmp.Compare(x.role, y.role), cmp.Compare(x.ref.String(), y.ref.String()))
	}) {
		opposite := t
		opposite.kept = !t.kept
		switch {
		case state[t] == missing && state[opposite] == surplus:
			a.found.at(a.m.Subjects, t.row, "the subject index has the wrong outcome for the %s: the row is kept: %t", roles[t.role].Name, t.kept)
		case state[t] == missing:
			a.found.at(a.m.Subjects, t.row, "the subject index lacks the %s", roles[t.role].Name)
		case state[opposite] != missing:
			a.found.at(a.m.Subjects, t.row, "the subject index has an account as %s that the row does not name so", roles[t.role].Name)
		}
	}
	return err
}

// eachTriple reads the index of a file of so many rows. It reports whether all of it
// could be read.
func (a *fileAudit) eachTriple(ctx context.Context, rows int64, f func(triple)) (read bool, err error) {
	r, err := a.openObject(ctx, a.m.Subjects)
	if err != nil {
		return false, err
	}
	defer r.Close()
	err = a.readTriples(ctx, r, rows, f)
	if err == nil {
		return true, nil
	}
	if failed := r.failed(ctx); failed != nil {
		return false, failed
	}
	a.found.of(a.m.Subjects, "cannot be read: %v", err)
	return false, nil
}

// indexReader reads a subject index column by column: an
// account may be named by very many rows, which must not be in memory together.
type indexReader struct {
	refs, roles, kept, rows *keyReader
	roleNames               []schema.Role
	most                    int64 // rows of the input
	filters                 filterCheck
}

// filterCheck holds the bloom filters of an index, by which it is looked up, against its references.
type filterCheck struct {
	file  *parquetFile
	group int
	left  int64       // entries of the row group
	bloom *bloomCheck // nil: it has none
}

// add takes the reference of the next entry.
func (c *filterCheck) add(ref parquet.Value) (err error) {
	for c.left == 0 {
		if err := c.end(); err != nil {
			return err
		}
		c.group++
		if c.group >= len(c.file.groups()) {
			return errors.New("more entries than the footer says")
		}
		c.left = c.file.groups()[c.group].NumRows
		if c.bloom, err = c.file.bloomOf(c.group, 0); err != nil {
			return fmt.Errorf("bloom filter: %w", err)
		}
	}
	c.left--
	if c.bloom != nil {
		c.bloom.add(ref)
	}
	return nil
}

// end is called once a row group has no more entries.
func (c *filterCheck) end() error {
	if c.bloom == nil {
		return nil
	}
	if lacks, more := c.bloom.compare(); lacks || more {
		return fmt.Errorf("the bloom filter of row group %d is not that of its references", c.group)
	}
	return nil
}

func (a *fileAudit) readTriples(ctx context.Context, r *watched, rows int64, f func(triple)) error {
	file, err := openParquet(ctx, r)
	if err != nil {
		return err
	}
	b := binder{file: file}
	column := func(path string, kind parquet.Kind) *keyReader {
		return b.column("", path, true, func(l *leaf) string {
			if l.kind() != kind {
				return "is of another type"
			}
			return ""
		})
	}
	x := indexReader{
		column("ref", parquet.ByteArray), column("roles", parquet.ByteArray), column("kept", parquet.Boolean), column("rows", parquet.Int64),
		a.d.Roles(), rows, filterCheck{file: file, group: -1},
	}
	defer b.close()
	if b.err != nil {
		return b.err
	}
	for range file.rows() {
		if err := x.entry(f); err != nil {
			return err
		}
	}
	if err := x.filters.end(); err != nil {
		return err
	}
	for _, k := range b.opened {
		if _, err := k.take(); !errors.Is(err, io.EOF) {
			return cmp.Or(err, errors.New("more entries than the footer says"))
		}
	}
	return nil
}

// entry reads one entry of the index.
func (x *indexReader) entry(f func(triple)) error {
	ref, err := x.refs.take()
	if err != nil {
		return err
	}
	t := triple{}
	if t.ref, err = manifests.ParseRef(string(ref.ByteArray())); err != nil {
		return errors.New("a ref is malformed")
	}
	if err := x.filters.add(ref); err != nil {
		return err
	}
	kept, err := x.kept.take()
	if err != nil {
		return err
	}
	t.kept = kept.Boolean()
	names, err := x.roles.elements()
	if err != nil {
		return err
	}
	var roles []int
	for _, v := range names {
		role := slices.IndexFunc(x.roleNames, func(r schema.Role) bool { return r.Name == string(v.ByteArray()) })
		if role < 0 {
			return errors.New("a role is not of the data set")
		}
		roles = append(roles, role)
	}
	for more := true; more; {
		row, err := x.rows.take()
		if err != nil {
			return err
		}
		if row.DefinitionLevel() >= x.rows.leaf.slotDef {
			if t.row = row.Int64(); t.row < 0 || t.row >= x.most {
				return errors.New("a row is out of range")
			}
			for _, t.role = range roles {
				f(t)
			}
		}
		if more, err = x.rows.more(); err != nil {
			return err
		}
	}
	return nil
}
