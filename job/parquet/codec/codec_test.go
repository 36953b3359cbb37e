package codec

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"weak"

	"github.com/parquet-go/parquet-go/compress"
	"github.com/parquet-go/parquet-go/compress/brotli"
	"github.com/parquet-go/parquet-go/compress/gzip"
	"github.com/parquet-go/parquet-go/compress/lz4"
	"github.com/parquet-go/parquet-go/compress/snappy"
	"github.com/parquet-go/parquet-go/compress/zstd"
)

var supported = []ID{Uncompressed, Snappy, Gzip, Brotli, LZ4, Zstd, LZ4Raw}

// chat returns the PLAIN values of short messages, about size bytes: words drawn
// with the frequencies of a natural language, a third of each message from one
// of some phrases.
func chat(size int) []byte {
	r := rand.New(rand.NewPCG(3, 4))
	words := make([]string, 8000)
	for i := range words {
		var w strings.Builder
		for range 1 + r.IntN(3) + r.IntN(2) {
			w.WriteString([]string{"a", "e", "i", "o", "be", "con", "de", "er", "ing", "ly", "men", "pro", "re", "sta", "ti", "un"}[r.IntN(16)])
			w.WriteByte("bcdfghlmnprstvw"[r.IntN(15)])
		}
		words[i] = w.String()
	}
	zipf := rand.NewZipf(r, 1.15, 4, uint64(len(words)-1))
	phrase := func(n int) string {
		var p strings.Builder
		for range n {
			p.WriteString(words[zipf.Uint64()])
			p.WriteByte(' ')
		}
		return p.String()
	}
	phrases := make([]string, 500)
	for i := range phrases {
		phrases[i] = phrase(3 + r.IntN(4))
	}
	var out []byte
	for len(out) < size {
		var m strings.Builder
		for range 1 + r.IntN(4) {
			if r.IntN(3) == 0 {
				m.WriteString(phrases[r.IntN(len(phrases))])
			}
			m.WriteString(phrase(2 + r.IntN(8)))
		}
		out = binary.LittleEndian.AppendUint32(out, uint32(m.Len()))
		out = append(out, m.String()...)
	}
	return out[:size]
}

func payloads() map[string][]byte {
	r := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 300_000)
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	return map[string][]byte{
		"empty": {}, "one": {7}, "few": []byte("abcde"), "line": []byte("a line of text, a line of text"),
		"zeros": make([]byte, 1<<20), "noise": noise, "chat": chat(300_000), "page": chat(1 << 20), "small noise": noise[:100],
		"mixed": slices.Concat(noise[:70_000], chat(70_000), make([]byte, 70_000), noise[:70_000]),
	}
}

func TestRoundTrip(t *testing.T) {
	var c Codec
	for name, raw := range payloads() {
		for _, id := range supported {
			t.Run(name+"/"+id.String(), func(t *testing.T) {
				packed, err := c.Compress([]byte("before"), id, raw)
				if err != nil || !bytes.HasPrefix(packed, []byte("before")) {
					t.Fatal(err)
				}
				packed = packed[6:]
				if len(raw) > 0 && id != Uncompressed && name != "noise" && len(packed) > len(raw)+100 {
					t.Errorf("%d bytes from %d", len(packed), len(raw))
				}
				got, err := c.Decompress([]byte("before"), id, packed, len(raw))
				if err != nil || string(got[:6]) != "before" || !bytes.Equal(got[6:], raw) {
					t.Fatalf("differs: %v", err)
				}
				// In room that is just enough, with bytes behind it that are not ours.
				room := make([]byte, len(raw)+slack+10)
				for i := range room {
					room[i] = 0xaa
				}
				got, err = c.Decompress(room[:0:len(raw)], id, packed, len(raw))
				if err != nil || !bytes.Equal(got, raw) || cap(got) != len(raw) || bytes.Count(room[len(raw):], []byte{0xaa}) != slack+10 {
					t.Fatalf("differs in tight room: %v", err)
				}
				wrong(t, &c, id, packed, len(raw))

				again, err := new(Codec).Compress(nil, id, raw)
				if err != nil || !bytes.Equal(again, packed) {
					t.Error("a fresh encoder makes different bytes")
				}
			})
		}
	}
}

