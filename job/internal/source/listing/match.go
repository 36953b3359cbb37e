package listing

import (
	"path"
	"strings"

	"assent/job/internal/objstore"
)

// class is what becomes of something that lies below a root.
type class int

const (
	leftOut class = iota // hidden, a side file, or not what the glob means
	isRead
	isStranger
)

// classify says what becomes of a file by the elements of its name below the root.
// The pattern is nil for a directory.
func classify(pattern, name []string) class {
	if pattern == nil {
		return below(name)
	}
	base := name[len(name)-1]
	if match(pattern, name, false) && !sideFile(base) {
		return isRead
	}
	for i := 1; i < len(name); i++ {
		if match(pattern, name[:i], true) {
			return below(name[i:])
		}
	}
	return leftOut
}

// below classifies a file by its name below a directory that is read.
func below(name []string) class {
	last := len(name) - 1
	for i, element := range name {
		if hidden(element, i < last) {
			return leftOut
		}
	}
	switch base := name[last]; {
	case sideFile(base):
		return leftOut
	case parquetName(base):
		return isRead
	}
	return isStranger
}

// hidden tells whether an element of a name is left out.
func hidden(element string, isDir bool) bool {
	if !strings.HasPrefix(element, "_") && !strings.HasPrefix(element, ".") {
		return false
	}
	return !isDir || strings.IndexByte(element, '=') < 1
}

func parquetName(base string) bool {
	switch strings.ToLower(path.Ext(base)) {
	case ".parquet", ".parq":
		return true
	}
	return false
}

// sideFile knows checksums as Hadoop writes them, and how its adapters of object
// stores mark a folder.
func sideFile(base string) bool {
	return strings.EqualFold(path.Ext(base), ".crc") || strings.HasSuffix(base, "_$folder$")
}

// splitGlob cuts a location before its first element that is a glob.
func splitGlob(loc objstore.Location) (dir objstore.Location, pattern []string, ok bool) {
	for dir = loc; strings.ContainsAny(dir.Path, "*?["); {
		var base string
		dir, base = dir.Split()
		pattern = append([]string{base}, pattern...)
	}
	return dir, pattern, len(pattern) > 0
}

// match matches path elements: "**" any number of them, others by path.Match. A
// hidden element is matched only where the pattern spells its first character.
func match(pattern, name []string, isDir bool) bool {
	for len(pattern) > 0 {
		if pattern[0] == "**" {
			for i := range len(name) + 1 {
				if match(pattern[1:], name[i:], isDir) {
					return true
				}
				if i < len(name) && hidden(name[i], isDir || i < len(name)-1) {
					return false
				}
			}
			return false
		}
		if len(name) == 0 || !matchElement(pattern[0], name[0], isDir || len(name) > 1) {
			return false
		}
		pattern, name = pattern[1:], name[1:]
	}
	return len(name) == 0
}

func matchElement(pattern, element string, isDir bool) bool {
	if hidden(element, isDir) && pattern[:1] != element[:1] {
		return false
	}
	if ext := path.Ext(element); !isDir && strings.EqualFold(ext, ".parquet") && strings.HasSuffix(pattern, ".parquet") {
		element = strings.TrimSuffix(element, ext) + ".parquet"
	}
	ok, err := path.Match(pattern, element)
	return ok && err == nil
}

// reaches tells whether a directory of this name would be read, or something below it.
func reaches(pattern, name []string) bool {
	if pattern == nil {
		return below(append(name[:len(name):len(name)], "x.parquet")) == isRead
	}
	for i, element := range name {
		switch {
		case i == len(pattern): // a directory above it matches the whole pattern
			return below(append(name[i:len(name):len(name)], "x.parquet")) == isRead
		case pattern[i] == "**":
			return true
		case !matchElement(pattern[i], element, true):
			return false
		}
	}
	return true
}
