package config

import (
	"slices"
	"strings"

	"assent/schema"
)

// checkHandover holds what the keys of a data set's handover show by themselves. Whether the columns are there and can serve is seen
// in the files.
func (d *decoder) checkHandover(e entry, out *DatasetConfig) {
	h := &out.Handover
	if len(h.Redact) > 0 {
		h.Details = schema.DetailRules
	}
	out.places = d.placesOf(e)
	fail := func(key, format string, args ...any) { d.fail(out.places[key], format, args...) }
	if len(h.Drop) > 0 && len(h.Keep) > 0 {
		fail("columns.keep", "stands beside drop: one of them says which columns stay")
	}
	for _, list := range []struct {
		key   string
		names []string
	}{{"columns.drop", h.Drop}, {"columns.keep", h.Keep}, {"pseudonymise", h.Pseudonymise}} {
		if _, given := out.places[list.key]; given && len(list.names) == 0 {
			fail(list.key, "names no column")
		}
		for i, name := range list.names {
			if name == "" || slices.Contains(list.names[:i], name) {
				fail(list.key, "%q: each is the name of a column, and stands once", name)
			}
		}
	}
	changed := map[string]string{}
	for _, c := range h.Changes() {
		if other := changed[c.Column]; other != "" {
			fail(c.Key, "the column %q stands under %s as well", c.Column, other)
		}
		changed[c.Column] = c.Key
		if key := out.leavesOut(c.Column); key != "" {
			fail(c.Key, "the column %q is left out by %s: it is one or the other", c.Column, key)
		}
		if c.Column == out.Record {
			fail(c.Key, "the column %q is the record's id, by which manifests, explain, access and diff name a record: it stays as it is", c.Column)
		}
	}
	if key := out.leavesOut(out.Record); key != "" {
		fail(key, "the column %q is the record's id, by which manifests, explain, access and diff name a record: it stays", out.Record)
	}
}

// leavesOut returns the key by which a column is left out, "" if none does. Short and full paths of one column are told
// apart here, and are not in the files.
func (d *DatasetConfig) leavesOut(column string) string {
	within := func(name string) bool { return column == name || strings.HasPrefix(column, name+".") }
	switch h := &d.Handover; {
	case slices.ContainsFunc(h.Drop, within):
		return "columns.drop"
	case len(h.Keep) > 0 && !slices.ContainsFunc(h.Keep, within):
		return "columns.keep"
	}
	return ""
}

// placesOf returns where the keys of a section stand, and those one below.
func (d *decoder) placesOf(section entry) map[string]place {
	places := map[string]place{}
	for _, e := range d.entries(section.value, section.at, "keys to values") {
		places[e.name] = e.at
		if e.name == "columns" {
			for _, below := range d.entries(e.value, e.at, "keys to values") {
				places["columns."+below.name] = below.at
			}
		}
	}
	return places
}
