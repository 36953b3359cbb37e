package redact

import (
	"bytes"
	"unicode/utf8"
)

// colon looks at the ":" at i for "scheme://host", and returns where to go on.
func (s *scan) colon(i int) int {
	j := i + 1
	if s.byteAt(j) == ' ' && s.byteAt(j+1) == '/' && s.byteAt(j+2) == '/' { // https: //a.com
		j++
		i = s.blanksBefore(i)
	}
	for range 2 {
		if s.byteAt(j) == '\\' { // as JSON may have it
			j++
		}
		if s.byteAt(j) != '/' {
			return s.pos + 1
		}
		j++
	}
	if s.byteBefore(i) == '[' && s.byteAt(i+1) == ']' && s.byteAt(i+2) == '/' && s.byteAt(i+3) == '/' { // hxxps[:]//
		i, j = i-1, i+4
	}
	start := s.schemeBefore(i)
	if s.byteAt(j) == ' ' && start < i && s.inWord[s.byteAt(j+1)] { // http:// example .com
		if h := s.host(j+1, true); h.rank >= commonTLD {
			return s.take(start, s.linkEnd(h.end), Link)
		}
		if to := s.gapDot(s.labelEnd(j + 1)); to > 0 {
			return s.take(start, s.linkEnd(to), Link)
		}
	}
	c := s.byteAt(j)
	if start == i || c < utf8.RuneSelf && !s.inWord[c] && c != '[' {
		return s.pos + 1
	}
	return s.take(start, s.urlEnd(j), Link)
}

// schemeBefore returns where the scheme that ends at i begins, or i.
func (s *scan) schemeBefore(i int) int {
	start := i
	for start > s.last && i-start < 12 && (s.b[start-1]|0x20 >= 'a' && s.b[start-1]|0x20 <= 'z' || s.b[start-1] == '-') {
		start--
	}
	var buf [12]byte
	w := string(lower(buf[:], s.b[start:i]))
	for _, scheme := range [...]string{"https", "hxxps", "http", "hxxp", "ftps", "ftp"} {
		if n := len(w) - len(scheme); n >= 0 && w[n:] == scheme {
			return start + n
		}
	}
	switch w {
	case "ws", "wss", "tg", "whatsapp", "viber", "skype", "discord", "slack", "msteams", "zoommtg", "weixin", "line", "fb", "fb-messenger", "twitter", "instagram", "facetime", "signal", "sgnl":
		return start
	}
	return i
}

// urlEnd returns where the URL ends whose host begins at i.
func (s *scan) urlEnd(i int) int {
	b, from := s.b, i
	inDense := false // a script without spaces, which belongs to the link where it begins a part of the path
	for i < len(b) {
		c := b[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRune(b[i:])
			sort := sortOf(r)
			if dense := sort == denseRune; sort == otherRune || dense && !inDense && s.byteAt(i-1) != '/' {
				break
			}
			inDense = sort == denseRune
			i += size
			continue
		}
		inDense = false
		if c <= ' ' || c == 0x7F || bytes.IndexByte([]byte("<>\"`|^"), c) >= 0 || c == '\\' && s.byteAt(i+1) != '/' || c == '[' && tokenAt(b[i:]) {
			break
		}
		i++
	}
	return trimURL(b, from, i)
}

// trimURL leaves out punctuation at the end, and brackets that were opened before.
func trimURL(b []byte, from, i int) int {
	for brackets := 0; i > from; i-- {
		switch c := b[i-1]; c {
		case '.', ',', ';', ':', '!', '?', '\'', '*', '_', '~', '\\':
		case ')', ']', '}':
			open := c - 2 // of ] and }
			if c == ')' {
				open = '('
			}
			if brackets++; brackets > 8 || bytes.Count(b[from:i], []byte{open}) >= bytes.Count(b[from:i], []byte{c}) {
				return i
			}
		default:
			return i
		}
	}
	return i
}

