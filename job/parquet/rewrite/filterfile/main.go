// Command filterfile writes a Parquet file without some of its rows, so that other
// programs can be asked whether they read in it what they read in those rows.
//
//	filterfile -keep SPEC IN OUT
//
// SPEC says which rows are kept, counted from 0 through the file: none, all, first,
// last, alternating (0, 2, 4, …), random:PERCENT:SEED (those that mix chooses) or
// file:NAME (a text file of row numbers). What became of the pages goes to stdout.
//
// It exits with 4 where the engine refuses the file, and writes nothing then.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"assent/job/parquet"
	"assent/job/parquet/rewrite"
)

const exitRefused = 4

func main() {
	keep := flag.String("keep", "all", "rows to keep: none, all, first, last, alternating, random:PERCENT:SEED or file:NAME")
	flag.Parse()
	if flag.NArg() != 2 {
		flag.Usage()
		os.Exit(2)
	}
	result, err := filter(flag.Arg(0), flag.Arg(1), *keep)
	if err != nil {
		fmt.Fprintln(os.Stderr, "filterfile:", err)
		if errors.Is(err, parquet.ErrCorrupt) || errors.Is(err, parquet.ErrUnsupported) {
			os.Exit(exitRefused)
		}
		os.Exit(1)
	}
	fmt.Printf("%d of %d rows, pages: %d copied, %d filtered, %d dropped\n",
		result.RowsKept, result.RowsIn, result.Pages.Copied, result.Pages.Filtered, result.Pages.Dropped)
}

// filter writes the rows of in that spec keeps to out, which is removed again on failure.
func filter(in, out, spec string) (result rewrite.Result, err error) {
	keep, err := parseSpec(spec)
	if err != nil {
		return result, err
	}
	src, err := os.Open(in)
	if err != nil {
		return result, err
	}
	defer src.Close()
	info, err := src.Stat()
	if err != nil {
		return result, err
	}
	f, err := rewrite.Open(context.Background(), src, info.Size(), in)
	if err != nil {
		return result, err
	}
	dst, err := os.Create(out)
	if err != nil {
		return result, err
	}
	defer func() {
		if err = errors.Join(err, dst.Close()); err != nil {
			err = errors.Join(err, os.Remove(out))
		}
	}()
	return writeKept(f, dst, keep)
}

func writeKept(f *rewrite.File, dst io.Writer, keep keeper) (rewrite.Result, error) {
	ctx := context.Background()
	w := f.NewWriter(dst, rewrite.Options{CreatedBy: "filterfile"})
	first := int64(0)
	for i := range f.NumRowGroups() {
		rows := f.RowGroupRows(i)
		sel := rewrite.NewSelection(rows)
		for row := range rows {
			if keep(first+row, f.NumRows()) {
				sel.Keep(row)
			}
		}
		first += rows
		if err := w.RowGroup(ctx, i, sel); err != nil {
			return rewrite.Result{}, err
		}
	}
	return w.Close()
}

// A keeper reports whether a row of a file of so many is kept.
type keeper func(row, rows int64) bool

func parseSpec(spec string) (keeper, error) {
	kind, arg, _ := strings.Cut(spec, ":")
	switch kind {
	case "none":
		return func(int64, int64) bool { return false }, nil
	case "all":
		return func(int64, int64) bool { return true }, nil
	case "first":
		return func(row, _ int64) bool { return row == 0 }, nil
	case "last":
		return func(row, rows int64) bool { return row == rows-1 }, nil
	case "alternating":
		return func(row, _ int64) bool { return row%2 == 0 }, nil
	case "random":
		var percent, seed uint64
		if _, err := fmt.Sscanf(arg, "%d:%d", &percent, &seed); err != nil {
			return nil, fmt.Errorf("-keep %s: want random:PERCENT:SEED", spec)
		}
		return func(row, _ int64) bool { return mix(seed<<32+uint64(row))%100 < percent }, nil
	case "file":
		return readRows(arg)
	}
	return nil, fmt.Errorf("-keep %s: no such selection", spec)
}

// mix is the finalizer of splitmix64, simple enough to be spelt out by whoever checks.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func readRows(name string) (keeper, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	rows := map[int64]bool{}
	words := bufio.NewScanner(f)
	words.Split(bufio.ScanWords)
	for words.Scan() {
		row, err := strconv.ParseInt(words.Text(), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		rows[row] = true
	}
	return func(row, _ int64) bool { return rows[row] }, words.Err()
}
