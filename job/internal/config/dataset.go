package config

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"assent/job"
	"assent/manifests"
	"assent/schema"
)

// DatasetConfig is a data set to be filtered.
type DatasetConfig struct {
	schema.Dataset
	Path string `json:"-"`
	// Optional are the names of roles and moments that were called optional by hand.
	Optional []string `json:"-"` // the roles and moments have it too
	// KeepMetadata are keys of the files' metadata to carry over, beside those that are
	// known to hold no row's value.
	KeepMetadata []string

	at              place            // of its name
	places          map[string]place // of some of its keys
	defaultContract bool             // mapped by default rather than by hand
}

// datasetKeys are the keys of a data set. What is nil was not given.
type datasetKeys struct {
	Path      string                 `key:"path,uri"`
	Category  *schema.Category       `key:"category"`
	Record    string                 `key:"record,nonempty"`
	Parties   []pair                 `key:"parties"`
	Subjects  []pair                 `key:"subjects"`
	Author    string                 `key:"author"`
	Scope     schema.ScopeOf         `key:"scope"`
	Moments   []pair                 `key:"moments"`
	Contract  Column                 `key:"contract"`
	AssumeUTC bool                   `key:"timezone,zone"`
	Optional  []string               `key:"optional"`
	Units     map[string]schema.Unit `key:"units"`
	Deleted   *schema.Match          `key:"deleted"`
	Private   *schema.Match          `key:"private"`
	Columns   struct {
		Drop []string `key:"drop"`
		Keep []string `key:"keep"`
	} `key:"columns"`
	Pseudonymise []string                   `key:"pseudonymise"`
	Redact       map[string][]schema.Detail `key:"redact"`
	Coarsen      map[string]schema.Grain    `key:"coarsen"`
	Metadata     struct {
		Keep []string `key:"keep"`
	} `key:"metadata"`
}

// canonicalOf is what a data set is unless it says otherwise. A data set of a canonical
// name need not name its category.
func canonicalOf(name string, category *schema.Category) (schema.Dataset, schema.Category, bool) {
	for _, c := range schema.Categories() {
		d := c.Canonical()
		if category == nil && d.Name == name || category != nil && *category == c {
			return d, c, true
		}
	}
	return schema.Dataset{}, 0, false
}

func (d *decoder) dataset(e entry) DatasetConfig {
	var keys datasetKeys
	d.mapping(e.value, e.at, reflect.ValueOf(&keys).Elem())
	if !validDatasetName(e.name) {
		d.fail(e.at, "a data set's name is made of letters, digits, _ and -, begins with a letter, and is a directory of the output")
	}
	preset, category, ok := canonicalOf(e.name, keys.Category)
	if !ok {
		d.fail(e.at, "category is missing (one of %s)", strings.Join(schema.CategoryCodes(), ", "))
	}
	out := DatasetConfig{Path: keys.Path, Optional: keys.Optional, KeepMetadata: keys.Metadata.Keep, at: e.at, defaultContract: !keys.Contract.Explicit}
	out.Dataset = schema.Dataset{
		Name: e.name, Category: category, AssumeUTC: keys.AssumeUTC,
		Record: preset.Record, Parties: preset.Parties, Subjects: preset.Subjects,
		Author: keys.Author, Scope: keys.Scope, Moments: preset.Moments, Contract: preset.Contract,
		Deleted: keys.Deleted, Private: keys.Private,
		Handover: schema.Handover{Drop: keys.Columns.Drop, Keep: keys.Columns.Keep, Pseudonymise: keys.Pseudonymise, Redact: keys.Redact, Coarsen: keys.Coarsen},
	}
	if keys.Record != "" {
		out.Record = keys.Record
	}
	if keys.Parties != nil {
		out.Parties = roles(keys.Parties)
	}
	if keys.Subjects != nil {
		out.Subjects = roles(keys.Subjects)
	}
	if keys.Moments != nil {
		out.Moments = nil
		for _, p := range keys.Moments {
			out.Moments = append(out.Moments, schema.Moment{Name: p.Name, Column: p.Column})
		}
	}
	if keys.Contract.Explicit {
		out.Contract = keys.Contract.Path
	}
	d.optionalAndUnits(e, &keys, &out)
	d.checkDataset(e, &out, preset.Author)
	d.checkHandover(e, &out)
	return out
}

