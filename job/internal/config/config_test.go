package config

import (
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"assent/schema"
)

const smallConfig = `version: 1
program: {name: p, starts_at: 2026-01-05}
output: out
inputs:
  consent: {path: consent}
datasets:
  messages: {path: m}
`

func TestConfigDefaults(t *testing.T) {
	t.Setenv("MONTH", "2026-03")
	cfg, err := parse([]byte(smallConfig), "/jobs/job.yaml", []string{"datasets.messages.path=gs://b/month=${MONTH}", "inputs.consent.as_of=2026-06-01T00:00:00Z"})
	if err != nil {
		t.Fatal(err)
	}
	d := cfg.Datasets[0]
	if cfg.Output != "/jobs/out" || cfg.Display(cfg.Output) != "out" || d.Path != "gs://b/month=2026-03" {
		t.Errorf("paths: %q, %q, %q", cfg.Output, cfg.Display(cfg.Output), d.Path)
	}
	if cfg.Consent.AsOf.String() != "2026-06-01T00:00:00Z" || cfg.Program.Default != schema.OptedIn || cfg.Gates.MinAccountMatch != 0.001 || cfg.Gates.MaxExcluded != 1 {
		t.Errorf("%+v", cfg)
	}
	if d.Category != schema.Communications || d.Record != "message_id" || len(d.Parties) != 2 || d.Moments[1].Column != "edited_at" || d.Author != "sender" {
		t.Errorf("%+v", d)
	}
}

