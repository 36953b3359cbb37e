package redact

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"assent/schema"
)

func TestAppend(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"nothing":               {"", ""},
		"e-mail":                {"write to anna@example.com, please", "write to [email], please"},
		"e-mail in brackets":    {"Anna <anna.w+x@mail.example.co.uk>", "Anna <[email]>"},
		"e-mail in Chinese":     {"邮箱anna@example.com谢谢", "邮箱[email]谢谢"},
		"e-mail in words":       {"anna dot w at example dot com", "[email]"},
		"e-mail of a list":      {"Anna W. <anna at example.org>", "Anna W. <[email]>"},
		"e-mail, full width":    {"ａｎｎａ＠ｅｘａｍｐｌｅ．ｃｏｍ。", "[email]。"},
		"e-mail, no width":      {"an\u200bna@exam\u00adple.com!", "[email]!"},
		"phone":                 {"call +1 415 555 0132.", "call [phone]."},
		"phone, two":            {"Tel: 030 1234567, 0171 7654321", "Tel: [phone], [phone]"},
		"phone, extension":      {"(415) 555-0132 ext. 12", "[phone]"},
		"phone in words":        {"my number: four one five 555 oh one three two", "my number: [phone]"},
		"phone, double":         {"nine eight double seven six five four three two", "[phone]"},
		"link":                  {"see https://example.com/a_(b)?c=d.", "see [link]."},
		"link in Markdown":      {"[x](http://example.com)", "[x]([link])"},
		"link in JSON":          {`{"u":"https:\/\/example.com\/a"}`, `{"u":"[link]"}`},
		"link without scheme":   {"my site is annadesigns.com/work", "my site is [link]"},
		"link in words":         {"visit my shop dot com", "visit my [link]"},
		"link of a messenger":   {"join t.me/anna or discord.gg/abc", "join [link] or [link]"},
		"handle":                {"my skype is live:anna_1, ok", "my skype is [handle], ok"},
		"handle in front":       {"@anna_w on telegram", "[handle] on telegram"},
		"handle in Chinese":     {"加我微信：anna_1990。", "加我微信：[handle]。"},
		"all":                   {"anna@example.com, +49 171 2345678, www.example.de, skype: anna.w", "[email], [phone], [link], skype: [handle]"},
		"bytes that are none":   {"\xffanna@example.com\xfe", "\xff[email]\xfe"},
		"e-mail, HTML":          {"anna&#64;example.com", "[email]"},
		"e-mail, no dot":        {"anna at yahoo dotcom, ok", "[email], ok"},
		"e-mail, hyphens":       {"office-at-north-dot-org", "[email]"},
		"e-mail, of more words": {"my mail is anna maria 45 at gmail dot com", "my mail is [email]"},
		"e-mail, cue behind":    {"ana at example dot com is my mail", "[email] is my mail"},
		"e-mail behind a word":  {"write to ana at example dot com", "write to [email]"},
		"phone, glued words":    {"my phone: sixfour6 five55 0133", "my phone: [phone]"},
		"phone, Chinese words":  {"打我电话一三九零一二三四五六七", "打我电话[phone]"},
		"link, spaced":          {"h t t p s : / / anna . com", "[link]"},
		"link, a spoken path":   {"linkedin dot com slash in slash anna", "[link]"},
		"link, cue behind":      {"see anna.design (my website)", "see [link] (my website)"},
		"handle with an ending": {"telegramım @burak", "telegramım [handle]"},
		"handle, Discord's tag": {"add me anna#9001", "add me [handle]"},
		"handle, unknown word":  {"skype ost anna_w22", "skype ost [handle]"},
		"tokens":                {"[email] [phone] 1234567 [link] [handle]", "[email] [phone] 1234567 [link] [handle]"},
	} {
		t.Run(name, func(t *testing.T) {
			var n Counts
			got := everything().Append(nil, []byte(tt.text), &n)
			if string(got) != tt.want {
				t.Errorf("%s\n got %s\nwant %s", tt.text, got, tt.want)
			}
			if tokens := int64(strings.Count(tt.want, "[") - strings.Count(tt.text, "[")); n.Total() != tokens {
				t.Errorf("%s: %d details counted, %d replaced", tt.text, n.Total(), tokens)
			}
		})
	}
}

