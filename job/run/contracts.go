package run

import (
	"bytes"

	"assent/filter"
	"assent/job/internal/consent"
	"assent/job/internal/source"
	"assent/job/parquet"
	"assent/manifests"
)

// contractColumn turns a contract column into the index's restricted contracts, batch by
// batch. An entry of a dictionary is looked up once, and so are equal neighbours.
type contractColumn struct {
	form  source.IDForm
	index *consent.Lookup
	join  *source.JoinCounter
	near  *source.NearSeen

	dict      *parquet.Dictionary
	contracts []filter.Contract // beside its entries, of those that are used
	used      []bool            // by a row so far: then it has been looked up
	id, last  []byte
	lastFound filter.Contract
	// recent holds hashes of ids that were counted and looked at for near misses, each at
	// the place that its low bits name. An id that is pushed out is looked at again.
	recent []uint64

	named []manifests.Named // by rows of the block, some more than once
	salt  uint64            // of the block, in recent
}

// beginBlock forgets which contracts were counted.
func (c *contractColumn) beginBlock() {
	c.last = nil
	c.salt += 0x9e3779b97f4a7c15
}

// endBlock returns the contracts that the block names.
func (c *contractColumn) endBlock() []manifests.Named {
	named := manifests.SortNamed(c.named)
	c.named = nil
	return named
}

const recentContracts = 1 << 14

// reset makes c ready for a file's column.
func (c *contractColumn) reset(form source.IDForm, index *consent.Lookup, join *source.JoinCounter, near *source.NearSeen) {
	c.form, c.index, c.join, c.near = form, index, join, near
	c.dict, c.last, c.named = nil, nil, nil
	clear(c.recent)
}

// read writes the contracts of a batch to out.
func (c *contractColumn) read(v *parquet.Vector, out []filter.Contract) {
	if v.Dict == nil {
		for i := range out {
			out[i] = c.lookup(v, i)
		}
		return
	}
	if c.dict != v.Dict {
		c.dict = v.Dict
		n := v.Dict.Len()
		c.contracts, c.used = source.Grow(c.contracts, n), source.Grow(c.used, n)
		clear(c.used)
	}
	for i, entry := range v.Index[:len(out)] {
		out[i] = filter.Unrestricted
		if v.Null != nil && v.Null[i] {
			continue
		}
		if !c.used[entry] {
			c.used[entry] = true
			c.id = c.form.Append(c.id[:0], v, i)
			c.contracts[entry] = c.index.Contract(c.id)
			c.count(c.id, c.contracts[entry])
		}
		out[i] = c.contracts[entry]
	}
}

func (c *contractColumn) lookup(v *parquet.Vector, i int) filter.Contract {
	c.id = c.form.Append(c.id[:0], v, i)
	if c.last == nil || !bytes.Equal(c.id, c.last) {
		c.last = append(c.last[:0], c.id...)
		c.lastFound = c.index.Contract(c.id)
		c.count(c.id, c.lastFound)
	}
	return c.lastFound
}

// count counts a contract that a row names, and looks at one that the index lacks for near misses.
func (c *contractColumn) count(id []byte, found filter.Contract) {
	if len(id) == 0 {
		return
	}
	if c.recent == nil {
		c.recent = make([]uint64, recentContracts)
	}
	hash := c.index.Hash.Sum64(id) ^ c.salt
	at := &c.recent[hash%recentContracts]
	if *at == hash {
		return
	}
	*at = hash
	ref := manifests.Ref(c.index.Hash.Sum128(id)) // as the index knows it
	near := source.NearIDOf(c.index.Hash, id)
	c.named = append(c.named, manifests.Named{Key: ref.Key(), Form: near.Form, Mark: near.Mark()})
	if found >= 0 {
		c.join.Mark(int(found))
		return
	}
	c.join.Other(ref.Key())
	c.near.Add(near)
}
