package sample

import (
	"bytes"
	_ "embed"
	"encoding/csv"
	"strings"

	"assent/schema"
)

// GoldenCase is a planted record and what the rules make of it.
type GoldenCase struct {
	Dataset string // messages, deliverables or events
	Record  string // its id
	Why     string // what it is about
	Reasons schema.Reasons
}

// Golden lists the planted records: golden-01 to golden-12 are the golden timeline
// of the rules, the others an edge each. They are the first rows of the data sets'
// first files of the programme's first month (`month=2026-01/part-000.parquet`).
func Golden() []GoldenCase {
	var cases []GoldenCase
	for _, dataset := range []string{"messages", "deliverables", "events"} {
		for _, row := range goldenRows(dataset) {
			cases = append(cases, row.GoldenCase)
		}
	}
	return cases
}

// In a golden row the empty string stands for the usual value.
const (
	null  = "(null)"
	empty = "(empty)"
)

// goldenRow is a planted record of any data set: a line of golden.csv. Its moments
// are in RFC 3339.
type goldenRow struct {
	GoldenCase
	first    string // sent, created, occurred
	second   string // edited, submitted; usually null
	one      string // freelancer, actor; usually golden-a
	two      string // client; usually golden-b
	other    string // sender, usually the freelancer; target, usually null
	contract string // usually golden-contract
	room     string // participants, split at commas; usually both sides. Of events the visibility; usually null
}

//go:embed golden.csv
var goldenCSV []byte

// goldenRows returns the planted records of a data set. It panics where golden.csv,
// which is part of the program, is wrong; a test reads all of it.
func goldenRows(dataset string) []goldenRow {
	r := csv.NewReader(bytes.NewReader(goldenCSV))
	r.Comment = '#'
	lines, err := r.ReadAll()
	if err != nil {
		panic(err)
	}
	var rows []goldenRow
	for _, line := range lines[1:] {
		if line[0] != dataset {
			continue
		}
		row := goldenRow{
			GoldenCase: GoldenCase{Dataset: dataset, Record: line[1], Why: line[2]},
			first:      line[4], second: line[5], one: line[6], two: line[7], other: line[8], contract: line[9], room: line[10],
		}
		for _, code := range strings.Fields(line[3]) {
			reason, err := schema.ParseReason(code)
			if err != nil {
				panic(err)
			}
			row.Reasons |= reason.Set()
		}
		rows = append(rows, row)
	}
	return rows
}

func or(s, usual string) string {
	switch s {
	case "":
		return usual
	case empty:
		return ""
	}
	return s
}

func (r *goldenRow) freelancer() string { return or(r.one, "golden-a") }
func (r *goldenRow) client() string     { return or(r.two, "golden-b") }
func (r *goldenRow) contractID() string { return or(r.contract, "golden-contract") }

// The golden accounts. All but golden-gone, golden-stranger and the misspelt ones
// are in the registry.
var goldenAccounts = []string{
	"golden-a",            // the golden timeline's: out of communications and work product 2026-03-01T12:00Z, in again 2026-05-01
	"golden-b",            // no events
	"golden-c",            // asked for deletion on 2026-05-20, and again later
	"golden-work",         // out of work product alone
	"golden-platform",     // out of platform data alone, and in again
	"golden-sequence-in",  // two events at one instant: the higher sequence opts in
	"golden-sequence-out", // the higher sequence opts out
	"golden-tie",          // equal sequences: out wins; in again later
	"golden-early",        // out before the programme's start, in again 2026-02-01
	"golden-ancient",      // out since the year 1
	"golden-future",       // out in the year 9999
	"golden-late",         // out at the horizon
	"golden-repeat",       // opts out twice, in twice
	"golden-nobody",       // asked for deletion, but no record names it
	"golden-member",       // belongs to golden-org from May to July
}

var allSwitches = switches[0]

