package verify

import (
	"encoding/base64"
	"encoding/binary"
	"strings"
	"testing"
)

// inArrow is an Arrow schema's bytes around a document of pandas.
func inArrow(doc string) string {
	data := append([]byte("....name"), binary.LittleEndian.AppendUint32(nil, uint32(len(doc)))...)
	return base64.StdEncoding.EncodeToString(append(append(data, doc...), 0, 'e', 'n', 'd'))
}

// TestFittedPandas: of pandas' document in an Arrow schema parts may be gone, with blanks behind it; all else is a difference.
func TestFittedPandas(t *testing.T) {
	const in = `{"index_columns": ["at"], "columns": [{"name": "lost", "numpy_type": "int64"}, {"name": "at", "numpy_type": "int64"}], "pandas_version": "2.0"}`
	const fit = `{"index_columns": ["at"], "columns": [{"name": "at", "numpy_type": "object"}], "pandas_version": "2.0"}`
	padded := func(doc string) string { return doc + strings.Repeat(" ", len(in)-len(doc)) }
	c := &comparison{handed: &handed{columns: []handedColumn{{leaf: &leaf{path: "lost"}, out: -1}, {leaf: &leaf{path: "at"}}}}}
	for name, tt := range map[string]struct {
		out             string
		fitted, leftOut bool
	}{
		"as it was":         {in, true, true},
		"fits":              {padded(fit), true, false},
		"gone":              {strings.Repeat("\x00", len(in)), true, false},
		"another column":    {padded(strings.Replace(fit, `"at", "n`, `"it", "n`, 1)), false, false},
		"without its index": {padded(strings.Replace(fit, `"index_columns": ["at"], `, "", 1)), false, false},
		"no document":       {padded(fit[1:]), false, false},
		"other bytes":       {padded(fit) + "\x00END", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			out := inArrow(tt.out)
			if strings.HasSuffix(tt.out, "END") {
				data, _ := base64.StdEncoding.DecodeString(inArrow(padded(fit)))
				copy(data[4:], "NAME")
				out = base64.StdEncoding.EncodeToString(data)
			}
			kv := keyValue{key: "ARROW:schema", value: out}
			if got := c.fitted(keyValue{key: kv.key, value: inArrow(in)}, true, []keyValue{kv}); got != tt.fitted {
				t.Errorf("fitted: %v", got)
			}
			if got := c.namesLeftOut(kv); got != tt.leftOut {
				t.Errorf("names what is left out: %v", got)
			}
		})
	}
}
