package verify

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/parquet-go/parquet-go"
)

// comparison compares a data file with its input.
type comparison struct {
	*fileAudit
	in      *decisions
	out     *parquetFile
	handed  *handed
	probes  *probeSet
	partial bool // some column was not compared to its end
}

// checkData compares the data file with its input: schema and metadata, then every
// kept row, value by value, column by column, then what dropped rows may have left.
func (a *fileAudit) checkData(ctx context.Context, d *decisions) error {
	r, err := a.openObject(ctx, a.m.Output)
	if err != nil || r == nil {
		return err
	}
	defer r.Close()
	err = a.compareData(ctx, d, r)
	for _, r := range []*watched{d.bytes, r} {
		if failed := r.failed(ctx); failed != nil {
			return failed
		}
	}
	if err != nil {
		a.found.of(a.m.Output, "%v", err)
		return nil
	}
	return r.Unchanged(ctx)
}

func (a *fileAudit) compareData(ctx context.Context, d *decisions, r *watched) error {
	out, err := openParquet(ctx, r)
	if err != nil {
		return fmt.Errorf("cannot be read: %w", err)
	}
	out.turn = d.turn
	c := &comparison{fileAudit: a, in: d, out: out}
	if c.handed, err = a.handover(d.parquetFile); err != nil {
		return err
	}
	if err := c.compareFooters(); err != nil {
		return err
	}
	if err := c.comparePaths(); err != nil {
		return err
	}
	if err := c.chooseProbes(); err != nil {
		return err
	}
	for column := range c.handed.columns {
		if c.handed.columns[column].out < 0 {
			continue
		}
		if err := a.found.unreadable(c.compareColumn(column)); err != nil {
			return err
		}
	}
	c.compareTransforms()
	a.checked.Rows += d.total
	if err := c.searchFile(); err != nil {
		return err
	}
	c.tellProbes()
	return nil
}

// comparePaths checks that the data file has the columns that it has to have, and in every row group under their names.
func (c *comparison) comparePaths() error {
	var want []string
	for i := range c.handed.columns {
		if x := &c.handed.columns[i]; x.out >= 0 {
			want = append(want, x.leaf.path)
		}
	}
	if len(want) != len(c.out.leaves) {
		return errors.New("it has other columns than its input")
	}
	for _, g := range c.out.groups() {
		for i := range g.Columns {
			if path := strings.Join(g.Columns[i].MetaData.PathInSchema, "."); path != want[i] {
				return errors.New("it has other columns than its input")
			}
		}
	}
	return nil
}

// compareColumn compares the values of a column of the input in all kept rows: kind, levels and
// bits, of a changed one with what they have to become. It tells of the first row that differs. An input that cannot be read gives an
// unreadableError, a data file that cannot be read another error.
func (c *comparison) compareColumn(column int) error {
	whole := false
	defer func() { c.partial = c.partial || !whole }()
	handed := &c.handed.columns[column]
	name := handed.leaf.path
	x, y := c.in.cursor(column), c.out.cursor(handed.out)
	defer x.close()
	defer y.close()
	remains := watchRemains(c, handed, y)
	for row := range c.in.rows() {
		if !c.in.kept.has(row) {
			if err := x.skip(); err != nil {
				return c.unreadInput(name, row, err)
			}
			continue
		}
		what, err := c.compareRow(x, y, remains, handed)
		switch {
		case errors.As(err, new(inputError)):
			return c.unreadInput(name, row, err)
		case errors.Is(err, io.EOF):
			what = "the rules keep the row, the file has no more rows"
		case err != nil:
			return fmt.Errorf("column %s: cannot be read before row %d of the input: %w", name, row, err)
		}
		if what != "" {
			c.found.add(Difference{File: c.m.Output, Row: &row, Column: name, What: what})
			return nil
		}
	}
	if _, err := x.take(); !errors.Is(err, io.EOF) {
		return c.unreadInput(name, c.in.rows(), cmp.Or(err, errors.New("more rows than its footer says")))
	}
	switch _, err := y.take(); {
	case err == nil:
		c.found.add(Difference{File: c.m.Output, Column: name, What: fmt.Sprintf("it has more than the %d rows that the rules keep", c.in.total)})
		return nil
	case !errors.Is(err, io.EOF):
		return fmt.Errorf("column %s: cannot be read behind its last row: %w", name, err)
	}
	whole = true
	x.close()
	y.close()
	remains.finish()
	c.probes.endColumn()
	if err := c.searchPages(handed.out, remains); err != nil {
		return err
	}
	return remains.resolve()
}

