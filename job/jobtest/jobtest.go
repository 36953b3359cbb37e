// Package jobtest is for tests of the whole program: commands with which testscript
// stories make inputs, look at outputs wherever they are, and break things.
//
//	mkparquet FILE CSV     writes a Parquet file from a CSV whose header is name:type
//	                       (string, bytes, int32, int64, uint64, bool, list, ts_ms,
//	                       ts_us, ts_ns, local_us); an empty field is null, `""` is empty text,
//	                       a list's elements are separated by |
//	showparquet FILE [COL…]  prints rows as CSV
//	ls URI                 lists the objects below a URI
//	cat URI                prints an object
//	put URI TEXT           writes an object
//	remove URI             removes all below a URI (testscript has an rm of its own, for local files)
//	nothing URI            wants nothing below a URI
//	flip FILE OFFSET       inverts a byte of a local file (a negative offset counts from the end)
//	truncate FILE SIZE     cuts a local file
//	plan URI NAME          sets the variable to the URI of the one plan below URI
//	follow URI NAME        sets the variable to the URI of the run that URI's current.json names
//	fails CODE PROGRAM ARG…  runs a program and wants this exit code; where it is not 0,
//	                       also: one line of error, at most one of hint, no answer, nothing
//	                       below $OUT, and no mention of the accounts secret-acct… or the content "secret words"
package jobtest

import (
	"context"
	"encoding/csv"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/rogpeppe/go-internal/testscript"

	"assent/job/internal/arrowparquet"
	"assent/job/internal/objstore"
	"assent/job/internal/objstore/storetest"
)

// StartGCS starts a fake of Google Cloud Storage with one bucket. host is a value
// for STORAGE_EMULATOR_HOST.
func StartGCS() (host, bucket string, stop func(), err error) {
	host, stop, err = storetest.StartGCS()
	return host, storetest.Bucket, stop, err
}

type command = func(ts *testscript.TestScript, neg bool, args []string)

// Commands returns the commands of this package for testscript.Params.
func Commands() map[string]command {
	return map[string]command{
		"mkparquet":   positive(2, mkparquet),
		"showparquet": positive(1, showparquet),
		"ls":          positive(1, ls),
		"cat":         positive(1, cat),
		"put":         positive(2, put),
		"remove":      positive(1, remove),
		"flip":        positive(2, flip),
		"truncate":    positive(2, truncate),
		"follow":      positive(2, follow),
		"plan":        positive(2, plan),
		"fails":       positive(2, fails),
		"nothing":     positive(1, func(ts *testscript.TestScript, args []string) error { return nothingAt(ts, args[0]) }),
	}
}

func positive(args int, f func(ts *testscript.TestScript, args []string) error) command {
	return func(ts *testscript.TestScript, neg bool, given []string) {
		if neg || len(given) < args {
			ts.Fatalf("usage: see package jobtest")
		}
		if err := f(ts, given); err != nil {
			ts.Fatalf("%v", err)
		}
	}
}

var columnTypes = map[string]arrow.DataType{
	"string":   arrow.BinaryTypes.String,
	"bytes":    arrow.BinaryTypes.Binary,
	"int32":    arrow.PrimitiveTypes.Int32,
	"int64":    arrow.PrimitiveTypes.Int64,
	"uint64":   arrow.PrimitiveTypes.Uint64,
	"bool":     arrow.FixedWidthTypes.Boolean,
	"list":     arrow.ListOf(arrow.BinaryTypes.String),
	"ts_ms":    &arrow.TimestampType{Unit: arrow.Millisecond, TimeZone: "UTC"},
	"ts_us":    &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"},
	"ts_ns":    &arrow.TimestampType{Unit: arrow.Nanosecond, TimeZone: "UTC"},
	"local_us": &arrow.TimestampType{Unit: arrow.Microsecond},
}

func mkparquet(ts *testscript.TestScript, args []string) error {
	return WriteParquet(ts.MkAbs(args[0]), ts.ReadFile(args[1]))
}

