// Package explain says for one record why it is or is not used: both sides' timelines,
// the moments, each rule and its outcome. It decides by the slow formulation of the rules
// (filter.World), not by the index of a run.
package explain

import (
	"context"
	"errors"
	"slices"

	"assent/filter"
	"assent/job"
	"assent/job/internal/config"
	"assent/job/internal/source"
	"assent/job/parquet"
	"assent/job/parquet/rewrite"
	"assent/manifests"
	"assent/schema"
)

// Options name the record.
// The tags are those of the command line.
type Options struct {
	Config  string   `short:"c" required:"" placeholder:"FILE" help:"${config}"`
	Set     []string `placeholder:"KEY=VALUE" sep:"none" help:"${set}"`
	Dataset string   `required:"" help:"The data set that the record is in."`
	Record  string   `required:"" help:"The record's id."`
}

// Validate complains of what is missing.
func (o *Options) Validate() error {
	if o.Config == "" || o.Dataset == "" || o.Record == "" {
		return job.UsageError("", "explain needs -c, --dataset and --record")
	}
	return nil
}

// Explanation answers why a record is or is not used. Accounts appear by their
// references.
type Explanation struct {
	Dataset  string         `json:"dataset"`
	Category string         `json:"category"`
	Record   string         `json:"record"`
	Horizon  schema.Instant `json:"-"`
	Found    []Record       `json:"found"` // ids should be unique, but are not always
	Subjects []Subject      `json:"subjects"`
}

// Record is one row with the record's id.
type Record struct {
	File    string         `json:"file"`
	Row     int64          `json:"row"`
	Kept    bool           `json:"kept"`
	Reasons []string       `json:"reasons"`
	Rules   []Rule         `json:"rules"`
	Moments []NamedInstant `json:"moments"`
	Roles   []NamedRef     `json:"roles"`
	// Redacted has an entry for each column that is redacted, of a record that is kept.
	Redacted []Details `json:"redacted,omitempty"`
}

// Rule is a rule's outcome.
type Rule struct {
	Rule  string `json:"rule"`
	Holds bool   `json:"holds"`
	Why   string `json:"why"`
}

// NamedInstant is a moment of the record.
type NamedInstant struct {
	Name string `json:"name"`
	At   string `json:"at"` // empty: null
}

// NamedRef is an account under its role.
type NamedRef struct {
	Role string `json:"role"`
	Ref  string `json:"ref"` // empty: null
}

// Subject is what is known of an account that the record names.
type Subject struct {
	Ref       string    `json:"ref"`
	Roles     []string  `json:"roles"`
	Timeline  []Stretch `json:"timeline"`
	Deletions []string  `json:"deletion_requests"`
	// Registered is null where no registry is given.
	Registered *bool `json:"registered"`
	// Aliases are the account's other ids.
	Aliases       []string     `json:"aliases,omitempty"`
	Organisations []Membership `json:"organisations,omitempty"`
}

// Membership is a span over which a subject belonged to an organisation.
type Membership struct {
	Organisation string `json:"organisation"` // its reference
	From         string `json:"from"`
	Until        string `json:"until"` // empty: it goes on
}

// roleOrganisation is the role of an organisation that no record names.
const roleOrganisation = "organisation of a party"

// Stretch is a span of a timeline.
type Stretch struct {
	From  string `json:"from"` // empty: from the start
	Until string `json:"until"`
	State string `json:"state"`
}

// Run decides one record by the slow formulation of the rules and says why.
func Run(ctx context.Context, e *job.Env, o Options) (*Explanation, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	cfg, err := config.Load(o.Config, o.Set)
	if err != nil {
		return nil, err
	}
	if _, err := cfg.Dataset(o.Dataset); err != nil {
		return nil, err
	}
	key, err := config.SubjectKey(cfg)
	if err != nil {
		return nil, err
	}
	inputs, err := source.NewPlanner(e, cfg).Inputs(ctx)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(inputs.Datasets, func(d *source.DatasetInput) bool { return d.Name == o.Dataset })
	d := inputs.Datasets[i]
	found, err := findRecord(ctx, d, o.Record)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, &job.Error{Exit: job.ExitFailed, Hint: "ids are compared byte for byte; look for blanks or another case", Err: errors.New(o.Dataset + ": no record has this id")}
	}
	world, err := loadWorld(ctx, e, inputs, found)
	if err != nil {
		return nil, err
	}
	out := explain(d, o.Record, found, world, key.NewReferrer())
	return out, out.addDetails(ctx, d)
}

