package sample

import (
	"fmt"
	"time"
)

// fileRows bounds the rows of a file.
const fileRows = 1_000_000

// file is one file of a data set: some rows, loaded over a span of time.
type file struct {
	path        string // below the sample's directory, with slashes
	number      uint64 // among the files of all data sets: where its dice start
	first, rows int64  // numbers of its rows in the data set
	planted     bool   // it begins with the golden rows
	from, until int64  // loads
}

// load is one month of loads. A marketplace grows: later months weigh more.
type load struct {
	month  time.Time
	weight int64
}

// cut divides the rows of a data set into files below dir, in Hive partitions by month of load.
// The golden rows, of which there are planted, come on top of the share of the
// first month of the programme.
func cut(dir string, rows, planted int64, number uint64, loads []load) []file {
	first := time.UnixMicro(programStart).UTC().Month()
	var total, weight int64
	for _, l := range loads {
		total += l.weight
	}
	var files []file
	next := int64(0)
	for _, l := range loads {
		from := weight * (rows - planted) / total
		weight += l.weight
		share := weight*(rows-planted)/total - from
		withGolden := l.month.Year() == 2026 && l.month.Month() == first
		if withGolden {
			share += planted
		}
		begin, end := l.month.UnixMicro(), l.month.AddDate(0, 1, 0).UnixMicro()
		parts := max(1, (share+fileRows-1)/fileRows)
		for part := range parts {
			lo, hi := share*part/parts, share*(part+1)/parts
			files = append(files, file{
				path:    fmt.Sprintf("%s/month=%s/part-%03d.parquet", dir, l.month.Format("2006-01"), part),
				number:  number + uint64(len(files)),
				first:   next,
				rows:    hi - lo,
				planted: withGolden && part == 0,
				from:    begin + (end-begin)/parts*part,
				until:   begin + (end-begin)/parts*(part+1),
			})
			next += hi - lo
		}
	}
	return files
}

// months returns a load for each month from the first to the last, both included.
func months(first, last string) []load {
	begin, end := instant(first+"-01T00:00:00Z"), instant(last+"-01T00:00:00Z")
	var loads []load
	for month := begin; !month.After(end); month = month.AddDate(0, 1, 0) {
		days := int64(month.AddDate(0, 1, 0).Sub(month).Hours() / 24)
		loads = append(loads, load{month: month, weight: days * (20 + int64(len(loads)))})
	}
	return loads
}