// inputError is an error of reading an input, where a data file is read as well.
type inputError struct{ error }

func (c *comparison) unreadInput(column string, row int64, err error) error {
	return &unreadableError{file: c.f.path, column: column, row: &row, err: err}
}

// compareRow compares the next row of both and says how they differ. At the end of the
// data file it returns io.EOF.
func (c *comparison) compareRow(x, y *cursor, remains *remains, handed *handedColumn) (what string, err error) {
	for more := true; more; {
		v, err := x.take()
		if err != nil {
			return "", inputError{err}
		}
		u, err := y.take()
		if err != nil {
			return "", err
		}
		c.checked.Values++
		switch {
		case v.RepetitionLevel() != u.RepetitionLevel(), v.DefinitionLevel() != u.DefinitionLevel(), v.IsNull() != u.IsNull():
			return "nulls or list lengths are not the input's", nil
		case handed.expect != nil && !v.IsNull():
			handed.changed++
			if !sameValue(handed.expect(v), u) {
				return fmt.Sprintf("the value is not the input's, %s", handed.action), nil
			}
		case handed.details != nil && !v.IsNull():
			if what := handed.redacted(c.contacts, v, u); what != "" {
				return what, nil
			}
		case !sameValue(v, u):
			return "the value is not the input's", nil
		}
		if !u.IsNull() {
			remains.value(u)
			if isBytes(u) {
				c.probes.strike(u.ByteArray())
			}
		}
		longer, err := y.more()
		if err != nil {
			return "", err
		}
		if more, err = x.more(); err != nil {
			return "", inputError{err}
		}
		if more != longer {
			return "the list is not as long as the input's", nil
		}
	}
	return "", nil
}

func isBytes(v parquet.Value) bool {
	return v.Kind() == parquet.ByteArray || v.Kind() == parquet.FixedLenByteArray
}

// sameValue compares two values bit by bit, so that NaNs and the zeros are told apart.
func sameValue(v, u parquet.Value) bool {
	switch {
	case v.Kind() != u.Kind():
		return false
	case isBytes(v), v.Kind() == parquet.Int96:
		return bytes.Equal(v.Bytes(), u.Bytes())
	}
	return v.Uint64() == u.Uint64()
}

// compareFooters compares schema and metadata.
func (c *comparison) compareFooters() error {
	in, out := c.in.footer, c.out.footer
	for _, f := range []struct {
		id   int16
		name string
	}{{fileVersion, "the format's version"}, {fileSchema, "the schema"}, {fileColumnOrders, "the column orders"}} {
		was := find(in, f.id)
		if c.handed.edited && f.id != fileVersion {
			continue
		}
		if !bytes.Equal(was, find(out, f.id)) && (was != nil || f.id != fileColumnOrders) {
			c.found.of(c.m.Output, "%s is not the input's", f.name)
		}
	}
	if c.handed.edited {
		if err := c.compareSchema(); err != nil {
			return err
		}
	}
	if err := c.checkFooter(); err != nil {
		return err
	}
	if by, _ := textOf(out, fileCreatedBy); by != c.createdBy() {
		c.found.of(c.m.Output, "created_by is not %q, the tool of the run manifest", c.createdBy())
	}
	return c.compareMetadata()
}

func (c *comparison) createdBy() string { return c.run.Tool.Name + " version " + c.run.Tool.Version }
