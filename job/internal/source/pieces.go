package source

import "assent/job/parquet/rewrite"

// Piece is a range of row groups of a file.
type Piece struct {
	From, To    int   // row groups: from one up to, and without, another
	First, Rows int64 // rows, counted from 0 in the file
	Bytes       int64 // about so many of the file
}

// cut cuts a file into pieces of about so many bytes. It is nil where there is but one.
func cut(f *rewrite.File, bytes int64) ([]Piece, error) {
	sizes, err := rewrite.GroupBytes(f.File)
	if err != nil {
		return nil, err
	}
	var pieces []Piece
	for i, size := range sizes {
		last := len(pieces) - 1
		if last < 0 || pieces[last].Bytes > 0 && pieces[last].Bytes+size > bytes {
			first := int64(0)
			if last >= 0 {
				first = pieces[last].First + pieces[last].Rows
			}
			pieces, last = append(pieces, Piece{From: i, First: first}), last+1
		}
		p := &pieces[last]
		p.To, p.Rows, p.Bytes = i+1, p.Rows+f.RowGroupRows(i), p.Bytes+size
	}
	if len(pieces) < 2 {
		return nil, nil
	}
	return pieces, nil
}

// BlockRows is how many rows a block has at least that is not the last one. It bounds what row groups of the manifests cost in small
// row groups of the data. What is published depends on it, so another value is another format.
const BlockRows = 1024

// Blocks returns where the blocks of some row groups of a file begin, from one row group up to, and without, another, and at last
// that one. A block is a row group, or so many small ones side by side that they have least rows.
func Blocks(f *rewrite.File, from, to int, least int64) []int {
	starts, rows := []int{from}, int64(0)
	for g := from; g < to; g++ {
		if rows >= least {
			starts, rows = append(starts, g), 0
		}
		rows += f.RowGroupRows(g)
	}
	if from == to {
		return starts
	}
	return append(starts, to)
}
