package schema

import _ "embed"

// RunSchema is the JSON Schema (draft 2020-12) of run.json, schema_version 1.
//
//go:embed run.schema.json
var RunSchema []byte
