package verify

import (
	"context"
	"errors"
	"testing"
)

// TestTurns: a file holds its share of pages without the turn. Of those that hold more, one has the turn, and the others wait.
func TestTurns(t *testing.T) {
	all := newTurns(4)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	first, second := &largeTurn{turns: all, ctx: ctx}, &largeTurn{turns: all, ctx: ctx}
	var x, y, z int // what walks hold
	if err := errors.Join(first.hold(&x, all.share), second.hold(&y, all.share)); err != nil || first.mine || second.mine {
		t.Fatal("a file takes the turn for its share", err)
	}
	if err := first.hold(&z, 1); err != nil || !first.mine {
		t.Fatal("a file has no turn for more than its share", err)
	}
	second.letGo(&y)
	if err := second.hold(&y, all.share/2); err != nil || second.mine {
		t.Fatal("what was let go still counts", err)
	}
	waited := make(chan error, 1)
	go func() { waited <- second.hold(&y, all.share+1) }()
	select {
	case err := <-waited:
		t.Fatal("two files have the turn", err)
	default:
	}
	first.end()
	if err := <-waited; err != nil || !second.mine {
		t.Fatal(err)
	}
	cancel()
	if err := first.hold(&x, all.share+1); !errors.Is(err, context.Canceled) {
		t.Fatal("who waits does not hear that the audit is over", err)
	}
}
