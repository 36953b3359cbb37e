package schema_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"assent/schema"
)

// A reason or a category that is added must be followed by the whole program. What the
// compiler cannot see is held here, over the source: whoever goes by the constants of a
// type names all of them, leaves nothing to a default, and spells no code by hand.

// TestEveryConstantIsFollowed looks at the program's files, tests apart.
func TestEveryConstantIsFollowed(t *testing.T) {
	reasons, categories := constants(t, "reason.go", "Reason"), constants(t, "category.go", "Category")
	if len(reasons) != schema.NumReasons || len(categories) != schema.NumCategories {
		t.Fatalf("%q, %q", reasons, categories)
	}
	files := 0
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "testdata" || entry.Name() == ".git"):
			return fs.SkipDir
		case entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || filepath.Dir(path) == "../schema":
			return nil
		}
		files++
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, gap := range slices.Concat(gaps(set, file, reasons), gaps(set, file, categories), codesIn(set, file)) {
			t.Error(gap)
		}
		return nil
	})
	if err != nil || files < 100 {
		t.Fatalf("%d files, %v", files, err)
	}
}

// constants returns the names of a type's constants in a file.
func constants(t *testing.T, name, typ string) (names []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range file.Decls {
		block, ok := d.(*ast.GenDecl)
		if !ok || block.Tok != token.CONST {
			continue
		}
		ours := false
		for _, s := range block.Specs {
			spec := s.(*ast.ValueSpec)
			if id, ok := spec.Type.(*ast.Ident); ok {
				ours = id.Name == typ
			} else if spec.Values != nil {
				ours = false
			}
			if ours {
				names = append(names, spec.Names[0].Name)
			}
		}
	}
	return names
}

// gaps returns the switches and the keyed literals of a file that go by some of the
// constants and not by all, and the switches by them that have a default.
func gaps(set *token.FileSet, file *ast.File, names []string) (found []string) {
	check := func(at token.Pos, what string, exprs []ast.Expr, open bool) {
		var has []string
		for _, e := range exprs {
			if name := constant(e); slices.Contains(names, name) {
				has = append(has, name)
			}
		}
		if len(has) == 0 {
			return
		}
		if open {
			found = append(found, fmt.Sprintf("%s: %s by %s has a default", set.Position(at), what, has[0]))
		}
		for _, name := range names {
			if !slices.Contains(has, name) {
				found = append(found, fmt.Sprintf("%s: %s by %s leaves out %s", set.Position(at), what, has[0], name))
			}
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		var exprs []ast.Expr
		switch n := n.(type) {
		case *ast.SwitchStmt:
			open := false
			for _, c := range n.Body.List {
				exprs = append(exprs, c.(*ast.CaseClause).List...)
				open = open || c.(*ast.CaseClause).List == nil
			}
			check(n.Pos(), "a switch", exprs, open)
		case *ast.CompositeLit:
			for _, e := range n.Elts {
				if pair, ok := e.(*ast.KeyValueExpr); ok {
					exprs = append(exprs, pair.Key)
				}
			}
			check(n.Pos(), "a literal", exprs, false)
		}
		return true
	})
	return found
}

// constant returns X of schema.X and of schema.X.Method().
func constant(e ast.Expr) string {
	if call, ok := e.(*ast.CallExpr); ok {
		if method, ok := call.Fun.(*ast.SelectorExpr); ok {
			e = method.X
		}
	}
	if s, ok := e.(*ast.SelectorExpr); ok {
		if id, ok := s.X.(*ast.Ident); ok && id.Name == "schema" {
			return s.Sel.Name
		}
	}
	return ""
}

// codesIn returns where a file spells the code of a reason or of a category. The
// sample's marketplace may: what it writes is data.
func codesIn(set *token.FileSet, file *ast.File) (found []string) {
	if file.Name.Name == "sample" {
		return nil
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			text, _ := strconv.Unquote(lit.Value)
			_, err := schema.ParseReason(text)
			if err == nil || slices.Contains(schema.CategoryCodes(), text) {
				found = append(found, fmt.Sprintf("%s: %q is spelt out", set.Position(lit.Pos()), text))
			}
		}
		return true
	})
	return found
}

// TestGapsAreFound shows that the checks of this file can fail.
func TestGapsAreFound(t *testing.T) {
	const source = `package p
func f(r schema.Reason, c schema.Category, s schema.Reasons) {
	switch r {
	case schema.A, schema.B, schema.C:
	}
	switch r {
	case schema.A, schema.B:
	case schema.C:
	default:
	}
	switch s {
	case schema.A.Set(), schema.B.Set():
	}
	_ = map[schema.Reason]string{schema.C: "c"}
	_ = map[schema.Category]string{schema.Platform: "after_horizon" + "work_product"}
}`
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, "p.go", source, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	got := slices.Concat(gaps(set, file, []string{"A", "B", "C"}), codesIn(set, file))
	want := []string{
		"p.go:6:2: a switch by A has a default",
		"p.go:11:2: a switch by A leaves out C",
		"p.go:14:6: a literal by C leaves out A",
		"p.go:14:6: a literal by C leaves out B",
		`p.go:15:50: "after_horizon" is spelt out`,
		`p.go:15:68: "work_product" is spelt out`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestSQLFollows holds the rules as they are formulated in SQL to the list of reasons.
func TestSQLFollows(t *testing.T) {
	sql, err := os.ReadFile("../scripts/interop/decide.sql")
	if err != nil {
		t.Fatal(err)
	}
	enum := regexp.MustCompile(`(?s)CREATE TYPE reason AS ENUM \((.*?)\);`).FindSubmatch(sql)
	if enum == nil {
		t.Fatal("no type reason")
	}
	var codes []string
	for _, m := range regexp.MustCompile(`'([^']*)'`).FindAllSubmatch(enum[1], -1) {
		codes = append(codes, string(m[1]))
	}
	if want := schema.Reasons(1<<schema.NumReasons - 1).Strings(); !slices.Equal(codes, want) {
		t.Errorf("decide.sql has %q, want %q", codes, want)
	}
}
