package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"assent/job"
	"assent/job/internal/objstore"
	"assent/manifests"
	"assent/schema"
)

// maxRoles is how many roles a data set may have.
const maxRoles = manifests.MaxRoles

// Config is a job's configuration, complete: defaults are filled in, paths are
// absolute, environment variables are expanded.
type Config struct {
	File           string // as given, for messages
	Program        Program
	Output         string // URI
	SubjectKeyFile string // empty: ASSENT_SUBJECT_KEY
	Consent        ConsentInput
	Deletions      *DeletionsInput
	Restrictions   *RestrictionsInput
	Accounts       *AccountsInput
	Datasets       []DatasetConfig // in the order of the file
	Gates          Gates

	written map[string]string // absolute paths as they were written
}

// Program is the training programme whose terms the job applies.
type Program struct {
	Name     string
	StartsAt schema.Instant
	Default  schema.State
}

// column is an input column by its dotted path.
type Column struct {
	Path     string
	Explicit bool // named in the configuration; a default may be absent where contract.md says so
}

// ConsentInput is the consent history.
type ConsentInput struct {
	Path                                            string
	AsOf                                            schema.Instant // schema.Unknown: see resolveHorizon
	AssumeUTC                                       bool
	Account, Category, State, EffectiveAt, Sequence Column
	States                                          map[string]schema.State
	Categories                                      map[string]schema.Category
	Ignored                                         []string
}

// DeletionsInput is the ledger of deletion requests in force.
type DeletionsInput struct {
	Path                          string
	AssumeUTC                     bool
	Account, RequestedAt, Request Column
}

// RestrictionsInput is the list of contracts' no-AI clauses.
type RestrictionsInput struct {
	Path                  string
	AssumeUTC             bool
	Contract, From, Until Column
}

// AccountsInput is the registry of known accounts.
type AccountsInput struct {
	Path    string
	Account Column
}

// DatasetConfig is a data set to be filtered.
type DatasetConfig struct {
	schema.Dataset
	Path string
	line int // of its name in the file
	// Mapped by default rather than by hand: absent columns are left out.
	DefaultSubjects, DefaultContract bool
}

// Gates are limits beyond which a run is refused.
type Gates struct {
	MinAccountMatch     float64
	MinDeletionMatch    float64
	MinRestrictionMatch float64
	MinRegistryMatch    float64
	MaxNearMisses       int64
	MaxExcluded         float64
	MaxHorizonAge       time.Duration // 0: off
}

// LoadConfig reads a configuration file and applies --set assignments. All its
// errors are of wrong usage, and name the key and its line.
func Load(file string, sets []string) (*Config, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		hint := "name the configuration with -c; `assent sample --to DIR` writes one to start from"
		if errors.Is(err, fs.ErrNotExist) {
			return nil, job.UsageError(hint, "%s: no such file", file)
		}
		return nil, job.UsageError(hint, "%s: %w", file, errors.Unwrap(err))
	}
	cfg, err := parseConfig(data, file, sets)
	if err != nil {
		return nil, job.UsageError("", "%s: %w", file, err)
	}
	return cfg, nil
}

func parseConfig(data []byte, file string, sets []string) (*Config, error) {
	root, err := parseTree(data)
	if err != nil {
		return nil, err
	}
	for _, s := range sets {
		if err := root.set(s); err != nil {
			return nil, err
		}
	}
	if err := root.expand(); err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(filepath.Dir(file))
	if err != nil {
		return nil, err
	}
	c := &configReader{dir: dir, written: map[string]string{}}
	cfg := c.config(root)
	cfg.File, cfg.written = file, c.written
	return cfg, c.err
}

type configReader struct {
	reader
	dir     string
	written map[string]string // see Config
}

