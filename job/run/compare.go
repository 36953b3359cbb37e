package run

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"assent/filter"
	"assent/job/internal/holdings"
	"assent/job/internal/publish"
	"assent/job/internal/source"
	"assent/manifests"
	"assent/schema"
)

// comparison compares a data set with what it was in an earlier run.
type comparison struct {
	*earlier
	plan    *planned
	d       *Dataset
	workers int
	warn    func(msg string, args ...any)
}

// earlierFile is a file of the earlier run.
type earlierFile struct {
	inputFile
	facts *manifests.FileFacts
	first int // place of its first block among those of all files
}

// sameFile is a file of the plan whose input is that of the earlier run.
type sameFile struct {
	earlierFile
	same []bool // by block: it is not touched by what has changed
}

// taken returns how many blocks are the same.
func (f *sameFile) taken() (n int) {
	for _, same := range f.same {
		if same {
			n++
		}
	}
	return n
}

// last returns the latest moment of the blocks that are the same.
func (f *sameFile) last() schema.Instant {
	last := schema.Unknown
	for i, same := range f.same {
		if same {
			last = max(last, f.facts.Blocks[i].Last)
		}
	}
	return last
}

// dataset finds the files and blocks of the data set that are the same, and returns what is known of them; nil where there are none.
// Where they are all that there is, the footprints are the earlier run's, and none are returned.
// accounts and contracts are those that have another state.
func (c *comparison) dataset(ctx context.Context, accounts, contracts []filter.Change) (*Reuse, *manifests.Footprints, error) {
	was, all := c.footprints[c.d.Name], c.earlierFiles()
	inputs := inputsOf(c.plan.Inputs, c.d.Name)
	touched := touchedBlocks(was, contracts)
	var files []*sameFile
	unchanged := 0 // files that lie there as they did
	for i, f := range c.d.Files {
		old, ok := all[f.Rel]
		if !ok || !sameInput(old.input, inputs[i]) || old.RowsIn != f.Rows {
			continue
		}
		unchanged++
		if old.facts.NoContracts == (c.plan.lookup.Restricted() == 0) {
			files = append(files, c.compare(old, touched))
		}
	}
	if err := c.touchedBy(ctx, files, namedOf(was, accounts)); err != nil {
		return nil, nil, err
	}
	reuse := &Reuse{Run: c.RunID, Result: DatasetResult{Tally: newTally(c.plan.lookup.Policy(), len(c.d.Roles()))}}
	files = slices.DeleteFunc(files, func(f *sameFile) bool { return f.taken() == 0 && len(f.same) > 0 })
	files, err := c.intact(ctx, files)
	if err != nil || len(files) == 0 {
		return nil, nil, err
	}
	for _, f := range files {
		if err := reuse.add(f); err != nil {
			return nil, nil, c.Fault(manifests.FootprintsPath(c.d.Name), err)
		}
	}
	slices.SortFunc(reuse.Parts, func(a, b TakenPart) int { return strings.Compare(a.Source, b.Source) })
	if n := len(reuse.Result.Files); n == len(was.Files) && n == len(c.d.Files) {
		reuse.Whole = true
		c.join(&reuse.Result, was)
		return reuse, nil, nil
	}
	left := ofBlocks(was, files)
	if unchanged < len(all) { // what only files that are gone or changed name is named no more
		if left.Accounts, err = c.accountsOf(ctx, files, was); err != nil {
			return nil, nil, err
		}
		left.Contracts = contractsOf(left)
	}
	c.join(&reuse.Result, left)
	return reuse, left, nil
}

// compare finds the blocks of a file that the horizon and contracts do not touch.
func (c *comparison) compare(old earlierFile, touched map[uint32]schema.Instant) *sameFile {
	f := &sameFile{earlierFile: old, same: make([]bool, len(old.facts.Blocks))}
	for i := range f.same {
		last := old.facts.Blocks[i].Last
		from, named := touched[uint32(old.first+i)]
		f.same[i] = last < c.index.Policy().Horizon && (!named || last < from)
	}
	return f
}

