package zstdenc

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// text is words of a natural language's frequencies, in messages with a length before
// them.
func text(r *rand.Rand, size int) []byte {
	words := make([]string, 5000)
	for i := range words {
		var w strings.Builder
		for range 1 + r.IntN(4) {
			w.WriteString([]string{"a", "e", "i", "o", "be", "con", "de", "er", "ing", "ly", "men", "pro", "re", "sta", "ti", "un"}[r.IntN(16)])
			w.WriteByte("bcdfghlmnprstvw"[r.IntN(15)])
		}
		words[i] = w.String()
	}
	zipf := rand.NewZipf(r, 1.2, 4, uint64(len(words)-1))
	var out []byte
	for len(out) < size {
		var m []byte
		for range 5 + r.IntN(30) {
			m = append(append(m, words[zipf.Uint64()]...), ' ')
		}
		out = append(binary.LittleEndian.AppendUint32(out, uint32(len(m))), m...)
	}
	return out[:size]
}

// inputs are pages of the sorts that columns have.
func inputs() map[string][]byte {
	r := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 300_000)
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	var times, small, doubles, skewed []byte
	now := int64(1767571200_000_000)
	for range 60_000 {
		now += r.Int64N(30_000_000)
		times = binary.LittleEndian.AppendUint64(times, uint64(now))
		small = binary.LittleEndian.AppendUint64(small, r.Uint64N(2_000_000))
		doubles = binary.LittleEndian.AppendUint64(doubles, uint64(r.IntN(1<<16))<<36)
		skewed = append(skewed, byte(bits.TrailingZeros32(r.Uint32())))
	}
	mixed := bytes.Join([][]byte{noise[:70_000], text(r, 70_000), make([]byte, 70_000), noise[:70_000], times[:70_000]}, nil)
	return map[string][]byte{
		"text": text(r, 1<<20), "noise": noise, "zeros": make([]byte, 1<<20), "times": times, "small": small,
		"doubles": doubles, "skewed": skewed, "mixed": mixed, "period 3": bytes.Repeat([]byte("abc"), 50_000),
		"far": append(append(text(r, 200_000), noise...), text(r, 200_000)...),
		// More than the window lies between the two.
		"beyond the window": bytes.Join([][]byte{noise[:10_000], make([]byte, 1<<20), noise[:10_000]}, nil),
		"at the window":     bytes.Join([][]byte{noise[:10_000], make([]byte, 1<<20-10_000), noise[:10_000]}, nil),
		"within the window": bytes.Join([][]byte{noise[:10_000], make([]byte, 1<<20-10_001), noise[:10_000]}, nil),
	}
}

func decoder(t testing.TB) *zstd.Decoder {
	t.Helper()
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

func check(t testing.TB, d *zstd.Decoder, e *Encoder, src []byte) []byte {
	t.Helper()
	frame := e.Append([]byte("before"), src)
	if !bytes.HasPrefix(frame, []byte("before")) {
		t.Fatal("what stood before is gone")
	}
	frame = frame[6:]
	got, err := d.DecodeAll(frame, nil)
	if err != nil || !bytes.Equal(got, src) {
		t.Fatalf("%d bytes differ when decoded: %v", len(src), err)
	}
	if most := len(src) + 9 + 3*(len(src)/maxBlock+1); len(frame) > most {
		t.Fatalf("%d bytes from %d", len(frame), len(src))
	}
	var header zstd.Header
	if err := header.Decode(frame); err != nil || !header.SingleSegment || header.FrameContentSize != uint64(len(src)) || header.HasCheckSum {
		t.Fatalf("header %+v: %v", header, err)
	}
	return frame
}

func TestRoundTrip(t *testing.T) {
	d := decoder(t)
	var e Encoder
	for name, src := range inputs() {
		t.Run(name, func(t *testing.T) {
			sizes := []int{0, 1, 7, 8, 9, 63, 64, 71, 72, 255, 256, 300, 4095, 4096, 4097, 4160, 65791, 65792, maxBlock - 1, maxBlock,
				maxBlock + 1, maxBlock + 7, maxBlock + 100, len(src)}
			for _, n := range sizes {
				if n > len(src) {
					continue
				}
				frame := check(t, d, &e, src[:n])
				if again := new(Encoder).Append(nil, src[:n]); !bytes.Equal(again, frame) {
					t.Fatalf("%d bytes: the frame depends on what came before", n)
				}
			}
		})
	}
}

// Copies of any length at any distance, runs, alphabets of any size.
func TestRandom(t *testing.T) {
	d := decoder(t)
	var e Encoder
	r := rand.New(rand.NewPCG(3, 4))
	for range 400 {
		n := 1 << r.IntN(18)
		n += r.IntN(n)
		alphabet := 1 + r.IntN(1<<r.IntN(9))
		var src []byte
		for len(src) < n {
			switch r.IntN(4) {
			case 0:
				for range r.IntN(40) {
					src = append(src, byte(r.IntN(alphabet)))
				}
			case 1:
				src = append(src, bytes.Repeat([]byte{byte(r.IntN(alphabet))}, r.IntN(1<<r.IntN(14)))...)
			default:
				if len(src) > 0 {
					back := 1 + r.IntN(min(len(src), 1<<r.IntN(18)))
					for range 3 + r.IntN(1<<r.IntN(12)) {
						src = append(src, src[len(src)-back])
					}
				}
			}
		}
		check(t, d, &e, src)
	}
}

// The size stays near that of a general encoder of about the same ratio.
func TestSize(t *testing.T) {
	general, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false), zstd.WithEncoderLevel(zstd.SpeedDefault))
	if err != nil {
		t.Fatal(err)
	}
	defer general.Close()
	var e Encoder
	for name, src := range inputs() {
		for _, n := range []int{16 << 10, 64 << 10, 256 << 10, len(src)} {
			if n > len(src) || n > window { // the general encoder's window is larger
				continue
			}
			ours, theirs := len(e.Append(nil, src[:n])), len(general.EncodeAll(src[:n], nil))
			if limit := theirs + theirs/10 + 64; ours > limit {
				t.Errorf("%s, %d bytes: %d bytes, the general encoder %d", name, n, ours, theirs)
			}
			t.Logf("%-18s %7d: %7d, general %7d, %+.1f %%", name, n, ours, theirs, 100*float64(ours-theirs)/float64(theirs))
		}
	}
}

