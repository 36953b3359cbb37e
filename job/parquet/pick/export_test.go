package pick

// Narrow makes batches of a few bytes, and every page a large one.
func (f *File) Narrow() { f.batch, f.kept, f.large = 64, 1, 1 }
