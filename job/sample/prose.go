package sample

import (
	"strconv"
	"strings"
)

// prose writes text out of templates and dice. A template's %x stands for
//
//	%n noun  %v verb  %p past tense  %g gerund  %a adjective  %d adverb
//	%P person  %F firm  %w weekday  %c clock  %t time phrase
//	%# number  %m amount  %o reference  %h hex  %z two digits
//	%l link  %f file name  %e emoji  %i identifier  %I exported identifier  %N made-up name
//	%S clause  %s subject  %V doing  %b being  %O object  %x circumstance
//	%j link  %D opener  %q question  %Q whole question
type prose struct {
	*dice
	buf []byte
}

// word draws from a list, its beginning likelier than its end.
func (p *prose) word(list []string) string {
	n := uint64(len(list))
	if p.oneIn(3) {
		return list[p.skewed(n)]
	}
	return list[p.below(n)]
}

func (p *prose) expand(template string) {
	for {
		literal, rest, found := strings.Cut(template, "%")
		p.buf = append(p.buf, literal...)
		if !found {
			return
		}
		p.slot(rest[0])
		template = rest[1:]
	}
}

func (p *prose) slot(kind byte) {
	switch kind {
	case 'S':
		p.expand(pick(p.dice, clauses))
	case 's':
		p.expand(pick(p.dice, subjects))
	case 'V':
		p.expand(pick(p.dice, doings))
	case 'O':
		p.expand(pick(p.dice, objects))
	case 'x':
		p.expand(pick(p.dice, circumstances))
	case 't':
		p.expand(pick(p.dice, times))
	case 'b':
		p.buf = append(p.buf, pick(p.dice, beings)...)
	case 'j':
		p.buf = append(p.buf, pick(p.dice, links)...)
	case 'D':
		p.expand(pick(p.dice, openers))
	case 'q':
		p.buf = append(p.buf, pick(p.dice, questions)...)
	case 'Q':
		p.expand(pick(p.dice, asks))
	default:
		p.lexeme(kind)
	}
}

func (p *prose) lexeme(kind byte) {
	switch kind {
	case 'n':
		p.spell(p.word(nouns), "")
	case 'v':
		p.spell(p.word(verbs), "")
	case 'p':
		p.inflect(p.word(verbs), "ed")
	case 'g':
		p.inflect(p.word(verbs), "ing")
	case 'a':
		p.spell(p.word(adjectives), "")
	case 'd':
		p.spell(p.word(adverbs), "")
	case 'P':
		p.buf = append(p.buf, pick(p.dice, people)...)
		if p.oneIn(3) {
			p.buf = append(p.buf, ' ')
			p.name()
		}
	case 'F':
		p.buf = append(p.buf, pick(p.dice, firms)...)
	case 'w':
		p.buf = append(p.buf, pick(p.dice, weekdays)...)
	case 'N':
		p.name()
	case 'l':
		p.buf = append(append(p.buf, pick(p.dice, hosts)...), '/')
		p.reference(6 + int(p.below(20)))
	case 'f':
		p.buf = append(append(p.buf, p.word(nouns)...), '_')
		p.number()
		p.buf = append(append(p.buf, '.'), pick(p.dice, extensions)...)
	case 'e':
		p.buf = append(p.buf, pick(p.dice, emoji)...)
	case 'i':
		p.buf = append(p.buf, p.word(nouns)...)
		if p.oneIn(2) {
			p.capital(p.word(nouns))
		}
	case 'I':
		p.capital(p.word(nouns))
	default:
		p.digits(kind)
	}
}

func (p *prose) digits(kind byte) {
	switch kind {
	case '#':
		p.number()
	case 'm':
		p.buf = append(p.buf, '$')
		p.number()
		if p.oneIn(3) {
			p.buf = append(p.buf, ".50"...)
		}
	case 'c':
		p.twoDigits(24)
		p.buf = append(p.buf, ':')
		p.twoDigits(60)
	case 'z':
		p.twoDigits(60)
	case 'o':
		p.reference(8 + int(p.below(8)))
	case 'h':
		p.buf = strconv.AppendUint(p.buf, 1<<27+p.below(1<<28), 16)
	default:
		panic("template with %" + string(kind))
	}
}

