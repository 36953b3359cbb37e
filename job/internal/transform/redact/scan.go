package redact

import (
	"bytes"
	"unicode/utf8"
)

// scan looks through one view from left to right.
type scan struct {
	*rules
	on    *[kinds]bool
	b     []byte
	found []span
	pos   int // where the look is at
	last  int // where the last detail ended
	hosts int // until here, names with dots have been looked at

	phoneEnded int // where the last telephone number did

	// Where the last cue of each sort ended.
	phoneCue, mailCue, webCue, reachCue, idCue, selfCue, myCue, codeCue, seenCue, labelCue, pokeCue, callCue int

	shapeBuf []byte
}

// never is the place of a cue that has not been.
const never = -1 << 30

// text returns the details of a view. They are valid until the next call.
func (s *scan) text(r *rules, on *[kinds]bool, b []byte) []span {
	*s = scan{rules: r, on: on, b: b, found: s.found[:0], shapeBuf: s.shapeBuf}
	s.forget()
	s.phoneEnded = never
	for i := 0; i < len(b); {
		s.pos = i
		switch s.class[b[i]] {
		case letter:
			if end := s.plainWord(i); end > 0 {
				i = end
			} else {
				i = s.word(i)
			}
		case digit:
			i = s.number(i)
		case high:
			i = s.high(i)
		case at:
			i = s.at(i, i+1)
		case dot:
			i = s.dot(i)
		case colon:
			i = s.colon(i)
		case opening:
			i = s.opening(i)
		case bracket:
			i = s.token(i)
		case hash:
			i = s.tag(i)
		case comma:
			i = s.comma(i)
		case percent:
			if i+3 < len(b) && b[i+1] == '4' && b[i+2] == '0' {
				i = s.at(i, i+3)
			} else {
				i++
			}
		default:
			i++
		}
	}
	s.b = nil
	return s.found
}

// forget drops all cues: they are for the first detail behind them.
func (s *scan) forget() {
	s.phoneCue, s.mailCue, s.webCue, s.reachCue = never, never, never, never
	s.idCue, s.selfCue, s.myCue, s.codeCue = never, never, never, never
	s.seenCue, s.labelCue, s.pokeCue, s.callCue = never, never, never, never
}

// token steps over what stands for a detail that was replaced before, as over a detail.
func (s *scan) token(i int) int {
	if s.byteAt(i+1)|0x20 == 'a' && s.byteAt(i+2) == ']' {
		return max(s.wordAsAt(i+1, i+2, wordAt), i+1)
	}
	for k := range kinds {
		if token := k.token(); bytes.HasPrefix(s.b[i:], []byte(token)) {
			s.last = i + len(token)
			s.forget()
			if k == Phone {
				s.phoneEnded = s.last
			}
			return s.last
		}
	}
	return i + 1
}

// tokenAt says whether a text begins with what stands for a detail.
func tokenAt(b []byte) bool {
	for k := range kinds {
		if bytes.HasPrefix(b, []byte(k.token())) {
			return true
		}
	}
	return false
}

// take notes a detail, and returns where to go on. What begins before the end of the last one is none. Within one of a
// kind that is off may be one of another.
func (s *scan) take(start, end int, kind Kind) int {
	if !s.on[kind] {
		if next, _ := s.wordAt(s.pos); s.class[s.b[s.pos]] == letter {
			return next
		}
		return s.pos + 1
	}
	if start < s.last {
		return max(end, s.pos+1)
	}
	s.found = append(s.found, span{start, end, kind})
	s.last, s.hosts = end, max(s.hosts, end)
	s.forget()
	return max(end, s.pos+1)
}

// near says whether a cue ended at most so many bytes before a place.
func near(cue, at, bytes int) bool { return cue <= at && at-cue <= bytes }

// high steps over a rune beyond ASCII, or a word that begins with one.
func (s *scan) high(i int) int {
	r, size := utf8.DecodeRune(s.b[i:])
	if sort := sortOf(r); sort == otherRune {
		s.picture(r, i+size)
		return max(s.signAt(i, i+size), i+size)
	}
	return s.word(i)
}

// Sorts of runes beyond ASCII.
const (
	otherRune  = iota // punctuation, symbols, bytes that are not UTF-8
	letterRune        // of scripts with spaces between words
	denseRune         // of scripts without
)

func sortOf(r rune) int {
	switch {
	case r < 0xC0, r == 0xD7, r == 0xF7:
		return otherRune
	case r < 0x2000, 0x2C00 <= r && r < 0x2E00, 0xA640 <= r && r < 0xABFF:
		if 0xE00 <= r && r < 0xF00 || 0x1000 <= r && r < 0x10A0 { // Thai, Lao; Burmese
			return denseRune
		}
		if r == 0x60C || r == 0x61B || r == 0x61F || r == 0x964 || r == 0x965 { // Arabic commas, Hindi full stops
			return otherRune
		}
		return letterRune
	case 0x3040 <= r && r < 0x3100, 0x3400 <= r && r < 0xA000, 0xF900 <= r && r < 0xFB00, 0x20000 <= r && r < 0x40000:
		return denseRune
	case 0xAC00 <= r && r < 0xD7B0: // Korean has spaces, but puts endings behind names and words
		return denseRune
	}
	return otherRune
}

