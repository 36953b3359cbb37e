package verify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"reflect"
	"strings"

	"github.com/parquet-go/parquet-go"

	"assent/job/internal/publish"
	"assent/manifests"
	"assent/schema"
)

// checkSince holds what run.json says of the changes since the run before against that run, where it still is as it was then.
// Where it was removed, or is damaged, which is not this run's fault, all that is known is that the counts add up.
func (a *audit) checkSince(ctx context.Context) error {
	said := a.run.Invocation.Since
	if said == nil {
		return nil
	}
	before, digest, err := (&publish.Output{Store: a.store, Log: a.Log}).Published(ctx, publish.RunDir(said.RunID))
	if err != nil && !publish.Damaged(err) {
		return err
	}
	if err != nil || before == nil || digest != said.ManifestSHA256 {
		return nil
	}
	if !said.ConsentAsOf.Equal(before.ConsentAsOf) || !reflect.DeepEqual(said.Earlier, before.Remember()) {
		a.found.of(publish.ManifestObject, "since: it does not tell of the runs before as run %s does", said.RunID)
	}
	names := maps.Clone(before.Datasets)
	maps.Copy(names, a.run.Datasets)
	for name := range names {
		want, err := a.changes(ctx, name, before)
		if errors.Is(err, errNotCompared) {
			return nil
		}
		if err != nil {
			return err
		}
		if got := said.Datasets[name]; got != want {
			a.found.of(publish.ManifestObject, "since: data set %s: it does not say what changed since run %s: %d records are excluded that were kept, it has %d; %d the other way round, it has %d",
				name, said.RunID, want.NowExcluded.Total(), got.NowExcluded.Total(), want.NowKept.Total(), got.NowKept.Total())
		}
	}
	a.checked.Since++
	return nil
}

// errNotCompared says that some exclusions cannot be read.
var errNotCompared = errors.New("the runs cannot be compared")

// changes compares the reasons of all rows of a data set in two runs.
func (a *audit) changes(ctx context.Context, dataset string, before *manifests.Run) (c manifests.Changes, err error) {
	c.KeptBefore, c.ExcludedBefore = before.Datasets[dataset].RowsKept, before.Datasets[dataset].RowsExcluded
	add := func(n *manifests.FileCounts, f *manifests.File) {
		n.Files, n.Kept, n.Excluded = n.Files+1, n.Kept+f.RowsKept, n.Excluded+f.RowsIn-f.RowsKept
	}
	was, now := madeOf(before, dataset), madeOf(a.run, dataset)
	for source, f := range now {
		if !f.sameAs(was[source]) {
			add(&c.New, f.File)
		}
	}
	for source, old := range was {
		f := now[source]
		if !old.sameAs(f) {
			add(&c.Gone, old.File)
			continue
		}
		if !a.intact[f.Exclusions] { // which was told
			return c, errNotCompared
		}
		then, err := a.reasons(ctx, publish.RunDir(before.RunID), old.File)
		if err != nil {
			return c, fmt.Errorf("%w: %w", errNotCompared, err)
		}
		reasons, err := a.reasons(ctx, a.dir, f.File)
		if err != nil {
			return c, err
		}
		for row, reason := range reasons {
			if other, there := then[row]; !there {
				c.NowExcluded[reason]++
			} else if other != reason {
				c.OtherReason++
			}
		}
		for row, reason := range then {
			if _, there := reasons[row]; !there {
				c.NowKept[reason]++
			}
		}
	}
	return c, nil
}

// made is a file of a run and the input that it was made of, nil where the run does not tell.
type made struct {
	*manifests.File
	in *manifests.Input
}

// madeOf returns the files of a data set, by source. The n-th input of the data set is that of the n-th file.
func madeOf(run *manifests.Run, dataset string) map[string]made {
	all := map[string]made{}
	files, n := run.Datasets[dataset].Files, 0
	for i := range files {
		all[files[i].Source] = made{File: &files[i]}
	}
	for i := range run.Inputs {
		if in := &run.Inputs[i]; in.Dataset == dataset && n < len(files) {
			if f := &files[n]; strings.HasSuffix(in.Path, f.Source) {
				all[f.Source] = made{f, in}
			}
			n++
		}
	}
	return all
}

// sameAs reports whether two files were made of one input file. A generation tells of one object's content, a checksum of any.
func (m made) sameAs(o made) bool {
	return m.in != nil && o.in != nil && m.in.Identity == o.in.Identity && m.in.Bytes == o.in.Bytes && m.in.Rows == o.in.Rows &&
		(m.in.Path == o.in.Path || strings.HasPrefix(m.in.Identity, "crc32c:"))
}

// reasons returns the primary reasons of the rows that a run excluded of a file.
func (a *audit) reasons(ctx context.Context, dir string, f *manifests.File) (map[int64]schema.Reason, error) {
	all := map[int64]schema.Reason{}
	name := path.Join(dir, f.Exclusions)
	o, err := a.store.Stat(ctx, name)
	if err != nil {
		return nil, err
	}
	r, err := a.store.Open(ctx, o)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	err = readExclusions(ctx, &watched{Reader: r}, func(e *exclusion) error {
		reason, err := schema.ParseReason(e.Reason)
		all[e.Row] = reason
		return err
	})
	if err == nil && int64(len(all)) != f.ExcludedByReason.Total() {
		err = errors.New("it has other rows than the run manifest says")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", a.store.URI(name), err)
	}
	return all, r.Unchanged(ctx)
}

func readExclusions(ctx context.Context, r *watched, each func(*exclusion) error) (err error) {
	defer recovered(&err)
	file, err := openParquet(ctx, r)
	if err == nil {
		err = file.hasColumnsOf(parquet.SchemaOf(exclusion{}))
	}
	if err != nil {
		return err
	}
	rows := parquet.NewGenericReader[exclusion](file.file)
	defer rows.Close()
	for batch := make([]exclusion, 64); ; clear(batch) {
		n, err := rows.Read(batch)
		for i := range batch[:n] {
			if err := each(&batch[i]); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
