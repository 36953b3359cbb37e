package manifests

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/parquet-go/parquet-go/format"

	"assent/schema"
)

// smallExclusions and smallIndex are files to begin fuzzing from.
func smallExclusions(tb testing.TB, n int) []byte {
	var file bytes.Buffer
	accounts := NewAccounts(testKey.NewReferrer())
	rows := makeExcluded(accounts, n, 20, false)
	appendAll(tb, NewExclusionWriter(&file, accounts, testMeta()), rows)
	return file.Bytes()
}

func smallIndex(tb testing.TB, rows int) ([]byte, Ref) {
	var file bytes.Buffer
	accounts := NewAccounts(testKey.NewReferrer())
	addAll(tb, NewSubjectIndexWriter(&file, accounts, testMeta()), makeMentions(accounts, rows, 20, false))
	return file.Bytes(), accounts.Ref(7)
}

func readExclusions(data []byte) error {
	x, err := OpenExclusions(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return err
	}
	for _, err := range x.All() {
		if err != nil {
			return err
		}
	}
	return nil
}

func readIndex(data []byte, ref Ref) error {
	x, err := OpenSubjectIndex(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return err
	}
	_, err = x.Lookup(ref)
	for _, e := range x.All() {
		err = errors.Join(err, e)
	}
	return err
}

func FuzzExclusions(f *testing.F) {
	f.Add(smallExclusions(f, 0))
	f.Add(smallExclusions(f, 30))
	f.Fuzz(func(t *testing.T, data []byte) { readExclusions(data) })
}

func FuzzSubjectIndex(f *testing.F) {
	data, ref := smallIndex(f, 0)
	f.Add(data, ref[:])
	data, ref = smallIndex(f, 30)
	f.Add(data, ref[:])
	f.Fuzz(func(t *testing.T, data, ref []byte) {
		var r Ref
		copy(r[:], ref)
		readIndex(data, r)
	})
}

// FuzzPages reads data pages past their checksums.
func FuzzPages(f *testing.F) {
	f.Add([]byte{2, 0, 0, 0, 8, 1, 8, 0, 0, 0, 8, 1, 3, 8, 1}, byte(leafRef), byte(format.RLEDictionary), 4)
	f.Add([]byte{128, 1, 4, 4, 0, 2, 0, 0, 0, 0}, byte(leafSourceRow), byte(format.DeltaBinaryPacked), 4)
	f.Add([]byte{128, 1, 4, 2, 4, 128, 1, 4, 2, 0, 'a', 'b'}, byte(leafRecordID), byte(format.DeltaLengthByteArray), 2)
	f.Add([]byte{128, 1, 4, 2, 0, 2, 0, 0, 0, 0, 128, 1, 4, 2, 4, 3, 0, 0, 0, 0, 'a', 'b'}, byte(leafRecordID), byte(format.DeltaByteArray), 2)
	leaves := leavesOf(exclusionColumns)
	f.Fuzz(func(t *testing.T, body []byte, leaf, encoding byte, n int) {
		c := &chunkReader{leaf: &leaves[int(leaf)%len(leaves)], values: 1 << 14, dictLen: 5}
		h := &format.DataPageHeader{NumValues: int32(n), Encoding: format.Encoding(encoding)}
		if c.readData(h, body) != nil {
			return
		}
		p := &c.page
		if len(p.levels) > p.n || len(p.codes) > p.n || len(p.numbers) > p.n || p.texts.len() > p.n {
			t.Fatalf("more values than %d", n)
		}
	})
}

func FuzzThrift(f *testing.F) {
	data := smallExclusions(f, 30)
	length := binary.LittleEndian.Uint32(data[len(data)-8:])
	f.Add(data[len(data)-8-int(length) : len(data)-8])
	f.Add(data[4:100])
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := checkThrift(b)
		if err != nil {
			return
		}
		var meta format.FileMetaData
		var header format.PageHeader
		var index format.ColumnIndex
		decodeThrift(b[:n], &meta)
		decodeThrift(b[:n], &header)
		decodeThrift(b[:n], &index)
	})
}

