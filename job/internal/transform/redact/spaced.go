package redact

import "bytes"

func (s *scan) spacedLetters(i, after int) int {
	start := i
	for start-2 >= s.last && s.b[start-1] == ' ' && s.isNamePart(s.b[start-2]) && (start-2 == s.last || s.b[start-3] == ' ') {
		start -= 2
	}
	if start == i {
		return 0
	}
	if end := s.spacedHost(after); end > 0 {
		return s.take(start, end, Email)
	}
	return 0
}

func (s *scan) spacedHost(i int) int {
	var buf [longestName]byte
	n, end := 0, i
	for end+1 < len(s.b) && n < len(buf) && s.b[end] == ' ' && s.isNamePart(s.b[end+1]) {
		c, next := s.b[end+1], end+2
		if next < len(s.b) && s.isNamePart(s.b[next]) {
			to, e := s.wordAt(end + 1)
			if e.is&wordDot == 0 {
				break
			}
			c, next = '.', to
		}
		buf[n] = c
		n++
		end = next
	}
	dot := bytes.LastIndexByte(buf[:n], '.')
	if dot < 1 || s.tld(buf[dot+1:n]) < commonTLD {
		return 0
	}
	return end
}

func (s *scan) singles(start, end int) int {
	for end-start == 1 && start-2 >= s.last && s.b[start-1] == ' ' && s.isNamePart(s.b[start-2]) && (start-2 == s.last || s.b[start-3] == ' ') {
		start, end = start-2, start-1
	}
	return start
}

func (s *scan) gapDot(i int) int {
	c, next := s.byteAt(i), i+1
	switch {
	case c == ' ' && s.byteAt(next) == '.':
		next++
	case (c == '.' || c == ',') && s.byteAt(next) == ' ':
		next++
	case c != ',':
		return 0
	}
	if next >= len(s.b) {
		return 0
	}
	end := s.labelEnd(next)
	switch string(s.b[next:end]) {
	case "com", "net", "org", "de", "fr", "ru":
		return end
	case "co":
		if further := s.labelEnd(end + 1); further == end+3 && (s.byteAt(end) == ',' || s.byteAt(end) == '.') {
			return further
		}
	}
	return 0
}

func (s *scan) spacedDigits(start int) int {
	for range 4 {
		if s.class[s.byteAt(start)] != digit || s.byteBefore(start) != ' ' {
			break
		}
		end := start - 1
		further := s.nameBefore(end)
		if size := end - further; size == 0 || size > 20 || s.lookup(s.b[further:end]).is&(wordMail|wordID|wordFill|wordStop|wordPhone) != 0 {
			break
		}
		start = further
	}
	return start
}
