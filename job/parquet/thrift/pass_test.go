package thrift

import (
	"math/rand/v2"
	"testing"
)

// randomStruct returns an encoded struct of all types.
func randomStruct(r *rand.Rand, depth int) []byte {
	var s Struct
	id := int16(0)
	for range r.IntN(6) {
		id += int16(1 + r.IntN(20))
		switch r.IntN(8) {
		case 0:
			s = append(s, BoolField(id, r.IntN(2) == 0))
		case 1:
			s = append(s, Int64Field(id, r.Int64()>>r.IntN(64)))
		case 2:
			s = append(s, BytesField(id, make([]byte, r.IntN(200))))
		case 3:
			s = append(s, ListField(id, True, 2, []byte{1, 2}))
		case 4:
			s = append(s, Field{ID: id, Type: Double, Raw: make([]byte, 8)})
		case 5:
			s = append(s, Field{ID: id, Type: MapT, Raw: []byte{1, byte(Binary)<<4 | byte(I32), 1, 'k', 2}})
		default:
			if depth == 0 {
				continue
			}
			n := r.IntN(20)
			var list []byte
			for range n {
				list = append(list, randomStruct(r, depth-1)...)
			}
			s = append(s, ListField(id, StrucT, n, list))
		}
	}
	return s.Append(nil)
}

// TestPass compares where pass and walk find the end of structs, of which some are damaged: pass may give up, but never finds another one.
func TestPass(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	passed, gaveUp := 0, 0
	for range 30_000 {
		b := randomStruct(r, 2)
		for range r.IntN(3) {
			b[r.IntN(len(b))] = byte(r.IntN(256))
		}
		b = b[:len(b)-r.IntN(2)*r.IntN(len(b))]
		depth := []int{0, 1, maxDepth - 2, maxDepth - 1, maxDepth}[r.IntN(5)]
		end := passValue(b, 0, StrucT, depth)
		slow := Reader{b: b}
		slow.walk(StrucT, depth, false)
		switch {
		case end < 0:
			gaveUp++
		case slow.err != nil || slow.i != end:
			t.Fatalf("%x at depth %d: it ends at %d, or at %d: %v", b, depth, end, slow.i, slow.err)
		default:
			passed++
		}
	}
	if passed < 1500 || gaveUp < 1500 {
		t.Errorf("passed %d, gave up %d", passed, gaveUp)
	}
}
