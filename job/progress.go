package job

import (
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/schollz/progressbar/v3"
)

// Progress shows how far a verb is.
type Progress interface {
	Start(total int64) Bar
}

// Bar is one piece of work under way. Its methods may be called by several
// goroutines; Stop ends it, also where the work has failed.
type Bar interface {
	Add(n int64)
	Stop()
}

// NoProgress shows nothing.
type NoProgress struct{}

// Start returns a bar that shows nothing.
func (NoProgress) Start(int64) Bar { return noBar{} }

type noBar struct{}

func (noBar) Add(int64) {}

func (noBar) Stop() {}

// TerminalProgress draws a bar with rate and time left, and wipes it at the end.
type TerminalProgress struct{ W io.Writer }

// Start draws the bar.
func (t TerminalProgress) Start(total int64) Bar {
	return terminalBar{progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(t.W),
		progressbar.OptionSetDescription("records"),
		progressbar.OptionShowCount(),
		progressbar.OptionShowIts(),
		progressbar.OptionSetItsString("records"),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish(),
	)}
}

type terminalBar struct{ bar *progressbar.ProgressBar }

func (b terminalBar) Add(n int64) { _ = b.bar.Add64(n) } // a bar that cannot be drawn stops nothing

func (b terminalBar) Stop() { _ = b.bar.Finish() }

// LogProgress logs a line now and then, for those who read logs.
type LogProgress struct {
	Log   *slog.Logger
	Every time.Duration
}

// Start logs from the first interval on.
func (l LogProgress) Start(total int64) Bar {
	b := &logBar{log: l.Log, total: total, begin: time.Now(), ticker: time.NewTicker(l.Every), done: make(chan struct{})}
	b.wait.Go(b.run)
	return b
}

type logBar struct {
	log    *slog.Logger
	total  int64
	n      atomic.Int64
	begin  time.Time
	ticker *time.Ticker
	done   chan struct{}
	wait   sync.WaitGroup
}

func (b *logBar) Add(n int64) { b.n.Add(n) }

func (b *logBar) Stop() {
	close(b.done)
	b.wait.Wait()
	b.ticker.Stop()
}

func (b *logBar) run() {
	for {
		select {
		case <-b.done:
			return
		case <-b.ticker.C:
			n, took := b.n.Load(), time.Since(b.begin)
			rate := float64(n) / took.Seconds()
			left := "unknown"
			if rate > 0 {
				left = time.Duration(float64(b.total-n) / rate * float64(time.Second)).Round(time.Second).String()
			}
			b.log.Info("progress", "records", n, "of", b.total, "records_per_second", int64(rate), "left", left)
		}
	}
}
