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
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/parquet-go/parquet-go"
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
	pages, err := pagesOf(name)
	for i := 0; err == nil && i < len(pages); i++ {
		err = f.take(&pages[i], pages[i].kept(before))
	}
	return err
}

// take works on one page, of which so many rows stay. At the end of its chunk a page is made of what stays.
func (f *floor) take(p *page, kept int64) error {
	rows := p.hi - p.lo
	mixed := kept > 0 && kept < rows
	f.id = p.codec
	if !p.dictionary {
		f.Pages++
	}
	switch {
	case !mixed:
	case p.dictionary: // nearly all of its entries stay
		if err := f.page(p, 1, 1); err != nil {
			return err
		}
		if err := f.compress(); err != nil {
			return err
		}
	default:
		f.MixedPages++
		if err := f.page(p, kept, rows); err != nil {
			return err
		}
	}
	if !p.last {
		return nil
	}
	f.largestRawPage = 0
	return f.compress()
}

// page decompresses a page and takes the share kept/rows of its bytes. Pages are merged
// up to the size that they had, those of long texts beyond it.
func (f *floor) page(p *page, kept, rows int64) error {
	start := threadCPU()
	raw, err := f.codec.Decompress(f.raw[:0], p.codec, p.body, p.rawSize)
	if err != nil {
		return err
	}
	f.DecompressCPU += threadCPU() - start
	f.raw = raw
	f.RawIn += int64(len(raw))
	f.CompressedIn += int64(len(p.body))
	f.largestRawPage = max(f.largestRawPage, len(raw))
	if p.texts { // package rewrite merges long ones to 3 MiB and more
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
