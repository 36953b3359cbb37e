package listing

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"assent/job/internal/objstore"
)

// Where the table formats keep their logs, below a table's directory.
const (
	deltaLog      = "_delta_log"
	hudiLog       = ".hoodie"
	hudiPartition = ".hoodie_partition_metadata" // also with an extension; in each partition
	icebergLog    = "metadata"                   // with a file that icebergFile knows
)

// looks bounds the requests that look for logs at a time.
const looks = 8

// logged is what one directory has of a table's log.
type logged struct {
	format string // "" for none
	unseen bool   // it may not be looked into
}

// tableOf returns the format of the table whose log a file is part of, and the
// table's directory; "" and "" if it is part of none.
func tableOf(name []string) (dir, format string) {
	last := len(name) - 1
	at := func(i int) string { return strings.Join(name[:i], "/") }
	for i, element := range name[:last] {
		switch element {
		case deltaLog:
			return at(i), "Delta"
		case hudiLog:
			return at(i), "Hudi"
		}
	}
	switch base := name[last]; {
	case base == hudiPartition || strings.HasPrefix(base, hudiPartition+"."):
		return at(last), "Hudi"
	case last > 0 && name[last-1] == icebergLog && icebergFile(base):
		return at(last - 1), "Iceberg"
	}
	return "", ""
}

// icebergFile knows the files that say which snapshot of an Iceberg table is current.
func icebergFile(base string) bool {
	return base == "version-hint.text" || strings.HasSuffix(strings.TrimSuffix(base, ".gz"), ".metadata.json")
}

// checkTables refuses an input that is a table, holds one, or lies in one. A glob
// holds what it matches.
func (s *search) checkTables(ctx context.Context) error {
	for _, dir := range slices.Sorted(maps.Keys(s.tables)) {
		named := s.pattern == nil && below(strings.Split(path.Join(dir, "x.parquet"), "/")) == isRead
		for _, f := range s.in.Files {
			named = named || dir == "" || strings.HasPrefix(f.Rel, dir+"/")
		}
		if named {
			return refuseTable(s.at.Join(dir), s.tables[dir])
		}
	}
	var sites []objstore.Site
	seen := map[string]bool{}
	for _, spot := range s.spots {
		for _, site := range spot.sites {
			if !seen[site.ID] {
				seen[site.ID] = true
				sites = append(sites, site)
			}
		}
	}
	logs := make([]logged, len(sites))
	var g errgroup.Group
	g.SetLimit(looks)
	for i, site := range sites {
		g.Go(func() (err error) {
			logs[i], err = s.look(ctx, s.opener, site) // not the group's: other inputs wait for the same look
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for i, l := range logs {
		if l.format != "" {
			return refuseTable(sites[i].Location, l.format)
		}
		if l.unseen {
			s.in.Unseen = append(s.in.Unseen, sites[i].Location.String())
		}
	}
	return nil
}

// look looks for a table's log in one directory, once for all inputs.
func (f *Finder) look(ctx context.Context, opener *objstore.Opener, site objstore.Site) (logged, error) {
	f.mu.Lock()
	look := f.looks[site.ID]
	if look == nil {
		if f.looks == nil {
			f.looks = map[string]func() (logged, error){}
		}
		look = sync.OnceValues(func() (l logged, err error) {
			store, err := opener.OpenLocation(ctx, site.Location)
			if err != nil {
				return logged{}, err
			}
			l.format, err = logIn(ctx, store)
			if errors.Is(err, objstore.ErrPermission) {
				l.unseen, err = true, nil
			}
			return l, err
		})
		f.looks[site.ID] = look
	}
	f.mu.Unlock()
	return look()
}

// logIn returns the format of the table whose directory is the store's root.
func logIn(ctx context.Context, store objstore.Store) (string, error) {
	marks := []struct {
		format string
		there  func(ctx context.Context) (bool, error)
	}{
		{"Delta", func(ctx context.Context) (bool, error) { return store.Exists(ctx, deltaLog) }},
		{"Hudi", func(ctx context.Context) (bool, error) { return store.Exists(ctx, hudiLog) }},
		{"Iceberg", func(ctx context.Context) (bool, error) {
			there, err := store.Exists(ctx, icebergLog)
			if err != nil || !there {
				return false, err
			}
			return hasIcebergFile(ctx, store)
		}},
		{"Hudi", func(ctx context.Context) (bool, error) {
			_, err := store.Stat(ctx, hudiPartition)
			if errors.Is(err, objstore.ErrNotExist) {
				return false, nil
			}
			return err == nil, err
		}},
	}
	there := make([]bool, len(marks))
	g, gctx := errgroup.WithContext(ctx)
	for i, m := range marks {
		g.Go(func() (err error) {
			there[i], err = m.there(gctx)
			return err
		})
	}
	err := g.Wait()
	if i := slices.Index(there, true); err == nil && i >= 0 {
		return marks[i].format, nil
	}
	return "", err
}

func hasIcebergFile(ctx context.Context, store objstore.Store) (bool, error) {
	objects, err := store.List(ctx, icebergLog)
	for _, o := range objects {
		if dir, base := path.Split(o.Name); dir == icebergLog+"/" && icebergFile(base) {
			return true, err
		}
	}
	return false, err
}

// hints write a plain snapshot of a table, in Python. Tried with deltalake 1.6,
// pyiceberg 0.12, hudi 0.5 and pyarrow 26.
var hints = map[string]string{
	"Delta":   `pyarrow.dataset.write_dataset(deltalake.DeltaTable("%s").to_pyarrow_dataset(), "snapshot", format="parquet")`,
	"Iceberg": `pyarrow.parquet.write_table(pyiceberg.table.StaticTable.from_metadata("%s/metadata/<newest>.metadata.json").scan().to_arrow(), "snapshot.parquet")`,
	"Hudi":    `pyarrow.parquet.write_table(pyarrow.Table.from_batches(hudi.HudiTableBuilder.from_base_uri("%s").build().read()), "snapshot.parquet")`,
}

func refuseTable(dir objstore.Location, format string) error {
	return fail("write a plain snapshot of the table and name that instead, in Python: "+fmt.Sprintf(hints[format], dir),
		"%s: the directory of a table (%s): %w", dir, format, ErrTable)
}
