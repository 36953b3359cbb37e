package verify_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/bloom"
	pthrift "github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"assent/job/jobtest"
	"assent/job/parquet/thrift"
	"assent/job/verify"
)

// patchFile changes a file's bytes: those before the footer, and the footer.
func patchFile(file string, change func(t *testing.T, data []byte, footer thrift.Struct) ([]byte, thrift.Struct)) func(t *testing.T, run string) {
	return func(t *testing.T, run string) {
		name := filepath.Join(run, file)
		all, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		end := len(all) - 8
		begin := end - int(binary.LittleEndian.Uint32(all[end:]))
		footer, _, err := thrift.Parse(all[begin:end])
		if err != nil {
			t.Fatal(err)
		}
		data, footer := change(t, all[:begin:begin], footer)
		raw := footer.Append(nil)
		data = append(data, raw...)
		data = binary.LittleEndian.AppendUint32(data, uint32(len(raw)))
		if err := os.WriteFile(name, append(data, "PAR1"...), 0o644); err != nil {
			t.Fatal(err)
		}
		reseal(t, run, nil)
	}
}

// patchChunk changes the metadata of a column chunk of row group 0.
func patchChunk(file string, column int, change func(meta *thrift.Struct)) func(t *testing.T, run string) {
	return patchFile(file, func(t *testing.T, data []byte, footer thrift.Struct) ([]byte, thrift.Struct) {
		inList(t, &footer, 4, 0, func(group *thrift.Struct) {
			inList(t, group, 1, column, func(chunk *thrift.Struct) {
				meta, err := chunk.Struct(3)
				if err != nil {
					t.Fatal(err)
				}
				change(&meta)
				chunk.Set(thrift.StructField(3, meta))
			})
		})
		return data, footer
	})
}

// emptyFilter takes all values out of the bloom filter of references.
var emptyFilter = patchFile(messagesSubjects, func(t *testing.T, data []byte, footer thrift.Struct) ([]byte, thrift.Struct) {
	inList(t, &footer, 4, 0, func(group *thrift.Struct) {
		inList(t, group, 1, 0, func(chunk *thrift.Struct) {
			meta, err := chunk.Struct(3)
			if err != nil {
				t.Fatal(err)
			}
			at, _ := meta.Int(14, 0)
			n, _ := meta.Int(15, 0)
			clear(data[at+n-n/32*32 : at+n])
		})
	})
	return data, footer
})

// inList changes an element of a list of structs.
func inList(t *testing.T, s *thrift.Struct, id int16, at int, change func(*thrift.Struct)) {
	list, err := s.List(id)
	if err != nil {
		t.Fatal(err)
	}
	var out []byte
	n := 0
	for i, raw := range list.Elements() {
		e, _, err := thrift.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		if i == at {
			change(&e)
		}
		out = e.Append(out)
		n++
	}
	s.Set(thrift.ListField(id, thrift.StrucT, n, out))
}

// withStatistics gives the chunk of tokens, which lost rows with the value 1000 to
// 1003 but only those of 1000 entirely, these bounds.
func withStatistics(lo, hi int64) func(meta *thrift.Struct) {
	return func(meta *thrift.Struct) {
		var stats thrift.Struct
		stats.Set(thrift.BytesField(5, binary.LittleEndian.AppendUint64(nil, uint64(hi))))
		stats.Set(thrift.BytesField(6, binary.LittleEndian.AppendUint64(nil, uint64(lo))))
		meta.Set(thrift.StructField(12, stats))
	}
}

