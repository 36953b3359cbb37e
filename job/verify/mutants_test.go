package verify_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"assent/job"
	"assent/job/jobtest"
	"assent/job/verify"
)

// A mutant is a run that was tampered with.
type mutant struct {
	name   string
	change func(t *testing.T, run string)
	file   string // of the difference wanted, as are row (-1: none), column and what
	row    int64
	column string
	what   string
}

const (
	messagesData       = "messages/m.parquet"
	messagesExclusions = "_manifest/exclusions/messages/m.parquet"
	messagesSubjects   = "_manifest/subjects/messages/m.parquet"
	eventsData         = "events/e.parquet"
	eventsExclusions   = "_manifest/exclusions/events/e.parquet"
)

// data changes rows of the data file. Its row 3 is row 6 of the input.
func changeRows(file string, change func(rows []parquet.Row, column func(string) int) []parquet.Row) func(t *testing.T, run string) {
	return func(t *testing.T, run string) {
		rewriteRows(t, filepath.Join(run, file), change)
		reseal(t, run, nil)
	}
}

// one changes a value of one row.
func one(file string, row int, column string, f func(parquet.Value) parquet.Value) func(t *testing.T, run string) {
	return changeRows(file, func(rows []parquet.Row, at func(string) int) []parquet.Row {
		set(rows[row], at(column), f)
		return rows
	})
}

func drop(file string, row int) func(t *testing.T, run string) {
	return changeRows(file, func(rows []parquet.Row, _ func(string) int) []parquet.Row { return slices.Delete(rows, row, row+1) })
}

func repeat(file string, row int) func(t *testing.T, run string) {
	return changeRows(file, func(rows []parquet.Row, _ func(string) int) []parquet.Row {
		return slices.Insert(rows, row, rows[row].Clone())
	})
}

func swap(file string, row int) func(t *testing.T, run string) {
	return changeRows(file, func(rows []parquet.Row, _ func(string) int) []parquet.Row {
		rows[row], rows[row+1] = rows[row+1], rows[row]
		return rows
	})
}

// changeEntry changes the subject index, of which entry i has the kept rows of
// account B.
func changeEntry(change func(rows []parquet.Row, i int, column func(string) int) []parquet.Row) func(t *testing.T, run string) {
	return changeRows(messagesSubjects, func(rows []parquet.Row, at func(string) int) []parquet.Row {
		i := slices.IndexFunc(rows, func(r parquet.Row) bool {
			roles, kept := "", false
			for _, v := range r {
				switch v.Column() {
				case at("roles.list.element"):
					roles += v.String() + " "
				case at("kept"):
					kept = v.Boolean()
				}
			}
			return roles == "freelancer sender " && kept
		})
		return change(rows, i, at)
	})
}

// flipKept makes a run as if row 1 of the messages were excluded like row 0: data,
// exclusions, subject index and counts are at one with each other.
func flipKept(t *testing.T, run string) {
	drop(messagesData, 0)(t, run)
	changeRows(messagesExclusions, func(rows []parquet.Row, at func(string) int) []parquet.Row {
		row := rows[0].Clone()
		set(row, at("source_row"), func(parquet.Value) parquet.Value { return parquet.ValueOf(int64(1)) })
		set(row, at("record_id"), toText("m1"))
		return slices.Insert(rows, 1, row)
	})(t, run)
	changeRows(messagesSubjects, func(rows []parquet.Row, at func(string) int) []parquet.Row { return moveRow(rows, at, 1) })(t, run)
	changeDay(t, run, "messages,2026-02-03", map[int]int{3: -1, 10: 1})
	reseal(t, run, func(m map[string]any) { count(m, -1) })
}

// flipExcluded is flipKept the other way round, for row 0.
func flipExcluded(t *testing.T, run string) {
	changeRows(messagesData, func(rows []parquet.Row, at func(string) int) []parquet.Row {
		row := rows[0].Clone()
		set(row, at("message_id"), toText("m0"))
		return slices.Insert(rows, 0, row)
	})(t, run)
	drop(messagesExclusions, 0)(t, run)
	changeRows(messagesSubjects, func(rows []parquet.Row, at func(string) int) []parquet.Row { return moveRow(rows, at, 0) })(t, run)
	changeDay(t, run, "messages,2026-03-10", map[int]int{3: 1, 10: -1})
	reseal(t, run, func(m map[string]any) { count(m, 1) })
}

