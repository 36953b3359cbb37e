package thrift

import "math"

// Footers are passed over several times: as a whole, by row group, by column chunk. pass does that for what well-formed bytes have,
// and gives up on all else, so that walk looks again and says what is wrong.

// passStruct returns where the struct ends that begins at i; -1 where it gives up.
func passStruct(b []byte, i, depth int) int {
	if depth >= maxDepth {
		return -1
	}
	for id := 0; ; {
		if i >= len(b) {
			return -1
		}
		c := b[i]
		i++
		if c == 0 {
			return i
		}
		if id += int(c >> 4); c < 0x10 || id > math.MaxInt16 { // a field id of its own is rare
			return -1
		}
		if t := Type(c & 0x0f); t != True && t != False {
			if i = passValue(b, i, t, depth+1); i < 0 {
				return -1
			}
		}
	}
}

// passValue is passStruct for a value of type t, which is no boolean.
func passValue(b []byte, i int, t Type, depth int) int {
	switch t {
	case I16, I32, I64:
		_, i = passUvarint(b, i)
		return i
	case Binary:
		n, i := passUvarint(b, i)
		if i < 0 || n > uint64(len(b)-i) {
			return -1
		}
		return i + int(n)
	case StrucT:
		return passStruct(b, i, depth)
	case ListT, SetT:
		return passList(b, i, depth)
	}
	return -1
}

func passList(b []byte, i, depth int) int {
	if i >= len(b) || depth >= maxDepth {
		return -1
	}
	c := b[i]
	i++
	n := uint64(c >> 4)
	if n == 15 {
		n, i = passUvarint(b, i)
	}
	if i < 0 || n > uint64(len(b)-i) {
		return -1
	}
	elem := Type(c & 0x0f)
	if elem == True || elem == False {
		return i + int(n)
	}
	for ; n > 0 && i >= 0; n-- {
		i = passValue(b, i, elem, depth+1)
	}
	return i
}

func passUvarint(b []byte, i int) (v uint64, end int) {
	for shift := 0; i < len(b) && shift < 63; shift += 7 {
		c := b[i]
		i++
		v |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return v, i
		}
	}
	return 0, -1
}
