package job

import (
	"log/slog"
	"time"

	"assent/job/internal/objstore"
)

// Env is what a verb has of the world around it.
type Env struct {
	Log      *slog.Logger
	Opener   *objstore.Opener
	Progress Progress
	Version  string
	Now      func() time.Time
	Lease    objstore.LeaseOptions // zero: the defaults
	// LimitMemory is told how much memory the process may use, in bytes; nil: no limit is set.
	LimitMemory func(bytes int64)
}

// NewEnv returns an environment that logs to log and shows no progress. Close it.
func NewEnv(log *slog.Logger, version string) *Env {
	return &Env{Log: log, Opener: &objstore.Opener{}, Progress: NoProgress{}, Version: version, Now: time.Now}
}

// Close ends connections.
func (e *Env) Close() error { return e.Opener.Close() }
