package redact

import (
	_ "embed"
	"strconv"
	"strings"
	"unicode/utf8"

	"mvdan.cc/xurls/v2"
)

// words is what the vocabulary says of a word, a bit for each class.
type words uint64

const (
	wordAt words = 1 << iota
	wordAtWeak
	wordDot
	wordDigit
	wordTwice
	wordThrice
	wordPlus
	wordPhone
	wordCall
	wordMe
	wordMy
	wordNumber
	wordMail
	wordWeb
	wordReach
	wordSelf
	wordID
	wordFill
	wordLabel
	wordSocial
	wordWeak
	wordLive
	wordCalled
	wordNumeric
	wordStop
	wordCode
	wordProvider
	wordJoiner
	wordSlash
	wordSeen
	wordPoke
	wordRing
	wordHalf
	wordGo
	wordAway
	wordHere
)

// inert are classes of words that only mean something beside others: no rule begins at one.
const inert = wordStop | wordFill | wordJoiner | wordCalled | wordNumber | wordMe | wordSlash | wordNumeric | wordAway

// classes are the bits of vocabulary.txt's classes; digit0 to digit9 are wordDigit.
func classes() map[string]words {
	return map[string]words{
		"at": wordAt, "atweak": wordAtWeak, "dot": wordDot, "double": wordTwice, "triple": wordThrice, "plus": wordPlus,
		"phone": wordPhone, "call": wordCall, "me": wordMe, "my": wordMy, "live": wordLive, "called": wordCalled, "social": wordSocial, "number": wordNumber, "mail": wordMail,
		"web": wordWeb, "reach": wordReach, "self": wordSelf, "id": wordID, "fill": wordFill, "label": wordLabel,
		"weak": wordWeak, "numeric": wordNumeric, "stop": wordStop, "code": wordCode, "provider": wordProvider,
		"joiner": wordJoiner, "slash": wordSlash, "seen": wordSeen, "poke": wordPoke, "ring": wordRing,
		"half": wordHalf, "go": wordGo, "away": wordAway, "here": wordHere,
	}
}

//go:embed vocabulary.txt
var vocabularyText string

// calling.txt has a line for each calling code: the code, and how many digits may follow it.
//
//go:embed calling.txt
var callingText string

// Classes of bytes: what may begin there.
const (
	nothing = iota
	letter
	digit
	high // of a rune beyond ASCII
	at
	dot
	colon
	opening // of a telephone number: + or (
	percent
	bracket
	hash
	comma
)

// How far a top-level domain can be trusted.
const (
	anyTLD    = 1 + iota // assigned; many are also names of files and fields
	commonTLD            // of firms and freelancers; with a path or a cue
	plainTLD             // hardly ever anything else
)

// entry is a word of the vocabulary.
type entry struct {
	is    words
	value byte // of a digit, as ASCII
}

// rules is what redactors read and never change.
type rules struct {
	class    [256]byte
	inWord   [256]bool // ASCII letters, digits and _
	words    map[string]entry
	lengths  [4096]uint32      // of words, by pair: bit n stands for n bytes
	active   [512]uint64       // by print: a bit where a word may be one at which a rule begins
	tlds     map[string]uint8  // how far each can be trusted
	ends     [4096]uint32      // as lengths, of these
	codes    map[string]bool   // hosts of packages' paths
	profiles map[string]bool   // those of them where people have pages
	shares   map[string]bool   // hosts under which people have their pages
	calling  [1000]uint32      // by calling code: bit n says that n digits may follow
	shapes   map[string]string // see phone.go
	endings  []string          // of labels
	hosting  map[string]bool   // domains under which each has a name of its own
}

// longestWord bounds the words of the vocabulary, in bytes.
const longestWord = 31

const (
	plainTLDs = `com org net edu gov de fr nl ru ua uk br jp cn kr es se dk cz ch eu ca au nz mx tr gr hu ro bg
		il ae sa za ng ke eg vn sg hk tw pt ie lt lv ee at рф by kz 中国 ком ру كوم कॉम κομ`
	commonTLDs = `info biz io co me ai dev app tech online xyz site store shop design agency studio tv cc pro club blog page link
		art media digital us in it pl be fi no id ly to gg example test ink live one cloud space website work works life`
	codeHosts = `github.com gitlab.com bitbucket.org golang.org google.golang.org cloud.google.com gopkg.in go.uber.org
		k8s.io sigs.k8s.io gonum.org honnef.co mvdan.cc go.opencensus.io go.opentelemetry.io rsc.io modernc.org cel.dev
		go.etcd.io cuelang.org gotest.tools go.yaml.in filippo.io lukechampine.com go.dev storj.io istio.io knative.dev
		code.google.com sourcegraph.com gocloud.dev gioui.org go.mongodb.org golang.zx2c4.com launchpad.net docker.io
		ghcr.io quay.io gcr.io git.sr.ht codeberg.org goji.io fyne.io nhooyr.io dario.cat software.sslmate.com kernel.org`
	shareHosts = `t.me wa.me m.me fb.me fb.com discord.gg bit.ly forms.gle youtu.be ow.ly goo.gl paypal.me calendly.com linktr.ee
		cal.com zoom.us tinyurl.com cutt.ly rb.gy is.gd vk.me behance.net dribbble.com join.skype.com line.me signal.me
		telegram.me telegram.dog instagr.am lnkd.in tiktok.com typeform.com x.com vk.com ko-fi.com about.me carrd.co
		we.tl cash.app b23.tv buff.ly t.co is.gd v.gd shorturl.at loom.com notion.so whereby.com meet.jit.si`
	hostings = `github.io gitlab.io vercel.app netlify.app pages.dev web.app herokuapp.com onrender.com fly.dev workers.dev
		notion.site webflow.io framer.website carrd.co wixsite.com wordpress.com blogspot.com tumblr.com substack.com
		medium.com myportfolio.com slack.com etsy.com weebly.com squarespace.com myshopify.com`
)

