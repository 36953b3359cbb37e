package lineage

import (
	"path/filepath"
	"strings"
	"time"
)

const (
	producer  = "https://openlineage.io/producers/assent" // a name, not an address
	schemaURL = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
)

type object = map[string]any

// facet returns a facet of a schema in the specification's directory.
func facet(schema string, fields object) object {
	fields["_producer"], fields["_schemaURL"] = producer, "https://openlineage.io/spec/facets/"+schema
	return fields
}

func (r *Run) event(kind string, at time.Time, outputs []Dataset, why error) object {
	runFacets := object{"processing_engine": facet("1-1-1/ProcessingEngineRunFacet.json#/$defs/ProcessingEngineRunFacet", object{"name": "assent", "version": r.version})}
	if p := r.parent(); p != nil {
		runFacets["parent"] = p
	}
	if why != nil {
		runFacets["errorMessage"] = facet("1-0-1/ErrorMessageRunFacet.json#/$defs/ErrorMessageRunFacet", object{"message": why.Error(), "programmingLanguage": "Go"})
	}
	inputs, made := []object{}, []object{}
	for i := range r.inputs {
		inputs = append(inputs, r.inputs[i].dataset(object{}))
	}
	for i := range outputs {
		made = append(made, outputs[i].output())
	}
	return object{
		"eventType": kind, "eventTime": at.UTC().Format(time.RFC3339Nano), "producer": producer, "schemaURL": schemaURL,
		"run": object{"runId": r.id, "facets": runFacets},
		"job": object{"namespace": r.options.Namespace, "name": r.job, "facets": object{
			"jobType": facet("2-0-4/JobTypeJobFacet.json#/$defs/JobTypeJobFacet", object{"processingType": "BATCH", "integration": "ASSENT", "jobType": "JOB"}),
		}},
		"inputs": inputs, "outputs": made,
	}
}

// parent returns the facet of the scheduler's task; nil where none is told in the form that OpenLineage's schedulers write.
func (r *Run) parent() object {
	split := func(id string) (namespace, job, run string, ok bool) {
		parts := strings.Split(id, "/")
		if n := len(parts); n >= 3 { // a namespace may have slashes
			return strings.Join(parts[:n-2], "/"), parts[n-2], parts[n-1], true
		}
		return "", "", "", false
	}
	namespace, job, run, ok := split(r.options.Parent)
	if !ok {
		return nil
	}
	fields := object{"run": object{"runId": run}, "job": object{"namespace": namespace, "name": job}}
	if namespace, job, run, ok := split(r.options.Root); ok {
		fields["root"] = object{"run": object{"runId": run}, "job": object{"namespace": namespace, "name": job}}
	}
	return facet("1-2-0/ParentRunFacet.json#/$defs/ParentRunFacet", fields)
}

// name splits a URI into a dataset's namespace and name, by OpenLineage's rules for files and for GCS.
func name(uri string) (namespace, name string) {
	if rest, ok := strings.CutPrefix(uri, "gs://"); ok {
		bucket, object, _ := strings.Cut(rest, "/")
		return "gs://" + bucket, strings.TrimSuffix(object, "/")
	}
	if absolute, err := filepath.Abs(uri); err == nil {
		uri = absolute
	}
	return "file", uri
}

func (d *Dataset) dataset(facets object) object {
	namespace, n := name(d.URI)
	if n == "" {
		n = "/" // a whole bucket
	}
	if d.Version != "" {
		facets["version"] = facet("1-0-1/DatasetVersionDatasetFacet.json#/$defs/DatasetVersionDatasetFacet", object{"datasetVersion": d.Version})
	}
	return object{"namespace": namespace, "name": n, "facets": facets}
}

func (d *Dataset) output() object {
	facets := object{}
	if len(d.Columns) > 0 {
		var fields []object
		columns := object{}
		for _, c := range d.Columns {
			fields = append(fields, object{"name": c.Name, "type": c.Type})
			how := "IDENTITY"
			if c.Changed {
				how = "TRANSFORMATION"
			}
			columns[c.Name] = object{"inputFields": []object{inputField(Source{c.From, c.Name}, "DIRECT", how)}}
		}
		filters := []object{}
		for _, s := range d.FilteredBy {
			filters = append(filters, inputField(s, "INDIRECT", "FILTER"))
		}
		facets["schema"] = facet("1-2-0/SchemaDatasetFacet.json#/$defs/SchemaDatasetFacet", object{"fields": fields})
		facets["columnLineage"] = facet("1-2-0/ColumnLineageDatasetFacet.json#/$defs/ColumnLineageDatasetFacet", object{"fields": columns, "dataset": filters})
	}
	out := d.dataset(facets)
	out["outputFacets"] = object{"outputStatistics": facet("1-0-2/OutputStatisticsOutputDatasetFacet.json#/$defs/OutputStatisticsOutputDatasetFacet", object{
		"rowCount": d.Rows, "size": d.Size, "fileCount": d.Files,
	})}
	return out
}

func inputField(s Source, kind, subtype string) object {
	namespace, n := name(s.URI)
	return object{"namespace": namespace, "name": n, "field": s.Field, "transformations": []object{{"type": kind, "subtype": subtype}}}
}
