//go:build bench

package main

import (
	"crypto/sha256"
	"fmt"
	"hash/crc32"
	"hash/maphash"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"assent/job/parquet/codec"
)

// What a run cannot do without: to open the pages that had to be opened, once each, to compress those that did not stand in the input
// as they are, to read the input twice (for its identity and for the work), and to write and digest what is published. Nothing is
// decided, no value is selected or encoded, and of the manifests nothing is made: their bytes are only written.

type neededFigures struct {
	Opened        int     `json:"pages_opened"` // dictionaries among them
	Made          int     `json:"pages_made"`
	DecompressCPU float64 `json:"decompress_cpu_s"`
	CompressCPU   float64 `json:"compress_cpu_s"`
	ReadCPU       float64 `json:"read_cpu_s"`
	WriteCPU      float64 `json:"write_and_sha256_cpu_s"`
}

type needed struct {
	neededFigures
	keys    []string // columns that decisions need, the record's id first
	seed    maphash.Seed
	codec   codec.Codec
	numbers codec.Codec // of dictionaries of numbers
	buf     []byte
}

// page is a page as it stands in a file.
type page struct {
	column     string
	dictionary bool
	number     bool // of a column of numbers
	codec      codec.ID
	body       []byte
	rawSize    int
	lo, hi     int64 // rows of the file
}

func (n *needed) run(data, run string) error {
	names, err := filepath.Glob(filepath.Join(data, "messages", "*.parquet")) // cases without folders
	if err != nil {
		return err
	}
	for _, name := range names {
		base := filepath.Base(name)
		in, err := pagesOf(name)
		if err != nil {
			return err
		}
		out, err := pagesOf(filepath.Join(run, "messages", base))
		if err != nil {
			return err
		}
		before, err := excludedRows(filepath.Join(run, "_manifest/exclusions/messages", base))
		if err != nil {
			return err
		}
		if err := n.file(in, out, before); err != nil {
			return err
		}
		if err := n.read(name); err != nil {
			return err
		}
		for _, dir := range []string{"messages", "_manifest/exclusions/messages", "_manifest/subjects/messages"} {
			if err := n.write(filepath.Join(run, dir, base), filepath.Dir(run)); err != nil {
				return err
			}
		}
	}
	return nil
}

// file opens and makes the pages of a file.
func (n *needed) file(in, out []page, before []int64) error {
	excluded := func(lo, hi int64) int64 {
		at := func(i int64) int64 { return before[min(i, int64(len(before)-1))] }
		return at(hi) - at(lo)
	}
	stood, stands := n.bodies(in), n.bodies(out)
	for _, p := range in {
		lost := excluded(p.lo, p.hi)
		kept := p.hi - p.lo - lost
		switch key := slices.Index(n.keys, p.column); {
		case key == 0 && lost > 0, key > 0: // the ids of excluded records; what all are decided by
		case kept == 0 || stands[n.sum(p.body)]:
			continue
		}
		start := threadCPU()
		raw, err := n.codec.Decompress(n.buf[:0], p.codec, p.body, p.rawSize)
		if err != nil {
			return err
		}
		n.DecompressCPU += threadCPU() - start
		n.buf, n.Opened = raw, n.Opened+1
	}
	var packed []byte
	for _, p := range out {
		if stood[n.sum(p.body)] {
			continue
		}
		raw, err := n.codec.Decompress(n.buf[:0], p.codec, p.body, p.rawSize)
		if err != nil {
			return err
		}
		c := &n.codec
		if p.dictionary && p.number {
			c = &n.numbers
		}
		start := threadCPU()
		if packed, err = c.Compress(packed[:0], p.codec, raw); err != nil {
			return err
		}
		n.CompressCPU += threadCPU() - start
		n.buf, n.Made = raw, n.Made+1
	}
	return nil
}

func (n *needed) sum(body []byte) uint64 { return maphash.Bytes(n.seed, body) }

func (n *needed) bodies(pages []page) map[uint64]bool {
	all := make(map[uint64]bool, len(pages))
	for _, p := range pages {
		all[n.sum(p.body)] = true
	}
	return all
}

// read reads a file twice, once for a checksum.
func (n *needed) read(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	block, sum := make([]byte, 1<<20), crc32.New(crc32.MakeTable(crc32.Castagnoli))
	start := threadCPU()
	for _, to := range []io.Writer{sum, io.Discard} {
		for at := int64(0); err == nil; {
			var k int
			k, err = f.ReadAt(block, at)
			to.Write(block[:k])
			at += int64(k)
		}
		if err != io.EOF {
			return err
		}
		err = nil
	}
	n.ReadCPU += threadCPU() - start
	return nil
}

// write writes what a file holds to another one in a directory, which goes again, with a digest.
func (n *needed) write(name, dir string) error {
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	digest := sha256.New()
	start := threadCPU()
	f, err := os.CreateTemp(dir, "floor-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	for len(data) > 0 {
		block := data[:min(len(data), 64<<10)]
		data = data[len(block):]
		digest.Write(block)
		if _, err := f.Write(block); err != nil {
			return err
		}
	}
	err = f.Sync()
	n.WriteCPU += threadCPU() - start
	return err
}

// pagesOf returns the pages of a file.
func pagesOf(name string) (all []page, err error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	f, err := parquet.OpenFile(strings.NewReader(string(data)), int64(len(data)), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return nil, err
	}
	first := int64(0)
	for _, g := range f.Metadata().RowGroups {
		for i := range g.Columns {
			pages, err := pagesOfChunk(data, &g.Columns[i].MetaData, first, g.NumRows)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			all = append(all, pages...)
		}
		first += g.NumRows
	}
	return all, nil
}

// pagesOfChunk returns the pages of a chunk. Where values are not rows, as in a list, a page is taken to hold its share of the rows.
func pagesOfChunk(data []byte, c *format.ColumnMetaData, first, rows int64) (all []page, err error) {
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
		switch h.Type {
		case format.DictionaryPage:
			p.dictionary = true
		case format.DataPage:
			p.lo = first + values*rows/c.NumValues
			values += int64(h.DataPageHeader.V.NumValues)
			p.hi = first + values*rows/c.NumValues
		default:
			return nil, fmt.Errorf("page type %v: pages are V1", h.Type)
		}
		all = append(all, p)
	}
	return all, nil
}
