package parquet

import (
	"bytes"
	"io"
	"testing"

	"assent/job/parquet/thrift"
)

// A spoilt source overwrites what was peeked at as soon as it may: at the next call of Peek.
type spoilt struct {
	data []byte
	at   int
	last []byte
}

func (s *spoilt) Offset() int64 { return int64(s.at) }
func (s *spoilt) Rest() int64   { return int64(len(s.data) - s.at) }
func (s *spoilt) Skip(n int64)  { s.at += int(n) }

func (s *spoilt) Peek(n int) ([]byte, error) {
	for i := range s.last {
		s.last[i] = 0xee
	}
	s.last = bytes.Clone(s.data[s.at:min(s.at+n, len(s.data))])
	return s.last, nil
}

// The header of a page, its statistics too, is what it was when its body and the next header have been read.
func TestPageWalkKeepsHeaders(t *testing.T) {
	col := &Column{Physical: Int32}
	statistics := thrift.Struct{thrift.BytesField(StatsMaxValue, []byte("greatest")), thrift.BytesField(StatsMinValue, []byte("least"))}.Append(nil)
	var data []byte
	for i := range 3 {
		body := bytes.Repeat([]byte{byte(i)}, 40)
		h := PageHeader{Kind: DataPage, RawSize: len(body), Size: len(body), Values: 10, Encoding: Plain, RepEncoding: RLE, DefEncoding: RLE, Statistics: statistics, CRC: Checksum(body)}
		data = append(h.Append(data), body...)
	}
	w := NewPageWalk(col, &Chunk{Values: 30, End: int64(len(data))}, &spoilt{data: data})
	var all []PageHeader
	for {
		err := w.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, w.Header)
		if _, err := w.Body(); err != nil {
			t.Fatal(err)
		}
	}
	if len(all) != 3 {
		t.Fatalf("%d pages", len(all))
	}
	for i, h := range all {
		if !bytes.Equal(h.Statistics, statistics) {
			t.Errorf("page %d: statistics %q, want %q", i, h.Statistics, statistics)
		}
	}
}
