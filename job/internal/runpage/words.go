package runpage

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"assent/job/internal/pages"
	"assent/manifests"
	"assent/schema"
)

// What the page says of causes, gates and rules.

var inputNames = map[string]string{
	"consent":      "Consent history",
	"deletions":    "Deletion requests",
	"restrictions": "Contract restrictions",
	"accounts":     "Registry of accounts",

	"aliases":       "Aliases of accounts",
	"organisations": "Memberships of organisations",
}

// causeText says a cause in words. Roles stand in it as they are named.
func causeText(c manifests.CauseCount) string {
	reason, _ := schema.ParseReason(c.Reason) // the run is valid
	who := make([]string, len(c.Roles))
	for i, role := range c.Roles {
		who[i] = "the " + strings.ReplaceAll(role, "_", " ")
	}
	if len(who) == 0 {
		return reason.Sentence()
	}
	return capital(reason.SentenceOf(pages.List(who), len(who)))
}

// categories lists the titles of all categories of a kind, with their number, and says
// whether the run has a data set of one of them.
func categories(run *manifests.Run, kind func(schema.Category) bool) (list string, n int, has bool) {
	var titles []string
	for _, c := range schema.Categories() {
		if !kind(c) {
			continue
		}
		titles = append(titles, strings.ToLower(c.Title()))
		for _, d := range run.Datasets {
			has = has || d.Category == c.String()
		}
	}
	return capital(pages.List(titles)), len(titles), has
}

