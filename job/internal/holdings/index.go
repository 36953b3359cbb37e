package holdings

import (
	"context"
	"fmt"

	"assent/job/internal/objstore"
	"assent/job/internal/publish"
	"assent/manifests"
)

// Index is the open subject index of a data file.
type Index struct {
	*manifests.SubjectIndex
	objstore.Reader
}

// OpenIndex opens the subject index of a file of a data set of a run. For digested see
// publish.Run.Open. An index that speaks of another file is one of a damaged run. The
// caller closes the index.
func OpenIndex(ctx context.Context, run *publish.Run, dataset string, f *manifests.File, digested int64) (*Index, error) {
	r, err := run.Open(ctx, f.SubjectIndex(), digested)
	if err != nil {
		return nil, err
	}
	index, err := manifests.OpenSubjectIndex(r, r.Size())
	if err == nil {
		if meta := index.Meta(); meta.Dataset != dataset || meta.Source != f.Source {
			err = fmt.Errorf("%w: it speaks of another file", manifests.ErrManifest)
		}
	}
	if err != nil {
		r.Close()
		return nil, run.Fault(f.Subjects, err)
	}
	return &Index{index, r}, nil
}
