package sample

import (
	"bytes"
	_ "embed"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// prose writes text out of templates and dice. A template's %x stands for
//
//	%n noun  %v verb  %p past tense  %g gerund  %a adjective  %d adverb
//	%P person  %F firm  %w weekday  %c clock  %t time phrase
//	%# number  %m amount  %o reference  %h hex  %z two digits
//	%l link  %f file name  %e emoji  %i identifier  %I exported identifier  %N made-up name
//	%S clause  %s subject  %V doing  %b being  %O object  %x circumstance
//	%u user name
//	%j link  %D opener  %q question  %Q whole question
type prose struct {
	*dice
	*vocabulary
	buf []byte
}

// vocabulary is vocabulary.yaml. It is read-only.
type vocabulary struct {
	Words                                map[string]wordList
	Phrases                              map[string][]string
	People, Syllables, Hosts, Extensions wordList

	Greetings, Closings, Shorts, Sentences, Contacts, Titles, Searches, Snippets []string

	LogLines []string `yaml:"log_lines"`
	Tongues  []struct {
		Space, End string
		Words      wordList
	}

	words, phrases [256][]string // by the letter
}

// wordList is written as words with spaces between them.
type wordList []string

// UnmarshalYAML splits the words.
func (w *wordList) UnmarshalYAML(unmarshal func(any) error) error {
	var text string
	err := unmarshal(&text)
	*w = strings.Fields(text)
	return err
}

//go:embed vocabulary.yaml
var vocabularyYAML []byte

// readVocabulary panics where vocabulary.yaml, which is part of the program, is wrong.
func readVocabulary() *vocabulary {
	v := new(vocabulary)
	decoder := yaml.NewDecoder(bytes.NewReader(vocabularyYAML))
	decoder.KnownFields(true)
	if err := decoder.Decode(v); err != nil {
		panic(err)
	}
	for letter, list := range v.Words {
		v.words[letter[0]] = list
	}
	for letter, list := range v.Phrases {
		v.phrases[letter[0]] = list
	}
	return v
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

func (p *prose) slot(letter byte) {
	if list := p.phrases[letter]; list != nil {
		p.expand(pick(p.dice, list))
		return
	}
	if list := p.words[letter]; list != nil {
		p.spell(p.word(list), "")
		return
	}
	switch letter {
	case 'p':
		p.inflect(p.word(p.words['v']), "ed")
	case 'g':
		p.inflect(p.word(p.words['v']), "ing")
	case 'P':
		p.buf = append(p.buf, pick(p.dice, p.People)...)
		if p.oneIn(3) {
			p.buf = append(p.buf, ' ')
			p.name()
		}
	case 'N':
		p.name()
	case 'u':
		from := len(p.buf)
		p.name()
		p.buf[from] += 'a' - 'A'
	case 'l':
		p.buf = append(append(p.buf, pick(p.dice, p.Hosts)...), '/')
		p.reference(6 + int(p.below(20)))
	case 'f':
		p.buf = append(append(p.buf, p.word(p.words['n'])...), '_')
		p.number()
		p.buf = append(append(p.buf, '.'), pick(p.dice, p.Extensions)...)
	case 'i':
		p.buf = append(p.buf, p.word(p.words['n'])...)
		if p.oneIn(2) {
			p.capital(p.word(p.words['n']))
		}
	case 'I':
		p.capital(p.word(p.words['n']))
	default:
		p.digits(letter)
	}
}

func (p *prose) digits(letter byte) {
	switch letter {
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
		panic("template with %" + string(letter))
	}
}

// name makes up a name.
func (p *prose) name() {
	from := len(p.buf)
	for range 2 + p.below(3) {
		p.buf = append(p.buf, pick(p.dice, p.Syllables)...)
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
		p.expand(pick(p.dice, p.Sentences))
	}
}

func (p *prose) foreign(words int) {
	tongue := &p.Tongues[p.below(uint64(len(p.Tongues)))]
	for i := range words {
		if i > 0 {
			p.buf = append(p.buf, tongue.Space...)
		}
		p.buf = append(p.buf, pick(p.dice, tongue.Words)...)
		if p.oneIn(9) {
			p.buf = append(p.buf, tongue.End...)
		}
	}
	p.buf = append(p.buf, tongue.End...)
}

// message writes the body of one chat message, and returns it; it is valid until
// the next call. Most are short, one in two thousand runs to tens of KB.
func (p *prose) message() []byte {
	p.buf = p.buf[:0]
	switch k := p.below(2000); {
	case k < 600:
		p.expand(pick(p.dice, p.Shorts))
	case k < 1640:
		p.letter(1 + int(p.below(4)))
	case k < 1800:
		p.letter(4 + int(p.below(12)))
	case k < 1880:
		p.foreign(3 + int(p.below(30)))
	case k < 1960:
		p.sentencesOf(1)
		p.buf = append(p.buf, '\n')
		p.expand(pick(p.dice, p.Snippets))
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
		p.expand(pick(p.dice, p.Greetings))
	}
	p.sentencesOf(sentences)
	if p.oneIn(3) {
		p.expand(pick(p.dice, p.Closings))
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
			p.expand(pick(p.dice, p.LogLines))
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
