package run

import (
	"context"

	"assent/job/parquet/rewrite"
	"assent/manifests"
)

// Where the data of all blocks of a file is taken over, and its manifests alone differ, its data file is the earlier run's, byte for byte.

// holdOrWrite holds blocks whose data is taken over back, as long as nothing else comes. With that, they are written first.
func (w *fileWork) holdOrWrite(ctx context.Context, out *rewrite.Writer, d decided) error {
	if w.allSame && d.sel == nil {
		w.held = append(w.held, d)
		return nil
	}
	w.allSame = false
	if err := w.writeHeld(ctx, out); err != nil {
		return err
	}
	return w.write(ctx, out, d)
}

func (w *fileWork) writeHeld(ctx context.Context, out *rewrite.Writer) error {
	for _, d := range w.held {
		if err := w.write(ctx, out, d); err != nil {
			return err
		}
	}
	w.held = nil
	return nil
}

// endData ends the data file and says in the file's result what it is. Where it is the earlier one, nothing is written: that is linked,
// or copied by storage. It was as it was published, see dataStands, and must not have been replaced since.
func (w *fileWork) endData(ctx context.Context, out *rewrite.Writer, data *staged) (rewrite.Result, error) {
	if !w.allSame {
		written, err := out.Close()
		if err == nil {
			err = data.Finish(ctx)
		}
		if err != nil {
			return written, err
		}
		w.result.Bytes, w.result.SHA256 = data.bytes, data.digest()
		w.result.Pages = manifests.Pages(written.Pages)
		w.result.Schema = manifests.SHA256(written.Schema)[:16]
		return written, nil
	}
	data.Abort()
	w.reused.linked.Add(1)
	was := w.earlier.file
	if _, err := w.stage.Copy(ctx, w.earlier.place, w.staged[0]); err != nil {
		return rewrite.Result{}, err
	}
	w.result.Bytes, w.result.SHA256, w.result.Pages, w.result.Schema = was.Bytes, was.SHA256, was.Pages, was.Schema
	return rewrite.Result{RowsIn: was.RowsIn, RowsKept: was.RowsKept}, nil
}
