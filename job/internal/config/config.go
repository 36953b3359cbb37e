// Package config reads a job's configuration, job.yaml, and says what it means.
//
// A key is a name in the file; its value may also come from --set or from the
// environment. A place is a key's dotted path and line. The digest is over all keys
// that say what a run does. Keys that say only where things are stay out of it.
package config

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"assent/job"
	"assent/manifests"
	"assent/schema"
)

// Config is a job's configuration, complete: defaults are filled in, paths are
// absolute, environment variables are expanded.
//
// The fields in its JSON form are the ones that the digest is over. A field stays out
// (`json:"-"`) only if it says where things are, or if the run's id has it otherwise.
type Config struct {
	File           string  `json:"-"` // as given, for messages
	Version        string  `key:"version,required"`
	Program        Program `key:"program"`
	Output         string  `key:"output,uri" json:"-"`
	SubjectKeyFile string  `key:"subject_key_file,file" json:"-"`   // empty: ASSENT_SUBJECT_KEY
	SigningKeyFile string  `key:"signing_key_file,file" json:"-"`   // empty: ASSENT_SIGNING_KEY, and without it nothing is signed
	PseudonymFile  string  `key:"pseudonym_key_file,file" json:"-"` // empty: ASSENT_PSEUDONYM_KEY
	Inputs         `key:"inputs"`
	Datasets       []DatasetConfig `key:"datasets"` // in the order of the file
	Gates          Gates           `key:"gates"`

	// Pseudonyms is the reference of the key of pseudonyms, once PseudonymKey has read it.
	Pseudonyms string `json:",omitempty"`

	written map[string]string // absolute paths as they were written
}

// Program is the training programme whose terms the job applies.
type Program struct {
	Name     string         `key:"name,required"`
	StartsAt schema.Instant `key:"starts_at,required"`
	Default  schema.State   `key:"default" default:"opted_in"`
}

// Column is an input column by its dotted path. An empty path is no column.
type Column struct {
	Path     string
	Explicit bool `json:"-"` // named in the configuration; a default may be absent where it is optional
}

// Inputs are the control inputs; nil where not configured.
type Inputs struct {
	Consent       ConsentInput        `key:"consent"`
	Deletions     *DeletionsInput     `key:"deletions"`
	Restrictions  *RestrictionsInput  `key:"restrictions"`
	Accounts      *AccountsInput      `key:"accounts"`
	Aliases       *AliasesInput       `key:"aliases"`
	Organisations *OrganisationsInput `key:"organisations"`
}

// ControlInput is what can be said of every control input.
type ControlInput struct {
	Path       string        `key:"path,uri" json:"-"`
	AllowEmpty bool          `key:"allow_empty"` // there may be no file
	Deleted    *schema.Match `key:"deleted"`     // rows that the source marks as deleted
}

// Instants says how columns hold instants.
type Instants struct {
	AssumeUTC bool                   `key:"timezone,zone"`
	Units     map[string]schema.Unit `key:"units"` // of columns of plain integers, by their keys
}

// ConsentInput is the consent history.
type ConsentInput struct {
	ControlInput
	Instants
	// AsOf is schema.Unknown where it is left to the files. The run's id has the horizon itself.
	AsOf           schema.Instant `key:"as_of" json:"-"`
	ConsentColumns `key:"columns"`
	States         map[string]schema.State    `key:"states"`
	Categories     map[string]schema.Category `key:"categories"`
	Ignored        []string                   `key:"ignore_categories"`
}

// ConsentColumns are the columns of the consent history.
type ConsentColumns struct {
	Account     Column `key:"account" default:"account_id"`
	Category    Column `key:"category" default:"category"`
	State       Column `key:"state" default:"opted_in"`
	EffectiveAt Column `key:"effective_at" default:"effective_at"`
	Sequence    Column `key:"sequence" default:"sequence"`
}

// DeletionsInput is the ledger of deletion requests in force.
type DeletionsInput struct {
	ControlInput
	Instants
	DeletionColumns `key:"columns"`
}

// DeletionColumns are the columns of the ledger.
type DeletionColumns struct {
	Account     Column `key:"account" default:"account_id"`
	RequestedAt Column `key:"requested_at" default:"requested_at"`
	Request     Column `key:"request" default:"request_id"`
}

