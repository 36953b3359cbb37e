package manifests

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"

	"assent/job/parquet"
	"assent/job/parquet/table"
	"assent/schema"
)

// Columns of footprints. What a row says depends on its kind; see write and read for each.
const (
	leafFootprintKind = iota
	leafFootprintKey
	leafFootprintRoles
	leafFootprintForm
	leafFootprintMark
	numFootprintLeaves
)

// Kinds of rows, in their order. Those from kindFile to kindRedaction are the facts: a file's, then of each of its blocks.
const (
	kindFile          = iota // key: place among the sources; roles: NoContracts
	kindBlock                // key, roles: row groups; form: Last; mark: rows
	kindPages                // key, roles, form: copied, filtered, dropped
	kindGroups               // key, roles, form: row groups of the outputs
	kindDay                  // key: day; roles: reason, or NumReasons of kept ones; form: rows
	kindCause                // key: reason; roles; form: rows
	kindTransform            // key: place among the transforms; form: values
	kindRedaction            // key: place among the kinds of the redaction; form: how many
	kindAccount              // as in Named
	kindContract             // as in Named
	kindContractBlock        // key: place among the contracts; roles: block
	numKinds
)

const (
	footprintsSchema = "footprints/2"
	keyTexts         = "assent.texts"
)

// footprintTexts are what rows name by places.
type footprintTexts struct {
	Sources    []string            `json:"sources"`
	LeftOut    map[string][]string `json:"left_out,omitempty"` // by source
	Transforms []Transform         `json:"transforms,omitempty"`
	Redactions []string            `json:"redactions,omitempty"`
}

func footprintColumns() *table.Schema {
	column := func(name string, uncompressed bool) table.Field {
		return table.Field{Name: name, Type: table.Int64, Encoding: parquet.DeltaBinaryPacked, Uncompressed: uncompressed}
	}
	// Keys and forms are random bits.
	return table.NewSchema(column("kind", false), column("key", true), column("roles", false), column("form", true), column("mark", false))
}

// place returns the place of a text in a list, to which it is added where it is not there.
func place[T any](all *[]T, x T, same func(a, b T) bool) int64 {
	for i := range *all {
		if same((*all)[i], x) {
			return int64(i)
		}
	}
	*all = append(*all, x)
	return int64(len(*all) - 1)
}

// Write writes the footprints, which are in order.
func (f *Footprints) Write(w io.Writer, meta Meta) error {
	out, texts := newIntWriter(w, footprintColumns()), footprintTexts{Sources: []string{}}
	for i := range f.Files {
		of := &f.Files[i]
		texts.Sources = append(texts.Sources, of.Source)
		if len(of.LeftOut) > 0 {
			if texts.LeftOut == nil {
				texts.LeftOut = map[string][]string{}
			}
			texts.LeftOut[of.Source] = of.LeftOut
		}
		noContracts := int64(0)
		if of.NoContracts {
			noContracts = 1
		}
		out.row(kindFile, int64(i), noContracts, 0, 0)
		for j := range of.Blocks {
			of.Blocks[j].write(out, &texts)
		}
	}
	out.room(len(f.Accounts) + len(f.Contracts) + len(f.Pairs))
	for i := range f.Accounts {
		f.Accounts[i].write(out, kindAccount)
	}
	for i := range f.Contracts {
		f.Contracts[i].write(out, kindContract)
	}
	at := 0
	for _, p := range f.Pairs {
		for f.Contracts[at].Key != p.Key {
			at++
		}
		out.row(kindContractBlock, int64(at), int64(p.Block), 0, 0)
	}
	data, err := json.Marshal(&texts)
	if err != nil {
		return fmt.Errorf("footprints: %w", err)
	}
	text := string(data)
	return out.finish(append(meta.keyValues(footprintsSchema), parquet.KeyValue{Key: keyTexts, Value: &text}))
}

func (n *Named) write(out *intWriter, kind int64) {
	out.row(kind, int64(n.Key), int64(n.Roles), int64(n.Form), int64(n.Mark))
}

func (b *BlockFacts) write(out *intWriter, texts *footprintTexts) {
	out.row(kindBlock, int64(b.From), int64(b.To), int64(b.Last), b.Rows)
	out.row(kindPages, b.Pages.Copied, b.Pages.Filtered, b.Pages.Dropped, 0)
	out.row(kindGroups, int64(b.Groups[0]), int64(b.Groups[1]), int64(b.Groups[2]), 0)
	for _, d := range b.Days {
		out.row(kindDay, int64(d.Day), int64(d.Reason), d.Rows, 0)
	}
	for _, c := range b.Causes {
		out.row(kindCause, int64(c.Reason), int64(c.Roles), c.Rows, 0)
	}
	for _, t := range b.Transforms {
		values, redactions := t.Values, t.Redactions
		t.Values, t.Redactions = 0, nil
		at := place(&texts.Transforms, t, func(a, b Transform) bool { return a.Column == b.Column && a.Action == b.Action && a.To == b.To })
		out.row(kindTransform, at, 0, values, 0)
		for _, kind := range slices.Sorted(maps.Keys(redactions)) {
			out.row(kindRedaction, place(&texts.Redactions, kind, func(a, b string) bool { return a == b }), 0, redactions[kind], 0)
		}
	}
}