// verb is a verb as it follows n nouns.
func verb(n int, word string) string {
	if n == 1 {
		return word + "s"
	}
	return word
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// gates are the gates of one name, gate is one of them.
type gates struct {
	What  string
	Gates []gate
}

type gate struct {
	Where, Limit, Found string
	Passed, Off         bool
}

func gatesOf(all []manifests.Gate) (out []gates) {
	at := map[string]int{}
	for i := range all {
		g := &all[i]
		if _, ok := at[g.Name]; !ok {
			at[g.Name] = len(out)
			out = append(out, gates{What: cmp.Or(gateNames[g.Name], g.Name)})
		}
		group := &out[at[g.Name]]
		group.Gates = append(group.Gates, gateOf(g))
	}
	return out
}

var gateNames = map[string]string{
	manifests.GateAccountMatch:      "Accounts in both the consent history and the data, of the smaller of the two",
	manifests.GateDeletionMatch:     "Accounts with a deletion request that the data names, of the smaller of the two",
	manifests.GateRestrictionMatch:  "Restricted contracts that the data names, of the smaller of the two",
	manifests.GateRegistryMatch:     "Accounts in both the registry and the data, of the smaller of the two",
	manifests.GateAliasMatch:        "Aliases and their accounts that the data names, of the smaller of the two",
	manifests.GateOrganisationMatch: "Members of organisations that the data names, of the smaller of the two",
	manifests.GateNearMisses:        "Ids that some record names only in another spelling",
	manifests.GateMaxExcluded:       "Records left out",
	manifests.GateHorizonAge:        "Age of the consent snapshot when the run began",
}

func gateOf(g *manifests.Gate) gate {
	out := gate{Where: "the whole run", Limit: number(g.Limit), Found: "not recorded", Passed: g.Passed}
	if g.Dataset != "" {
		out.Where = g.Dataset
	}
	if g.Role != "" {
		out.Where += ", " + g.Role
	}
	write := number
	switch g.Name {
	case manifests.GateAccountMatch, manifests.GateDeletionMatch, manifests.GateRestrictionMatch, manifests.GateRegistryMatch,
		manifests.GateAliasMatch, manifests.GateOrganisationMatch:
		write = percentText
		out.Limit, out.Off = "≥ "+percentText(g.Limit), g.Limit == 0
		out.Found = "nothing to compare"
	case manifests.GateNearMisses:
		out.Limit = "≤ " + number(g.Limit)
	case manifests.GateMaxExcluded:
		write = percentText
		out.Limit = "≤ " + percentText(g.Limit)
	case manifests.GateHorizonAge:
		write = duration
		out.Limit, out.Found = "≤ "+duration(g.Limit), "within it"
		if out.Off = g.Limit == 0; out.Off {
			out.Limit, out.Found = "none", "not checked"
		}
	}
	if g.Value != nil {
		out.Found = write(*g.Value)
	}
	return out
}

func number(x float64) string { return strconv.FormatFloat(x, 'g', 6, 64) }

// percentText writes a share with as many digits as tell it.
func percentText(x float64) string {
	if x > 0 && x < 1e-6 {
		return strconv.FormatFloat(100*x, 'g', 2, 64) + "%"
	}
	s := strconv.FormatFloat(100*x, 'f', 4, 64)
	s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	if whole, fraction, ok := strings.Cut(s, "."); ok && len(whole) > 1 && len(fraction) > 2 {
		s = strings.TrimRight(strings.TrimRight(strconv.FormatFloat(100*x, 'f', 2, 64), "0"), ".")
	}
	return s + "%"
}

func duration(seconds float64) string {
	for _, u := range []struct {
		name string
		is   float64
	}{{"day", 86400}, {"hour", 3600}, {"minute", 60}} {
		if n := seconds / u.is; n >= 1 && n == float64(int64(n)) && (u.name != "day" || n > 2) {
			return plural(int64(n), u.name)
		}
	}
	return number(seconds) + " seconds"
}

func plural(n int64, word string) string {
	if n != 1 {
		word += "s"
	}
	return pages.Count(n) + " " + word
}

// share writes a share of records. It says neither all nor none where that is not so.
func share(n, of int64) string {
	switch {
	case of == 0:
		return "–"
	case n > 0 && n*2000 < of:
		return "<0.1%"
	case n < of && (of-n)*2000 < of:
		return ">99.9%"
	}
	return fmt.Sprintf("%.1f%%", 100*float64(n)/float64(of))
}

func size(bytes int64) string {
	unit, x := "bytes", float64(bytes)
	for _, u := range []string{"KiB", "MiB", "GiB", "TiB", "PiB"} {
		if x < 1024 {
			break
		}
		unit, x = u, x/1024
	}
	if unit == "bytes" {
		return plural(bytes, "byte")
	}
	return fmt.Sprintf("%.1f %s", x, unit)
}

// rules says by which rules records were chosen.
func rules(run *manifests.Run) []string {
	var out []string
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	utc := func(t time.Time) string { return pages.Time(t) + " UTC" }
	say("The programme began on %s. Nothing that was made, edited or shared before is used.", utc(run.Program.StartsAt))
	state := "in"
	if run.Program.Default == schema.OptedOut.String() {
		state = "out"
	}
	say("An account is opted %s until it says otherwise, for each category of data by itself.", state)
	if all, n, has := categories(run, func(c schema.Category) bool { return c.Parties() > 1 }); has {
		say("%s %s all parties: if one side was opted out at any moment at which a record was made, edited or shared, the record is left out.", all, verb(n, "need"))
	}
	if all, n, has := categories(run, func(c schema.Category) bool { return c.Parties() == 1 }); has {
		say("%s %s the choice of the account that acted.", all, verb(n, "follow"))
	}
	say("Opting out is not retroactive: what was made and shared while all were opted in may be used. What comes from a time out stays out, also after an account has opted in again.")
	switch {
	case run.RequestsAsOf != nil:
		say("A deletion request is retroactive: it covers every record that names the account under any role, of any time. Requests are known up to %s.", utc(*run.RequestsAsOf))
	case has(run, "deletions"):
		say("A deletion request is retroactive: it covers every record that names the account under any role, of any time. There was none.")
	default:
		say("No deletion requests were given to this run.")
	}
	if has(run, "restrictions") {
		say("A contract's own clause against AI training binds, whatever the switches say.")
	} else {
		say("No contracts' clauses against AI training were given to this run.")
	}
	if has(run, "accounts") {
		say("A party that is not in the registry of accounts is not known.")
	}
	if has(run, "aliases") {
		say("An account that was renamed or merged is one account with the other: its choices and its deletion request hold for both.")
	}
	if has(run, "organisations") {
		say("While an account belongs to an organisation, the organisation's own choice counts beside the account's.")
	}
	say("Consent is known up to the horizon, %s. Nothing from then on is used.", utc(run.ConsentAsOf))
	say("What cannot be decided is left out. Where several reasons hold, the first of the steps above is counted; a record's own line in the exclusion manifest has all of them.")
	return out
}