// RestrictionsInput is the list of contracts' no-AI clauses.
type RestrictionsInput struct {
	ControlInput
	Instants
	RestrictionColumns `key:"columns"`
}

// RestrictionColumns are the columns of the list of restrictions.
type RestrictionColumns struct {
	Contract Column `key:"contract" default:"contract_id"`
	From     Column `key:"from" default:"from"`
	Until    Column `key:"until" default:"until"`
}

// AccountsInput is the registry of known accounts.
type AccountsInput struct {
	ControlInput
	AccountColumns `key:"columns"`
}

// AccountColumns are the columns of the registry.
type AccountColumns struct {
	Account Column `key:"account" default:"account_id"`
}

// AliasesInput lists accounts that were merged or renamed: the alias and the account
// are one.
type AliasesInput struct {
	ControlInput
	AliasColumns `key:"columns"`
}

// AliasColumns are the columns of the list of aliases.
type AliasColumns struct {
	Alias   Column `key:"alias" default:"old_account_id"`
	Account Column `key:"account" default:"account_id"`
}

// OrganisationsInput lists which account belonged to which organisation, and when.
type OrganisationsInput struct {
	ControlInput
	Instants
	OrganisationColumns `key:"columns"`
}

// OrganisationColumns are the columns of the list of memberships.
type OrganisationColumns struct {
	Account      Column `key:"account" default:"account_id"`
	Organisation Column `key:"organisation" default:"organisation_id"`
	From         Column `key:"from" default:"from"`
	Until        Column `key:"until" default:"until"`
}

// Gates are limits beyond which a run is refused.
type Gates struct {
	MinAccountMatch     float64       `key:"min_account_match" default:"0.001"`
	MinDeletionMatch    float64       `key:"min_deletion_match" default:"0.001"`    // as MinAccountMatch, of the deletion requests
	MinRestrictionMatch float64       `key:"min_restriction_match" default:"0.001"` // of contracts
	MinRegistryMatch    float64       `key:"min_registry_match" default:"0.001"`    // of the accounts of the registry
	MaxNearMisses       int64         `key:"max_near_misses" default:"0"`
	MaxExcluded         float64       `key:"max_excluded" default:"1"`
	MaxHorizonAge       time.Duration `key:"max_horizon_age" default:"0"` // 0: off
	// Of the aliases' accounts and of the organisations' members; nil: defaultMatch. They
	// are in the digest where given, so that the ids of runs made before them stay.
	MinAliasMatch        *float64 `key:"min_alias_match" json:",omitempty"`
	MinOrganisationMatch *float64 `key:"min_organisation_match" json:",omitempty"`
}

const defaultMatch = 0.001

// AliasMatch is the share of the aliases' accounts that must be in the data.
func (g *Gates) AliasMatch() float64 { return shareOr(g.MinAliasMatch, defaultMatch) }

// OrganisationMatch is AliasMatch of the organisations' members.
func (g *Gates) OrganisationMatch() float64 { return shareOr(g.MinOrganisationMatch, defaultMatch) }

func shareOr(given *float64, otherwise float64) float64 {
	if given != nil {
		return *given
	}
	return otherwise
}

// Digest is the SHA-256 of all of the configuration that a run's outcome depends on:
// not where things are, but what they mean. Where a data set pseudonymises, PseudonymKey
// comes before it.
func (c *Config) Digest() string { return manifests.Digest(c) }

// Load reads a configuration file and applies --set assignments. All its errors are
// of wrong usage, and name the key and its line.
func Load(file string, sets []string) (*Config, error) {
	data, err := readFile(file)
	if err != nil {
		hint := "name the configuration with -c; `assent sample --to DIR` writes one to start from"
		if errors.Is(err, fs.ErrNotExist) {
			return nil, job.UsageError(hint, "%s: no such file", file)
		}
		return nil, job.UsageError(hint, "%s: %w", file, errors.Unwrap(err))
	}
	cfg, err := parse(data, file, sets)
	if err != nil {
		return nil, job.UsageError("", "%s: %w", file, err)
	}
	return cfg, nil
}

// readFile reads no more of a file than shows that it is too large.
func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxBytes+1))
}