// TestVerifyResidue leaves values of dropped rows in a data file of which every kept
// row is as it should be.
func TestVerifyResidue(t *testing.T) {
	config, run := auditedJob(t)
	const tokens, kind = 8, 7
	for _, m := range []mutant{
		{"text before the footer", patchFile(messagesData, func(t *testing.T, data []byte, footer thrift.Struct) ([]byte, thrift.Struct) {
			return append(data, "the body of message 0 and 6e34"...), footer
		}), messagesData, 0, "body", "the file at offset"},
		{"number in statistics", patchChunk(messagesData, tokens, withStatistics(1000, 1003)), messagesData, 0, "tokens", "the statistics of row group 0"},
		{"text in statistics", patchChunk(messagesData, kind, func(meta *thrift.Struct) {
			var stats thrift.Struct
			stats.Set(thrift.BytesField(6, []byte("kind-of-d"))) // cut short
			meta.Set(thrift.StructField(12, stats))
		}), messagesData, 0, "kind", "the statistics of row group 0"},
		{"greatest rounded up", patchChunk(messagesData, kind, func(meta *thrift.Struct) {
			var stats thrift.Struct
			stats.Set(thrift.BytesField(5, []byte("kind-of-e")))
			meta.Set(thrift.StructField(12, stats))
		}), messagesData, 0, "kind", "the statistics of row group 0"},
		{"entry of a dictionary", leftInDictionary, messagesData, 0, "tokens", "the dictionary of row group 0"},
		{"bloom filter", withBloomFilter(func(f bloom.SplitBlockFilter) { f.Insert(xxhash.Sum64String("kind-of-dropped-rows")) }),
			messagesData, 0, "kind", "the bloom filter of row group 0"},
		{"bloom filter emptied", withBloomFilter(bloom.SplitBlockFilter.Reset), messagesData, -1, "kind", "the bloom filter lacks a kept value"},
		{"schema", patchFile(messagesData, func(t *testing.T, data []byte, footer thrift.Struct) ([]byte, thrift.Struct) {
			inList(t, &footer, 2, 3, func(e *thrift.Struct) { e.Set(thrift.Int32Field(9, 17)) })
			return data, footer
		}), messagesData, -1, "", "the schema is not the input's"},
		{"metadata", patchFile(messagesData, func(t *testing.T, data []byte, footer thrift.Struct) ([]byte, thrift.Struct) {
			inList(t, &footer, 5, 0, func(e *thrift.Struct) { e.Set(thrift.BytesField(2, []byte("x"))) })
			return data, footer
		}), messagesData, -1, "", `metadata: key "assent.source" is not as a run writes it`},
		{"metadata added", patchFile(messagesData, func(t *testing.T, data []byte, footer thrift.Struct) ([]byte, thrift.Struct) {
			f, _ := footer.Get(5)
			list, err := f.List()
			if err != nil {
				t.Fatal(err)
			}
			var out []byte
			n := 0
			for _, raw := range list.Elements() {
				out = append(out, raw...)
				n++
			}
			out = thrift.Struct{thrift.BytesField(1, []byte("x"))}.Append(out)
			footer.Set(thrift.ListField(5, thrift.StrucT, n+1, out))
			return data, footer
		}), messagesData, -1, "", `metadata: key "x" is neither the input's nor the run's`},
	} {
		t.Run(m.name, func(t *testing.T) {
			copied := copyTree(t, run)
			m.change(t, copied)
			r, err := verify.Run(t.Context(), jobtest.NewEnv(t), verify.Options{Config: config, Run: copied})
			m.check(t, r, err)
			if r.Count > 1 && m.name != "entry of a dictionary" && !strings.HasPrefix(m.name, "bloom filter") {
				t.Errorf("more than that:\n%s", texts(r))
			}
		})
	}
	for _, m := range []mutant{ // loose, but of no dropped row alone
		{name: "loose numbers", change: patchChunk(messagesData, tokens, withStatistics(7, 1003))},
		{name: "loose text", change: patchChunk(messagesData, kind, func(meta *thrift.Struct) {
			var stats thrift.Struct
			stats.Set(thrift.BytesField(5, []byte("l")))
			stats.Set(thrift.BytesField(6, []byte("kind-of-")))
			meta.Set(thrift.StructField(12, stats))
		})},
	} {
		t.Run(m.name, func(t *testing.T) {
			copied := copyTree(t, run)
			m.change(t, copied)
			if r, err := verify.Run(t.Context(), jobtest.NewEnv(t), verify.Options{Config: config, Run: copied}); err != nil {
				t.Errorf("%v\n%s", err, texts(r))
			}
		})
	}
}