func (c *configReader) config(root *node) *Config {
	root = c.mapping(root, root, "", "version", "program", "output", "subject_key_file", "inputs", "datasets", "gates")
	if v := c.need(root, "version", ""); v != "1" && c.err == nil {
		c.fail(root.fields["version"], "version %q is not known; this program reads 1", v)
	}
	cfg := &Config{Program: c.program(root)}
	cfg.Output = c.uri(root, "output")
	if root.fields["subject_key_file"] != nil {
		cfg.SubjectKeyFile = c.localPath(root, "subject_key_file")
	}
	in := c.sub(root, "inputs", "consent", "deletions", "restrictions", "accounts")
	cfg.Consent = c.consent(in)
	if present(in, "deletions") {
		n := c.sub(in, "deletions", "path", "columns", "timezone")
		cols := c.sub(n, "columns", "account", "requested_at", "request")
		cfg.Deletions = &DeletionsInput{
			Path: c.uri(n, "path"), AssumeUTC: c.assumeUTC(n),
			Account:     c.optional(cols, "account", "account_id"),
			RequestedAt: c.optional(cols, "requested_at", "requested_at"),
			Request:     c.optional(cols, "request", "request_id"),
		}
	}
	if present(in, "restrictions") {
		n := c.sub(in, "restrictions", "path", "columns", "timezone")
		cols := c.sub(n, "columns", "contract", "from", "until")
		cfg.Restrictions = &RestrictionsInput{
			Path: c.uri(n, "path"), AssumeUTC: c.assumeUTC(n),
			Contract: c.optional(cols, "contract", "contract_id"),
			From:     c.optional(cols, "from", "from"),
			Until:    c.optional(cols, "until", "until"),
		}
	}
	if present(in, "accounts") {
		n := c.sub(in, "accounts", "path", "columns")
		cols := c.sub(n, "columns", "account")
		cfg.Accounts = &AccountsInput{Path: c.uri(n, "path"), Account: c.optional(cols, "account", "account_id")}
	}
	cfg.Datasets = c.datasets(root)
	gates := c.sub(root, "gates", "min_account_match", "min_deletion_match", "min_restriction_match", "min_registry_match", "max_near_misses", "max_excluded", "max_horizon_age")
	cfg.Gates = Gates{
		MinAccountMatch:     c.number(gates, "min_account_match", 0.001),
		MinDeletionMatch:    c.number(gates, "min_deletion_match", 0.001),
		MinRestrictionMatch: c.number(gates, "min_restriction_match", 0.001),
		MinRegistryMatch:    c.number(gates, "min_registry_match", 0.001),
		MaxNearMisses:       c.count(gates, "max_near_misses"),
		MaxExcluded:         c.number(gates, "max_excluded", 1),
		MaxHorizonAge:       c.duration(gates, "max_horizon_age"),
	}
	return cfg
}

// present reports whether an optional section is there; an explicit null switches it off.
func present(n *node, name string) bool {
	c := n.fields[name]
	return c != nil && c.kind != nullNode
}

func (c *configReader) program(root *node) Program {
	n := c.sub(root, "program", "name", "starts_at", "default")
	p := Program{Name: c.need(n, "name", ""), Default: c.state(n, "default", schema.OptedIn)}
	starts, ok := c.instant(n, "starts_at")
	if !ok {
		c.fail(n, "starts_at is missing")
	}
	p.StartsAt = starts
	return p
}

func (c *configReader) consent(in *node) ConsentInput {
	n := c.sub(in, "consent", "path", "as_of", "columns", "states", "categories", "ignore_categories", "timezone")
	cols := c.sub(n, "columns", "account", "category", "state", "effective_at", "sequence")
	out := ConsentInput{
		Path: c.uri(n, "path"), AsOf: schema.Unknown, AssumeUTC: c.assumeUTC(n),
		Account:     c.optional(cols, "account", "account_id"),
		Category:    c.optional(cols, "category", "category"),
		State:       c.optional(cols, "state", "opted_in"),
		EffectiveAt: c.optional(cols, "effective_at", "effective_at"),
		Sequence:    c.optional(cols, "sequence", "sequence"),
		States:      map[string]schema.State{"true": schema.OptedIn, "false": schema.OptedOut},
		Categories:  map[string]schema.Category{},
		Ignored:     c.list(n, "ignore_categories"),
	}
	if t, ok := c.instant(n, "as_of"); ok {
		out.AsOf = t
	}
	if states := c.pairs(n, "states"); states != nil {
		out.States = map[string]schema.State{}
		for _, p := range states {
			out.States[p.name] = c.state(n.fields["states"], p.name, schema.OptedOut)
		}
	}
	for _, category := range schema.Categories() {
		out.Categories[category.String()] = category
	}
	if categories := c.pairs(n, "categories"); categories != nil {
		clear(out.Categories)
		for _, p := range categories {
			category, err := schema.ParseCategory(p.value)
			if err != nil {
				c.fail(n.fields["categories"].fields[p.name], "%v", err)
			}
			out.Categories[p.name] = category
		}
	}
	for _, name := range out.Ignored {
		if _, both := out.Categories[name]; both {
			c.fail(n.fields["ignore_categories"], "%q is mapped under categories as well", name)
		}
	}
	return out
}

func (c *configReader) datasets(root *node) []DatasetConfig {
	n := root.fields["datasets"]
	if n == nil || n.kind != mapNode || len(n.names) == 0 {
		if n == nil {
			n = root
		}
		c.fail(n, "datasets must name at least one data set")
		return nil
	}
	var out []DatasetConfig
	for _, name := range n.names {
		out = append(out, c.dataset(n, name))
	}
	return out
}