// add adds a file, or some of its blocks, to what is taken over.
func (r *Reuse) add(f *sameFile) error {
	part := TakenPart{Source: f.Source}
	var at [3]int
	first := int64(0)
	for i := range f.facts.Blocks {
		b := &f.facts.Blocks[i]
		if f.same[i] {
			if err := r.Result.Tally.addFacts(b); err != nil {
				return err
			}
			part.Blocks = append(part.Blocks, TakenBlock{*b, first, at})
		} else {
			part.Touched = append(part.Touched, TakenBlock{*b, first, at})
		}
		for k, n := range b.Groups {
			at[k] += n
		}
		first += b.Rows
	}
	if f.taken() < len(f.same) {
		r.Parts = append(r.Parts, part)
		return nil
	}
	r.Result.Files = append(r.Result.Files, *f.File)
	for _, key := range f.facts.LeftOut {
		r.Result.leaveOut(key, f.Source)
	}
	return nil
}

// earlierFiles returns the data set's files in the earlier run, by source.
func (c *comparison) earlierFiles() map[string]earlierFile {
	all := map[string]earlierFile{}
	was := c.footprints[c.d.Name]
	if was == nil {
		return all
	}
	files, first := filesOf(c.Run.Run, c.d.Name), 0
	for i := range was.Files {
		facts := &was.Files[i]
		if f, ok := files[facts.Source]; ok && f.input != nil {
			all[facts.Source] = earlierFile{f, facts, first}
		}
		first += len(facts.Blocks)
	}
	return all
}

// sameInput reports whether two inputs are the same file. A generation says so of one place alone.
func sameInput(a, b *manifests.Input) bool {
	return a.Bytes == b.Bytes && a.Identity == b.Identity && (a.Path == b.Path || strings.HasPrefix(a.Identity, "crc32c:"))
}

// inputsOf returns a run's inputs of a data set, beside its files.
func inputsOf(all []manifests.Input, dataset string) (inputs []*manifests.Input) {
	for i := range all {
		if all[i].Dataset == dataset {
			inputs = append(inputs, &all[i])
		}
	}
	return inputs
}

// touchedBlocks returns the blocks that name one of some contracts, with the earliest instant from which on one of these has changed.
func touchedBlocks(was *manifests.Footprints, contracts []filter.Change) map[uint32]schema.Instant {
	blocks := map[uint32]schema.Instant{}
	for _, c := range contracts {
		if was == nil {
			break
		}
		for _, p := range manifests.FindPairs(was.Pairs, c.Ref.Key()) {
			if from, named := blocks[p.Block]; !named || c.From < from {
				blocks[p.Block] = c.From
			}
		}
	}
	return blocks
}

// namedOf returns those of some accounts that the data set names, by the instants from which on they have changed.
func namedOf(was *manifests.Footprints, accounts []filter.Change) (named []filter.Change) {
	for _, c := range accounts {
		if was == nil {
			break
		}
		if _, found := manifests.FindNamed(was.Accounts, c.Ref.Key()); found {
			named = append(named, c)
		}
	}
	slices.SortStableFunc(named, func(a, b filter.Change) int { return cmp.Compare(a.From, b.From) })
	return named
}

// touchedBy finds the blocks that name one of the accounts, by the files' subject indexes: a block's entries stand in row groups of
// its own. Of accounts that have changed only after all that is in a file, nothing is asked.
func (c *comparison) touchedBy(ctx context.Context, files []*sameFile, accounts []filter.Change) error {
	refs := make([]manifests.Ref, len(accounts))
	for i := range accounts {
		refs[i] = manifests.Ref(accounts[i].Ref)
	}
	concern := func(f *sameFile) []manifests.Ref {
		last := f.last()
		n, _ := slices.BinarySearchFunc(accounts, last, func(c filter.Change, last schema.Instant) int {
			if c.From <= last {
				return -1
			}
			return 1
		})
		return refs[:n]
	}
	var some []*sameFile
	for _, f := range files {
		if len(concern(f)) > 0 {
			some = append(some, f)
		}
	}
	return c.eachIndex(ctx, some, func(f *sameFile, x *manifests.SubjectIndex) error {
		named, err := x.NamedBy(concern(f))
		if err != nil {
			return err
		}
		for i := range f.same {
			n := f.facts.Blocks[i].Groups[2]
			if n > len(named) {
				return fmt.Errorf("%w: it has fewer row groups than the footprints say", manifests.ErrManifest)
			}
			if slices.Contains(named[:n], true) {
				f.same[i] = false
			}
			named = named[n:]
		}
		return nil
	})
}

