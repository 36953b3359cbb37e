package sample

import (
	"fmt"
	"strings"
)

// deliverableRow is a row of deliverables. A null is nil; its moments are in
// nanoseconds since the epoch.
type deliverableRow struct {
	ID         []byte    `parquet:"deliverable_id,string,plain"`
	Contract   []byte    `parquet:"contract_id,string,dict,optional"`
	Freelancer []byte    `parquet:"freelancer_id,string,dict,optional"`
	Client     []byte    `parquet:"client_id,string,dict,optional"`
	Created    *int64    `parquet:"created_at,timestamp(nanosecond),plain"`
	Submitted  *int64    `parquet:"submitted_at,timestamp(nanosecond),plain"`
	Kind       string    `parquet:"kind,dict"`
	Title      []byte    `parquet:"title,string,plain,optional"`
	Content    []byte    `parquet:"content,plain,optional"`
	Metadata   *metadata `parquet:"metadata"`
}

// metadata is the struct in a deliverable. An empty format and the revision 0 are null.
type metadata struct {
	Format   string `parquet:"format,dict,optional"`
	Tags     *texts `parquet:"tags"`
	Revision int32  `parquet:"revision,plain,optional"`
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
func (m *market) deliverables(f file, t *table) error {
	next := f.first
	if f.planted {
		for i, g := range goldenRows("deliverables") {
			if err := t.add(g.deliverable(i)); err != nil {
				return err
			}
			next++
		}
	}
	d := newDice(hash(m.seed, domainFile, f.number))
	p := m.prose(d)
	var r deliverableRow
	var title, content []byte
	for ; next < f.first+f.rows; next++ {
		work := m.talk(contract(d.skewed(m.contracts)))
		kind := pick(d, works)
		r = deliverableRow{
			ID: fmt.Appendf(r.ID[:0], "d-%010d", next), Contract: work.contract, Freelancer: work.freelancer, Client: work.client, Kind: kind.kind,
		}
		created, submitted := f.moments(d, next, 2)
		created = created*1000 + d.between(0, 1000)
		if submitted != none {
			submitted = submitted*1000 + d.between(0, 1000)
		}
		r.Created, r.Submitted = &created, nullable(submitted)
		switch d.below(500) {
		case 0:
			r.Freelancer = nil
		case 1:
			r.Client = nil
		case 2:
			r.Created = nil
		}
		if !d.oneIn(20) {
			title = append(title[:0], p.line(p.Titles)...)
			r.Title = title
		}
		r.Metadata = describe(d, p, kind.format)
		if !d.oneIn(12) {
			content = contentOf(d, p, kind.magic, content)
			r.Content = content
		}
		if err := t.add(&r); err != nil {
			return err
		}
	}
	return nil
}

// describe returns a deliverable's metadata: none at all now and then.
func describe(d *dice, p *prose, format string) *metadata {
	missing, m := d.oneIn(15), &metadata{Format: format}
	if d.oneIn(10) {
		m.Format = ""
	}
	if !d.oneIn(8) {
		m.Tags = new(texts)
		for range d.below(6) {
			var tag text
			if !d.oneIn(40) {
				tag.Element = []byte(p.word(p.words['n']))
			}
			m.Tags.List = append(m.Tags.List, tag)
		}
	}
	if !d.oneIn(6) {
		m.Revision = 1 + int32(d.skewed(20))
	}
	if missing {
		return nil
	}
	return m
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
			p.expand(pick(d, p.Snippets))
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
		ID:         []byte(g.Record),
		Contract:   goldenText(g.contractID()),
		Freelancer: goldenText(g.freelancer()),
		Client:     goldenText(g.client()),
		Created:    goldenInstant(g.first, nanos),
		Submitted:  goldenInstant(g.second, nanos),
		Kind:       "document",
		Title:      []byte("golden: " + g.Why),
		Content:    []byte(strings.Repeat("\x00\x01\xfe\xff", i)),
	}
	switch i % 6 { // nesting has edges too
	case 1:
		r.Metadata = &metadata{}
	case 2:
		r.Metadata = &metadata{Tags: new(texts)}
	case 3:
		r.Metadata = &metadata{Tags: &texts{[]text{{[]byte("golden")}, {nil}, {[]byte("row")}}}}
	case 4:
		r.Metadata = &metadata{Format: "pdf", Revision: int32(i)}
	case 5:
		r.Content, r.Title = nil, nil
	}
	return r
}
