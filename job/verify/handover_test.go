package verify_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"assent/job/jobtest"
	"assent/job/parquet/thrift"
	"assent/job/run"
	"assent/job/verify"
)

// handingJob is auditedJob with columns left out and changed.
func handingJob(t testing.TB) (config, uri string) {
	t.Helper()
	config, _ = auditedJob(t)
	t.Setenv("ASSENT_PSEUDONYM_KEY", "cHNldWRvbnltIGtleSBmb3IgdGVzdHMsIDMyIGJ5dGU=")
	data, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(data), "messages: {path: messages/}", `messages:
    path: messages/
    columns: {drop: [kind]}
    pseudonymise: [freelancer_id, client_id, tokens]
    coarsen: {sent_at: day}`, 1)
	text = strings.Replace(text, "    subjects: {}", `    subjects: {}
    columns: {keep: [event_id, actors, occurred_at]}
    pseudonymise: [actors]
    coarsen: {occurred_at: month}`, 1)
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	r, err := run.Run(t.Context(), jobtest.NewEnv(t), run.Options{Config: config})
	if err != nil {
		t.Fatal(err)
	}
	return config, r.URI
}

// inTransform changes what the run manifest says of a column of the messages, in some of its files and in their sum.
func inTransform(column string, files int, change func(t map[string]any)) func(t *testing.T, run string) {
	return inManifest(func(m map[string]any) {
		for _, of := range append([]any{at(m, "datasets", "messages")}, at(m, "datasets", "messages", "files").([]any)[:files]...) {
			for _, t := range of.(map[string]any)["transforms"].([]any) {
				if t := t.(map[string]any); t["column"] == column {
					change(t)
				}
			}
		}
	})
}

