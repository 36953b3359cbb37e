package config

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"assent/job/internal/objstore"
	"assent/schema"
)

// decoder fills structs from a YAML document, and keeps the first complaint.
//
// A struct's fields are the keys of a mapping. The tag `key:"name"` names the key,
// and `default:"text"` is its value where the key is absent, null or empty. An option
// may follow the name behind a comma:
//
//	required  the key must be there, and must not be empty
//	uri       as required; a path or URI
//	nonempty  where the key is there, it must not be empty
//	file      as nonempty; a local path
//	zone      a bool that is true where the text is UTC
//
// An embedded struct without a tag adds its keys. A struct is a section that is filled with defaults where it is absent. A pointer is
// an optional value or section: it is nil where absent or null.
type decoder struct {
	dir     string            // relative paths are below it
	written map[string]string // see Config
	err     error
}

func (d *decoder) fail(at place, format string, args ...any) {
	if d.err == nil {
		d.err = at.errorf(format, args...)
	}
}

// key is a key that a struct knows.
type key struct {
	name, option, preset string
	field                []int // as reflect.Value.FieldByIndex has it
}

func keysOf(t reflect.Type) (keys []key) {
	for _, f := range reflect.VisibleFields(t) {
		// The field of a section has the tag, and what is promoted from it is the section's.
		if tag, ok := f.Tag.Lookup("key"); ok && !throughSection(t, f.Index) {
			name, option, _ := strings.Cut(tag, ",")
			keys = append(keys, key{name, option, f.Tag.Get("default"), f.Index})
		}
	}
	return keys
}

// throughSection reports whether a promoted field belongs to an embedded section.
func throughSection(t reflect.Type, index []int) bool {
	for n := 1; n < len(index); n++ {
		if t.FieldByIndex(index[:n]).Tag != "" {
			return true
		}
	}
	return false
}

func (k key) required() bool { return k.option == "required" || k.option == "uri" }

func (k key) nonempty() bool { return k.required() || k.option == "nonempty" || k.option == "file" }

// entry is a key of a mapping as it was written.
type entry struct {
	name  string
	at    place
	value *yaml.Node
}

// entries are the keys of a mapping in the order written; none where it is null.
func (d *decoder) entries(n *yaml.Node, at place, what string) (out []entry) {
	if isNull(n) {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		d.fail(at, "want a mapping of %s", what)
		return nil
	}
	seen := map[string]bool{}
	for i := 0; i < len(n.Content) && d.err == nil; i += 2 {
		name, value := n.Content[i], n.Content[i+1]
		line := name.Line
		if value.Line == 0 {
			line = 0
		}
		e := entry{name.Value, at.below(name.Value, line), value}
		if name.Kind != yaml.ScalarNode {
			d.fail(place{at.path, line}, "a key is a single value")
		}
		if isNull(value) && strings.Contains(e.name, ":") {
			d.fail(e.at, "a colon needs a space behind it, or the key has no value")
		}
		if seen[e.name] {
			d.fail(e.at, "the key stands twice")
		}
		seen[e.name] = true
		out = append(out, e)
	}
	return out
}

// mapping fills a struct.
func (d *decoder) mapping(n *yaml.Node, at place, into reflect.Value) {
	given := d.entries(n, at, "keys to values")
	keys := keysOf(into.Type())
	var names []string
	for _, k := range keys {
		names = append(names, k.name)
	}
	for _, e := range given {
		if d.err == nil && !slices.Contains(names, e.name) {
			d.fail(e.at, "unknown key%s", nearest(e.name, names))
		}
	}
	for _, k := range keys {
		field := into.FieldByIndex(k.field)
		if i := slices.IndexFunc(given, func(e entry) bool { return e.name == k.name }); i >= 0 {
			d.given(k, given[i], field)
			continue
		}
		if k.required() {
			d.fail(at, "%s is missing", k.name)
		}
		d.absent(k, at.below(k.name, at.line), field)
	}
}

func (d *decoder) given(k key, e entry, into reflect.Value) {
	switch into := into.Addr().Interface().(type) {
	case *Column:
		*into = Column{Path: d.text(e.value, e.at), Explicit: true}
		return
	case *[]pair:
		*into = d.pairs(e.value, e.at)
		return
	}
	if isNull(e.value) || into.Kind() != reflect.Struct {
		d.absent(k, e.at, into)
	}
	if k.nonempty() && e.value.Kind == yaml.ScalarNode && d.text(e.value, e.at) == "" {
		d.fail(e.at, "must not be empty")
	}
	if !isNull(e.value) {
		d.value(e.value, e.at, k.option, into)
	}
}

// absent fills in what holds where the key is not given.
func (d *decoder) absent(k key, at place, into reflect.Value) {
	switch {
	case into.Type() == reflect.TypeFor[Column]():
		into.Set(reflect.ValueOf(Column{Path: k.preset}))
	case k.preset != "":
		d.value(&yaml.Node{Kind: yaml.ScalarNode, Value: k.preset}, at, k.option, into)
	case into.Kind() == reflect.Struct:
		d.mapping(&nullNode, at, into)
	}
}

