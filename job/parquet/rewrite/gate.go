package rewrite

import (
	"context"

	"golang.org/x/sync/semaphore"
)

// A gate is one goroutine's share of the processor: it holds a unit of cpu while it computes and gives it up while it
// waits for input, output or its turn. A nil gate computes freely.
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

// tryEnter takes a unit if one is free, for another goroutine.
func (g *gate) tryEnter() bool { return g.cpu == nil || g.cpu.TryAcquire(1) }

// leave gives the unit back.
func (g *gate) leave() {
	if g != nil && g.cpu != nil {
		g.cpu.Release(1)
	}
}

// idle runs wait, which blocks, without the unit. The unit is held again afterwards, also on an error of wait, unless
// the error is that it could not be had: see enterAgain.
func (g *gate) idle(wait func() error) error {
	g.leave()
	err := wait()
	g.enterAgain()
	return err
}

// enterAgain takes the unit back even where the context has ended, so that every leave has its enter: the goroutine is
// about to return.
func (g *gate) enterAgain() {
	if g == nil || g.cpu == nil {
		return
	}
	// A unit comes free whenever another goroutine waits or ends, so this cannot hang.
	_ = g.cpu.Acquire(context.WithoutCancel(g.ctx), 1)
}
