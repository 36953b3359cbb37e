package parquet

import (
	"testing"

	"assent/job/parquet/codec"
)

func FuzzPageHeader(f *testing.F) {
	h := PageHeader{Kind: DataPageV2, RawSize: 100, Size: 50, CRC: 7, Values: 9, Encoding: Plain, Nulls: 1, Rows: 3, RepLen: 2, DefLen: 3}
	f.Add(h.Append(nil))
	h.Kind = DataPage
	f.Add(h.Append(nil))
	h.Kind = DictionaryPage
	f.Add(h.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		var h PageHeader
		if err := h.Parse(b); err != nil {
			return
		}
		if h.Length > len(b) || h.Size < 0 || h.RawSize < 0 {
			t.Fatalf("%+v", h)
		}
		if h.Check(codec.Zstd, 1000) == nil && h.IsData() && (h.Values < 0 || h.Values > 1000) {
			t.Fatalf("%+v", h)
		}
	})
}
