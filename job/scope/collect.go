package scope

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"maps"
	"path"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/parquet-go/parquet-go/compress/zstd"
	"golang.org/x/sync/errgroup"

	"assent/job/internal/arrowparquet"
	"assent/job/internal/config"
	"assent/job/internal/holdings"
	"assent/job/internal/objstore"
	"assent/job/internal/publish"
	"assent/job/parquet/pick"
	"assent/manifests"
	"assent/schema"
)

// partsAtATime is how many parts are written side by side: most of that is waiting until
// they are durable.
const partsAtATime = 8

// placed is a row of a published data file that is in the scope of an account.
type placed struct {
	place int64
	who   int // of exporter.accounts
}

// piece is some rows of a record: those of one account.
type piece struct {
	record      arrow.Record
	from, until int64
}

// dataset reads the files of a data set, one after the other, and writes parts whenever
// enough waits.
func (x *exporter) dataset(ctx context.Context, d *config.DatasetConfig, files []manifests.File) error {
	var roles []string
	for _, p := range d.Parties {
		roles = append(roles, p.Name)
	}
	if x.records(d) == schema.ScopeAuthor {
		roles = []string{d.Author}
	}
	codec := new(zstd.Codec)
	for i := range files {
		rows, err := x.find(ctx, d, &files[i], roles)
		if err == nil && len(rows) > 0 {
			err = x.read(ctx, &files[i], rows)
		}
		if err == nil && x.waiting > x.o.Memory {
			err = x.flush(ctx, d, codec)
		}
		if err != nil {
			return err
		}
	}
	return x.flush(ctx, d, codec)
}

// find finds the kept rows of a file that name accounts under one of the roles, in the
// order of rows. The digest of all of the subject index is checked: a record that it hides
// would be missing, and one that it makes up would be in a scope that is not its own.
func (x *exporter) find(ctx context.Context, d *config.DatasetConfig, f *manifests.File, roles []string) ([]placed, error) {
	index, err := holdings.OpenIndex(ctx, x.run, d.Name, f, publish.DigestAll)
	if err != nil {
		return nil, err
	}
	defer index.Close()
	named, err := index.Find(slices.Collect(maps.Keys(x.byRef)))
	if err != nil {
		return nil, x.run.Fault(f.Subjects, err)
	}
	var rows []placed
	for who, a := range x.accounts {
		if a.out[d.Category] {
			continue
		}
		var own []manifests.SubjectRow
		for _, ref := range a.refs {
			own = append(own, named[ref]...)
		}
		if own, err = holdings.Merge(own); err != nil {
			return nil, x.run.Fault(f.Subjects, err)
		}
		for _, r := range own {
			if r.Kept && slices.ContainsFunc(r.Roles, func(role string) bool { return slices.Contains(roles, role) }) {
				rows = append(rows, placed{r.Row, who})
			}
		}
	}
	slices.SortStableFunc(rows, func(a, b placed) int { return cmp.Compare(a.place, b.place) })
	if len(rows) == 0 || f.ExcludedByReason.Total() == 0 {
		return rows, nil
	}
	return rows, x.run.Fault(f.Exclusions, x.place(ctx, f, rows))
}

// place makes rows of the input file places in the data file: each less the exclusions before it.
func (x *exporter) place(ctx context.Context, f *manifests.File, rows []placed) error {
	r, err := x.run.Open(ctx, f.ExclusionManifest(), publish.DigestAll)
	if err != nil {
		return err
	}
	defer r.Close()
	excluded, err := manifests.OpenExclusions(r, r.Size())
	if err != nil {
		return err
	}
	n, next := int64(0), 0
	for row, err := range excluded.SourceRows() {
		if err != nil {
			return err
		}
		for ; next < len(rows) && rows[next].place < row; next++ {
			rows[next].place -= n
		}
		if next < len(rows) && rows[next].place == row {
			return fmt.Errorf("%w: row %d is both kept and excluded", manifests.ErrManifest, row)
		}
		n++
	}
	for ; next < len(rows); next++ {
		rows[next].place -= n
	}
	if want := f.ExcludedByReason.Total(); n != want {
		return fmt.Errorf("%w: %d exclusions, the run manifest says %d", manifests.ErrManifest, n, want)
	}
	return r.Unchanged(ctx)
}

// read reads rows of a data file and gives each account its own.
func (x *exporter) read(ctx context.Context, f *manifests.File, rows []placed) error {
	r, err := x.run.Open(ctx, f.Data(), publish.DigestSmall)
	if err != nil {
		return err
	}
	defer r.Close()
	file, err := pick.Open(ctx, r, f.Bytes, x.run.URI(f.Output))
	if err == nil && file.NumRows() != f.RowsKept {
		err = fmt.Errorf("%w: %d rows, the run manifest says %d", manifests.ErrManifest, file.NumRows(), f.RowsKept)
	}
	if err == nil {
		err = x.batches(ctx, file, rows)
	}
	if err != nil {
		return x.run.Fault(f.Output, err)
	}
	return r.Unchanged(ctx)
}