func (c *configReader) dataset(all *node, name string) DatasetConfig {
	n := c.sub(all, name, "path", "category", "record", "parties", "subjects", "author", "moments", "contract", "timezone")
	if !validDatasetName(name) {
		c.fail(n, "a data set's name is made of letters, digits, _ and -, begins with a letter, and is a directory of the output")
	}
	d := DatasetConfig{line: n.line, Path: c.uri(n, "path")}
	d.Name, d.AssumeUTC = name, c.assumeUTC(n)
	preset := schema.Dataset{}
	for _, category := range schema.Categories() { // a data set of a canonical name need not name its category
		if p := category.Canonical(); p.Name == name {
			d.Category, preset = category, p
		}
	}
	if text := c.text(n, "category", ""); text != "" {
		category, err := schema.ParseCategory(text)
		if err != nil {
			c.fail(n.fields["category"], "%v", err)
		}
		d.Category, preset = category, category.Canonical()
	} else if preset.Name == "" {
		c.fail(n, "category is missing (one of %s)", strings.Join(schema.CategoryCodes(), ", "))
	}
	d.Record = c.need(n, "record", preset.Record)
	d.Parties = roles(c.pairs(n, "parties"))
	if n.fields["parties"] == nil {
		d.Parties = preset.Parties
	}
	d.Subjects = roles(c.pairs(n, "subjects"))
	if n.fields["subjects"] == nil {
		d.Subjects, d.DefaultSubjects = preset.Subjects, true
	}
	for _, p := range c.pairs(n, "moments") {
		d.Moments = append(d.Moments, schema.Moment{Name: p.name, Column: p.value})
	}
	if n.fields["moments"] == nil {
		d.Moments = preset.Moments
	}
	_, given := n.fields["contract"]
	d.Contract, d.DefaultContract = c.text(n, "contract", preset.Contract), !given
	d.Author = c.text(n, "author", "")
	c.checkDataset(n, &d, preset.Author)
	return d
}

func (c *configReader) checkDataset(n *node, d *DatasetConfig, author string) {
	at := func(name string) *node {
		if f := n.fields[name]; f != nil {
			return f
		}
		return n
	}
	if least := d.Category.Parties(); len(d.Parties) < least {
		c.fail(at("parties"), "%s needs the consent of at least %d party roles, here are %d: name every side of the contract", d.Category, least, len(d.Parties))
	}
	if len(d.Moments) == 0 {
		c.fail(at("moments"), "at least one moment is needed; the first is the required one")
	}
	seen := map[string]bool{}
	columns := map[string]bool{}
	for i, r := range d.Roles() {
		if r.Name == "" || strings.Contains(r.Name, ",") {
			c.fail(at("parties"), "a role's name is not empty and has no comma")
		}
		if seen[r.Name] {
			c.fail(at("subjects"), "the role %q stands under parties as well", r.Name)
		}
		if i < len(d.Parties) && columns[r.Column] {
			c.fail(at("parties"), "two party roles share the column %q: that is one side, not two", r.Column)
		}
		seen[r.Name], columns[r.Column] = true, true
	}
	if len(seen) > maxRoles {
		c.fail(at("parties"), "more than %d roles", maxRoles)
	}
	if d.Author == "" && seen[author] {
		d.Author = author
	}
	if d.Author != "" && !seen[d.Author] {
		c.fail(at("author"), "%q is no role of this data set", d.Author)
	}
}

func roles(pairs []pair) []schema.Role {
	var out []schema.Role
	for _, p := range pairs {
		out = append(out, schema.Role{Name: p.name, Column: p.value})
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

func (c *configReader) assumeUTC(n *node) bool {
	switch zone := c.text(n, "timezone", ""); zone {
	case "":
		return false
	case "UTC":
		return true
	default:
		c.fail(n.fields["timezone"], "%q: only UTC can be assumed of timestamps without a zone", zone)
		return false
	}
}

// uri returns a path or URI; a relative path is relative to the configuration.
func (c *configReader) uri(n *node, name string) string {
	s := c.need(n, name, "")
	loc, err := objstore.Parse(s)
	if err != nil {
		if c.err == nil && s != "" {
			c.fail(n.fields[name], "%v", err)
		}
		return s
	}
	if loc.IsLocal() {
		path := c.absolute(strings.TrimPrefix(s, "file://"))
		c.written[path] = s
		return path
	}
	return s
}

func (c *configReader) localPath(n *node, name string) string {
	return c.absolute(c.need(n, name, ""))
}

func (c *configReader) absolute(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(c.dir, path)
}

func (d *DatasetConfig) Errorf(cfg *Config, key, format string, args ...any) error {
	return job.UsageError("", "%s: line %d: datasets.%s.%s: %s", cfg.File, d.line, d.Name, key, fmt.Sprintf(format, args...))
}

// dataset returns the data set of that name.
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

// display is a path as the configuration gave it, so that a manifest does not
// depend on where the configuration lies.
func (c *Config) Display(uri string) string {
	if s, ok := c.written[uri]; ok {
		return s
	}
	return uri
}
