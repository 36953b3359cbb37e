package manifests

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"assent/schema"
)

// DailyPath is where a run has its counts by day.
const DailyPath = "_manifest/daily.csv"

// DayCounts are the records of one data set by the day of their required moment.
type DayCounts struct {
	Dataset  string
	Day      schema.Day // or one of those below
	Kept     int64
	Excluded ReasonCounts // by primary reason
}

// What stands for a day where there is none to speak of: records from before the day
// on which the programme starts, from after the day of the horizon, and without the
// required moment. None of them can be kept, and without these the number of lines
// would be the data's to choose.
const (
	DaysBefore schema.Day = math.MinInt32
	DaysAfter  schema.Day = math.MaxInt32 - 1
	DayUnknown schema.Day = math.MaxInt32
)

var dayWords = map[schema.Day]string{DaysBefore: "before", DaysAfter: "after", DayUnknown: "unknown"}

// IsDay reports whether the counts are those of a day of the calendar.
func (c *DayCounts) IsDay() bool { return c.Day > DaysBefore && c.Day < DaysAfter }

// Records returns how many records there are.
func (c *DayCounts) Records() int64 { return c.Kept + c.Excluded.Total() }

// DayText returns the day as it is written: 2026-01-05, or a word.
func (c *DayCounts) DayText() string {
	if word, ok := dayWords[c.Day]; ok {
		return word
	}
	return c.Day.String()
}

// dailyHeader returns the header, with the columns of these reasons.
func dailyHeader(reasons []schema.Reason) []string {
	header := slices.Clone(dailyColumns)
	for _, r := range reasons {
		header = append(header, r.String())
	}
	return header
}

// dailyColumns come before those of the reasons.
var dailyColumns = []string{"dataset", "day", "records", "kept"}

// maxDailyBytes bounds daily.csv: a dozen data sets over all the days that there are.
const maxDailyBytes = 64 << 20

// MarshalDaily returns the bytes of daily.csv: a header, then a line for each data set
// and day that has records, data sets by name, each with before, its days, after and
// unknown in this order. It has a column for each reason that the sum of all lists.
func MarshalDaily(daily []DayCounts) ([]byte, error) {
	if err := validateDaily(daily); err != nil {
		return nil, fmt.Errorf("counts by day: %w", err)
	}
	data, err := writeDaily(daily)
	if err == nil && len(data) > maxDailyBytes {
		err = fmt.Errorf("counts by day: larger than %d bytes", maxDailyBytes)
	}
	return data, err
}

func writeDaily(daily []DayCounts) ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	var sum ReasonCounts
	for i := range daily {
		sum.Add(&daily[i].Excluded)
	}
	reasons := sum.Listed()
	if err := w.Write(dailyHeader(reasons)); err != nil {
		return nil, err
	}
	line := make([]string, 0, 4+schema.NumReasons)
	for i := range daily {
		c := &daily[i]
		line = append(line[:0], c.Dataset, c.DayText(), strconv.FormatInt(c.Records(), 10), strconv.FormatInt(c.Kept, 10))
		for _, r := range reasons {
			line = append(line, strconv.FormatInt(c.Excluded[r], 10))
		}
		if err := w.Write(line); err != nil {
			return nil, err
		}
	}
	w.Flush()
	return b.Bytes(), w.Error()
}

// ParseDaily is the inverse of MarshalDaily. It takes the bytes that MarshalDaily gives
// and no others, so that equal counts have equal digests.
func ParseDaily(data []byte) ([]DayCounts, error) {
	daily, err := parseDaily(data)
	if err != nil {
		return nil, fmt.Errorf("%w: counts by day: %w", ErrManifest, err)
	}
	return daily, nil
}

