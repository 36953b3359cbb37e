package card_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"assent/job/internal/card"
	"assent/job/parquet"
	"assent/manifests"
)

func leaf(name string) card.Column {
	return card.Column{Name: name, Croissant: "sc:Text", Arrow: "string"}
}

// nested are columns of every shape.
func nested() []card.Column {
	return []card.Column{
		leaf("id"), leaf("with blank"),
		{Name: "tags", Kind: card.List, Parts: []card.Column{leaf("element")}},
		{Name: "grid", Kind: card.List, Parts: []card.Column{{Name: "element", Kind: card.List, Parts: []card.Column{leaf("element")}}}},
		{Name: "of", Kind: card.Group, Parts: []card.Column{
			leaf("it's"),
			{Name: "in", Kind: card.Group, Parts: []card.Column{leaf("deep")}},
			{Name: "all", Kind: card.List, Parts: []card.Column{{Name: "element", Kind: card.Group, Parts: []card.Column{leaf("x")}}}},
		}},
		{Name: "map", Kind: card.Map, Parts: []card.Column{leaf("key"), leaf("value")}},
		{Name: "unique", Arrow: "binary"},
		{Name: "each", Kind: card.List, Parts: []card.Column{{Name: "element", Arrow: "binary"}}},
		{Name: "late", Croissant: "cr:Int32", Arrow: "int32", Some: true},
	}
}

func testRun() *manifests.Run {
	sum := strings.Repeat("0123456789abcdef", 4)
	return &manifests.Run{
		RunID: "20260601T000000Z-0123456789ab", Program: manifests.Program{Name: "tiny"}, ConsentAsOf: time.Date(2026, 6, 1, 13, 4, 5, 6, time.UTC),
		Datasets: map[string]manifests.Dataset{
			"messages": {Category: "communications", RowsIn: 10, RowsKept: 7, Files: []manifests.File{
				{Source: "month=1/v=2/a b.parquet", Output: "messages/month=1/v=2/a b.parquet", Bytes: 5, SHA256: sum},
				{Source: "month=2/c.parquet", Output: "messages/month=2/c.parquet", Bytes: 6, SHA256: sum},
			}},
			"events": {Category: "platform", Files: []manifests.File{{Source: "e.parquet", Output: "events/e.parquet", SHA256: sum}}},
		},
		Use: map[string]manifests.Use{"messages": {Audience: "exclusive"}, "events": {Audience: "marketplace"}},
	}
}

func documents(t *testing.T) (croissant map[string]any, readme string) {
	t.Helper()
	all, err := card.Documents(testRun(), map[string][]card.Column{"messages": nested(), "events": {leaf("id")}})
	if err != nil {
		t.Fatal(err)
	}
	again, err := card.Documents(testRun(), map[string][]card.Column{"messages": nested(), "events": {leaf("id")}})
	if err != nil || !bytes.Equal(all[0].Data, again[0].Data) || !bytes.Equal(all[1].Data, again[1].Data) {
		t.Errorf("a repeat makes other documents: %v", err)
	}
	if all[0].Path != card.CroissantPath || all[1].Path != card.ReadmePath {
		t.Errorf("%s, %s", all[0].Path, all[1].Path)
	}
	if err := json.Unmarshal(all[0].Data, &croissant); err != nil {
		t.Fatal(err)
	}
	return croissant, string(all[1].Data)
}

