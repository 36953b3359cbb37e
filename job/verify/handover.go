package verify

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"math"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"

	"assent/manifests"
	"assent/schema"
)

// handed says what the configuration makes of a file's columns before kept rows are handed over.
type handed struct {
	columns []handedColumn // by leaf of the input
	edited  bool           // the schema is not the input's
}

// handedColumn is what becomes of a column.
type handedColumn struct {
	leaf    *leaf
	out     int // its place in the data file; -1: it is left out
	action  manifests.Action
	name    string // as the configuration has it
	grain   schema.Grain
	text    bool                                // it is of another type in the input, and text in the data file
	expect  func(v parquet.Value) parquet.Value // what a value becomes that is not null; nil: it stays
	details []string                            // kinds of contact detail that are replaced
	found   map[string]int64                    // those that stand in the texts by their kinds
	blurred bool                                // some texts had such names of kinds before
	changed int64                               // values seen
}

// handover works out what becomes of the columns of an input.
func (a *fileAudit) handover(in *parquetFile) (*handed, error) {
	x := &handed{}
	rules := &a.d.Handover
	for i := range in.leaves {
		x.columns = append(x.columns, handedColumn{leaf: &in.leaves[i]})
	}
	for _, name := range slices.Concat(rules.Drop, rules.Keep) {
		for _, i := range in.below(name) {
			x.columns[i].name = name
		}
	}
	place := 0
	for i := range x.columns {
		c := &x.columns[i]
		named := c.name != ""
		if len(rules.Drop) > 0 && named || len(rules.Keep) > 0 && !named {
			c.out, c.action, x.edited = -1, manifests.Dropped, true
			if !named {
				c.name = c.leaf.short
			}
			continue
		}
		c.out, c.name = place, ""
		place++
	}
	for _, name := range rules.Pseudonymise {
		if i, n := in.find(name); n == 1 && !in.leaves[i].isNull() {
			c := &x.columns[i]
			c.action, c.name, c.expect = manifests.Pseudonymised, name, a.pseudonym(c.leaf)
			_, isText := c.leaf.element.LogicalType.Value.(*format.StringType)
			old := c.leaf.element.ConvertedType
			c.text = !isText && !(c.leaf.element.LogicalType.Value == nil && old.Valid && old.V == deprecated.UTF8)
			x.edited = x.edited || c.text
		}
	}
	for name, kinds := range rules.Redact {
		if i, n := in.find(name); n == 1 && !in.leaves[i].isNull() {
			c := &x.columns[i]
			c.action, c.name, c.found = manifests.Redacted, name, map[string]int64{}
			for _, kind := range kinds {
				c.details = append(c.details, string(kind))
			}
		}
	}
	for name, grain := range rules.Coarsen {
		if i, n := in.find(name); n == 1 && !in.leaves[i].isNull() {
			c := &x.columns[i]
			c.action, c.name, c.grain, c.expect = manifests.Coarsened, name, grain, coarse(c.leaf, grain, a.d.unitOf(name))
		}
	}
	for i := range x.columns {
		if c := &x.columns[i]; c.out < 0 && (c.expect != nil || c.details != nil) {
			return nil, fmt.Errorf("column %s is both left out and changed", c.leaf.path)
		}
	}
	return x, nil
}

// any reports whether anything is left out or changed.
func (x *handed) any() bool {
	return slices.ContainsFunc(x.columns, func(c handedColumn) bool { return c.action != "" })
}

// below returns the leaves at or below a dotted path.
func (f *parquetFile) below(name string) (found []int) {
	for _, path := range []func(l *leaf) string{func(l *leaf) string { return l.path }, func(l *leaf) string { return l.short }} {
		for i := range f.leaves {
			if p := path(&f.leaves[i]); p == name || strings.HasPrefix(p, name+".") {
				found = append(found, i)
			}
		}
		if found != nil {
			return found
		}
	}
	return nil
}

// unitOf is the unit of a moment's plain integers.
func (d *dataset) unitOf(column string) schema.Unit {
	for _, m := range d.Moments {
		if m.Column == column {
			return m.Unit
		}
	}
	return ""
}

// pseudonym returns what makes pseudonyms of a column's ids.
func (a *fileAudit) pseudonym(l *leaf) func(v parquet.Value) parquet.Value {
	known := map[string]string{}
	return func(v parquet.Value) parquet.Value {
		id := key{v, l, ""}.text()
		p, ok := known[id]
		if !ok {
			mac := hmac.New(sha256.New, a.pseudonyms[:])
			mac.Write([]byte("pseudonym:" + id))
			if p = hex.EncodeToString(mac.Sum(nil))[:32]; len(known) < 1<<16 {
				known[id] = p
			}
		}
		return parquet.ByteArrayValue([]byte(p))
	}
}