// foundRecord is a row with its keys spelt out.
type foundRecord struct {
	filter.Record
	file string
	row  int64
}

// findRecord returns all rows of a data set with the record id.
func findRecord(ctx context.Context, d *source.DatasetInput, id string) ([]*foundRecord, error) {
	var found []*foundRecord
	for _, f := range d.Files {
		var b *source.Binding
		bindKeys := func(file *rewrite.File) (_ []source.KeyColumn, err error) {
			if b, err = source.Bind(file, f.Rel, &d.Dataset); err != nil {
				return nil, err
			}
			return b.Columns, nil
		}
		var scratch []byte
		err := source.Scan(ctx, f, bindKeys, func(first int64, rows int, v []*parquet.Vector) error {
			for i := range rows {
				scratch = b.Record.ID.Append(scratch[:0], v[b.Record.At], i)
				if string(scratch) == id {
					found = append(found, &foundRecord{spell(b, &d.Dataset, v, i), f.Rel, first + int64(i)})
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// spell returns row i of a batch as a record of the slow formulation.
func spell(b *source.Binding, d *schema.Dataset, v []*parquet.Vector, i int) filter.Record {
	r := filter.Record{Category: d.Category}
	for n, role := range d.Roles() {
		c := b.Roles[n]
		slots := v[c.At]
		lo, hi := i, i+1
		if slots.Offsets != nil {
			lo, hi = int(slots.Offsets[i]), int(slots.Offsets[i+1])
		}
		var subjects []filter.Subject
		for s := lo; s < hi; s++ {
			subjects = append(subjects, filter.Subject{Role: role.Name, ID: schema.AccountID(c.ID.Append(nil, slots, s))})
		}
		if n >= b.Parties {
			r.Subjects = append(r.Subjects, subjects...)
			continue
		}
		if len(subjects) == 0 { // a list of nobody
			subjects = []filter.Subject{{Role: role.Name}}
		}
		r.Parties = append(r.Parties, subjects...)
	}
	var at [1]schema.Instant
	for n, m := range d.Moments {
		c := b.Moments[n]
		one := source.OneSlot(v[c.At], i)
		c.Instants(&one, at[:])
		r.Moments = append(r.Moments, filter.Moment{Name: m.Name, At: at[0]})
	}
	if b.Contract.At >= 0 {
		r.Contract = string(b.Contract.ID.Append(nil, v[b.Contract.At], i))
	}
	stated := b.Stated(func(at int) *parquet.Vector { return v[at] }, i)
	r.Private, r.SourceDeleted = stated.Has(schema.PrivateRecord), stated.Has(schema.SourceDeleted)
	return r
}

// worldSink gathers the facts about some accounts and contracts. Faults of the
// inputs are faults of the answer too.
type worldSink struct {
	world     *filter.World
	accounts  map[schema.AccountID]bool // those that records name, and their organisations
	contracts map[string]bool
}

func (s *worldSink) IDs(parquet.Bytes) error { return nil }

// account returns the account that an id stands for, and whether facts about it are wanted.
func (s *worldSink) account(id []byte) (schema.AccountID, bool) {
	a := s.world.Account(schema.AccountID(id))
	return a, s.accounts[a]
}

func (s *worldSink) Alias(_, _ []byte) error { return nil } // see loadWorld

func (s *worldSink) Member(id, organisation []byte, span schema.Span) error {
	if a, ok := s.account(id); ok {
		o := s.world.Account(schema.AccountID(organisation))
		s.accounts[o] = true
		s.world.Memberships[a] = append(s.world.Memberships[a], filter.Membership{Span: span, Organisation: o})
	}
	return nil
}

func (s *worldSink) Event(_ int, id []byte, e filter.Event) error {
	if a, ok := s.account(id); ok {
		s.world.Events[a] = append(s.world.Events[a], e)
	}
	return nil
}

func (s *worldSink) Deletion(id []byte, d filter.Deletion) error {
	if a, ok := s.account(id); ok {
		s.world.Deletions[a] = append(s.world.Deletions[a], d)
	}
	return nil
}

func (s *worldSink) Restriction(contract []byte, span schema.Span) error {
	if err := filter.CheckRestriction(contract, span); err != nil {
		return err
	}
	if c := string(contract); s.contracts[c] {
		s.world.Restrictions[c] = append(s.world.Restrictions[c], span)
	}
	return nil
}

func (s *worldSink) Registry() { s.world.Registry = map[schema.AccountID]bool{} }

func (s *worldSink) Registered(id []byte) error {
	if len(id) == 0 {
		return filter.ErrNoID
	}
	if a, ok := s.account(id); ok {
		s.world.Registry[a] = true
	}
	return nil
}

// loadWorld reads what the inputs say about the subjects of some records. It reads the
// aliases before all else, because the facts that are wanted depend on them.
func loadWorld(ctx context.Context, e *job.Env, in *source.Inputs, records []*foundRecord) (_ *filter.World, err error) {
	s := &worldSink{world: filter.NewWorld(), accounts: map[schema.AccountID]bool{}, contracts: map[string]bool{}}
	if s.world.Aliases, err = source.ReadAliases(ctx, e, in.Config); err != nil {
		return nil, err
	}
	for _, r := range records {
		for _, subject := range slices.Concat(r.Parties, r.Subjects) {
			s.accounts[s.world.Account(subject.ID)] = true
		}
		s.contracts[r.Contract] = true
	}
	l := source.Loader{Cfg: in.Config, Sink: s}
	if err := l.Load(ctx, in); err != nil {
		return nil, err
	}
	horizon, err := in.Horizon(l.Newest)
	s.world.Policy = in.Policy(horizon)
	return s.world, err
}

func explain(d *source.DatasetInput, id string, found []*foundRecord, w *filter.World, refs *manifests.Referrer) *Explanation {
	out := &Explanation{Dataset: d.Name, Category: d.Category.String(), Record: id, Horizon: w.Policy.Horizon}
	ref := func(id schema.AccountID) string {
		if id == "" {
			return ""
		}
		return refs.Ref([]byte(string(id))).String()
	}
	var order []schema.AccountID
	roles := map[schema.AccountID][]string{}
	for _, r := range found {
		e := w.Explain(&r.Record)
		record := Record{File: r.file, Row: r.row, Kept: e.Reasons.Kept(), Reasons: e.Reasons.Strings()}
		for _, rule := range e.Rules {
			record.Rules = append(record.Rules, Rule{rule.Reason.String(), rule.Holds, rule.Why})
		}
		for _, m := range r.Moments {
			record.Moments = append(record.Moments, NamedInstant{m.Name, instantText(m.At)})
		}
		for _, s := range slices.Concat(r.Parties, r.Subjects) {
			record.Roles = append(record.Roles, NamedRef{s.Role, ref(s.ID)})
			if s.ID == "" {
				continue
			}
			if roles[s.ID] == nil {
				order = append(order, s.ID)
			}
			if !slices.Contains(roles[s.ID], s.Role) {
				roles[s.ID] = append(roles[s.ID], s.Role)
			}
		}
		out.Found = append(out.Found, record)
	}
	named := len(order)
	for i := 0; i < len(order); i++ { // organisations come behind the subjects
		s := subjectOf(w, order[i], roles[order[i]], d.Category, ref)
		memberships := w.Memberships[w.Account(order[i])]
		if i >= named {
			memberships = nil // whether an organisation belongs to another is of no account
		}
		for _, m := range memberships {
			s.Organisations = append(s.Organisations, Membership{ref(m.Organisation), instantText(m.From), untilText(m.Until)})
			if roles[m.Organisation] == nil {
				order = append(order, m.Organisation)
				roles[m.Organisation] = []string{roleOrganisation}
			}
		}
		out.Subjects = append(out.Subjects, s)
	}
	return out
}

// subjectOf says what is known of an account, its organisations apart.
func subjectOf(w *filter.World, id schema.AccountID, roles []string, c schema.Category, ref func(schema.AccountID) string) Subject {
	s := Subject{Ref: ref(id), Roles: roles}
	for _, other := range w.Aliases.IDs(id) {
		if other != id {
			s.Aliases = append(s.Aliases, ref(other))
		}
	}
	for _, stretch := range w.Timeline(id, c) {
		from := instantText(stretch.From)
		if stretch.From == schema.Earliest {
			from = ""
		}
		s.Timeline = append(s.Timeline, Stretch{from, instantText(stretch.Until), stretch.State.String()})
	}
	for _, d := range w.Deletions[w.Account(id)] {
		s.Deletions = append(s.Deletions, instantText(d.RequestedAt))
	}
	if w.Registry != nil {
		known := w.Registry[w.Account(id)]
		s.Registered = &known
	}
	return s
}

func untilText(i schema.Instant) string {
	if i == schema.Forever {
		return ""
	}
	return i.String()
}

func instantText(i schema.Instant) string {
	if i == schema.Unknown {
		return ""
	}
	return i.String()
}
