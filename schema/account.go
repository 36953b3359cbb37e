package schema

import (
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"strconv"
)

// AccountID is the canonical text of an account's id. It never shows itself:
// every fmt verb and every log handler prints a placeholder. Convert it to string
// on purpose where the id itself is the answer. (One way out is left: encoding/json
// writes map keys of any string type as they are.)
type AccountID string

const redacted = "[account]"

// String returns a placeholder.
func (AccountID) String() string { return redacted }

// GoString returns a placeholder.
func (AccountID) GoString() string { return redacted }

// Format writes a placeholder for every verb.
func (AccountID) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// LogValue returns a placeholder.
func (AccountID) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns a placeholder.
func (AccountID) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// AppendIntID appends the canonical form of a signed integer id: decimal.
func AppendIntID(dst []byte, v int64) []byte { return strconv.AppendInt(dst, v, 10) }

// AppendUintID appends the canonical form of an unsigned integer id: decimal.
func AppendUintID(dst []byte, v uint64) []byte { return strconv.AppendUint(dst, v, 10) }

// AppendUUID appends the canonical form of a 16-byte UUID: lower-case hyphenated text.
func AppendUUID(dst, uuid []byte) []byte {
	_ = uuid[15]
	dst = hex.AppendEncode(dst, uuid[:4])
	for _, part := range [...][]byte{uuid[4:6], uuid[6:8], uuid[8:10], uuid[10:16]} {
		dst = append(dst, '-')
		dst = hex.AppendEncode(dst, part)
	}
	return dst
}
