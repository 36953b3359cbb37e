package sample

import (
	"strings"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/klauspost/compress/s2"
	"github.com/parquet-go/parquet-go/compress/snappy"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"assent/job/internal/arrowparquet"
	"assent/schema"
)

// messageSchema is the canonical snapshot with the room's participants.
func messageSchema() *arrow.Schema {
	fields := append(schema.MessageSnapshot().Fields(),
		arrow.Field{Name: "participants", Type: arrow.ListOf(arrow.BinaryTypes.String), Nullable: true})
	return arrow.NewSchema(fields, nil)
}

// deliverableSchema is the canonical snapshot with timestamps in nanoseconds.
func deliverableSchema() *arrow.Schema {
	fields := schema.DeliverableSnapshot().Fields()
	for i := range fields {
		if _, ok := fields[i].Type.(*arrow.TimestampType); ok {
			fields[i].Type = arrow.FixedWidthTypes.Timestamp_ns
		}
	}
	return arrow.NewSchema(fields, nil)
}

// portableSnappy compresses as snappy does, but with the one encoder that is the
// same code on every processor.
type portableSnappy struct{ *snappy.Codec }

func (portableSnappy) Encode(dst, src []byte) ([]byte, error) {
	return s2.EncodeSnappyBest(dst[:cap(dst)], src), nil
}

// layout returns how a file of so many rows is laid out: in three row groups at
// least, ids and kinds in dictionaries. Events differ from the rest in what a
// writer may choose.
func layout(dir string, rows int64) arrowparquet.Options {
	o := arrowparquet.Options{
		Codec:        &zstd.Codec{Level: zstd.SpeedFastest},
		RowGroupRows: min(max((rows+2)/3, 1), 128<<10),
		CreatedBy:    "assent sample",
		Dictionary: func(path string) bool {
			switch path {
			case "message_id", "deliverable_id", "event_id", "request_id":
				return false // no value comes twice
			case "kind", "category", "participants.list.element", "metadata.format", "metadata.tags.list.element", "properties.key_value.key":
				return true
			}
			return strings.HasSuffix(path, "_id")
		},
	}
	if dir == "platform_events" {
		o.Delta = func(path string) bool { return path == "event_id" || path == "occurred_at" }
		o.Codec, o.PageVersion, o.PageStatistics = portableSnappy{new(snappy.Codec)}, 2, true
	}
	return o
}