// coarse returns what cuts a column's instants.
func coarse(l *leaf, grain schema.Grain, unit schema.Unit) func(v parquet.Value) parquet.Value {
	if l.kind() == parquet.Int96 {
		return func(v parquet.Value) parquet.Value { return coarseInt96(v, grain) }
	}
	perDay := unitsOfDay(l, unit)
	least, most := big.NewInt(math.MinInt64), new(big.Int).SetUint64(math.MaxUint64)
	if l.kind() == parquet.Int32 {
		least = big.NewInt(math.MinInt32)
	}
	return func(v parquet.Value) parquet.Value {
		n := new(big.Int)
		switch signed := !l.isUnsigned(); {
		case l.kind() == parquet.Int32 && signed:
			n.SetInt64(int64(v.Int32()))
		case l.kind() == parquet.Int32:
			n.SetUint64(uint64(v.Uint32()))
		case signed:
			n.SetInt64(v.Int64())
		default:
			n.SetUint64(v.Uint64())
		}
		if !n.IsInt64() { // beyond every calendar
			return parquet.Int64Value(int64(most.Uint64()))
		}
		cut := firstOf(n, perDay, grain)
		if cut.Cmp(least) < 0 && !l.isUnsigned() {
			cut = least
		}
		if l.kind() == parquet.Int32 {
			return parquet.Int32Value(int32(cut.Int64()))
		}
		return parquet.Int64Value(cut.Int64())
	}
}

// unitsOfDay is how many of a column's units make a day.
func unitsOfDay(l *leaf, unit schema.Unit) int64 {
	const day = 86_400
	if _, date := l.element.LogicalType.Value.(*format.DateType); date || l.element.LogicalType.Value == nil && l.element.ConvertedType.Valid && l.element.ConvertedType.V == deprecated.Date {
		return 1
	}
	if l.isInteger() {
		return map[schema.Unit]int64{schema.Seconds: day, schema.Milliseconds: day * 1e3, schema.Microseconds: day * 1e6, schema.Nanoseconds: day * 1e9}[unit]
	}
	// Instants of the column's own unit: a second of it tells which that is.
	for perSecond := int64(1e3); perSecond <= 1e9; perSecond *= 1e3 {
		if (key{parquet.Int64Value(perSecond), l, ""}).instant() == schema.FromSeconds(1) {
			return day * perSecond
		}
	}
	return 1
}

// firstOf returns the first instant of the grain that n is in.
func firstOf(n *big.Int, perDay int64, grain schema.Grain) *big.Int {
	units := big.NewInt(perDay)
	if grain == schema.Hour && perDay > 1 {
		units = big.NewInt(perDay / 24)
	}
	count := new(big.Int).Div(n, units) // Euclidean: it rounds down
	if grain == schema.Month {
		count.SetInt64(monthOf(count.Int64()))
	}
	return count.Mul(count, units)
}

// monthOf returns the first day of the month that a day since 1970 is in.
func monthOf(day int64) int64 {
	const cycle = 146_097 // days after which the calendar repeats itself
	cycles := day / cycle
	if day%cycle < 0 {
		cycles--
	}
	t := time.Unix((day-cycles*cycle)*86_400, 0).UTC()
	return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC).Unix()/86_400 + cycles*cycle
}

// coarseInt96 cuts the nanoseconds of a day and a Julian day.
func coarseInt96(v parquet.Value, grain schema.Grain) parquet.Value {
	const julian, day = 2_440_588, 86_400_000_000_000
	b := v.Bytes()
	n := new(big.Int).Mul(big.NewInt(int64(int32(binary.LittleEndian.Uint32(b[8:])))-julian), big.NewInt(day))
	n.Add(n, big.NewInt(int64(binary.LittleEndian.Uint64(b))))
	days, nanos := new(big.Int).DivMod(firstOf(n, day, grain), big.NewInt(day), new(big.Int))
	at := max(math.MinInt32, min(days.Int64()+julian, math.MaxInt32))
	return parquet.Int96Value(deprecated.Int96{uint32(nanos.Uint64()), uint32(nanos.Uint64() >> 32), uint32(int32(at))})
}

// compareTransforms compares what the run manifest says of a file's columns with what was found.
func (c *comparison) compareTransforms() {
	want, blurred := map[string]manifests.Transform{}, map[string]bool{}
	for i := range c.handed.columns {
		x := &c.handed.columns[i]
		if x.action != "" {
			want[string(x.action)+" "+x.name] = manifests.Transform{Column: x.name, Action: x.action, To: string(x.grain), Values: x.changed, Redactions: x.found}
			blurred[string(x.action)+" "+x.name] = x.blurred
		}
	}
	for _, t := range c.m.Transforms {
		name := string(t.Action) + " " + t.Column
		w, ok := want[name]
		if !ok || w.To != t.To || !c.partial && w.Values != t.Values {
			c.found.of(c.m.Output, "the run manifest says that %d values of column %s are %s %s: it is not so", t.Values, t.Column, t.Action, t.To)
		}
		if ok && !c.partial && !blurred[name] && !maps.Equal(w.Redactions, t.Redactions) {
			c.found.of(c.m.Output, "the run manifest says that in column %s %v were replaced; %v are", t.Column, t.Redactions, w.Redactions)
		}
		delete(want, name)
	}
	for _, w := range want {
		c.found.of(c.m.Output, "the run manifest does not say that column %s is %s", w.Column, w.Action)
	}
}