// WriteParquet writes a Parquet file from a CSV as mkparquet takes it.
func WriteParquet(file, text string) error { return WriteRowGroups(file, text, 0) }

// WriteRowGroups is WriteParquet with so many rows in a row group.
func WriteRowGroups(file, text string, rowGroupRows int64) error {
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		return err
	}
	var fields []arrow.Field
	for _, header := range rows[0] {
		name, typ, _ := strings.Cut(header, ":")
		t, ok := columnTypes[typ]
		if !ok {
			return fmt.Errorf("column %s: no type %q", name, typ)
		}
		fields = append(fields, arrow.Field{Name: name, Type: t, Nullable: true})
	}
	s := arrow.NewSchema(fields, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, s)
	defer b.Release()
	for _, row := range rows[1:] {
		for i, text := range row {
			if err := appendText(b.Field(i), text); err != nil {
				return fmt.Errorf("%s: %w", fields[i].Name, err)
			}
		}
	}
	record := b.NewRecord()
	defer record.Release()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	defer out.Close()
	w, err := arrowparquet.NewWriter(out, s, arrowparquet.Options{RowGroupRows: rowGroupRows})
	if err != nil {
		return err
	}
	if err := w.Write(record); err != nil {
		return err
	}
	return w.Close()
}

func appendText(b array.Builder, text string) error {
	if text == "" {
		b.AppendNull()
		return nil
	}
	if text == `""` {
		text = ""
	}
	switch b := b.(type) {
	case *array.ListBuilder:
		b.Append(true)
		if text == "[]" {
			return nil
		}
		for _, element := range strings.Split(text, "|") {
			if err := appendText(b.ValueBuilder(), element); err != nil {
				return err
			}
		}
		return nil
	case *array.TimestampBuilder:
		t, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			return err
		}
		value, err := arrow.TimestampFromTime(t, b.Type().(*arrow.TimestampType).Unit)
		b.Append(value)
		return err
	default:
		return b.AppendValueFromString(text)
	}
}

// place splits a URI or path into a store and a name in it.
func place(ts *testscript.TestScript, uri string) (objstore.Store, string, error) {
	if !strings.Contains(uri, "://") {
		uri = ts.MkAbs(uri)
	}
	os.Setenv("STORAGE_EMULATOR_HOST", ts.Getenv("STORAGE_EMULATOR_HOST"))
	root, name := path.Split(strings.TrimSuffix(uri, "/"))
	store, err := new(objstore.Opener).Open(context.Background(), strings.TrimSuffix(root, "/"))
	return store, name, err
}

func ls(ts *testscript.TestScript, args []string) error {
	store, name, err := place(ts, args[0])
	if err != nil {
		return err
	}
	objects, err := store.List(context.Background(), name)
	for _, o := range objects {
		fmt.Fprintln(ts.Stdout(), strings.TrimPrefix(o.Name, name+"/"))
	}
	return err
}

func cat(ts *testscript.TestScript, args []string) error {
	store, name, err := place(ts, args[0])
	if err != nil {
		return err
	}
	data, _, err := store.Read(context.Background(), name)
	ts.Stdout().Write(data)
	return err
}

func put(ts *testscript.TestScript, args []string) error {
	store, name, err := place(ts, args[0])
	if err != nil {
		return err
	}
	_, err = store.Put(context.Background(), name, []byte(args[1]), objstore.Any)
	return err
}

func remove(ts *testscript.TestScript, args []string) error {
	store, name, err := place(ts, args[0])
	if err != nil {
		return err
	}
	return store.RemoveAll(context.Background(), name)
}

func flip(ts *testscript.TestScript, args []string) error {
	file := ts.MkAbs(args[0])
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	at, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	if at < 0 {
		at += len(data)
	}
	data[at] = ^data[at]
	return os.WriteFile(file, data, 0o644)
}

func truncate(ts *testscript.TestScript, args []string) error {
	size, err := strconv.ParseInt(args[1], 10, 64)
	if err != nil {
		return err
	}
	return os.Truncate(ts.MkAbs(args[0]), size)
}