// optionalAndUnits settles which roles and moments older files may lack, and in what
// moments count.
func (d *decoder) optionalAndUnits(e entry, keys *datasetKeys, out *DatasetConfig) {
	out.Subjects, out.Moments = slices.Clone(out.Subjects), slices.Clone(out.Moments)
	var optional, moments []string
	for i := range out.Subjects {
		r := &out.Subjects[i]
		// What is mapped by default may be absent.
		r.Optional = keys.Subjects == nil || slices.Contains(keys.Optional, r.Name)
		optional = append(optional, r.Name)
	}
	for i := range out.Moments {
		m := &out.Moments[i]
		m.Optional, m.Unit = slices.Contains(keys.Optional, m.Name), keys.Units[m.Name]
		moments = append(moments, m.Name)
		if i > 0 {
			optional = append(optional, m.Name)
		}
	}
	for _, name := range keys.Optional {
		if !slices.Contains(optional, name) {
			d.failKey(e, "optional", "%q is neither a subject nor a later moment: nothing else may be missing%s", name, nearest(name, optional))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(keys.Units)) {
		if !slices.Contains(moments, name) {
			d.failKey(e, "units", "%q is no moment of this data set%s", name, nearest(name, moments))
		}
	}
}

// checkDataset holds what no single key shows, and settles the author. A preset
// author is used where the data set has that role.
func (d *decoder) checkDataset(e entry, out *DatasetConfig, presetAuthor string) {
	if least := out.Category.Parties(); len(out.Parties) < least {
		d.failKey(e, "parties", "%s needs the consent of at least %d party roles, here are %d: name every side of the contract", out.Category, least, len(out.Parties))
	}
	if len(out.Moments) == 0 {
		d.failKey(e, "moments", "at least one moment is needed; the first is the required one")
	}
	seen := map[string]bool{}
	columns := map[string]bool{}
	for i, r := range out.Roles() {
		if r.Name == "" || strings.Contains(r.Name, ",") {
			d.failKey(e, "parties", "a role's name is not empty and has no comma")
		}
		if seen[r.Name] {
			d.failKey(e, "subjects", "the role %q stands under parties as well", r.Name)
		}
		if i < len(out.Parties) && columns[r.Column] {
			d.failKey(e, "parties", "two party roles share the column %q: that is one side, not two", r.Column)
		}
		seen[r.Name], columns[r.Column] = true, true
	}
	if len(seen) > manifests.MaxRoles {
		d.failKey(e, "parties", "more than %d roles", manifests.MaxRoles)
	}
	if out.Author == "" && seen[presetAuthor] {
		out.Author = presetAuthor
	}
	if out.Author != "" && !seen[out.Author] {
		d.failKey(e, "author", "%q is no role of this data set", out.Author)
	}
	if out.Scope == schema.ScopeAuthor && out.Author == "" {
		d.failKey(e, "scope", "author: the data set does not say which role the author is")
	}
}

// failKey is a complaint about a key of a section, or the section where it lacks the key.
func (d *decoder) failKey(section entry, name, format string, args ...any) {
	at := section.at
	for _, e := range d.entries(section.value, section.at, "keys to values") {
		if e.name == name {
			at = e.at
		}
	}
	d.fail(at, format, args...)
}

func roles(pairs []pair) []schema.Role {
	var out []schema.Role
	for _, p := range pairs {
		out = append(out, schema.Role{Name: p.Name, Column: p.Column})
	}
	return out
}

// validDatasetName keeps a data set's directory from being hidden, nested or one of ours.
func validDatasetName(name string) bool {
	letter := func(r rune) bool { return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' }
	if name == "" || len(name) > 100 || !letter(rune(name[0])) {
		return false
	}
	return !strings.ContainsFunc(name, func(r rune) bool {
		return !letter(r) && !('0' <= r && r <= '9') && r != '_' && r != '-'
	})
}

// Errorf is an error of wrong usage about a key of the data set.
func (d *DatasetConfig) Errorf(cfg *Config, key, hint, format string, args ...any) error {
	at, known := d.places[key]
	if !known {
		at = d.at.below(key, d.at.line)
	}
	return job.UsageError(hint, "%s: %w", cfg.File, at.errorf(format, args...))
}