func (x *exporter) batches(ctx context.Context, file *pick.File, rows []placed) error {
	assembler := file.Assembler(pick.Options{})
	defer assembler.Release()
	leaves := make([]int, len(file.Columns()))
	for leaf := range leaves {
		leaves[leaf] = leaf
	}
	var places []int64
	for _, r := range rows {
		if n := len(places); n == 0 || places[n-1] != r.place {
			places = append(places, r.place)
		}
	}
	type rowOf struct{ i, who int }
	var batch []rowOf
	for b, err := range file.Batches(ctx, leaves, places) {
		if err != nil {
			return err
		}
		batch = batch[:0]
		for i, place := range b.Rows {
			for ; len(rows) > 0 && rows[0].place == place; rows = rows[1:] {
				batch = append(batch, rowOf{i, rows[0].who})
			}
		}
		slices.SortStableFunc(batch, func(a, b rowOf) int { return cmp.Compare(a.who, b.who) })
		for _, r := range batch {
			if err := assembler.Append(b, r.i); err != nil {
				return err
			}
		}
		record := assembler.Record()
		for _, column := range record.Columns() {
			x.waiting += sizeOf(column.Data())
		}
		for from := 0; from < len(batch); {
			until := from + 1
			for until < len(batch) && batch[until].who == batch[from].who {
				until++
			}
			record.Retain()
			a := x.accounts[batch[from].who]
			a.parts = append(a.parts, piece{record, int64(from), int64(until)})
			from = until
		}
		record.Release()
	}
	return nil
}

// sizeOf returns the bytes of an array in memory.
func sizeOf(data arrow.ArrayData) (n int64) {
	for _, b := range data.Buffers() {
		if b != nil {
			n += int64(b.Cap())
		}
	}
	for _, child := range data.Children() {
		n += sizeOf(child)
	}
	return n
}

// flush writes what waits of a data set.
func (x *exporter) flush(ctx context.Context, d *config.DatasetConfig, codec *zstd.Codec) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(partsAtATime)
	for _, a := range x.accounts {
		if len(a.parts) == 0 {
			continue
		}
		g.Go(func() error { return x.writeParts(ctx, d, a, codec) })
	}
	x.waiting = 0
	return g.Wait()
}

// writeParts writes what waits for an account: a part for each stretch of one schema.
func (x *exporter) writeParts(ctx context.Context, d *config.DatasetConfig, a *account, codec *zstd.Codec) error {
	set := a.Datasets[d.Name]
	set.Category, set.Records = d.Category.String(), string(x.records(d))
	for len(a.parts) > 0 {
		s, n := a.parts[0].record.Schema(), 1
		for n < len(a.parts) && a.parts[n].record.Schema().Equal(s) {
			n++
		}
		name := path.Join(a.Dir, d.Name, fmt.Sprintf("part-%03d.parquet", len(set.Files)))
		file, err := x.writePart(ctx, name, s, a.parts[:n], codec)
		if err != nil {
			return err
		}
		set.Files = append(set.Files, file)
		a.schemas[d.Name] = append(a.schemas[d.Name], s.String())
		set.Rows += file.Rows
		a.parts = a.parts[n:]
	}
	a.parts = nil
	a.Datasets[d.Name] = set
	return nil
}

func (x *exporter) writePart(ctx context.Context, name string, s *arrow.Schema, pieces []piece, codec *zstd.Codec) (File, error) {
	object, err := x.target.Create(ctx, path.Join(x.stage, name))
	if err != nil {
		return File{}, err
	}
	defer object.Abort()
	digest := &digester{Writer: object, hash: sha256.New()}
	w, err := arrowparquet.NewWriter(digest, s, arrowparquet.Options{Codec: codec, ShortBounds: true})
	if err != nil {
		return File{}, err
	}
	file := File{Path: name}
	for _, p := range pieces {
		rows := p.record.NewSlice(p.from, p.until)
		err := w.Write(rows)
		file.Rows += rows.NumRows()
		rows.Release()
		p.record.Release()
		if err != nil {
			return File{}, err
		}
	}
	if err := w.Close(); err != nil {
		return File{}, err
	}
	if err := object.Finish(ctx); err != nil {
		return File{}, err
	}
	if err := x.describe(ctx, name, s); err != nil {
		return File{}, err
	}
	file.Bytes, file.SHA256 = digest.bytes, hex.EncodeToString(digest.hash.Sum(nil))
	return file, nil
}

// digester counts and digests what is written.
type digester struct {
	objstore.Writer
	hash  hash.Hash
	bytes int64
}

func (d *digester) Write(p []byte) (int, error) {
	n, err := d.Writer.Write(p)
	d.hash.Write(p[:n])
	d.bytes += int64(n)
	return n, err
}
