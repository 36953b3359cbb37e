package encoding

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

const benchRows = 1 << 16

// report measures f, which handles so many bytes. best-MB/s is that of the fastest
// of all iterations: on a machine with other work it is the steadier figure.
func report(b *testing.B, bytes int, f func()) {
	f() // grows what is reused
	b.SetBytes(int64(bytes))
	b.ReportAllocs()
	best := time.Hour
	for b.Loop() {
		start := time.Now()
		f()
		best = min(best, time.Since(start))
	}
	b.ReportMetric(float64(bytes)/1e6/best.Seconds(), "best-MB/s")
}

func must(b *testing.B, err error) {
	if err != nil {
		b.Fatal(err)
	}
}

// Bytes are those of decoded levels: one each.
func BenchmarkDecodeLevels(b *testing.B) {
	r := random(b)
	for _, test := range []struct {
		name     string
		maxLevel uint8
		mean     int
	}{{"max1", 1, 1}, {"max1-runs", 1, 100}, {"max2", 2, 1}, {"max3", 3, 1}, {"max3-runs", 3, 100}} {
		levels := make([]uint8, 0, benchRows)
		for len(levels) < benchRows {
			v := uint8(r.IntN(int(test.maxLevel) + 1))
			for range min(1+r.IntN(2*test.mean-1), benchRows-len(levels)) {
				levels = append(levels, v)
			}
		}
		src := AppendLevels(nil, levels, test.maxLevel)
		b.Run(test.name, func(b *testing.B) {
			var dst []uint8
			report(b, benchRows, func() {
				var err error
				dst, _, err = DecodeLevels(dst[:0], src, test.maxLevel, benchRows)
				must(b, err)
			})
		})
		b.Run("encode-"+test.name, func(b *testing.B) {
			var dst []byte
			report(b, benchRows, func() { dst = AppendLevels(dst[:0], levels, test.maxLevel) })
		})
		if test.maxLevel > 1 {
			continue
		}
		var bitmap Bitmap
		b.Run("bits-"+test.name, func(b *testing.B) {
			report(b, benchRows, func() {
				bitmap.Reset()
				_, err := DecodeLevelBits(&bitmap, src, benchRows)
				must(b, err)
			})
		})
		b.Run("encode-bits-"+test.name, func(b *testing.B) {
			var dst []byte
			report(b, benchRows, func() { dst = AppendLevelBits(dst[:0], &bitmap) })
		})
	}
}

// Bytes are those of decoded indices: four each.
func BenchmarkIndices(b *testing.B) {
	r := random(b)
	for _, width := range []int{1, 4, 8, 12, 15, 17, 20} {
		indices := make([]int32, benchRows)
		for i := range indices {
			indices[i] = int32(r.Uint32() & (1<<width - 1))
		}
		dictLen := 1<<width - 1
		for i := range indices {
			indices[i] = min(indices[i], int32(dictLen-1))
		}
		src := AppendIndices(nil, indices, 1<<width)
		var dst []int32
		b.Run(fmt.Sprint("decode/", width), func(b *testing.B) {
			report(b, 4*benchRows, func() {
				var err error
				dst, err = DecodeIndices(dst[:0], src, benchRows, dictLen)
				must(b, err)
			})
		})
		for _, share := range []float64{0.1, 0.57, 0.9} {
			keep := bitmapOf(randomBools(r, benchRows, share, 1))
			b.Run(fmt.Sprintf("filter/%d/keep%.0f", width, share*100), func(b *testing.B) {
				report(b, 4*benchRows, func() {
					var err error
					dst, err = FilterIndices(dst[:0], src, keep, dictLen)
					must(b, err)
				})
			})
		}
		b.Run(fmt.Sprint("encode/", width), func(b *testing.B) {
			var enc []byte
			report(b, 4*benchRows, func() { enc = AppendIndices(enc[:0], indices, dictLen) })
		})
	}
}

// Bytes are those of the section before it is filtered.
func BenchmarkFilterByteArrays(b *testing.B) {
	r := random(b)
	for _, size := range []int{36, 100, 400} {
		values := make([][]byte, benchRows)
		for i := range values {
			values[i] = make([]byte, size/2+r.IntN(size))
		}
		src := AppendByteArrays(nil, bytesOf(values))
		dst := make([]byte, len(src))
		for _, share := range []float64{0.1, 0.5, 0.9} {
			keep := bitmapOf(randomBools(r, benchRows, share, 1))
			b.Run(fmt.Sprintf("%d/keep%.0f", size, share*100), func(b *testing.B) {
				report(b, len(src), func() {
					var err error
					dst, err = FilterByteArrays(dst[:0], src, keep)
					must(b, err)
				})
			})
		}
	}
}