// TestVerifyHandover tampers with what is handed over.
func TestVerifyHandover(t *testing.T) {
	config, uri := handingJob(t)
	r, err := verify.Run(t.Context(), jobtest.NewEnv(t), verify.Options{Config: config, Run: uri})
	if err != nil {
		t.Fatalf("%v\n%s", err, texts(r))
	}
	const tokens = 7 // in the data file, which lacks kind
	for _, m := range []mutant{
		{"an id as it was", one(messagesData, 3, "freelancer_id", toText("B")), messagesData, 6, "freelancer_id", "the value is not the input's, pseudonymised"},
		{"another's pseudonym", changeRows(messagesData, func(rows []parquet.Row, at func(string) int) []parquet.Row {
			other := rows[3][at("client_id")]
			set(rows[3], at("freelancer_id"), func(parquet.Value) parquet.Value { return parquet.ValueOf(other.String()) })
			return rows
		}), messagesData, 6, "freelancer_id", "the value is not the input's, pseudonymised"},
		{"a number as it was", one(messagesData, 3, "tokens", toText("1002")), messagesData, 6, "tokens", "the value is not the input's, pseudonymised"},
		{"an element as it was", one(eventsData, 0, "actors.list.element", toText("A")), eventsData, 0, "actors.list.element", "the value is not the input's, pseudonymised"},
		{"an instant as it was", one(messagesData, 3, "sent_at", func(parquet.Value) parquet.Value {
			return parquet.ValueOf(time.Date(2026, 2, 3, 0, 0, 1, 0, time.UTC).UnixMicro())
		}), messagesData, 6, "sent_at", "the value is not the input's, coarsened"},
		{"a day where it is the month", one(eventsData, 0, "occurred_at", func(parquet.Value) parquet.Value {
			return parquet.ValueOf(time.Date(2026, 2, 2, 0, 0, 0, 0, time.UTC).UnixMilli())
		}), eventsData, 0, "occurred_at", "the value is not the input's, coarsened"},
		{"another column changed", one(messagesData, 3, "body", toText("another body")), messagesData, 6, "body", "the value is not the input's"},
		{"a value of a dropped column, anywhere", patchFile(messagesData, func(t *testing.T, data []byte, footer thrift.Struct) ([]byte, thrift.Struct) {
			return append(data, "kind-of-kept-rows"...), footer
		}), messagesData, 39, "kind", "the column is left out"},
		{"an id in statistics", patchChunk(messagesData, tokens, func(meta *thrift.Struct) {
			var stats thrift.Struct
			stats.Set(thrift.BytesField(5, []byte("1003")))
			meta.Set(thrift.StructField(12, stats))
		}), messagesData, -1, "tokens", "a value that no kept row has stands in the statistics of row group 0"},
		{"a dropped name in metadata", patchFile(messagesData, func(t *testing.T, data []byte, footer thrift.Struct) ([]byte, thrift.Struct) {
			inList(t, &footer, 5, 0, func(e *thrift.Struct) {
				e.Set(thrift.BytesField(1, []byte("x")))
				e.Set(thrift.BytesField(2, []byte("see kind")))
			})
			return data, footer
		}), messagesData, -1, "", `metadata: key "x" names a column that is left out`},
		{"sorted by a changed column", patchFile(messagesData, func(t *testing.T, data []byte, footer thrift.Struct) ([]byte, thrift.Struct) {
			inList(t, &footer, 4, 0, func(g *thrift.Struct) {
				by := thrift.Struct{thrift.Int32Field(1, 1), thrift.BoolField(2, false), thrift.BoolField(3, false)}.Append(nil)
				g.Set(thrift.ListField(4, thrift.StrucT, 1, by))
			})
			return data, footer
		}), messagesData, -1, "", "sorted by a column that is left out or changed"},
		{"another type", patchFile(messagesData, func(t *testing.T, data []byte, footer thrift.Struct) ([]byte, thrift.Struct) {
			inList(t, &footer, 2, tokens+1, func(e *thrift.Struct) { e.Delete(6, 10) })
			return data, footer
		}), messagesData, -1, "", "the schema is not the input's without the columns that are left out"},
		{"fewer values", inTransform("tokens", 1, func(m map[string]any) { m["values"] = 1 }), messagesData, -1, "", "1 values of column tokens are pseudonymised"},
		{"another grain", inTransform("sent_at", 2, func(m map[string]any) { m["to"] = "hour" }), messagesData, -1, "", "values of column sent_at are coarsened hour: it is not so"},
		{"dropped in secret", inManifest(func(m map[string]any) {
			for _, of := range []any{at(m, "datasets", "messages"), at(m, "datasets", "messages", "files", 0), at(m, "datasets", "messages", "files", 1)} {
				d := of.(map[string]any)
				d["transforms"] = slices.DeleteFunc(d["transforms"].([]any), func(t any) bool { return t.(map[string]any)["action"] == "dropped" })
			}
		}), messagesData, -1, "", "does not say that column kind is dropped"},
		{"another key", inManifest(func(m map[string]any) { m["pseudonym_key"] = strings.Repeat("0", 32) }), "_manifest/run.json", -1, "", "the key of pseudonyms"},
	} {
		t.Run(m.name, func(t *testing.T) {
			copied := copyTree(t, uri)
			m.change(t, copied)
			r, err := verify.Run(t.Context(), jobtest.NewEnv(t), verify.Options{Config: config, Run: copied})
			m.check(t, r, err)
		})
	}
}

// A run whose files have all columns is not one of a configuration that leaves some out, whatever its manifest says.
func TestVerifyHandoverOfOther(t *testing.T) {
	_, plain := auditedJob(t)
	config, uri := handingJob(t)
	data, err := os.ReadFile(filepath.Join(plain, messagesData))
	if err != nil {
		t.Fatal(err)
	}
	copied := copyTree(t, uri)
	if err := os.WriteFile(filepath.Join(copied, messagesData), data, 0o644); err != nil {
		t.Fatal(err)
	}
	reseal(t, copied, nil)
	r, err := verify.Run(t.Context(), jobtest.NewEnv(t), verify.Options{Config: config, Run: copied})
	m := mutant{file: messagesData, row: -1, what: "the schema is not the input's without the columns that are left out"}
	m.check(t, r, err)

	t.Setenv("ASSENT_PSEUDONYM_KEY", jobtest.TestKey)
	if _, err := verify.Run(t.Context(), jobtest.NewEnv(t), verify.Options{Config: config, Run: uri}); err == nil || !strings.Contains(err.Error(), "the key for pseudonyms is the one for account references") {
		t.Errorf("the subject key as that of pseudonyms: %v", err)
	}
	var doc map[string]any
	data, err = os.ReadFile(filepath.Join(uri, "_manifest/run.json"))
	if err != nil || json.Unmarshal(data, &doc) != nil || len(doc["pseudonym_key"].(string)) != 32 {
		t.Errorf("%v: the run manifest does not tell the key", err)
	}
}
