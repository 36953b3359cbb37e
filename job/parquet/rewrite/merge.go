package rewrite

import "assent/job/parquet"

// maxMerged bounds the raw bytes of a page that is merged from several. A larger one is not merged with others.
const maxMerged = 32 << 20

// Long texts are what makes a data set large. A compressor knows nothing of a page but what stands before on the same page, so their pages
// are merged beyond the size of the input's: of messages, pages of 3 MiB take 2.5 % less than such of 1.1. Readers seldom look for a text by
// the bounds of pages. Pages of short values and of numbers stay about as they were: readers find rows by them, and they gain nothing.
const (
	textPage  = 4 << 20             // raw bytes up to which pages of long texts are merged
	longText  = 64                  // raw bytes of a slot, on the average, from which texts are long
	textSlots = textPage / longText // so a merged page of them has at most about so many slots
	textRoom  = maxPooled / 16 * 15 // bytes up to which the room for them is doubled: such a draft is used again
)

// isLong reports whether so many slots of a column, which take so many raw bytes in an encoding, are long texts.
func isLong(col *parquet.Column, encoding parquet.Encoding, size, slots int) bool {
	return col.Physical == parquet.ByteArray && encoding != parquet.RLEDictionary && encoding != parquet.PlainDictionary &&
		size >= longText*slots
}

// full reports whether the draft is about as large as a page is to be.
func (s *splice) full() bool {
	d := s.draft
	if isLong(s.to, d.encoding, d.size, d.slots) {
		return d.size >= max(s.maxRaw, textPage)/4*3 || d.values() > maxMerged
	}
	return d.size >= s.maxRaw/4*3 || d.slots >= s.maxSlots/4*3 || d.values() > maxMerged
}