// Bytes are those of the section before it is filtered.
func BenchmarkFilterFixed(b *testing.B) {
	r := random(b)
	for _, width := range []int{4, 8, 16} {
		src := make([]byte, benchRows*width)
		dst := make([]byte, len(src))
		for _, share := range []float64{0.1, 0.5, 0.9} {
			keep := bitmapOf(randomBools(r, benchRows, share, 1))
			b.Run(fmt.Sprintf("%d/keep%.0f", width, share*100), func(b *testing.B) {
				report(b, len(src), func() {
					var err error
					dst, err = FilterFixed(dst[:0], src, width, keep)
					must(b, err)
				})
			})
		}
	}
}

// A row counts as a byte.
func BenchmarkSelect(b *testing.B) {
	r := random(b)
	for _, share := range []float64{0.1, 0.57, 0.9} {
		keep := bitmapOf(randomBools(r, benchRows, share, 1))
		present := bitmapOf(randomBools(r, benchRows, 0.8, 1))
		defs, reps := make([]uint8, benchRows), make([]uint8, benchRows)
		rows := 0
		for i := range defs {
			defs[i], reps[i] = uint8(r.IntN(3)), uint8(r.IntN(2))
			if reps[i] == 0 {
				rows++
			}
		}
		byRow := bitmapOf(randomBools(r, rows, share, 1))
		var dst, slots Bitmap
		var levels []uint8
		for _, test := range []struct {
			name string
			f    func()
		}{
			{"bits", func() { CompactBits(&dst, present, keep) }},
			{"levels", func() { levels = CompactLevels(levels[:0], defs, keep) }},
			{"present", func() { Present(&dst, defs, 2) }},
			{"slots", func() { must(b, SlotsOfRows(&slots, reps, byRow, false)) }},
		} {
			b.Run(fmt.Sprintf("%s/keep%.0f", test.name, share*100), func(b *testing.B) {
				report(b, benchRows, func() {
					dst.Reset()
					slots.Reset()
					test.f()
				})
			})
		}
	}
}

// Bytes are those of the decoded values.
func BenchmarkDelta(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	ints := make([]int64, benchRows)
	for i := range ints {
		ints[i] = int64(i)*1000 + r.Int64N(1<<12)
	}
	src := AppendDelta(nil, ints, 64)
	var dst []int64
	b.Run("decode", func(b *testing.B) {
		report(b, 8*benchRows, func() {
			var err error
			dst, _, err = DecodeDelta(dst[:0], src, 64, benchRows)
			must(b, err)
		})
	})
	b.Run("encode", func(b *testing.B) {
		var enc []byte
		report(b, 8*benchRows, func() { enc = AppendDelta(enc[:0], ints, 64) })
	})
	values := bytesOf(randomStrings(r, benchRows, 100))
	lengths, strings := AppendDeltaLengths(nil, values), AppendDeltaStrings(nil, values)
	var got Bytes
	b.Run("decode-lengths", func(b *testing.B) {
		report(b, len(values.Data), func() {
			got.Reset()
			must(b, DecodeDeltaLengths(&got, lengths, benchRows))
		})
	})
	b.Run("decode-strings", func(b *testing.B) {
		report(b, len(values.Data), func() {
			got.Reset()
			must(b, DecodeDeltaStrings(&got, strings, benchRows, len(values.Data), nil))
		})
	})
	b.Run("encode-lengths", func(b *testing.B) {
		var enc []byte
		report(b, len(values.Data), func() { enc = AppendDeltaLengths(enc[:0], values) })
	})
	b.Run("encode-strings", func(b *testing.B) {
		var enc []byte
		report(b, len(values.Data), func() { enc = AppendDeltaStrings(enc[:0], values) })
	})
	fixed := make([]byte, 8*benchRows)
	split := AppendSplit(nil, fixed, 8)
	b.Run("decode-split", func(b *testing.B) {
		report(b, len(fixed), func() {
			var err error
			fixed, err = DecodeSplit(fixed[:0], split, 8, benchRows)
			must(b, err)
		})
	})
	b.Run("encode-split", func(b *testing.B) {
		report(b, len(fixed), func() { split = AppendSplit(split[:0], fixed, 8) })
	})
}
