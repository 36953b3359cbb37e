package config

import (
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// node is a YAML value with its place in the file, so that every complaint about
// a configuration can name the key and its line.
type node struct {
	path   string // dotted, "" at the root
	line   int    // 1-based; 0 for a value of --set
	scalar string // text of a scalar
	kind   nodeKind
	names  []string // keys of a mapping, in their order
	fields map[string]*node
}

type nodeKind uint8

const (
	nullNode nodeKind = iota
	scalarNode
	mapNode
	listNode
)

// parseTree reads a YAML document. Anchors and aliases are followed by the parser's AST.
func parseTree(data []byte) (*node, error) {
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		return nil, yamlError(err)
	}
	if len(file.Docs) > 1 {
		return nil, fmt.Errorf("line %d: a second document", file.Docs[1].GetToken().Position.Line)
	}
	if len(file.Docs) == 0 || file.Docs[0].Body == nil {
		return &node{kind: nullNode, line: 1}, nil
	}
	return newNode(file.Docs[0].Body, "")
}

// yamlError is a parser's error in one line: its own spans several and shows the source.
func yamlError(err error) error {
	if e, ok := err.(yaml.Error); ok {
		return fmt.Errorf("line %d: %s", e.GetToken().Position.Line, e.GetMessage())
	}
	return err
}

func newNode(n ast.Node, path string) (*node, error) {
	out := &node{path: path}
	if t := n.GetToken(); t != nil && t.Position != nil {
		out.line = t.Position.Line
	}
	switch n := n.(type) {
	case *ast.NullNode:
	case *ast.MappingValueNode:
		return out, out.add(n)
	case *ast.MappingNode:
		out.kind, out.fields = mapNode, map[string]*node{}
		for _, v := range n.Values {
			if err := out.add(v); err != nil {
				return nil, err
			}
		}
	case *ast.SequenceNode:
		out.kind, out.fields = listNode, map[string]*node{}
		for i, v := range n.Values {
			child, err := newNode(v, fmt.Sprintf("%s[%d]", path, i))
			if err != nil {
				return nil, err
			}
			name := fmt.Sprint(i)
			out.names, out.fields[name] = append(out.names, name), child
		}
	case *ast.LiteralNode:
		out.kind, out.scalar = scalarNode, n.Value.Value
	case *ast.StringNode:
		out.kind, out.scalar = scalarNode, n.Value
	case *ast.AnchorNode, *ast.AliasNode, *ast.MergeKeyNode, *ast.TagNode:
		return nil, fmt.Errorf("line %d: %s: anchors, aliases and tags are not supported here", out.line, path)
	case ast.ScalarNode:
		out.kind, out.scalar = scalarNode, n.GetToken().Value
	default:
		return nil, fmt.Errorf("line %d: %s: unexpected %s", out.line, path, n.Type())
	}
	return out, nil
}

func (n *node) add(v *ast.MappingValueNode) error {
	if n.kind != mapNode {
		n.kind, n.fields = mapNode, map[string]*node{}
	}
	name := v.Key.GetToken().Value
	line := v.Key.GetToken().Position.Line
	if _, ok := n.fields[name]; ok {
		return fmt.Errorf("line %d: %s: the key stands twice", line, join(n.path, name))
	}
	child, err := newNode(v.Value, join(n.path, name))
	if err != nil {
		return err
	}
	child.line = line
	n.names = append(n.names, name)
	n.fields[name] = child
	return nil
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// set replaces or adds the value at a dotted path by a YAML value, as --set has it.
func (n *node) set(assignment string) error {
	path, text, ok := strings.Cut(assignment, "=")
	if !ok || path == "" {
		return fmt.Errorf("--set %s: want key=value", assignment)
	}
	value, err := parseTree([]byte(text))
	if err != nil {
		return fmt.Errorf("--set %s: %w", path, err)
	}
	at := n
	names := strings.Split(path, ".")
	for i, name := range names {
		if at.kind == nullNode {
			at.kind, at.fields = mapNode, map[string]*node{}
		}
		if at.kind != mapNode {
			return fmt.Errorf("--set %s: %s is not a mapping", path, at.path)
		}
		child := at.fields[name]
		if child == nil {
			child = &node{path: join(at.path, name)}
			at.names = append(at.names, name)
			at.fields[name] = child
		}
		if i == len(names)-1 {
			value.rebase(child.path)
			at.fields[name] = value
		}
		at = child
	}
	return nil
}

// rebase gives a value of --set its place: no line, and paths below path.
func (n *node) rebase(path string) {
	n.path, n.line = path, 0
	for name, child := range n.fields {
		child.rebase(join(path, name))
	}
}

var envName = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)\}`)

// expand puts environment variables into all scalars. Keys are left alone.
func (n *node) expand() error {
	if n.kind == scalarNode {
		var missing string
		n.scalar = envName.ReplaceAllStringFunc(n.scalar, func(ref string) string {
			name := ref[2 : len(ref)-1]
			value, ok := os.LookupEnv(name)
			if !ok && missing == "" {
				missing = name
			}
			return value
		})
		if missing != "" {
			return n.errorf("the environment variable %s is not set", missing)
		}
	}
	for _, name := range n.names {
		if err := n.fields[name].expand(); err != nil {
			return err
		}
	}
	return nil
}

// errorf is an error about the value: its line, its key, what is wrong.
func (n *node) errorf(format string, args ...any) error {
	what := fmt.Sprintf(format, args...)
	switch {
	case n.path == "":
		return fmt.Errorf("line %d: %s", n.line, what)
	case n.line == 0:
		return fmt.Errorf("--set %s: %s", n.path, what)
	}
	return fmt.Errorf("line %d: %s: %s", n.line, n.path, what)
}
