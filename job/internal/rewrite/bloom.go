package rewrite

// A bloomFilter is a split block bloom filter over the kept values of a chunk. A nil one is none.
type bloomFilter struct{ bits []byte }

func (b *bloomFilter) addDraft(d *draft, col *Column) {
	if b == nil {
		return
	}
}

func (b *bloomFilter) addDictionary(d *pruned) {
	if b == nil {
		return
	}
}
