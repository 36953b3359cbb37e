package transform

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"

	"assent/job/internal/source"
	"assent/job/parquet/rewrite"
	"assent/manifests"
)

// pseudonymise makes pseudonyms of a column's ids.
func (b *binder) pseudonymise(leaf int, column string) (rewrite.Transform, error) {
	find := source.Finder{File: b.f}
	form := find.ID("pseudonymise", b.f.Columns()[leaf].Name(), true).ID
	if err := find.Err; err != nil {
		hint := ""
		var c *source.ColumnError
		if errors.As(err, &c) {
			err, hint = c.Unwrap(), c.Hint()
		}
		return rewrite.Transform{}, columnErrorf("pseudonymise", column, hint, "%w", err)
	}
	values := b.count(column, manifests.Pseudonymised, "")
	return rewrite.Transform{Text: true, New: func() rewrite.Mapper {
		p := pseudonyms{mac: hmac.New(sha256.New, b.Key[:]), known: map[string][pseudonymLength]byte{}}
		var id []byte
		return func(dst, value []byte, n int) []byte {
			values.Add(int64(n))
			id = form.AppendPlain(id[:0], value)
			return p.append(dst, id)
		}
	}}, nil
}

// pseudonymLength is the bytes of a pseudonym.
const pseudonymLength = 32

// maxKnown bounds the pseudonyms that are remembered, for columns that are not dictionary-coded.
const maxKnown = 1 << 12

// pseudonyms makes pseudonyms. It holds reused state: one for each goroutine.
type pseudonyms struct {
	mac   hash.Hash // its Reset restores saved inner and outer states: no key is hashed twice
	sum   [sha256.Size]byte
	known map[string][pseudonymLength]byte
}

// append appends the pseudonym of a canonical id.
func (p *pseudonyms) append(dst, id []byte) []byte {
	out, ok := p.known[string(id)]
	if !ok {
		p.mac.Reset()
		p.mac.Write([]byte("pseudonym:"))
		p.mac.Write(id)
		hex.Encode(out[:], p.mac.Sum(p.sum[:0])[:pseudonymLength/2])
		if len(p.known) == maxKnown {
			clear(p.known)
		}
		p.known[string(id)] = out
	}
	return append(dst, out[:]...)
}

// Pseudonym returns the pseudonym of one canonical id.
func Pseudonym(key *manifests.Key, id string) string {
	p := pseudonyms{mac: hmac.New(sha256.New, key[:]), known: map[string][pseudonymLength]byte{}}
	return string(p.append(nil, []byte(id)))
}
