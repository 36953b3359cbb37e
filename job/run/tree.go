package run

import (
	"context"
	"crypto/sha256"
	"fmt"
	"path"

	"golang.org/x/sync/errgroup"

	"assent/job/internal/objstore"
	"assent/job/internal/publish"
	"assent/job/parquet"
	"assent/job/parquet/rewrite"
)

// tree is where the objects of the run's files lie, of those that were staged, by their names in the run. Files that
// were cut are joined for it: total gets their sizes and digests.
func (r *runner) tree(ctx context.Context, plan *Plan, results []*ShardResult, total []*total, staged map[string]objstore.Object) (map[string]objstore.Object, error) {
	tree, cut := map[string]objstore.Object{}, map[Part][]stagedPiece{}
	for _, result := range results {
		for part, f := range result.files(plan) {
			piece := stagedPiece{lost: f.RowsKept < f.RowsIn}
			names := stagedNames(result.Stage, part)
			for i, want := range objectsOf(f) {
				o, there := staged[names[i]]
				if !there || o.Size != want.Bytes {
					return nil, r.redo(ctx, plan.RunID, result.Shard, names[i])
				}
				piece.objects[i] = o
			}
			if n := plan.file(part).pieces(); n > 1 {
				whole := Part{Dataset: part.Dataset, File: part.File}
				if cut[whole] == nil {
					cut[whole] = make([]stagedPiece, n)
				}
				cut[whole][part.Piece] = piece
				continue
			}
			for i, o := range objectsOf(f) {
				tree[o.Path] = piece.objects[i]
			}
		}
	}
	if err := r.joinAll(ctx, plan, cut, total, tree); err != nil {
		return nil, err
	}
	for i := range plan.Datasets {
		taken := plan.Datasets[i].taken()
		for j := range plan.Datasets[i].Files {
			if f := &plan.Datasets[i].Files[j]; taken[f.Rel] != nil {
				for _, o := range objectsOf(&total[i].Files[j]) {
					tree[o.Path] = objstore.Object{Name: path.Join(publish.RunDir(plan.Datasets[i].Reuse.Run), o.Path)}
				}
			}
		}
	}
	return tree, nil
}

// joinsAtATime bounds how many objects are joined at a time, each in blocks of some
// megabytes: to join is to wait for storage.
const joinsAtATime = 8

// joinAll joins the pieces of each file that was cut, and notes where its objects lie and what they are.
func (r *runner) joinAll(ctx context.Context, plan *Plan, cut map[Part][]stagedPiece, total []*total, tree map[string]objstore.Object) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(joinsAtATime)
	for part, pieces := range cut {
		sum := &total[part.Dataset].Files[part.File]
		names := stagedNames(path.Join(planDir(plan.RunID), joinedDir), part)
		sizes := [3]*int64{&sum.Bytes, &sum.ExclusionsBytes, &sum.SubjectsBytes}
		digests := [3]*string{&sum.SHA256, &sum.ExclusionsSHA256, &sum.SubjectsSHA256}
		for i, o := range objectsOf(sum) {
			tree[o.Path] = objstore.Object{Name: names[i]}
			g.Go(func() (err error) {
				if *sizes[i], *digests[i], err = r.join(gctx, names[i], pieces, i); err != nil {
					err = fmt.Errorf("%s: its pieces cannot be joined: %w", o.Path, err)
				}
				return err
			})
		}
	}
	return g.Wait()
}

// stagedPiece is what a shard has staged of a piece of a file.
type stagedPiece struct {
	objects [3]objstore.Object // in the order of stagedNames
	lost    bool               // rows of the piece were left out
}

// piecesAtATime bounds how many pieces of a file are opened at a time.
const piecesAtATime = 16

// join makes one object of those that pieces have at a place, all of them Parquet files.
func (r *runner) join(ctx context.Context, name string, pieces []stagedPiece, at int) (bytes int64, digest string, err error) {
	parts := make([]rewrite.JoinPart, len(pieces))
	readers := make([]objstore.Reader, len(pieces))
	defer func() {
		for _, reader := range readers {
			if reader != nil {
				reader.Close()
			}
		}
	}()
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(piecesAtATime)
	for i := range pieces {
		g.Go(func() (err error) {
			o := pieces[i].objects[at]
			if readers[i], err = r.out.Store.Open(ctx, o); err != nil {
				return err
			}
			f, err := parquet.OpenFooter(gctx, readers[i], readers[i].Size(), r.out.Store.URI(o.Name))
			if err != nil {
				return err
			}
			f.FiltersLast = at > 0 // manifests have them there
			parts[i] = rewrite.JoinPart{File: f, Lost: at == 0 && pieces[i].lost}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return 0, "", err
	}
	w, err := r.out.Store.Create(ctx, name)
	if err != nil {
		return 0, "", err
	}
	out := &staged{Writer: w, hash: sha256.New()}
	defer out.Abort()
	if _, err := rewrite.Join(ctx, out, parts); err != nil {
		return 0, "", err
	}
	err = out.Finish(ctx)
	return out.bytes, out.digest(), err
}
