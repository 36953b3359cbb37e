package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxBytes is the largest configuration that is read. The YAML library bounds how
// deep values nest (10,000 levels), so that memory follows this limit.
const maxBytes = 1 << 20

var nullNode = yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Line: 1}

// parseDocument reads one YAML document and returns its value. Anchors, aliases and
// tags are refused: a configuration says everything where it stands.
func parseDocument(data []byte) (*yaml.Node, error) {
	if len(data) > maxBytes {
		return nil, fmt.Errorf("larger than %d KiB", maxBytes>>10)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document, second yaml.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		n := nullNode
		return &n, nil
	case err != nil:
		return nil, yamlError(err)
	}
	switch err := decoder.Decode(&second); {
	case err == nil:
		return nil, fmt.Errorf("line %d: a second document", second.Line)
	case !errors.Is(err, io.EOF):
		return nil, yamlError(err)
	}
	root := document.Content[0]
	return root, checkPlain(root, place{})
}

// yamlError is an error of the YAML library, with its line in front. The library
// leaves the line out where it is the first one.
func yamlError(err error) error {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	if !strings.HasPrefix(text, "line ") {
		text = "line 1: " + text
	}
	return errors.New(text)
}

func checkPlain(n *yaml.Node, at place) error {
	at.line = n.Line
	if n.Kind == yaml.AliasNode || n.Anchor != "" || n.Style&yaml.TaggedStyle != 0 || n.Tag == "!!merge" {
		return at.errorf("anchors, aliases and tags are not supported here")
	}
	for i, child := range n.Content {
		under := at
		if n.Kind == yaml.MappingNode && i%2 == 1 {
			under = at.below(n.Content[i-1].Value, child.Line)
		}
		if err := checkPlain(child, under); err != nil {
			return err
		}
	}
	return nil
}

// set replaces or adds the value at a dotted path by a YAML value, as --set has it.
// What it sets has line 0.
func set(n *yaml.Node, assignment string) error {
	path, text, ok := strings.Cut(assignment, "=")
	if !ok || path == "" {
		return fmt.Errorf("--set %s: want key=value", assignment)
	}
	value, err := parseDocument([]byte(text))
	if err != nil {
		return fmt.Errorf("--set %s: %w", path, err)
	}
	clearLines(value)
	at := place{}
	for _, name := range strings.Split(path, ".") {
		if isNull(n) {
			*n = yaml.Node{Kind: yaml.MappingNode, Line: n.Line}
		}
		if n.Kind != yaml.MappingNode {
			return fmt.Errorf("--set %s: %s is not a mapping", path, at.path)
		}
		n = child(n, name)
		at = at.below(name, 0)
	}
	*n = *value
	return nil
}

// child returns the value of a mapping's key, which is added where it is not there.
func child(n *yaml.Node, name string) *yaml.Node {
	for i := 0; i < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i+1]
		}
	}
	value := nullNode
	value.Line = 0
	n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: name}, &value)
	return &value
}

func clearLines(n *yaml.Node) {
	n.Line = 0
	for _, child := range n.Content {
		clearLines(child)
	}
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// place is where a value stands, so that every error about a configuration can name
// the key and its line.
type place struct {
	path string // dotted, "" at the root
	line int    // from 1; 0 for a value of --set
}

func (p place) below(name string, line int) place {
	if p.path == "" {
		return place{name, line}
	}
	return place{p.path + "." + name, line}
}

func (p place) errorf(format string, args ...any) error {
	path, what := cut(p.path), cut(fmt.Sprintf(format, args...))
	switch {
	case path == "":
		return fmt.Errorf("line %d: %s", p.line, what)
	case p.line == 0:
		return fmt.Errorf("--set %s: %s", path, what)
	}
	return fmt.Errorf("line %d: %s: %s", p.line, path, what)
}

// cut keeps an error readable where a key or a value is very long.
func cut(s string) string {
	const most = 400
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// placeOf is where a dotted path stands, or the section that lacks it.
func placeOf(root *yaml.Node, path string) place {
	at := place{line: root.Line}
	for n := root; path != ""; {
		var name string
		name, path, _ = strings.Cut(path, ".")
		i := slices.IndexFunc(n.Content, func(c *yaml.Node) bool { return c.Value == name })
		if n.Kind != yaml.MappingNode || i < 0 {
			break
		}
		at, n = at.below(name, n.Content[i+1].Line), n.Content[i+1]
	}
	return at
}
