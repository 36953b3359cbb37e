package verify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"reflect"

	"github.com/parquet-go/parquet-go"

	"assent/job"
	"assent/job/parquet/thrift"
)

// checkData compares the data file with its input: schema and metadata, then every
// kept row, value by value, column by column, then what dropped rows may have left.
func (a *fileAudit) checkData(ctx context.Context) error {
	if !a.ok(a.m.Output) {
		return nil
	}
	r, err := a.store.Open(ctx, a.objects[a.m.Output])
	if err != nil {
		return err
	}
	out := &watched{Reader: r}
	defer out.Close()
	err = a.compareData(ctx, out)
	for _, r := range []*watched{a.in.bytes, out} {
		if failed := r.failed(ctx); failed != nil {
			return failed
		}
	}
	if err != nil {
		a.found.of(a.m.Output, "%v", err)
		return nil
	}
	return out.Unchanged(ctx)
}

func (a *fileAudit) compareData(ctx context.Context, r *watched) error {
	out, err := openOrdinary(ctx, r)
	if err != nil {
		return fmt.Errorf("cannot be read: %w", err)
	}
	if err := a.compareFooters(out); err != nil {
		return err
	}
	if len(out.leaves) != len(a.in.leaves) {
		return errors.New("it has other columns than its input")
	}
	probes, err := a.probes()
	if err != nil {
		return err
	}
	for column := range out.leaves {
		if err := a.compareColumn(out, column, probes); err != nil {
			return err
		}
	}
	a.checked.Rows += a.total
	if err := a.searchFile(out, probes); err != nil {
		return err
	}
	a.tellProbes(probes)
	return nil
}

// compareColumn compares the values of a column in all kept rows: kind, levels and
// bits. It tells of the first row that differs.
func (a *fileAudit) compareColumn(out *ordinary, column int, probes *probeSet) error {
	name := out.leaves[column].path
	x, y := a.in.cursor(column), out.cursor(column)
	defer x.close()
	defer y.close()
	remains := watchRemains(a, y)
	differ := func(row int64, what string) {
		a.partial = true
		a.found.add(Difference{File: a.m.Output, Row: &row, Column: name, What: what})
	}
	row := int64(0)
	for ; row < a.in.rows(); row++ {
		if !a.kept.has(row) {
			if err := x.skip(); err != nil {
				return a.unread(a.input(), row, name, err)
			}
			continue
		}
		what, err := a.compareRow(x, y, probes, remains)
		if errors.Is(err, io.EOF) {
			differ(row, "the rules keep the row, the file has no more rows")
			return nil
		}
		if err != nil {
			return a.unread(a.m.Output, row, name, err)
		}
		if what != "" {
			differ(row, what)
			return nil
		}
	}
	if _, err := x.take(); !errors.Is(err, io.EOF) {
		return a.unread(a.input(), row, name, err)
	}
	switch _, err := y.take(); {
	case err == nil:
		a.found.add(Difference{File: a.m.Output, Column: name, What: fmt.Sprintf("it has more than the %d rows that the rules keep", a.total)})
	case !errors.Is(err, io.EOF):
		return a.unread(a.m.Output, row, name, err)
	default:
		remains.finish()
	}
	probes.endColumn()
	a.readings.note(a.d.Name, x)
	if err := a.searchPages(out, column, probes, remains); err != nil {
		return err
	}
	return remains.resolve()
}

// unread says that a column could not be read, which ends the comparison of the file.
func (a *fileAudit) unread(file string, row int64, column string, err error) error {
	if err == nil {
		err = errors.New("it has more rows than its footer says")
	}
	return fmt.Errorf("cannot be compared: %s, column %s, before row %d: %w", path.Base(file), column, row, err)
}

// compareRow compares the next row of both and says how they differ.
func (a *fileAudit) compareRow(x, y *cursor, probes *probeSet, remains *remains) (what string, err error) {
	for {
		v, err := x.take()
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = errors.New("the input ends early")
			}
			return "", err
		}
		u, err := y.take()
		if err != nil {
			return "", err
		}
		a.checked.Values++
		switch {
		case v.RepetitionLevel() != u.RepetitionLevel(), v.DefinitionLevel() != u.DefinitionLevel(), v.IsNull() != u.IsNull():
			return "nulls or list lengths are not the input's", nil
		case !sameValue(v, u):
			return "the value is not the input's", nil
		}
		if !u.IsNull() {
			remains.value(u)
			if isBytes(u) {
				probes.strike(u.ByteArray())
			}
		}
		m, err := x.more()
		if err != nil {
			return "", err
		}
		n, err := y.more()
		if err != nil {
			return "", err
		}
		if m != n {
			return "the list is not as long as the input's", nil
		}
		if !m {
			return "", nil
		}
	}
}