// TestDamage changes files byte by byte. What comes of pages shows by their checksum;
// nothing panics.
func TestDamage(t *testing.T) {
	exclusions := smallExclusions(t, 30)
	index, ref := smallIndex(t, 30)
	for name, c := range map[string]struct {
		file []byte
		read func([]byte) error
	}{
		"exclusions": {exclusions, readExclusions},
		"index":      {index, func(b []byte) error { return readIndex(b, ref) }},
	} {
		if err := c.read(c.file); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		missed := 0
		for at := range c.file {
			for _, flip := range []byte{1, 0x80, 0xff} {
				bad := bytes.Clone(c.file)
				bad[at] ^= flip
				if c.read(bad) == nil {
					missed++
				}
			}
			if err := c.read(c.file[:at]); err == nil {
				t.Errorf("%s: the first %d bytes pass", name, at)
			}
		}
		// Magic at the front, sizes and statistics that this reader has no use for.
		if 4*missed > 3*len(c.file) {
			t.Errorf("%s: %d of %d changes are missed", name, missed, 3*len(c.file))
		}
		t.Logf("%s: %d of %d changes matter to no reader", name, missed, 3*len(c.file))
	}
}

// TestDamagedPages: no change of a page's bytes is missed.
func TestDamagedPages(t *testing.T) {
	file := smallExclusions(t, 30)
	x := openExclusions(t, file)
	rng := rand.New(rand.NewPCG(9, 9))
	for _, c := range x.file.meta.RowGroups[0].Columns {
		m := &c.MetaData
		for range 50 {
			bad := bytes.Clone(file)
			bad[m.DataPageOffset+m.TotalCompressedSize-(m.DataPageOffset-chunkStart(m))-1-rng.Int64N(8)] ^= 1 << rng.IntN(8)
			if err := readExclusions(bad); !errors.Is(err, ErrManifest) {
				t.Errorf("%v: %v", m.PathInSchema, err)
			}
		}
	}
}

// TestForeign: a file of another schema is refused, and what is not its bytes' fault
// is not called so.
func TestForeign(t *testing.T) {
	exclusions := smallExclusions(t, 3)
	index, ref := smallIndex(t, 3)
	for name, err := range map[string]error{
		"index as exclusions": readExclusions(index),
		"exclusions as index": readIndex(exclusions, ref),
		"nothing":             readExclusions(nil),
		"text":                readExclusions([]byte("something else altogether")),
	} {
		if !errors.Is(err, ErrManifest) {
			t.Errorf("%s: %v", name, err)
		}
	}
	broken := errors.New("connection lost")
	if _, err := OpenExclusions(brokenReader{broken}, 1000); !errors.Is(err, broken) || errors.Is(err, ErrManifest) {
		t.Error(err)
	}
}

type brokenReader struct{ err error }

func (b brokenReader) ReadAt([]byte, int64) (int, error) { return 0, b.err }

// TestDecodersAgainstEncoders: what the library writes is read, over widths and runs.
func TestDecodersAgainstEncoders(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	c := &chunkWriter{file: newParquetWriter(exclusionColumns)}
	for round := range 400 {
		n := rng.IntN(300)
		bound := int64(1) << rng.IntN(63)
		numbers := make([]int64, n)
		codes := make([]int32, n)
		dict := 1 + rng.IntN(1<<rng.IntN(20))
		for i := range numbers {
			if i > 0 && rng.IntN(4) > 0 {
				numbers[i], codes[i] = numbers[i-1], codes[i-1]
				continue
			}
			numbers[i] = rng.Int64N(bound) - bound/2
			codes[i] = rng.Int32N(int32(dict))
		}
		if round%10 == 0 && n > 0 {
			numbers[0], numbers[n-1] = int64(schema.Earliest), int64(schema.Forever)
		}
		c.body = c.body[:0]
		c.appendDelta(numbers)
		got, rest, err := decodeDelta(nil, append(c.body, 42), n)
		if err != nil || len(rest) != 1 || !slices.Equal(got, numbers) {
			t.Fatalf("delta: %v, %d left, %v, want %v", err, len(rest), got, numbers)
		}
		c.body = c.body[:0]
		c.appendIndexes(codes, dict)
		back, err := decodeHybrid[int32](nil, c.body[1:], int(c.body[0]), n)
		if err != nil || !slices.Equal(back, codes) {
			t.Fatalf("indexes: %v", err)
		}
	}
}
