//go:build bench

package main

import (
	"crypto/sha256"
	"hash/crc32"
	"hash/maphash"
	"io"
	"os"
	"path/filepath"
	"slices"

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
	stood, stands := n.bodies(in), n.bodies(out)
	for _, p := range in {
		kept := p.kept(before)
		lost := p.hi - p.lo - kept
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