func isBytes(v parquet.Value) bool {
	return v.Kind() == parquet.ByteArray || v.Kind() == parquet.FixedLenByteArray
}

// sameValue compares two values bit by bit, so that NaNs and the zeros are told apart.
func sameValue(v, u parquet.Value) bool {
	switch {
	case v.Kind() != u.Kind():
		return false
	case isBytes(v), v.Kind() == parquet.Int96:
		return bytes.Equal(v.Bytes(), u.Bytes())
	}
	return v.Uint64() == u.Uint64()
}

// compareFooters compares schema and metadata.
func (a *fileAudit) compareFooters(out *ordinary) error {
	in := a.in.footer
	for _, f := range []struct {
		id   int16
		name string
	}{{fileVersion, "the format's version"}, {fileSchema, "the schema"}, {fileColumnOrders, "the column orders"}} {
		x, there := in.Get(f.id)
		y, _ := out.footer.Get(f.id)
		if !bytes.Equal(x.Raw, y.Raw) && (there || f.id != fileColumnOrders) {
			a.found.of(a.m.Output, "%s is not the input's", f.name)
		}
	}
	by, _, err := out.footer.Bytes(fileCreatedBy)
	if err != nil {
		return err
	}
	if want := a.run.Tool.Name + " version " + a.run.Tool.Version; string(by) != want {
		a.found.of(a.m.Output, "created_by is not %q, the tool of the run manifest", want)
	}
	want, err := keyValuesOf(in)
	if err != nil {
		return err
	}
	got, err := keyValuesOf(out.footer)
	if err != nil {
		return err
	}
	value := func(s string) *string { return &s }
	want = append(want, keyValue{"assent.run_id", &a.run.RunID}, keyValue{"assent.source", value(path.Join(a.d.Name, a.m.Source))})
	if by, _, _ := in.Bytes(fileCreatedBy); len(by) > 0 {
		want = append(want, keyValue{"original.created_by", value(string(by))})
	}
	if len(got) != len(want) {
		a.found.of(a.m.Output, "%d key-value pairs, expected are %d", len(got), len(want))
		return nil
	}
	for i, w := range want {
		if g := got[i]; g.key != w.key || (g.value == nil) != (w.value == nil) || g.value != nil && !a.sameMetadata(w.key, *w.value, *g.value) {
			a.found.of(a.m.Output, "key-value pair %d (%s) is not as expected", i, job.Quote(w.key))
		}
	}
	return nil
}

// keyValue is an entry of a file's metadata. A nil value is an absent one.
type keyValue struct {
	key   string
	value *string
}

func keyValuesOf(footer thrift.Struct) ([]keyValue, error) {
	list, err := footer.List(fileKeyValues)
	if err != nil {
		return nil, err
	}
	var all []keyValue
	for _, raw := range list.Elements() {
		s, _, err := thrift.Parse(raw)
		if err != nil {
			return nil, err
		}
		key, _, err := s.Bytes(pairKey)
		if err != nil {
			return nil, err
		}
		kv := keyValue{key: string(key)}
		value, there, err := s.Bytes(pairValue)
		if err != nil {
			return nil, err
		}
		if there {
			text := string(value)
			kv.value = &text
		}
		all = append(all, kv)
	}
	return all, nil
}

// sameMetadata compares a value of the metadata with the input's. Where rows were
// lost, what pandas says of a range that numbers the rows, and the bounding boxes of
// GeoParquet, must have followed.
func (a *fileAudit) sameMetadata(key, in, out string) bool {
	if a.total == a.in.rows() || key != "pandas" && key != "geo" {
		return in == out
	}
	var x, y map[string]any
	if json.Unmarshal([]byte(in), &x) != nil || json.Unmarshal([]byte(out), &y) != nil {
		return in == out
	}
	if columns, ok := x["columns"].(map[string]any); ok && key == "geo" {
		for _, c := range columns {
			if fields, ok := c.(map[string]any); ok {
				delete(fields, "bbox")
			}
		}
	}
	if indexes, ok := x["index_columns"].([]any); ok && key == "pandas" {
		for _, i := range indexes {
			index, _ := i.(map[string]any)
			start, ok1 := index["start"].(float64)
			step, ok2 := index["step"].(float64)
			if index["kind"] == "range" && ok1 && ok2 {
				index["stop"] = start + step*float64(a.total)
			}
		}
	}
	return reflect.DeepEqual(x, y)
}
