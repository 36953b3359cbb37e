package rewrite

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"golang.org/x/sync/semaphore"

	"assent/job/parquet"
	"assent/job/parquet/codec"
	"assent/job/parquet/encoding"
	"assent/job/parquet/thrift"
)

// A slot is an entry of the list column of a ragged file; the value counts where def is 3.
type slot struct {
	rep, def uint8
	value    string
}

// A raggedPage is a page as no writer at hand makes it: beginning and ending anywhere, of any encoding.
type raggedPage struct {
	encoding parquet.Encoding
	v2       bool
	slots    []slot
}

// raggedFile writes a file of one row group and one column, l.list.element, an optional list of optional strings.
func raggedFile(t testing.TB, createdBy string, pages []raggedPage) []byte {
	t.Helper()
	element := func(name string, more ...thrift.Field) []byte {
		s := thrift.Struct{thrift.BytesField(parquet.ElementName, []byte(name))}
		for _, f := range more {
			s.Set(f)
		}
		return s.Append(nil)
	}
	schema := bytes.Join([][]byte{
		element("root", thrift.Int32Field(parquet.ElementNumChildren, 1)),
		element("l", thrift.Int32Field(parquet.ElementRepetition, 1), thrift.Int32Field(parquet.ElementNumChildren, 1), thrift.Int32Field(parquet.ElementConverted, 3)),
		element("list", thrift.Int32Field(parquet.ElementRepetition, 2), thrift.Int32Field(parquet.ElementNumChildren, 1)),
		element("element", thrift.Int32Field(parquet.ElementRepetition, 1), thrift.Int32Field(parquet.ElementType, int32(parquet.ByteArray)), thrift.Int32Field(parquet.ElementConverted, 0)),
	}, nil)
	col := &parquet.Column{Path: []string{"l", "list", "element"}, Physical: parquet.ByteArray, MaxRep: 1, MaxDef: 3, ElementDef: 2, Order: parquet.OrderBytes}

	data := []byte(parquet.Magic)
	var wk worker
	var page parquet.EncodedPage
	dict := map[string]int32{}
	var entries encoding.Bytes
	for _, p := range pages {
		for _, s := range p.slots {
			if _, ok := dict[s.value]; !ok && s.def == 3 && p.encoding == parquet.RLEDictionary {
				dict[s.value] = int32(len(dict))
				entries.Data = append(entries.Data, s.value...)
				entries.Ends = append(entries.Ends, uint32(len(entries.Data)))
			}
		}
	}
	if len(dict) > 0 {
		raw := encoding.AppendByteArrays(nil, &entries)
		if err := page.Encode(&wk.codec, codec.Snappy, &parquet.PageHeader{Kind: parquet.DictionaryPage, Values: len(dict)}, raw); err != nil {
			t.Fatal(err)
		}
		data = append(append(data, page.Head...), page.Body...)
	}
	first := len(data)
	var rows, values int64
	var last string
	for _, p := range pages {
		d := &draft{form: form{v2: p.v2, encoding: p.encoding}, slots: len(p.slots)}
		for _, s := range p.slots {
			d.Reps, d.Defs = append(d.Reps, s.rep), append(d.Defs, s.def)
			if s.rep == 0 {
				d.rows++
			}
			if s.def != 3 {
				continue
			}
			d.count++
			d.indices = append(d.indices, dict[s.value])
			d.plain = binary.LittleEndian.AppendUint32(d.plain, uint32(len(s.value)))
			d.plain = append(d.plain, s.value...)
			d.bytes.Data = append(d.bytes.Data, s.value...)
			d.bytes.Ends = append(d.bytes.Ends, uint32(len(d.bytes.Data)))
		}
		rows += int64(d.rows)
		values += int64(d.slots)
		if err := wk.encode(&page, d, col, codec.Snappy, len(dict)); err != nil {
			t.Fatal(err)
		}
		if p.encoding == parquet.DeltaByteArray && createdBy != "" && len(d.bytes.Ends) > 0 {
			carryDelta(t, &wk, &page, d, col, last)
			last = string(d.bytes.At(d.bytes.Len() - 1))
		}
		switch {
		case createdBy == miscounter && p.v2:
			page.Header.Rows = page.Header.Values
			page.Head = page.Header.Append(nil)
		case createdBy == surplusWriter && p.encoding == parquet.DeltaLengthByteArray:
			surplusLengths(t, &wk, &page, d, col)
		}
		data = append(append(data, page.Head...), page.Body...)
	}
	meta := thrift.Struct{
		thrift.Int32Field(parquet.MetaType, int32(parquet.ByteArray)), thrift.Int32Field(parquet.MetaCodec, int32(codec.Snappy)), thrift.Int64Field(parquet.MetaNumValues, values),
		thrift.Int64Field(parquet.MetaTotalCompressedSize, int64(len(data)-4)), thrift.Int64Field(parquet.MetaDataPageOffset, int64(first)),
		thrift.Int64Field(parquet.MetaTotalUncompressedSize, 1),
	}
	if len(dict) > 0 {
		meta = append(meta, thrift.Int64Field(parquet.MetaDictionaryPageOffset, 4))
	}
	chunk := thrift.Struct{thrift.StructField(parquet.ChunkMetaData, meta)}
	group := thrift.Struct{thrift.ListField(parquet.GroupColumns, thrift.StrucT, 1, chunk.Append(nil)), thrift.Int64Field(parquet.GroupNumRows, rows)}
	footer := thrift.Struct{
		thrift.Int32Field(parquet.FileVersion, 1), thrift.ListField(parquet.FileSchema, thrift.StrucT, 4, schema), thrift.Int64Field(parquet.FileNumRows, rows),
		thrift.ListField(parquet.FileRowGroups, thrift.StrucT, 1, group.Append(nil)),
	}
	if createdBy != "" {
		footer = append(footer, thrift.BytesField(parquet.FileCreatedBy, []byte(createdBy)))
	}
	n := len(data)
	data = footer.Append(data)
	return append(binary.LittleEndian.AppendUint32(data, uint32(len(data)-n)), parquet.Magic...)
}