// ReadFootprints reads footprints of size bytes. Errors that wrap ErrManifest come of its bytes, all others of r.
func ReadFootprints(r io.ReaderAt, size int64) (*Footprints, Meta, error) {
	file, err := openTable(r, size, "footprints", footprintColumns(), footprintsSchema)
	if err != nil {
		return nil, Meta{}, err
	}
	meta := metaOf(file)
	in := &footprintReader{f: new(Footprints), left: file.NumRows()}
	text, _ := file.KeyValue(keyTexts)
	if err := json.Unmarshal([]byte(text), &in.texts); err != nil {
		return nil, meta, fmt.Errorf("footprints: %w: %s: %w", ErrManifest, keyTexts, err)
	}
	if !slices.IsSorted(in.texts.Sources) {
		return nil, meta, fmt.Errorf("footprints: %w: its files are not in order", ErrManifest)
	}
	err = readInts(file, in.read)
	if err == nil && len(in.f.Files) != len(in.texts.Sources) {
		err = fmt.Errorf("footprints: %w: files are missing", ErrManifest)
	}
	return in.f, meta, err
}

type footprintReader struct {
	f      *Footprints
	texts  footprintTexts
	blocks int
	kind   int64 // of the row before
	left   int64 // rows, with the one that is read
}

// read takes a row. One that is not where it belongs would be searched for in vain.
func (in *footprintReader) read(row []int64) error {
	f, kind := in.f, row[leafFootprintKind]
	key, roles, form := row[leafFootprintKey], row[leafFootprintRoles], row[leafFootprintForm]
	ok := false
	switch {
	case kind < 0 || kind >= numKinds || kind < in.kind && in.kind > kindRedaction:
	case kind == kindFile:
		if ok = key == int64(len(f.Files)) && key < int64(len(in.texts.Sources)); ok {
			source := in.texts.Sources[key]
			f.Files = append(f.Files, FileFacts{Source: source, NoContracts: roles != 0, LeftOut: in.texts.LeftOut[source]})
		}
	case kind <= kindRedaction:
		ok = in.readFact(kind, row)
	case kind == kindContractBlock:
		if ok = place64(key, len(f.Contracts)) && place64(roles, in.blocks); ok {
			p := ContractBlock{f.Contracts[key].Key, uint32(roles)}
			ok = len(f.Pairs) == 0 || comparePairs(f.Pairs[len(f.Pairs)-1], p) < 0
			f.Pairs = append(f.Pairs, p)
		}
	default:
		n := Named{Key: uint64(key), Roles: uint16(roles), Form: uint64(form), Mark: uint32(row[leafFootprintMark])}
		all := &f.Accounts
		if kind == kindContract {
			all = &f.Contracts
		}
		if len(*all) == 0 {
			const most = 1 << 17 // to begin with
			*all = slices.Grow(*all, int(min(in.left, most)))
		}
		ok = len(*all) == 0 || compareNamed((*all)[len(*all)-1], n) < 0
		*all = append(*all, n)
	}
	in.left--
	if in.kind = kind; !ok {
		return fmt.Errorf("footprints: %w: a row is not what it should be, or not where", ErrManifest)
	}
	return nil
}

// place64 reports whether n is a place in a list of so many.
func place64(n int64, of int) bool { return n >= 0 && n < int64(of) }

// readFact takes a row of the last file or of its last block.
func (in *footprintReader) readFact(kind int64, row []int64) bool {
	if len(in.f.Files) == 0 {
		return false
	}
	of := &in.f.Files[len(in.f.Files)-1]
	key, roles, form := row[leafFootprintKey], row[leafFootprintRoles], row[leafFootprintForm]
	if kind == kindBlock {
		in.blocks++
		next := 0
		if n := len(of.Blocks); n > 0 {
			next = of.Blocks[n-1].To
		}
		of.Blocks = append(of.Blocks, BlockFacts{From: int(key), To: int(roles), Last: schema.Instant(form), Rows: row[leafFootprintMark]})
		return key >= int64(next) && key < roles && roles < 1<<31 && row[leafFootprintMark] >= 0
	}
	if len(of.Blocks) == 0 || key < 0 && kind != kindDay || roles < 0 || form < 0 {
		return false
	}
	b := &of.Blocks[len(of.Blocks)-1]
	switch kind {
	case kindPages:
		b.Pages = Pages{Copied: key, Filtered: roles, Dropped: form}
	case kindGroups:
		b.Groups = [3]int{int(key), int(roles), int(form)}
	case kindDay:
		return b.addDay(key, roles, form)
	case kindCause:
		b.Causes = append(b.Causes, CausedByBits{schema.Reason(key), uint16(roles), form})
		return key < schema.NumReasons && roles < 1<<MaxRoles
	case kindTransform:
		if !place64(key, len(in.texts.Transforms)) {
			return false
		}
		t := in.texts.Transforms[key]
		t.Values, t.Redactions = form, nil
		b.Transforms = append(b.Transforms, t)
	case kindRedaction:
		if len(b.Transforms) == 0 || !place64(key, len(in.texts.Redactions)) {
			return false
		}
		t := &b.Transforms[len(b.Transforms)-1]
		if t.Redactions == nil {
			t.Redactions = map[string]int64{}
		}
		t.Redactions[in.texts.Redactions[key]] = form
	}
	return true
}

// addDay adds a count of a day.
func (b *BlockFacts) addDay(day, reason, rows int64) bool {
	d := DayOutcome{schema.Day(day), schema.Reason(reason), rows}
	ok := int64(d.Day) == day && reason <= schema.NumReasons && rows > 0 && (len(b.Days) == 0 || d.follows(b.Days[len(b.Days)-1]))
	b.Days = append(b.Days, d)
	return ok
}
