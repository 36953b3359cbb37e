//go:build bench

package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"assent/job/parquet/codec"
)

// page is a page as it stands in a file.
type page struct {
	column     string
	dictionary bool
	number     bool // of a column of numbers
	texts      bool // long ones, as PLAIN
	last       bool // of its chunk
	codec      codec.ID
	body       []byte
	rawSize    int
	lo, hi     int64 // rows of the file; of a dictionary those of its row group
}

// kept returns how many of a page's rows stay, see excludedRows.
func (p *page) kept(before []int64) int64 {
	at := func(i int64) int64 { return before[min(i, int64(len(before)-1))] }
	return p.hi - p.lo - (at(p.hi) - at(p.lo))
}

// pagesOf returns the pages of a file.
func pagesOf(name string) (all []page, err error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	f, err := parquet.OpenFile(bytes.NewReader(data), int64(len(data)), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return nil, err
	}
	first := int64(0)
	for _, g := range f.Metadata().RowGroups {
		for i := range g.Columns {
			c := &g.Columns[i].MetaData
			if all, err = appendPages(all, data, c, first, g.NumRows); err != nil {
				return nil, fmt.Errorf("%s: column %s: %w", name, strings.Join(c.PathInSchema, "."), err)
			}
		}
		first += g.NumRows
	}
	return all, nil
}

// appendPages appends the pages of a chunk. Where values are not rows, as in a list, a page is taken to hold its share of the rows.
func appendPages(all []page, data []byte, c *format.ColumnMetaData, first, rows int64) ([]page, error) {
	start := c.DataPageOffset
	if o := c.DictionaryPageOffset; o > 0 && o < start {
		start = o
	}
	data = data[start : start+c.TotalCompressedSize]
	values := int64(0)
	for len(data) > 0 {
		var h format.PageHeader
		protocol := new(thrift.CompactProtocol).NewReaderFromBytes(data)
		if err := thrift.NewDecoder(protocol).Decode(&h); err != nil {
			return nil, err
		}
		data = data[protocol.(interface{ BytesRead() int }).BytesRead():]
		p := page{column: strings.Join(c.PathInSchema, "."), codec: codec.ID(c.Codec), body: data[:h.CompressedPageSize], rawSize: int(h.UncompressedPageSize),
			number: c.Type != format.ByteArray && c.Type != format.Boolean, lo: first, hi: first + rows}
		data = data[h.CompressedPageSize:]
		p.last = len(data) == 0
		switch h.Type {
		case format.DictionaryPage:
			p.dictionary = true
		case format.DataPage:
			n := h.DataPageHeader.V.NumValues
			p.texts = c.Type == format.ByteArray && h.DataPageHeader.V.Encoding == format.Plain && h.UncompressedPageSize >= 64*n
			p.lo = first + values*rows/c.NumValues
			values += int64(n)
			p.hi = first + values*rows/c.NumValues
		default:
			return nil, fmt.Errorf("page type %v: pages are V1", h.Type)
		}
		all = append(all, p)
	}
	return all, nil
}
