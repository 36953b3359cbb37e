package publish

import (
	"context"
	"errors"
	"io/fs"
	"path"

	"assent/job/internal/objstore"
	"assent/manifests"
)

// KeepEvidence copies the marker of the run in dir and what it seals to below: manifest, its signature, report and counts by
// day, which are counts and digests and hold nothing of an account. What is there of an earlier run of the same id, which
// had the same outcome, stays. kept are the objects that are there now, below the output; lost those, by their names in
// the run, that are neither in the run nor kept.
func (p *Output) KeepEvidence(ctx context.Context, dir, below string) (kept, lost []string, err error) {
	for _, from := range []string{ManifestObject, SignedObject, manifests.DailyPath, ReportObject, SuccessObject} {
		to := path.Join(below, dir, path.Base(from))
		_, err := p.Store.Copy(ctx, objstore.Object{Name: path.Join(dir, from)}, to)
		gone := errors.Is(err, fs.ErrNotExist)
		if gone || errors.Is(err, objstore.ErrPrecondition) {
			_, err = p.Store.Stat(ctx, to) // nothing is removed before its evidence is there
		}
		switch {
		case gone && errors.Is(err, fs.ErrNotExist):
			lost = append(lost, from)
		case err != nil:
			return nil, nil, err
		default:
			kept = append(kept, to)
		}
	}
	return kept, lost, nil
}
