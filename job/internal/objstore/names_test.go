package objstore

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzNames holds that every name of a bucket has one name of ours, and no other has it.
func FuzzNames(f *testing.F) {
	for _, name := range []string{"", "/", "a//b", "../x", "%2F", "%252F/%25%2F", "%2E%2E", "%2e", "%", "%25", "%2525/."} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		ours := pathName(name)
		if got := bucketName(ours); got != name {
			t.Errorf("%q is %q, which is %q", name, ours, got)
		}
		if utf8.ValidString(name) && !strings.Contains(name, "\x00") && checkName(ours) != nil {
			t.Errorf("%q is %q, which is no name", name, ours)
		}
	})
}
