package redact

import (
	"bytes"
	"flag"
	"fmt"
	"hash/fnv"
	"io/fs"
	"maps"
	"math/rand/v2"
	"net/mail"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/nyaruka/phonenumbers"
	"mvdan.cc/xurls/v2"
)

var whole = flag.Bool("whole", false, "measure on the whole corpora instead of a part")

// What must hold: recall by kind, and false positives in 10,000 words. A word is what stands between white space.
const (
	leastMailAndLinks = 0.98
	leastOthers       = 0.95
	mostFalse         = 1.0
)

func checkRecall(t *testing.T, what string, found, of Counts, mailAndLinks, others float64) {
	t.Helper()
	for k := range kinds {
		if of[k] == 0 {
			continue
		}
		share, least := float64(found[k])/float64(of[k]), others
		if k == Email || k == Link {
			least = mailAndLinks
		}
		t.Logf("recall, %s: %-6s %.4f (%d of %d)", what, k, share, found[k], of[k])
		if share < least {
			t.Errorf("%s: recall of %s is %.4f; at least %.2f", what, k, share, least)
		}
	}
}

// corpus calls visit with the text of files below roots, in order: all of them or about one in so many.
func corpus(t *testing.T, roots []string, oneIn uint32, endings []string, visit func(path string, text []byte)) {
	t.Helper()
	for _, root := range roots {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return nil // what is not there is not measured
			}
			name, _ := filepath.Rel(root, path)
			h := fnv.New32a()
			h.Write([]byte(name))
			info, err := d.Info()
			if err != nil || info.Size() > 4<<20 || !*whole && h.Sum32()%oneIn != 0 {
				return err
			}
			if len(endings) > 0 && !slices.ContainsFunc(endings, func(e string) bool { return strings.HasSuffix(path, e) }) {
				return nil
			}
			text, err := os.ReadFile(path)
			if err == nil && utf8.Valid(text) && bytes.IndexByte(text, 0) < 0 {
				visit(path, text)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func goTree(t *testing.T) []string {
	root := goEnv(t, "GOROOT")
	return []string{filepath.Join(root, "src"), filepath.Join(root, "test"), filepath.Join(root, "doc")}
}

// TestMeasureFalsePositives looks at real code, prose and logs. What an independent matcher takes for a detail of the
// kind, too, is none that is false; all else counts as false, though some of it is not.
func TestMeasureFalsePositives(t *testing.T) {
	r, links := everything(), xurls.Relaxed()
	words, doubtful := 0, Counts{}
	var found Counts
	corpus(t, goTree(t), 16, nil, func(path string, text []byte) {
		words += len(bytes.Fields(text))
		for _, s := range r.find(text) {
			found[s.kind]++
			if detail := string(text[s.start:s.end]); !isConfirmed(s.kind, detail, links) {
				doubtful[s.kind]++
				if doubtful[s.kind] < 8 {
					t.Logf("doubtful %s: %q in %s", s.kind, detail, filepath.Base(path))
				}
			}
		}
	})
	if words == 0 {
		t.Skip("no Go tree")
	}
	rate := float64(doubtful.Total()) * 10_000 / float64(words)
	t.Logf("false positives: %.4f in 10,000 words: %d words, found %v, of which doubtful %v (%v)", rate, words, found, doubtful, Names())
	if rate > mostFalse {
		t.Errorf("%.3f false positives in 10,000 words; at most %v", rate, mostFalse)
	}
}

// isConfirmed says whether a matcher that shares nothing with the rules takes a text for a detail of the kind.
func isConfirmed(k Kind, detail string, links *regexp.Regexp) bool {
	switch k {
	case Email:
		_, err := mail.ParseAddress(detail)
		return err == nil
	case Phone:
		n, err := phonenumbers.Parse(detail, "US")
		return err == nil && phonenumbers.IsValidNumber(n)
	case Link:
		at := links.FindStringIndex(strings.ReplaceAll(detail, `\/`, "/"))
		return at != nil && at[0] == 0
	}
	return false
}

// TestMeasureInPlace looks for addresses and links where independent matchers find them in real text.
func TestMeasureInPlace(t *testing.T) {
	address := regexp.MustCompile(`\b[\w.+-]+@[\w-]+(\.[\w-]+)+\b`)
	strict, err := xurls.StrictMatchingScheme(`(?i)(https?|ftp)://`)
	if err != nil {
		t.Fatal(err)
	}
	r := everything()
	var found, of Counts
	corpus(t, append(goTree(t), moduleCache(t)...), 4, []string{".md", ".txt", ".html", "AUTHORS", "CONTRIBUTORS", "LICENSE"}, func(path string, text []byte) {
		var at [kinds][][]int
		for _, m := range address.FindAllIndex(text, -1) {
			if isAddress(string(text[m[0]:m[1]])) {
				at[Email] = append(at[Email], m)
			}
		}
		at[Link] = strict.FindAllIndex(text, -1)
		if at[Email] == nil && at[Link] == nil {
			return
		}
		spans := r.find(text)
		for k, places := range at {
			for _, m := range places {
				of[k]++
				if e := (example{text: string(text), start: m[0], end: m[1]}); e.covers(near2(spans, m[0], m[1])) {
					found[k]++
				} else if of[k]-found[k] < 12 {
					t.Logf("missed %q in %s", text[m[0]:m[1]], path)
				}
			}
		}
	})
	checkRecall(t, "in place", found, of, leastMailAndLinks, leastOthers)
}

// near2 returns the details that touch a place.
func near2(spans []span, start, end int) (touch []span) {
	for _, s := range spans {
		if s.start < end && s.end > start {
			touch = append(touch, s)
		}
	}
	return touch
}

// isAddress says whether net/mail takes a text for an address, and its domain has an ending that is assigned. What
// version control calls user git is none.
func isAddress(text string) bool {
	a, err := mail.ParseAddress(text)
	_, isTLD := slices.BinarySearch(xurls.TLDs, strings.ToLower(text[strings.LastIndexByte(text, '.')+1:]))
	return err == nil && a.Address == text && isTLD && !strings.HasPrefix(text, "git@")
}

// goEnv returns what the go command says of its environment.
func goEnv(t testing.TB, name string) string {
	t.Helper()
	out, err := exec.Command("go", "env", name).Output()
	if err != nil {
		t.Skipf("no go command: %v", err)
	}
	return strings.TrimSpace(string(out))
}

// moduleCache are the modules whose text is read, where they are there.
func moduleCache(t *testing.T) (roots []string) {
	cache := goEnv(t, "GOMODCACHE")
	for _, pattern := range []string{"github.com/*/*", "golang.org/x/*", "go.opencensus.io*", "gonum.org/v1/*", "google.golang.org/grpc*"} {
		found, _ := filepath.Glob(filepath.Join(cache, pattern))
		roots = append(roots, found...)
	}
	return roots
}

// frames are sentences around a detail, by kind. The rules were not tuned on them.
var frames = [kinds][]string{
	Email:  {"%s", "Contact %s for access.", "Signed-off-by: A. Person <%s>", "cc %s, please", "(%s)", "écris à %s", "邮箱%s。", "Is it %s?", "mailto:%s", "- %s: no answer"},
	Phone:  {"Call me: %s", "phone %s", "Tel. %s, after 5", "my number is %s", "WhatsApp: %s", "mobile %s.", "reach me on my cell %s please", "Telefon: %s", "телефон %s", "电话：%s"},
	Handle: {"skype: %s", "my telegram is @%s", "Telegram: @%s", "@%s on telegram", "Instagram - @%s", "Discord: %s", "wechat id %s", "ping me @%s", "my skype id is %s", "find me on Telegram as @%s"},
}

// TestMeasurePhones looks for libphonenumber's examples of every region, in sentences.
func TestMeasurePhones(t *testing.T) {
	found, of := inFrames(Phone, phones(), t.Logf)
	checkRecall(t, "libphonenumber's examples", found, of, leastMailAndLinks, leastOthers)
}

// phones are libphonenumber's examples, in forms that people use. Those of islands with fewer than seven digits are
// left out.
func phones() (all []string) {
	plain := strings.NewReplacer(" ", "", "-", "", "(", "", ")", "", "/", "")
	for _, region := range slices.Sorted(maps.Keys(phonenumbers.GetSupportedRegions())) {
		for _, kind := range []phonenumbers.PhoneNumberType{phonenumbers.FIXED_LINE, phonenumbers.MOBILE} {
			n := phonenumbers.GetExampleNumberForType(region, kind)
			if n == nil {
				continue
			}
			national, international := phonenumbers.Format(n, phonenumbers.NATIONAL), phonenumbers.Format(n, phonenumbers.INTERNATIONAL)
			if len(plain.Replace(national)) < 7 {
				continue
			}
			all = append(all, national, international, phonenumbers.Format(n, phonenumbers.E164), plain.Replace(national),
				strings.ReplaceAll(international, " ", "-"), strings.ReplaceAll(international, " ", "."), "00"+strings.TrimPrefix(international, "+"))
		}
	}
	return all
}

// TestMeasureNames looks for names that people have: those of addresses in real text, as addresses and as handles.
func TestMeasureNames(t *testing.T) {
	seen := map[string]bool{}
	address := regexp.MustCompile(`\b[\w.+-]+@[\w-]+(\.[\w-]+)+\b`)
	corpus(t, append(goTree(t), moduleCache(t)...), 1, []string{"AUTHORS", "CONTRIBUTORS", "README.md"}, func(_ string, text []byte) {
		for _, m := range address.FindAll(text, -1) {
			if isAddress(string(m)) {
				seen[string(m)] = true
			}
		}
	})
	if len(seen) == 0 {
		t.Skip("no module cache")
	}
	mails := slices.Sorted(maps.Keys(seen))
	found, of := inFrames(Email, mails, t.Logf)
	checkRecall(t, "addresses of authors", found, of, leastMailAndLinks, leastOthers)
	var names []string
	for _, m := range mails {
		if name, _, _ := strings.Cut(m, "@"); len(name) >= 4 && !strings.ContainsAny(name, "+") {
			names = append(names, name)
		}
	}
	found, of = inFrames(Handle, names, t.Logf)
	checkRecall(t, "names of authors", found, of, leastMailAndLinks, leastOthers)
}

// inFrames returns how many details are found in sentences, two for each, and how many there are.
func inFrames(k Kind, details []string, logf func(string, ...any)) (found, of Counts) {
	dice := rand.New(rand.NewPCG(13, 13))
	var all []example
	for _, d := range details {
		for range 2 {
			frame := frames[k][dice.IntN(len(frames[k]))]
			before, _, _ := strings.Cut(frame, "%s")
			all = append(all, example{k, fmt.Sprintf(frame, d), len(before), len(before) + len(d)})
		}
	}
	logged := 0
	return recall(everything(), all, func(e example, _ []span) {
		if logged++; logged <= 25 {
			logf("missed %s: %s", e.kind, e.text)
		}
	})
}