// name makes up a name.
func (p *prose) name() {
	from := len(p.buf)
	for range 2 + p.below(3) {
		p.buf = append(p.buf, pick(p.dice, syllables)...)
	}
	p.buf[from] -= 'a' - 'A'
}

func (p *prose) number() { p.buf = strconv.AppendUint(p.buf, p.below(10<<(p.below(8))), 10) }

func (p *prose) twoDigits(below uint64) {
	n := p.below(below)
	p.buf = append(p.buf, byte('0'+n/10), byte('0'+n%10))
}

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

func (p *prose) reference(length int) {
	for range length {
		p.buf = append(p.buf, base62[p.below(62)])
	}
}

func (p *prose) capital(word string) {
	p.buf = append(append(p.buf, word[0]-'a'+'A'), word[1:]...)
}

func (p *prose) inflect(verb, ending string) {
	if verb[len(verb)-1] == 'e' {
		verb = verb[:len(verb)-1]
	}
	p.spell(verb, ending)
}

// spell writes a word as hands in a hurry do: now and then with a slip.
func (p *prose) spell(word, ending string) {
	from := len(p.buf)
	p.buf = append(append(p.buf, word...), ending...)
	w := p.buf[from:]
	if len(w) < 4 || !p.oneIn(12) {
		return
	}
	i := 1 + int(p.below(uint64(len(w)-2)))
	switch p.below(3) {
	case 0:
		w[i], w[i+1] = w[i+1], w[i]
	case 1:
		p.buf = append(p.buf[:from+i], p.buf[from+i+1:]...)
	default:
		w[i] = 'a' + byte(p.below(26))
	}
}

// sentencesOf writes n sentences, now and then a paragraph's end between them.
func (p *prose) sentencesOf(n int) {
	for i := range n {
		if i > 0 {
			if p.oneIn(7) {
				p.buf = append(p.buf, "\n\n"...)
			} else {
				p.buf = append(p.buf, ' ')
			}
		}
		p.expand(pick(p.dice, sentences))
	}
}

func (p *prose) foreign(words int) {
	tongue := &tongues[p.below(uint64(len(tongues)))]
	for i := range words {
		if i > 0 {
			p.buf = append(p.buf, tongue.space...)
		}
		p.buf = append(p.buf, pick(p.dice, tongue.words)...)
		if p.oneIn(9) {
			p.buf = append(p.buf, tongue.end...)
		}
	}
	p.buf = append(p.buf, tongue.end...)
}

// message writes the body of one chat message, and returns it; it is valid until
// the next call. Most are short, one in two thousand runs to tens of KB.
func (p *prose) message() []byte {
	p.buf = p.buf[:0]
	switch k := p.below(2000); {
	case k < 600:
		p.expand(pick(p.dice, shorts))
	case k < 1640:
		p.letter(1 + int(p.below(4)))
	case k < 1800:
		p.letter(4 + int(p.below(12)))
	case k < 1880:
		p.foreign(3 + int(p.below(30)))
	case k < 1960:
		p.sentencesOf(1)
		p.buf = append(p.buf, '\n')
		p.expand(pick(p.dice, snippets))
	case k < 1975:
		p.buf = append(p.buf, "https://"...)
		p.slot('l')
	case k < 1999:
		p.letter(15 + int(p.below(30)))
	default:
		p.long()
	}
	return p.buf
}

func (p *prose) letter(sentences int) {
	if p.oneIn(3) {
		p.expand(pick(p.dice, greetings))
	}
	p.sentencesOf(sentences)
	if p.oneIn(3) {
		p.expand(pick(p.dice, closings))
	}
}

// long is a pasted log or a whole brief.
func (p *prose) long() {
	size := 4<<10 + int(p.below(44<<10))
	p.sentencesOf(2)
	p.buf = append(p.buf, '\n')
	pasted := p.oneIn(2)
	for len(p.buf) < size {
		if pasted {
			p.expand(pick(p.dice, logLines))
		} else {
			p.sentencesOf(8)
			p.buf = append(p.buf, '\n')
		}
	}
}

func (p *prose) line(templates []string) []byte {
	p.buf = p.buf[:0]
	p.expand(pick(p.dice, templates))
	return p.buf
}
