package parquet

import (
	"strconv"
	"strings"
)

// An Application is the writer that created_by names. Readers repair some old writers' faults when they see the name;
// since a rewritten file bears another one, its chunks must not need the repair any more.
type Application struct {
	name                string
	major, minor, patch int
}

// parseApplication reads "name version 1.2.3 (build …)". Without a version, as parquet-mr was once named, it is the oldest.
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

// maxOmittedHeader is what a dictionary page header takes at most in files that leave it out of the total.
const maxOmittedHeader = 100

// omitsDictionaryHeader: parquet-mr up to 1.2.8 left the dictionary page header out of total_compressed_size (IMPALA-694).
func (a Application) omitsDictionaryHeader() bool { return a.before("parquet-mr", 1, 2, 9) }

// CarriesDelta: parquet-mr before 1.8 let the first prefix of a DELTA_BYTE_ARRAY page refer to the page before (PARQUET-246).
func (a Application) CarriesDelta() bool { return a.before("parquet-mr", 1, 8, 0) }

// BadBounds reports whether minima and maxima of a column are not to be trusted: parquet-mr before 1.8 corrupted those
// of byte arrays (PARQUET-251), and before 1.10, as parquet-cpp before 1.3, compared bytes and unsigned integers as signed
// (PARQUET-686).
func (a Application) BadBounds(c *Column) bool {
	switch c.Order {
	case OrderSigned, OrderBool, OrderFloat:
		return false
	}
	return a.before("parquet-mr", 1, 10, 0) || a.before("parquet-cpp", 1, 3, 0)
}

// miscountsRows: parquet-cpp-arrow before 12 stated the number of values as that of rows in V2 pages of repeated columns.
func (a Application) miscountsRows() bool { return a.before("parquet-cpp-arrow", 12, 0, 0) }