// TestCroissantFields wants every leaf of a nested column where a loader finds it: by a path in JSON, and by one more for the
// elements of each list on the way.
func TestCroissantFields(t *testing.T) {
	croissant, _ := documents(t)
	set := croissant["recordSet"].([]any)[1].(map[string]any)
	got := map[string]string{}
	var walk func(fields []any, array string)
	walk = func(fields []any, array string) {
		for _, f := range fields {
			f := f.(map[string]any)
			shape, _ := f["arrayShape"].(string)
			if f["subField"] != nil {
				walk(f["subField"].([]any), array+shape)
				continue
			}
			source := f["source"].(map[string]any)
			var steps []string
			if column, ok := source["extract"].(map[string]any)["column"].(string); ok {
				steps = append(steps, column)
			}
			switch transform := source["transform"].(type) {
			case []any:
				for _, step := range transform {
					steps = append(steps, step.(map[string]any)["jsonPath"].(string))
				}
			case map[string]any:
				steps = append(steps, transform["regex"].(string))
			}
			got[f["@id"].(string)] = strings.TrimSpace(strings.Join(steps, " ") + " " + array + shape)
		}
	}
	walk(set["field"].([]any), "")
	want := map[string]string{
		"messages/id": "id", "messages/with~20blank": "with blank", "messages/tags": "tags -1", "messages/grid": "grid -1,-1",
		"messages/of/it~27s": `of $['it\'s']`, "messages/of/in/deep": "of $['in']['deep']", "messages/of/all/x": "of $['all'] $['x'] -1",
		"messages/map/key": "map $[0] -1", "messages/map/value": "map $[1] -1", "messages/month": `^(?:.*/)?month=([^/]*)/.*$`,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if told := set["description"].(string); !strings.Contains(told, "7 of 10 records") || !strings.Contains(told, "column late") ||
		!strings.Contains(told, "column unique, too: it is of UUIDs") || !strings.Contains(told, "column each, too: it is of UUIDs") {
		t.Error(told)
	}
	if croissant["version"] != "20260601.130405.0" || croissant["assent:consentAsOf"] != "2026-06-01T13:04:05.000000006Z" {
		t.Errorf("%v, %v", croissant["version"], croissant["assent:consentAsOf"])
	}
}

func TestCroissantIDs(t *testing.T) {
	croissant, _ := documents(t)
	seen := map[string]bool{}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if id, ok := v["@id"].(string); ok && len(v) > 1 && v["@type"] != "@json" && v["@type"] != "@vocab" {
				if seen[id] || strings.ContainsAny(id, " '%#?") {
					t.Errorf("@id %q", id)
				}
				seen[id] = true
			}
			for _, part := range v {
				walk(part)
			}
		case []any:
			for _, part := range v {
				walk(part)
			}
		}
	}
	walk(croissant)
	if len(seen) < 15 {
		t.Errorf("%d ids", len(seen))
	}
}

func TestCard(t *testing.T) {
	_, readme := documents(t)
	for _, want := range []string{
		"- config_name: \"events\"\n  data_files: \"events/**\"\n- config_name: \"messages\"\n  data_files: \"messages/**\"\n",
		`  columns: ["id","with blank","tags","grid","of","unique","each","late"]`,
		`{"list":{"list":"string"},"name":"grid"}`, `{"list":[{"dtype":"string","name":"x"}],"name":"all"}`,
		"- config_name: \"events\"\n  features: [{\"dtype\":\"string\",\"name\":\"id\"}]\n", "| messages | 7 of 10 |",
	} {
		if !strings.Contains(readme, want) {
			t.Errorf("%q is not in\n%s", want, readme)
		}
	}
	if strings.Contains(readme, "data_files: \"_") || strings.Count(readme, "data_files") != 2 {
		t.Error(readme)
	}
}

func TestMerge(t *testing.T) {
	merged := card.Merge(card.Merge([]card.Column{leaf("a"), leaf("new")}, []card.Column{leaf("a"), leaf("old")}), []card.Column{leaf("a"), leaf("new")})
	var got []string
	for _, c := range merged {
		if c.Some {
			c.Name += " in some"
		}
		got = append(got, c.Name)
	}
	if !slices.Equal(got, []string{"a", "new in some", "old in some"}) {
		t.Errorf("%q", got)
	}
}

// TestColumnsOfCorpus tells the columns of public files: each leaf that the file has is in one of them, and has types.
func TestColumnsOfCorpus(t *testing.T) {
	names, err := filepath.Glob("../../../../shared/corpora/parquet-testing/data/*.parquet")
	if err != nil || len(names) == 0 {
		t.Skip("the public files are not there")
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		f, err := parquet.Open(t.Context(), bytes.NewReader(data), int64(len(data)), name)
		if errors.Is(err, parquet.ErrUnsupported) || errors.Is(err, parquet.ErrCorrupt) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		leaves := 0
		var walk func(all []card.Column)
		walk = func(all []card.Column) {
			for _, c := range all {
				if c.Kind == card.Leaf {
					if leaves++; c.Croissant == "" || c.Arrow == "" {
						t.Errorf("%s: %s has no type", name, c.Name)
					}
				}
				walk(c.Parts)
			}
		}
		walk(card.ColumnsOf(f))
		if leaves != len(f.Columns()) {
			t.Errorf("%s: %d leaves of %d", name, leaves, len(f.Columns()))
		}
	}
}