// leftInDictionary writes the data file anew so that the dictionary of tokens has the
// value 1000, which only dropped rows had: the first kept row is given it, and then
// its index is made that of another entry.
func leftInDictionary(t *testing.T, run string) {
	name, rows := readMessages(t, run)
	least := int64(1000)
	rows[0].Tokens = &least
	out := messagesFile(t, rows, parquet.Compression(&parquet.Uncompressed), parquet.DataPageVersion(1))
	if err := os.WriteFile(name, patchFirstIndex(t, out, 8), 0o644); err != nil {
		t.Fatal(err)
	}
	reseal(t, run, nil)
}

// withBloomFilter writes the data file anew with a bloom filter of the column kind,
// which is then changed.
func withBloomFilter(change func(bloom.SplitBlockFilter)) func(t *testing.T, run string) {
	return func(t *testing.T, run string) {
		name, rows := readMessages(t, run)
		data := messagesFile(t, rows, parquet.BloomFilters(parquet.SplitBlockFilter(10, "kind")))
		f, err := parquet.OpenFile(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		bits := data[f.Metadata().RowGroups[0].Columns[7].MetaData.BloomFilterOffset:]
		r := new(pthrift.CompactProtocol).NewReaderFromBytes(bits)
		var h format.BloomFilterHeader
		if err := pthrift.NewDecoder(r).Decode(&h); err != nil {
			t.Fatal(err)
		}
		filter := bloom.MakeSplitBlockFilter(bytes.Clone(bits[r.BytesRead():][:h.NumBytes]))
		change(filter)
		copy(bits[r.BytesRead():], filter.Bytes())
		if err := os.WriteFile(name, data, 0o644); err != nil {
			t.Fatal(err)
		}
		reseal(t, run, nil)
	}
}

// readMessages returns where the data file is, and its rows.
func readMessages(t *testing.T, run string) (name string, rows []message) {
	t.Helper()
	name = filepath.Join(run, messagesData)
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	rows, err = parquet.Read[message](bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	return name, rows
}

// messagesFile returns a file of rows.
func messagesFile(t *testing.T, rows []message, options ...parquet.WriterOption) []byte {
	t.Helper()
	var out bytes.Buffer
	w := parquet.NewGenericWriter[message](&out, options...)
	if _, err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// message is a row of messages, tokens dictionary-coded.
type message struct {
	Message    *string `parquet:"message_id,optional"`
	Freelancer *string `parquet:"freelancer_id,optional"`
	Client     *string `parquet:"client_id,optional"`
	Sender     *string `parquet:"sender_id,optional"`
	Contract   *string `parquet:"contract_id,optional"`
	Sent       *int64  `parquet:"sent_at,optional,timestamp(microsecond)"`
	Edited     *int64  `parquet:"edited_at,optional,timestamp(microsecond)"`
	Kind       *string `parquet:"kind,optional"`
	Tokens     *int64  `parquet:"tokens,optional,dict"`
	Body       *string `parquet:"body,optional"`
}

// patchFirstIndex makes the first index of a dictionary-coded page, 0, that of the
// value that the row had: 3, as 1002 and 1003 come before 1001.
func patchFirstIndex(t *testing.T, data []byte, column int) []byte {
	f, err := parquet.OpenFile(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	meta := f.Metadata().RowGroups[0].Columns[column].MetaData
	at := meta.DataPageOffset
	r := new(pthrift.CompactProtocol).NewReaderFromBytes(data[at:])
	var h format.PageHeader
	if err := pthrift.NewDecoder(r).Decode(&h); err != nil {
		t.Fatal(err)
	}
	head := int64(r.BytesRead())
	body := data[at+head : at+head+int64(h.CompressedPageSize)]
	levels := 4 + int(binary.LittleEndian.Uint32(body))
	values := body[levels:] // bit width, then runs
	if width := values[0]; width != 2 || values[1]&1 != 1 || values[2]&3 != 0 {
		t.Fatalf("the indices are laid out otherwise: %x", values)
	}
	values[2] |= 3
	h.CRC = int32(crc32.ChecksumIEEE(body))
	again, err := pthrift.Marshal(new(pthrift.CompactProtocol), &h)
	if err != nil {
		t.Fatal(err)
	}
	if int64(len(again)) != head {
		t.Fatalf("a header of %d bytes for one of %d", len(again), head)
	}
	copy(data[at:], again)
	return data
}
