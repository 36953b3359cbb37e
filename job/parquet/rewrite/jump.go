package rewrite

import (
	"assent/job/parquet"
	"math/bits"
	"sort"
)

// jumps lets a splice pass over runs of dropped pages without reading them, by the input's offset index. It is used in columns that
// are not repeated, where a run is longer than what is read at once.
type jumps struct {
	locations []parquet.PageLocation
	rows      int64
	landed    int // the page to which the splice jumped, until its rows are checked; -1: none
}

// newJumps returns nil where jumps gain nothing: no run of dropped rows is as long as several blocks of input.
func (s *splice) newJumps() (*jumps, error) {
	c := s.chunk
	if s.col.MaxRep > 0 || s.filter.carries || s.sel.rows == 0 {
		return nil, nil
	}
	gap := s.sel.longestGap()
	if float64(c.End-c.Start)*float64(gap)/float64(s.sel.rows) < float64(4*s.walk.src.block) {
		return nil, nil
	}
	all, err := s.indexes()
	if err != nil || all[s.at] == nil {
		return nil, err
	}
	j := &jumps{locations: all[s.at].Locations, rows: s.sel.rows, landed: -1}
	for i := range j.locations {
		if l := &j.locations[i]; i > 0 && l.FirstRow <= j.locations[i-1].FirstRow || l.FirstRow >= j.rows || l.Offset < c.Start ||
			l.Offset >= c.End {
			return nil, nil
		}
	}
	return j, nil
}

// jump passes over dropped pages if that saves reading. The walk stands before a page that begins with row s.rows.
func (s *splice) jump() {
	j := s.jumps
	if j == nil {
		return
	}
	at := sort.Search(len(j.locations), func(i int) bool { return j.locations[i].FirstRow >= s.rows })
	if at == len(j.locations) || j.locations[at].FirstRow != s.rows || j.locations[at].Offset != s.walk.NextOffset() {
		return
	}
	next := s.sel.nextKept(s.rows)
	to := sort.Search(len(j.locations), func(i int) bool { return j.locations[i].FirstRow > next }) - 1
	if to <= at || j.locations[to].Offset-j.locations[at].Offset < 2*s.walk.src.block {
		return
	}
	s.walk.resumeAt(j.locations[to].Offset, s.walk.Number+1+to-at, j.locations[to].FirstRow)
	s.rows = j.locations[to].FirstRow
	s.pages.Dropped += int64(to - at)
	j.landed = to
}

// land checks that the page to which the splice jumped has as many rows as the offset index says.
func (s *splice) land(in *input) error {
	j := s.jumps
	if j == nil || j.landed < 0 {
		return nil
	}
	end := j.rows
	if j.landed+1 < len(j.locations) {
		end = j.locations[j.landed+1].FirstRow
	}
	if int64(in.h.Values) != end-j.locations[j.landed].FirstRow {
		return parquet.Corruptf("%d rows in a page to which the offset index gives %d", in.h.Values, end-j.locations[j.landed].FirstRow)
	}
	j.landed = -1
	return nil
}

// nextKept returns the first kept row at or after row i, the last row where there is none.
func (s *Selection) nextKept(i int64) int64 {
	if i >= s.rows {
		return s.rows - 1
	}
	at := i >> 6
	w := s.words[at] >> (uint(i) & 63) << (uint(i) & 63)
	for w == 0 {
		if at++; at == int64(len(s.words)) {
			return s.rows - 1
		}
		w = s.words[at]
	}
	return at<<6 + int64(bits.TrailingZeros64(w))
}

// longestGap returns the length of the longest run of dropped rows, up to 126 too small.
func (s *Selection) longestGap() int64 {
	longest, run := int64(0), int64(0)
	for _, w := range s.words {
		if w != 0 {
			run = 0
			continue
		}
		run += 64
		longest = max(longest, run)
	}
	return longest
}