// value fills one value from a node that is not null. Empty text leaves what is there.
func (d *decoder) value(n *yaml.Node, at place, option string, into reflect.Value) {
	switch v := into.Addr().Interface().(type) {
	case *string:
		switch *v = d.text(n, at); option {
		case "uri":
			*v = d.uri(*v, at)
		case "file":
			*v = d.absolute(*v)
		}
	case *bool:
		parse := parseSwitch
		if option == "zone" {
			parse = parseZone
		}
		*v = scalar(d, n, at, *v, parse)
	case *int64:
		*v = scalar(d, n, at, *v, parseCount)
	case *float64:
		*v = scalar(d, n, at, *v, parseShare)
	case *time.Duration:
		*v = scalar(d, n, at, *v, parseDuration)
	case *schema.Instant:
		*v = scalar(d, n, at, *v, ParseInstant)
	case *schema.State:
		*v = scalar(d, n, at, *v, schema.ParseState)
	case *schema.Category:
		*v = scalar(d, n, at, *v, schema.ParseCategory)
	case *schema.Unit:
		*v = scalar(d, n, at, *v, schema.ParseUnit)
	case *schema.ScopeOf:
		*v = scalar(d, n, at, *v, schema.ParseScopeOf)
	case *schema.Grain:
		*v = scalar(d, n, at, *v, schema.ParseGrain)
	case *[]schema.Detail:
		*v = d.details(n, at, *v)
	case *schema.Match:
		var keys matchKeys
		d.mapping(n, at, reflect.ValueOf(&keys).Elem())
		*v = schema.Match(keys)
		if len(v.Values) == 0 || slices.Contains(v.Values, "") {
			d.fail(at, "values are missing: which values of %q mean that a row is meant", v.Column)
		}
	case *[]string:
		*v = d.list(n, at)
	case *[]DatasetConfig:
		for _, e := range d.entries(n, at, "names to data sets") {
			*v = append(*v, d.dataset(e))
		}
	default:
		d.composite(n, at, into)
	}
}

// details appends kinds of contact details to those that there are.
func (d *decoder) details(n *yaml.Node, at place, kinds []schema.Detail) []schema.Detail {
	for _, name := range d.list(n, at) {
		kind, err := schema.ParseDetail(name)
		if err != nil || slices.Contains(kinds, kind) {
			d.fail(at, "%q: each is one of email, phone, link and handle, and stands once", name)
		}
		kinds = append(kinds, kind)
	}
	if len(kinds) == 0 {
		d.fail(at, "names no kind of contact detail (email, phone, link, handle)")
	}
	return kinds
}

func (d *decoder) composite(n *yaml.Node, at place, into reflect.Value) {
	switch into.Kind() {
	case reflect.Struct:
		d.mapping(n, at, into)
	case reflect.Pointer:
		into.Set(reflect.New(into.Type().Elem()))
		d.value(n, at, "", into.Elem())
	case reflect.Map:
		into.Set(reflect.MakeMap(into.Type()))
		for _, e := range d.entries(n, at, "names to values") {
			value := reflect.New(into.Type().Elem()).Elem()
			d.given(key{option: "required"}, e, value)
			into.SetMapIndex(reflect.ValueOf(e.name), value)
		}
	default:
		panic("config: no way to decode " + into.Type().String())
	}
}

var variable = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)\}`)

// text returns a scalar with the variables of the environment put in.
func (d *decoder) text(n *yaml.Node, at place) string {
	if n.Kind != yaml.ScalarNode {
		d.fail(at, "want a single value")
		return ""
	}
	if isNull(n) {
		return ""
	}
	return variable.ReplaceAllStringFunc(n.Value, func(ref string) string {
		name := ref[2 : len(ref)-1]
		value, ok := os.LookupEnv(name)
		if !ok {
			d.fail(at, "the environment variable %s is not set", name)
		}
		return value
	})
}

// scalar parses a node's text; empty text leaves the preset.
func scalar[T any](d *decoder, n *yaml.Node, at place, preset T, parse func(string) (T, error)) T {
	text := d.text(n, at)
	if text == "" {
		return preset
	}
	v, err := parse(text)
	if err != nil {
		d.fail(at, "%v", err)
	}
	return v
}

// matchKeys are the keys of a schema.Match.
type matchKeys struct {
	Column string   `key:"column,required"`
	Values []string `key:"values"`
}

// pair is a name and what it is mapped to.
type pair struct{ Name, Column string }

// pairs are the names of a mapping in the order written. They are not nil.
func (d *decoder) pairs(n *yaml.Node, at place) []pair {
	out := []pair{}
	for _, e := range d.entries(n, at, "names to columns") {
		p := pair{Name: e.name}
		d.given(key{option: "required"}, e, reflect.ValueOf(&p.Column).Elem())
		out = append(out, p)
	}
	return out
}

func (d *decoder) list(n *yaml.Node, at place) (out []string) {
	if n.Kind != yaml.SequenceNode {
		d.fail(at, "want a list")
		return nil
	}
	for i, item := range n.Content {
		out = append(out, d.text(item, place{at.path + "[" + strconv.Itoa(i) + "]", item.Line}))
	}
	return out
}

// uri returns a path or URI; a relative path is relative to the configuration.
func (d *decoder) uri(text string, at place) string {
	if text == "" {
		return ""
	}
	location, err := objstore.Parse(text)
	if err != nil {
		d.fail(at, "%v", err)
		return text
	}
	if !location.IsLocal() {
		return text
	}
	path := d.absolute(strings.TrimPrefix(text, "file://"))
	d.written[path] = text
	return path
}

func (d *decoder) absolute(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(d.dir, path)
}

// nearest proposes the key that was probably meant.
func nearest(key string, keys []string) string {
	best, least := "", max(2, len(key)/3)+1
	for _, k := range keys {
		if d := distance(strings.ToLower(key), k); d < least {
			best, least = k, d
		}
	}
	if best == "" {
		return " (known here: " + strings.Join(keys, ", ") + ")"
	}
	return " (did you mean " + best + "?)"
}

// distance is Levenshtein's.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(diagonal+cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
