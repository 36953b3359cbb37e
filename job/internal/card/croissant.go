package card

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"assent/manifests"
	"assent/schema"
)

// object is a node of the document. JSON has its keys sorted.
type object = map[string]any

// ref refers to a node.
func ref(id string) object { return object{"@id": id} }

// jsonldContext is the one of the specification (appendix 1), with the prefixes of ODRL and of our terms.
// Source: https://docs.mlcommons.org/croissant/docs/croissant-spec-1.1.html
func jsonldContext() object {
	c := object{
		"@language": "en", "@vocab": "https://schema.org/", "sc": "https://schema.org/", "cr": "http://mlcommons.org/croissant/",
		"rai": "http://mlcommons.org/croissant/RAI/", "dct": "http://purl.org/dc/terms/", "odrl": "http://www.w3.org/ns/odrl/2/", "assent": Terms,
		"conformsTo": "dct:conformsTo", "data": object{"@id": "cr:data", "@type": "@json"}, "examples": object{"@id": "cr:examples", "@type": "@json"},
		"dataType": object{"@id": "cr:dataType", "@type": "@vocab"}, "name": object{"@container": "@language"}, "description": object{"@container": "@language"},
	}
	for _, term := range strings.Fields("annotation arrayShape citeAs column containedIn equivalentProperty excludes extract field fileProperty fileObject fileSet format includes isArray isLiveDataset jsonPath key md5 parentField path readLines recordSet references regex repeated replace samplingRate sdVersion separator source subField transform unArchive value") {
		c[term] = "cr:" + term
	}
	return c
}

// parquetFormat is the encoding format by which mlcroissant loads Parquet; the registered one, application/vnd.apache.parquet, it
// only validates.
const parquetFormat = "application/x-parquet"

// runDir is the node of the run's directory. mlcroissant loads sets of files from a directory beside the document only where it is
// a repository, so that it is called one; the content is a relative path.
const runDir = "~run"

func croissant(run *manifests.Run, columns map[string][]Column) ([]byte, error) {
	horizon := run.ConsentAsOf.UTC()
	doc := object{
		"@context": jsonldContext(), "@type": "sc:Dataset", "conformsTo": "http://mlcommons.org/croissant/1.1",
		"name": run.Program.Name, "url": "urn:assent:run:" + run.RunID, "version": version(horizon), "datePublished": horizon.Format(time.RFC3339),
		"description": fmt.Sprintf("Records that may be used for training under the programme %s, by the consent of all parties up to %s.", run.Program.Name, horizon.Format(time.RFC3339)),
		"citeAs":      fmt.Sprintf("%s, run %s", run.Program.Name, run.RunID),
		"creator":     object{"@type": "sc:Organization", "name": run.Program.Name},
		"license":     object{"@type": "sc:CreativeWork", "name": "No licence to third parties: see usageInfo"},
		"usageInfo":   object{"@type": []string{"CreativeWork", "odrl:Offer"}, "name": "Use of the run", "odrl:prohibition": prohibition()},
		"assent:run":  run.RunID, "assent:consentAsOf": horizon.Format(time.RFC3339Nano),
	}
	if run.RequestsAsOf != nil {
		doc["assent:requestsAsOf"] = run.RequestsAsOf.UTC().Format(time.RFC3339Nano)
	}
	distribution := []object{{
		"@type": "cr:FileObject", "@id": runDir, "name": runDir, "description": "The run's directory. Its digest is that of the lines that sha256sum prints for the data files, in the order of this document.",
		"contentUrl": "..", "encodingFormat": []string{"inode/directory", "git+https"}, "sha256": digestOfFiles(run),
	}}
	var sets []object
	for _, name := range slices.Sorted(maps.Keys(run.Datasets)) {
		d := run.Datasets[name]
		distribution = append(distribution, object{
			"@type": "cr:FileSet", "@id": filesOf(name), "name": filesOf(name), "containedIn": ref(runDir),
			"encodingFormat": parquetFormat, "includes": []string{name + "/*", name + "/**/*"},
		})
		for i := range d.Files {
			f := &d.Files[i]
			distribution = append(distribution, object{
				"@type": "cr:FileObject", "@id": id(name) + "~file/" + id(f.Source), "name": f.Output, "containedIn": ref(runDir), "contentUrl": f.Output,
				"contentSize": fmt.Sprintf("%d B", f.Bytes), "encodingFormat": parquetFormat, "sha256": f.SHA256,
			})
		}
		set, err := recordSet(run, name, columns[name])
		if err != nil {
			return nil, err
		}
		sets = append(sets, set)
	}
	doc["distribution"], doc["recordSet"] = distribution, sets
	data, err := json.MarshalIndent(doc, "", " ")
	return append(data, '\n'), err
}

// version is the horizon as a version of three numbers. Each run is a major one, because records may have gone since the last.
func version(horizon time.Time) string {
	h, m, s := horizon.Clock()
	return fmt.Sprintf("%s.%d.0", horizon.Format("20060102"), (h*100+m)*100+s)
}

func filesOf(dataset string) string { return id(dataset) + "~files" }

