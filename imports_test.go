package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

// TestImportDirections holds which of our packages may import which: main → job →
// {filter, manifests} → schema, and siblings never each other.
func TestImportDirections(t *testing.T) {
	allowed := map[string][]string{
		"assent":           {"assent/job"},
		"assent/job":       {"assent/filter", "assent/manifests", "assent/schema", "assent/job/"},
		"assent/filter":    {"assent/schema"},
		"assent/manifests": {"assent/schema"},
		"assent/schema":    {},

		"assent/job/report":                {"assent/manifests", "assent/schema", "assent/job/internal/pages"},
		"assent/job/internal/pages":        {"assent/schema"},
		"assent/job/parquet/rewrite":      {"assent/job/parquet/rewrite/"},
		"assent/job/internal/objstore":     {"assent/job/internal/objstore/"},
		"assent/job/internal/sample":       {"assent/schema", "assent/job/internal/arrowparquet"},
		"assent/job/internal/arrowparquet": {},
	}
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "./...").Output()
	if err != nil {
		t.Skipf("go list: %v", err)
	}
	checked := 0
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
		may, ok := allowed[p.ImportPath]
		if !ok {
			continue
		}
		checked++
		for _, imported := range p.Imports {
			if strings.HasPrefix(imported, "assent") && !permitted(may, imported) {
				t.Errorf("%s imports %s", p.ImportPath, imported)
			}
			if strings.HasPrefix(imported, "cloud.google.com/") && p.ImportPath != "assent/job/internal/objstore" {
				t.Errorf("%s imports %s: the GCS SDK stands in objstore", p.ImportPath, imported)
			}
		}
	}
	if checked != len(allowed) {
		t.Errorf("%d of %d packages are there", checked, len(allowed))
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