// Fields of the footer's structs.
const (
	elementType       = 1 // of SchemaElement
	elementRepetition = 3
	elementName       = 4
	elementChildren   = 5
	elementConverted  = 6
	elementFieldID    = 9
	elementLogical    = 10
	groupSorting      = 4  // of RowGroup
	metaStatistics    = 12 // of ColumnMetaData
)

// compareSchema compares the schemas' elements where columns are left out or become text: all else is as it was.
func (c *comparison) compareSchema() error {
	in, err := structsOf(c.in.footer, fileSchema)
	if err != nil {
		return err
	}
	out, err := structsOf(c.out.footer, fileSchema)
	if err != nil {
		return err
	}
	var want [][]field
	leaf := 0
	var walk func(at int) (next int, there bool)
	walk = func(at int) (int, bool) {
		e, place, first := in[at], len(want), leaf
		children := c.in.file.Metadata().Schema[at].NumChildren.V
		want = append(want, e)
		if at++; find(e, elementType) != nil && place > 0 {
			x := &c.handed.columns[leaf]
			leaf++
			if x.out < 0 {
				want = want[:place]
			} else if x.text {
				want[place] = asText(e)
			}
			return at, x.out >= 0
		}
		stay := 0
		for range children {
			var there bool
			if at, there = walk(at); there {
				stay++
			}
		}
		if stay == 0 && leaf > first {
			want = want[:place]
			return at, place == 0
		}
		want[place] = withNumber(e, elementChildren, int64(stay))
		return at, true
	}
	walk(0)
	if !slices.EqualFunc(want, out, sameFields) {
		c.found.of(c.m.Output, "the schema is not the input's without the columns that are left out")
	}
	return nil
}

func sameFields(a, b []field) bool {
	return slices.EqualFunc(a, b, func(x, y field) bool { return x.id == y.id && x.kind == y.kind && bytes.Equal(x.value, y.value) })
}

// asText is an element that has become text.
func asText(e []field) (out []field) {
	out = append(out, field{elementType, kindInt32, binary.AppendVarint(nil, int64(format.ByteArray))})
	for _, f := range e {
		if f.id == elementRepetition || f.id == elementName {
			out = append(out, f)
		}
	}
	out = append(out, field{elementConverted, kindInt32, binary.AppendVarint(nil, int64(deprecated.UTF8))})
	for _, f := range e {
		if f.id == elementFieldID {
			out = append(out, f)
		}
	}
	return append(out, field{elementLogical, kindStruct, []byte{1<<4 | kindStruct, 0, 0}})
}

func withNumber(e []field, id int16, n int64) []field {
	e = slices.Clone(e)
	for i := range e {
		if e[i].id == id {
			e[i].value = binary.AppendVarint(nil, n)
		}
	}
	return e
}

// checkFooter looks for what should not be left in the footer: names of columns that are left out, and orders that do not hold any
// more.
func (c *comparison) checkFooter() error {
	bare, err := without(c.out.footer, fileRowGroups, groupColumns, chunkMetaData, metaStatistics)
	if err != nil {
		return err
	}
	fields, _, err := fieldsOf(bare)
	if err != nil {
		return err
	}
	if bare, err = without(fields, fileKeyValues); err != nil { // they are looked into one by one
		return err
	}
	for _, name := range c.handed.leftOutNames() {
		const least = 4 // a shorter name may stand for numbers
		if len(name) >= least && bytes.Contains(bare, append(binary.AppendUvarint(nil, uint64(len(name))), name...)) {
			c.found.of(c.m.Output, "the footer names a column that is left out")
		}
	}
	return c.checkSorting()
}

// checkSorting checks that row groups say to be sorted only by columns by which the input's were, before any that was changed.
func (c *comparison) checkSorting() error {
	var in [][]format.SortingColumn
	for _, g := range c.in.groups() {
		in = append(in, g.SortingColumns)
	}
	for _, g := range c.out.groups() {
		sorted := slices.ContainsFunc(in, func(all []format.SortingColumn) bool {
			for i, s := range g.SortingColumns {
				if i >= len(all) || int(all[i].ColumnIdx) >= len(c.handed.columns) {
					return false
				}
				x := &c.handed.columns[all[i].ColumnIdx]
				if x.out < 0 || x.changes() || int32(x.out) != s.ColumnIdx {
					return false
				}
			}
			return true
		})
		if len(g.SortingColumns) > 0 && !sorted {
			c.found.of(c.m.Output, "a row group says to be sorted by a column that is left out or changed")
		}
	}
	return nil
}

// leftOutNames are the names in the paths of columns that are left out and of no other.
func (x *handed) leftOutNames() (names []string) {
	var stay []string
	for i := range x.columns {
		parts := strings.Split(x.columns[i].leaf.path, ".")
		if x.columns[i].out < 0 {
			names = append(names, parts...)
		} else {
			stay = append(stay, parts...)
		}
	}
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(n string) bool { return n == "" || slices.Contains(stay, n) })
}
