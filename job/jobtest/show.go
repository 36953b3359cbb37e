package jobtest

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
	"github.com/rogpeppe/go-internal/testscript"
)

// showparquet prints a Parquet file as another implementation than the program's reads it.
func showparquet(ts *testscript.TestScript, args []string) error {
	store, name, err := place(ts, args[0])
	if err != nil {
		return err
	}
	data, _, err := store.Read(context.Background(), name)
	if err != nil {
		return err
	}
	f, err := parquet.OpenFile(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return err
	}
	var header []string
	var types []parquet.Type
	for _, path := range f.Schema().Columns() {
		leaf, _ := f.Schema().Lookup(path...)
		header = append(header, strings.NewReplacer(".list.element", "", ".list.item", "").Replace(strings.Join(path, ".")))
		types = append(types, leaf.Node.Type())
	}
	out := csv.NewWriter(ts.Stdout())
	wanted := args[1:]
	pick := func(row []string) error {
		if len(wanted) == 0 {
			return out.Write(row)
		}
		var picked []string
		for _, name := range wanted {
			i := slices.Index(header, name)
			if i < 0 {
				return fmt.Errorf("no column %s among %v", name, header)
			}
			picked = append(picked, row[i])
		}
		return out.Write(picked)
	}
	if err := pick(header); err != nil {
		return err
	}
	for _, group := range f.RowGroups() {
		if err := showRows(group.Rows(), types, pick); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

func showRows(rows parquet.Rows, types []parquet.Type, write func([]string) error) error {
	defer rows.Close()
	buf := make([]parquet.Row, 64)
	for {
		n, err := rows.ReadRows(buf)
		for _, row := range buf[:n] {
			cells := make([]string, len(types))
			row.Range(func(column int, values []parquet.Value) bool {
				var texts []string
				for _, v := range values {
					texts = append(texts, show(types[column], v))
				}
				cells[column] = strings.Join(texts, "|")
				return true
			})
			if err := write(cells); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func show(t parquet.Type, v parquet.Value) string {
	if v.IsNull() {
		return ""
	}
	if logical := t.LogicalType(); logical != nil {
		if timestamp, ok := logical.Value.(*format.TimestampType); ok {
			perSecond := int64(time.Second / timestamp.Unit.Value.Duration())
			n := v.Int64()
			return time.Unix(n/perSecond, n%perSecond*int64(timestamp.Unit.Value.Duration())).UTC().Format(time.RFC3339Nano)
		}
	}
	return v.String()
}
