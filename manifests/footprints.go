package manifests

import (
	"cmp"
	"slices"

	"assent/schema"
)

// Footprints are what the files of a data set leave behind for a later run: which accounts and contracts they name, and
// of each block its latest moment and the counts that stand in no other manifest. By them the later run sees which blocks
// a change touches, and counts what joins, without reading a row again. They hold no id.
//
// A block is some row groups of an input file, side by side, at which its manifests begin a row group: what became of a block stands
// in row groups of the three outputs that are its alone, and so can be taken over alone.
type Footprints struct {
	Files     []FileFacts // by source, each once
	Accounts  []Named     // sorted, see SortNamed
	Contracts []Named     // sorted
	Pairs     []ContractBlock
}

// Named is an account or a contract that is named by some record.
type Named struct {
	// Key is made from the id under the subject key: the first eight bytes of the reference. Two ids may share one.
	Key   uint64
	Roles uint16 // under which it is named, as bits in the data set's order; 0 of a contract
	// The folded form of the id, by keyed hashes: see package source, near misses.
	Form uint64
	Mark uint32
}

// ContractBlock says that a block names a contract.
type ContractBlock struct {
	Key   uint64 // of the contract
	Block uint32 // place among the blocks of all files
}

// FileFacts are what a file's blocks have in common, and its blocks.
type FileFacts struct {
	Source string // below the data set's root
	// NoContracts says that contracts were not looked at, since none was restricted.
	NoContracts bool
	LeftOut     []string     // keys of the file's metadata
	Blocks      []BlockFacts // in order
}

// BlockFacts are a block's latest moment and counts.
type BlockFacts struct {
	From, To int // row groups of the input file: from one up to, and without, another
	Rows     int64
	// Last is the latest of all moments of all records, kept or not, in nanoseconds; schema.Unknown where there is none.
	Last   schema.Instant
	Days   []DayOutcome // in the order of [DayOutcome.follows]
	Causes []CausedByBits
	Pages  Pages
	// Transforms are the file's, with the block's counts.
	Transforms []Transform
	// Groups are how many row groups the block has in the data, the exclusion manifest and the subject index.
	Groups [3]int
}

// DayOutcome counts records of one day that had one outcome. Where many small files are of many days, these are most of what is held.
type DayOutcome struct {
	Day    schema.Day    // or one of those of [DayCounts]
	Reason schema.Reason // the primary one; schema.NumReasons of records that were kept
	Rows   int64
}

// follows reports whether d may stand behind another one: days ascend, and of a day the kept records come first.
func (d DayOutcome) follows(other DayOutcome) bool {
	rank := func(r schema.Reason) int { return (int(r) + 1) % (schema.NumReasons + 1) }
	return cmp.Or(cmp.Compare(other.Day, d.Day), cmp.Compare(rank(other.Reason), rank(d.Reason))) < 0
}

// CausedByBits counts excluded records by primary reason and by the roles, as bits, of the accounts that are its cause.
type CausedByBits struct {
	Reason schema.Reason
	Roles  uint16
	Rows   int64
}

// Last is the latest of all moments of the file's records.
func (f *FileFacts) Last() schema.Instant {
	last := schema.Unknown
	for i := range f.Blocks {
		last = max(last, f.Blocks[i].Last)
	}
	return last
}

// Outcome returns how many of the block's records were kept, and how many excluded for which reason.
func (b *BlockFacts) Outcome() (kept int64, excluded ReasonCounts) {
	for _, d := range b.Days {
		if d.Reason == schema.NumReasons {
			kept += d.Rows
		} else {
			excluded[d.Reason] += d.Rows
		}
	}
	return kept, excluded
}

// FootprintsPath is where a run has the footprints of a data set.
func FootprintsPath(dataset string) string { return "_manifest/footprints/" + dataset + ".parquet" }

func compareNamed(a, b Named) int {
	if a.Key != b.Key {
		return cmp.Compare(a.Key, b.Key)
	}
	return cmp.Or(cmp.Compare(a.Form, b.Form), cmp.Compare(a.Mark, b.Mark))
}

// SortNamed sorts names by key and makes one of those of one key. Where two of a key have different forms, which means
// that two ids share the key, both stay.
func SortNamed(all []Named) []Named {
	sortNamed(all)
	out := all[:0]
	for _, n := range all {
		if last := len(out) - 1; last >= 0 && compareNamed(out[last], n) == 0 {
			out[last].Roles |= n.Roles
			continue
		}
		out = append(out, n)
	}
	return out
}

