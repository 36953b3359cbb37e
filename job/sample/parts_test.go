package sample

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

func TestSkew(t *testing.T) {
	for _, n := range []uint64{1, 2, 3, 4, 5, 7, 8, 9, 1000, 1023, 1024, 1025, 1 << 40} {
		d := newDice(n)
		var counts [1100]int
		for range 50_000 {
			v := d.skewed(n)
			if v >= n {
				t.Fatalf("%d of %d", v, n)
			}
			if v < uint64(len(counts)) {
				counts[v]++
			}
		}
		if n < uint64(len(counts)) && slices.Contains(counts[:n], 0) {
			t.Errorf("of %d some never come", n)
		}
		if n >= 1000 && n <= 1025 {
			if counts[0] < 2*counts[900] || counts[0] > 50_000/100 {
				t.Errorf("of %d the first comes %d times, one of the last %d", n, counts[0], counts[900])
			}
		}
	}
}

func TestPermutation(t *testing.T) {
	for _, n := range []uint64{1, 2, 3, 4, 5, 16, 17, 1000, 4097} {
		p := newPermutation(42, n)
		seen := make([]bool, n)
		fixed := uint64(0)
		for i := range n {
			v := p.at(i)
			if v >= n || seen[v] {
				t.Fatalf("of %d: %d goes to %d", n, i, v)
			}
			seen[v] = true
			if v == i {
				fixed++
			}
		}
		if n >= 16 && fixed > n/4 {
			t.Errorf("of %d, %d stay where they are", n, fixed)
		}
	}
}

func TestCut(t *testing.T) {
	for _, rows := range []int64{100, 10_000, 12_345_678, 1 << 32} {
		files := cut("x", rows, 30, 5, months("2026-01", "2026-11"))
		next, number, paths := int64(0), uint64(5), map[string]bool{}
		for i, f := range files {
			if f.first != next || f.rows < 0 || f.rows > fileRows || f.number != number || paths[f.path] {
				t.Fatalf("%d rows: file %d is %+v", rows, i, f)
			}
			if f.planted != (i == 0) || f.from >= f.until || i > 0 && f.from < files[i-1].until {
				t.Fatalf("%d rows: file %d is %+v", rows, i, f)
			}
			next += f.rows
			number++
			paths[f.path] = true
		}
		if next != rows {
			t.Errorf("%d rows in files, want %d", next, rows)
		}
	}
}

// TestTemplates expands every template, as one with a slot that is none panics.
func TestTemplates(t *testing.T) {
	var events []string
	for _, act := range acts {
		for _, property := range act.properties {
			events = append(events, property[1])
		}
	}
	v := readVocabulary()
	lists := [][]string{v.Greetings, v.Closings, v.Shorts, v.Sentences, v.Titles, v.Searches, v.Snippets, v.LogLines, events}
	for _, list := range v.Phrases {
		lists = append(lists, list)
	}
	p := &prose{dice: newDice(1), vocabulary: v}
	for _, list := range lists {
		if len(list) == 0 {
			t.Error("a list is empty")
		}
		for _, template := range list {
			for range 20 {
				p.buf = p.buf[:0]
				p.expand(template)
				if len(p.buf) == 0 && template != "" || strings.ContainsRune(string(p.buf), '\ufffd') {
					t.Errorf("%q becomes %q", template, p.buf)
				}
			}
		}
	}
}

// TestProse wants text as compressible as real chat, with short and long messages.
func TestProse(t *testing.T) {
	p := &prose{dice: newDice(11), vocabulary: readVocabulary()}
	var page []byte
	longest, emojis, lines, links, code := 0, 0, 0, 0, 0
	for range 40_000 {
		m := p.message()
		longest = max(longest, len(m))
		s := string(m)
		for _, c := range []struct {
			n    *int
			mark string
		}{{&emojis, "👍"}, {&lines, "\n"}, {&links, "https://"}, {&code, "```"}} {
			if strings.Contains(s, c.mark) {
				*c.n++
			}
		}
		if len(page) < 1<<20 {
			page = append(binary.LittleEndian.AppendUint32(page, uint32(len(m))), m...)
		}
	}
	if longest < 20<<10 || longest > 60<<10 || emojis < 20 || lines < 2000 || links < 100 || code < 500 {
		t.Errorf("longest %d bytes, %d with an emoji, %d with lines, %d with a link, %d with code", longest, emojis, lines, links, code)
	}
	for _, level := range []zstd.EncoderLevel{zstd.SpeedFastest, zstd.SpeedDefault} {
		e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(level))
		if err != nil {
			t.Fatal(err)
		}
		ratio := float64(len(page)) / float64(len(e.EncodeAll(page, nil)))
		if ratio < 2.2 || ratio > 2.5 {
			t.Errorf("zstd %s: ratio %.2f on a page of %d bytes", level, ratio, len(page))
		}
	}
}

// TestBehaviours counts the accounts with a history: exactly as many as are meant.
func TestBehaviours(t *testing.T) {
	m := newMarket(9, 40*behaviourBlock*20)
	with := 0
	for a := range m.accounts {
		if len(m.history(nil, account(a))) > 0 {
			with++
		}
	}
	want := 40 * (leaves + pauses + refuses + reconsiders + wavers + races + confirms)
	if with != want {
		t.Errorf("%d accounts have a history, want %d", with, want)
	}
}

func TestPortableSnappy(t *testing.T) {
	src := []byte(strings.Repeat("one page of events, and ", 500))
	var c portableSnappy
	packed, err := c.Encode(make([]byte, 7), src)
	if err != nil || len(packed) > len(src)/4 {
		t.Fatalf("%d bytes of %d: %v", len(packed), len(src), err)
	}
	if back, err := c.Decode(nil, packed); err != nil || string(back) != string(src) {
		t.Errorf("back: %v", err)
	}
}
