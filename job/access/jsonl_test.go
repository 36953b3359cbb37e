package access

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

// TestWriteJSON writes large texts among small ones, of whole characters and of bytes that are none, and compares with Arrow's writer.
func TestWriteJSON(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	text := arrow.BinaryTypes.String
	s := arrow.NewSchema([]arrow.Field{{Name: "z", Type: text, Nullable: true}, {Name: "n", Type: arrow.PrimitiveTypes.Int64}, {Name: "a", Type: text}, {Name: "a", Type: text}}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, s)
	defer b.Release()
	large := func() (all []byte) {
		for len(all) < 2*largeText+r.IntN(largeText) {
			switch r.IntN(3) {
			case 0:
				all = append(all, byte(r.Uint32()))
			case 1:
				all = append(all, "<äöü€𝄞\"\x00\u2028"...)
			default:
				all = append(all, bytes.Repeat([]byte{0x80}, r.IntN(6))...)
			}
		}
		return all
	}
	for i := range 7 {
		b.Field(1).(*array.Int64Builder).Append(int64(i))
		for _, f := range []int{0, 2, 3} {
			text := []byte("short")
			if (i+f)%3 == 0 {
				text = large()
			}
			b.Field(f).(*array.StringBuilder).BinaryBuilder.Append(text)
		}
	}
	b.Field(0).AppendNull()
	b.Field(1).AppendNull()
	b.Field(2).(*array.StringBuilder).Append(string(large()))
	b.Field(3).(*array.StringBuilder).Append("")
	record := b.NewRecord()
	defer record.Release()
	var got, want bytes.Buffer
	if err := array.RecordToJSON(record, &want); err != nil {
		t.Fatal(err)
	}
	if err := writeJSON(&got, record); err != nil {
		t.Fatal(err)
	}
	decoded := func(lines *bytes.Buffer) (all []map[string]any) {
		for d := json.NewDecoder(lines); d.More(); {
			row := map[string]any{}
			if err := d.Decode(&row); err != nil {
				t.Fatal(err)
			}
			all = append(all, row)
		}
		return all
	}
	if a, b := decoded(&got), decoded(&want); len(b) != 8 || !reflect.DeepEqual(a, b) {
		t.Error("it is not what Arrow writes")
	}
}
