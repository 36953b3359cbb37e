package listing

import (
	"strconv"
	"strings"
)

// Key is what a Hive directory says of the files below it.
type Key struct {
	Name  string
	Value string // not meaningful where Null
	Null  bool
}

// nullValue is how Hive and Spark write null, and Spark an empty string, too.
const nullValue = "__HIVE_DEFAULT_PARTITION__"

// Keys returns the keys of the Hive directories among the elements of a path, in
// their order. A key that stands there twice is returned twice.
//
// Names and values are decoded as Spark, Hive, pyarrow and DuckDB encode them: %3A is
// a colon. A percent sign without two hexadecimal digits stands for itself.
func Keys(dir string) []Key {
	var keys []Key
	for element := range strings.SplitSeq(dir, "/") {
		name, value, ok := strings.Cut(element, "=")
		switch {
		case !ok || name == "":
		case value == nullValue:
			keys = append(keys, Key{Name: unescape(name), Null: true})
		default:
			keys = append(keys, Key{Name: unescape(name), Value: unescape(value)})
		}
	}
	return keys
}

func unescape(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]) {
			v, _ := strconv.ParseUint(s[i+1:i+3], 16, 8) // two hexadecimal digits
			out = append(out, byte(v))
			i += 2
			continue
		}
		out = append(out, s[i])
	}
	return string(out)
}

func isHex(c byte) bool { return strings.IndexByte("0123456789abcdefABCDEF", c) >= 0 }
