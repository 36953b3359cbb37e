package diff

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/bits"

	"github.com/cespare/xxhash/v2"

	"assent/job"
	"assent/job/internal/publish"
	"assent/job/internal/source"
	"assent/job/parquet/rewrite"
	"assent/manifests"
)

// idJoin compares the records of a data set by their ids: those that a run excluded
// are in its exclusion manifests, those that it kept in its data files. Fates are
// gathered in a table of digests of the ids; the ids of those that changed are then
// read a second time. Ids are split into parts by their hashes, so that a part's
// table fits into memory; each part reads all ids.
type idJoin struct {
	*differ
	dataset string
	record  string // column of the record id
	sources []idSource
	total   *DatasetDiff
	limit   int // ids of a table

	unreported int64 // records read that the bar does not know of yet
	again      int64 // records that are read a second time, as their part was split
}

// idSource is a file of one of the runs.
type idSource struct {
	side int // of differ.runs
	*manifests.File
}

// idDigest stands for a record id: the first half of its SHA-256.
type idDigest [16]byte

// idFates is what became of an id in both runs, and where.
type idFates struct {
	fate   [2]fate
	listed bool
	source [2]int32 // index of idJoin.sources
}

// idBytes is about what an id takes in a table, and again as much for the garbage
// collector to have room.
const idBytes = 2 * 48

// compareIDs compares what compareRows could not.
func (d *differ) compareIDs(ctx context.Context, dataset string, files [2][]*manifests.File, total *DatasetDiff) error {
	j := &idJoin{differ: d, dataset: dataset, total: total, limit: int(d.o.Memory / idBytes)}
	var rows [2]int64
	for side, files := range files {
		for _, f := range files {
			j.sources = append(j.sources, idSource{side, f})
			rows[side] += f.RowsIn
		}
	}
	total.ByID = len(j.sources)
	if len(j.sources) == 0 {
		return nil
	}
	cfg, err := d.cfg.Dataset(dataset)
	if err != nil {
		return job.UsageError("configure the data set as it was for these runs: its record column is needed", "%s: the runs have a data set %q that is not configured", d.cfg.File, dataset)
	}
	j.record = cfg.Record
	depth := bits.Len64(uint64(max(rows[0], rows[1]) / int64(j.limit)))
	d.Log.Info("comparing by record ids", "dataset", dataset, "files", len(j.sources), "records", rows[0]+rows[1], "parts", 1<<depth)
	for part := range uint64(1) << depth {
		if err := j.part(ctx, depth, part); err != nil {
			return err
		}
	}
	j.bar.Add(j.unreported)
	return nil
}

// errFull means that a part has more ids than fit into memory.
var errFull = errors.New("too many ids")

// part compares the ids whose hash ends in the given bits, split further where they
// are too many.
func (j *idJoin) part(ctx context.Context, depth int, part uint64) error {
	table := map[idDigest]idFates{}
	read := int64(0)
	err := j.read(ctx, depth, part, false, func(source int, id idFate) error {
		f := table[id.digest]
		side := j.sources[source].side
		if was := f.fate[side]; was == absent || id.fate < was {
			f.fate[side], f.source[side] = id.fate, int32(source)
		}
		table[id.digest] = f
		read++
		j.progress()
		if len(table) > j.limit {
			return errFull
		}
		return nil
	})
	if errors.Is(err, errFull) {
		j.again += read
		if err := j.part(ctx, depth+1, part); err != nil {
			return err
		}
		return j.part(ctx, depth+1, part|1<<depth)
	}
	if err != nil {
		return err
	}
	changed := 0
	for _, f := range table {
		j.total.count(f.fate[0], f.fate[1])
		if f.fate[0] != absent && f.fate[1] != absent {
			j.total.InBoth++
		}
		if kindOf(f.fate[0], f.fate[1]) != "" {
			changed++
		}
	}
	return j.listChanges(ctx, depth, part, table, changed)
}

