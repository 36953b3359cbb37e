package manifests

// postings holds pairs of account and row in memory, in the order in which they come, in five bytes each. Pairs of neighbouring rows
// with one label are a run, which takes hardly more than a pair. They are put in the order of accounts when all are there: counted,
// then dealt out, some accounts at a time.
//
//	tag    distance << 3 | label   a pair: its row is so far from that of the entry before, and its label is below 7
//	       7                       a run of wide, which has the rest
type postings struct {
	blocks []*postingBlock
	n      int    // entries
	wide   []run  // in their order
	row    uint32 // of the last entry, the first one of a run

	counts []uint32 // by account: its entries
	next   []uint32 // by account: where in dealt its next entry goes; elsewhere for one that has no part in it
	dealt  []dealt
}

// dealt is an entry: row << 3 | label, or number in wide << 3 | 7.
type dealt uint32

// postingBlock is some entries. Memory that grows block by block is never copied.
type postingBlock struct {
	accounts [blockEntries]Account
	tags     [blockEntries]uint8
}

// run is neighbouring rows of an account, with the number of their label.
type run struct {
	row, rows uint32
	label     uint8
}

const (
	blockEntries = 1 << 15
	labelBits    = 3
	wideLabel    = 1<<labelBits - 1
	maxDistance  = 1<<(8-labelBits) - 1

	entrySize, runSize = 5, 12 // bytes

	// maxPostings bounds the memory of postings, in bytes, and with it a segment.
	maxPostings = 48 << 20

	maxRow    = 1<<(32-labelBits) - 1
	maxDealt  = 1 << 20 // entries at a time, or one account's
	elsewhere = 1<<32 - 1
)

// full depends on the pairs alone, and not on the numbers of their accounts.
func (p *postings) full() bool { return entrySize*p.n+runSize*len(p.wide) >= maxPostings }

func (p *postings) clear() { p.n, p.row, p.wide = 0, 0, p.wide[:0] }

// memory returns the bytes that p holds.
func (p *postings) memory() int {
	return len(p.blocks)*blockEntries*entrySize + runSize*cap(p.wide) + 4*(cap(p.counts)+cap(p.next)+cap(p.dealt))
}

// add appends a run to those of an account. First rows do not descend, whosesoever they are, and are maxRow at most.
func (p *postings) add(account Account, r run) {
	at := p.n % blockEntries
	if p.n/blockEntries == len(p.blocks) {
		p.blocks = append(p.blocks, new(postingBlock))
	}
	b := p.blocks[p.n/blockEntries]
	b.accounts[at] = account
	if distance := r.row - p.row; r.rows == 1 && r.label < wideLabel && distance <= maxDistance {
		b.tags[at] = uint8(distance<<labelBits) | r.label
	} else {
		b.tags[at] = wideLabel
		p.wide = append(withRoom(p.wide, 1), r)
	}
	p.row = r.row
	p.n++
}

// each calls take for each block of entries that is filled, in order.
func (p *postings) each(take func(accounts []Account, tags []uint8)) {
	for i, left := 0, p.n; left > 0; i, left = i+1, left-blockEntries {
		n := min(left, blockEntries)
		take(p.blocks[i].accounts[:n], p.blocks[i].tags[:n])
	}
}

// count returns by account how many entries it has, of so many accounts.
func (p *postings) count(accounts int) []uint32 {
	p.counts = cleared(p.counts, accounts)
	p.each(func(accounts []Account, _ []uint8) {
		for _, a := range accounts {
			p.counts[a]++
		}
	})
	return p.counts
}

// deal returns the entries of the first ones of some accounts, account by account and each one's in the order in which they were
// added, and how many accounts that are: at least one. They were counted before.
func (p *postings) deal(order []ranked) (entries []dealt, accounts int) {
	if len(p.next) != len(p.counts) {
		p.next = cleared(p.next, len(p.counts))
		for i := range p.next {
			p.next[i] = elsewhere
		}
	}
	total := uint32(0)
	for _, r := range order {
		n := p.counts[r.account]
		if accounts > 0 && total+n > maxDealt {
			break
		}
		p.next[r.account] = total
		total += n
		accounts++
	}
	if uint32(cap(p.dealt)) < total {
		p.dealt = make([]dealt, total)
	}
	entries = p.dealt[:total]
	row, wide := uint32(0), uint32(0)
	p.each(func(accounts []Account, tags []uint8) {
		for i, a := range accounts {
			tag := tags[i]
			row += uint32(tag >> labelBits)
			e := dealt(row<<labelBits | uint32(tag&wideLabel))
			if tag&wideLabel == wideLabel {
				e = dealt(wide<<labelBits | wideLabel)
				row = p.wide[wide].row
				wide++
			}
			if at := p.next[a]; at != elsewhere {
				entries[at] = e
				p.next[a] = at + 1
			}
		}
	})
	for _, r := range order[:accounts] {
		p.next[r.account] = elsewhere
	}
	return entries, accounts
}

// run returns the run of an entry.
func (p *postings) run(e dealt) run {
	if e&wideLabel == wideLabel {
		return p.wide[e>>labelBits]
	}
	return run{uint32(e >> labelBits), 1, uint8(e & wideLabel)}
}

// cleared returns n zeros, in the memory of s where that is enough.
func cleared(s []uint32, n int) []uint32 {
	if cap(s) < n {
		return make([]uint32, n)
	}
	s = s[:n]
	clear(s)
	return s
}
