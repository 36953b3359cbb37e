package manifests

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"assent/job/parquet"
	"assent/job/parquet/table"
	"assent/schema"
)

// Footprints are what the files of a data set leave behind for a later run: which accounts and contracts they name, and
// of each file its latest moment and the counts that stand in no other manifest. By them the later run sees which files
// a change touches, and counts what joins, without reading a file again. They hold no id.
type Footprints struct {
	Files     []FileFacts // by source, each once
	Accounts  []Named     // sorted, see SortNamed
	Contracts []Named     // sorted
	Pairs     []ContractFile
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

// ContractFile says that a file names a contract.
type ContractFile struct {
	Key  uint64 // of the contract
	File uint32 // place in Footprints.Files
}

// FileFacts are a file's latest moment and counts.
type FileFacts struct {
	Source string `json:"source"` // below the data set's root
	// Last is the latest of all moments of all records, kept or not, in nanoseconds; schema.Unknown where there is none.
	Last schema.Instant `json:"last"`
	// NoContracts says that contracts were not looked at, since none was restricted.
	NoContracts bool           `json:"no_contracts,omitempty"`
	Days        []DayCounts    `json:"days,omitempty"` // without the data set's name
	Causes      []CausedByBits `json:"causes,omitempty"`
	LeftOut     []string       `json:"left_out,omitempty"` // keys of the file's metadata
}

// CausedByBits counts excluded records by primary reason and by the roles, as bits, of the accounts that are its cause.
type CausedByBits struct {
	Reason string `json:"reason"`
	Roles  uint16 `json:"roles"`
	Rows   int64  `json:"rows"`
}

// FootprintsPath is where a run has the footprints of a data set.
func FootprintsPath(dataset string) string { return "_manifest/footprints/" + dataset + ".parquet" }

// Columns of footprints. A row is an account, a contract, or a contract's file: there the key is the contract's place and
// the roles are the file's.
const (
	leafNamedKind = iota
	leafNamedKey
	leafNamedRoles
	leafNamedForm
	leafNamedMark
	numNamedLeaves
)

const (
	kindAccount = iota
	kindContract
	kindContractFile
)

const (
	footprintsSchema = "footprints/1"
	keyFiles         = "assent.files"
)

func footprintColumns() *table.Schema {
	column := func(name string, uncompressed bool) table.Field {
		return table.Field{Name: name, Type: table.Int64, Encoding: parquet.DeltaBinaryPacked, Uncompressed: uncompressed}
	}
	// Keys and forms are random bits.
	return table.NewSchema(column("kind", false), column("key", true), column("roles", false), column("form", true), column("mark", false))
}

func compareNamed(a, b Named) int {
	return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Form, b.Form), cmp.Compare(a.Mark, b.Mark))
}

// SortNamed sorts names by key and makes one of those of one key. Where two of a key have different forms, which means
// that two ids share the key, both stay.
func SortNamed(all []Named) []Named {
	slices.SortFunc(all, compareNamed)
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

// FindNamed returns the place of the first of sorted names that has a key.
func FindNamed(sorted []Named, key uint64) (at int, found bool) {
	return slices.BinarySearchFunc(sorted, key, func(n Named, key uint64) int { return cmp.Compare(n.Key, key) })
}

// Sort puts everything in order, each once. Facts of pieces of one file become one.
func (f *Footprints) Sort() {
	f.Accounts, f.Contracts = SortNamed(f.Accounts), SortNamed(f.Contracts)
	places := make([]int, len(f.Files))
	for i := range places {
		places[i] = i
	}
	slices.SortStableFunc(places, func(a, b int) int { return cmp.Compare(f.Files[a].Source, f.Files[b].Source) })
	number, files := make([]uint32, len(places)), make([]FileFacts, 0, len(places))
	for _, from := range places {
		if last := len(files) - 1; last >= 0 && files[last].Source == f.Files[from].Source {
			files[last].add(&f.Files[from])
		} else {
			files = append(files, f.Files[from])
		}
		number[from] = uint32(len(files) - 1)
	}
	f.Files = files
	for i := range f.Pairs {
		f.Pairs[i].File = number[f.Pairs[i].File]
	}
	slices.SortFunc(f.Pairs, func(a, b ContractFile) int { return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.File, b.File)) })
	f.Pairs = slices.Compact(f.Pairs)
}

