package run

import (
	"slices"
	"testing"

	"assent/job/internal/objstore"
)

// TestPartsAtATime: many small parts of footprints are read at a time, of large ones few.
func TestPartsAtATime(t *testing.T) {
	for name, test := range map[string]struct {
		parts int
		size  int64
		want  int
	}{
		"one": {1, 1 << 30, 1}, "small": {1000, 4 << 10, atATime}, "large": {1000, 1 << 20, 8}, "few": {20, 4 << 10, 20}, "between": {1000, 400 << 10, 10},
	} {
		if got := partsAtATime(slices.Repeat([]objstore.Object{{Size: test.size}}, test.parts)); got != test.want {
			t.Errorf("%s: %d, want %d", name, got, test.want)
		}
	}
}