// carryDelta encodes the values of d once more, the first prefix referring to last, as parquet-mr before 1.8 did.
func carryDelta(t testing.TB, wk *worker, page *parquet.EncodedPage, d *draft, col *parquet.Column, last string) {
	t.Helper()
	v := string(d.bytes.At(0))
	n := 0
	for n < len(last) && n < len(v) && last[n] == v[n] {
		n++
	}
	prefixes, suffixes := []int64{int64(n)}, encoding.Bytes{Data: []byte(v[n:]), Ends: []uint32{uint32(len(v) - n)}}
	for i := 1; i < d.bytes.Len(); i++ {
		prefixes = append(prefixes, 0)
		suffixes.Data = append(suffixes.Data, d.bytes.At(i)...)
		suffixes.Ends = append(suffixes.Ends, uint32(len(suffixes.Data)))
	}
	raw := d.AppendV1(nil, col)
	raw = encoding.AppendDelta(raw, prefixes, 32)
	raw = encoding.AppendDeltaLengths(raw, &suffixes)
	h := parquet.PageHeader{Kind: parquet.DataPage, Values: d.slots, Encoding: parquet.DeltaByteArray, RepEncoding: parquet.RLE, DefEncoding: parquet.RLE}
	if err := page.Encode(&wk.codec, codec.Snappy, &h, raw); err != nil {
		t.Fatal(err)
	}
}

const (
	miscounter    = "parquet-cpp-arrow version 11.0.0" // states num_values as num_rows in V2 pages of lists
	surplusWriter = "DuckDB version v2.0.1 (build x)"  // writes values of slots that have none behind the others
)

