package objstore

import "time"

// SetHook makes a file store ask hook before each step that changes the file
// system, and fail the step with its error.
func SetHook(s Store, hook func(step, path string) error) { s.(*fileStore).hook = hook }

// FileError classifies an error as the file store does.
func FileError(err error) error { return fileError("uri", "op", err) }

// SetLink makes a file store use link in place of os.Link.
func SetLink(s Store, link func(old, new string) error) { s.(*fileStore).link = link }

// SetPatience is how long an opener's GCS stores wait for one answer, and for all
// repeats of a request. It comes before the first Open.
func SetPatience(o *Opener, answer, total time.Duration) { o.gs.patience = patience{answer, total} }