// dot looks at the "." at i for a domain name without a scheme, and returns where to go on.
func (s *scan) dot(i int) int {
	if i < s.hosts || s.isPlainDot(i) {
		return i + 1
	}
	end, which := s.bracketBefore(i, openBrackets)
	if end != i && which < 0 {
		return s.apartDot(i, end)
	}
	start := s.labelStart(end)
	if start == end {
		return i + 1
	}
	h := s.host(start, which >= 0)
	if h.n < 2 {
		return i + 1
	}
	s.hosts = h.labels[h.n-1][1]
	if www := h.labels[0]; www[1]-www[0] == 3 && h.n >= 3 && bytes.EqualFold(s.b[start:www[1]], []byte("www")) {
		return s.take(start, s.linkEnd(s.hosts), Link)
	}
	if h.whole() && s.byteAt(h.end) != '@' && s.isLink(start, &h) {
		return s.take(start, s.linkEnd(h.end), Link)
	}
	return i + 1
}

// comma looks at the "," at i, behind a cue of a link, for a domain name's dot, and returns where to go on.
func (s *scan) comma(i int) int {
	if s.byteAt(i+1) != 'c' || s.byteAt(i+2) != 'o' || s.byteAt(i+3) != 'm' || s.inWord[s.byteAt(i+4)] {
		return i + 1
	}
	start := s.labelStart(i)
	if www := start - len("www."); www >= s.last && bytes.EqualFold(s.b[www:start], []byte("www.")) {
		return s.take(www, s.linkEnd(i+4), Link)
	}
	if i-start >= 5 && near(s.webCue, start, 16) {
		return s.take(start, s.linkEnd(i+4), Link)
	}
	return i + 1
}

// apartDot looks for a website's name around the "." at i that has spaces on both sides, the left of which begin at left.
func (s *scan) apartDot(i, left int) int {
	next := s.blanks(i + 1)
	end := s.labelEnd(next)
	start := s.labelStart(left)
	if next > i+1 && left-start >= 5 && string(s.b[next:end]) == "com" && s.lookup(s.b[start:left]).is&wordStop == 0 {
		return s.take(start, s.linkEnd(end), Link)
	}
	return i + 1
}

// isPlainDot says whether no domain name can stand around the "." at i: nothing follows that may be a part of one, or
// the last part and no top-level domain. Most dots are plain.
func (s *scan) isPlainDot(i int) bool {
	b, j := s.b, i+1
	if j == len(b) || b[j] == '\n' {
		return true
	}
	if j < len(b) && (b[j] == ']' || b[j] == ')' || b[j] == ' ' && i > 0 && b[i-1] == ' ') {
		return false
	}
	for j < len(b) && (s.inWord[b[j]] || b[j] == '-') {
		j++
	}
	if j < len(b) && (b[j] >= utf8.RuneSelf || b[j] == '.') {
		return false
	}
	for j > i+1 && (b[j-1] == '-' || b[j-1] == '_') {
		j--
	}
	return s.tld(b[i+1:j]) == 0
}

// linkEnd returns where the link ends whose host ends at i.
func (s *scan) linkEnd(i int) int {
	end := i
	if s.byteAt(i) == ':' {
		for i++; s.class[s.byteAt(i)] == digit; i++ {
			end = i + 1
		}
	}
	if c := s.byteAt(end); c == '/' || c == '?' || c == '#' {
		return max(end, s.urlEnd(end))
	}
	return end
}

// isLink says whether the name at start, which nothing marks as one, is a website's.
func (s *scan) isLink(start int, h *host) bool {
	name := s.b[start:h.end]
	before, after := s.byteBefore(start), s.byteAt(h.end)
	if before == '/' && start-s.last > 2 && s.b[start-2] == '/' && s.b[start-3] == '"' { // href="//example.com"
		before = '"'
	}
	if bytes.IndexByte([]byte("@/\\._$#%&-~{<"), before) >= 0 || bytes.IndexByte([]byte("([_=@{<%$"), after) >= 0 && !(after == '<' && s.byteAt(h.end+1) == '/') || !evenCase(name) && !isCamel(name) {
		return false
	}
	var buf [256]byte
	if len(name) > len(buf) {
		return false
	}
	low := lower(buf[:], name)
	cued := near(s.webCue, start, 40) && bytes.IndexByte(s.b[s.webCue:start], '\n') < 0 || s.webFollows(h.end)
	if after == ' ' && s.byteAt(h.end+1) == '=' {
		return false
	}
	slash := after == '/' && (s.inWord[s.byteAt(h.end+1)] || bytes.IndexByte([]byte("@+$~"), s.byteAt(h.end+1)) >= 0) ||
		after == ':' && s.linkEnd(h.end) > h.end+3 // a port
	if s.isHosted(low) {
		return true
	}
	if s.isShare(low) {
		return slash || cued
	}
	if s.isPackage(start, h, low) {
		return false
	}
	second := h.labels[h.n-2]
	if h.n > 2 && second[1]-second[0] <= 3 { // co.uk, com.au
		second = h.labels[h.n-3]
	}
	switch rank, size := h.rank, second[1]-second[0]; rank {
	case plainTLD:
		return cued || slash || size >= 5 || size >= 3 && h.end-second[1] > 3 // fields have short names
	case commonTLD:
		hyphen := h.n > 2 && bytes.IndexByte(low, '-') > 0 // which no field of code has
		return cued || size >= 5 && (near(s.seenCue, start, 4) || hyphen) && !s.isFile(low) || slash && before != '"' && before != '\'' || h.disguised > 0
	}
	return h.disguised > 0 || cued && after != '/' && !s.isFile(low)
}

