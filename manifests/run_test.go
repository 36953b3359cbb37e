package manifests

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"assent/schema"
)

var update = flag.Bool("update", false, "write golden files")

func testRun() *Run {
	digest := func(c string) string { return strings.Repeat(c, 64) }
	share := 0.42
	requests := time.Date(2026, 11, 20, 6, 0, 0, 123456789, time.UTC)
	file := func(source string, in, kept int64, excluded ReasonCounts) File {
		return File{
			Source: source, Output: "messages/" + source, RowsIn: in, RowsKept: kept, ExcludedByReason: excluded,
			Bytes: 1000 * kept, SHA256: digest("a"), Pages: Pages{Copied: 1, Filtered: 2, Dropped: 3},
			Exclusions: "_manifest/exclusions/messages/" + source, ExclusionsBytes: 2000, ExclusionsSHA256: digest("b"),
			Subjects: "_manifest/subjects/messages/" + source, SubjectsBytes: 3000, SubjectsSHA256: digest("c"),
		}
	}
	some := ReasonCounts{schema.DeletionRequested: 1, schema.PartyOptedOut: 3}
	return &Run{
		SchemaVersion: SchemaVersion,
		RunID:         "20261120T000000Z-0123456789ab",
		Tool:          Tool{"assent", "1.0.0"},
		Program:       Program{"marketplace-ai-training", time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC), schema.OptedIn.String()},
		ConsentAsOf:   time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC),
		RequestsAsOf:  &requests,
		PolicyDigest:  digest("d"),
		Inputs: []Input{
			{Role: "consent", Path: "consent/part-0.parquet", Bytes: 10, Identity: "sha256:00", Rows: 5},
			{Dataset: "messages", Path: "gs://in/messages/day=1/a.parquet", Bytes: 20, Identity: "generation:1", Rows: 10},
			{Dataset: "messages", Path: "gs://in/messages/day=2/a.parquet", Bytes: 30, Identity: "generation:2", Rows: 0},
		},
		Datasets: map[string]Dataset{
			"messages": {
				Category: "communications", RowsIn: 10, RowsKept: 6, RowsExcluded: 4, ExcludedByReason: some,
				Causes: []CauseCount{
					{"deletion_requested", []string{"client"}, 1}, {"opted_out", []string{"freelancer"}, 2}, {"opted_out", []string{"freelancer", "client"}, 1},
				},
				Files: []File{file("day=1/a.parquet", 10, 6, some), file("day=2/a.parquet", 0, 0, ReasonCounts{})},
			},
			"events": {Category: "platform"},
		},
		Daily: Object{DailyPath, 4000, digest("f")},
		Gates: []Gate{
			{Name: "min_account_match", Dataset: "messages", Role: "freelancer", Limit: 0.001, Value: &share, Passed: true},
			{Name: "max_horizon_age", Passed: true},
		},
		Use:        map[string]Use{"messages": {Audience: "exclusive"}, "events": {Audience: "marketplace"}},
		Invocation: Invocation{StartedAt: time.Date(2026, 11, 20, 7, 0, 0, 0, time.UTC), FinishedAt: time.Date(2026, 11, 20, 7, 1, 0, 0, time.UTC), Workers: 2},
	}
}