// The offsets that a decoder keeps, RFC 8878, 3.1.1.5.
func TestOffsets(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	enc, dec := offsets{1, 4, 8}, offsets{1, 4, 8}
	for range 10_000 {
		offset := uint32(1 + r.IntN(6))
		literals := r.IntN(3)
		code := enc.code(offset, literals)
		index := code
		if literals == 0 && code <= 3 {
			index++
		}
		var got uint32
		switch {
		case code > 3:
			got = code - 3
			dec = offsets{got, dec[0], dec[1]}
		case index == 1:
			got = dec[0]
		case index == 2:
			got = dec[1]
			dec = offsets{got, dec[0], dec[2]}
		case index == 3:
			got = dec[2]
			dec = offsets{got, dec[0], dec[1]}
		default:
			got = dec[0] - 1
			dec = offsets{got, dec[0], dec[1]}
		}
		if got != offset || enc != dec {
			t.Fatalf("offset %d after %d literals: code %d stands for %d; %v and %v", offset, literals, code, got, enc, dec)
		}
	}
}

func TestNormalize(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		counts := make([]uint32, 2+r.IntN(52))
		total := 0
		for i := range counts {
			if r.IntN(3) > 0 {
				counts[i] = r.Uint32N(1 << r.IntN(15))
			}
			total += int(counts[i])
		}
		counts[0]++
		counts[len(counts)-1]++
		total += 2
		n := normalize(counts, total, 9)
		sum := 0
		for s, share := range n.shares {
			if (share > 0) != (s < len(counts) && counts[s] > 0) {
				t.Fatalf("%v: share %d of symbol %d", counts, share, s)
			}
			sum += int(share)
		}
		if sum != 1<<n.log || n.log < 5 || n.log > 9 {
			t.Fatalf("%v: %d of %d", counts, sum, 1<<n.log)
		}
		var table table
		table.build(&n, len(counts))
		if b := n.appendTo(nil, len(counts)); len(b) == 0 {
			t.Fatal("no description")
		}
	}
}

func TestNoAllocations(t *testing.T) {
	src := inputs()["text"]
	var e Encoder
	dst := e.Append(make([]byte, 0, 2*len(src)), src)
	if n := testing.AllocsPerRun(5, func() { dst = e.Append(dst[:0], src) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzRoundTrip(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 2))
	f.Add([]byte("a line of text, a line of text"), uint8(3))
	f.Add(text(r, 3000), uint8(1))
	f.Add([]byte{0}, uint8(255))
	d := decoder(f)
	var e Encoder
	f.Fuzz(func(t *testing.T, src []byte, times uint8) {
		check(t, d, &e, bytes.Repeat(src, int(times)%50+1))
	})
}

func BenchmarkAppend(b *testing.B) {
	all := inputs()
	for _, name := range []string{"text", "noise", "zeros", "times"} {
		src := all[name]
		for _, size := range []int{64 << 10, len(src)} {
			b.Run(fmt.Sprintf("%s/%dk", name, size>>10), func(b *testing.B) {
				var e Encoder
				dst := e.Append(nil, src[:size])
				b.SetBytes(int64(size))
				b.ReportAllocs()
				b.ReportMetric(float64(size)/float64(len(dst)), "ratio")
				for b.Loop() {
					dst = e.Append(dst[:0], src[:size])
				}
			})
		}
	}
}