// progress counts a record for the bar, once.
func (j *idJoin) progress() {
	const step = 4096
	if j.again > 0 {
		j.again--
		return
	}
	if j.unreported++; j.unreported == step {
		j.bar.Add(step)
		j.unreported = 0
	}
}

// listChanges reads a part's ids again, for the text of those that changed.
func (j *idJoin) listChanges(ctx context.Context, depth int, part uint64, table map[idDigest]idFates, changed int) error {
	if changed == 0 {
		return nil
	}
	name := func(f *idFates, side int) string {
		if f.fate[side] == absent {
			return ""
		}
		return j.sources[f.source[side]].Source
	}
	err := j.read(ctx, depth, part, true, func(_ int, id idFate) error {
		f := table[id.digest]
		kind := kindOf(f.fate[0], f.fate[1])
		if kind == "" || f.listed {
			return nil
		}
		f.listed = true
		table[id.digest] = f
		err := j.list.add(Change{j.dataset, id.text, kind, f.fate[0].String(), f.fate[1].String(), name(&f, 0), name(&f, 1)})
		if changed--; changed == 0 && err == nil {
			return errListed
		}
		return err
	})
	if errors.Is(err, errListed) {
		return nil
	}
	return err
}

// errListed ends a reading that has found all that it was to find.
var errListed = errors.New("all listed")

// idFate is a record as it is read.
type idFate struct {
	digest idDigest
	fate   fate
	text   string // the id, if it was asked for
}

// read hands a part's records to take, file by file.
func (j *idJoin) read(ctx context.Context, depth int, part uint64, texts bool, take func(source int, id idFate) error) error {
	mask := uint64(1)<<depth - 1
	return inOrder(ctx, len(j.sources), func(ctx context.Context, i int, send func(idFate) error) error {
		s := j.sources[i]
		one := func(id []byte, f fate) error {
			if mask != 0 && xxhash.Sum64(id)&mask != part {
				return nil
			}
			sum := sha256.Sum256(id)
			record := idFate{digest: idDigest(sum[:]), fate: f}
			if texts {
				record.text = string(id)
			}
			return send(record)
		}
		for e, err := range exclusions(ctx, j.runs[s.side], s.File) {
			if err == nil {
				err = one([]byte(e.RecordID), excludedFor(e.Reason))
			}
			if err != nil {
				return err
			}
		}
		return j.keptIDs(ctx, s, func(id []byte) error { return one(id, kept) })
	}, take)
}

// keptIDs reads the record ids of a published data file, in the form in which
// exclusion manifests have them.
func (j *idJoin) keptIDs(ctx context.Context, s idSource, each func(id []byte) error) error {
	if s.RowsKept == 0 {
		return nil
	}
	run := j.runs[s.side]
	r, err := run.Open(ctx, s.Data(), publish.DigestSmall)
	if err != nil {
		return err
	}
	defer r.Close()
	file, err := rewrite.Open(ctx, r, s.Bytes, run.URI(s.Output))
	if err != nil {
		return run.Fault(s.Output, err)
	}
	if file.NumRows() != s.RowsKept {
		return run.Fault(s.Output, fmt.Errorf("%w: has %d rows, the run manifest says %d", manifests.ErrManifest, file.NumRows(), s.RowsKept))
	}
	find := source.Finder{File: file, Rel: s.Output}
	column := find.ID("datasets."+j.dataset+".record", j.record, false)
	if find.Err != nil {
		return job.UsageError("configure the data set as it was for this run", "%s: %w", run.URI(s.Output), find.Err)
	}
	var id []byte
	for group := range file.NumRowGroups() {
		err := source.ScanRowGroup(ctx, file, group, []source.KeyColumn{column}, func(b *source.Batch) error {
			for i := range b.Rows {
				id = column.ID.Append(id[:0], &b.Columns[0], i)
				if err := each(bytes.ToValidUTF8(id, []byte("\uFFFD"))); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return run.Fault(s.Output, err)
		}
	}
	return r.Unchanged(ctx)
}
