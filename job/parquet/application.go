package parquet

import (
	"strconv"
	"strings"
)

// An Application is the writer that created_by names. Some old writers have known faults, which readers repair when they see
// the name. A rewritten file has another name, so its chunks must not need the repair any more.
type Application struct {
	name                string
	major, minor, patch int
}

// parseApplication reads "name version 1.2.3 (build …)". A name without a version is taken
// for version 0.0.0: parquet-mr once wrote none.
func parseApplication(createdBy string) Application {
	name, rest, ok := strings.Cut(createdBy, " version ")
	if !ok {
		return Application{name: strings.TrimSpace(createdBy)}
	}
	a := Application{name: name}
	rest, _, _ = strings.Cut(rest, " ")
	part := strings.SplitN(rest, ".", 3)
	var err error
	if a.major, err = strconv.Atoi(part[0]); err != nil {
		return a
	}
	if len(part) > 1 {
		a.minor, _ = strconv.Atoi(part[1])
	}
	if len(part) > 2 {
		digits := strings.IndexFunc(part[2], func(r rune) bool { return r < '0' || r > '9' })
		if digits < 0 {
			digits = len(part[2])
		}
		a.patch, _ = strconv.Atoi(part[2][:digits])
	}
	return a
}

func (a Application) before(name string, major, minor, patch int) bool {
	if a.name != name {
		return false
	}
	switch {
	case a.major != major:
		return a.major < major
	case a.minor != minor:
		return a.minor < minor
	}
	return a.patch < patch
}

// maxOmittedHeader is the largest dictionary page header, in bytes, in files whose chunk sizes leave it out.
const maxOmittedHeader = 100

// omitsDictionaryHeader reports whether total_compressed_size lacks the dictionary page header: parquet-mr up to 1.2.8
// (IMPALA-694).
func (a Application) omitsDictionaryHeader() bool { return a.before("parquet-mr", 1, 2, 9) }

// CarriesDelta reports whether the first prefix of a DELTA_BYTE_ARRAY page refers to the last value of the page before:
// parquet-mr before 1.8 (PARQUET-246). Such pages must be decoded in order.
func (a Application) CarriesDelta() bool { return a.before("parquet-mr", 1, 8, 0) }

// BadBounds reports whether minima and maxima of a column cannot be trusted. parquet-mr before 1.8 corrupted those of byte
// arrays (PARQUET-251). parquet-mr before 1.10 and parquet-cpp before 1.3 compared bytes and unsigned integers as if they were
// signed (PARQUET-686).
func (a Application) BadBounds(c *Column) bool {
	switch c.Order {
	case OrderSigned, OrderBool, OrderFloat:
		return false
	}
	return a.before("parquet-mr", 1, 10, 0) || a.before("parquet-cpp", 1, 3, 0)
}

// miscountsRows reports whether num_rows of V2 pages is wrong in repeated columns: parquet-cpp-arrow before 12 wrote the number
// of values there.
func (a Application) miscountsRows() bool { return a.before("parquet-cpp-arrow", 12, 0, 0) }