func parseDaily(data []byte) ([]DayCounts, error) {
	if len(data) > maxDailyBytes {
		return nil, fmt.Errorf("larger than %d bytes", maxDailyBytes)
	}
	lines, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
	if err != nil {
		return nil, err
	}
	if len(lines) == 0 {
		return nil, errors.New("no header")
	}
	reasons, err := parseDailyHeader(lines[0])
	if err != nil {
		return nil, err
	}
	daily := make([]DayCounts, len(lines)-1)
	for i, line := range lines[1:] {
		if err := daily[i].parse(line, reasons); err != nil {
			return nil, fmt.Errorf("line %d: %w", i+2, err)
		}
	}
	if err := validateDaily(daily); err != nil {
		return nil, err
	}
	if again, err := writeDaily(daily); err != nil || !bytes.Equal(again, data) {
		return nil, errors.New("not in the form in which it is written")
	}
	return daily, nil
}

// parseDailyHeader returns the reasons of the header's columns.
func parseDailyHeader(header []string) ([]schema.Reason, error) {
	n := len(dailyColumns)
	if len(header) < n || !slices.Equal(header[:n], dailyColumns) {
		return nil, errors.New("not its header")
	}
	var reasons []schema.Reason
	for _, code := range header[n:] {
		r, err := schema.ParseReason(code)
		if err != nil {
			return nil, err
		}
		reasons = append(reasons, r)
	}
	return reasons, nil
}

// parse reads a line, which has a value for each of the header's columns.
func (c *DayCounts) parse(line []string, reasons []schema.Reason) (err error) {
	c.Dataset = line[0]
	if c.Day, err = parseDay(line[1]); err != nil {
		return err
	}
	n := make([]int64, len(line)-2)
	for i, text := range line[2:] {
		if n[i], err = strconv.ParseInt(text, 10, 64); err != nil {
			return err
		}
	}
	c.Kept = n[1]
	for i, r := range reasons {
		c.Excluded[r] = n[2+i]
	}
	if !counts(n...) || n[0] != c.Records() {
		return errors.New("the counts do not add up")
	}
	return nil
}

func parseDay(text string) (schema.Day, error) {
	for day, word := range dayWords {
		if text == word {
			return day, nil
		}
	}
	return schema.ParseDay(text)
}

func compareDays(a, b DayCounts) int {
	return cmp.Or(strings.Compare(a.Dataset, b.Dataset), cmp.Compare(a.Day, b.Day))
}

// validateDaily checks the counts against themselves.
func validateDaily(daily []DayCounts) error {
	for i := range daily {
		c := &daily[i]
		where := func(what string) error { return fmt.Errorf("%s, %s: %s", c.Dataset, c.DayText(), what) }
		switch {
		case !counts(c.Kept) || !counts(c.Excluded[:]...) || !counts(c.Records()):
			return where("a count is negative or too large")
		case c.Records() == 0:
			return where("no records, and a line of them")
		case !c.IsDay() && c.Kept > 0:
			return where("records are kept that cannot be")
		case i > 0 && compareDays(daily[i-1], *c) >= 0:
			return where("twice, or out of order")
		}
	}
	return nil
}

// CheckDaily checks the counts by day against those of the run: for each data set they
// add up to its counts, and no day is outside of what the run is about.
func CheckDaily(r *Run, daily []DayCounts) error {
	if err := validateDaily(daily); err != nil {
		return err
	}
	first, last := schema.FromTime(r.Program.StartsAt).Day(), schema.FromTime(r.ConsentAsOf).Day()
	sums := map[string]*DayCounts{}
	for name := range r.Datasets {
		sums[name] = new(DayCounts)
	}
	for i := range daily {
		c := &daily[i]
		sum, ok := sums[c.Dataset]
		if !ok {
			return fmt.Errorf("%s: the run has no such data set", c.Dataset)
		}
		if c.IsDay() && (c.Day < first || c.Day > last) {
			return fmt.Errorf("%s, %s: not between the programme's start and the horizon", c.Dataset, c.Day)
		}
		sum.Kept += c.Kept
		sum.Excluded.Add(&c.Excluded)
		if !counts(sum.Kept) || !counts(sum.Excluded[:]...) {
			return fmt.Errorf("%s: a sum is too large", c.Dataset)
		}
	}
	for name, sum := range sums {
		d := r.Datasets[name]
		if sum.Kept != d.RowsKept || sum.Excluded != d.ExcludedByReason {
			return fmt.Errorf("%s: the days do not add up to the data set's counts", name)
		}
	}
	return nil
}
