package redact

import (
	"bytes"
	"unicode/utf8"
)

// host is a domain name in a view.
type host struct {
	labels    [12][2]int // where each begins and ends
	n         int        // labels in all
	end       int        // where the name ends: behind the last label that is a top-level domain
	rank      uint8      // how far that one can be trusted; 0: there is none
	disguised int        // dots that are words or stand in brackets or between spaces
	point     bool       // the last of these is an English word, too
}

// whole says whether nothing follows the top-level domain.
func (h *host) whole() bool { return h.rank > 0 && h.end == h.labels[h.n-1][1] }

// host reads the domain name at i. If loose, words may stand for dots.
func (s *scan) host(i int, loose bool) (h host) {
	h.end = i
	point := false
	for disguised := 0; h.n < len(h.labels); {
		end := s.labelEnd(i)
		if loose && h.n == 0 && end == i+1 && s.b[i]|0x20 == 'g' && s.byteAt(end) == ' ' { // g mail
			if to := s.labelEnd(end + 1); bytes.EqualFold(s.b[end+1:to], []byte("mail")) {
				end = to
			}
		}
		trimmed := end
		for trimmed > i && (s.b[trimmed-1] == '-' || s.b[trimmed-1] == '_') {
			trimmed--
		}
		if trimmed == i {
			return h
		}
		h.labels[h.n] = [2]int{i, trimmed}
		h.n++
		if rank := s.tld(s.b[i:trimmed]); h.n > 1 && rank > 0 {
			h.end, h.rank, h.disguised, h.point = trimmed, rank, disguised, point
		}
		next, plain := s.dotAt(end, loose)
		if trimmed < end && plain || next < 0 {
			return h
		}
		if !plain {
			disguised++
			point = bytes.Contains(s.b[end:next], []byte("point"))
		}
		i = next
	}
	return h
}

// labelEnd returns where the label at i ends.
func (s *scan) labelEnd(i int) int {
	from := i
	for i < len(s.b) && i-from < 64 {
		c := s.b[i]
		if c < utf8.RuneSelf {
			if !s.inWord[c] && c != '-' || c == 'E' && bytes.HasPrefix(s.b[i+1:], []byte("<gt>")) { // as Perl's documents have ">"
				return i
			}
			i++
			continue
		}
		r, size := utf8.DecodeRune(s.b[i:])
		if sortOf(r) != letterRune {
			return i
		}
		i += size
	}
	return i
}

// labelStart returns where the label that ends at i begins.
func (s *scan) labelStart(i int) int {
	from := i
	for i > s.last && from-i < 64 {
		c := s.b[i-1]
		if c < utf8.RuneSelf {
			if !s.inWord[c] && c != '-' {
				return i
			}
			i--
			continue
		}
		r, size := utf8.DecodeLastRune(s.b[s.last:i])
		if sortOf(r) != letterRune {
			return i
		}
		i -= size
	}
	return i
}

// dotAt returns where the label begins that follows the dot at i, or -1; plain says that it is just a dot.
func (s *scan) dotAt(i int, loose bool) (next int, plain bool) {
	if bytes.HasPrefix(s.b[i:], []byte("&#46;")) && s.labelEnd(i+5) > i+5 { // in HTML
		return i + 5, true
	}
	if s.byteAt(i) == '.' {
		if s.labelEnd(i+1) > i+1 {
			return i + 1, true
		}
		return -1, true
	}
	if !loose {
		return -1, true
	}
	j := s.blanks(i)
	which := -1
	for n := range openBrackets {
		if s.byteAt(j) == openBrackets[n] {
			which = n
			j = s.blanks(j + 1)
			break
		}
	}
	if j >= len(s.b) {
		return -1, false
	}
	end := j + 1
	if s.b[j] != '.' {
		word, e := s.wordAt(j)
		if which < 0 && e.is == 0 && j > i && word-j > 4 && bytes.EqualFold(s.b[j:j+3], []byte("dot")) && s.tld(s.b[j+3:word]) >= commonTLD { // yahoo dotcom
			return j + 3, false
		}
		if e.is&(wordDot|wordJoiner) == 0 || j == i && s.b[j] < utf8.RuneSelf {
			return -1, false
		}
		end = word
	}
	next, ok := s.closed(end, which)
	if from := s.blanks(end); which >= 0 && !ok && from > end { // example (dot com)
		to := s.labelEnd(from)
		next, ok = from, s.byteAt(to) == closeBrackets[which] && s.tld(s.b[from:to]) >= commonTLD
	}
	if !ok || which < 0 && next == end && s.b[j] < utf8.RuneSelf || s.labelEnd(next) == next {
		return -1, false
	}
	return next, false
}

// tld returns how far a label can be trusted as a top-level domain, 0 if it is none.
func (s *scan) tld(label []byte) uint8 {
	var buf [longestName]byte
	if len(label) < 2 || len(label) > longestWord || s.ends[pair(label)]&(1<<len(label)) == 0 {
		return 0
	}
	return s.tlds[string(lower(buf[:], label))]
}
