package verify

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"
	"go.yaml.in/yaml/v3"

	"assent/manifests"
)

// The documents by which programs of others find their way in a run.
const (
	croissantObject = "_manifest/croissant.json"
	cardObject      = "README.md"
)

// checkDocuments holds what a run's documents tell programs of others against the run manifest: they must name its data files,
// nothing else, and the use that it permits.
func (a *audit) checkDocuments(ctx context.Context) error {
	if len(a.run.Documents) == 0 { // as of programs that wrote none
		return nil
	}
	checks := map[string]func([]byte){croissantObject: a.checkCroissant, cardObject: a.checkCard}
	for _, o := range a.run.Documents {
		check, known := checks[o.Path]
		if delete(checks, o.Path); !known {
			a.found.of(o.Path, "no document of a run is called so, or it is listed twice")
		} else if a.intact[o.Path] {
			data, _, err := a.store.Read(ctx, a.object(o.Path))
			if err != nil {
				return err
			}
			check(data)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(checks)) {
		a.found.of(name, "the run manifest does not list it")
	}
	return nil
}

// croissant is what is looked at of croissant.json. Names are looked for as they stand: it is no other document that says the same.
type croissant struct {
	Name         string                       `json:"name"`
	Run          string                       `json:"assent:run"`
	ConsentAsOf  string                       `json:"assent:consentAsOf"`
	RequestsAsOf string                       `json:"assent:requestsAsOf"`
	Context      map[string]any               `json:"@context"`
	Usage        struct{ prohibition }        `json:"usageInfo"`
	Distribution []map[string]json.RawMessage `json:"distribution"`
	RecordSet    []croissantSet               `json:"recordSet"`
}

type croissantSet struct {
	Name  string           `json:"name"`
	Field []croissantField `json:"field"`
	Usage struct {
		Permission struct {
			Action     node `json:"odrl:action"`
			Constraint struct {
				Left     node `json:"odrl:leftOperand"`
				Operator node `json:"odrl:operator"`
				Right    node `json:"odrl:rightOperand"`
			} `json:"odrl:constraint"`
		} `json:"odrl:permission"`
		prohibition
	} `json:"usageInfo"`
}

type croissantField struct {
	Name   string `json:"name"`
	Type   string `json:"dataType"`
	Array  bool   `json:"isArray"`
	Source struct {
		Extract struct {
			Column string `json:"column"`
			File   string `json:"fileProperty"`
		} `json:"extract"`
	} `json:"source"`
	Parts []croissantField `json:"subField"`
}

type node struct {
	ID string `json:"@id"`
}

type prohibition struct {
	Prohibition struct {
		Action node `json:"odrl:action"`
	} `json:"odrl:prohibition"`
}

func (p *prohibition) holds() bool { return p.Prohibition.Action.ID == "assent:trainThirdParty" }

func (a *audit) checkCroissant(data []byte) {
	var c croissant
	if err := json.Unmarshal(data, &c); err != nil {
		a.found.of(croissantObject, "%v", err)
		return
	}
	say := func(holds bool, format string, args ...any) {
		if !holds {
			a.found.of(croissantObject, format, args...)
		}
	}
	requests := ""
	if a.run.RequestsAsOf != nil {
		requests = a.run.RequestsAsOf.Format(time.RFC3339Nano)
	}
	say(c.Run == a.run.RunID, "it is of the run %s", c.Run)
	say(c.Name == a.run.Program.Name, "it is of the programme %q", c.Name)
	say(c.ConsentAsOf == a.run.ConsentAsOf.Format(time.RFC3339Nano), "its horizon is %s", c.ConsentAsOf)
	say(c.RequestsAsOf == requests, "its newest deletion request is of %q, not %q", c.RequestsAsOf, requests)
	say(c.Context["assent"] == "urn:assent:use:", "its terms of use are not of urn:assent:use:")
	say(c.Usage.holds(), "it does not prohibit the training of models of others")
	a.checkDistribution(c.Distribution)
	var names []string
	for i := range c.RecordSet {
		s := &c.RecordSet[i]
		names = append(names, s.Name)
		d, ok := a.run.Datasets[s.Name]
		if !ok {
			continue
		}
		p := &s.Usage.Permission
		use := p.Action.ID == "assent:train" && p.Constraint.Left.ID == "assent:audience" && p.Constraint.Operator.ID == "odrl:eq" && p.Constraint.Right.ID == "assent:"+a.run.Use[s.Name].Audience
		say(use && s.Usage.holds(), "%s: the use that it permits is not the one of the run manifest", s.Name)
		a.checkFields(s, &d)
	}
	say(slices.Equal(names, slices.Sorted(maps.Keys(a.run.Datasets))), "its record sets are not the run's data sets: %q", names)
}

// checkDistribution checks that the data files are listed, each with its size and digest, and that nothing leads elsewhere.
func (a *audit) checkDistribution(nodes []map[string]json.RawMessage) {
	files := map[string]*manifests.File{}
	for _, d := range a.run.Datasets {
		for i := range d.Files {
			files[d.Files[i].Output] = &d.Files[i]
		}
	}
	for _, n := range nodes {
		text := func(key string) (s string) {
			if b := n[key]; len(b) >= 2 && b[0] == '"' && bytes.IndexByte(b, '\\') < 0 && utf8.Valid(b) {
				return string(b[1 : len(b)-1])
			}
			_ = json.Unmarshal(n[key], &s) // what is no text is none
			return s
		}
		url := text("contentUrl")
		f := files[url]
		switch delete(files, url); {
		case text("@id") == "~run" && url == "..", text("@type") == "cr:FileSet" && a.includesData(n["includes"]):
		case f == nil:
			a.found.of(croissantObject, "it names %q, which is no data file of the run", url+text("@id"))
		case text("sha256") != f.SHA256 || text("contentSize") != fmt.Sprintf("%d B", f.Bytes):
			a.found.of(croissantObject, "%s: its size or SHA-256 is not the one of the run manifest", url)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		a.found.of(croissantObject, "%s is missing", name)
	}
}

// includesData reports whether a set of files has those of one data set alone.
func (a *audit) includesData(includes json.RawMessage) bool {
	var patterns []string
	if json.Unmarshal(includes, &patterns) != nil || len(patterns) == 0 {
		return false
	}
	dataset := path.Dir(patterns[0])
	_, ok := a.run.Datasets[dataset]
	return ok && slices.Equal(patterns, []string{dataset + "/*", dataset + "/**/*"})
}

// checkFields holds the fields of a record set against the columns of the data set's files: each field is in every file, with its
// type, and each column that is in every file is a field, unless there are UUIDs in it, for which Croissant has no type.
func (a *audit) checkFields(s *croissantSet, d *manifests.Dataset) {
	count, types := map[string]int{}, map[string]map[string]bool{}
	read := 0
	for i := range d.Files {
		columns := a.columns[d.Files[i].Output]
		if columns != nil {
			read++
		}
		for name, kind := range columns {
			if count[name]++; types[name] == nil {
				types[name] = map[string]bool{}
			}
			types[name][kind] = true
		}
	}
	if read < len(d.Files) {
		return // was told
	}
	for i := range s.Field {
		f := &s.Field[i]
		n, kinds := count[f.Name], types[f.Name]
		delete(count, f.Name)
		switch {
		case n == 0 && f.Source.Extract.File == "fullpath": // of the directories
		case n < len(d.Files):
			a.found.of(croissantObject, "%s: field %q is not in every file", s.Name, f.Name)
		case !f.Array && len(f.Parts) == 0 && f.Source.Extract.Column != f.Name, !kinds[f.kind()] && !kinds[""] && !kinds[uuids]:
			a.found.of(croissantObject, "%s: field %q has another source or type than the files: %s", s.Name, f.Name, f.kind())
		}
	}
	for _, name := range slices.Sorted(maps.Keys(count)) {
		if count[name] == len(d.Files) && !types[name][uuids] {
			a.found.of(croissantObject, "%s: the column %q is no field", s.Name, name)
		}
	}
}

// kind is a field's type, as coarse as that of a column (see columnsOf).
func (f *croissantField) kind() string {
	if f.Array || len(f.Parts) > 0 {
		return "nested"
	}
	return strings.TrimRight(f.Type, "0123456789")
}

// uuids is the type of a column that has UUIDs in it.
const uuids = "UUIDs"

// columnsOf returns the columns of a file with their types in Croissant, without widths; "" for one that has no type of its own
// there.
func columnsOf(f *parquetFile) map[string]string {
	columns := map[string]string{}
	for _, c := range f.file.Root().Columns() {
		name := strings.Clone(c.Name()) // it may share the bytes of the file
		columns[name] = "nested"
		if c.Leaf() && !c.Repeated() {
			i := slices.IndexFunc(f.leaves, func(l leaf) bool { return l.path == c.Name() })
			columns[name] = f.leaves[i].croissant()
		}
		if slices.ContainsFunc(f.leaves, func(l leaf) bool { return l.isUUID() && strings.HasPrefix(l.path+".", c.Name()+".") }) {
			columns[name] = uuids
		}
	}
	return columns
}

func (l *leaf) croissant() string {
	_, stamp := l.timestamp()
	switch {
	case stamp:
		return "sc:DateTime"
	case l.kind() == parquet.Boolean:
		return "sc:Boolean"
	case l.isInteger() && !l.isDecimal() && l.isUnsigned():
		return "cr:UInt"
	case l.isInteger() && !l.isDecimal():
		return "cr:Int"
	case l.kind() == parquet.Float, l.kind() == parquet.Double:
		return "cr:Float"
	case l.isText():
		return "sc:Text"
	}
	return ""
}

// checkCard checks the YAML at the head of the dataset card: one config a data set, and none that reads anything else.
func (a *audit) checkCard(data []byte) {
	head, _, ok := bytes.Cut(bytes.TrimPrefix(data, []byte("---\n")), []byte("\n---\n"))
	var card struct {
		Configs []struct {
			Name  string `yaml:"config_name"`
			Files string `yaml:"data_files"`
		} `yaml:"configs"`
	}
	if err := yaml.Unmarshal(head, &card); err != nil || !ok {
		a.found.of(cardObject, "its head is no YAML between two lines of three hyphens")
		return
	}
	var names []string
	for _, c := range card.Configs {
		names = append(names, c.Name)
		if c.Files != c.Name+"/**" {
			a.found.of(cardObject, "config %q reads %q", c.Name, c.Files)
		}
	}
	if !slices.Equal(names, slices.Sorted(maps.Keys(a.run.Datasets))) {
		a.found.of(cardObject, "its configs are not the run's data sets: %q", names)
	}
}
