package parquet

import (
	"encoding/binary"

	"assent/job/parquet/encoding"
)

// Levels are the levels of some slots of a column.
type Levels struct {
	Reps    []uint8         // repetition levels; empty where MaxRep is 0
	Defs    []uint8         // definition levels where MaxDef > 1
	Present encoding.Bitmap // which slots have a value; where MaxDef is 1, the definition levels themselves
}

// Def returns the definition level of a slot of column col.
func (l *Levels) Def(col *Column, slot int) uint8 {
	switch {
	case col.MaxDef == 0:
		return 0
	case len(l.Defs) > 0:
		return l.Defs[slot]
	case l.Present.Get(slot):
		return 1
	}
	return 0
}

// AppendReps appends the encoded repetition levels, without a length.
func (l *Levels) AppendReps(b []byte, col *Column) []byte {
	if col.MaxRep == 0 {
		return b
	}
	return encoding.AppendLevels(b, l.Reps, uint8(col.MaxRep))
}

// AppendDefs appends the encoded definition levels, without a length.
func (l *Levels) AppendDefs(b []byte, col *Column) []byte {
	switch {
	case col.MaxDef == 0:
		return b
	case col.MaxDef == 1:
		return encoding.AppendLevelBits(b, &l.Present)
	}
	return encoding.AppendLevels(b, l.Defs, uint8(col.MaxDef))
}

// AppendV1 appends the encoded levels as a V1 page has them: repetition levels, then definition levels, each after its length.
func (l *Levels) AppendV1(b []byte, col *Column) []byte {
	if col.MaxRep > 0 {
		b = AppendPrefixed(b, func(b []byte) []byte { return l.AppendReps(b, col) })
	}
	if col.MaxDef > 0 {
		b = AppendPrefixed(b, func(b []byte) []byte { return l.AppendDefs(b, col) })
	}
	return b
}

// AppendPrefixed appends a length in 4 bytes and then the bytes that fill appends.
func AppendPrefixed(b []byte, fill func([]byte) []byte) []byte {
	at := len(b)
	b = fill(append(b, 0, 0, 0, 0))
	binary.LittleEndian.PutUint32(b[at:], uint32(len(b)-at-4))
	return b
}
