package jobtest

import (
	"assent/job/internal/objstore"
	"context"
	"sync"
)

// CancelAt cancels a context when the store is asked for the nth time.
type CancelAt struct {
	mu     sync.Mutex
	n, At  int
	Cancel func()
}

func (c *CancelAt) Wrap(s objstore.Store) objstore.Store { return &cancelling{s, c} }

type cancelling struct {
	objstore.Store
	c *CancelAt
}

func (s *cancelling) count() {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	if s.c.n == s.c.At {
		s.c.Cancel()
	}
	s.c.n++
}

func (s *cancelling) Open(ctx context.Context, o objstore.Object) (objstore.Reader, error) {
	s.count()
	return s.Store.Open(ctx, o)
}

func (s *cancelling) Create(ctx context.Context, name string) (objstore.Writer, error) {
	s.count()
	return s.Store.Create(ctx, name)
}

func (s *cancelling) Put(ctx context.Context, name string, data []byte, c objstore.Condition) (objstore.Object, error) {
	s.count()
	return s.Store.Put(ctx, name, data, c)
}

func (s *cancelling) Copy(ctx context.Context, from objstore.Object, to string) (objstore.Object, error) {
	s.count()
	return s.Store.Copy(ctx, from, to)
}