// eachIndex opens the subject indexes of some files, several at a time.
func (c *comparison) eachIndex(ctx context.Context, files []*sameFile, do func(f *sameFile, x *manifests.SubjectIndex) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(max(4, c.workers))
	for _, f := range files {
		if len(f.same) > 0 && f.taken() == 0 {
			continue
		}
		g.Go(func() error {
			x, err := holdings.OpenIndex(ctx, c.Run, c.d.Name, f.File, publish.DigestNone)
			if err != nil {
				return err
			}
			defer func() {
				x.Close()
				x.Release()
			}()
			return c.Fault(f.Subjects, do(f, x.SubjectIndex))
		})
	}
	return g.Wait()
}

// accountsOf returns the accounts that some files name, by their subject indexes.
func (c *comparison) accountsOf(ctx context.Context, files []*sameFile, was *manifests.Footprints) ([]manifests.Named, error) {
	var mu sync.Mutex
	roles := make([]uint16, len(was.Accounts))
	err := c.eachIndex(ctx, files, func(_ *sameFile, x *manifests.SubjectIndex) error {
		named, err := x.Names()
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		for _, n := range named {
			at, found := manifests.FindNamed(was.Accounts, n.Key)
			if !found {
				return fmt.Errorf("%w: it names an account that the footprints lack", manifests.ErrManifest)
			}
			for ; at < len(was.Accounts) && was.Accounts[at].Key == n.Key; at++ {
				roles[at] |= n.Roles
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var left []manifests.Named
	for i, n := range was.Accounts {
		if n.Roles = roles[i]; n.Roles != 0 {
			left = append(left, n)
		}
	}
	return left, nil
}

// contractsOf returns the contracts that some file names. Both lists are sorted by key.
func contractsOf(f *manifests.Footprints) (named []manifests.Named) {
	pairs := f.Pairs
	for _, n := range f.Contracts {
		for len(pairs) > 0 && pairs[0].Key < n.Key {
			pairs = pairs[1:]
		}
		if len(pairs) > 0 && pairs[0].Key == n.Key {
			named = append(named, n)
		}
	}
	return named
}

// ofBlocks returns footprints without the facts of other blocks than those that are the same. Files are in the order of footprints.
func ofBlocks(f *manifests.Footprints, files []*sameFile) *manifests.Footprints {
	out := &manifests.Footprints{Accounts: f.Accounts, Contracts: f.Contracts}
	number := make([]int, f.NumBlocks())
	for i := range number {
		number[i] = -1
	}
	n := 0
	for _, of := range files {
		facts := *of.facts
		facts.Blocks = nil
		for i, same := range of.same {
			if same {
				facts.Blocks = append(facts.Blocks, of.facts.Blocks[i])
				number[of.first+i] = n
				n++
			}
		}
		out.Files = append(out.Files, facts)
	}
	for _, p := range f.Pairs {
		if n := number[p.Block]; n >= 0 {
			out.Pairs = append(out.Pairs, manifests.ContractBlock{Key: p.Key, Block: uint32(n)})
		}
	}
	return out
}

// join counts what the names join with of the index, as a shard counts what its rows name.
func (c *comparison) join(result *DatasetResult, names *manifests.Footprints) {
	x := c.plan.lookup.Stored
	joins := make([]*source.JoinCounter, len(c.d.Roles()))
	for role := range joins {
		joins[role] = source.NewJoinCounter(x.Accounts())
	}
	near, nearContracts := source.NewNearSeen(c.plan.lookup.NearAccounts), source.NewNearSeen(c.plan.lookup.NearContracts)
	for i := range names.Accounts {
		n := &names.Accounts[i]
		lo, hi := x.WithKey(n.Key)
		for role := range joins {
			switch {
			case n.Roles>>role&1 == 0:
			case lo == hi:
				joins[role].Other(n.Key)
			default:
				joins[role].Mark(int(x.Same(lo)))
			}
		}
		if lo == hi {
			near.Add(source.Marked(n.Form, n.Mark))
		}
	}
	contracts := source.NewJoinCounter(x.Restricted())
	for i := range names.Contracts {
		n := &names.Contracts[i]
		if lo, hi := x.ContractsWithKey(n.Key); lo < hi {
			contracts.Mark(int(lo))
			continue
		}
		contracts.Other(n.Key)
		nearContracts.Add(source.Marked(n.Form, n.Mark))
	}
	for role := range joins {
		result.Joins = append(result.Joins, joins[role].Join())
	}
	result.Contracts, result.Near, result.NearContracts = contracts.Join(), near.Near(), nearContracts.Near()
}
