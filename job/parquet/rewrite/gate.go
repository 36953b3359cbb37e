package rewrite

import (
	"context"

	"golang.org/x/sync/semaphore"
)

// A gate is one goroutine's share of the processors. The goroutine holds a unit of cpu while it computes, and gives it back while it
// waits for input, output or its turn. A nil gate has no limit.
type gate struct {
	ctx context.Context
	cpu *semaphore.Weighted
}

// enter takes the unit.
func (g *gate) enter() error {
	if g == nil || g.cpu == nil {
		return nil
	}
	return g.cpu.Acquire(g.ctx, 1)
}

// leave gives the unit back.
func (g *gate) leave() {
	if g != nil && g.cpu != nil {
		g.cpu.Release(1)
	}
}

// idle runs wait, which blocks, without the unit. Afterwards the unit is held again, also after an error.
func (g *gate) idle(wait func() error) error {
	g.leave()
	err := wait()
	g.enterAgain()
	return err
}

// enterAgain takes the unit back, even if the context has ended: each leave must have its enter.
func (g *gate) enterAgain() {
	if g == nil || g.cpu == nil {
		return
	}
	// A unit comes free whenever another goroutine waits or ends, so this cannot hang.
	_ = g.cpu.Acquire(context.WithoutCancel(g.ctx), 1)
}
