package job

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"assent/job/plain"
)

// table aligns columns: text to the left, numbers to the right.
type table struct {
	w    io.Writer
	Rows [][]string
}

// NewTable returns an empty table.
func NewTable(w io.Writer) *table { return &table{w: w} }

// Row appends a row. What is not printable in its cells is quoted.
func (t *table) Row(cells ...string) {
	row := make([]string, len(cells))
	for i, cell := range cells {
		row[i] = plain.Line(cell)
	}
	t.Rows = append(t.Rows, row)
}

// Flush writes the table.
func (t *table) Flush() error {
	var width []int
	for _, row := range t.Rows {
		for i, cell := range row {
			if i == len(width) {
				width = append(width, 0)
			}
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range t.Rows {
		line := new(strings.Builder)
		for i, cell := range row {
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell))
			if t.numeric(i) {
				line.WriteString(pad + cell + "  ")
			} else {
				line.WriteString(cell + pad + "  ")
			}
		}
		if _, err := fmt.Fprintln(t.w, strings.TrimRight(line.String(), " ")); err != nil {
			return err
		}
	}
	return nil
}

// numeric reports whether the cells of a column below its header are figures.
func (t *table) numeric(i int) bool {
	for _, row := range t.Rows[1:] {
		if i < len(row) && strings.Trim(row[i], "0123456789.,%-") != "" {
			return false
		}
	}
	return len(t.Rows) > 1
}
