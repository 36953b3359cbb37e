package manifests

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"log/slog"
	"strings"
)

// Key is the secret under which account references, or pseudonyms, are made. It never shows itself:
// every fmt verb and every log handler prints a placeholder.
type Key [32]byte

const redactedKey = "[key]"

// ParseKey decodes the base64 text of a key, as in subject_key_file: standard
// alphabet, padded or not, white space around it ignored. Its errors never show the
// text.
func ParseKey(text string) (*Key, error) {
	text = strings.TrimRight(strings.TrimSpace(text), "=")
	raw, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		return nil, errors.New("key: not base64") // the cause would tell of the text
	}
	var k Key
	if len(raw) != len(k) {
		return nil, fmt.Errorf("key: got %d bytes, want %d", len(raw), len(k))
	}
	copy(k[:], raw)
	return &k, nil
}

// Format writes a placeholder for every verb.
func (Key) Format(f fmt.State, _ rune) { io.WriteString(f, redactedKey) }

// LogValue returns a placeholder.
func (Key) LogValue() slog.Value { return slog.StringValue(redactedKey) }

// MarshalText returns a placeholder.
func (Key) MarshalText() ([]byte, error) { return []byte(redactedKey), nil }

// Reference tells the key from others, and nothing else of it.
func (k *Key) Reference() string { return k.NewReferrer().Ref([]byte("assent: which key")).String() }

// NewReferrer returns a maker of references under the key.
func (k *Key) NewReferrer() *Referrer {
	return &Referrer{mac: hmac.New(sha256.New, k[:])}
}

// Referrer makes account references. It holds reused state: one for each goroutine.
type Referrer struct {
	mac hash.Hash // its Reset restores saved inner and outer states: no key is hashed twice
	sum [sha256.Size]byte
}

// Ref returns the reference of an account's canonical id, which is not empty.
// It does not allocate and does not keep id.
func (r *Referrer) Ref(id []byte) Ref {
	r.mac.Reset()
	r.mac.Write(id)
	r.mac.Sum(r.sum[:0])
	return Ref(r.sum[:len(Ref{})])
}

// Ref is an account's reference: the first 16 bytes of HMAC-SHA-256(key, canonical
// id). The zero Ref stands for an account that is null or empty.
type Ref [16]byte

// ParseRef is the inverse of String. It takes lower-case hexadecimal only.
func ParseRef(text string) (Ref, error) { return parseRef(text) }

func parseRef[T string | []byte](text T) (Ref, error) {
	var r Ref
	if len(text) == 0 {
		return r, nil
	}
	if len(text) != hex.EncodedLen(len(r)) {
		return r, fmt.Errorf("account reference: got %d characters, want %d", len(text), hex.EncodedLen(len(r)))
	}
	for i := range len(text) {
		var digit byte
		switch c := text[i]; {
		case '0' <= c && c <= '9':
			digit = c - '0'
		case 'a' <= c && c <= 'f':
			digit = c - 'a' + 10
		default:
			return Ref{}, fmt.Errorf("account reference: character %d is not a lower-case hexadecimal digit", i)
		}
		r[i/2] = r[i/2]<<4 | digit
	}
	return r, nil
}

// String returns the 32 lower-case hexadecimal digits of the reference, or "" for
// the zero Ref.
func (r Ref) String() string { return string(r.appendText(nil)) }

// appendText appends String to dst.
func (r Ref) appendText(dst []byte) []byte {
	if r == (Ref{}) {
		return dst
	}
	return hex.AppendEncode(dst, r[:])
}