// goldenConsent has the golden accounts' events, each for some switches.
var goldenConsent = []struct {
	account  string
	switches []string
	in       bool
	at       string
	sequence int64
}{
	{"golden-a", switches[1], false, "2026-03-01T12:00:00Z", 1},
	{"golden-a", switches[1], true, "2026-05-01T00:00:00Z", 2},
	{"golden-work", []string{"work_product"}, false, "2026-03-01T12:00:00Z", 1},
	{"golden-platform", []string{"platform"}, false, "2026-03-01T12:00:00Z", 1},
	{"golden-platform", []string{"platform"}, true, "2026-05-01T00:00:00Z", 2},
	{"golden-sequence-in", allSwitches, true, "2026-04-01T00:00:00Z", 12},
	{"golden-sequence-in", allSwitches, false, "2026-04-01T00:00:00Z", 11},
	{"golden-sequence-out", allSwitches, false, "2026-04-01T00:00:00Z", 12},
	{"golden-sequence-out", allSwitches, true, "2026-04-01T00:00:00Z", 11},
	{"golden-tie", allSwitches, false, "2026-04-01T00:00:00Z", 7},
	{"golden-tie", allSwitches, true, "2026-04-01T00:00:00Z", 7},
	{"golden-tie", allSwitches, true, "2026-05-01T00:00:00Z", 8},
	{"golden-early", allSwitches, false, "2025-11-01T00:00:00Z", 1},
	{"golden-early", allSwitches, true, "2026-02-01T00:00:00Z", 2},
	{"golden-ancient", allSwitches, false, "0001-01-01T00:00:00Z", 1},
	{"golden-future", allSwitches, false, "9999-12-31T23:59:59.999999Z", 1},
	{"golden-late", allSwitches, false, "2026-11-20T00:00:00Z", 1},
	{"golden-repeat", allSwitches, false, "2026-03-01T00:00:00Z", 1},
	{"golden-repeat", allSwitches, false, "2026-03-10T00:00:00Z", 2},
	{"golden-repeat", allSwitches, true, "2026-04-01T00:00:00Z", 3},
	{"golden-repeat", allSwitches, true, "2026-04-02T00:00:00Z", 4},
	{"golden-repeat", allSwitches, false, "2026-05-01T00:00:00Z", 5},
	{"golden-org", []string{"platform"}, false, "2026-06-01T00:00:00Z", 1},
}

// goldenAliases has old ids; golden-old is golden-platform.
var goldenAliases = []struct{ old, account string }{{"golden-old", "golden-platform"}}

// goldenMemberships has who belonged to golden-org, which is out of platform data from June on.
var goldenMemberships = []struct{ account, organisation, from, until string }{
	{"golden-member", "golden-org", "2026-05-01T00:00:00Z", "2026-08-01T00:00:00Z"},
}

var goldenDeletions = []struct{ account, at, request string }{
	{"golden-c", "2026-05-20T00:00:00Z", "golden-request-1"},
	{"golden-c", "2026-06-02T08:30:00Z", "golden-request-2"},
	{"golden-gone", "2026-02-11T17:45:12Z", "golden-request-3"},
	{"golden-nobody", "2026-07-07T07:07:07Z", "golden-request-4"},
}

// goldenRestrictions has the clauses of the golden contracts; an empty until is null.
var goldenRestrictions = []struct{ contract, from, until string }{
	{"golden-closed", "2026-06-01T00:00:00Z", "2026-07-01T00:00:00Z"},
	{"golden-adjacent", "2026-06-01T00:00:00Z", "2026-07-01T00:00:00Z"},
	{"golden-adjacent", "2026-07-01T00:00:00Z", "2026-08-01T00:00:00Z"},
	{"golden-open", "2026-06-01T00:00:00Z", ""},
	{"golden-forever", "2026-06-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"},
	{"golden-old", "2025-06-01T00:00:00Z", "2026-02-01T00:00:00Z"},
}

// goldenText is a golden row's text as a field of a row; null is nil.
func goldenText(s string) []byte {
	if s == null {
		return nil
	}
	return []byte(s)
}

// goldenInstant is a golden row's moment in the unit that convert gives it.
func goldenInstant(s string, convert func(string) int64) *int64 {
	if s == null || s == "" {
		return nil
	}
	at := convert(s)
	return &at
}
