package redact

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// example is a text with a detail in it.
type example struct {
	kind       Kind
	text       string
	start, end int // of the detail
}

// disguised reads a file of testdata.
func disguised(t testing.TB, name string) (all []example) {
	t.Helper()
	file, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(file)) {
		name, rest, found := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if !found {
			continue
		}
		kind, ok := ParseKind(name)
		before, rest, ok2 := strings.Cut(rest, "⟦")
		detail, after, ok3 := strings.Cut(rest, "⟧")
		if !ok || !ok2 || !ok3 {
			t.Fatalf("%s: %s", name, line)
		}
		all = append(all, example{kind, before + detail + strings.NewReplacer("⟦", "", "⟧", "").Replace(after), len(before), len(before) + len(detail)})
	}
	return all
}

// covers says whether every letter and digit of a detail is within what was found.
func (e *example) covers(found []span) bool {
	for i := e.start; i < e.end; i++ {
		c := e.text[i]
		if c < 0x80 && !('a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9') {
			continue
		}
		inside := false
		for _, f := range found {
			inside = inside || f.start <= i && i < f.end
		}
		if !inside {
			return false
		}
	}
	return true
}

// recall returns how many examples of each kind are found, and how many there are.
func recall(r *Redactor, all []example, missed func(example, []span)) (found, of Counts) {
	for _, e := range all {
		of[e.kind]++
		if spans := r.find([]byte(e.text)); e.covers(spans) {
			found[e.kind]++
		} else if missed != nil {
			missed(e, spans)
		}
	}
	return found, of
}

func everything() *Redactor { return New(Email, Phone, Link, Handle) }

// written are the files of testdata, in the order in which the rules were made for what they missed of each.
func written() []string {
	return []string{"disguised.txt", "written.txt", "found.txt", "later.txt", "last.txt", "third.txt", "wild.txt", "wild2.txt", "wild3.txt"}
}

// tunedOn are the examples on which the rules were tuned.
func tunedOn(t testing.TB) (all []example) {
	for _, name := range written() {
		all = append(all, disguised(t, name)...)
	}
	return all
}

// TestDisguised holds the examples on which the rules were tuned. What is missed of them is known.
func TestDisguised(t *testing.T) {
	r := everything()
	found, of := recall(r, tunedOn(t), func(e example, _ []span) {
		var n Counts
		t.Logf("missed %s: %s\n  %s", e.kind, e.text, r.Append(nil, []byte(e.text), &n))
	})
	checkRecall(t, "disguised, tuned on", found, of, leastMailAndLinks, leastOthers)
}
