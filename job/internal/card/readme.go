package card

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"assent/job/internal/pages"
	"assent/manifests"
	"assent/schema"
)

// readme returns the dataset card: YAML by which load_dataset finds a config a data set and nothing else, then text for people.
// Source: https://huggingface.co/docs/hub/datasets-manual-configuration
func readme(run *manifests.Run, columns map[string][]Column) []byte {
	names := slices.Sorted(maps.Keys(run.Datasets))
	b := new(strings.Builder)
	fmt.Fprintf(b, "---\npretty_name: %s\nlicense: other\nlicense_name: no-third-party-training\nconfigs:\n", yaml(run.Program.Name))
	for _, name := range names {
		fmt.Fprintf(b, "- config_name: %s\n  data_files: %s\n", yaml(name), yaml(name+"/**"))
		if all := columns[name]; slices.ContainsFunc(all, func(c Column) bool { return c.hasMap() }) {
			fmt.Fprintf(b, "  columns: %s\n", yaml(namesOf(withoutMaps(all))))
		}
	}
	b.WriteString("dataset_info:\n") // of all: a config that alone is described would be the default one
	for _, name := range names {
		fmt.Fprintf(b, "- config_name: %s\n  features: %s\n", yaml(name), yaml(features(withoutMaps(columns[name]))))
	}
	fmt.Fprintf(b, `---

# %s

Records that may be used for training, by the consent of all parties up to %s.
Made by assent as run %s. Nothing here may train models of third parties.

| data set | records | may train |
| --- | --- | --- |
`, run.Program.Name, run.ConsentAsOf.UTC().Format(time.RFC3339), run.RunID)
	for _, name := range names {
		d := run.Datasets[name]
		sentence := ""
		if category, err := schema.ParseCategory(d.Category); err == nil {
			sentence = category.AudienceSentence()
		}
		fmt.Fprintf(b, "| %s | %s of %s | %s |\n", name, pages.Count(d.RowsKept), pages.Count(d.RowsIn), sentence)
	}
	b.WriteString(`
Before each training: ` + "`assent verify --quick --use marketplace|account:ID [--dataset NAME] --run URI`" + `, with the URI of this directory, refuses a run that was changed, and a use
that is not allowed. _manifest/croissant.json says the same for programs, with every file's digest; _manifest/report.html for people.
`)
	for _, name := range names {
		if all := columns[name]; slices.ContainsFunc(all, func(c Column) bool { return c.hasMap() }) {
			fmt.Fprintf(b, "The config %s leaves out columns with maps, for which Hugging Face datasets has no type.\n", name)
		}
	}
	return []byte(b.String())
}

// yaml returns a value in YAML, of which JSON is a part.
func yaml(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // text, lists and maps of these alone
	}
	return string(data)
}

func withoutMaps(all []Column) []Column {
	return slices.DeleteFunc(slices.Clone(all), func(c Column) bool { return c.hasMap() })
}

func namesOf(all []Column) []string {
	names := []string{}
	for _, c := range all {
		names = append(names, c.Name)
	}
	return names
}

// features returns the types of columns as Hugging Face writes them.
func features(all []Column) []object {
	list := []object{}
	for i := range all {
		f := featureOf(&all[i])
		f["name"] = all[i].Name
		list = append(list, f)
	}
	return list
}

func featureOf(c *Column) object {
	switch c.Kind {
	case Leaf:
		return object{"dtype": c.Arrow}
	case List:
		switch e := &c.Parts[0]; e.Kind {
		case Leaf:
			return object{"list": e.Arrow}
		case Group:
			return object{"list": features(e.Parts)}
		default:
			return object{"list": featureOf(e)}
		}
	}
	return object{"struct": features(c.Parts)}
}
