package publish

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"hash"
)

// A Room is memory into which objects of a run are read whole, one after the other: see Run.OpenIn. It has the last one, until the next
// comes, and the digests of its beginnings. So the digest of an object that begins with the same bytes need not begin anew.
type Room struct {
	data []byte
	sums []hash.Cloner // SHA-256 of the first sumEvery, twice sumEvery, … bytes
}

const sumEvery = 128 << 10

// Memory returns how many bytes the room takes.
func (r *Room) Memory() int { return cap(r.data) }

// Clear forgets the object, but keeps the memory.
func (r *Room) Clear() { r.data, r.sums = r.data[:0], r.sums[:0] }

// sum returns the digest of the object, in hexadecimal.
func (r *Room) sum() string {
	h := sha256.New()
	for at := 0; at < len(r.data); at += sumEvery {
		h.Write(r.data[at:min(at+sumEvery, len(r.data))])
		if c, ok := h.(hash.Cloner); ok && len(r.data)-at >= sumEvery && len(r.sums) == at/sumEvery {
			if now, err := c.Clone(); err == nil {
				r.sums = append(r.sums, now)
			}
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Has reports whether the object has p at an offset.
func (r *Room) Has(at int64, p []byte) bool {
	return at <= int64(len(r.data)) && bytes.HasPrefix(r.data[at:], p)
}

// Digest returns SHA-256 of the object's first n bytes, which goes on with what is written to it.
func (r *Room) Digest(n int64) hash.Hash {
	if known := min(int(n/sumEvery), len(r.sums)); known > 0 {
		if c, err := r.sums[known-1].Clone(); err == nil {
			c.Write(r.data[known*sumEvery : n])
			return c
		}
	}
	h := sha256.New()
	h.Write(r.data[:n])
	return h
}
