package listing

import (
	"errors"
	"slices"
	"strings"

	"assent/job/internal/objstore"
)

// spot is a place of an input: its root, or a directory or file that a link led to.
type spot struct {
	name  string // below the root
	whole bool   // what lies below it belongs to the input, as far as the pattern matches
	sites []objstore.Site
}

func (s *search) addSpot(name string, loc objstore.Location, whole bool) error {
	sites, err := loc.Lineage()
	if err != nil {
		return err
	}
	s.spots = append(s.spots, spot{name, whole, sites})
	return nil
}

// locateFile finds out where an input that is a file, and the directory that names
// it, really lie.
func (s *search) locateFile(dir objstore.Location) error {
	if err := s.addSpot("", s.at, false); err != nil {
		return err
	}
	s.spots[0].sites = s.spots[0].sites[1:]
	return s.addSpot("", dir, false)
}

// locateTree finds out where the root, and what the links below it lead to, really lie.
func (s *search) locateTree() error {
	s.spots = nil
	if err := s.addSpot("", s.at, true); err != nil {
		return err
	}
	seen := map[string]bool{"": true}
	for _, f := range s.in.Files {
		if seen[f.Link] {
			continue
		}
		seen[f.Link] = true
		isDir := f.Link != f.Name
		if err := s.addSpot(f.Link, s.at.Join(f.Link), isDir); err != nil {
			return err
		}
		if last := &s.spots[len(s.spots)-1]; !isDir {
			last.sites = last.sites[1:]
		}
	}
	return nil
}

// Apart refuses an output that lies inside an input that was found, and an input that
// lies inside the output, or is it: the next run would read what this one publishes.
// Links, and whatever else gives a directory several names, are seen through. A glob
// is as far as it can match.
func (f *Finder) Apart(output string) error {
	loc, err := objstore.Parse(output)
	if err != nil {
		return fail("", "%w", err)
	}
	out, err := loc.Lineage()
	if errors.Is(err, objstore.ErrLoop) {
		return fail("", "output: %w", err)
	} else if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	slices.SortFunc(f.inputs, func(a, b located) int { return strings.Compare(a.uri, b.uri) }) // the order in which they were found is of chance
	for _, in := range f.inputs {
		if err := in.apart(output, out); err != nil {
			return err
		}
	}
	return nil
}

func (in *located) apart(output string, out []objstore.Site) error {
	const hint = "give the output a directory of its own, outside of all inputs"
	for _, spot := range in.spots {
		if index(spot.sites, out[0]) >= 0 {
			return fail(hint, "the input %s lies inside the output %s: %w", in.uri, output, ErrOverlap)
		}
		above := index(out, spot.sites[0])
		if above < 0 || !spot.whole {
			continue
		}
		if in.pattern != nil {
			var name []string
			if spot.name != "" {
				name = strings.Split(spot.name, "/")
			}
			for i := above - 1; i >= 0; i-- {
				_, base := out[i].Location.Split()
				name = append(name, base)
			}
			if !reaches(in.pattern, name) {
				continue
			}
		}
		return fail(hint, "the output %s lies inside the input %s: %w", output, in.uri, ErrOverlap)
	}
	return nil
}

func index(sites []objstore.Site, site objstore.Site) int {
	return slices.IndexFunc(sites, func(s objstore.Site) bool { return s.ID == site.ID })
}