// TestUntouched holds what must be left as it is.
func TestUntouched(t *testing.T) {
	for _, text := range strings.Split(untouched, "\n") {
		var n Counts
		if got := everything().Append(nil, []byte(text), &n); string(got) != text {
			t.Errorf("%s\n got %s", text, got)
		}
	}
}

const untouched = `$1,234,567.00 or 1 234 567 € or 12.345.678,90 EUR
it costs 1234567.89 USD; 3000000 rows in 15.25 s
on 2026-11-30 at 17:45:12, 30.11.2026, 11/30/2026, 2026-11-30T17:45:12.123456Z
call me on 2026-11-30 at 10:00
version 1.26.0, v0.47.0-20261130123456-abcdef123456, Go 1.26, 10.0.19045.3693
550e8400-e29b-41d4-a716-446655440000 and 12345678-1234-1234-1234-123456789012
sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08, 4e1e04a, 0xdeadbeef12345678
ISBN 978-3-16-148410-0, ISBN-10: 0-306-40615-2
192.168.178.201, 10.0.0.1:8080, 2001:db8::8a2e:370:7334, 127.0.0.1/32
main.go, README.md, deploy.sh, lib.rs, setup.py, photo_2026.jpg, archive.tar.gz, notes.txt
@Override public void run() {}
@types/node, @angular/core@17.0.1, react@18.2.0, lodash@latest
import "github.com/klauspost/compress/zstd"
golang.org/x/text/unicode/norm, gopkg.in/yaml.v3, google.golang.org/grpc v1.84.0
require example.com/foo/bar v1.2.3
import org.apache.commons.io.IOUtils; com.example.Main
git clone git@github.com:acme/tool.git
x := a.b; y = p.name; obj.id == self.to; fmt.Println(os.Args[1])
a @ b.T; M[i][j] = 1 0 0 1 0 1 1 0 1
id=1234567890 ts=1764461234567 took=1234567ms attempt 3
1 2 3 4 5 6 7 8 9 10 11 12
one two three four five six seven eight nine ten
meet me at the point in time; look at this. In the end
we met at noon. Dot the i. The dot product of two vectors
Skype is down again, Telegram works, WhatsApp Web 2.0 is slow, Discord bot v2
skype: no thanks; telegram: true; line: 12, signal: SIGSEGV, case "discord":
<div class="a-b" id="c12" style="color:#1a2b3c"> @media screen { .x { top: 0 } }
SELECT a.id, b.to FROM a JOIN b ON a.x = b.y WHERE at >= '2026-11-30' LIMIT 1000000
order 4155550132, ticket #1234567, contract c-000000123456, m-000000091759
[1764461234] 2026/11/30 17:45:12 http.go:123: GET /a/b 200 1234567 0.123456
+1 for that, -1 from me, 50 +- 3, C++ 20, 1e+10, +0100
52.520008, 13.404954; 1920x1080; 3.14159265358979
привет, как дела? 你好，项目完成了。 مرحبا 1234 कल 567
ASP.NET, Node.js, Vue.js, e.g. this, i.e. that, a.m., U.S.A.
const re = /^[a-z]+@[a-z]+$/; user@host; root@localhost:~#`

// TestRulesVersion: a run's id is over what its rules are. Where they find something else, they are other rules.
func TestRulesVersion(t *testing.T) {
	const version, want = 5, "ca40d5c192f7798d"
	r := everything()
	var all []byte
	var n Counts
	for _, e := range tunedOn(t) {
		all = r.Append(all, []byte(e.text+"\n"), &n)
	}
	all = r.Append(all, []byte(untouched), &n)
	if got := fmt.Sprintf("%x", sha256.Sum256(all))[:16]; got != want || version != schema.DetailRules {
		t.Errorf("what is found has changed: raise schema.DetailRules, and note here its number and %q", got)
	}
}
