package manifests

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"testing"
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
	for _, err := range x.SourceRows() {
		if err != nil {
			return err
		}
	}
	for _, err := range x.At(numbersOf(min(x.NumRows(), 100))) {
		if err != nil {
			return err
		}
	}
	return nil
}

// numbersOf returns the numbers of every third row.
func numbersOf(rows int64) (numbers []int64) {
	for i := int64(0); i < rows; i += 3 {
		numbers = append(numbers, i)
	}
	return numbers
}

func readIndex(data []byte, ref Ref) error {
	x, err := OpenSubjectIndex(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return err
	}
	_, err = x.Lookup(ref)
	_, named := x.NamedBy([]Ref{ref, {}})
	err = errors.Join(err, named)
	for _, e := range x.All() {
		err = errors.Join(err, e)
	}
	for _, e := range x.Among([]Ref{ref, {}}) {
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

// FuzzFooter puts other bytes in the place of a file's footer.
func FuzzFooter(f *testing.F) {
	exclusions := smallExclusions(f, 30)
	index, ref := smallIndex(f, 30)
	body := func(file []byte) ([]byte, []byte) {
		end := len(file) - 8 - int(binary.LittleEndian.Uint32(file[len(file)-8:]))
		return file[:end:end], file[end : len(file)-8]
	}
	bodyX, footerX := body(exclusions)
	bodyS, footerS := body(index)
	f.Add(footerX)
	f.Add(footerS)
	f.Fuzz(func(t *testing.T, footer []byte) {
		end := append(binary.LittleEndian.AppendUint32(footer[:len(footer):len(footer)], uint32(len(footer))), "PAR1"...)
		readExclusions(append(bodyX, end...))
		readIndex(append(bodyS, end...), ref)
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
	chunks, err := x.file.Chunks(0)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range chunks {
		for range 50 {
			bad := bytes.Clone(file)
			bad[c.End-1-rng.Int64N(8)] ^= 1 << rng.IntN(8)
			if err := readExclusions(bad); !errors.Is(err, ErrManifest) {
				t.Errorf("%s: %v", x.file.Columns()[c.Column].Name(), err)
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
