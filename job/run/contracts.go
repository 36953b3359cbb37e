package run

import (
	"bytes"
	"slices"

	"assent/filter"
	"assent/job/internal/consent"
	"assent/job/internal/source"
	"assent/job/parquet"
)

// contractColumn turns a contract column into the index's restricted contracts, batch by
// batch. What a dictionary names is looked up once, and so are equal neighbours.
type contractColumn struct {
	form  source.IDForm
	index *consent.Lookup
	join  *source.JoinCounter
	near  *source.NearSeen

	dict      *parquet.Dictionary
	contracts []filter.Contract // beside its entries
	scratch   parquet.Bytes
	id, last  []byte
	lastFound filter.Contract
	// recent holds hashes of ids that were counted and looked at for near misses, each at
	// the place that its low bits name. An id that is pushed out is looked at again.
	recent []uint64
}

const recentContracts = 1 << 14

// read writes the contracts of a batch to out.
func (c *contractColumn) read(v *parquet.Vector, out []filter.Contract) {
	if v.Dict == nil {
		for i := range out {
			out[i] = c.lookup(v, i)
		}
		return
	}
	if c.dict != v.Dict {
		c.dict, c.contracts = v.Dict, c.contracts[:0]
		ids := c.form.Entries(v.Dict, &c.scratch)
		for i := range ids.Len() {
			c.contracts = append(c.contracts, c.find(ids.At(i)))
		}
	}
	for i, entry := range v.Index[:len(out)] {
		out[i] = filter.Unrestricted
		if v.Null == nil || !v.Null[i] {
			out[i] = c.contracts[entry]
		}
	}
}

func (c *contractColumn) lookup(v *parquet.Vector, i int) filter.Contract {
	c.id = c.form.Append(c.id[:0], v, i)
	if c.last == nil || !bytes.Equal(c.id, c.last) {
		c.last = append(c.last[:0], c.id...)
		c.lastFound = c.find(c.id)
	}
	return c.lastFound
}

func (c *contractColumn) find(id []byte) filter.Contract {
	found := c.index.Contract(id)
	switch {
	case found >= 0:
		c.join.Mark(int(found))
	case len(id) > 0:
		if c.recent == nil {
			c.recent = make([]uint64, recentContracts)
		}
		hash := c.index.Hash.Sum64(id)
		if at := &c.recent[hash%recentContracts]; *at != hash {
			*at = hash
			c.join.Other(hash)
			c.near.Add(slices.Values([][]byte{id}))
		}
	}
	return found
}
