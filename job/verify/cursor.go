package verify

import (
	"errors"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go"
)

// cursor goes through the values of a column, row by row, over all row groups.
type cursor struct {
	f      *parquetFile
	column int
	group  int                                               // the current row group
	last   int                                               // the row group before which it ends
	onPage func(group int, dict dictionary, indices []int32) // dict is nil where the values are not coded by one
	onEnd  func()                                            // of a row group

	rows   int64        // begun in the current row group
	pages  *chunkPages  // of the current row group; nil before the first
	page   parquet.Page // nil where it is a large one
	values parquet.ValueReader
	buf    []parquet.Value
	at, n  int
	eof    bool            // of the page
	held   []parquet.Value // values of the row in hand, to be cloned before their page goes
}

// cursor returns a cursor over all row groups.
func (f *parquetFile) cursor(column int) *cursor {
	return &cursor{f: f, column: column, last: len(f.groups()), buf: make([]parquet.Value, 1024)}
}

// cursorAt returns a cursor over one row group.
func (f *parquetFile) cursorAt(group, column int) *cursor {
	c := f.cursor(column)
	c.group, c.last = group, group+1
	return c
}

func (c *cursor) close() {
	c.drop()
	if c.pages != nil {
		c.pages.rest.Close()
		c.pages.stream.end()
		c.pages = nil
	}
}

// drop releases the page.
func (c *cursor) drop() {
	for i := range c.held {
		c.held[i] = c.held[i].Clone()
	}
	clear(c.buf)
	if c.page != nil {
		parquet.Release(c.page)
	}
	c.page, c.values = nil, nil
}

// fill makes at least one value available; io.EOF at the end of the column.
func (c *cursor) fill() error {
	for c.at == c.n {
		if err := c.fillOnce(); err != nil {
			return err
		}
	}
	return nil
}

func (c *cursor) fillOnce() (err error) {
	if c.group == c.last {
		return io.EOF
	}
	more := true
	if c.pages == nil {
		c.rows = 0
		c.pages, err = c.f.pages(c.group, c.column)
	}
	if err == nil {
		more, err = c.read()
	}
	switch {
	case err != nil:
		if failed := c.f.r.failed(c.f.ctx); failed != nil {
			return failed
		}
		return c.wrap(err)
	case more:
		return nil
	}
	c.close()
	if c.onEnd != nil {
		c.onEnd()
	}
	if want := c.f.groups()[c.group].NumRows; c.rows != want {
		return c.wrap(fmt.Errorf("%d rows, its metadata has %d", c.rows, want))
	}
	c.group++
	return nil
}

func (c *cursor) wrap(err error) error { return fmt.Errorf("row group %d: %w", c.group, err) }

// read reads values into the buffer; false at the end of the chunk.
func (c *cursor) read() (more bool, err error) {
	defer recovered(&err)
	if err := c.f.ctx.Err(); err != nil {
		return false, err
	}
	if c.values == nil {
		c.drop()
		page, values, err := c.pages.next()
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		c.page, c.values, c.eof = page, values, false
		if c.onPage != nil {
			c.tell()
		}
	}
	c.at, c.n = 0, 0
	if c.eof {
		c.values = nil
		return true, nil
	}
	n, err := c.values.ReadValues(c.buf)
	if errors.Is(err, io.EOF) {
		c.eof, err = true, nil
	} else if n == 0 && err == nil {
		err = io.ErrNoProgress
	}
	c.n = n
	return true, err
}

// dictionary is one of a column chunk.
type dictionary interface {
	Len() int
	Index(i int32) parquet.Value
}

// tell tells onPage of the page.
func (c *cursor) tell() {
	if large, ok := c.values.(*largeValues); ok {
		if large.dict == nil {
			c.onPage(c.group, nil, nil)
		} else {
			c.onPage(c.group, large.dict, large.indices)
		}
	} else if d := c.page.Dictionary(); d == nil {
		c.onPage(c.group, nil, nil)
	} else {
		data := c.page.Data()
		c.onPage(c.group, d, data.Int32())
	}
}

// take returns the next value, which is valid until the next call of any method.
// io.EOF at the end.
func (c *cursor) take() (parquet.Value, error) {
	if c.at == c.n {
		if err := c.fill(); err != nil {
			return parquet.Value{}, err
		}
	}
	v := c.buf[c.at]
	c.at++
	if v.RepetitionLevel() == 0 {
		c.rows++
	}
	return v, nil
}

// more reports whether the next value belongs to the same row as the last one.
func (c *cursor) more() (bool, error) {
	if c.f.leaves[c.column].maxRep == 0 {
		return false, nil
	}
	if c.at == c.n {
		if err := c.fill(); err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return false, err
		}
	}
	return c.buf[c.at].RepetitionLevel() > 0, nil
}

// skip passes over a row.
func (c *cursor) skip() error {
	for {
		if _, err := c.take(); err != nil {
			return err
		}
		if more, err := c.more(); !more {
			return err
		}
	}
}

// row returns the values of the next row, valid until the next call; io.EOF at the end.
func (c *cursor) row() ([]parquet.Value, error) {
	c.held = c.held[:0]
	for {
		v, err := c.take()
		if err != nil {
			return nil, err
		}
		c.held = append(c.held, v)
		if more, err := c.more(); err != nil {
			return nil, err
		} else if !more {
			return c.held, nil
		}
	}
}