func parse(data []byte, file string, sets []string) (*Config, error) {
	root, err := parseDocument(data)
	if err != nil {
		return nil, err
	}
	for _, s := range sets {
		if err := set(root, s); err != nil {
			return nil, err
		}
	}
	dir, err := filepath.Abs(filepath.Dir(file))
	if err != nil {
		return nil, err
	}
	d := &decoder{dir: dir, written: map[string]string{}}
	cfg := &Config{File: file, written: d.written, Inputs: Inputs{Consent: defaultConsent()}}
	d.mapping(root, place{line: root.Line}, reflect.ValueOf(cfg).Elem())
	if cfg.Restrictions == nil {
		// Nothing is looked up by a contract, so its column need not be there.
		for i := range cfg.Datasets {
			if set := &cfg.Datasets[i]; set.defaultContract {
				set.Contract = ""
			}
		}
	}
	if d.err == nil {
		d.err = cfg.check(root)
	}
	return cfg, d.err
}

func defaultConsent() ConsentInput {
	in := ConsentInput{
		AsOf:       schema.Unknown,
		States:     map[string]schema.State{"true": schema.OptedIn, "false": schema.OptedOut},
		Categories: map[string]schema.Category{},
	}
	for _, category := range schema.Categories() {
		in.Categories[category.String()] = category
	}
	return in
}

// check holds what no single value shows.
func (c *Config) check(root *yaml.Node) error {
	switch {
	case c.Version != "1":
		return placeOf(root, "version").errorf("version %q is not known; this program reads 1", c.Version)
	case len(c.Datasets) == 0:
		return placeOf(root, "datasets").errorf("datasets must name at least one data set")
	}
	for _, name := range c.Consent.Ignored {
		if _, both := c.Consent.Categories[name]; both {
			return placeOf(root, "inputs.consent.ignore_categories").errorf("%q is mapped under categories as well", name)
		}
	}
	return c.checkUnits(root)
}

// checkUnits holds that units are given for columns of instants.
func (c *Config) checkUnits(root *yaml.Node) error {
	check := func(input string, in *Instants, columns ...string) error {
		for _, name := range slices.Sorted(maps.Keys(in.Units)) {
			if !slices.Contains(columns, name) {
				return placeOf(root, "inputs."+input+".units."+name).errorf("no column of instants%s", nearest(name, columns))
			}
		}
		return nil
	}
	err := check("consent", &c.Consent.Instants, "effective_at")
	if c.Deletions != nil && err == nil {
		err = check("deletions", &c.Deletions.Instants, "requested_at")
	}
	if c.Restrictions != nil && err == nil {
		err = check("restrictions", &c.Restrictions.Instants, "from", "until")
	}
	if c.Organisations != nil && err == nil {
		err = check("organisations", &c.Organisations.Instants, "from", "until")
	}
	return err
}

// Control returns the control input of that name, nil where it is not configured.
func (c *Config) Control(name string) *ControlInput {
	switch {
	case name == "consent":
		return &c.Consent.ControlInput
	case name == "deletions" && c.Deletions != nil:
		return &c.Deletions.ControlInput
	case name == "restrictions" && c.Restrictions != nil:
		return &c.Restrictions.ControlInput
	case name == "accounts" && c.Accounts != nil:
		return &c.Accounts.ControlInput
	case name == "aliases" && c.Aliases != nil:
		return &c.Aliases.ControlInput
	case name == "organisations" && c.Organisations != nil:
		return &c.Organisations.ControlInput
	}
	return nil
}

// Dataset returns the data set of that name.
func (c *Config) Dataset(name string) (*DatasetConfig, error) {
	i := slices.IndexFunc(c.Datasets, func(d DatasetConfig) bool { return d.Name == name })
	if i < 0 {
		var names []string
		for _, d := range c.Datasets {
			names = append(names, d.Name)
		}
		return nil, job.UsageError("", "%s: no data set %q (there are %s)", c.File, name, strings.Join(names, ", "))
	}
	return &c.Datasets[i], nil
}

// Display is a path as the configuration gave it, so that a manifest does not depend
// on where the configuration lies.
func (c *Config) Display(uri string) string {
	if s, ok := c.written[uri]; ok {
		return s
	}
	return uri
}
