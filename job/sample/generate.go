package sample

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"assent/job"
)

const (
	configName       = "job.yaml"
	subjectKeyName   = "subject.key"
	pseudonymKeyName = "pseudonym.key"
)

// maxWorkers bounds the memory: a worker holds the row group that it writes, in all
// some 100 MB.
const maxWorkers = 8

//go:embed job.yaml
var config []byte

// part is one file to write.
type part struct {
	dir     string // of the data set or input, in the sample's directory
	path    string // below the sample's directory, with slashes
	rows    int64  // about how many
	row     any    // a pointer to a row, which has the schema
	write   func(*table) error
	asOf    string // in the file's metadata, unless it is empty
	counted bool   // in the progress
}

// generate writes a sample. What is in the directory has its final name only once
// it is complete, the configuration comes last, and after an error all of it is
// removed again.
func generate(ctx context.Context, o Options, progress func(rows int64)) (*Result, error) {
	out, err := newOutput(o.Dir)
	if err != nil {
		return nil, err
	}
	result, err := out.fill(ctx, o, progress)
	if err != nil {
		return nil, errors.Join(err, out.remove())
	}
	return result, nil
}

func (out *output) fill(ctx context.Context, o Options, progress func(rows int64)) (*Result, error) {
	r := &Result{Dir: o.Dir, Config: filepath.Join(o.Dir, configName), Seed: o.Seed}
	counts := map[string]*int64{
		"messages": &r.Messages, "deliverables": &r.Deliverables, "platform_events": &r.Events, "accounts": &r.Accounts,
		"consent_history": &r.Consent, "deletion_requests": &r.Deletions, "contract_restrictions": &r.Restrictions,
		"account_aliases": &r.Aliases, "memberships": &r.Memberships,
	}
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(min(max(2, runtime.GOMAXPROCS(0)), maxWorkers))
	for _, p := range newMarket(o.Seed, o.Rows).parts(&o) {
		group.Go(func() error {
			rows, bytes, err := out.part(ctx, p, func(rows int64) error {
				if p.counted {
					progress(rows)
				}
				return ctx.Err()
			})
			if err != nil {
				return fmt.Errorf("%s: %w", p.path, err)
			}
			mu.Lock()
			defer mu.Unlock()
			*counts[p.dir] += rows
			r.Files++
			r.Bytes += bytes
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	if err := out.file(subjectKeyName, key("subject", o.Seed), 0o600); err != nil {
		return nil, err
	}
	if err := out.file(pseudonymKeyName, key("pseudonym", o.Seed), 0o600); err != nil {
		return nil, err
	}
	return r, out.file(configName, config, 0o644)
}

// parts lists all files, in an order that does not matter.
func (m *market) parts(o *Options) []part {
	var parts []part
	number := uint64(0)
	dataset := func(name, dir string, rows int64, loads []load, row any, write func(file, *table) error) {
		files := cut(dir, rows, int64(len(goldenRows(name))), number, loads)
		number += uint64(len(files))
		for _, f := range files {
			parts = append(parts, part{
				dir: dir, path: f.path, rows: f.rows, row: row, counted: true,
				write: func(t *table) error { return write(f, t) },
			})
		}
	}
	dataset("messages", "messages", o.Rows, months("2026-01", "2026-11"), new(messageRow), m.messages)
	// A file that loses all rows, and, as distributed writers leave them, one without any.
	dataset("deliverables", "deliverables", o.deliverables(), months("2025-12", "2026-11"), new(deliverableRow), m.deliverables)
	idle := months("2026-12", "2026-12")
	idle[0].weight = 0
	dataset("events", "platform_events", o.events(), append(months("2026-01", "2026-11"), idle...), new(eventRow), m.events)

	input := func(dir string, i int, rows uint64, row any, asOf string, write func(*table) error) {
		parts = append(parts, part{
			dir: dir, path: fmt.Sprintf("%s/part-%03d.parquet", dir, i), rows: int64(rows), row: row, asOf: asOf, write: write,
		})
	}
	eras := consentEras()
	asOf := time.UnixMicro(horizon).UTC().Format(time.RFC3339)
	for i := range len(eras) - 1 {
		input("consent_history", i, m.accounts/10, new(consentRow), asOf, func(t *table) error { return m.consent(eras[i], eras[i+1], t) })
	}
	for i := uint64(0); i*fileRows < m.accounts; i++ {
		from, until := i*fileRows, min((i+1)*fileRows, m.accounts)
		input("accounts", int(i), until-from, new(accountRow), "", func(t *table) error { return m.registry(from, until, t) })
	}
	input("deletion_requests", 0, m.accounts/100, new(deletionRow), "", m.deletions)
	input("account_aliases", 0, m.accounts/100, new(aliasRow), "", m.aliases)
	input("memberships", 0, m.accounts/40, new(membershipRow), "", m.memberships)
	input("contract_restrictions", 0, m.contracts/12, new(restrictionRow), "", m.restrictionTable)
	return parts
}

// key derives a key for a purpose from the seed: 32 bytes in base64. It protects nothing.
func key(of string, seed uint64) []byte {
	sum := sha256.Sum256(fmt.Appendf(nil, "assent sample, %s key, seed %d", of, seed))
	return append(base64.StdEncoding.AppendEncode(nil, sum[:]), '\n')
}

// output is the sample's directory, and what was made there.
type output struct {
	dir  string
	made bool // the directory itself
	mu   sync.Mutex
	tops []string // its children that were made
}

func newOutput(dir string) (*output, error) {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
			return nil, err
		}
		return &output{dir: dir, made: true}, os.Mkdir(dir, 0o755)
	case err != nil:
		return nil, err
	case len(entries) > 0:
		return nil, job.UsageError("name a directory that is new or empty", "%s: directory is not empty", dir)
	}
	return &output{dir: dir}, nil
}

// remove takes back what was made.
func (o *output) remove() error {
	var errs []error
	for _, top := range o.tops {
		errs = append(errs, os.RemoveAll(filepath.Join(o.dir, top)))
	}
	if o.made {
		errs = append(errs, os.Remove(o.dir))
	}
	return errors.Join(errs...)
}

// part writes a file, and returns its rows and bytes.
func (o *output) part(ctx context.Context, p part, progress func(int64) error) (rows, bytes int64, err error) {
	if err := ctx.Err(); err != nil { // of the files that had to wait
		return 0, 0, err
	}
	if err := o.parent(p); err != nil {
		return 0, 0, err
	}
	err = o.create(p.path, 0o644, func(f *os.File) error {
		t := newTable(f, p, progress)
		if err := p.write(t); err != nil {
			return err
		}
		if err := t.close(); err != nil {
			return err
		}
		rows = t.rows
		info, err := f.Stat()
		if err != nil {
			return err
		}
		bytes = info.Size()
		return nil
	})
	return rows, bytes, err
}

// parent makes a part's directory. The child of the sample's directory is made
// only once, so that what is there already is an error and never removed.
func (o *output) parent(p part) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !slices.Contains(o.tops, p.dir) {
		if err := os.Mkdir(filepath.Join(o.dir, p.dir), 0o755); err != nil {
			return err
		}
		o.tops = append(o.tops, p.dir)
	}
	return os.MkdirAll(filepath.Dir(filepath.Join(o.dir, filepath.FromSlash(p.path))), 0o755)
}

// file writes a small file into the sample's directory.
func (o *output) file(name string, data []byte, mode fs.FileMode) error {
	o.tops = append(o.tops, name)
	return o.create(name, mode, func(f *os.File) error {
		_, err := f.Write(data)
		return err
	})
}

// create writes a file under a name that readers pass over, and gives it its own
// once it is complete. It does not sync: after a crash a sample is made again.
func (o *output) create(path string, mode fs.FileMode, write func(*os.File) error) error {
	final := filepath.Join(o.dir, filepath.FromSlash(path))
	temp := filepath.Join(filepath.Dir(final), "."+filepath.Base(final)+".tmp")
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	if err := errors.Join(write(f), f.Close()); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	return os.Rename(temp, final)
}