// surplusLengths encodes a page of DELTA_LENGTH_BYTE_ARRAY once more, with more values than its levels have.
func surplusLengths(t testing.TB, wk *worker, page *parquet.EncodedPage, d *draft, col *parquet.Column) {
	t.Helper()
	more := encoding.Bytes{Data: bytes.Clone(d.bytes.Data), Ends: append([]uint32{}, d.bytes.Ends...)}
	for i := range 1 + d.slots%200 {
		more.Data = append(more.Data, "surplus"[:i%8]...)
		more.Ends = append(more.Ends, uint32(len(more.Data)))
	}
	h := parquet.PageHeader{Kind: parquet.DataPage, Values: d.slots, Encoding: d.encoding, RepEncoding: parquet.RLE, DefEncoding: parquet.RLE}
	if err := page.Encode(&wk.codec, codec.Snappy, &h, encoding.AppendDeltaLengths(d.AppendV1(nil, col), &more)); err != nil {
		t.Fatal(err)
	}
}

// raggedRows returns slots of random rows, and what Keys should say of each row.
func raggedRows(r *rand.Rand, n int) (slots []slot, rows []string) {
	for range n {
		switch r.IntN(8) {
		case 0:
			slots, rows = append(slots, slot{0, 0, ""}), append(rows, "")
			continue
		case 1:
			slots, rows = append(slots, slot{0, 1, ""}), append(rows, "")
			continue
		}
		var row strings.Builder
		for i := range 1 + r.IntN(12) {
			s := slot{rep: uint8(min(i, 1)), def: 2}
			if r.IntN(5) > 0 {
				s.def, s.value = 3, fmt.Sprintf("value-%d", r.IntN(200))
			}
			fmt.Fprintf(&row, "%q,", s.value)
			slots = append(slots, s)
		}
		rows = append(rows, row.String())
	}
	return slots, rows
}

func raggedPages(r *rand.Rand, slots []slot, encodings []parquet.Encoding, atRows bool, v2 bool) (pages []raggedPage) {
	enc := encodings[0]
	for len(slots) > 0 {
		n := min(1+r.IntN(30), len(slots))
		for atRows && n < len(slots) && slots[n].rep != 0 {
			n++
		}
		pages = append(pages, raggedPage{enc, v2, slots[:n]})
		slots = slots[n:]
		if r.IntN(6) == 0 {
			enc = encodings[r.IntN(len(encodings))]
		}
	}
	return pages
}

func raggedKeys(t *testing.T, data []byte) (rows []string) {
	t.Helper()
	f, err := parquet.Open(t.Context(), bytes.NewReader(data), int64(len(data)), "ragged.parquet")
	if err != nil {
		t.Fatal(err)
	}
	for g := range f.NumRowGroups() {
		k, err := Keys(t.Context(), f, g, []int{0})
		if err != nil {
			t.Fatal(err)
		}
		defer k.Close()
		for {
			b, err := k.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			v := &b.Columns[0]
			for i := range b.Rows {
				row := ""
				for s := v.Offsets[i]; s < v.Offsets[i+1]; s++ {
					value := ""
					switch {
					case v.Null != nil && v.Null[s]:
					case v.Dict != nil:
						value = string(v.Dict.Bytes(int(v.Index[s])))
					default:
						value = string(v.Bytes.At(int(s)))
					}
					row += fmt.Sprintf("%q,", value)
				}
				rows = append(rows, row)
			}
		}
	}
	return rows
}