// isShare says whether people have their pages under a host.
func (s *scan) isShare(low []byte) bool {
	if s.shares[string(low)] {
		return true
	}
	dot := bytes.IndexByte(low, '.')
	return s.shares[string(low[dot+1:])]
}

// isHosted says whether a name is one of those that a host of websites gives away.
func (s *scan) isHosted(low []byte) bool {
	dot := bytes.IndexByte(low, '.')
	return s.hosting[string(low[dot+1:])]
}

// webFollows says whether a cue of a link is the next word but one at most, as in "see anna.design (my website)".
func (s *scan) webFollows(i int) bool {
	if c := s.byteAt(i); c != ' ' && c != ',' {
		return false
	}
	for range 3 {
		if i = s.nextWord(i); i < 0 {
			return false
		}
		end, e := s.wordAt(i)
		if e.is&wordWeb != 0 && end-i >= 3 {
			return true
		}
		i = end
	}
	return false
}

// isFile says whether a name ends as files do.
func (s *scan) isFile(low []byte) bool {
	switch string(low[bytes.LastIndexByte(low, '.')+1:]) {
	case "md", "sh", "rs", "py", "pl", "zip", "mov", "ps", "cc", "so", "mm", "ml", "in", "am", "ac", "st", "pm", "tf", "vi", "ms", "mk", "app", "cab", "pub", "do", "la", "tel", "bz":
		return true
	}
	return false
}

// isPackage says whether a host begins the path of a package, or is a path of its own written from the end.
func (s *scan) isPackage(start int, h *host, low []byte) bool {
	first := s.b[h.labels[0][0]:h.labels[0][1]]
	switch string(first) {
	case "com", "org", "net", "edu", "gov", "io", "javax", "java", "sun":
		return true
	case "asp", "ado", "vb", "ASP", "ADO", "VB":
		return string(low[len(first):]) == ".net"
	}
	if s.byteAt(h.end) != '/' {
		return s.codes[string(low)]
	}
	end := s.urlEnd(h.end)
	path := s.b[h.end:end]
	if bytes.IndexByte(path, '?') >= 0 {
		return false
	}
	if s.codes[string(low)] && (bytes.Count(bytes.TrimRight(path, "/"), []byte{'/'}) > 1 || !s.profiles[string(low)]) {
		return true
	}
	quoted := bytes.IndexByte([]byte("\"'`"), s.byteBefore(start)) >= 0 && s.byteAt(end) == s.byteBefore(start) && !near(s.webCue, start, 16)
	version := s.byteAt(end) == ' ' && s.byteAt(end+1) == 'v' && s.class[s.byteAt(end+2)] == digit || bytes.LastIndexByte(path, '@') > 0 && !bytes.Contains(path, []byte("/@"))
	return quoted || version || near(s.codeCue, start, 2)
}

// evenCase says whether capital letters stand where those of names stand: everywhere, or in front.
func evenCase(name []byte) bool {
	upper, lower := 0, 0
	for i, c := range name {
		switch {
		case 'A' <= c && c <= 'Z':
			if upper++; lower > 0 {
				return false
			}
		case 'a' <= c && c <= 'z':
			if lower++; upper > 1 && i > 1 {
				return false
			}
		}
	}
	return upper <= 1 || isOldTLD(name)
}

// isCamel says whether a name is as BluePeakDesign.com.
func isCamel(name []byte) bool {
	dot := bytes.LastIndexByte(name, '.')
	switch string(name[dot+1:]) {
	case "com", "org", "net":
		return dot >= 8 && 'A' <= name[0] && name[0] <= 'Z' && bytes.IndexByte(name, '.') == dot
	}
	return false
}

