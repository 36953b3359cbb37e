package redact

import "slices"

// Kind is a kind of contact detail.
type Kind uint8

// The kinds, in the order of the marketplace's own list.
const (
	Email Kind = iota
	Phone
	Link
	Handle
	kinds
)

// Names are the kinds' names, as the configuration has them, by Kind.
func Names() []string { return []string{"email", "phone", "link", "handle"} }

func (k Kind) String() string { return Names()[k] }

// token is what stands for a detail of the kind.
func (k Kind) token() string {
	return [kinds]string{"[email]", "[phone]", "[link]", "[handle]"}[k]
}

// Counts says how many details were replaced, by Kind.
type Counts [kinds]int64

// Total returns the number of all details.
func (c *Counts) Total() int64 { return c[Email] + c[Phone] + c[Link] + c[Handle] }

// Redactor redacts texts of any size, one after the other. It is for one goroutine at a time; Clone serves others.
type Redactor struct {
	rules *rules
	on    [kinds]bool
	view  view
	scan  scan
	spare []byte
}

// New returns a redactor of some kinds. Making one takes about a millisecond, and some 100 KB that clones share.
func New(which ...Kind) *Redactor {
	r := &Redactor{rules: newRules()}
	for _, k := range which {
		r.on[k] = true
	}
	return r
}

// Clone returns a redactor of the same kinds for another goroutine. It may be called at any time.
func (r *Redactor) Clone() *Redactor { return &Redactor{rules: r.rules, on: r.on} }

// passes bounds how often a text is looked at again. What a replaced detail stood beside may be one itself, once its
// neighbour is gone: then the next pass replaces it. Two passes are the rule, as the last one must find nothing.
const passes = 8

// Append appends text to dst with its details replaced, adds their number to counts, and returns dst. It keeps no
// reference to either, and allocates nothing once its buffers have grown. Bytes that are not UTF-8 stay as they are.
// Append of what it returned changes nothing. Time grows with the length of text, whatever it holds.
func (r *Redactor) Append(dst, text []byte, counts *Counts) []byte {
	from := len(dst)
	found := r.find(text)
	if len(found) == 0 {
		return append(dst, text...)
	}
	dst = replace(dst, text, found, counts)
	for range passes - 1 {
		if found = r.find(dst[from:]); len(found) == 0 {
			break
		}
		r.spare = replace(r.spare[:0], dst[from:], found, counts)
		dst = append(dst[:from], r.spare...)
	}
	return dst
}

// span is a detail in a text: the bytes from start until end.
type span struct {
	start, end int
	kind       Kind
}

// find returns the details of a text, in order and apart from each other. They are valid until the next call.
func (r *Redactor) find(text []byte) []span {
	r.view.of(text)
	found := r.scan.text(r.rules, &r.on, r.view.text)
	for i := range found {
		found[i].start, found[i].end = r.view.source(found[i].start), r.view.source(found[i].end)
	}
	return found
}

func replace(dst, text []byte, found []span, counts *Counts) []byte {
	at := 0
	for _, f := range found {
		dst = append(append(dst, text[at:f.start]...), f.kind.token()...)
		at = f.end
		counts[f.kind]++
	}
	return append(dst, text[at:]...)
}

// ParseKind returns the kind of a name.
func ParseKind(name string) (Kind, bool) {
	i := slices.Index(Names(), name)
	return Kind(max(i, 0)), i >= 0
}
