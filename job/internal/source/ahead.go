package source

import (
	"cmp"
	"context"
	"slices"

	"assent/job/internal/objstore"
	"assent/job/parquet"
	"assent/job/parquet/rewrite"
)

// nearby is the bytes that may lie between two chunks that are asked for together.
const nearby = 256 << 10

// Announce asks for the chunks of a row group that are wanted, by their leaves, before they are read.
func Announce(r objstore.Ahead, file *rewrite.File, group int, wanted func(leaf int) bool) {
	chunks, err := file.Chunks(group)
	if err != nil {
		return // whoever reads it says so
	}
	chunks = slices.DeleteFunc(slices.Clone(chunks), func(c parquet.Chunk) bool { return !wanted(c.Column) })
	slices.SortFunc(chunks, func(a, b parquet.Chunk) int { return cmp.Compare(a.Start, b.Start) })
	for i := 0; i < len(chunks); {
		from, to := chunks[i].Start, chunks[i].End
		for i++; i < len(chunks) && chunks[i].Start-to <= nearby; i++ {
			to = max(to, chunks[i].End)
		}
		r.WillRead(from, to)
	}
}

// Control inputs are read one file after the other, as the order of facts counts. Those that come next are opened meanwhile.

// filesAhead is how many.
const filesAhead = 8

// opening is a file that is open, or will be.
type opening struct {
	done   chan struct{}
	reader objstore.Reader
	file   *rewrite.File
	err    error
}

// aheadOf opens files before [File.Open] is called for them.
type aheadOf struct {
	files  []*File
	begun  int
	passed int
}

// next says that the next file is to be read.
func (a *aheadOf) next(ctx context.Context) {
	a.passed++
	for ; a.begun < min(len(a.files), a.passed+filesAhead); a.begun++ {
		f, o := a.files[a.begun], &opening{done: make(chan struct{})}
		f.opening = o
		go func() {
			defer close(o.done)
			o.reader, o.file, o.err = Open(ctx, f.Store, f.Object)
		}()
	}
}

// close closes the files that were opened for nothing.
func (a *aheadOf) close() {
	for _, f := range a.files[:a.begun] {
		if o := f.opening; o != nil {
			if f.opening = nil; o.wait() == nil {
				o.reader.Close()
			}
		}
	}
}

func (o *opening) wait() error {
	<-o.done
	return o.err
}