func TestRagged(t *testing.T) {
	plain, dict := []parquet.Encoding{parquet.Plain}, []parquet.Encoding{parquet.RLEDictionary}
	for _, c := range []struct {
		name      string
		encodings []parquet.Encoding
		atRows    bool
		v2        bool
		createdBy string
	}{
		{"plain", plain, false, false, ""},
		{"dictionary", dict, false, false, ""},
		{"fallback", []parquet.Encoding{parquet.RLEDictionary, parquet.Plain}, false, false, ""},
		{"all", []parquet.Encoding{parquet.RLEDictionary, parquet.Plain, parquet.DeltaByteArray, parquet.DeltaLengthByteArray}, false, false, ""},
		{"all v2", []parquet.Encoding{parquet.RLEDictionary, parquet.Plain, parquet.DeltaByteArray, parquet.DeltaLengthByteArray}, true, true, ""},
		{"at rows", []parquet.Encoding{parquet.RLEDictionary, parquet.DeltaLengthByteArray}, true, false, ""},
		{"carried prefix", []parquet.Encoding{parquet.DeltaByteArray}, false, false, "parquet-mr version 1.6.0"},
		{"carried prefix and others", []parquet.Encoding{parquet.DeltaByteArray, parquet.Plain, parquet.RLEDictionary}, false, false, "parquet-mr version 1.6.0"},
		{"miscounted rows", []parquet.Encoding{parquet.RLEDictionary, parquet.Plain}, true, true, miscounter},
		{"surplus lengths", []parquet.Encoding{parquet.DeltaLengthByteArray, parquet.Plain}, false, false, surplusWriter},
	} {
		t.Run(c.name, func(t *testing.T) {
			for seed := range uint64(12) {
				r := rand.New(rand.NewPCG(seed, 77))
				slots, rows := raggedRows(r, 150)
				data := raggedFile(t, c.createdBy, raggedPages(r, slots, c.encodings, c.atRows, c.v2))
				if got := raggedKeys(t, data); strings.Join(got, "\n") != strings.Join(rows, "\n") {
					t.Fatalf("seed %d: keys\n%q, want\n%q", seed, got, rows)
				}
				own, err := dump(t, data)
				if err != nil {
					t.Fatal(err)
				}
				for _, p := range picks {
					var first []byte
					for _, memory := range []int64{1 << 30, 1} {
						out, _, err := rewriteFile(t, data, p.keep, Options{CreatedBy: "test", CPU: semaphore.NewWeighted(2), Memory: NewBudget(memory)})
						if err != nil {
							t.Fatalf("seed %d, %s: %v", seed, p.name, err)
						}
						if first == nil {
							first = out
						} else if !bytes.Equal(first, out) {
							t.Fatalf("seed %d, %s: other bytes with a small budget", seed, p.name)
						}
					}
					got, err := dump(t, first)
					if err != nil {
						t.Fatalf("seed %d, %s: %v", seed, p.name, err)
					}
					var want []string
					for i, row := range own {
						if p.keep(int64(i), int64(len(own))) {
							want = append(want, row)
						}
					}
					if strings.Join(got, "\n") != strings.Join(want, "\n") {
						t.Fatalf("seed %d, %s:\n%q, want\n%q", seed, p.name, got, want)
					}
					checkFile(t, data, first, p.keep, p.name == "alternating" && !c.v2)
				}
			}
		})
	}
}

// A V2 page that states another number of rows than it has is refused, but for the writers that are known to do so.
func TestMiscountedRows(t *testing.T) {
	slots, rows := raggedRows(rand.New(rand.NewPCG(5, 78)), 20)
	data := raggedFile(t, miscounter, []raggedPage{{parquet.Plain, true, slots}})
	if got := raggedKeys(t, data); len(got) != len(rows) {
		t.Errorf("%d rows, want %d", len(got), len(rows))
	}
	out, _, err := rewriteFile(t, data, func(int64, int64) bool { return true }, Options{CreatedBy: "test"})
	if err != nil {
		t.Fatal(err)
	}
	raggedKeys(t, out) // a page that is copied as it was would not say what it has
	fixed := bytes.Replace(data, []byte(miscounter), []byte("parquet-cpp-arrow version 12.0.0"), 1)
	if _, _, err := rewriteFile(t, fixed, func(int64, int64) bool { return true }, Options{}); !errors.Is(err, parquet.ErrCorrupt) {
		t.Errorf("a later version: %v", err)
	}
}
