package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// verbs are the packages of the program's commands. None may import another.
var verbs = []string{"access", "diff", "erase", "explain", "report", "requests", "run", "runs", "sample", "scope", "verify"}

// mayImport says which of our packages each package may import; a name that ends in a
// slash stands for all below it. Imports go one way: main → verbs → {job, job/internal,
// job/parquet/rewrite, job/parquet/pick} → {filter, manifests} → {schema, job/parquet}.
var mayImport = map[string][]string{
	"assent":           {"assent/job", "assent/job/"},
	"assent/filter":    {"assent/schema", "assent/filter/sections"},
	"assent/manifests": {"assent/schema", "assent/job/parquet", "assent/job/parquet/"},
	"assent/schema":    {},

	// A leaf: a format without a meaning.
	"assent/filter/sections": {},

	"assent/job/plain":            {},
	"assent/job":                  {"assent/job/plain", "assent/job/internal/objstore", "assent/job/internal/source/listing", "assent/job/internal/pages", "assent/job/parquet", "assent/job/parquet/rewrite"},
	"assent/job/jobtest":          {"assent/job/", "assent/job"}, // for tests alone
	"assent/job/jobtest/liveheap": {},                            // the same

	"assent/job/internal/attest":             {},
	"assent/job/internal/config":             {"assent/job", "assent/job/internal/attest", "assent/manifests", "assent/schema", "assent/job/internal/objstore"},
	"assent/job/internal/source":             {"assent/job", "assent/filter", "assent/manifests", "assent/schema", "assent/job/internal/config", "assent/job/internal/objstore", "assent/job/internal/source/listing", "assent/job/parquet", "assent/job/parquet/rewrite"},
	"assent/job/internal/consent":            {"assent/filter", "assent/filter/sections", "assent/manifests", "assent/job/internal/objstore", "assent/job/internal/source"},
	"assent/job/internal/source/listing":     {"assent/job/internal/objstore"},
	"assent/job/internal/transform":          {"assent/manifests", "assent/schema", "assent/job/internal/source", "assent/job/internal/source/listing", "assent/job/internal/transform/", "assent/job/parquet", "assent/job/parquet/rewrite"},
	"assent/job/internal/publish":            {"assent/job", "assent/manifests", "assent/schema", "assent/job/internal/config", "assent/job/internal/objstore", "assent/job/parquet"},
	"assent/job/internal/holdings":           {"assent/job", "assent/filter", "assent/manifests", "assent/schema", "assent/job/internal/config", "assent/job/internal/objstore", "assent/job/internal/publish", "assent/job/internal/source", "assent/job/parquet", "assent/job/parquet/rewrite"},
	"assent/job/internal/objstore":           {},
	"assent/job/internal/objstore/faulty":    {"assent/job/internal/objstore"},
	"assent/job/internal/objstore/storetest": {"assent/job/internal/objstore"},
	"assent/job/internal/pages":              {"assent/job/plain", "assent/schema"},
	"assent/job/internal/lineage":            {},
	"assent/job/internal/metrics":            {"assent/manifests", "assent/schema"},
	"assent/job/internal/card":               {"assent/manifests", "assent/schema", "assent/job/internal/pages", "assent/job/parquet"},
	"assent/job/internal/runpage":            {"assent/manifests", "assent/schema", "assent/job/internal/pages"},
	"assent/job/internal/receipt":            {"assent/job/internal/pages"},
	"assent/job/internal/arrowparquet":       {"assent/job/internal/leafwriter"},
	"assent/job/internal/leafwriter":         {},
	"assent/job/internal/transform/redact":   {},

	// A leaf: it imports none of ours but its own parts.
	"assent/job/parquet":                    {"assent/job/parquet/thrift", "assent/job/parquet/encoding", "assent/job/parquet/codec"},
	"assent/job/parquet/thrift":             {},
	"assent/job/parquet/encoding":           {},
	"assent/job/parquet/codec":              {},
	"assent/job/parquet/rewrite":            {"assent/job/parquet", "assent/job/parquet/thrift", "assent/job/parquet/encoding", "assent/job/parquet/codec"},
	"assent/job/parquet/table":              {"assent/job/parquet", "assent/job/parquet/thrift", "assent/job/parquet/encoding", "assent/job/parquet/codec"},
	"assent/job/parquet/rewrite/filterfile": {"assent/job/parquet", "assent/job/parquet/rewrite"},
	"assent/job/parquet/pick":               {"assent/job/parquet", "assent/job/parquet/", "assent/schema"},
}

// verbsImport is what a verb may import beside what it has of its own.
var verbsImport = []string{"assent/job", "assent/job/plain", "assent/job/internal/", "assent/job/parquet", "assent/job/parquet/", "assent/filter", "assent/manifests", "assent/schema"}

// verifyImports is what the verb verify may import. It must not share a mistake with what
// it audits, so it has neither the run's way to Parquet's bytes nor its way to columns.
var verifyImports = []string{
	"assent/job", "assent/job/plain", "assent/job/internal/attest", "assent/job/internal/config", "assent/job/internal/objstore", "assent/job/internal/pages", "assent/job/internal/publish", "assent/job/internal/source/listing", "assent/job/internal/runpage",
	"assent/filter", "assent/manifests", "assent/schema",
}

// TestImportDirections holds the directions of imports. A package that is not listed fails it.
func TestImportDirections(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	listed := map[string]bool{}
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(p.ImportPath, "assent/scripts/") {
			continue // programs that measure it; the product never needs them
		}
		may, ok := mayImport[p.ImportPath]
		if slices.ContainsFunc(verbs, func(v string) bool { return p.ImportPath == "assent/job/"+v }) {
			may, ok = verbsImport, true
		}
		if p.ImportPath == "assent/job/verify" {
			may = verifyImports
		}
		if !ok {
			t.Errorf("%s: say in this test what it may import", p.ImportPath)
		}
		listed[p.ImportPath] = true
		for _, imported := range p.Imports {
			if strings.HasPrefix(imported, "assent") && !permitted(may, imported) {
				t.Errorf("%s imports %s", p.ImportPath, imported)
			}
			if strings.HasPrefix(imported, "cloud.google.com/") && p.ImportPath != "assent/job/internal/objstore" {
				t.Errorf("%s imports %s: the GCS SDK stands in objstore", p.ImportPath, imported)
			}
			if strings.HasPrefix(imported, "github.com/apache/arrow/") && !strings.HasPrefix(p.ImportPath, "assent/job/") {
				t.Errorf("%s imports %s: what decides, and what a run leaves, does without Arrow", p.ImportPath, imported)
			}
		}
	}
	for path := range mayImport {
		if !listed[path] {
			t.Errorf("%s is not there", path)
		}
	}
	for _, v := range verbs {
		if !listed["assent/job/"+v] {
			t.Errorf("the verb %s is not there", v)
		}
	}
}

func permitted(may []string, imported string) bool {
	for _, m := range may {
		if imported == m || strings.HasSuffix(m, "/") && strings.HasPrefix(imported, m) {
			return true
		}
	}
	return false
}
