package rewrite

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"assent/job/parquet"
	"assent/job/parquet/thrift"
)

// A JoinPart is a file to be joined with others: it holds some of the row groups of one file.
type JoinPart struct {
	*parquet.File
	Lost bool // its row groups lost rows
}

// Join writes the file whose row groups are those of all parts, in their order. The parts are of Writers of one file with the same
// options but for the row groups, or of one kind otherwise; then the result has the bytes that one Writer of all row groups would
// have written. Pages are moved as they are. It returns the number of bytes written.
//
// Parts are read ahead of what is written, in several reads at a time: they may lie in a place that answers late.
func Join(ctx context.Context, w io.Writer, parts []JoinPart) (int64, error) {
	j := joiner{out: parquet.Output{W: w}}
	if err := j.move(ctx, parts); err != nil {
		return 0, err
	}
	if err := j.out.Begin(); err != nil {
		return 0, err
	}
	if err := j.copy(ctx, parts); err != nil {
		return 0, err
	}
	var chunks []*parquet.WrittenChunk
	for i := range j.groups {
		for k := range j.groups[i].Chunks {
			chunks = append(chunks, &j.groups[i].Chunks[k])
		}
	}
	defer j.readFilters(chunks)()
	err := j.out.Finish(chunks, func() thrift.Struct { return j.footer(parts) })
	return j.out.Size, err
}

type joiner struct {
	out    parquet.Output
	ends   []int64 // of the pages of each part
	groups []parquet.MovedGroup
	rows   int64
}

const (
	pagesBegin   = int64(len(parquet.Magic))
	joinBlock    = 4 << 20 // bytes that are read at once
	readsAhead   = 4       // reads at a time
	indexesAhead = 16      // parts whose page indexes are read at a time
)

// move works out where the row groups of all parts come to lie.
func (j *joiner) move(ctx context.Context, parts []JoinPart) error {
	moved := make([][]parquet.MovedGroup, len(parts))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(indexesAhead)
	shift := int64(0)
	for i, p := range parts {
		end, err := p.PagesEnd()
		if err != nil {
			return errors.Join(p.Fault(err, -1, -1, -1), g.Wait())
		}
		at := shift
		g.Go(func() (err error) {
			if err := gctx.Err(); err != nil {
				return err
			}
			if moved[i], err = p.MoveRowGroups(at); err != nil {
				err = p.Fault(err, -1, -1, -1)
			}
			return err
		})
		shift += end - pagesBegin
		j.ends = append(j.ends, end)
		j.rows += p.NumRows()
	}
	err := g.Wait()
	j.groups = slices.Concat(moved...)
	return err
}

// copy writes the pages of all parts.
func (j *joiner) copy(ctx context.Context, parts []JoinPart) error {
	var blocks sync.Pool // of *[]byte, of joinBlock bytes
	read := func(p JoinPart, from, to int64) ([]byte, error) {
		b, _ := blocks.Get().(*[]byte)
		if b == nil {
			b = new(make([]byte, joinBlock))
		}
		if err := p.ReadFull((*b)[:to-from], from); err != nil {
			return nil, p.Fault(err, -1, -1, -1)
		}
		return (*b)[:to-from], nil
	}
	next, stop := readAhead(func(yield func(func() ([]byte, error)) bool) {
		for i, p := range parts {
			for at := pagesBegin; at < j.ends[i]; at += joinBlock {
				if !yield(func() ([]byte, error) { return read(p, at, min(at+joinBlock, j.ends[i])) }) {
					return
				}
			}
		}
	})
	defer stop()
	for i := range parts {
		for at := pagesBegin; at < j.ends[i]; at += joinBlock {
			b, err := next()
			if err == nil {
				_, err = j.out.Write(b)
			}
			if err := cmp.Or(context.Cause(ctx), err); err != nil {
				return err
			}
			blocks.Put(new(b[:joinBlock]))
		}
	}
	return nil
}

// readFilters lets the filters of chunks be read ahead of their being written. The caller calls stop in the end.
func (j *joiner) readFilters(chunks []*parquet.WrittenChunk) (stop func()) {
	var reads []func() ([]byte, error)
	var next func() ([]byte, error)
	for _, c := range chunks {
		if c.Filter != nil {
			reads = append(reads, c.Filter)
			c.Filter = func() ([]byte, error) { return next() }
		}
	}
	next, stop = readAhead(slices.Values(reads))
	return stop
}

// readAhead makes reads before their outcomes are asked for, some at a time. next returns the outcome of the next read, of which
// there must be one. The caller calls stop in the end, which waits for all reads.
func readAhead(reads iter.Seq[func() ([]byte, error)]) (next func() ([]byte, error), stop func()) {
	type outcome struct {
		b   []byte
		err error
	}
	queue, stopped := make(chan chan outcome, readsAhead-1), make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		for read := range reads {
			done := make(chan outcome, 1)
			select {
			case queue <- done:
			case <-stopped:
				return
			}
			running.Go(func() {
				b, err := read()
				done <- outcome{b, err}
			})
		}
	})
	next = func() ([]byte, error) {
		o := <-<-queue
		return o.b, o.err
	}
	stop = func() {
		close(stopped)
		running.Wait()
	}
	return next, stop
}

// footer returns the FileMetaData. It is that of a part that lost rows, if there is one: what such a file leaves out, the whole
// leaves out.
func (j *joiner) footer(parts []JoinPart) thrift.Struct {
	base := parts[0]
	for _, p := range parts {
		if p.Lost {
			base = p
			break
		}
	}
	meta := append(thrift.Struct{}, base.Metadata()...)
	meta.Set(thrift.Int64Field(parquet.FileNumRows, j.rows))
	var groups []byte
	for i := range j.groups {
		groups = j.groups[i].Metadata(i, j.groups[i].Group.Has(parquet.GroupOrdinal)).Append(groups)
	}
	meta.Set(thrift.ListField(parquet.FileRowGroups, thrift.StrucT, len(j.groups), groups))
	if list, err := meta.List(parquet.FileKeyValues); err == nil && base.Lost {
		var entries []byte
		for i, raw := range list.Elements() {
			entries = append(entries, withRows(&base.KeyValues()[i], raw, j.rows)...)
		}
		meta.Set(thrift.ListField(parquet.FileKeyValues, thrift.StrucT, list.Len, entries))
	}
	return meta
}

// withRows returns a key-value entry, whose encoded form is raw, for a file of so many rows.
func withRows(kv *parquet.KeyValue, raw []byte, rows int64) []byte {
	if kv.Key != "pandas" || kv.Value == nil {
		return raw
	}
	value := patchPandas([]byte(*kv.Value), rows)
	s, _, err := thrift.Parse(raw)
	if err != nil || value == nil {
		return raw
	}
	s.Set(thrift.BytesField(2, value))
	return s.Append(nil)
}

// GroupBytes returns the bytes of the pages of each row group.
func GroupBytes(f *parquet.File) ([]int64, error) {
	sizes := make([]int64, f.NumRowGroups())
	for i := range sizes {
		chunks, err := f.Chunks(i)
		if err != nil {
			return nil, err
		}
		for _, c := range chunks {
			sizes[i] += c.End - c.Start
		}
	}
	return sizes, nil
}

// checkGroups reports whether the options name row groups that there are.
func (o *Options) checkGroups(f *parquet.File) error {
	if o.From < 0 || o.To > f.NumRowGroups() || o.To != 0 && o.From >= o.To {
		return fmt.Errorf("%s: it has no row groups from %d to %d", f.Name(), o.From, o.To)
	}
	return nil
}
