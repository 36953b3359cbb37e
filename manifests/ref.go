package manifests

import (
	"errors"
	"log/slog"
)

// Key is the secret under which account references are made. It never shows itself:
// every fmt verb and every log handler prints a placeholder.
type Key [32]byte

// ParseKey decodes the base64 text of a key, as in subject_key_file: standard
// alphabet, padded or not, white space around it ignored. Its errors never show the
// text.
func ParseKey(text string) (*Key, error) { return nil, errors.ErrUnsupported }

// LogValue returns a placeholder.
func (Key) LogValue() slog.Value { return slog.StringValue("[key]") }

// NewReferrer returns a maker of references under the key.
func (k *Key) NewReferrer() *Referrer { return nil }

// Referrer makes account references. It holds reused state: one for each goroutine.
type Referrer struct{}

// Ref returns the reference of an account's canonical id, which is not empty.
// It does not allocate and does not keep id.
func (r *Referrer) Ref(id []byte) Ref { return Ref{} }

// Ref is an account's reference: the first 16 bytes of HMAC-SHA-256(key, canonical
// id). The zero Ref stands for an account that is null or empty.
type Ref [16]byte

// ParseRef is the inverse of String. It takes lower-case hexadecimal only.
func ParseRef(text string) (Ref, error) { return Ref{}, errors.ErrUnsupported }

// String returns the 32 lower-case hexadecimal digits of the reference, or "" for
// the zero Ref.
func (r Ref) String() string { return "" }
