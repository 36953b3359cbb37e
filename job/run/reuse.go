package run

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"assent/filter"
	"assent/job/internal/holdings"
	"assent/job/internal/objstore"
	"assent/job/internal/publish"
	"assent/job/internal/source"
	"assent/manifests"
)

// A run starts from the last published one. It takes a file over from there, with its manifests, where the outcome is
// provably the same: the input file is the same, so are the rules, the key and the program; all moments of all its
// records lie before the horizon of both runs; and no account or contract that it names has another state than then, as far as
// what happened before the earlier horizon goes (filter.Changed). None of this reads a row.

// earlier is the run to start from.
type earlier struct {
	*publish.Run
	index      *filter.Stored
	footprints map[string]*manifests.Footprints // by data set
	close      func() error
}

// earlier opens the run to start from, nil where there is none.
func (r *runner) earlier(ctx context.Context, plan *planned) (*earlier, error) {
	run, err := r.currentRun(ctx)
	if err != nil || run == nil || run.Index.Path == "" || !r.sameRules(run.Run, plan) {
		return nil, err
	}
	e := &earlier{Run: run, footprints: map[string]*manifests.Footprints{}}
	for name, d := range run.Datasets {
		if d.Footprints.Path == "" {
			return nil, nil
		}
		c, err := objstore.Load(ctx, r.out.Store, path.Join(run.Dir, d.Footprints.Path))
		if err != nil {
			return nil, err
		}
		e.footprints[name], err = readFootprints(c.Data)
		if err = errors.Join(err, c.Close()); err != nil {
			return nil, run.Fault(d.Footprints.Path, err)
		}
	}
	c, err := objstore.Load(ctx, r.out.Store, path.Join(run.Dir, run.Index.Path))
	if err != nil {
		return nil, err
	}
	e.close = c.Close
	if e.index, err = filter.Open(c.Data); err != nil {
		return nil, errors.Join(run.Fault(run.Index.Path, fmt.Errorf("%w: %w", manifests.ErrManifest, err)), c.Close())
	}
	return e, nil
}

func readFootprints(data []byte) (*manifests.Footprints, error) {
	f, _, err := manifests.ReadFootprints(bytes.NewReader(data), int64(len(data)))
	return f, err
}

// sameRules reports whether an earlier run was made by the same program under the same rules and key, at no later horizon.
func (r *runner) sameRules(run *manifests.Run, plan *planned) bool {
	return run.PolicyDigest == plan.PolicyDigest && run.PseudonymKey == plan.Pseudonyms && run.Tool.Version == r.Version && run.MadeUnder(r.key) &&
		!run.ConsentAsOf.After(plan.Horizon.Time())
}

// takeOver marks in the plan what is taken over from the last published run. A run that is damaged is no reason to fail: this one
// then starts from nothing.
func (r *runner) takeOver(ctx context.Context, plan *planned) error {
	err := r.takeOverFrom(ctx, plan)
	if err != nil && publish.Damaged(err) {
		r.Log.Warn("the current run is not as it was published, so nothing is taken over from it", "error", err)
		for i := range plan.Datasets {
			plan.Datasets[i].Reuse = nil
		}
		return nil
	}
	return err
}

