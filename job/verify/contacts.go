package verify

import (
	"bytes"
	"regexp"
	"strings"

	"github.com/parquet-go/parquet-go"
	"mvdan.cc/xurls/v2"
)

// contacts looks, plainly and slowly, for contact details that a redacted text should not have. It knows their usual forms alone:
// what people disguise is the business of the run, and of the measurements of package redact, with which this shares nothing.
type contacts struct {
	patterns map[string][]*regexp.Regexp // by kind, as configurations name it
}

func newContacts() *contacts {
	domains := `(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,40}[A-Za-z0-9])?\.){1,6}(?:` + strings.Join(asciiOf(xurls.TLDs), "|") + `)`
	const begin, end = `(?:^|[\s(,;])`, `(?:$|[\s),;])`
	patterns := map[string][]string{
		"email": {begin + `[A-Za-z0-9_][A-Za-z0-9_.+-]{0,50}@(?i:` + domains + `)` + end},
		"phone": {begin + `\+1[2-9][0-9]{2}[2-9][0-9]{6}` + end, begin + `\+(?:44[1-9][0-9]{9}|49[1-9][0-9]{9,10}|33[1-9][0-9]{8}|91[6-9][0-9]{9}|861[3-9][0-9]{9})` + end},
		"link":  {`(?i:https?|ftp)://[A-Za-z0-9]`, begin + `www\.[a-z0-9]{1,40}\.(?:com|org|net|de)` + end},
		"handle": {begin + `(?i:skype|telegram|discord|instagram): @[a-z][a-z0-9_]{3,20}` + end,
			begin + `live:\.cid\.[0-9a-f]{8,16}` + end},
	}
	c := &contacts{patterns: map[string][]*regexp.Regexp{}}
	for kind, list := range patterns {
		for _, p := range list {
			c.patterns[kind] = append(c.patterns[kind], regexp.MustCompile(p))
		}
	}
	return c
}

func asciiOf(all []string) (ascii []string) {
	for _, s := range all {
		if s == strings.Map(func(r rune) rune { return min(r, 0x7F) }, s) {
			ascii = append(ascii, regexp.QuoteMeta(s))
		}
	}
	return ascii
}

// left returns the first of the kinds of which a text has a detail, or "".
func (c *contacts) left(kinds []string, text []byte) string {
	for _, kind := range kinds {
		for _, p := range c.patterns[kind] {
			if p.Match(text) {
				return kind
			}
		}
	}
	return ""
}

// redactedFrom says whether a text is another with pieces replaced by kinds in brackets, and how many of each there are. Where the
// other has such brackets itself the numbers are of both.
func redactedFrom(kinds []string, was, is []byte) (numbers map[string]int64, ok bool) {
	numbers = map[string]int64{}
	whole := true
	for {
		at, kind := firstToken(kinds, is)
		if kind == "" {
			if whole {
				return numbers, bytes.Equal(was, is)
			}
			return numbers, bytes.HasSuffix(was, is)
		}
		piece := is[:at]
		from := 0
		if !whole {
			from = bytes.Index(was, piece)
		} else if !bytes.HasPrefix(was, piece) {
			from = -1
		}
		if from < 0 || from+len(piece) >= len(was) {
			return numbers, false
		}
		was, is = was[from+len(piece)+1:], is[at+len(kind)+2:] // what was replaced has a byte at least
		numbers[kind]++
		whole = false
	}
}

// firstToken returns where the first kind in brackets stands in a text, and which it is.
func firstToken(kinds []string, text []byte) (at int, kind string) {
	at = len(text)
	for _, k := range kinds {
		if i := bytes.Index(text, []byte("["+k+"]")); i >= 0 && i < at {
			at, kind = i, k
		}
	}
	return at, kind
}

// changes says whether the column's values may become others.
func (x *handedColumn) changes() bool { return x.expect != nil || x.details != nil }

// redacted says what is wrong with a value that came of another, and counts what was replaced.
func (x *handedColumn) redacted(c *contacts, was, is parquet.Value) (what string) {
	x.changed++
	text := is.ByteArray()
	if kind := c.left(x.details, text); kind != "" {
		return "the text is redacted, and contact details of the kind " + kind + " are left in it"
	}
	numbers, ok := redactedFrom(x.details, was.ByteArray(), text)
	if !ok {
		return "the text is not the input's, redacted"
	}
	for kind, n := range numbers {
		x.found[kind] += n
	}
	if _, had := firstToken(x.details, was.ByteArray()); had != "" {
		x.blurred = true
	}
	return ""
}
