package sample

import (
	"fmt"
	"strings"

	"github.com/apache/arrow/go/v17/arrow/array"
)

// deliverableRow is a row of deliverables; nil and none are null. Its moments are
// nanoseconds since the epoch.
type deliverableRow struct {
	id, contract, freelancer, client []byte

	created, submitted   int64
	kind                 string
	title, content       []byte
	metadata             bool // not null
	format               []byte
	tags                 []string // null elements are empty
	hasTags, hasRevision bool
	revision             int32
}

type deliverableTable struct {
	*table
	id, contract, freelancer, client textColumn

	created, submitted timeColumn
	kind, title        textColumn
	content            *array.BinaryBuilder
	metadata           *array.StructBuilder
	format             textColumn
	tags               *array.ListBuilder
	tag                textColumn
	revision           *array.Int32Builder
}

func newDeliverableTable(t *table) *deliverableTable {
	metadata := field[*array.StructBuilder](t, 9)
	tags := metadata.FieldBuilder(1).(*array.ListBuilder)
	return &deliverableTable{
		table: t,
		id:    text(t, 0), contract: text(t, 1), freelancer: text(t, 2), client: text(t, 3),
		created: instants(t, 4), submitted: instants(t, 5), kind: text(t, 6), title: text(t, 7),
		content: field[*array.BinaryBuilder](t, 8), metadata: metadata,
		format: textColumn{metadata.FieldBuilder(0).(*array.StringBuilder)},
		tags:   tags, tag: textColumn{tags.ValueBuilder().(*array.StringBuilder)},
		revision: metadata.FieldBuilder(2).(*array.Int32Builder),
	}
}

func (t *deliverableTable) add(r *deliverableRow) error {
	t.id.put(r.id)
	t.contract.put(r.contract)
	t.freelancer.put(r.freelancer)
	t.client.put(r.client)
	t.created.put(r.created)
	t.submitted.put(r.submitted)
	t.kind.Append(r.kind)
	t.title.put(r.title)
	if r.content == nil {
		t.content.AppendNull()
	} else {
		t.content.Append(r.content)
	}
	if !r.metadata {
		t.metadata.AppendNull()
		return t.row()
	}
	t.metadata.Append(true)
	t.format.put(r.format)
	t.tags.Append(r.hasTags)
	for _, tag := range r.tags {
		if tag == "" {
			t.tag.AppendNull()
		} else {
			t.tag.Append(tag)
		}
	}
	if r.hasRevision {
		t.revision.Append(r.revision)
	} else {
		t.revision.AppendNull()
	}
	return t.row()
}

// works are the kinds of deliverable: their formats, and how their content begins
// where it is compressed already.
var works = []struct {
	kind, format, magic string
}{
	{"document", "pdf", "%PDF-1.7\n"},
	{"design", "png", "\x89PNG\r\n\x1a\n"},
	{"archive", "zip", "PK\x03\x04"},
	{"photo", "jpg", "\xff\xd8\xff\xe0"},
	{"code", "go", ""},
	{"code", "py", ""},
	{"text", "md", ""},
	{"translation", "txt", ""},
	{"website", "html", ""},
	{"illustration", "svg", ""},
	{"dataset", "csv", ""},
	{"spreadsheet", "json", ""},
}

// deliverables writes the rows of one file.
func (m *market) deliverables(f file, base *table) error {
	t := newDeliverableTable(base)
	next := f.first
	if f.planted {
		for i := range goldenDeliverables {
			if err := t.add(goldenDeliverables[i].deliverable(i)); err != nil {
				return err
			}
		}
		next += int64(len(goldenDeliverables))
	}
	d := newDice(hash(m.seed, domainFile, f.number))
	p := &prose{dice: d}
	var r deliverableRow
	var content []byte
	for ; next < f.first+f.rows; next++ {
		work := m.talk(contract(d.skewed(m.contracts)))
		kind := pick(d, works)
		r = deliverableRow{
			id: fmt.Appendf(r.id[:0], "d-%010d", next), contract: work.contract, freelancer: work.freelancer, client: work.client,
			kind: kind.kind, format: []byte(kind.format), tags: r.tags[:0],
		}
		created, submitted := f.moments(d, next, 2)
		r.created = created*1000 + d.between(0, 1000)
		if r.submitted = submitted; submitted != none {
			r.submitted = submitted*1000 + d.between(0, 1000)
		}
		switch d.below(500) {
		case 0:
			r.freelancer = nil
		case 1:
			r.client = nil
		case 2:
			r.created = none
		}
		if !d.oneIn(20) {
			r.title = append(r.title[:0], p.line(titles)...)
		}
		r.describe(d, p)
		if !d.oneIn(12) {
			content = contentOf(d, p, kind.magic, content)
			r.content = content
		}
		if err := t.add(&r); err != nil {
			return err
		}
	}
	return nil
}

// describe fills in the metadata: nothing at all now and then.
func (r *deliverableRow) describe(d *dice, p *prose) {
	r.metadata = !d.oneIn(15)
	if d.oneIn(10) {
		r.format = nil
	}
	if r.hasTags = !d.oneIn(8); r.hasTags {
		for range d.below(6) {
			if d.oneIn(40) {
				r.tags = append(r.tags, "")
			} else {
				r.tags = append(r.tags, p.word(nouns))
			}
		}
	}
	if r.hasRevision = !d.oneIn(6); r.hasRevision {
		r.revision = 1 + int32(d.skewed(20))
	}
}

// contentOf returns a deliverable's bytes, in buf if it is large enough: noise
// behind a file's first bytes where those are given, else prose. Most are below a
// KB, the longest 32 KB.
func contentOf(d *dice, p *prose, magic string, buf []byte) []byte {
	size := 100 + int(d.below(1500))
	if d.oneIn(40) {
		size = int(d.below(32 << 10))
	}
	if magic != "" {
		buf = append(buf[:0], magic...)
		buf = append(buf, make([]byte, size)...)
		d.fill(buf[len(magic):])
		return buf
	}
	p.buf = p.buf[:0]
	for len(p.buf) < size {
		if d.oneIn(3) {
			p.expand(pick(d, snippets))
		} else {
			p.sentencesOf(2)
		}
		p.buf = append(p.buf, '\n')
	}
	return append(buf[:0], p.buf...)
}

// deliverable is golden row number i as a row of deliverables.
func (g *goldenRow) deliverable(i int) *deliverableRow {
	r := &deliverableRow{
		id:         []byte(g.Record),
		contract:   goldenText(g.contractID()),
		freelancer: goldenText(g.freelancer()),
		client:     goldenText(g.client()),
		created:    goldenInstant(g.first, nanos),
		submitted:  goldenInstant(g.second, nanos),
		kind:       "document",
		title:      []byte("golden: " + g.Why),
		content:    []byte(strings.Repeat("\x00\x01\xfe\xff", i)),
	}
	switch i % 6 { // nesting has edges too
	case 1:
		r.metadata = true
	case 2:
		r.metadata, r.hasTags = true, true
	case 3:
		r.metadata, r.hasTags, r.tags = true, true, []string{"golden", "", "row"}
	case 4:
		r.metadata, r.format, r.hasRevision, r.revision = true, []byte("pdf"), true, int32(i)
	case 5:
		r.content, r.title = nil, nil
	}
	return r
}