func newRules() *rules {
	r := &rules{
		words: map[string]entry{}, tlds: map[string]uint8{}, codes: set(codeHosts), profiles: set("github.com gitlab.com bitbucket.org codeberg.org"), shares: set(shareHosts), shapes: phoneShapes(),
		hosting: set(hostings),
	}
	for c := range 256 {
		switch b := byte(c); {
		case 'a' <= b|0x20 && b|0x20 <= 'z', b == '_':
			r.class[c], r.inWord[c] = letter, true
		case '0' <= b && b <= '9':
			r.class[c], r.inWord[c] = digit, true
		case b >= utf8.RuneSelf:
			r.class[c] = high
		}
	}
	for c, class := range map[byte]byte{'@': at, '.': dot, ':': colon, '+': opening, '(': opening, '%': percent, '[': bracket, '#': hash, ',': comma} {
		r.class[c] = class
	}
	r.readWords()
	for _, list := range [][]string{xurls.TLDs, xurls.PseudoTLDs, {"example", "invalid", "internal"}} {
		for _, tld := range list {
			r.tlds[tld] = anyTLD
		}
	}
	for tld := range set(commonTLDs) {
		r.tlds[tld] = commonTLD
	}
	for tld := range set(plainTLDs) {
		r.tlds[tld] = plainTLD
	}
	for tld := range r.tlds {
		r.ends[pair(tld)] |= 1 << len(tld)
	}
	for line := range strings.Lines(callingText) {
		fields := strings.Fields(line)
		code, _ := strconv.Atoi(fields[0])
		for _, f := range fields[1:] {
			n, _ := strconv.Atoi(f)
			r.calling[code] |= 1 << n
		}
	}
	return r
}

func (r *rules) readWords() {
	bits := classes()
	defer r.addActive()
	defer r.addEndings()
	for line := range strings.Lines(vocabularyText) {
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] == "#" {
			continue
		}
		if fields[0] == "suffix" {
			r.endings = fields[1:]
			continue
		}
		e := entry{is: bits[fields[0]]}
		if v, ok := strings.CutPrefix(fields[0], "digit"); ok {
			e = entry{is: wordDigit, value: v[0]}
		}
		for _, w := range fields[1:] {
			r.addWord(w, e)
		}
	}
}

// addEndings adds the labels of messengers with the endings that languages put behind them.
func (r *rules) addEndings() {
	for _, label := range []string{"skype", "telegram", "instagram", "discord", "whatsapp", "viber", "facebook", "insta"} {
		for _, ending := range r.endings {
			if _, known := r.words[label+ending]; !known {
				r.addWord(label+ending, r.words[label])
			}
		}
	}
}

func (r *rules) addWord(w string, e entry) {
	old := r.words[w]
	e.is |= old.is
	e.value = max(e.value, old.value)
	r.words[w] = e
	for _, form := range []string{w, strings.ToUpper(w), strings.ToUpper(w[:1]) + w[1:], title(w)} {
		r.lengths[pair(form)] |= 1 << min(len(form), longestWord)
	}
}

func (r *rules) addActive() {
	for w, e := range r.words {
		if e.is&^inert != 0 {
			p := print([]byte(w))
			r.active[p/64] |= 1 << (p % 64)
		}
	}
}

// isActive says whether a rule may begin at a word. It says so of few others.
func (r *rules) isActive(w []byte) bool {
	p := print(w)
	return r.active[p/64]&(1<<(p%64)) != 0
}

// print is a number that words share which differ in their case alone.
func print(w []byte) uint32 {
	n := len(w)
	return (uint32(w[0]|0x20) | uint32(w[n/2]|0x20)<<8 | uint32(w[n-1]|0x20)<<16 | uint32(n)<<24) * 2654435761 >> 17
}

// title is a word with a capital letter in front.
func title(w string) string {
	_, n := utf8.DecodeRuneInString(w)
	return strings.ToUpper(w[:n]) + w[n:]
}

// pair is where the lengths of words stand that begin with the same two bytes as this one, in small letters.
func pair[T string | []byte](w T) int {
	second := byte(0)
	if len(w) > 1 {
		second = w[1] | 0x20
	}
	return (int(w[0]|0x20)<<5 ^ int(second)*3) & 4095
}

func set(text string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(text) {
		m[w] = true
	}
	return m
}