func (r *runner) takeOverFrom(ctx context.Context, plan *planned) (err error) {
	e, err := r.earlier(ctx, plan)
	if err != nil || e == nil {
		return err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	x := plan.lookup.Stored
	if e.index.HasRegistry() != x.HasRegistry() {
		return nil
	}
	accounts, contracts := filter.Changed(e.index, x, e.index.Policy().Horizon)
	files, taken := 0, 0
	for i := range plan.Datasets {
		c := &comparison{earlier: e, plan: plan, d: &plan.Datasets[i], workers: r.options.Workers}
		result, footprints, err := c.dataset(ctx, accounts, contracts)
		if err != nil {
			return err
		}
		files += len(c.d.Files)
		if result == nil {
			continue
		}
		if err := r.keepTaken(ctx, plan, i, footprints); err != nil {
			return err
		}
		c.d.Reuse = &Reuse{Run: e.RunID, Result: *result}
		taken += len(result.Files)
	}
	r.Log.Info("taken over from the current run", "run", e.RunID, "files", taken, "of", files, "accounts_changed", len(accounts), "contracts_changed", len(contracts))
	return nil
}

// reusedFrom says of each file that is taken over from which run.
func (p *Plan) reusedFrom() map[string]string {
	from := map[string]string{}
	for i := range p.Datasets {
		if reuse := p.Datasets[i].Reuse; reuse != nil {
			for j := range reuse.Result.Files {
				from[reuse.Result.Files[j].Output] = reuse.Run
			}
		}
	}
	return from
}

// comparison compares a data set with what it was in an earlier run.
type comparison struct {
	*earlier
	plan    *planned
	d       *Dataset
	workers int
}

// earlierFile is a file of the earlier run.
type earlierFile struct {
	inputFile
	facts *manifests.FileFacts
}

// dataset finds the files of the data set that are the same, and returns what is known of them; nil where there are none.
// accounts and contracts are those that have another state.
func (c *comparison) dataset(ctx context.Context, accounts, contracts []filter.Ref) (*DatasetResult, *manifests.Footprints, error) {
	was, all := c.footprints[c.d.Name], c.earlierFiles()
	inputs := inputsOf(c.plan.Inputs, c.d.Name)
	touched := contractFiles(was, contracts)
	var same []int
	unchanged := 0 // files that lie there as they did
	for i, f := range c.d.Files {
		old, ok := all[f.Rel]
		if !ok || !sameInput(old.input, inputs[i]) || old.RowsIn != f.Rows {
			continue
		}
		unchanged++
		if old.facts.Last < c.index.Policy().Horizon && !touched[f.Rel] && !(old.facts.NoContracts && c.plan.lookup.Restricted() > 0) {
			same = append(same, i)
		}
	}
	same, err := c.withoutAccounts(ctx, same, all, namedOf(was, accounts))
	if err != nil || len(same) == 0 {
		return nil, nil, err
	}
	result := &DatasetResult{Tally: newTally(c.plan.lookup.Policy(), len(c.d.Roles()))}
	for _, i := range same {
		old := all[c.d.Files[i].Rel]
		if err := result.Tally.addFacts(old.facts); err != nil {
			return nil, nil, c.Fault(manifests.FootprintsPath(c.d.Name), err)
		}
		result.Files = append(result.Files, *old.File)
		for _, key := range old.facts.LeftOut {
			result.leaveOut(key, old.Source)
		}
	}
	left := ofFiles(was, result.Files)
	if unchanged < len(all) { // what only files that are gone or changed name is named no more
		if left.Accounts, err = c.accountsOf(ctx, same, all, was); err != nil {
			return nil, nil, err
		}
		left.Contracts = contractsOf(left)
	}
	c.join(result, left)
	return result, left, nil
}

// earlierFiles returns the data set's files in the earlier run, by source.
func (c *comparison) earlierFiles() map[string]earlierFile {
	all := map[string]earlierFile{}
	was := c.footprints[c.d.Name]
	if was == nil {
		return all
	}
	for source, f := range filesOf(c.Run.Run, c.d.Name) {
		at, found := slices.BinarySearchFunc(was.Files, source, func(f manifests.FileFacts, source string) int { return strings.Compare(f.Source, source) })
		if found && f.input != nil {
			all[source] = earlierFile{f, &was.Files[at]}
		}
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

// contractFiles returns the files that name one of some contracts.
func contractFiles(was *manifests.Footprints, contracts []filter.Ref) map[string]bool {
	files := map[string]bool{}
	if was == nil {
		return files
	}
	for _, ref := range contracts {
		key := ref.Key()
		at, _ := slices.BinarySearchFunc(was.Pairs, key, func(p manifests.ContractFile, key uint64) int {
			if p.Key < key {
				return -1
			}
			return 1
		})
		for ; at < len(was.Pairs) && was.Pairs[at].Key == key; at++ {
			files[was.Files[was.Pairs[at].File].Source] = true
		}
	}
	return files
}

// namedOf returns those of some accounts that the data set names.
func namedOf(was *manifests.Footprints, accounts []filter.Ref) (named []manifests.Ref) {
	for _, ref := range accounts {
		if was == nil {
			break
		}
		if _, found := manifests.FindNamed(was.Accounts, ref.Key()); found {
			named = append(named, manifests.Ref(ref))
		}
	}
	return named
}

// withoutAccounts returns those of some files that name none of the accounts, by their subject indexes.
func (c *comparison) withoutAccounts(ctx context.Context, files []int, all map[string]earlierFile, accounts []manifests.Ref) ([]int, error) {
	if len(accounts) == 0 {
		return files, nil
	}
	names := make([]bool, len(files))
	err := c.eachIndex(ctx, files, all, func(i int, x *manifests.SubjectIndex) (err error) {
		names[i], err = x.NamesAny(accounts)
		return err
	})
	var left []int
	for i, f := range files {
		if !names[i] {
			left = append(left, f)
		}
	}
	return left, err
}

// eachIndex opens the subject indexes of some files, several at a time.
func (c *comparison) eachIndex(ctx context.Context, files []int, all map[string]earlierFile, do func(i int, x *manifests.SubjectIndex) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(max(4, c.workers))
	for i, f := range files {
		old := all[c.d.Files[f].Rel]
		g.Go(func() error {
			x, err := holdings.OpenIndex(ctx, c.Run, c.d.Name, old.File, publish.DigestNone)
			if err != nil {
				return err
			}
			defer x.Close()
			if err := do(i, x.SubjectIndex); err != nil {
				return c.Fault(old.Subjects, err)
			}
			return nil
		})
	}
	return g.Wait()
}

// accountsOf returns the accounts that some files name, by their subject indexes.
func (c *comparison) accountsOf(ctx context.Context, files []int, all map[string]earlierFile, was *manifests.Footprints) ([]manifests.Named, error) {
	var mu sync.Mutex
	roles := make([]uint16, len(was.Accounts))
	err := c.eachIndex(ctx, files, all, func(_ int, x *manifests.SubjectIndex) error {
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

// ofFiles returns footprints without the facts of other files than these.
func ofFiles(f *manifests.Footprints, files []manifests.File) *manifests.Footprints {
	kept := map[string]bool{}
	for i := range files {
		kept[files[i].Source] = true
	}
	out := &manifests.Footprints{Accounts: f.Accounts, Contracts: f.Contracts}
	number := make([]int, len(f.Files))
	for i, facts := range f.Files {
		if number[i] = -1; kept[facts.Source] {
			number[i] = len(out.Files)
			out.Files = append(out.Files, facts)
		}
	}
	for _, p := range f.Pairs {
		if n := number[p.File]; n >= 0 {
			out.Pairs = append(out.Pairs, manifests.ContractFile{Key: p.Key, File: uint32(n)})
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
