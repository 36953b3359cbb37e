package redact

import (
	"cmp"
	"encoding/binary"
	"slices"
	"unicode/utf8"
)

// view is a text as the rules see it.
type view struct {
	text  []byte
	moves []move // none where text is the source itself
	buf   []byte
}

// move says that from a place in the view on, bytes come from a place in the source and those behind it.
type move struct{ view, source int32 }

// source returns the place in the source of a place in the view.
func (v *view) source(at int) int {
	n, _ := slices.BinarySearchFunc(v.moves, int32(at)+1, func(m move, at int32) int { return cmp.Compare(m.view, at) })
	if n == 0 {
		return at
	}
	last := v.moves[n-1]
	return at - int(last.view) + int(last.source)
}

// of makes the view of a source, which may have 2 GiB at most, as a value in Parquet does.
func (v *view) of(src []byte) {
	v.text, v.moves = src, v.moves[:0]
	i := firstFolded(src)
	if i == len(src) {
		return
	}
	buf := append(v.buf[:0], src[:i]...)
	for i < len(src) {
		r, size := utf8.DecodeRune(src[i:])
		if f := fold(r); f != drop {
			v.moves = append(v.moves, move{int32(len(buf)), int32(i)})
			buf = append(buf, byte(f))
		}
		i += size
		v.moves = append(v.moves, move{int32(len(buf)), int32(i)})
		next := i + firstFolded(src[i:])
		buf = append(buf, src[i:next]...)
		i = next
	}
	v.buf, v.text = buf, buf
}

// firstFolded returns where the first rune stands that the view shows otherwise, or the length.
func firstFolded(src []byte) int {
	for i := 0; i < len(src); {
		if len(src)-i >= 8 && binary.LittleEndian.Uint64(src[i:])&0x8080808080808080 == 0 {
			i += 8
			continue
		}
		if src[i] < utf8.RuneSelf {
			i++
			continue
		}
		r, size := utf8.DecodeRune(src[i:])
		if fold(r) != keep {
			return i
		}
		i += size
	}
	return len(src)
}

const (
	keep = -1
	drop = -2
)

// fold returns the ASCII character as which the view shows a rune, or keep, or drop.
func fold(r rune) int {
	switch {
	case r < 0x660:
		switch r {
		case 0xA0:
			return ' '
		case 0xB7:
			return '.'
		case 0xAD, 0x34F, 0x61C:
			return drop
		}
		return keep
	case r < 0x2000:
		return foldDigit(r)
	case r < 0x2070:
		return foldPunctuation(r)
	case 0xFF01 <= r && r <= 0xFF5E:
		return int(r - 0xFEE0)
	case 0x1D400 <= r && r <= 0x1D6A3: // mathematical alphabets: 26 capitals, 26 small letters, and again
		if n := (r - 0x1D400) % 52; n < 26 {
			return 'A' + int(n)
		} else {
			return 'a' + int(n-26)
		}
	case 0x1D7CE <= r && r <= 0x1D7FF:
		return '0' + int(r-0x1D7CE)%10
	case 0x24B6 <= r && r <= 0x24CF:
		return 'A' + int(r-0x24B6)
	case 0x24D0 <= r && r <= 0x24E9:
		return 'a' + int(r-0x24D0)
	case 0x2460 <= r && r <= 0x2468:
		return '1' + int(r-0x2460)
	case 0xFE00 <= r && r <= 0xFE0F: // variation selectors, as of digits that are an emoji
		return drop
	}
	switch r {
	case 0x20E3, 0xFEFF:
		return drop
	case 0x3000:
		return ' '
	case 0x2212, 0xFE63:
		return '-'
	case 0x3002, 0xFE52, 0xFF61:
		return '.'
	case 0xFE6B:
		return '@'
	case 0x24EA:
		return '0'
	}
	return keep
}

// foldDigit shows the digits of other scripts as ASCII.
func foldDigit(r rune) int {
	switch r &^ 0xF {
	case 0x660: // Arabic
		if r <= 0x669 {
			return '0' + int(r-0x660)
		}
	case 0x6F0: // Persian
		if r <= 0x6F9 {
			return '0' + int(r-0x6F0)
		}
	case 0x960, 0x9E0, 0xA60, 0xAE0, 0xB60, 0xBE0, 0xC60, 0xCE0, 0xD60: // of India, six places on
		if d := r & 0xF; d >= 6 {
			return '0' + int(d-6)
		}
	case 0xE50, 0xED0: // Thai, Lao
		if d := r & 0xF; d <= 9 {
			return '0' + int(d)
		}
	case 0x1680:
		if r == 0x1680 {
			return ' '
		}
	case 0x1800:
		if r == 0x180E {
			return drop
		}
	}
	return keep
}

// foldPunctuation shows the spaces, dashes and marks without width of the block General Punctuation.
func foldPunctuation(r rune) int {
	switch {
	case r <= 0x200A, r == 0x202F, r == 0x205F:
		return ' '
	case r <= 0x200F, 0x202A <= r && r <= 0x202E, r >= 0x2060:
		return drop
	case r == 0x2014, r == 0x2015: // long dashes stand between clauses
		return keep
	case r <= 0x2015:
		return '-'
	case r == 0x2019:
		return '\''
	case r == 0x2024:
		return '.'
	}
	return keep
}
