package verify

import (
	"context"
	"fmt"

	"assent/manifests"
	"assent/schema"
)

// fileAudit is the audit of one input file and of what the run made of it.
type fileAudit struct {
	*published
	d   *dataset
	f   *input
	m   *manifests.File
	bit int // of the data set's first party role in account.parties

	pseudonyms *manifests.Key
	contacts   *contacts

	// What came of it:
	found   differences
	checked Checked
	recount *recount // nil where not every record could be decided
}

// bitmap is a set of rows.
type bitmap []uint64

func newBitmap(n int64) bitmap { return make(bitmap, (n+63)/64) }

func (b bitmap) set(i int64) { b[i/64] |= 1 << (i % 64) }

func (b bitmap) has(i int64) bool { return b[i/64]>>(i%64)&1 != 0 }

// gather adds the accounts and contracts that the file names to the facts wanted.
func (a *fileAudit) gather(ctx context.Context, w *facts) error {
	in, err := a.f.open(ctx)
	if err != nil {
		return err
	}
	defer in.close()
	k, err := in.records(a.d, w.account)
	if err != nil {
		return err
	}
	defer k.close()
	var r record
	for row := range in.rows() {
		if err := k.next(&r); err != nil {
			return in.fault(ctx, &row, err)
		}
		for _, x := range r.named {
			if x.account != nil && x.party && a.bit+x.role < 64 {
				x.account.parties |= 1 << (a.bit + x.role)
			}
		}
		if r.Contract != "" {
			w.contracts[r.Contract] = true
		}
	}
	return nil
}

// decisions are what the rules say of a file's rows.
type decisions struct {
	*inputFile
	kept    bitmap // of the input's rows
	total   int64  // of these
	reasons manifests.ReasonCounts
}

// check audits the file: its decisions, with the exclusions and the subject index that
// follow from them, then the data.
func (a *fileAudit) check(ctx context.Context, w *facts) error {
	in, err := a.f.open(ctx)
	if err != nil {
		return a.found.unreadable(err)
	}
	defer in.close()
	in.turn = &largeTurn{turns: a.turns, ctx: ctx}
	defer in.turn.end()
	d, err := a.decide(ctx, in, w)
	if err != nil {
		return a.found.unreadable(err)
	}
	a.checkSums(d)
	if err := a.checkData(ctx, d); err != nil {
		return err
	}
	a.checked.Files++
	return in.bytes.Unchanged(ctx)
}

// decide decides every record and compares exclusions and subjects.
func (a *fileAudit) decide(ctx context.Context, in *inputFile, w *facts) (*decisions, error) {
	d := &decisions{inputFile: in, kept: newBitmap(in.rows())}
	k, err := in.records(a.d, func(id []byte) *account { return w.accounts[string(id)] })
	if err != nil {
		return nil, err
	}
	defer k.close()
	excluded, err := a.openExclusions(ctx, d)
	if err != nil {
		return nil, err
	}
	defer excluded.close()
	sums, again, judge := newPairSums(in.rows()), newRecount(), judge{a.d, w}
	var r record
	for row := range in.rows() {
		if err := k.next(&r); err != nil {
			return nil, in.fault(ctx, &row, err)
		}
		reasons := w.world.Explain(&r.Record).Reasons
		judge.count(again, &r, reasons)
		if reasons.Kept() {
			d.kept.set(row)
			d.total++
		} else {
			d.reasons[reasons.Primary()]++
			if err := excluded.expect(ctx, judge.exclusionOf(a.m.Source, row, &r, reasons)); err != nil {
				return nil, err
			}
		}
		sums.expect(row, reasons.Kept(), r.named)
		a.checked.Decisions++
	}
	if err := excluded.end(ctx); err != nil {
		return nil, err
	}
	a.recount = again
	return d, a.compareSubjects(ctx, d, w, sums)
}

// checkSums compares what was decided with the run manifest's counts.
func (a *fileAudit) checkSums(d *decisions) {
	if d.total != a.m.RowsKept || d.rows() != a.m.RowsIn {
		a.found.of(a.m.Output, "the rules keep %d of %d rows, the run manifest has %d of %d", d.total, d.rows(), a.m.RowsKept, a.m.RowsIn)
	}
	for i, n := range d.reasons {
		if got := a.m.ExcludedByReason[i]; got != n {
			a.found.of(a.m.Output, "%d rows are excluded for %s, the run manifest has %d", n, schema.Reason(i), got)
		}
	}
}

// openObject opens an object of the run; nil where it is not as the manifest names it,
// which was told.
func (p *published) openObject(ctx context.Context, name string) (*watched, error) {
	if !p.intact[name] {
		return nil, nil
	}
	r, err := p.store.Open(ctx, p.objects[name])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &watched{Reader: r}, nil
}
