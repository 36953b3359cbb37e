//go:build bench

// Command floor measures the codec floor of a run: it decompresses the pages that the
// run's selection mixes, and compresses as many of their bytes as stay, with assent's own
// codec, and does nothing else in the time it counts.
//
// usage: floor DATA RUN [KEY...], where DATA has the input files of the data set messages, with V1
// pages, and RUN is the run of assent over them, whose exclusion manifests say which rows
// stay. Prints one line of JSON; CPU is that of the one thread at work.
//
// With KEYs, the columns that decisions need and the record's id first, it measures all that
// such a run cannot do without, but for its start, the history and the commit: see needed.
package main

import (
	"encoding/json"
	"fmt"
	"hash/maphash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
	"golang.org/x/sys/unix"

	"assent/job/parquet/codec"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: floor DATA RUN [KEY...]")
		os.Exit(2)
	}
	runtime.LockOSThread() // whose CPU time is counted
	var f floor
	n := needed{keys: os.Args[3:], seed: maphash.MakeSeed(), numbers: codec.Codec{Fast: true}}
	var err error
	var out any = &f.figures
	if len(n.keys) > 0 {
		out, err = &n.neededFigures, n.run(os.Args[1], os.Args[2])
	} else {
		err = f.run(os.Args[1], os.Args[2])
	}
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(out)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "floor:", err)
		os.Exit(1)
	}
}

// figures are what one run of the floor says. Bytes are those of the mixed pages.
type figures struct {
	Pages          int     `json:"pages"`
	MixedPages     int     `json:"mixed_pages"`
	RawIn          int64   `json:"raw_bytes_in"`
	RawOut         int64   `json:"raw_bytes_out"`
	CompressedIn   int64   `json:"compressed_bytes_in"`
	CompressedOut  int64   `json:"compressed_bytes_out"`
	DecompressCPU  float64 `json:"decompress_cpu_s"`
	CompressCPU    float64 `json:"compress_cpu_s"`
	largestRawPage int
}

type floor struct {
	figures
	codec  codec.Codec
	id     codec.ID
	raw    []byte // a page, decompressed
	merged []byte // what stays of a chunk's pages, until it makes a page
	out    []byte
}

func (f *floor) run(data, run string) error {
	root := filepath.Join(data, "messages")
	return filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".parquet") {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		excluded, err := excludedRows(filepath.Join(run, "_manifest/exclusions/messages", rel))
		if err == nil {
			err = f.file(name, excluded)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	})
}

// excludedRows reads an exclusion manifest. before[i] is how many of a file's rows
// [0,i) are excluded; it ends with the last excluded row.
func excludedRows(name string) (before []int64, err error) {
	rows, err := parquet.ReadFile[struct {
		Row int64 `parquet:"source_row"`
	}](name)
	if err != nil {
		return nil, err
	}
	before = append(before, 0)
	for n, r := range rows {
		for int64(len(before)) <= r.Row {
			before = append(before, int64(n))
		}
		before = append(before, int64(n)+1)
	}
	return before, nil
}

func (f *floor) file(name string, before []int64) error {
	r, err := os.Open(name)
	if err != nil {
		return err
	}
	defer r.Close()
	stat, err := r.Stat()
	if err != nil {
		return err
	}
	p, err := parquet.OpenFile(r, stat.Size(), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return err
	}
	first := int64(0)
	for _, g := range p.Metadata().RowGroups {
		kept := func(lo, hi int64) int64 { // of the group's rows
			at := func(i int64) int64 { return before[min(i, int64(len(before)-1))] }
			return hi - lo - (at(first+hi) - at(first+lo))
		}
		for _, c := range g.Columns {
			if err := f.chunk(r, &c.MetaData, g.NumRows, kept); err != nil {
				return fmt.Errorf("column %s: %w", strings.Join(c.MetaData.PathInSchema, "."), err)
			}
		}
		first += g.NumRows
	}
	return nil
}

// chunk works on one column chunk. Where values are not rows, as in a list, a page is
// taken to hold its share of the rows.
func (f *floor) chunk(r io.ReaderAt, c *format.ColumnMetaData, rows int64, kept func(lo, hi int64) int64) error {
	start := c.DataPageOffset
	if o := c.DictionaryPageOffset; o > 0 && o < start {
		start = o
	}
	data := make([]byte, c.TotalCompressedSize)
	if _, err := r.ReadAt(data, start); err != nil {
		return err
	}
	f.id, f.merged, f.largestRawPage = codec.ID(c.Codec), f.merged[:0], 0
	values := int64(0)
	for len(data) > 0 {
		var h format.PageHeader
		protocol := new(thrift.CompactProtocol).NewReaderFromBytes(data)
		if err := thrift.NewDecoder(protocol).Decode(&h); err != nil {
			return err
		}
		data = data[protocol.(interface{ BytesRead() int }).BytesRead():]
		body := data[:h.CompressedPageSize]
		data = data[h.CompressedPageSize:]
		switch h.Type {
		case format.DictionaryPage: // nearly all of its entries stay
			if n := kept(0, rows); n > 0 && n < rows {
				if err := f.page(body, int(h.UncompressedPageSize), 1, 1, false); err != nil {
					return err
				}
				if err := f.compress(); err != nil {
					return err
				}
			}
		case format.DataPage:
			lo := values * rows / c.NumValues
			values += int64(h.DataPageHeader.V.NumValues)
			hi := values * rows / c.NumValues
			f.Pages++
			if n := kept(lo, hi); n > 0 && n < hi-lo {
				f.MixedPages++
				texts := c.Type == format.ByteArray && h.DataPageHeader.V.Encoding == format.Plain && h.UncompressedPageSize >= 64*h.DataPageHeader.V.NumValues
				if err := f.page(body, int(h.UncompressedPageSize), n, hi-lo, texts); err != nil {
					return err
				}
			}
		default:
			return fmt.Errorf("page type %v: the floor is that of V1 pages", h.Type)
		}
	}
	return f.compress()
}

// page decompresses a page and takes the share kept/rows of its bytes. Pages are merged
// up to the size that they had, those of long texts beyond it.
func (f *floor) page(body []byte, size int, kept, rows int64, texts bool) error {
	start := threadCPU()
	raw, err := f.codec.Decompress(f.raw[:0], f.id, body, size)
	if err != nil {
		return err
	}
	f.DecompressCPU += threadCPU() - start
	f.raw = raw
	f.RawIn += int64(len(raw))
	f.CompressedIn += int64(len(body))
	f.largestRawPage = max(f.largestRawPage, len(raw))
	if texts { // package rewrite merges long ones to 3 MiB and more
		f.largestRawPage = max(f.largestRawPage, 7<<19)
	}
	share := raw[:int64(len(raw))*kept/rows]
	if len(f.merged)+len(share) > f.largestRawPage {
		if err := f.compress(); err != nil {
			return err
		}
	}
	f.merged = append(f.merged, share...)
	return nil
}

// compress makes a page of what was merged.
func (f *floor) compress() (err error) {
	if len(f.merged) == 0 {
		return nil
	}
	start := threadCPU()
	f.out, err = f.codec.Compress(f.out[:0], f.id, f.merged)
	f.CompressCPU += threadCPU() - start
	f.RawOut += int64(len(f.merged))
	f.CompressedOut += int64(len(f.out))
	f.merged = f.merged[:0]
	return err
}

// threadCPU returns the CPU seconds, user and system, of the calling thread.
func threadCPU() float64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		panic(err)
	}
	return float64(t.Nano()) / 1e9
}