// wrong checks that another size, or less of packed, is an error.
func wrong(t *testing.T, c *Codec, id ID, packed []byte, size int) {
	t.Helper()
	for _, n := range []int{size - 1, size + 1, size + 100, size / 2, 0, -1} {
		if n == size {
			continue
		}
		got, err := c.Decompress([]byte("before"), id, packed, n)
		if !errors.Is(err, ErrCorrupt) || string(got) != "before" {
			t.Errorf("%d bytes taken for %d: %v", size, n, err)
		}
	}
	for _, n := range []int{0, 1, len(packed) / 2, len(packed) - 1} {
		if size == 0 || n >= len(packed) || n < 0 {
			continue
		}
		if _, err := c.Decompress(nil, id, packed[:n], size); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%d of %d bytes: %v", n, len(packed), err)
		}
	}
}

func TestByParquetGo(t *testing.T) {
	theirs := map[ID]compress.Codec{
		Snappy: &snappy.Codec{}, Gzip: &gzip.Codec{Level: gzip.DefaultCompression}, Brotli: &brotli.Codec{Quality: 5},
		Zstd: &zstd.Codec{Level: zstd.DefaultLevel}, LZ4Raw: &lz4.Codec{Level: lz4.DefaultLevel},
	}
	var c Codec
	for name, raw := range payloads() {
		if len(raw) == 0 {
			continue
		}
		for id, codec := range theirs {
			packed, err := c.Compress(nil, id, raw)
			if err != nil {
				t.Fatal(err)
			}
			got, err := codec.Decode(make([]byte, 0, len(raw)), packed)
			if err != nil || !bytes.Equal(got, raw) {
				t.Errorf("%s, %s: ours decoded by theirs differs: %v", name, id, err)
			}
			packed, err = codec.Encode(nil, raw)
			if err != nil {
				t.Fatal(err)
			}
			got, err = c.Decompress(nil, id, packed, len(raw))
			if err != nil || !bytes.Equal(got, raw) {
				t.Errorf("%s, %s: theirs decoded by ours differs: %v", name, id, err)
			}
		}
	}
}

