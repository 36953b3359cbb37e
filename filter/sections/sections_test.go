package sections

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"slices"
	"testing"
	"unsafe"
)

const kind Kind = "test 1"

func write(t testing.TB, columns ...[]uint64) []byte {
	t.Helper()
	var b bytes.Buffer
	w := NewWriter(&b, kind)
	for _, c := range columns {
		Put(w, slices.Values(c))
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func numbers(n int) (column []uint64) {
	for i := range n {
		column = append(column, uint64(i)<<40|7)
	}
	return column
}

// TestColumns writes columns and reads them, as views and, where the bytes do not lie as
// the machine needs them, as copies.
func TestColumns(t *testing.T) {
	for _, n := range []int{0, 1, 8, 1000, 20_000} {
		want := numbers(n)
		data := write(t, want, nil, want)
		for _, shift := range []int{0, 1, 8} {
			moved := append(make([]byte, shift), data...)[shift:]
			f, err := Open(moved, kind, 3)
			if err != nil {
				t.Fatal(err)
			}
			for i, want := range [][]uint64{want, nil, want} {
				if got, err := Column[uint64](f, i); err != nil || !slices.Equal(got, want) {
					t.Errorf("%d values, moved by %d: section %d has %d, %v", n, shift, i, len(got), err)
				}
			}
		}
	}
}

// TestColumnIsView checks that no copy is made where the machine can do without.
func TestColumnIsView(t *testing.T) {
	data := write(t, numbers(4))
	f, err := Open(data, kind, 1)
	if err != nil {
		t.Fatal(err)
	}
	column, err := Column[uint64](f, 0)
	if err != nil {
		t.Fatal(err)
	}
	if littleEndian && unsafe.Pointer(&column[0]) != unsafe.Pointer(&data[align]) {
		t.Error("the column is a copy")
	}
}

func TestOpenRefuses(t *testing.T) {
	good := write(t, numbers(3), numbers(9))
	for _, c := range []struct {
		name     string
		data     []byte
		kind     Kind
		sections int
	}{
		{"another kind", good, "test 2", 2},
		{"fewer sections", good, kind, 1},
		{"more sections", good, kind, 3},
		{"something behind it", append(slices.Clone(good), 0), kind, 2},
		{"nothing", nil, kind, 0},
	} {
		if _, err := Open(c.data, c.kind, c.sections); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	f, err := Open(good, kind, 2)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Column[[16]byte](f, 0); !errors.Is(err, ErrDamaged) {
		t.Errorf("24 bytes as values of 16: %v", err)
	}
	for i := range good {
		bad := slices.Clone(good)
		bad[i] ^= 1
		if _, err := Open(bad, kind, 2); !errors.Is(err, ErrDamaged) {
			t.Fatalf("byte %d was flipped: %v", i, err)
		}
	}
}

// TestWriterFails has a writer fail at each write: Close says so.
func TestWriterFails(t *testing.T) {
	for after := range 6 {
		w := NewWriter(&failing{after}, kind)
		Put(w, slices.Values(numbers(20_000)))
		if _, err := w.Close(); !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("after %d writes: %v", after, err)
		}
	}
}

type failing struct{ left int }

func (f *failing) Write(p []byte) (int, error) {
	if f.left--; f.left < 0 {
		return 0, io.ErrShortWrite
	}
	return len(p), nil
}

// FuzzOpen opens any bytes, without a panic and in little memory.
func FuzzOpen(f *testing.F) {
	f.Add(write(f, numbers(3), numbers(9)))
	f.Fuzz(func(t *testing.T, data []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		file, err := Open(data, kind, 2)
		if err == nil {
			_, err = Column[uint32](file, 1)
		}
		runtime.ReadMemStats(&after)
		if grown := after.TotalAlloc - before.TotalAlloc; grown > uint64(len(data))+1<<16 {
			t.Errorf("%d bytes took %d of memory (%v)", len(data), grown, err)
		}
	})
}
