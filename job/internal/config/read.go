package config

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"assent/schema"
)

// reader takes a configuration apart and keeps the first complaint, so that the
// code that uses it reads as a list of what there is.
type reader struct{ err error }

func (r *reader) fail(n *node, format string, args ...any) {
	if r.err == nil {
		r.err = n.errorf(format, args...)
	}
}

// mapping returns n as a mapping with no key but the ones named. A missing or null
// one is an empty mapping.
func (r *reader) mapping(n *node, parent *node, name string, keys ...string) *node {
	if n == nil || n.kind == nullNode {
		line := parent.line
		if n != nil {
			line = n.line
		}
		return &node{path: join(parent.path, name), line: line, kind: mapNode}
	}
	if n.kind != mapNode {
		r.fail(n, "want a mapping of keys to values")
		return &node{path: n.path, line: n.line, kind: mapNode}
	}
	for _, key := range n.names {
		if !slices.Contains(keys, key) {
			r.fail(n.fields[key], "unknown key%s", nearest(key, keys))
		}
	}
	return n
}

func (r *reader) sub(n *node, name string, keys ...string) *node {
	return r.mapping(n.fields[name], n, name, keys...)
}

// text returns a scalar, or preset where it is absent.
func (r *reader) text(n *node, name, preset string) string {
	c := n.fields[name]
	if c == nil {
		return preset
	}
	if c.kind == nullNode {
		return ""
	}
	if c.kind != scalarNode {
		r.fail(c, "want a single value")
	}
	return c.scalar
}

func (r *reader) need(n *node, name, preset string) string {
	s := r.text(n, name, preset)
	if s == "" {
		at := n
		if c := n.fields[name]; c != nil {
			r.fail(c, "must not be empty")
		}
		r.fail(at, "%s is missing", name)
	}
	return s
}

// optional returns a scalar and whether it was given.
func (r *reader) optional(n *node, name, preset string) Column {
	_, given := n.fields[name]
	return Column{Path: r.text(n, name, preset), Explicit: given}
}

func (r *reader) instant(n *node, name string) (schema.Instant, bool) {
	s := r.text(n, name, "")
	if s == "" {
		return schema.Unknown, false
	}
	t, err := ParseInstant(s)
	if err == nil {
		return t, true
	}
	r.fail(n.fields[name], "%q is not an instant such as 2026-01-05T00:00:00Z", s)
	return schema.Unknown, false
}

// parseInstant reads an instant. A time of day needs its zone; a date alone is its
// midnight in UTC.
func ParseInstant(s string) (schema.Instant, error) {
	var err error
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999999Z07:00", time.DateOnly} {
		var t time.Time
		if t, err = time.Parse(layout, s); err == nil {
			return schema.FromTime(t), nil
		}
	}
	return schema.Unknown, err
}

func (r *reader) number(n *node, name string, preset float64) float64 {
	s := r.text(n, name, "")
	if s == "" {
		return preset
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || v < 0 || v > 1 {
		r.fail(n.fields[name], "%q is not a share between 0 and 1", s)
	}
	return v
}

// count returns a number of things, 0 where it is absent.
func (r *reader) count(n *node, name string) int64 {
	s := r.text(n, name, "0")
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil || v < 0 {
		r.fail(n.fields[name], "%q is not a whole number of 0 or more", s)
	}
	return v
}

func (r *reader) duration(n *node, name string) time.Duration {
	s := r.text(n, name, "0")
	if s == "0" {
		return 0
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		r.fail(n.fields[name], "%q is not a duration such as 36h", s)
	}
	return d
}

func (r *reader) state(n *node, name string, preset schema.State) schema.State {
	s := r.text(n, name, "")
	if s == "" {
		return preset
	}
	state, err := schema.ParseState(s)
	if err != nil {
		r.fail(n.fields[name], "%v", err)
	}
	return state
}

// pairs returns a mapping of names to text in the order written.
func (r *reader) pairs(n *node, name string) []pair {
	c := n.fields[name]
	if c == nil || c.kind == nullNode {
		return nil
	}
	if c.kind != mapNode {
		r.fail(c, "want a mapping of names to columns")
		return nil
	}
	var out []pair
	for _, key := range c.names {
		out = append(out, pair{key, r.need(c, key, "")})
	}
	return out
}

type pair struct{ name, value string }

func (r *reader) list(n *node, name string) []string {
	c := n.fields[name]
	if c == nil || c.kind == nullNode {
		return nil
	}
	if c.kind != listNode {
		r.fail(c, "want a list")
		return nil
	}
	var out []string
	for _, i := range c.names {
		out = append(out, r.text(c, i, ""))
	}
	return out
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