// add adds the facts of another piece of the file.
func (f *FileFacts) add(other *FileFacts) {
	f.Last, f.NoContracts = max(f.Last, other.Last), f.NoContracts || other.NoContracts
	f.Days = slices.Concat(f.Days, other.Days)
	slices.SortStableFunc(f.Days, func(a, b DayCounts) int { return cmp.Compare(a.Day, b.Day) })
	days := f.Days[:0]
	for _, d := range f.Days {
		if last := len(days) - 1; last >= 0 && days[last].Day == d.Day {
			days[last].Kept += d.Kept
			days[last].Excluded.Add(&d.Excluded)
			continue
		}
		days = append(days, d)
	}
	f.Days = days
	f.Causes = slices.Clone(f.Causes)
	for _, c := range other.Causes {
		at := slices.IndexFunc(f.Causes, func(x CausedByBits) bool { return x.Reason == c.Reason && x.Roles == c.Roles })
		if at < 0 {
			f.Causes = append(f.Causes, c)
			continue
		}
		f.Causes[at].Rows += c.Rows
	}
	slices.SortFunc(f.Causes, func(a, b CausedByBits) int {
		return cmp.Or(cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Roles, b.Roles))
	})
	f.LeftOut = slices.Concat(f.LeftOut, other.LeftOut)
	slices.Sort(f.LeftOut)
	f.LeftOut = slices.Compact(f.LeftOut)
}

// Add adds the footprints of other files. The order is the caller's to make again.
func (f *Footprints) Add(other *Footprints) {
	first := uint32(len(f.Files))
	f.Files = append(f.Files, other.Files...)
	f.Accounts = append(f.Accounts, other.Accounts...)
	f.Contracts = append(f.Contracts, other.Contracts...)
	for _, p := range other.Pairs {
		f.Pairs = append(f.Pairs, ContractFile{p.Key, first + p.File})
	}
}

// Write writes the footprints, which are in order.
func (f *Footprints) Write(w io.Writer, meta Meta) error {
	files, err := json.Marshal(f.Files)
	if err != nil {
		return fmt.Errorf("footprints: %w", err)
	}
	text := string(files)
	out := newIntWriter(w, footprintColumns())
	for kind, all := range [][]Named{kindAccount: f.Accounts, kindContract: f.Contracts} {
		for i := range all {
			n := &all[i]
			out.row(int64(kind), int64(n.Key), int64(n.Roles), int64(n.Form), int64(n.Mark))
		}
	}
	at := 0
	for _, p := range f.Pairs {
		for f.Contracts[at].Key != p.Key {
			at++
		}
		out.row(kindContractFile, int64(at), int64(p.File), 0, 0)
	}
	return out.finish(append(meta.keyValues(footprintsSchema), parquet.KeyValue{Key: keyFiles, Value: &text}))
}

// ReadFootprints reads footprints of size bytes. Errors that wrap ErrManifest come of its bytes, all others of r.
func ReadFootprints(r io.ReaderAt, size int64) (*Footprints, Meta, error) {
	file, err := openTable(r, size, "footprints", footprintColumns(), footprintsSchema)
	if err != nil {
		return nil, Meta{}, err
	}
	meta := metaOf(file)
	f := new(Footprints)
	text, _ := file.KeyValue(keyFiles)
	if err := json.Unmarshal([]byte(text), &f.Files); err != nil {
		return nil, meta, fmt.Errorf("footprints: %w: %s: %w", ErrManifest, keyFiles, err)
	}
	if !slices.IsSortedFunc(f.Files, func(a, b FileFacts) int { return cmp.Compare(a.Source, b.Source) }) {
		return nil, meta, fmt.Errorf("footprints: %w: its files are not in order", ErrManifest)
	}
	err = readInts(file, numNamedLeaves, f.read)
	return f, meta, err
}

// read takes a row. One that is not where it belongs would be searched for in vain.
func (f *Footprints) read(row []int64) error {
	n := Named{
		Key: uint64(row[leafNamedKey]), Roles: uint16(row[leafNamedRoles]),
		Form: uint64(row[leafNamedForm]), Mark: uint32(row[leafNamedMark]),
	}
	inOrder := func(all []Named) bool { return len(all) == 0 || compareNamed(all[len(all)-1], n) < 0 }
	switch row[leafNamedKind] {
	case kindAccount:
		if inOrder(f.Accounts) && len(f.Contracts) == 0 && len(f.Pairs) == 0 {
			f.Accounts = append(f.Accounts, n)
			return nil
		}
	case kindContract:
		if inOrder(f.Contracts) && len(f.Pairs) == 0 {
			f.Contracts = append(f.Contracts, n)
			return nil
		}
	case kindContractFile:
		at, file := row[leafNamedKey], row[leafNamedRoles]
		if at < 0 || at >= int64(len(f.Contracts)) || file < 0 || file >= int64(len(f.Files)) {
			break
		}
		if p := (ContractFile{f.Contracts[at].Key, uint32(file)}); len(f.Pairs) == 0 || f.Pairs[len(f.Pairs)-1].Key <= p.Key {
			f.Pairs = append(f.Pairs, p)
			return nil
		}
	}
	return fmt.Errorf("footprints: %w: its names are not in order", ErrManifest)
}
