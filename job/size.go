package job

import (
	"fmt"
	"strconv"
	"strings"
)

// Size is a number of bytes with a unit of 1024: 256MiB, 1G, 65536.
type Size int64

// UnmarshalText reads what a flag says.
func (s *Size) UnmarshalText(text []byte) error {
	t := strings.ToLower(strings.TrimSpace(string(text)))
	t = strings.TrimSuffix(strings.TrimSuffix(t, "b"), "i")
	shift := 0
	for i, unit := range "kmgt" {
		if rest, ok := strings.CutSuffix(t, string(unit)); ok {
			t, shift = rest, 10*(i+1)
		}
	}
	n, err := strconv.ParseInt(t, 10, 64)
	if err != nil || n < 1 || n > 1<<62>>shift {
		return fmt.Errorf("%q is not a size such as 256MiB", text)
	}
	*s = Size(n << shift)
	return nil
}

// DefaultMemory is the budget for pages in flight, in bytes.
const DefaultMemory = 256 << 20
