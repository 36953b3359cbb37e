package manifests

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"

	"github.com/dchest/siphash"
)

// Hasher makes keyed hashes of ids and of parts of them, for what the steps of a run tell
// each other: twenty times as fast as a [Referrer], and as useless without the key
// (SipHash-2-4). It never shows itself, like the Key that it comes from.
type Hasher struct{ k0, k1 uint64 }

// NewHasher returns a maker of hashes under the key.
func (k *Key) NewHasher() Hasher {
	mac := hmac.New(sha256.New, k[:])
	mac.Write([]byte("assent: hashes between the steps of a run"))
	// The second half of the sum: the first would be the reference of an account that
	// has this text for an id.
	sum := mac.Sum(nil)[len(Ref{}):]
	return Hasher{binary.LittleEndian.Uint64(sum), binary.LittleEndian.Uint64(sum[8:])}
}

// Sum64 returns a hash of 8 bytes.
func (h Hasher) Sum64(id []byte) uint64 { return siphash.Hash(h.k0, h.k1, id) }

// Sum128 returns a hash of 16 bytes, of which no two ids have the same.
func (h Hasher) Sum128(id []byte) (sum [16]byte) {
	lo, hi := siphash.Hash128(h.k0, h.k1, id)
	binary.LittleEndian.PutUint64(sum[:], lo)
	binary.LittleEndian.PutUint64(sum[8:], hi)
	return sum
}

// Format writes a placeholder for every verb.
func (Hasher) Format(f fmt.State, _ rune) { io.WriteString(f, redactedKey) }

// LogValue returns a placeholder.
func (Hasher) LogValue() slog.Value { return slog.StringValue(redactedKey) }

// MarshalText returns a placeholder.
func (Hasher) MarshalText() ([]byte, error) { return []byte(redactedKey), nil }