// wordAt returns where the word at i ends, and what the vocabulary says of it. Of a dense script a word is one of the
// vocabulary or one rune.
func (s *scan) wordAt(i int) (end int, e entry) {
	b, j := s.b, i
	if b[i] >= utf8.RuneSelf {
		r, size := utf8.DecodeRune(b[i:])
		switch sortOf(r) {
		case denseRune:
			return s.denseWord(i, size)
		case otherRune:
			return i + size, entry{}
		}
	}
	for j < len(b) {
		if b[j] < utf8.RuneSelf {
			if !s.inWord[b[j]] {
				break
			}
			j++
			continue
		}
		r, size := utf8.DecodeRune(b[j:])
		if sortOf(r) != letterRune {
			break
		}
		j += size
	}
	return j, s.lookup(b[i:j])
}

func (s *scan) denseWord(i, size int) (end int, e entry) {
	lengths := s.lengths[pair(s.b[i:])]
	for n := min(longestWord, len(s.b)-i); lengths != 0 && n >= size; n-- {
		if lengths&(1<<n) != 0 {
			if e := s.lookup(s.b[i : i+n]); e.is != 0 {
				return i + n, e
			}
		}
	}
	return i + size, entry{}
}

// lookup returns what the vocabulary says of a word, in whatever case.
func (s *scan) lookup(w []byte) entry {
	if len(w) == 0 || len(w) > longestWord || s.lengths[pair(w)]&(1<<len(w)) == 0 {
		return entry{}
	}
	var buf [longestWord]byte
	return s.words[string(lower(buf[:], w))]
}

// lower writes w in small letters into buf, which has room for it, and returns that.
func lower(buf, w []byte) []byte {
	for i, c := range w {
		if c >= utf8.RuneSelf {
			return append(buf[:0], bytes.ToLower(w)...)
		}
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		buf[i] = c
	}
	return buf[:len(w)]
}

// plainWord returns where the word at i ends if it is one of ASCII letters that no rule asks for, or 0. Most words are.
func (s *scan) plainWord(i int) int {
	b, j := s.b, i+1
	for j < len(b) && s.inWord[b[j]] {
		if b[j] == '_' {
			return 0
		}
		j++
	}
	if j < len(b) && b[j] >= utf8.RuneSelf || s.isActive(b[i:j]) || near(s.phoneCue, i, phoneWindow) || near(s.callCue, i, 2) {
		return 0
	}
	if j == i+1 && j+1 < len(b) && s.class[b[j+1]] == letter && (j+2 == len(b) || !s.inWord[b[j+2]]) { // a letter by itself, and another
		return 0
	}
	return j
}

// word looks at the word at i, and returns where to go on.
func (s *scan) word(i int) int {
	end, e := s.wordAt(i)
	if end == i+3 && (s.spaceAt(end) || s.byteAt(end) == '.' && s.spaceAt(end+1)) && bytes.EqualFold(s.b[i:end], []byte("www")) {
		if to := s.www(i, end); to > end {
			return to
		}
	}
	if end == i+1 && s.b[i] < utf8.RuneSelf {
		if to := s.spacedWord(i); to > end {
			return to
		}
	}
	if e.is == 0 {
		if end-i > 8 && bytes.IndexByte(s.b[i:end], '_') > 0 {
			return s.underscored(i, end)
		}
		if near(s.phoneCue, i, phoneWindow) || near(s.callCue, i, 2) {
			if to := s.spelled(i, e); to > 0 {
				return to
			}
		}
		return end
	}
	if e.is&(wordAt|wordAtWeak) != 0 {
		if to := s.wordAsAt(i, end, e.is); to > 0 {
			return to
		}
	}
	if e.is&wordDot != 0 {
		if to := s.wordAsDot(i, end); to > 0 {
			return to
		}
	}
	if e.is&(wordDigit|wordTwice|wordThrice|wordPlus) != 0 {
		if to := s.spelled(i, e); to > 0 {
			return to
		}
	}
	if e.is&wordHalf != 0 {
		if to := s.halves(i, end); to > 0 {
			return to
		}
	}
	if e.is&(wordLabel|wordSocial|wordWeak) != 0 || e.is&wordProvider != 0 && end-i >= 5 {
		if to := s.label(i, end, e.is); to > 0 {
			return to
		}
	}
	if e.is&wordLive != 0 && s.byteAt(end) == ':' {
		if v, ok := s.valueAt(i); ok && (v.named || s.byteAt(end+1) == '.') {
			return s.take(i, v.end, Handle)
		}
	}
	s.cue(i, end, e.is)
	return end
}
