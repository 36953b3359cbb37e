package redact

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/nyaruka/phonenumbers"
)

var update = flag.Bool("update", false, "write calling.txt anew from libphonenumber")

// TestCallingCodes holds calling.txt against libphonenumber.
func TestCallingCodes(t *testing.T) {
	all, err := phonenumbers.MetadataCollection()
	if err != nil {
		t.Fatal(err)
	}
	lengths := map[int32]map[int32]bool{}
	for _, m := range all.GetMetadata() {
		code := m.GetCountryCode()
		if lengths[code] == nil {
			lengths[code] = map[int32]bool{}
		}
		for _, n := range m.GetGeneralDesc().GetPossibleLength() {
			if n > 0 {
				lengths[code][n] = true
			}
		}
	}
	var want strings.Builder
	for _, code := range slices.Sorted(maps.Keys(lengths)) {
		fmt.Fprint(&want, code)
		for _, n := range slices.Sorted(maps.Keys(lengths[code])) {
			fmt.Fprint(&want, " ", n)
		}
		fmt.Fprintln(&want)
	}
	if *update {
		if err := os.WriteFile("calling.txt", []byte(want.String()), 0o666); err != nil {
			t.Fatal(err)
		}
	} else if callingText != want.String() {
		t.Error("calling.txt differs from libphonenumber: go test -run TestCallingCodes -update")
	}
}