// TestConfigErrors holds each complaint to its key and line.
func TestConfigErrors(t *testing.T) {
	for _, c := range []struct{ set, want string }{
		{"version=2", `--set version: version "2" is not known`},
		{"program.start=2026-01-01", "--set program.start: unknown key"},
		{"program.starts_at=tomorrow", `--set program.starts_at: "tomorrow" is not an instant`},
		{"program.starts_at=2026-01-05T00:00:00", "is not an instant"},
		{"program.default=maybe", `unknown state "maybe"`},
		{"program.name=", "--set program.name: must not be empty"},
		{"output=s3://bucket", "--set output"},
		{"inputs.consent.states={yes: in}", `inputs.consent.states.yes: unknown state "in"`},
		{"inputs.consent.categories={mail: email}", `inputs.consent.categories.mail: unknown category "email"`},
		{"inputs.consent.ignore_categories=[platform]", "is mapped under categories as well"},
		{"inputs.consent=x", "--set inputs.consent: want a mapping"},
		{"datasets={}", "datasets must name at least one data set"},
		{"datasets.messages.parties={a: x, b: x}", "two party roles share the column"},
		{"datasets.messages.parties={a: x}", "at least 2 party roles"},
		{"datasets.messages.subjects={client: x}", "stands under parties as well"},
		{`datasets.messages.subjects={"a,b": x}`, "has no comma"},
		{"datasets.messages.author=nobody", `"nobody" is no role`},
		{"datasets.messages.scope=sender", `unknown scope "sender" (party or author)`},
		{"datasets.messages.moments={}", "at least one moment"},
		{"datasets.messages.timezone=CET", "only UTC"},
		{"datasets.other={path: x}", "line 7: datasets.other: category is missing"},
		{"datasets._x={path: x}", "data set's name"},
		{"gates.max_excluded=2", "not a share"},
		{"gates.max_horizon_age=long", "not a duration"},
		{"gates=[1]", "want a mapping"},
		{"gates={max_excluded:0.5}", "a colon needs a space"},
		{"gates.max_near_misses=-1", "not a number"},
		{"gates.max_near_misses=1.5", "not a number"},
		{"inputs.consent.allow_empty=yes", "neither true nor false"},
		{"inputs.consent.deleted={values: [D]}", "--set inputs.consent.deleted: column is missing"},
		{"inputs.consent.deleted={column: op}", "values are missing"},
		{"inputs.consent.deleted={column: op, values: []}", "values are missing"},
		{"inputs.consent.deleted={column: op, values: [D, null]}", "values are missing"},
		{"inputs.consent.deleted={column: op, values: D}", "want a list"},
		{"inputs.consent.deleted={column: op, value: D}", "unknown key (did you mean values?)"},
		{"inputs.consent.units={at: ms}", "--set inputs.consent.units.at: no column of instants"},
		{"inputs.consent.units={effective_at: minutes}", `unknown unit "minutes"`},
		{"inputs.aliases={path: a, columns: {new: x}}", "unknown key"},
		{"inputs.organisations={}", "path is missing"},
		{"inputs.organisations={path: o, units: {account: s}}", "no column of instants"},
		{"datasets.messages.optional=[sent]", `"sent" is neither a subject nor a later moment`},
		{"datasets.messages.optional=[client]", `"client" is neither`},
		{"datasets.messages.optional=[edited_at]", "did you mean edited?"},
		{"datasets.messages.optional=edited", "--set datasets.messages.optional: want a list"},
		{"datasets.messages.units={edited_at: ms}", "no moment of this data set"},
		{"datasets.messages.private={column: v}", "values are missing"},
		{"datasets.messages.metadata=[geo]", "--set datasets.messages.metadata: want a mapping"},
		{"nothing", "want key=value"},
	} {
		_, err := parse([]byte(smallConfig), "job.yaml", []string{c.set})
		if err == nil || !strings.Contains(err.Error(), strings.TrimPrefix(c.want, "line 7: ")) {
			t.Errorf("%s: %v, want %s", c.set, err, c.want)
		}
	}
	block := strings.Replace(smallConfig, "{path: m}", "\n    path: m", 1)
	for _, c := range []struct{ yaml, want string }{
		{block + "    columns: {drop: [body], keep: [message_id]}\n", "line 9: datasets.messages.columns.keep: stands beside drop"},
		{block + "    columns:\n      keep: []\n", "line 10: datasets.messages.columns.keep: names no column"},
		{block + "    columns:\n      drop: [a, a]\n", `line 10: datasets.messages.columns.drop: "a": each is the name of a column, and stands once`},
		{block + "    columns:\n      drop: [a, message_id]\n", `line 10: datasets.messages.columns.drop: the column "message_id" is the record's id`},
		{block + "    columns: {keep: [body]}\n", `line 9: datasets.messages.columns.keep: the column "message_id" is the record's id`},
		{block + "    pseudonymise: [message_id]\n", `line 9: datasets.messages.pseudonymise: the column "message_id" is the record's id`},
		{block + "    columns: {drop: [parties]}\n    pseudonymise:\n    - parties.client_id\n", `line 10: datasets.messages.pseudonymise: the column "parties.client_id" is left out by columns.drop`},
		{block + "    columns: {keep: [message_id]}\n    coarsen: {sent_at: day}\n", `line 10: datasets.messages.coarsen: the column "sent_at" is left out by columns.keep`},
		{block + "    pseudonymise: [sent_at]\n    coarsen: {sent_at: day}\n", `line 9: datasets.messages.pseudonymise: the column "sent_at" stands under coarsen as well`},
		{block + "    coarsen:\n      sent_at: week\n", `line 10: datasets.messages.coarsen.sent_at: unknown grain "week" (hour, day or month)`},
		{block + "    redact: {body: [email, mail]}\n", `line 9: datasets.messages.redact.body: "mail": each is one of email, phone, link and handle, and stands once`},
		{block + "    redact: {body: []}\n", "line 9: datasets.messages.redact.body: names no kind of contact detail"},
		{block + "    redact: {sent_at: [email]}\n    coarsen: {sent_at: day}\n", `the column "sent_at" stands under`},
		{block + "    coarsen: [sent_at]\n", "line 9: datasets.messages.coarsen: want a mapping"},
		{block + "    pseudonymise: {a: b}\n", "line 9: datasets.messages.pseudonymise: want a list"},
		{strings.Replace(smallConfig, "output", "outptu", 1), "line 3: outptu: unknown key (did you mean output?)"},
		{strings.Replace(smallConfig, "path: m", `path: "${ASSENT_NOT_SET}"`, 1), "line 7: datasets.messages.path: the environment variable ASSENT_NOT_SET is not set"},
		{smallConfig + "output: twice\n", "line 8"},
		{"", "version is missing"},
		{"a: &x 1\nb: *x\n", "anchors"},
		{"---\n" + smallConfig + "---\n" + smallConfig, "second document"},
	} {
		_, err := parse([]byte(c.yaml), "job.yaml", nil)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
}

// fullConfig has every section, so that --set can reach every key.
const fullConfig = `version: 1
program: {name: p, starts_at: 2026-01-05}
output: out
inputs:
  consent: {path: consent}
  deletions: {path: deletions}
  restrictions: {path: restrictions}
  accounts: {path: accounts}
  aliases: {path: aliases}
  organisations: {path: organisations}
datasets:
  messages: {path: m}
`

// anotherValue has, for every key, a value that means something else than it does in
// fullConfig. A new key needs a line here.
var anotherValue = map[string]string{
	"program.name":      "q",
	"program.starts_at": "2026-01-06",
	"program.default":   "opted_out",

	"inputs.consent.columns.account":      "x",
	"inputs.consent.columns.category":     "x",
	"inputs.consent.columns.state":        "x",
	"inputs.consent.columns.effective_at": "x",
	"inputs.consent.columns.sequence":     "x",
	"inputs.consent.states":               "{in: opted_in}",
	"inputs.consent.categories":           "{mail: communications}",
	"inputs.consent.ignore_categories":    "[x]",
	"inputs.consent.timezone":             "UTC",

	"inputs.deletions.columns.account":      "x",
	"inputs.deletions.columns.requested_at": "x",
	"inputs.deletions.columns.request":      "x",
	"inputs.deletions.timezone":             "UTC",

	"inputs.restrictions.columns.contract": "x",
	"inputs.restrictions.columns.from":     "x",
	"inputs.restrictions.columns.until":    "x",
	"inputs.restrictions.timezone":         "UTC",

	"inputs.accounts.columns.account": "x",

	"inputs.aliases.columns.alias":   "x",
	"inputs.aliases.columns.account": "x",

	"inputs.organisations.columns.account":      "x",
	"inputs.organisations.columns.organisation": "x",
	"inputs.organisations.columns.from":         "x",
	"inputs.organisations.columns.until":        "x",
	"inputs.organisations.timezone":             "UTC",

	"inputs.consent.allow_empty":       "true",
	"inputs.deletions.allow_empty":     "true",
	"inputs.restrictions.allow_empty":  "true",
	"inputs.accounts.allow_empty":      "true",
	"inputs.aliases.allow_empty":       "true",
	"inputs.organisations.allow_empty": "true",
	"inputs.consent.deleted":           "{column: op, values: [D]}",
	"inputs.deletions.deleted":         "{column: op, values: [D]}",
	"inputs.restrictions.deleted":      "{column: op, values: [D]}",
	"inputs.accounts.deleted":          "{column: op, values: [D]}",
	"inputs.aliases.deleted":           "{column: op, values: [D]}",
	"inputs.organisations.deleted":     "{column: op, values: [D]}",
	"inputs.consent.units":             "{effective_at: ms}",
	"inputs.deletions.units":           "{requested_at: ms}",
	"inputs.restrictions.units":        "{until: ms}",
	"inputs.organisations.units":       "{from: s}",

	"datasets.messages.category": "work_product",
	"datasets.messages.record":   "x",
	"datasets.messages.parties":  "{client: client_id, freelancer: freelancer_id}",
	"datasets.messages.subjects": "{}",
	"datasets.messages.author":   "client",
	"datasets.messages.scope":    "author",
	"datasets.messages.moments":  "{sent: sent_at}",
	"datasets.messages.contract": `""`,
	"datasets.messages.timezone": "UTC",
	"datasets.messages.optional": "[edited]",
	"datasets.messages.units":    "{edited: us}",
	"datasets.messages.deleted":  "{column: op, values: [D]}",
	"datasets.messages.private":  "{column: visibility, values: [private]}",

	"datasets.messages.metadata.keep": "[geo]",

	"datasets.messages.columns.drop": "[body]",
	"datasets.messages.columns.keep": "[message_id]",
	"datasets.messages.pseudonymise": "[client_id]",
	"datasets.messages.redact":       "{body: [email, link]}",
	"datasets.messages.coarsen":      "{sent_at: day}",

	"gates.min_account_match": "0.5",
	"gates.max_excluded":      "0.5",
	"gates.max_horizon_age":   "1h",
	"gates.max_near_misses":   "1",

	"gates.min_deletion_match":    "0.5",
	"gates.min_restriction_match": "0.5",
	"gates.min_registry_match":    "0.5",

	"gates.min_alias_match":        "0.5",
	"gates.min_organisation_match": "0.5",
}

// outsideDigest are the keys that say only where things are.
var outsideDigest = map[string]string{
	"output":                    "elsewhere",
	"subject_key_file":          "k",
	"signing_key_file":          "k",
	"pseudonym_key_file":        "k", // a run's digest is over its reference
	"inputs.consent.path":       "elsewhere",
	"inputs.deletions.path":     "elsewhere",
	"inputs.restrictions.path":  "elsewhere",
	"inputs.accounts.path":      "elsewhere",
	"inputs.aliases.path":       "elsewhere",
	"inputs.organisations.path": "elsewhere",
	"datasets.messages.path":    "elsewhere",
	// The run's id is made of the digest and of the horizon.
	"inputs.consent.as_of": "2026-06-01",
	// There is one version.
	"version": "1",
}

// leafKeys returns the dotted paths of all keys below a struct that are no sections.
func leafKeys(prefix string, t reflect.Type) (paths []string) {
	for _, k := range keysOf(t) {
		of, path := t.FieldByIndex(k.field).Type, prefix+k.name
		if of.Kind() == reflect.Pointer {
			of = of.Elem()
		}
		switch {
		case of == reflect.TypeFor[[]DatasetConfig]():
			paths = append(paths, leafKeys(path+".messages.", reflect.TypeFor[datasetKeys]())...)
		case of.Kind() == reflect.Struct && len(keysOf(of)) > 0:
			paths = append(paths, leafKeys(path+".", of)...)
		default:
			paths = append(paths, path)
		}
	}
	return paths
}

func digestOf(t *testing.T, sets ...string) string {
	t.Helper()
	cfg, err := parse([]byte(fullConfig), "job.yaml", sets)
	if err != nil {
		t.Fatal(err)
	}
	return cfg.Digest()
}

// TestEveryKeyIsInTheDigest holds that two configurations which differ in any key
// have two digests, unless the key says only where things are.
func TestEveryKeyIsInTheDigest(t *testing.T) {
	plain := digestOf(t)
	paths := leafKeys("", reflect.TypeFor[Config]())
	if want := len(anotherValue) + len(outsideDigest); len(paths) != want {
		t.Errorf("there are %d keys, and the test has values for %d", len(paths), want)
	}
	for _, path := range paths {
		if value, ok := outsideDigest[path]; ok {
			if digestOf(t, path+"="+value) != plain {
				t.Errorf("%s says where things are, and changes the digest", path)
			}
			continue
		}
		value, ok := anotherValue[path]
		if !ok {
			t.Errorf("%s: name another value for it in this test", path)
		} else if digestOf(t, path+"="+value) == plain {
			t.Errorf("%s=%s does not change the digest", path, value)
		}
	}
}

// TestSectionsAreInTheDigest holds the same of what is left out or added whole.
func TestSectionsAreInTheDigest(t *testing.T) {
	plain := digestOf(t)
	for _, set := range []string{"inputs.aliases=null", "inputs.organisations=", "inputs.deletions=null", "inputs.restrictions=null", "inputs.accounts=null", "datasets.events={path: e}"} {
		if digestOf(t, set) == plain {
			t.Errorf("%s does not change the digest", set)
		}
	}
	for _, set := range []string{"gates={max_excluded: 1.0}", "inputs.consent.columns={account: account_id}", "datasets.messages.record=message_id"} {
		if digestOf(t, set) != plain {
			t.Errorf("%s says what holds by default, and changes the digest", set)
		}
	}
}

// TestNumbersThatAreNone holds that what is no share is refused, also where Go's
// parser of numbers takes it.
func TestNumbersThatAreNone(t *testing.T) {
	for _, key := range []string{"min_account_match", "max_excluded"} {
		for _, value := range []string{"NaN", ".nan", "nan", "Inf", "-inf", ".inf", "+Infinity", "1e999", "-0.1", "1.0001", "0x1p4", "one", "[0.5]"} {
			if _, err := parse([]byte(smallConfig), "job.yaml", []string{"gates." + key + "=" + value}); err == nil || !strings.Contains(err.Error(), "--set gates."+key+": ") {
				t.Errorf("%s: %s: %v", key, value, err)
			}
		}
	}
	for _, value := range []string{"NaN", "Inf", "-1h", "1e400h", "36"} {
		if _, err := parse([]byte(smallConfig), "job.yaml", []string{"gates.max_horizon_age=" + value}); err == nil {
			t.Errorf("max_horizon_age: %s is taken", value)
		}
	}
}

// TestHostileDocuments holds that a configuration cannot make the program grow: what
// is allocated in all, and much of it is freed on the way, has a limit.
func TestHostileDocuments(t *testing.T) {
	const n = 200_000
	var otherKeys strings.Builder
	for i := range n / 8 {
		fmt.Fprintf(&otherKeys, "k%d: 1\n", i)
	}
	for name, text := range map[string]string{
		"lists":        strings.Repeat("[", n),
		"closed lists": strings.Repeat("[", n) + strings.Repeat("]", n),
		"mappings":     strings.Repeat("{a: ", n),
		"dashes":       strings.Repeat("- ", n),
		"questions":    strings.Repeat("? ", n),
		"below a key":  "datasets:\n  messages:\n    parties: " + strings.Repeat("[", n),
		"too long":     smallConfig + "#" + strings.Repeat("x", 2<<20),
		"many keys":    strings.Repeat("a: 1\n", n/8),
		"other keys":   otherKeys.String(),
		"long key":     strings.Repeat("x", 1000) + ": 1",
		"long scalar":  strings.Replace(smallConfig, "version: 1", "version: "+strings.Repeat("x", 900<<10), 1),
	} {
		for _, sets := range [][]string{nil, {"datasets.messages.parties=" + text}} {
			data := text
			if sets != nil {
				data = smallConfig
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := parse([]byte(data), "job.yaml", sets)
			runtime.ReadMemStats(&after)
			if err == nil {
				t.Errorf("%s: no error", name)
			} else if len(err.Error()) > 1<<10 {
				t.Errorf("%s: an error of %d bytes", name, len(err.Error()))
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > 512<<20 {
				t.Errorf("%s: %d MiB were allocated", name, used>>20)
			}
		}
	}
}

// TestByteOrderMark holds that a byte order mark is read past.
func TestByteOrderMark(t *testing.T) {
	for _, text := range []string{smallConfig, "---\n" + smallConfig, "# a comment\n" + smallConfig, strings.ReplaceAll(smallConfig, "\n", "\r\n")} {
		for _, mark := range []string{"", "\ufeff"} {
			cfg, err := parse([]byte(mark+text), "job.yaml", nil)
			if err != nil || cfg.Program.Name != "p" {
				t.Errorf("%q: %v", text[:10], err)
			}
		}
	}
}

func FuzzConfig(f *testing.F) {
	f.Add([]byte(smallConfig))
	f.Add([]byte(fullConfig))
	f.Fuzz(func(t *testing.T, data []byte) {
		cfg, err := parse(data, "job.yaml", nil)
		if err != nil {
			return
		}
		cfg.Digest()
		for _, d := range cfg.Datasets {
			if len(d.Parties) < d.Category.Parties() {
				t.Errorf("one side only: %+v", d)
			}
		}
	})
}
