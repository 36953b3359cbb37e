//go:build ignore

// Command longest prints the ten longest files and functions of the module, tests apart,
// so that growth is seen. House rule: files under 500 lines, functions under 60. It fails
// where either is broken.
package main

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

type length struct {
	lines int
	name  string
}

func main() {
	var files, functions []length
	fset := token.NewFileSet()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && (path == "build" || strings.HasPrefix(path, ".git")) {
			return cmp.Or(err, fs.SkipDir)
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		files = append(files, length{fset.Position(f.FileEnd).Line, path})
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok {
				functions = append(functions, length{
					fset.Position(fn.End()).Line - fset.Position(fn.Pos()).Line + 1,
					fmt.Sprintf("%s:%d %s", path, fset.Position(fn.Pos()).Line, fn.Name.Name),
				})
			}
		}
		return nil
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	tooLong := show("files", files, 500)
	if show("functions", functions, 60) || tooLong {
		os.Exit(1)
	}
}

// show prints the ten longest. It reports whether one reaches the limit.
func show(what string, all []length, limit int) bool {
	slices.SortFunc(all, func(a, b length) int { return cmp.Or(b.lines-a.lines, strings.Compare(a.name, b.name)) })
	fmt.Printf("longest %s, of %d (under %d lines):\n", what, len(all), limit)
	for _, l := range all[:min(10, len(all))] {
		fmt.Printf("%5d  %s\n", l.lines, l.name)
	}
	return all[0].lines >= limit
}
