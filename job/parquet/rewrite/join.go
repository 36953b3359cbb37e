package rewrite

import (
	"context"
	"fmt"
	"io"

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
func Join(ctx context.Context, w io.Writer, parts []JoinPart) (int64, error) {
	j := joiner{out: parquet.Output{W: w}}
	if err := j.out.Begin(); err != nil {
		return 0, err
	}
	for _, p := range parts {
		if err := j.part(ctx, p); err != nil {
			return 0, p.Fault(err, -1, -1, -1)
		}
	}
	var chunks []*parquet.WrittenChunk
	for i := range j.groups {
		for k := range j.groups[i].Chunks {
			chunks = append(chunks, &j.groups[i].Chunks[k])
		}
	}
	err := j.out.Finish(chunks, func() thrift.Struct { return j.footer(parts) })
	return j.out.Size, err
}

type joiner struct {
	out    parquet.Output
	groups []parquet.MovedGroup
	rows   int64
}

// part moves the row groups of a part.
func (j *joiner) part(ctx context.Context, p JoinPart) error {
	const begin = int64(len(parquet.Magic))
	shift, end := j.out.Size-begin, p.DataEnd()
	for i := range p.NumRowGroups() {
		g, err := p.MoveRowGroup(i, shift)
		if err != nil {
			return err
		}
		end = min(end, g.Indexes)
		j.groups = append(j.groups, g)
	}
	j.rows += p.NumRows()
	return j.copy(ctx, p.File, begin, end)
}

// copy writes a range of a file. The next block is read while one is written.
func (j *joiner) copy(ctx context.Context, f *parquet.File, from, end int64) error {
	const block = 8 << 20
	type read struct {
		b   []byte
		err error
	}
	blocks := make(chan read, 1)
	ctx, cancel := context.WithCancel(ctx)
	defer func() {
		cancel()
		for range blocks { // until the reader has ended
		}
	}()
	go func() {
		defer close(blocks)
		for at := from; at < end; at += block {
			b := make([]byte, min(block, end-at))
			err := f.ReadFull(b, at)
			select {
			case blocks <- read{b, err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	for at := from; at < end; {
		select {
		case r := <-blocks:
			if r.err != nil {
				return r.err
			}
			if _, err := j.out.Write(r.b); err != nil {
				return err
			}
			at += int64(len(r.b))
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
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