// sortNamed sorts names. What is added to names that are sorted is sorted by itself and merged with them, where it is the smaller part.
func sortNamed(all []Named) {
	first := 1 // that is not sorted
	for first < len(all) && compareNamed(all[first-1], all[first]) <= 0 {
		first++
	}
	if first >= len(all) {
		return
	}
	if first < len(all)/2 {
		slices.SortFunc(all, compareNamed)
		return
	}
	more := slices.Clone(all[first:])
	slices.SortFunc(more, compareNamed)
	for at := len(all) - 1; len(more) > 0; at-- { // from the end, where there is room
		if last := len(more) - 1; first == 0 || compareNamed(all[first-1], more[last]) <= 0 {
			all[at], more = more[last], more[:last]
		} else {
			first--
			all[at] = all[first]
		}
	}
}

// FindNamed returns the place of the first of sorted names that has a key.
func FindNamed(sorted []Named, key uint64) (at int, found bool) {
	return slices.BinarySearchFunc(sorted, key, func(n Named, key uint64) int { return cmp.Compare(n.Key, key) })
}

func comparePairs(a, b ContractBlock) int {
	return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Block, b.Block))
}

// FindPairs returns the blocks that name a contract, of pairs that are sorted.
func FindPairs(sorted []ContractBlock, key uint64) []ContractBlock {
	from, _ := slices.BinarySearchFunc(sorted, ContractBlock{key, 0}, comparePairs)
	to := from
	for to < len(sorted) && sorted[to].Key == key {
		to++
	}
	return sorted[from:to]
}

// Sort puts everything in order, each once. Facts of parts of one file become one.
func (f *Footprints) Sort() {
	f.Accounts, f.Contracts = SortNamed(f.Accounts), SortNamed(f.Contracts)
	type place struct{ file, block, number int }
	var places []place
	for i := range f.Files {
		for j := range f.Files[i].Blocks {
			places = append(places, place{i, j, len(places)})
		}
	}
	block := func(p place) *BlockFacts { return &f.Files[p.file].Blocks[p.block] }
	slices.SortStableFunc(places, func(a, b place) int {
		return cmp.Or(cmp.Compare(f.Files[a.file].Source, f.Files[b.file].Source), cmp.Compare(block(a).From, block(b).From))
	})
	number := make([]uint32, len(places))
	blocks := map[string][]BlockFacts{}
	for n, p := range places {
		number[p.number] = uint32(n)
		source := f.Files[p.file].Source
		blocks[source] = append(blocks[source], *block(p))
	}
	slices.SortStableFunc(f.Files, func(a, b FileFacts) int { return cmp.Compare(a.Source, b.Source) })
	files := f.Files[:0]
	for _, of := range f.Files {
		if last := len(files) - 1; last >= 0 && files[last].Source == of.Source {
			files[last].add(&of)
			continue
		}
		of.Blocks = blocks[of.Source]
		files = append(files, of)
	}
	f.Files = files
	for i := range f.Pairs {
		f.Pairs[i].Block = number[f.Pairs[i].Block]
	}
	slices.SortFunc(f.Pairs, comparePairs)
	f.Pairs = slices.Compact(f.Pairs)
}

// add adds what another part of the file says of the whole.
func (f *FileFacts) add(other *FileFacts) {
	f.NoContracts = f.NoContracts || other.NoContracts
	f.LeftOut = slices.Concat(f.LeftOut, other.LeftOut)
	slices.Sort(f.LeftOut)
	f.LeftOut = slices.Compact(f.LeftOut)
}

// NumBlocks returns how many blocks the files have.
func (f *Footprints) NumBlocks() (n int) {
	for i := range f.Files {
		n += len(f.Files[i].Blocks)
	}
	return n
}

// About returns about how many bytes Write writes.
func (f *Footprints) About() int {
	return 22*(len(f.Accounts)+len(f.Contracts)) + 6*len(f.Pairs) + 100*f.NumBlocks() + 64<<10
}

// Add adds the footprints of other files. The order is the caller's to make again.
func (f *Footprints) Add(other *Footprints) {
	first := uint32(f.NumBlocks())
	f.Files = append(f.Files, other.Files...)
	f.Accounts = append(f.Accounts, other.Accounts...)
	f.Contracts = append(f.Contracts, other.Contracts...)
	for _, p := range other.Pairs {
		f.Pairs = append(f.Pairs, ContractBlock{p.Key, first + p.Block})
	}
}