// moveRow takes a row of the input out of its entries and gives it entries of its own
// with the other outcome.
func moveRow(rows []parquet.Row, at func(string) int, row int64) []parquet.Row {
	var out, moved []parquet.Row
	kept, list := at("kept"), at("rows.list.element")
	for _, r := range rows {
		var rest, own parquet.Row
		elements := 0
		for _, v := range r {
			if v.Column() == list && v.Int64() == row {
				own = append(own, v.Level(0, v.DefinitionLevel(), list))
				continue
			}
			if v.Column() == list {
				v = v.Level(min(elements, 1), v.DefinitionLevel(), list)
				elements++
			} else if v.Column() == kept {
				own = append(own, parquet.ValueOf(!v.Boolean()).Level(0, v.DefinitionLevel(), kept))
			} else {
				own = append(own, v)
			}
			rest = append(rest, v)
		}
		if elements > 0 {
			out = append(out, rest)
		}
		if slices.ContainsFunc(own, func(v parquet.Value) bool { return v.Column() == list }) {
			moved = append(moved, own)
		}
	}
	out = append(out, moved...)
	slices.SortStableFunc(out, func(a, b parquet.Row) int { return strings.Compare(a[0].String(), b[0].String()) })
	return out
}

// changeDay adds to columns of a line of the counts by day.
func changeDay(t *testing.T, run, line string, add map[int]int) {
	t.Helper()
	name := filepath.Join(run, "_manifest/daily.csv")
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(data), "\n")
	i := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, line+",") })
	if i < 0 {
		t.Fatalf("no line %s in\n%s", line, data)
	}
	fields := strings.Split(lines[i], ",")
	for column, n := range add {
		old, err := strconv.Atoi(fields[column])
		if err != nil {
			t.Fatal(err)
		}
		fields[column] = strconv.Itoa(old + n)
	}
	lines[i] = strings.Join(fields, ",")
	if err := os.WriteFile(name, []byte(strings.Join(lines, "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
}

// inDaily changes lines of the counts by day.
func inDaily(changes map[string]map[int]int) func(t *testing.T, run string) {
	return func(t *testing.T, run string) {
		for line, add := range changes {
			changeDay(t, run, line, add)
		}
		reseal(t, run, nil)
	}
}

// addCause adds to the records of the messages that are excluded for a reason.
func addCause(m map[string]any, reason string, n int64) {
	for _, c := range at(m, "datasets", "messages", "causes").([]any) {
		if c := c.(map[string]any); c["reason"] == reason {
			old, _ := c["rows"].(json.Number).Int64()
			c["rows"] = json.Number(fmt.Sprint(old + n))
			return
		}
	}
}

// count moves records of the first file of the messages from opted out to kept.
func count(m map[string]any, n int64) {
	add := func(m map[string]any, key string, n int64) {
		old, _ := m[key].(json.Number).Int64()
		m[key] = json.Number(fmt.Sprint(old + n))
	}
	addCause(m, "opted_out", -n)
	for _, v := range []any{at(m, "datasets", "messages"), at(m, "datasets", "messages", "files", 0)} {
		d := v.(map[string]any)
		add(d, "rows_kept", n)
		add(d["excluded_by_reason"].(map[string]any), "opted_out", -n)
		if _, ok := d["rows_excluded"]; ok {
			add(d, "rows_excluded", -n)
			for _, g := range at(m, "gates").([]any) {
				if g := g.(map[string]any); g["name"] == "max_excluded" && g["dataset"] == "messages" {
					excluded, _ := d["rows_excluded"].(json.Number).Int64()
					g["value"] = float64(excluded) / 40
				}
			}
		}
	}
}

// inManifest changes the run manifest.
func inManifest(change func(m map[string]any)) func(t *testing.T, run string) {
	return func(t *testing.T, run string) { reseal(t, run, change) }
}

// inGate changes what the run manifest says of a gate.
func inGate(name, key string, value any) func(t *testing.T, run string) {
	return inManifest(func(m map[string]any) {
		for _, g := range at(m, "gates").([]any) {
			if g := g.(map[string]any); g["name"] == name && g["dataset"] == nil {
				g[key] = value
			}
		}
	})
}

func at(v any, path ...any) any {
	for _, p := range path {
		switch p := p.(type) {
		case string:
			v = v.(map[string]any)[p]
		case int:
			v = v.([]any)[p]
		}
	}
	return v
}

func mutants() []mutant {
	never := func(v parquet.Value) parquet.Value { return parquet.ValueOf(int64(1)) }
	return []mutant{
		// Kept rows: row 3 of the data file is row 6 of the input.
		{"kept row dropped", drop(messagesData, 3), messagesData, 6, "message_id", "the value is not the input's"},
		{"last row dropped", drop(messagesData, 22), messagesData, 39, "body", "the file has no more rows"},
		{"kept row twice", repeat(messagesData, 3), messagesData, 7, "message_id", "the value is not the input's"},
		{"last row twice", repeat(messagesData, 22), messagesData, -1, "tokens", "more than the 23 rows"},
		{"kept rows swapped", swap(messagesData, 3), messagesData, 6, "body", "the value is not the input's"},
		{"text changed", one(messagesData, 3, "body", toText("another body")), messagesData, 6, "body", "the value is not the input's"},
		{"number changed", one(messagesData, 22, "tokens", never), messagesData, 39, "tokens", "the value is not the input's"},
		{"null filled", changeRows(messagesData, func(rows []parquet.Row, at func(string) int) []parquet.Row {
			c := at("edited_at")
			for i, v := range rows[3] {
				if v.Column() == c {
					rows[3][i] = parquet.ValueOf(int64(0)).Level(0, 1, c)
				}
			}
			return rows
		}), messagesData, 6, "edited_at", "nulls or list lengths"},
		{"list grown", changeRows(eventsData, func(rows []parquet.Row, at func(string) int) []parquet.Row {
			c := at("actors.list.element")
			i := slices.IndexFunc(rows[0], func(v parquet.Value) bool { return v.Column() == c })
			extra := parquet.ValueOf("C").Level(1, rows[0][i].DefinitionLevel(), c)
			rows[0] = slices.Insert(rows[0], i+2, extra)
			return rows
		}), eventsData, 0, "actors.list.element", "the list is not as long"},
		{"excluded row back", changeRows(messagesData, func(rows []parquet.Row, at func(string) int) []parquet.Row {
			row := rows[0].Clone()
			set(row, at("message_id"), toText("m0"))
			return slices.Insert(rows, 0, row)
		}), messagesData, 1, "message_id", "the value is not the input's"},

		// Exclusions: row 2 of the manifest is row 5 of the input, the deletion.
		{"exclusion dropped", drop(messagesExclusions, 2), messagesExclusions, 5, "", "the exclusion manifest does not have it"},
		{"last exclusion dropped", drop(messagesExclusions, 16), messagesExclusions, 36, "", "the exclusion manifest does not have it"},
		{"exclusion twice", repeat(messagesExclusions, 2), messagesExclusions, 5, "", "twice, or out of order"},
		{"exclusions swapped", swap(messagesExclusions, 2), messagesExclusions, 5, "", "does not have it"},
		{"exclusion of a kept row", one(messagesExclusions, 2, "source_row", func(parquet.Value) parquet.Value { return parquet.ValueOf(int64(6)) }), messagesExclusions, 6, "", "the rules keep it"},
		{"record id", one(messagesExclusions, 2, "record_id", toText("m6")), messagesExclusions, 5, "", "record_id is not the input's"},
		{"source file", one(messagesExclusions, 2, "source_file", toText("n.parquet")), messagesExclusions, 5, "", "source_file"},
		{"reason", one(messagesExclusions, 2, "reason", toText("opted_out")), messagesExclusions, 5, "", `reason is "opted_out", the rules give deletion_requested`},
		{"reasons", one(messagesExclusions, 2, "reasons.list.element", toText("opted_out")), messagesExclusions, 5, "", "reasons are"},
		{"moment", one(messagesExclusions, 2, "moment", never), messagesExclusions, 5, "", "moment is 1970-01-01T00:00:00.000000001Z"},
		{"since", one(messagesExclusions, 2, "subjects.list.element.since", never), messagesExclusions, 5, "", "subject 1 (client): since is"},
		{"cause", one(messagesExclusions, 2, "subjects.list.element.cause", toText("opted_out")), messagesExclusions, 5, "", "subject 1 (client): cause is"},
		{"role", one(messagesExclusions, 2, "subjects.list.element.role", toText("client")), messagesExclusions, 5, "", "subject 0: role is"},
		{"reference", one(messagesExclusions, 2, "subjects.list.element.ref", toText(strings.Repeat("0f", 16))), messagesExclusions, 5, "", "ref is of another account"},
		{"request", one(messagesExclusions, 2, "request_id", toText("req-1")), messagesExclusions, 5, "", "request_id"},
		{"exclusion of events", drop(eventsExclusions, 1), eventsExclusions, 2, "", "does not have it"},

		// The subject index: B is freelancer and sender of the kept rows, 1 being the first.
		{"account dropped", changeEntry(func(rows []parquet.Row, i int, _ func(string) int) []parquet.Row {
			return slices.Delete(rows, i, i+1)
		}), messagesSubjects, 1, "", "lacks the freelancer"},
		{"outcome", changeEntry(func(rows []parquet.Row, i int, at func(string) int) []parquet.Row {
			set(rows[i], at("kept"), func(parquet.Value) parquet.Value { return parquet.ValueOf(false) })
			return rows
		}), messagesSubjects, 1, "", "wrong outcome for the freelancer"},
		{"another account", changeEntry(func(rows []parquet.Row, i int, at func(string) int) []parquet.Row {
			set(rows[i], at("ref"), toText(strings.Repeat("0f", 16)))
			return rows
		}), messagesSubjects, 1, "", "an account as freelancer that the row does not name so"},
		{"accounts out of the filter", emptyFilter, messagesSubjects, -1, "", "the bloom filter of row group 0 is not that of its references"},
		{"another role", changeEntry(func(rows []parquet.Row, i int, at func(string) int) []parquet.Row {
			set(rows[i], at("roles.list.element"), toText("client"))
			return rows
		}), messagesSubjects, 1, "", "an account as client that the row does not name so"},
		{"another row", changeEntry(func(rows []parquet.Row, i int, at func(string) int) []parquet.Row {
			set(rows[i], at("rows.list.element"), func(v parquet.Value) parquet.Value {
				if v.Int64() == 39 {
					return parquet.ValueOf(int64(36))
				}
				return v
			})
			return rows
		}), messagesSubjects, 39, "", "lacks the freelancer"},
		{"account twice", changeEntry(func(rows []parquet.Row, i int, at func(string) int) []parquet.Row {
			row := rows[i].Clone()
			set(row, at("ref"), toText(strings.Repeat("0f", 16)))
			return slices.Insert(rows, 0, row)
		}), messagesSubjects, 1, "", "that the row does not name so"},
		{"row out of range", changeEntry(func(rows []parquet.Row, i int, at func(string) int) []parquet.Row {
			set(rows[i], at("rows.list.element"), func(parquet.Value) parquet.Value { return parquet.ValueOf(int64(40)) })
			return rows
		}), messagesSubjects, -1, "", "a row is out of range"},

		// A decision that is another, and all that follows from it.
		{"excluded after all", flipKept, messagesExclusions, 1, "", "the exclusion manifest has the row, the rules keep it"},
		{"kept after all", flipExcluded, messagesExclusions, 0, "", "the rules exclude the row (opted_out), the exclusion manifest does not have it"},

		// The run manifest.
		{"counts", inManifest(func(m map[string]any) {
			addCause(m, "opted_out", -1)
			addCause(m, "moment_unknown", 1)
			for _, d := range []any{at(m, "datasets", "messages"), at(m, "datasets", "messages", "files", 0)} {
				d.(map[string]any)["excluded_by_reason"].(map[string]any)["opted_out"] = 9
				d.(map[string]any)["excluded_by_reason"].(map[string]any)["moment_unknown"] = 2
			}
		}), messagesData, -1, "", "10 rows are excluded for opted_out, the run manifest has 9"},
		{"rows kept", inManifest(func(m map[string]any) {
			addCause(m, "opted_out", -1)
			for _, d := range []any{at(m, "datasets", "messages"), at(m, "datasets", "messages", "files", 0)} {
				d := d.(map[string]any)
				d["rows_kept"] = 24
				d["excluded_by_reason"].(map[string]any)["opted_out"] = 9
				if _, ok := d["rows_excluded"]; ok {
					d["rows_excluded"] = 16
				}
			}
		}), messagesData, -1, "", "the rules keep 23 of 40 rows, the run manifest has 24 of 40"},
		{"conservation", inManifest(func(m map[string]any) {
			at(m, "datasets", "messages").(map[string]any)["rows_kept"] = 24
		}), "_manifest/run.json", -1, "", "the counts are not the sums"},
		{"whose cause", inManifest(func(m map[string]any) {
			for _, c := range at(m, "datasets", "messages", "causes").([]any) {
				if c := c.(map[string]any); c["reason"] == "opted_out" {
					c["roles"] = []any{"client"}
				}
			}
		}), "_manifest/run.json", -1, "", `0 records are excluded for opted_out by ["client"], it has 10`},
		{"cause", inManifest(func(m map[string]any) { addCause(m, "opted_out", 1) }), "_manifest/run.json", -1, "", "the causes do not add up"},

		// The counts by day, and the report.
		{"day", inDaily(map[string]map[int]int{"messages,2026-03-10": {2: 1, 3: 1}}), "_manifest/daily.csv", -1, "", "messages: the days do not add up"},
		{"days", inDaily(map[string]map[int]int{"messages,2026-03-10": {2: 1, 3: 1}, "messages,2026-02-03": {2: -1, 3: -1}}), "_manifest/daily.csv", -1, "", "messages, 2026-03-10: the rules keep 0 of 10 records, it has 1 of 11"},
		{"reasons of a day", inDaily(map[string]map[int]int{"messages,2026-03-10": {9: 1, 10: -1}, "messages,2026-02-03": {9: -1, 10: 1}}), "_manifest/daily.csv", -1, "", "or other reasons"},
		{"form of the days", func(t *testing.T, run string) { add(t, run, "_manifest/daily.csv"); reseal(t, run, nil) }, "_manifest/daily.csv", -1, "", "not its header"},
		{"digest of the days", inManifest(func(m map[string]any) { at(m, "daily").(map[string]any)["sha256"] = strings.Repeat("0", 64) }), "_manifest/daily.csv", -1, "", "not the one of the run manifest"},
		{"days missing", func(t *testing.T, run string) { remove(t, run, "_manifest/daily.csv") }, "_manifest/daily.csv", -1, "", "missing"},
		{"report", func(t *testing.T, run string) {
			page, err := os.ReadFile(filepath.Join(run, "_manifest/report.html"))
			if err != nil || !strings.Contains(string(page), "40") {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(run, "_manifest/report.html"), []byte(strings.Replace(string(page), "40", "41", 1)), 0o644); err != nil {
				t.Fatal(err)
			}
			data, err := os.ReadFile(filepath.Join(run, "_manifest/run.json"))
			if err != nil {
				t.Fatal(err)
			}
			sealReport(t, run, runID(t, data), digestOf(data))
		}, "_manifest/report.html", -1, "", "not the report of the run manifest"},
		{"report changed", func(t *testing.T, run string) { add(t, run, "_manifest/report.html") }, "_manifest/report.html", -1, "", "its SHA-256 is not the one of _SUCCESS"},
		{"report missing", func(t *testing.T, run string) { remove(t, run, "_manifest/report.html") }, "_manifest/report.html", -1, "", "missing"},

		{"data digest", inManifest(func(m map[string]any) {
			at(m, "datasets", "messages", "files", 0).(map[string]any)["sha256"] = strings.Repeat("0", 64)
		}), messagesData, -1, "", "its SHA-256"},
		{"index digest", inManifest(func(m map[string]any) {
			at(m, "datasets", "messages", "files", 0).(map[string]any)["subjects_sha256"] = strings.Repeat("0", 64)
		}), messagesSubjects, -1, "", "its SHA-256"},
		{"size", inManifest(func(m map[string]any) {
			at(m, "datasets", "messages", "files", 0).(map[string]any)["exclusions_bytes"] = 5
		}), messagesExclusions, -1, "", "the run manifest has 5"},
		{"policy", inManifest(func(m map[string]any) { m["policy_digest"] = strings.Repeat("0", 64) }), "_manifest/run.json", -1, "", "policy_digest"},
		{"default", inManifest(func(m map[string]any) { at(m, "program").(map[string]any)["default"] = "opted_out" }), "_manifest/run.json", -1, "", "program.default"},
		{"start", inManifest(func(m map[string]any) { at(m, "program").(map[string]any)["starts_at"] = "2025-01-05T00:00:00Z" }), "_manifest/run.json", -1, "", "program.starts_at"},
		{"horizon", inManifest(func(m map[string]any) { m["consent_as_of"] = "2026-06-02T00:00:00Z" }), "_manifest/run.json", -1, "", "the consent horizon"},
		{"requests", inManifest(func(m map[string]any) { m["requests_as_of"] = "2026-06-02T00:00:00Z" }), "_manifest/run.json", -1, "", "requests_as_of"},
		{"tool", inManifest(func(m map[string]any) { at(m, "tool").(map[string]any)["version"] = "9" }), messagesData, -1, "", "created_by"},
		{"gate value", inGate("min_account_match", "value", 0.9), "_manifest/run.json", -1, "", "gate min_account_match: its value"},
		{"gate of deletions", inGate("min_deletion_match", "value", 0.9), "_manifest/run.json", -1, "", "gate min_deletion_match: its value"},
		{"gate of restrictions", inGate("min_restriction_match", "value", 0.9), "_manifest/run.json", -1, "", "gate min_restriction_match: its value"},
		{"gate of the registry", inGate("min_registry_match", "value", 0.9), "_manifest/run.json", -1, "", "gate min_registry_match: its value"},
		{"near misses", inGate("max_near_misses", "value", 1), "_manifest/run.json", -1, "", "gate max_near_misses: its value"},
		{"gate limit", inGate("min_account_match", "limit", 0.9), "_manifest/run.json", -1, "", "gate min_account_match: its limit"},
		{"gate failed", inGate("min_account_match", "passed", false), "_manifest/run.json", -1, "", "gate min_account_match did not pass"},
		{"gate missing", inManifest(func(m map[string]any) {
			m["gates"] = slices.DeleteFunc(at(m, "gates").([]any), func(g any) bool { return at(g, "name") == "max_near_misses" })
		}), "_manifest/run.json", -1, "", "gate max_near_misses is missing"},
		{"ids", inManifest(func(m map[string]any) { at(m, "joins", 0).(map[string]any)["ids"] = 7 }), "_manifest/run.json", -1, "", "joins of consent: there are 3 ids, it has 7"},
		{"ids that match", inManifest(func(m map[string]any) { at(m, "joins", 1).(map[string]any)["matched"] = 0 }), "_manifest/run.json", -1, "", "joins of deletions: the data names 1 of its ids, it has 0"},
		{"ids without an account", inManifest(func(m map[string]any) {
			join := at(m, "joins", 0).(map[string]any)
			join["ids"], join["matched"], join["unregistered"] = 3, 2, 1
		}), "_manifest/run.json", -1, "", "the registry lacks 0 ids"},
		{"joins missing", inManifest(func(m map[string]any) { m["joins"] = at(m, "joins").([]any)[1:] }), "_manifest/run.json", -1, "", "joins of consent are missing"},
		{"identity", inManifest(func(m map[string]any) { at(m, "inputs", 0).(map[string]any)["identity"] = "crc32c:00000000" }), "consent/a.parquet", -1, "", "the input has changed"},
		{"input size", inManifest(func(m map[string]any) { at(m, "inputs", 0).(map[string]any)["bytes"] = 7 }), "consent/a.parquet", -1, "", "the input has changed"},
		{"input gone", inManifest(func(m map[string]any) { at(m, "inputs", 0).(map[string]any)["path"] = "consent/b.parquet" }), "consent/b.parquet", -1, "", "the input is gone"},
		{"input new", inManifest(func(m map[string]any) { m["inputs"] = at(m, "inputs").([]any)[1:] }), "consent/a.parquet", -1, "", "the run knows no such input"},

		// Objects.
		{"object missing", func(t *testing.T, run string) { remove(t, run, eventsData) }, eventsData, -1, "", "missing"},
		{"object added", func(t *testing.T, run string) { add(t, run, "messages/x.parquet") }, "messages/x.parquet", -1, "", "does not name it"},
		{"marker missing", func(t *testing.T, run string) { remove(t, run, "_SUCCESS") }, "_SUCCESS", -1, "", "missing"},
		{"marker damaged", func(t *testing.T, run string) { add(t, run, "_SUCCESS") }, "_SUCCESS", -1, "", ""},
		{"manifest changed", func(t *testing.T, run string) { add(t, run, "_manifest/run.json") }, "_manifest/run.json", -1, "", "SHA-256"},
	}
}

func runID(t *testing.T, manifest []byte) string {
	var m struct {
		RunID string `json:"run_id"`
	}
	if err := json.Unmarshal(manifest, &m); err != nil {
		t.Fatal(err)
	}
	return m.RunID
}

func remove(t *testing.T, run, name string) {
	if err := os.Remove(filepath.Join(run, name)); err != nil {
		t.Fatal(err)
	}
}

func add(t *testing.T, run, name string) {
	if err := os.WriteFile(filepath.Join(run, name), []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestVerifyMutants tampers with a run in every way, mends digests, and wants the
// audit to say which file and row is at fault, without telling accounts or content.
func TestVerifyMutants(t *testing.T) {
	config, run := auditedJob(t)
	for i, m := range mutants() {
		if testing.Short() && i%5 != 0 {
			continue
		}
		t.Run(m.name, func(t *testing.T) {
			copied := copyTree(t, run)
			m.change(t, copied)
			r, err := verify.Run(t.Context(), jobtest.NewEnv(t), verify.Options{Config: config, Run: copied})
			m.check(t, r, err)
		})
	}
}

func (m *mutant) check(t *testing.T, r *verify.Result, err error) {
	t.Helper()
	if exit, _ := job.Explain(err); exit != job.ExitRefused || r == nil || r.Status != verify.Differs {
		t.Fatalf("exit %d, %v, %+v", exit, err, r)
	}
	if !strings.Contains(err.Error(), r.Differences[0].String()) {
		t.Errorf("the error does not tell the first difference: %v", err)
	}
	found := slices.ContainsFunc(r.Differences, func(d verify.Difference) bool {
		row := int64(-1)
		if d.Row != nil {
			row = *d.Row
		}
		return d.File == m.file && row == m.row && (m.column == "" || d.Column == m.column) && strings.Contains(d.What, m.what)
	})
	if !found {
		t.Errorf("not found:\n%s", texts(r))
	}
	if strings.Contains(texts(r), "the body of") {
		t.Errorf("content:\n%s", texts(r))
	}
}

func texts(r *verify.Result) string {
	b := new(strings.Builder)
	for _, d := range r.Differences {
		fmt.Fprintln(b, d)
	}
	return b.String()
}
