package source

import (
	"context"

	"golang.org/x/sync/semaphore"

	"assent/job/internal/objstore"
)

// Many files are looked at at a time, as each look is mostly waiting. Their footers are small as a rule, but of thousands of row groups,
// or of columns, they take megabytes: such wait for each other.
const (
	footerMemory = 32 << 20 // bytes of large footers at a time, and of what is made of them
	footerTakes  = 3        // bytes for each of a footer's
)

// awaiting is a reader whose file's footer waits for room, which it gives back when it is closed.
type awaiting struct {
	objstore.Reader
	ctx  context.Context
	room *semaphore.Weighted
	held int64
}

// Await makes it a parquet.Awaiting.
func (a *awaiting) Await(footer int64) error {
	n := min(footerTakes*footer, footerMemory)
	if err := a.room.Acquire(a.ctx, n); err != nil {
		return err
	}
	a.held += n
	return nil
}

func (a *awaiting) Close() error {
	a.room.Release(a.held)
	a.held = 0
	return a.Reader.Close()
}