// id makes an identifier of a name: what may not stand in one is ~ and its bytes in hexadecimal, so that other names have other
// identifiers, and identifiers with a ~ of their own are free for what has no name.
func id(name string) string {
	var b strings.Builder
	for _, c := range []byte(name) {
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-_.=/", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "~%02x", c)
		}
	}
	return b.String()
}

func digestOfFiles(run *manifests.Run) string {
	var b []byte
	for _, name := range slices.Sorted(maps.Keys(run.Datasets)) {
		for _, f := range run.Datasets[name].Files {
			b = fmt.Appendf(b, "%s  %s\n", f.SHA256, f.Output)
		}
	}
	return manifests.SHA256(b)
}

// recordSet describes a data set: its columns, the keys of its directories, and what it may train.
func recordSet(run *manifests.Run, name string, columns []Column) (object, error) {
	d := run.Datasets[name]
	category, err := schema.ParseCategory(d.Category)
	if err != nil {
		return nil, err
	}
	description := fmt.Sprintf("%s: %d of %d records.", category.Title(), d.RowsKept, d.RowsIn)
	var fields []object
	for _, c := range columns {
		if !c.typed() {
			description += " The files have the column " + c.Name + ", too: it is of UUIDs, which have no type here."
			continue
		}
		if c.Some { // a program that loads the record set asks every file for every field
			description += " Some files have the column " + c.Name + ", too."
			continue
		}
		fields = append(fields, field(name, id(name+"/"+c.Name), &c, c.Name, nil))
	}
	for _, key := range partitions(&d) {
		if !slices.ContainsFunc(columns, func(c Column) bool { return c.Name == key }) {
			fields = append(fields, object{
				"@type": "cr:Field", "@id": id(name + "/" + key), "name": key, "dataType": "sc:Text", "description": "of the file's directory",
				"source": object{"fileSet": ref(filesOf(name)), "extract": object{"fileProperty": "fullpath"}, "transform": object{"regex": "^(?:.*/)?" + regexp.QuoteMeta(key) + "=([^/]*)/.*$"}},
			})
		}
	}
	return object{
		"@type": "cr:RecordSet", "@id": id(name), "name": name, "field": fields,
		"description": description,
		"usageInfo": object{
			"@type": []string{"CreativeWork", "odrl:Offer"}, "name": "Use of " + name, "description": category.AudienceSentence(),
			"odrl:permission": object{"@type": "odrl:Permission", "odrl:action": ref("assent:train"), "odrl:constraint": object{
				"@type": "odrl:Constraint", "odrl:leftOperand": ref("assent:audience"), "odrl:operator": ref("odrl:eq"),
				"odrl:rightOperand": ref("assent:" + run.Use[name].Audience),
			}},
			"odrl:prohibition": prohibition(),
		},
	}, nil
}

func prohibition() object {
	return object{"@type": "odrl:Prohibition", "odrl:action": ref("assent:trainThirdParty")}
}

// partitions returns the keys of the directories, key=value, that all files of a data set are in.
func partitions(d *manifests.Dataset) []string {
	var keys []string
	for i := range d.Files {
		var of []string
		segments := strings.Split(d.Files[i].Source, "/")
		for _, s := range segments[:len(segments)-1] {
			if key, _, ok := strings.Cut(s, "="); ok && key != "" && !slices.Contains(of, key) {
				of = append(of, key)
			}
		}
		if i == 0 {
			keys = of
		}
		keys = slices.DeleteFunc(keys, func(k string) bool { return !slices.Contains(of, k) })
	}
	return keys
}

// field describes a column or a part of one, which is found in the values of a column by steps: a path in JSON each, the next one
// into every element of what the last one found.
func field(dataset, at string, c *Column, column string, steps []string) object {
	f := object{"@type": "cr:Field", "@id": at, "name": c.Name}
	inner := c
	for depth := 1; inner.Kind == List; depth++ {
		inner = &inner.Parts[0]
		f["isArray"], f["arrayShape"] = true, strings.TrimSuffix(strings.Repeat("-1,", depth), ",")
	}
	if inner.Kind == Map {
		f["isArray"], f["arrayShape"] = true, "-1"
	}
	if inner.Kind == Leaf {
		f["dataType"], f["source"] = inner.Croissant, source(dataset, column, steps)
		return f
	}
	var parts []object
	for i := range inner.Parts {
		part := &inner.Parts[i]
		step := fmt.Sprintf("$[%d]", i) // an entry of a map is a pair
		if inner.Kind == Group {
			step = "$['" + strings.ReplaceAll(part.Name, "'", `\'`) + "']"
		}
		to := append(slices.Clone(steps), step)
		if n := len(steps); n > 0 && c.Kind == Group { // no list in between: one path
			to = append(slices.Clone(steps[:n-1]), steps[n-1]+step[1:])
		}
		parts = append(parts, field(dataset, at+"/"+id(part.Name), part, column, to))
	}
	f["subField"] = parts
	return f
}

func source(dataset, column string, steps []string) object {
	s := object{"fileSet": ref(filesOf(dataset)), "extract": object{"column": column}}
	var transforms []object
	for _, step := range steps {
		transforms = append(transforms, object{"jsonPath": step})
	}
	if transforms != nil {
		s["transform"] = transforms
	}
	return s
}
