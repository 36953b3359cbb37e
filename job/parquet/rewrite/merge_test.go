package rewrite

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	parquetgo "github.com/parquet-go/parquet-go"
	"golang.org/x/sync/semaphore"

	"assent/job/parquet"
)

// A texted is a row of TestMergedPages.
type texted struct {
	Body   string   `parquet:"body,plain,snappy"`
	Maybe  *string  `parquet:"maybe,optional,plain,snappy"`
	Delta  string   `parquet:"delta,delta,snappy"`
	Parts  []string `parquet:"parts,plain,snappy"`
	Rare   *string  `parquet:"rare,optional,plain,snappy"`
	Short  string   `parquet:"short,plain,snappy"`
	Coded  string   `parquet:"coded,dict,snappy"`
	Number int64    `parquet:"number,plain,snappy"`
}

func textedRow(i int) texted {
	text := strings.Repeat(fmt.Sprintf("text %05d. ", i), 10+i%10) // 165 bytes on the average
	row := texted{Body: text, Delta: text, Short: fmt.Sprintf("short %05d", i), Coded: strings.Repeat("entry", 20+i%7), Number: int64(i) * 7919}
	if i%3 > 0 {
		row.Maybe = &text
	}
	if i%500 == 0 {
		row.Rare = &text
	}
	for j := range i % 4 {
		row.Parts = append(row.Parts, text[j:])
	}
	return row
}

// TestMergedPages: pages of long texts are merged to some 3 MiB, whatever their levels, encoding and version. All others are about as large
// as in the input, texts among them that are short, rare or dictionary-coded. None of this depends on memory or processors.
func TestMergedPages(t *testing.T) {
	const rows = 60_000
	for _, version := range []int{1, 2} {
		t.Run(fmt.Sprint("v", version), func(t *testing.T) {
			var file bytes.Buffer
			w := parquetgo.NewGenericWriter[texted](&file, parquetgo.DataPageVersion(version), parquetgo.PageBufferSize(64<<10), parquetgo.WriteBufferSize(0))
			for i := 0; i < rows; i += 50 {
				var some []texted
				for j := range 50 {
					some = append(some, textedRow(i+j))
				}
				if _, err := w.Write(some); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			keep := random(70).keep
			out, _, err := rewriteFile(t, file.Bytes(), keep, Options{})
			if err != nil {
				t.Fatal(err)
			}
			checkFile(t, file.Bytes(), out, keep, true)
			checkRows(t, readRows(t, file.Bytes()), readRows(t, out), keep)
			checkPageSizes(t, pageSizes(t, file.Bytes()), pageSizes(t, out))
			for _, memory := range []int64{1, 20 << 20, 200 << 20} {
				opts := Options{CPU: semaphore.NewWeighted(3), Memory: NewBudget(memory)}
				if again, _, err := rewriteFile(t, file.Bytes(), keep, opts); err != nil || !bytes.Equal(again, out) {
					t.Errorf("other bytes with %d bytes of memory; %v", memory, err)
				}
				if opts.Memory.used != 0 {
					t.Errorf("%d bytes of %d not given back", opts.Memory.used, memory)
				}
			}
		})
	}
}

// checkPageSizes holds the raw sizes of the output's pages, by column, against those of the input's.
func checkPageSizes(t *testing.T, in, out map[string][]int) {
	t.Helper()
	merged := map[string]bool{"body": true, "maybe": true, "delta": true, "parts": true}
	for column, sizes := range out {
		largest := 0
		for _, n := range in[column] {
			largest = max(largest, n)
		}
		least, most := largest/2, 2*largest // sizes of drafts are estimates
		if merged[column] {
			least, most = textPage/8*5, textPage
		}
		for i, n := range sizes {
			if n > most || n < least && i < len(sizes)-1 {
				t.Errorf("%s: page %d of %d has %d bytes, want %d to %d", column, i, len(sizes), n, least, most)
			}
		}
		if len(sizes) < 2 {
			t.Errorf("%s: %d pages, of %d", column, len(sizes), len(in[column]))
		}
	}
}

// pageSizes returns the raw sizes of the data pages of each column.
func pageSizes(t *testing.T, data []byte) map[string][]int {
	t.Helper()
	f, err := parquet.Open(t.Context(), bytes.NewReader(data), int64(len(data)), "pages.parquet")
	if err != nil {
		t.Fatal(err)
	}
	sizes := map[string][]int{}
	for g := range f.NumRowGroups() {
		chunks, err := f.Chunks(g)
		if err != nil {
			t.Fatal(err)
		}
		for i := range chunks {
			w := newWalk(f, nil, &chunks[i])
			for err = w.next(); err == nil; err = w.next() {
				if w.Header.IsData() {
					name := f.Columns()[i].Path[0]
					sizes[name] = append(sizes[name], w.Header.RawSize)
				}
			}
			w.close()
			if err != io.EOF {
				t.Fatal(err)
			}
		}
	}
	return sizes
}
