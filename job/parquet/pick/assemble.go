package pick

import (
	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"assent/job/parquet"
)

// Options say how rows become Arrow records.
type Options struct {
	// Text replaces the values of some leaves by a text: the leaf becomes one of
	// strings, nulls and lists stay. It is called for slots that have a value.
	Text map[int]func(s *Slots, slot int) string
	// Finite makes floating-point values that JSON does not have (NaN and the
	// infinities) null.
	Finite bool
}

// Assembler turns batches that hold all leaves into Arrow records. Types follow the
// format's LogicalTypes.md; what Arrow, or Parquet as it is written here, lacks
// becomes its text (UUID, decimals of more than 38 digits) or its nearest type: INT96
// a timestamp in UTC, FLOAT16 a float32, a MAP the list of its entries.
type Assembler struct {
	f       *File
	options Options
	leaves  []appender
	schema  *arrow.Schema
	builder *array.RecordBuilder

	batch *Batch
	at    []int32 // by leaf: the next slot of the row
	end   []int32
}

// Assembler returns an assembler for the file's rows. Release it.
func (f *File) Assembler(o Options) *Assembler {
	n := len(f.Columns())
	a := &Assembler{f: f, options: o, leaves: make([]appender, n), at: make([]int32, n), end: make([]int32, n)}
	var all []arrow.Field
	for _, c := range f.Root().Children {
		all = append(all, a.field(c))
	}
	a.schema = arrow.NewSchema(all, nil)
	a.builder = array.NewRecordBuilder(memory.DefaultAllocator, a.schema)
	return a
}

// Release frees the builders.
func (a *Assembler) Release() { a.builder.Release() }

// Schema returns the schema of the records.
func (a *Assembler) Schema() *arrow.Schema { return a.schema }

// Record returns the rows appended since the last call. The caller releases it.
func (a *Assembler) Record() arrow.Record { return a.builder.NewRecord() }

// Append appends row i of a batch.
func (a *Assembler) Append(b *Batch, i int) error {
	a.batch = b
	for leaf := range a.leaves {
		s := b.Slots(leaf)
		a.at[leaf], a.end[leaf] = s.Rows[i], s.Rows[i+1]
	}
	for c, n := range a.f.Root().Children {
		if err := a.append(n, a.builder.Field(c)); err != nil {
			return a.f.Fault(err, -1, n.Leaf, -1)
		}
	}
	for leaf := range a.leaves {
		if a.at[leaf] != a.end[leaf] {
			return a.f.Fault(errLevels, -1, leaf, -1)
		}
	}
	return nil
}

var errLevels = parquet.Corruptf("levels of columns that belong together differ")

// def returns the definition level of the next slot of a leaf.
func (a *Assembler) def(leaf int) (uint8, error) {
	if a.at[leaf] >= a.end[leaf] {
		return 0, errLevels
	}
	if s := a.batch.Slots(leaf); s.Defs != nil {
		return s.Defs[a.at[leaf]], nil
	}
	return 0, nil
}

// skip passes over the one slot that each leaf of an absent node has.
func (a *Assembler) skip(n *parquet.Node) {
	if len(n.Children) == 0 {
		a.at[n.Leaf]++
	}
	for _, c := range n.Children {
		a.skip(c)
	}
}

func (a *Assembler) append(n *parquet.Node, b array.Builder) error {
	if n.Repetition == parquet.Repeated {
		return a.appendList(n, n, b)
	}
	if n.Repetition == parquet.Optional {
		def, err := a.def(n.Leaf)
		if err != nil {
			return err
		}
		if int(def) < n.MaxDef {
			b.AppendNull()
			a.skip(n)
			return nil
		}
	}
	return a.appendValue(n, b)
}

func (a *Assembler) appendValue(n *parquet.Node, b array.Builder) error {
	switch {
	case n.List:
		return a.appendList(n.Children[0], n, b)
	case len(n.Children) > 0:
		b := b.(*array.StructBuilder)
		b.Append(true)
		for i, c := range n.Children {
			if err := a.append(c, b.FieldBuilder(i)); err != nil {
				return err
			}
		}
		return nil
	}
	if _, err := a.def(n.Leaf); err != nil {
		return err
	}
	a.leaves[n.Leaf](b, a.batch.Slots(n.Leaf), int(a.at[n.Leaf]))
	a.at[n.Leaf]++
	return nil
}

// appendList appends the list that a repeated node stands for: elements follow as long
// as slots repeat at its level.
func (a *Assembler) appendList(repeated, of *parquet.Node, b array.Builder) error {
	list := b.(*array.ListBuilder)
	list.Append(true)
	def, err := a.def(repeated.Leaf)
	if err != nil {
		return err
	}
	if int(def) < repeated.MaxDef {
		a.skip(repeated)
		return nil
	}
	for {
		if element, inner := elementOf(repeated, of); inner {
			err = a.append(element, list.ValueBuilder())
		} else {
			err = a.appendValue(element, list.ValueBuilder())
		}
		if err != nil {
			return err
		}
		at := a.at[repeated.Leaf]
		if at >= a.end[repeated.Leaf] {
			return nil
		}
		rep := a.batch.Slots(repeated.Leaf).Reps[at]
		if int(rep) > repeated.MaxRep {
			return errLevels
		}
		if int(rep) < repeated.MaxRep {
			return nil
		}
	}
}
