package run

import (
	"context"
	"io"

	"assent/filter"
	"assent/job/internal/publish"
	"assent/job/internal/source"
	"assent/job/parquet"
	"assent/job/parquet/rewrite"
	"assent/manifests"
	"assent/schema"
)

// desk is what deciding a file needs memory for. A file that is done leaves it to the next,
// as a file's worth of it costs more to make and to grow than most files take to decide.
// Nothing of it but its memory outlives a file.
type desk struct {
	accounts   fileAccounts
	roles      []*roleAccounts
	contract   contractColumn
	rows       filter.Rows
	reasons    []schema.Reasons
	exclusions *manifests.ExclusionWriter
	subjects   *manifests.SubjectIndexWriter
	runs       []int // of the batch: where they end
	findings   []filter.Finding
	subjectsOf []manifests.Subject // of a run
	named      []manifests.NamedAs // by a run
	recordIDs  parquet.Bytes
	gathered   [3][]byte       // see staged
	earlier    [3]publish.Room // see earlierOutput

	charged int64 // bytes, of the budget
}

// takeRoom waits until there is room for what the desk will hold, as far as that can be foreseen: until then the file is not decided. One
// that would take more than there is is worked on alone.
func (w *fileWork) takeRoom(ctx context.Context) (int64, error) {
	const (
		desk    = 1 << 20 // bytes of any
		perRow  = 56      // bytes of manifests and accounts
		mostIDs = 10 << 20
	)
	most, record := int64(0), w.bound.Columns[w.bound.Record.At].Leaf
	for g := w.piece.From; g < w.piece.To; g++ {
		rows, ids := w.file.RowGroupRows(g), int64(0)
		if record >= 0 {
			c, err := w.file.Chunk(g, record)
			if err != nil {
				return 0, err
			}
			if ids, err = c.Metadata.Int(parquet.MetaTotalUncompressedSize, 0); err != nil {
				return 0, w.file.Fault(err, g, record, -1)
			}
		}
		// Ids are gathered of 1<<17 rows at a time, and a page of long ones is there beside them.
		gathered := min(max(ids, 0)/max(1, rows>>17), mostIDs)
		most = max(most, perRow*min(rows, 1<<20)+3*gathered)
	}
	n := min(desk+most, w.roomSize())
	return n, w.room.Acquire(ctx, n)
}

// roomSize is the bytes that what files hold beside pages may take together: most of what is left of the budget is for pages.
func (s *sharder) roomSize() int64 { return s.memory.Size() / 3 * 2 }

// forgetLarge lets go of what is seldom needed in that size.
func (k *desk) forgetLarge() {
	const large = 4 << 20
	for i := range k.earlier {
		if k.earlier[i].Memory() > large {
			k.earlier[i] = publish.Room{}
		}
	}
}

// settle makes what is charged to a budget what the desk holds now.
func (k *desk) settle(b *rewrite.Budget) {
	n := k.accounts.table.Memory() + 48*cap(k.accounts.found)
	for _, r := range k.roles {
		n += 8*cap(r.handles) + 9*cap(r.dictHandles) + cap(r.scratch.Data) + 4*cap(r.scratch.Ends)
	}
	if k.exclusions != nil {
		n += k.exclusions.Memory() + k.subjects.Memory()
	}
	b.Charge(int64(n) - k.charged)
	k.charged = int64(n)
}

// takeDesk returns a desk that no other file uses. It is given back by desks.Put, unless the
// work on the file failed.
func (s *sharder) takeDesk() *desk {
	if k, ok := s.desks.Get().(*desk); ok {
		return k
	}
	return &desk{accounts: fileAccounts{table: manifests.NewAccounts(s.key.NewReferrer())}}
}

// prepare clears the desk for the columns of a file.
func (k *desk) prepare(s *shard, d *dataset, bound *source.Binding) {
	k.accounts.reset(s.index, d.near)
	for len(k.roles) < len(bound.Roles) {
		k.roles = append(k.roles, new(roleAccounts))
	}
	k.roles = k.roles[:len(bound.Roles)]
	for i, c := range bound.Roles {
		k.roles[i].reset(&k.accounts, c.ID, i, d.joins[i])
	}
	k.contract.reset(bound.Contract.ID, s.index, d.contracts, d.nearContracts)
	k.rows = filter.Rows{
		Moments:  make([][]schema.Instant, len(bound.Moments)),
		Parties:  make([]filter.Accounts, bound.Parties),
		Subjects: make([]filter.Accounts, len(bound.Roles)-bound.Parties),
	}
}

// writeTo begins the file's manifests.
func (k *desk) writeTo(exclusions, subjects io.Writer, meta manifests.Meta) {
	if k.exclusions == nil {
		k.exclusions = manifests.NewExclusionWriter(exclusions, k.accounts.table, meta)
		k.subjects = manifests.NewSubjectIndexWriter(subjects, k.accounts.table, meta)
		return
	}
	k.exclusions.Reset(exclusions, k.accounts.table, meta)
	k.subjects.Reset(subjects, k.accounts.table, meta)
}
