package rewrite

import (
	"bytes"
	"fmt"
	"io"
	"testing"

	parquetgo "github.com/parquet-go/parquet-go"

	"assent/job/parquet"
	"assent/job/parquet/codec"
)

type secret struct {
	Plain  string            `parquet:"plain,zstd"`
	Dict   string            `parquet:"dict,dict,zstd"`
	Opt    *string           `parquet:"opt,optional,dict,snappy"`
	Delta  string            `parquet:"delta,delta,zstd"`
	Num    int64             `parquet:"num,dict,gzip"`
	Deltas int64             `parquet:"deltas,delta"`
	List   []string          `parquet:"list,list,dict"`
	Map    map[string]string `parquet:"map"`
}

// canary is the value that stands in the rows whose number is below 0 mod 7, and nowhere else.
const canary = "CANARY-yellow-bird"

const canaryNumber = 0x0123456789abcdef

func secretFile(t testing.TB, canaries func(i int) bool, options ...parquetgo.WriterOption) []byte {
	t.Helper()
	options = append(options, parquetgo.BloomFilters(parquetgo.SplitBlockFilter(10, "plain"), parquetgo.SplitBlockFilter(10, "dict")),
		parquetgo.DataPageStatistics(true))
	var b bytes.Buffer
	w := parquetgo.NewGenericWriter[secret](&b, options...)
	for i := range 4000 {
		v := fmt.Sprintf("value-%d", i%300)
		s := secret{Plain: fmt.Sprintf("plain-%d", i), Dict: v, Delta: v, Num: int64(i % 100), Deltas: int64(i), List: []string{v, "x"}}
		if canaries(i) {
			s = secret{Plain: canary, Dict: canary, Delta: canary, Num: canaryNumber, Deltas: canaryNumber, List: []string{canary},
				Map: map[string]string{canary: canary}}
			c := canary
			s.Opt = &c
		}
		if _, err := w.Write([]secret{s}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// sections returns everything of a file in which a value could be left: the file as it stands, and all pages decompressed.
func sections(t testing.TB, data []byte) map[string][]byte {
	t.Helper()
	all := map[string][]byte{"file": data}
	f, err := parquet.Open(t.Context(), bytes.NewReader(data), int64(len(data)), "out.parquet")
	if err != nil {
		t.Fatal(err)
	}
	var dec codec.Codec
	for g := range f.NumRowGroups() {
		chunks, err := f.Chunks(g)
		if err != nil {
			t.Fatal(err)
		}
		for i := range chunks {
			c := &chunks[i]
			w := newWalk(f, nil, c)
			for {
				err := w.next()
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				body, err := w.Body()
				if err != nil {
					t.Fatal(err)
				}
				name := fmt.Sprintf("row group %d, %s, page %d", g, f.Columns()[c.Column].Name(), w.Number)
				if w.Header.Kind == parquet.DictionaryPage {
					plain, err := parquet.LoadDictionary(&dec, c.Codec, &w.Header, body)
					if err != nil {
						t.Fatal(err)
					}
					all[name] = plain
					continue
				}
				var p parquet.Page
				if err := p.Load(&dec, &f.Columns()[c.Column], c.Codec, &w.Header, body); err != nil {
					t.Fatal(err)
				}
				all[name] = p.Values
				if w.Header.Kind == parquet.DataPage { // all of the body, whatever stands beside the levels
					if all[name], err = dec.Decompress(nil, c.Codec, body, w.Header.RawSize); err != nil {
						t.Fatal(err)
					}
				}
				if p.Header.Encoding == parquet.DeltaBinaryPacked {
					// Deltas hide values: look at the values themselves.
					var v parquet.Values
					if err := v.Decode(&f.Columns()[c.Column], parquet.DeltaBinaryPacked, p.Values, p.Count, nil); err != nil {
						t.Fatal(err)
					}
					for _, x := range v.Ints {
						all[name+", values"] = append(all[name+", values"], parquet.PlainBytes(uint64(x), 8)...)
					}
				}
			}
			w.close()
		}
	}
	return all
}

func TestNoResidue(t *testing.T) {
	needles := map[string][]byte{
		"text": []byte(canary), "prefix": []byte(canary[:8]), "number": parquet.PlainBytes(canaryNumber, 8),
	}
	for _, version := range []int{1, 2} {
		for _, group := range []int64{1000, 1 << 20} {
			for _, every := range []int{2, 7, 1500} {
				t.Run(fmt.Sprintf("v%d/group%d/every%d", version, group, every), func(t *testing.T) {
					is := func(i int) bool { return i%every == every-1 }
					data := secretFile(t, is, parquetgo.DataPageVersion(version), parquetgo.PageBufferSize(3000), parquetgo.MaxRowsPerRowGroup(group))
					found := 0
					for _, b := range sections(t, data) {
						if bytes.Contains(b, needles["text"]) {
							found++
						}
					}
					if found < 5 {
						t.Fatalf("the canary stands in %d sections of the input", found)
					}
					out, _, err := rewriteFile(t, data, func(i, n int64) bool { return !is(int(i)) }, Options{})
					if err != nil {
						t.Fatal(err)
					}
					for name, b := range sections(t, out) {
						for what, needle := range needles {
							if bytes.Contains(b, needle) {
								t.Errorf("%s of the canary is left in %s", what, name)
							}
						}
					}
					checkBlooms(t, out, is, group)
				})
			}
		}
	}
}

// checkBlooms asks the bloom filters for kept values and for the canary.
func checkBlooms(t *testing.T, out []byte, is func(int) bool, group int64) {
	t.Helper()
	f, err := parquetgo.OpenFile(bytes.NewReader(out), int64(len(out)))
	if err != nil {
		t.Fatal(err)
	}
	for g, rg := range f.RowGroups() {
		chunk := rg.ColumnChunks()[0]
		bloom := chunk.BloomFilter()
		if bloom == nil {
			t.Fatalf("row group %d has no bloom filter", g)
		}
		lost := false
		lo, hi := int64(g)*group, min(int64(g+1)*group, 4000)
		for i := lo; i < hi; i++ {
			if is(int(i)) {
				lost = true
				continue
			}
			if ok, err := bloom.Check(parquetgo.ValueOf(fmt.Sprintf("plain-%d", i))); err != nil || !ok {
				t.Fatalf("row group %d: bloom filter lacks a kept value: %v", g, err)
			}
		}
		if ok, err := bloom.Check(parquetgo.ValueOf(canary)); err != nil || ok && lost {
			t.Errorf("row group %d: bloom filter has the canary: %v", g, err)
		}
	}
}

func TestGeoAndPandasMetadata(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"range", `{"index_columns": [{"kind": "range", "name": null, "start": 5, "stop": 1005, "step": 2}], "x":1}`,
			`{"index_columns": [{"kind": "range", "name": null, "start": 5, "stop": 25, "step": 2}], "x":1}`},
		{"stop first", `{"a":[1,{"stop":3}],"index_columns":[ {"stop" : 9 ,"kind":"range","start":0,"step":1} ]}`,
			`{"a":[1,{"stop":3}],"index_columns":[ {"stop" : 10 ,"kind":"range","start":0,"step":1} ]}`},
		{"named", `{"index_columns": ["__index_level_0__"]}`, ""},
		{"not json", `{"index_columns": [`, ""},
		{"huge", `{"index_columns": [{"kind":"range","start":9223372036854775807,"stop":9,"step":9223372036854775807}]}`,
			`{"index_columns": [{"kind":"range","start":9223372036854775807,"stop":101457092405402533877,"step":9223372036854775807}]}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := string(patchPandas([]byte(c.in), 10)); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
	for _, c := range []struct{ name, in, want string }{
		{"middle", `{"columns":{"g":{"a":1, "bbox":[1,2], "c":3}},"v":1}`, `{"columns":{"g":{"a":1, "c":3}},"v":1}`},
		{"first", `{"columns":{"g":{"bbox":[1,2],"c":3}}}`, `{"columns":{"g":{"c":3}}}`},
		{"last", `{"columns":{"g":{"a": 1, "bbox": [1,2] }}}`, `{"columns":{"g":{"a": 1 }}}`},
		{"only", `{"columns":{"g":{"bbox":[1]},"h":{"bbox":[2]}}}`, `{"columns":{"g":{},"h":{}}}`},
		{"none", `{"columns":{"g":{"covering":{"bbox":{"x":1}}}}}`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := string(patchGeo([]byte(c.in))); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}