func TestRunGolden(t *testing.T) {
	got, err := testRun().Marshal()
	if err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "run.json")
	if *update {
		if err := os.WriteFile(golden, got, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	run, err := ReadRun(bytes.NewReader(want))
	if err != nil {
		t.Fatal(err)
	}
	if err := SameOutcome(run, testRun()); err != nil {
		t.Error(err)
	}
	again, err := run.Marshal()
	if err != nil || !bytes.Equal(again, want) {
		t.Errorf("read and written again it is another: %v", err)
	}
}

func TestRunIsReadForward(t *testing.T) {
	data, err := testRun().Marshal()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		old, new string
		ok       bool
	}{
		"added field":    {`"tool": {`, `"added": {"a": [1]}, "tool": {"added": 2,`, true},
		"later version":  {`"schema_version": 1`, `"schema_version": 2`, false},
		"no version":     {`"schema_version": 1,`, ``, false},
		"unknown reason": {`"opted_out": 0`, `"opted_out": 0, "new": 0`, false},
		"trailing bytes": {"}\n", "}\n{}", false},
		"wrong type":     {`"workers": 2`, `"workers": "2"`, false},
	} {
		i := bytes.LastIndex(data, []byte(c.old))
		if i < 0 {
			t.Fatalf("%s: not found", name)
		}
		changed := string(data[:i]) + c.new + string(data[i+len(c.old):])
		if _, err := ParseRun([]byte(changed)); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRunValidate(t *testing.T) {
	edit := func(f func(*Dataset)) func(*Run) {
		return func(r *Run) {
			d := r.Datasets["messages"]
			f(&d)
			r.Datasets["messages"] = d
		}
	}
	for name, change := range map[string]func(*Run){
		"run id":             func(r *Run) { r.RunID = "../x" },
		"policy digest":      func(r *Run) { r.PolicyDigest = "" },
		"input of nothing":   func(r *Run) { r.Inputs[0].Role = "" },
		"input of both":      func(r *Run) { r.Inputs[0].Dataset = "messages" },
		"input of unknown":   func(r *Run) { r.Inputs[2].Dataset = "others" },
		"input rows":         func(r *Run) { r.Inputs[2].Rows = 1 },
		"input bytes":        func(r *Run) { r.Inputs[2].Bytes = -1 },
		"category":           edit(func(d *Dataset) { d.Category = "" }),
		"rows in":            edit(func(d *Dataset) { d.RowsIn++ }),
		"rows kept":          edit(func(d *Dataset) { d.RowsKept++; d.RowsExcluded-- }),
		"rows excluded":      edit(func(d *Dataset) { d.RowsExcluded++ }),
		"by reason":          edit(func(d *Dataset) { d.ExcludedByReason[0]++; d.ExcludedByReason[1]-- }),
		"file not conserved": edit(func(d *Dataset) { d.Files[0].RowsKept++ }),
		"file by reason":     edit(func(d *Dataset) { d.Files[0].ExcludedByReason[1]++; d.Files[0].ExcludedByReason[2]-- }),
		"file twice":         edit(func(d *Dataset) { d.Files[1] = d.Files[0] }),
		"file outside":       edit(func(d *Dataset) { d.Files[1].Source = "../a" }),
		"output elsewhere":   edit(func(d *Dataset) { d.Files[1].Output = "messages/b.parquet" }),
		"exclusions outside": edit(func(d *Dataset) { d.Files[1].Exclusions = "/etc/passwd" }),
		"subjects elsewhere": edit(func(d *Dataset) { d.Files[1].Subjects = d.Files[0].Subjects }),
		"digest":             edit(func(d *Dataset) { d.Files[1].SHA256 = strings.Repeat("A", 64) }),
		"size":               edit(func(d *Dataset) { d.Files[1].Bytes = -1 }),
		"overflow":           edit(func(d *Dataset) { d.Files[1].RowsIn = -1 << 63; d.Files[1].RowsKept = -1 << 63 }),
		"daily elsewhere":    func(r *Run) { r.Daily.Path = "daily.csv" },
		"daily digest":       func(r *Run) { r.Daily.SHA256 = "" },
		"causes missing":     edit(func(d *Dataset) { d.Causes = nil }),
		"causes too many":    edit(func(d *Dataset) { d.Causes[1].Rows++ }),
		"causes of another":  edit(func(d *Dataset) { d.Causes[0].Reason = "party_unknown" }),
		"cause of nothing":   edit(func(d *Dataset) { d.Causes[0].Reason = "" }),
		"cause twice":        edit(func(d *Dataset) { d.Causes[2] = CauseCount{"opted_out", []string{"freelancer"}, 1} }),
		"causes disordered":  edit(func(d *Dataset) { d.Causes[0], d.Causes[1] = d.Causes[1], d.Causes[0] }),
		"cause without rows": edit(func(d *Dataset) { d.Causes[1].Rows, d.Causes[2].Rows = 3, 0 }),
		"cause without role": edit(func(d *Dataset) { d.Causes[0].Roles = []string{} }),
		"role twice":         edit(func(d *Dataset) { d.Causes[0].Roles = []string{"client", "client"} }),
		"use is missing":     func(r *Run) { delete(r.Use, "events") },
		"use of nothing":     func(r *Run) { r.Use["others"] = Use{} },
		"use is too wide":    func(r *Run) { r.Use["messages"] = Use{Audience: "marketplace"} },
		"third-party":        func(r *Run) { r.Use["events"] = Use{Audience: "marketplace", ThirdPartyTraining: true} },
		"missing data set":   func(r *Run) { delete(r.Datasets, "messages") },
		"schema version":     func(r *Run) { r.SchemaVersion = 0 },
	} {
		r := testRun()
		change(r)
		if err := r.Validate(); err == nil {
			t.Errorf("%s: passes", name)
		}
		if _, err := r.Marshal(); err == nil {
			t.Errorf("%s: is written", name)
		}
	}
}

func TestSameOutcome(t *testing.T) {
	other := testRun()
	other.Invocation = Invocation{Workers: 9}
	if err := SameOutcome(testRun(), other); err != nil {
		t.Error(err)
	}
	for where, change := range map[string]func(*Run){
		"datasets.messages.files[1].sha256": func(r *Run) { r.Datasets["messages"].Files[1].SHA256 = strings.Repeat("0", 64) },
		"gates[0].value":                    func(r *Run) { *r.Gates[0].Value = 1 },
		"gates":                             func(r *Run) { r.Gates = nil },
		"inputs[0]":                         func(r *Run) { r.Inputs[0] = Input{Dataset: "events", Path: "x", Identity: "x"} },
		"requests_as_of":                    func(r *Run) { r.RequestsAsOf = nil },
		"tool.version":                      func(r *Run) { r.Tool.Version = "2" },
	} {
		r := testRun()
		change(r)
		if err := SameOutcome(testRun(), r); err == nil || !strings.HasSuffix(err.Error(), " "+where) {
			t.Errorf("%s: %v", where, err)
		}
	}
}

func TestMarkers(t *testing.T) {
	digest := strings.Repeat("e", 64)
	s := &Success{RunID: testRun().RunID, ManifestSHA256: digest, ReportSHA256: digest}
	line, err := s.Marshal()
	if want := `{"run_id":"20261120T000000Z-0123456789ab","manifest_sha256":"` + digest + `","report_sha256":"` + digest + "\"}\n"; err != nil || string(line) != want {
		t.Errorf("got %s, %v, want %s", line, err, want)
	}
	if got, err := ParseSuccess(line); err != nil || *got != *s {
		t.Errorf("got %+v, %v", got, err)
	}
	c := &Current{Run: "run=" + testRun().RunID, ManifestSHA256: digest}
	line, err = c.Marshal()
	if want := `{"run":"run=20261120T000000Z-0123456789ab","manifest_sha256":"` + digest + "\"}\n"; err != nil || string(line) != want {
		t.Errorf("got %s, %v, want %s", line, err, want)
	}
	if got, err := ParseCurrent(line); err != nil || *got != *c {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, bad := range []string{"", "{}", "null", `{"run":"run=../../x","manifest_sha256":"` + digest + `"}`, `{"run":"20261120T000000Z-0123456789ab","manifest_sha256":"` + digest + `"}`, string(line) + "x"} {
		if _, err := ParseCurrent([]byte(bad)); !errors.Is(err, ErrManifest) {
			t.Errorf("pointer %q: %v", bad, err)
		}
		if _, err := ParseSuccess([]byte(bad)); !errors.Is(err, ErrManifest) {
			t.Errorf("marker %q: %v", bad, err)
		}
		if _, err := ParseRun([]byte(bad)); !errors.Is(err, ErrManifest) {
			t.Errorf("run manifest %q: %v", bad, err)
		}
	}
}

// TestReasonCounts checks that every reason goes through run.json and back, and that the
// later ones are written only where they occur.
func TestReasonCounts(t *testing.T) {
	for _, r := range schema.AllReasons() {
		counts := countOf(r)
		data, err := json.Marshal(counts)
		if err != nil {
			t.Fatal(err)
		}
		var back ReasonCounts
		if err := json.Unmarshal(data, &back); err != nil || back != counts {
			t.Errorf("%s: %v, %v", data, back, err)
		}
		for _, other := range schema.AllReasons() {
			if want := other == r || other < schema.FirstReasons; strings.Contains(string(data), `"`+other.String()+`"`) != want {
				t.Errorf("%s: %s is listed: %v", data, other, !want)
			}
		}
	}
}

// TestReasonCountsForms reads counts in other forms of JSON, right and wrong, than the one that is written.
func TestReasonCountsForms(t *testing.T) {
	want := ReasonCounts{schema.DeletionRequested: 1, schema.PartyOptedOut: 3}
	for text, right := range map[string]bool{
		`{ "deletion_requested" : 1 ,` + "\n\t" + `"opted_out":3 }`: true,
		`{"deletion_requested":1,"opted_out":2,"opted_out":3}`:      true,
		`{"\u0064eletion_requested":1,"opted_out":3}`:               true,
		`{"deletion_requested":1,"opted_out":3,"opted_out,more":2}`: false,
		`{"deletion_requested":1,"opted_out":3,"unknown":0}`:        false,
		`{"deletion_requested":1,"opted_out":3.5}`:                  false,
		`{"deletion_requested":1,"opted_out":{"opted_out":3}}`:      false,
		`["deletion_requested",1]`:                                  false,
		`{"deletion_requested":1,"opted_out":9223372036854775808}`:  false,
	} {
		got := countOf(schema.PartyUnknown) // of which nothing may be left
		if err := json.Unmarshal([]byte(text), &got); right != (err == nil) || right && got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"{}", "{ }", "null"} {
		got := countOf(schema.PartyUnknown)
		if err := json.Unmarshal([]byte(text), &got); err != nil || got != (ReasonCounts{}) {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
}

func countOf(r schema.Reason) (counts ReasonCounts) {
	counts[r] = 5
	return counts
}

// TestRunSchema holds the published schema to the structs: the same properties, of the
// same type, required unless they may be left out, and each described.
func TestRunSchema(t *testing.T) {
	var root schemaNode
	if err := json.Unmarshal(schema.RunSchema, &root); err != nil {
		t.Fatal(err)
	}
	if root.Schema != "https://json-schema.org/draft/2020-12/schema" {
		t.Errorf("$schema is %q", root.Schema)
	}
	compareSchema(t, &root, "run", &root, reflect.TypeFor[Run]())
	reasons, audiences := schema.Reasons(1<<schema.NumReasons-1).Strings(), []string{}
	for _, c := range schema.Categories() {
		audiences = append(audiences, c.Audience())
	}
	for _, list := range []struct {
		what      string
		got, want []string
	}{
		{"required reasons", root.Defs["reasons"].Required, reasons[:schema.FirstReasons]},
		{"names of reasons", root.Defs["reasons"].Names.Enum, reasons},
		{"reasons of a cause", root.Defs["cause"].Properties["reason"].Enum, reasons},
		{"categories", root.Defs["dataset"].Properties["category"].Enum, schema.CategoryCodes()},
		{"audiences", root.Defs["use"].Properties["audience"].Enum, slices.Compact(audiences)},
	} {
		if !slices.Equal(list.got, list.want) {
			t.Errorf("%s: %q, want %q", list.what, list.got, list.want)
		}
	}
	if got := string(root.Properties["schema_version"].Const); got != "1" {
		t.Errorf("schema_version is %s", got)
	}
}

type schemaNode struct {
	Schema      string                 `json:"$schema"`
	Ref         string                 `json:"$ref"`
	Description string                 `json:"description"`
	Type        any                    `json:"type"`
	Const       json.RawMessage        `json:"const"`
	Format      string                 `json:"format"`
	Required    []string               `json:"required"`
	Properties  map[string]*schemaNode `json:"properties"`
	Enum        []string               `json:"enum"`
	Names       *schemaNode            `json:"propertyNames"`
	Additional  *schemaNode            `json:"additionalProperties"`
	Items       *schemaNode            `json:"items"`
	Defs        map[string]*schemaNode `json:"$defs"`
}

func compareSchema(t *testing.T, root *schemaNode, at string, n *schemaNode, typ reflect.Type) {
	t.Helper()
	if n == nil {
		t.Errorf("%s: is not in the schema", at)
		return
	}
	if name, ok := strings.CutPrefix(n.Ref, "#/$defs/"); ok {
		description := n.Description
		if n = root.Defs[name]; n == nil {
			t.Errorf("%s: no definition %s", at, name)
			return
		}
		if description == "" && n.Description == "" {
			t.Errorf("%s: is not described", at)
		}
	} else if n.Description == "" {
		t.Errorf("%s: is not described", at)
	}
	var want any
	nullable := typ.Kind() == reflect.Pointer
	if nullable {
		typ = typ.Elem()
	}
	switch {
	case typ == reflect.TypeFor[time.Time]():
		want = "string"
		if n.Format != "date-time" {
			t.Errorf("%s: format is %q", at, n.Format)
		}
	case typ == reflect.TypeFor[ReasonCounts]():
		want = "object"
	case typ.Kind() == reflect.Struct:
		want = "object"
		compareFields(t, root, at, n, typ)
	case typ.Kind() == reflect.Map:
		want = "object"
		compareSchema(t, root, at+".*", n.Additional, typ.Elem())
	case typ.Kind() == reflect.Slice:
		want = "array"
		compareSchema(t, root, at+"[]", n.Items, typ.Elem())
	default:
		want = map[reflect.Kind]string{reflect.String: "string", reflect.Bool: "boolean", reflect.Int: "integer", reflect.Int64: "integer", reflect.Float64: "number"}[typ.Kind()]
	}
	if nullable {
		want = []any{want, "null"}
	}
	if !reflect.DeepEqual(n.Type, want) {
		t.Errorf("%s: type is %v, want %v", at, n.Type, want)
	}
}

func compareFields(t *testing.T, root *schemaNode, at string, n *schemaNode, typ reflect.Type) {
	t.Helper()
	var required []string
	known := map[string]bool{}
	for i := range typ.NumField() {
		name, options, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
		known[name] = true
		if options == "" {
			required = append(required, name)
		}
		of := typ.Field(i).Type
		if of.Kind() == reflect.Pointer && options == "omitempty" { // absent rather than null
			of = of.Elem()
		}
		compareSchema(t, root, at+"."+name, n.Properties[name], of)
	}
	for name := range n.Properties {
		if !known[name] {
			t.Errorf("%s.%s: is not in the struct", at, name)
		}
	}
	if !reflect.DeepEqual(n.Required, required) {
		t.Errorf("%s: required are %q, want %q", at, n.Required, required)
	}
}

func FuzzParseRun(f *testing.F) {
	data, err := testRun().Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"schema_version":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		run, err := ParseRun(data)
		if err != nil {
			return
		}
		again, err := run.Marshal()
		if err != nil {
			return // a time that JSON cannot write in UTC
		}
		if other, err := ParseRun(again); err != nil {
			t.Fatal(err)
		} else if err := SameOutcome(run, other); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzMarkers(f *testing.F) {
	f.Add([]byte(`{"run":"run=20261120T000000Z-0123456789ab","manifest_sha256":"` + strings.Repeat("e", 64) + `"}`))
	f.Add([]byte(`{"run_id":"20261120T000000Z-0123456789ab","manifest_sha256":"` + strings.Repeat("e", 64) + `","report_sha256":"` + strings.Repeat("e", 64) + `"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := ParseCurrent(data); err == nil {
			if _, err := c.Marshal(); err != nil {
				t.Fatal(err)
			}
		}
		if s, err := ParseSuccess(data); err == nil {
			if _, err := s.Marshal(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
