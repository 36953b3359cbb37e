package objstore

// SetHook makes a file store ask hook before each step that changes the file
// system, and fail the step with its error.
func SetHook(s Store, hook func(step string) error) { s.(*fileStore).hook = hook }

// Wrap classifies an error as the stores do.
func Wrap(err error) error { return wrap("uri", "op", err) }