// The reference implementations' output for golden.
var references = []struct {
	name string
	id   ID
	body string
}{
	{"snappy", Snappy, "1ANgSGVsbG8hIEkgaGF2ZSBmaW5pc2hlZCB0aAENLHJzdCBkcmFmdCBvZgUTLGxvZ28sIHBsZWFzZQkyGGEgbG9vay5SQQAUc2Vjb25kRkIAHCBhcyB3ZWxsTkoAMCBhdCBpdCB0b28uIEj+nAD+nAD+nAD+nADanAA="},
	{"gzip", Gzip, "H4sIAAAAAAACA+2OOw6AMAxDr2J21HPAMSKa0oqoQSSC6/MbYWJm9JP87I5FtEGPTCsjlVosc4TnMyzmiAslh6YLiY7aYhYm47tBB9MpvAqMB63xaQAZtmP3zQRyFIerBnT/t0/fdluG5O3UAQAA"},
	{"gzip, two members", Gzip, "H4sIAAAAAAACA62OQQ6AIAwEv7LeDe/AZzRShEiooY1+X9SjHj3uJDu7nkuRARMS7YyYa9bEAZau0NQQGkWDxBsVWWTEVpiUnwZ1Jqv7FCjPUsPbAFIcfffLBDJkg4k4+F+/nR7tq/rqAAAAH4sIAAAAAAACA6XOQQ6AIAwEwK+sd8M79BmNFCESamij35foycjN6+5msgipJI3sYZGhvEjx8JWCQcKdZVkFpDg55xF7ZlJGpINBrZMNZEgGE3GY2kYGzE//okOqal+5J7ou8PfbBSAH6r7qAAAA"},
	{"brotli", Brotli, "G9MBAARya6meXSxZSzTJw8PKdHLg8C9ouwQeWPO2Y6aY29hy7ETD/GUfawfD63shbWcfMRDVNb5OyX44VYuNu0ho00D0iWV75ax5xlKhDw=="},
	{"block", LZ4Raw, "8ApIZWxsbyEgSSBoYXZlIGZpbmlzaGVkIHRoDQDBcnN0IGRyYWZ0IG9mEwDCbG9nbywgcGxlYXNlMgB/YSBsb29rLkEAAm5zZWNvbmRCAI8gYXMgd2VsbEoAAc8gYXQgaXQgdG9vLiCcAP8hUHRvby4g"},
	{"block", LZ4, "8ApIZWxsbyEgSSBoYXZlIGZpbmlzaGVkIHRoDQDBcnN0IGRyYWZ0IG9mEwDCbG9nbywgcGxlYXNlMgB/YSBsb29rLkEAAm5zZWNvbmRCAI8gYXMgd2VsbEoAAc8gYXQgaXQgdG9vLiCcAP8hUHRvby4g"},
	{"frame", LZ4, "BCJNGFRArnIAAADwCkhlbGxvISBJIGhhdmUgZmluaXNoZWQgdGgNAMFyc3QgZHJhZnQgb2YTAMJsb2dvLCBwbGVhc2UyAH9hIGxvb2suQQACbnNlY29uZEIAjyBhcyB3ZWxsSgABzyBhdCBpdCB0b28uIJwA/yFQdG9vLiCCKeTbAAAAAIcRAVg="},
	{"level 3", Zstd, "KLUv/QBY1QIAYsUQFaAnbQYbAUvkwdKXafEAAzyRM1LFNR1/Nq1JvfOhSCXmAuMg/Fcykq/Q4oNfvVl0SBOPVV2yxAXNWNUGKg2U+J0BAQYANR9TUxM0L8IrRPimqkmxa5YB"},
	{"level 19, checksum", Zstd, "KLUv/QRovQIAYgUQEaDtBG3Bx/Ca1VIB+rfgqeIaF8z9Vu/8rsa/vGFc9InFvE99qdseGPEefp905v2cOtfUN5qeYupcYaaTA97VEQYANR9TUxM0L8IrRPimqkmxa5YB1V2irw=="},
	{"two frames", Zstd, "KLUv/QRYzQIAYsUQFaAnbQYbAUvkwdKXafEAAzyRM1LFNR1/Nq1JvfOhSCXmAuMg/Fcykq/Q4oNfvVl0SBOPVV2yxAXNWNUGKg2U+J0BAQYA+zE0NUHzIrxChG+qmhS7ZhnNRqamKLUv/QRY7QIAcgURFqAn6RbsXawGbSFiifx4gAG+6Rb/RQ3F2XHKYECrKLho7zsfbWhrmggy04h1OFDFxEa30Cr9Ch1kYpRAm+YmNHaMUw4HAP2YBER8VwUduvDUCyfQUAO7azoB02Z29g=="},
}

var golden = strings.Repeat("Hello! I have finished the first draft of the logo, please have a look. "+
	"I have finished the second draft of the logo as well, please have a look at it too. ", 3)