// isOldTLD says whether a name in capital letters ends as those of websites do; instructions of assemblers do not.
func isOldTLD(name []byte) bool {
	switch string(name[bytes.LastIndexByte(name, '.')+1:]) {
	case "COM", "ORG", "NET":
		return true
	}
	return false
}

// wordAsDot takes the word from i until end for a "." in the name of a website, and returns where to go on, or 0.
func (s *scan) wordAsDot(i, end int) int {
	left, which := s.bracketBefore(i, openBrackets)
	start := s.labelStart(left)
	if left == i && s.b[i] < utf8.RuneSelf || start == left {
		return 0
	}
	for s.byteBefore(start) == '.' && s.labelStart(start-1) < start-1 { // www.example dot com
		start = s.labelStart(start - 1)
	}
	h := s.host(start, true)
	if h.rank < commonTLD || h.disguised == 0 {
		return 0
	}
	if s.atFollows(h.labels[h.n-1][1]) { // nick [dot] me [at] …
		return 0
	}
	first := s.b[h.labels[0][0]:h.labels[0][1]]
	if which >= 0 {
		return s.take(start, s.linkEnd(h.end), Link)
	}
	if to := s.spokenPath(h.end); to > h.end {
		return s.take(s.spokenScheme(start), to, Link)
	}
	if s.lookup(first).is&wordStop != 0 {
		return 0
	}
	plain := h.whole() && len(first) > 5 && (isLongTLD(s.b[h.labels[h.n-1][0]:h.end], s.b[i:end]) ||
		end-i > 4 && h.end-h.labels[h.n-1][0] <= 3 && near(s.seenCue, start, 2) || !h.point && s.webFollows(h.end) ||
		h.end-h.labels[h.n-1][0] <= 3 && s.webFollows(h.end))
	if near(s.webCue, start, 40) || bytes.EqualFold(first, []byte("www")) || h.disguised > 1 || plain {
		return s.take(start, s.linkEnd(h.end), Link)
	}
	return 0
}

// isLongTLD says whether a top-level domain behind a word for a dot is no word of a sentence: "dot com", and "punkt design".
func isLongTLD(tld, dot []byte) bool {
	switch string(tld) {
	case "com", "net", "org":
		return true
	}
	return len(tld) > 3 && len(dot) > 4
}

// spokenScheme returns where "https colon slash slash" begins that ends before start, or start.
func (s *scan) spokenScheme(start int) int {
	slashes := 0
	for i := start; ; {
		word, e := s.wordBefore(s.blanksBefore(i))
		switch w := string(bytes.ToLower(s.b[word:s.blanksBefore(i)])); {
		case e.is&wordSlash != 0:
			slashes++
		case slashes > 0 && (w == "http" || w == "https"):
			return word
		case slashes == 0 || w != "colon" && w != "double" && w != "forward":
			return start
		}
		i = word
	}
}

// spokenPath returns where a path ends that begins at i and is written in words: "slash in slash anna".
func (s *scan) spokenPath(i int) int {
	for {
		from := s.blanks(i)
		if from == i || from >= len(s.b) {
			return i
		}
		word, e := s.wordAt(from)
		next := s.blanks(word)
		if e.is&wordSlash == 0 || next == word {
			return i
		}
		end := next
		for end < len(s.b) && s.isNamePart(s.b[end]) {
			end++
		}
		if end == next {
			return i
		}
		i = end
	}
}

// www looks for a website's name behind the word "www" that ends at end, with spaces in it, and returns where to go on.
func (s *scan) www(i, end int) int {
	next := s.blanks(end)
	if s.byteAt(next) == '.' {
		next = s.blanks(next + 1)
		if to := s.gapDot(s.labelEnd(next)); to > 0 { // www. example. com
			return s.take(i, s.linkEnd(to), Link)
		}
	}
	if next == end {
		return end
	}
	h := s.host(next, true)
	if h.rank > 0 {
		return s.take(i, s.linkEnd(h.end), Link)
	}
	if h.n == 1 && s.spaceAt(h.labels[0][1]) { // www example com
		from := h.labels[0][1] + 1
		if to := s.labelEnd(from); s.tld(s.b[from:to]) == plainTLD {
			return s.take(i, s.linkEnd(to), Link)
		}
	}
	return end
}
