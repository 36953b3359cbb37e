package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"assent/job"
	"assent/job/internal/objstore"
	"assent/job/parquet"
	"assent/job/parquet/rewrite"
)

// Scan goes through some columns of a file. A column that the file lacks has a vector
// too, as KeyColumn says.
func Scan(ctx context.Context, f *File, columns func(*rewrite.File) ([]KeyColumn, error), take func(first int64, rows int, v []*parquet.Vector) error) error {
	r, file, err := f.Open(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	cols, err := columns(file)
	if err != nil {
		return err
	}
	vectors := make([]*parquet.Vector, len(cols))
	soon := func(group int) {
		if a, late := r.(objstore.Ahead); late && group < file.NumRowGroups() {
			Announce(a, file, group, func(leaf int) bool {
				return slices.ContainsFunc(cols, func(c KeyColumn) bool { return c.Leaf == leaf })
			})
		}
	}
	soon(0)
	base := int64(0)
	for g := range file.NumRowGroups() {
		soon(g + 1)
		err := ScanRowGroup(ctx, file, g, cols, func(b *Batch) error {
			for i := range vectors {
				vectors[i] = &b.Columns[i]
			}
			return take(base+b.FirstRow, b.Rows, vectors)
		})
		if err != nil {
			return err
		}
		base += file.RowGroupRows(g)
	}
	return objstore.OneContent(ctx, r, f.Object)
}

// Batch is some consecutive rows of a row group. Its columns are those that were asked for,
// in their order.
type Batch struct {
	rewrite.Batch
	read *rewrite.Batch
	at   []int // of each column, its place in read; -1 where the file lacks it
}

// Load makes the values of a late column stand in b.Columns[i].
func (b *Batch) Load(i int) error {
	if b.at[i] < 0 {
		return nil
	}
	if err := b.read.Load(b.at[i]); err != nil {
		return err
	}
	b.Columns[i] = b.read.Columns[b.at[i]]
	return nil
}

// ScanRowGroup goes through some columns of a row group.
func ScanRowGroup(ctx context.Context, file *rewrite.File, g int, columns []KeyColumn, take func(*Batch) error) error {
	var leaves []int
	batch := Batch{Batch: rewrite.Batch{Columns: make([]parquet.Vector, len(columns))}, at: make([]int, len(columns))}
	for i, c := range columns {
		batch.at[i] = -1
		if c.Leaf >= 0 {
			batch.at[i] = len(leaves)
			leaves = append(leaves, c.Leaf)
		}
	}
	keys, err := file.Keys(ctx, g, leaves)
	if err != nil {
		return err
	}
	defer keys.Close()
	for i, c := range columns {
		if c.Late && c.Leaf >= 0 {
			keys.Late(batch.at[i])
		}
	}
	var constant constants
	for {
		b, err := keys.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		batch.FirstRow, batch.Rows, batch.read = b.FirstRow, b.Rows, b
		for i := range columns {
			c := &columns[i]
			if c.Leaf < 0 {
				batch.Columns[i] = constant.vector(c, b.Rows)
				continue
			}
			v := &b.Columns[batch.at[i]]
			if err := c.check(v); err != nil {
				return job.BadInput("mend the export and run again; nothing was published", "%s: row group %d: rows from %d on: column %s: %w",
					file.Name(), g, b.FirstRow, file.Columns()[c.Leaf].Name(), err)
			}
			batch.Columns[i] = *v
			if c.null {
				batch.Columns[i] = constant.vector(c, b.Rows)
			}
		}
		if err := take(&batch); err != nil {
			return err
		}
	}
}

// check holds that a column's values are what its type and its file's path say.
func (c *KeyColumn) check(v *parquet.Vector) error {
	if !c.null && c.key == nil {
		return nil
	}
	var value []byte
	for i := range max(len(v.Ints), v.Bytes.Len(), len(v.Index)) {
		null := v.Null != nil && v.Null[i]
		if c.null && !null {
			return errNotNull
		}
		if c.key == nil {
			continue
		}
		if value = value[:0]; !null {
			value = c.ID.Append(value, v, i)
		}
		if string(value) != c.key.Value {
			return fmt.Errorf("the file's path has another value for %s", job.Quote(c.key.Name))
		}
	}
	return nil
}

var errNotNull = errors.New("a value in a column of the null type")

// constants makes the vectors of columns that a file lacks.
type constants struct {
	null  []bool
	zeros []int64
	ends  []uint32
	index []int32
}

func (k *constants) vector(c *KeyColumn, rows int) parquet.Vector {
	if c.value != nil {
		k.index = Grow(k.index, rows)
		return parquet.Vector{Dict: c.value, Index: k.index}
	}
	if len(k.null) < rows {
		k.null, k.zeros, k.ends = make([]bool, rows), make([]int64, rows), make([]uint32, rows)
		for i := range k.null {
			k.null[i] = true
		}
	}
	return parquet.Vector{Null: k.null[:rows], Ints: k.zeros[:rows], Bytes: parquet.Bytes{Ends: k.ends[:rows]}}
}

// Constant is the one-slot vector of a column that a file lacks.
func (c *KeyColumn) Constant() *parquet.Vector {
	v := new(constants).vector(c, 1)
	return &v
}