func unbase64(t testing.TB, s string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestReferences(t *testing.T) {
	var c Codec
	for _, ref := range references {
		t.Run(ref.id.String()+" "+ref.name, func(t *testing.T) {
			packed := unbase64(t, ref.body)
			got, err := c.Decompress(nil, ref.id, packed, len(golden))
			if err != nil || string(got) != golden {
				t.Fatalf("differs: %v", err)
			}
			wrong(t, &c, ref.id, packed, len(golden))
			// The decoder is as good as new after what it was given in wrong.
			got, err = c.Decompress(got[:0], ref.id, packed, len(golden))
			if err != nil || string(got) != golden {
				t.Fatalf("differs the second time: %v", err)
			}
		})
	}
}

func TestHadoop(t *testing.T) {
	var c Codec
	block := func(s string) []byte {
		b, err := c.Compress(nil, LZ4Raw, []byte(s))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	u32 := func(n int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(n)) }
	chunk := func(s string) []byte { return append(u32(len(block(s))), block(s)...) }
	one, two := golden[:200], golden[200:]
	tests := []struct {
		name string
		src  []byte
		raw  string
		bad  bool
	}{
		{"one frame", slices.Concat(u32(len(golden)), chunk(golden)), golden, false},
		{"two frames", slices.Concat(u32(len(one)), chunk(one), u32(len(two)), chunk(two)), golden, false},
		{"two chunks", slices.Concat(u32(len(golden)), chunk(one), chunk(two)), golden, false},
		{"no chunk", u32(0), "", false},
		{"a chunk of nothing", slices.Concat(u32(0), chunk("")), "", false},
		{"a frame of more", slices.Concat(u32(len(golden)+1), chunk(golden)), golden, true},
		{"a frame of less", slices.Concat(u32(len(golden)-1), chunk(golden)), golden, true},
		{"a chunk cut", slices.Concat(u32(len(golden)), chunk(golden)[:20]), golden, true},
		{"a header cut", slices.Concat(u32(len(golden)), []byte{0, 0}), golden, true},
		{"a frame missing", slices.Concat(u32(len(one)), chunk(one)), golden, true},
		{"huge", []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, golden, true},
		{"chunks of nothing", slices.Concat(u32(4), chunk(""), chunk(""), chunk("")), "abcd", true},
	}
	for _, test := range tests {
		got, err := c.Decompress(nil, LZ4, test.src, len(test.raw))
		if (err != nil) != test.bad || err == nil && string(got) != test.raw {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

func TestUnsupported(t *testing.T) {
	var c Codec
	for _, id := range []ID{LZO, -1, 8, 1 << 30} {
		if _, err := c.Decompress(nil, id, []byte{1}, 1); !errors.Is(err, ErrUnsupported) {
			t.Errorf("%s: %v", id, err)
		}
		if _, err := c.Compress(nil, id, []byte{1}); !errors.Is(err, ErrUnsupported) {
			t.Errorf("%s: %v", id, err)
		}
	}
}

// A size that the body cannot have is refused before room is made for it.
func TestClaims(t *testing.T) {
	var c Codec
	for _, id := range supported {
		raw := make([]byte, 50_000)
		packed, err := c.Compress(nil, id, raw)
		if err != nil {
			t.Fatal(err)
		}
		claim := 1 << 31
		if id == Brotli || id == Zstd { // these can make that much of so little
			claim = 1 << 24
		}
		got, err := c.Decompress(nil, id, packed, claim)
		if !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", id, err)
		}
		if limit := 1 << 25; cap(got) > limit {
			t.Errorf("%s: took %d bytes", id, cap(got))
		}
	}
}

// A body that holds far more than it should is left as soon as that shows.
func TestBombs(t *testing.T) {
	var c Codec
	bomb := make([]byte, 64<<20)
	for _, id := range supported {
		packed, err := c.Compress(nil, id, bomb)
		if err != nil {
			t.Fatal(err)
		}
		if id == Zstd { // a frame of unknown size, without end
			packed = append([]byte{0x28, 0xb5, 0x2f, 0xfd, 0, 0x58}, bytes.Repeat([]byte{2, 0, 0x10, 0}, 1000)...)
		}
		got, err := c.Decompress(nil, id, packed, 1000)
		if !errors.Is(err, ErrCorrupt) || cap(got) > 4096 {
			t.Errorf("%s: %d bytes, %v", id, cap(got), err)
		}
	}
}

func TestNoAllocations(t *testing.T) {
	raw := chat(200_000)
	var c Codec
	for _, id := range supported {
		packed, _ := c.Compress(nil, id, raw)
		dst, _ := c.Decompress(nil, id, packed, len(raw))
		if n := testing.AllocsPerRun(5, func() { dst, _ = c.Decompress(dst[:0], id, packed, len(raw)) }); n > 16 { // brotli makes some
			t.Errorf("%s: %v allocations to decompress", id, n)
		}
		packed = slices.Grow(packed, 2*len(raw))
		if n := testing.AllocsPerRun(5, func() { packed, _ = c.Compress(packed[:0], id, raw) }); n > 16 { // brotli makes some
			t.Errorf("%s: %v allocations to compress", id, n)
		}
	}
}

func FuzzDecompress(f *testing.F) {
	for _, ref := range references {
		f.Add(int32(ref.id), unbase64(f, ref.body), uint32(len(golden)))
	}
	var c Codec
	for _, id := range supported {
		packed, err := c.Compress(nil, id, chat(5000))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(int32(id), packed, uint32(5000))
	}
	f.Fuzz(func(t *testing.T, id int32, src []byte, size uint32) {
		raw := int(size % (1 << 20))
		got, err := c.Decompress(nil, ID(id), src, raw)
		if cap(got) > 2*raw+1024 {
			t.Errorf("%d bytes for %d", cap(got), raw)
		}
		if err != nil {
			if len(got) != 0 || !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrUnsupported) {
				t.Error(len(got), err)
			}
			return
		}
		if len(got) != raw {
			t.Fatalf("%d bytes for %d", len(got), raw)
		}
		again, err := c.Compress(nil, ID(id), got)
		if err != nil {
			t.Fatal(err)
		}
		back, err := c.Decompress(nil, ID(id), again, raw)
		if err != nil || !bytes.Equal(back, got) {
			t.Fatalf("differs after a round trip: %v", err)
		}
	})
}

func BenchmarkCodec(b *testing.B) {
	var c Codec
	for _, id := range supported[1:] {
		for _, size := range []int{64 << 10, 1 << 20} {
			raw := chat(size)
			packed, err := c.Compress(nil, id, raw)
			if err != nil {
				b.Fatal(err)
			}
			name := fmt.Sprintf("%s/%dk", id, size>>10)
			b.Run("compress/"+name, func(b *testing.B) {
				b.SetBytes(int64(size))
				b.ReportAllocs()
				b.ReportMetric(float64(size)/float64(len(packed)), "ratio")
				for b.Loop() {
					packed, _ = c.Compress(packed[:0], id, raw)
				}
			})
			dst := make([]byte, 0, size+slack)
			b.Run("decompress/"+name, func(b *testing.B) {
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					dst, _ = c.Decompress(dst[:0], id, packed, size)
				}
			})
		}
	}
}

// TestHeldOn: a codec does not hold on to a large body that it has read.
func TestHeldOn(t *testing.T) {
	raw := make([]byte, heldOn+heldOn/2)
	rand.NewChaCha8([32]byte{}).Read(raw)
	for id := Uncompressed; id <= LZ4Raw; id++ {
		if !id.Supported() {
			continue
		}
		t.Run(id.String(), func(t *testing.T) {
			var c Codec
			body, err := c.Compress(nil, id, raw)
			if err != nil {
				t.Fatal(err)
			}
			held := weak.Make(&body[0])
			if _, err := c.Decompress(nil, id, body, len(raw)); err != nil {
				t.Fatal(err)
			}
			body = nil
			runtime.GC()
			if held.Value() != nil {
				t.Error("the body is held on to")
			}
			runtime.KeepAlive(&c)
		})
	}
}
