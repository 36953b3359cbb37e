package manifests

import (
	"bytes"
	"fmt"
	"io"
	"testing"

	"assent/schema"
)

// blockOf writes the rows of a block: the same whatever was written before, but for the numbers of accounts.
func blockOf(t *testing.T, accounts *Accounts, x *ExclusionWriter, s *SubjectIndexWriter, block int64) {
	t.Helper()
	for row := 100 * block; row < 100*(block+1); row++ {
		a, b := accounts.Account(fmt.Appendf(nil, "a%d", row*7%31+block)), accounts.Account(fmt.Appendf(nil, "b%d", row*5%17))
		kept := row%3 > 0 && block != 3
		if err := s.Add(row, 1, []NamedAs{{a, 0}, {b, 1}}, kept); err != nil {
			t.Fatal(err)
		}
		if kept || block == 1 && row%2 > 0 {
			continue
		}
		subjects := []Subject{{Account: b, Role: 1, Since: schema.Unknown}, {Account: a, Cause: 1, Since: schema.Instant(row % 5)}}
		if err := appendRow(x, fmt.Appendf(nil, "r%d", row), row, schema.PartyOptedOut.Set(), schema.Instant(row), subjects, ""); err != nil {
			t.Fatal(err)
		}
	}
}

// TestTakeBlocks writes manifests of five blocks, and then again with some blocks taken from the first ones. The bytes are the same.
func TestTakeBlocks(t *testing.T) {
	const blocks = 5
	write := func(taken map[int64]bool, x0 *Exclusions, s0 *SubjectIndex, ends [2][]int) (exclusions, subjects []byte, _ [2][]int) {
		var files [2]bytes.Buffer
		accounts := NewAccounts(testKey.NewReferrer())
		x, s := NewExclusionWriter(&files[0], accounts, testMeta()), NewSubjectIndexWriter(&files[1], accounts, testMeta())
		at := [2][]int{{0}, {0}}
		for block := range int64(blocks) {
			if taken[block] {
				last := 100*(block+1) - 1
				if err := x.Take(x0, ends[0][block], ends[0][block+1], last); err != nil {
					t.Fatal(err)
				}
				if err := s.Take(s0, ends[1][block], ends[1][block+1], last); err != nil {
					t.Fatal(err)
				}
				continue
			}
			blockOf(t, accounts, x, s, block)
			for i, end := range []func() (int, error){x.EndBlock, s.EndBlock} {
				n, err := end()
				if err != nil {
					t.Fatal(err)
				}
				at[i] = append(at[i], n)
			}
		}
		for _, closed := range []func() (Written, error){x.Close, s.Close} {
			if _, err := closed(); err != nil {
				t.Fatal(err)
			}
		}
		return files[0].Bytes(), files[1].Bytes(), at
	}
	exclusions, subjects, ends := write(nil, nil, nil, [2][]int{})
	open := func() (*Exclusions, *SubjectIndex) {
		x, err := OpenExclusions(bytes.NewReader(exclusions), int64(len(exclusions)))
		if err != nil {
			t.Fatal(err)
		}
		s, err := OpenSubjectIndex(bytes.NewReader(subjects), int64(len(subjects)))
		if err != nil {
			t.Fatal(err)
		}
		return x, s
	}
	for set := range 1 << blocks {
		taken := map[int64]bool{}
		for i := range int64(blocks) {
			taken[i] = set>>i&1 != 0
		}
		x0, s0 := open()
		gotX, gotS, _ := write(taken, x0, s0, ends)
		if !bytes.Equal(gotX, exclusions) || !bytes.Equal(gotS, subjects) {
			t.Errorf("blocks %05b taken: the bytes differ", set)
		}
	}
	x0, _ := open()
	w := NewExclusionWriter(io.Discard, NewAccounts(testKey.NewReferrer()), testMeta())
	if err := w.Take(x0, 0, 1, 99); err != nil {
		t.Fatal(err)
	}
	if err := appendRow(w, []byte("r"), 99, schema.PartyOptedOut.Set(), 0, nil, ""); err == nil {
		t.Error("a row of a block that was taken is written again")
	}
}
