package consent

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"path"
	"runtime/debug"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"assent/filter"
	"assent/filter/sections"
	"assent/job/internal/objstore"
	"assent/job/internal/source"
	"assent/manifests"
)

// Objects names the objects of a stored index by their sums, so that what is opened is what
// was stored. It is plain data.
type Objects struct {
	Index, Near, Forms Object
	SHA256             string // of the object index, as manifests have it
}

// Object is one object of a stored index.
type Object struct {
	Bytes int64
	Sum   string // of sections.File, in hexadecimal
}

const (
	indexObject = "index"
	nearObject  = "near"
	formsObject = "forms"

	nearKind  sections.Kind = "assent near 2"
	formsKind sections.Kind = "assent forms 1"
)

// Columns of the object near: the bits of the filters.
const (
	nearAccounts = iota
	nearContracts
	numNear
)

// Columns of the object forms: NearID.Form and NearID.Mark, and for contracts the
// references by which they are told of.
const (
	formsAccounts = iota
	marksAccounts
	formsContracts
	marksContracts
	refsContracts
	numForms
)

// Store writes the index below a prefix. While it does it takes 20 bytes an account, and frees most of these before: the lookup is of
// no use any more. Of the references it lets go before it folds ids.
func (b *Built) Store(ctx context.Context, store objstore.Store, prefix string) (o Objects, err error) {
	b.x.DropLookup()
	Free(b.look.Heap)
	order, err := b.x.Order(b.references())
	if err != nil {
		return o, fmt.Errorf("consent index: %w", err)
	}
	finishing, fctx := errgroup.WithContext(ctx) // an object waits for storage while the next is written
	put := func(name string, write func(w *counting) (uint64, error)) (_ Object, err error) {
		object, err := store.Create(ctx, path.Join(prefix, name))
		if err != nil {
			return Object{}, err
		}
		w := &counting{Writer: object}
		sum, err := write(w)
		if err != nil {
			object.Abort()
			return Object{}, err
		}
		finishing.Go(func() error {
			defer object.Abort()
			return object.Finish(fctx)
		})
		return Object{w.n, fmt.Sprintf("%016x", sum)}, nil
	}
	defer func() { err = errors.Join(err, finishing.Wait()) }()
	digest := sha256.New()
	if o.Index, err = put(indexObject, func(w *counting) (uint64, error) { return order.Write(io.MultiWriter(w, digest)) }); err != nil {
		return o, err
	}
	o.SHA256 = hex.EncodeToString(digest.Sum(nil))
	if o.Near, err = put(nearObject, b.writeNear); err != nil {
		return o, err
	}
	o.Forms, err = put(formsObject, func(w *counting) (uint64, error) { return b.writeForms(w, order) })
	return o, err
}

// Free gives the memory that is of no use any more back to the system, which takes a collection of garbage. bytes is the size of the
// index that it is of: for a small one that is not worth it.
func Free(bytes int64) {
	const small = 32 << 20
	if bytes > small {
		debug.FreeOSMemory()
	}
}

// counting counts the bytes of an object.
type counting struct {
	objstore.Writer
	n int64
}

func (w *counting) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	w.n += int64(n)
	return n, err
}

func (b *Built) writeNear(w *counting) (sum uint64, err error) {
	f := sections.NewWriter(w, nearKind)
	sections.Put(f, slices.Values(b.look.NearAccounts.Bits()))
	sections.Put(f, slices.Values(b.look.NearContracts.Bits()))
	return f.Close()
}

func (b *Built) writeForms(w *counting, order *filter.Order) (sum uint64, err error) {
	f := sections.NewWriter(w, formsKind)
	hash := b.look.Hash
	putForms(f, order.Accounts(), formsOf(b.x.Accounts(), func(a filter.Account) source.NearID { return source.NearIDOf(hash, b.x.ID(a)) }))
	putForms(f, order.Contracts(), formsOf(b.x.Restricted(), func(c filter.Contract) source.NearID { return source.NearIDOf(hash, b.x.ContractID(c)) }))
	refs := b.key.NewReferrer()
	sections.Put(f, func(yield func(manifests.Ref) bool) {
		for c := range order.Contracts() {
			if !yield(refs.Ref(b.x.ContractID(c))) {
				return
			}
		}
	})
	return f.Close()
}

// forms are the folded forms of ids and their marks, by the numbers of the index.
type forms struct {
	form []uint64
	mark []uint32
}

// formsOf asks for the forms of n ids in the order of the index, in which ids lie beside each other. In the order of references every
// id would be a miss of the caches.
func formsOf[T ~int32](n int, near func(T) source.NearID) forms {
	of := forms{make([]uint64, n), make([]uint32, n)}
	inParts(n, func(from, to int) {
		for i := from; i < to; i++ {
			id := near(T(i))
			of.form[i], of.mark[i] = id.Form, id.Mark()
		}
	})
	return of
}

func putForms[T ~int32](f *sections.Writer, numbers iter.Seq[T], of forms) {
	putBy(f, numbers, of.form)
	putBy(f, numbers, of.mark)
}

// putBy writes what a column has for numbers.
func putBy[T ~int32, V sections.Value](f *sections.Writer, numbers iter.Seq[T], column []V) {
	sections.Put(f, func(yield func(V) bool) {
		for n := range numbers {
			if !yield(column[n]) {
				return
			}
		}
	})
}

// IndexName is the name of the index below a prefix that Store was given.
func IndexName(prefix string) string { return path.Join(prefix, indexObject) }

// Present reports whether the objects are below a prefix, by their sizes.
func (o *Objects) Present(ctx context.Context, store objstore.Store, prefix string) (bool, error) {
	for name, want := range map[string]Object{indexObject: o.Index, nearObject: o.Near, formsObject: o.Forms} {
		have, err := store.Stat(ctx, path.Join(prefix, name))
		if err != nil && !errors.Is(err, objstore.ErrNotExist) {
			return false, err
		}
		if err != nil || have.Size != want.Bytes {
			return false, nil
		}
	}
	return true, nil
}

// OpenLookup opens a stored index for a shard.
func OpenLookup(ctx context.Context, store objstore.Store, prefix string, o Objects, key *manifests.Key) (_ *Lookup, err error) {
	var open opener
	defer func() {
		if err != nil {
			err = errors.Join(err, open.close())
		}
	}()
	var s *filter.Stored
	var f *sections.File
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		s, err = open.index(gctx, store, prefix, o.Index)
		return err
	})
	g.Go(func() (err error) {
		f, err = open.sections(gctx, store, path.Join(prefix, nearObject), o.Near, nearKind, numNear)
		return err
	})
	if err := g.Wait(); err != nil {
		return nil, err
	}
	hash := key.NewHasher()
	l := &Lookup{Facts: &s.Facts, Hash: hash, Stored: s, ids: storedIDs{s, hash}, close: open.close}
	accounts, err := sections.Column[uint64](f, nearAccounts)
	if err != nil {
		return nil, err
	}
	contracts, err := sections.Column[uint64](f, nearContracts)
	if err != nil {
		return nil, err
	}
	l.NearAccounts, l.NearContracts = source.OpenNearFilter(accounts), source.OpenNearFilter(contracts)
	if l.NearAccounts == nil || l.NearContracts == nil {
		return nil, fmt.Errorf("%s: %w: a filter is empty", store.URI(path.Join(prefix, nearObject)), sections.ErrDamaged)
	}
	l.Heap = open.heap + int64(s.Accounts())
	return l, nil
}

// OpenListing opens a stored index for commit.
func OpenListing(ctx context.Context, store objstore.Store, prefix string, o Objects) (_ *Listing, err error) {
	var open opener
	defer func() {
		if err != nil {
			err = errors.Join(err, open.close())
		}
	}()
	s, err := open.index(ctx, store, prefix, o.Index)
	if err != nil {
		return nil, err
	}
	return open.listing(ctx, store, prefix, o, s)
}

// Listing opens the listing of a stored index that is open for shards already. It is of use until either is closed.
func (l *Lookup) Listing(ctx context.Context, store objstore.Store, prefix string, o Objects) (*Listing, error) {
	var open opener
	list, err := open.listing(ctx, store, prefix, o, l.Stored)
	if err != nil {
		return nil, errors.Join(err, open.close())
	}
	return list, nil
}

// listing opens what lists the ids of an index.
func (o *opener) listing(ctx context.Context, store objstore.Store, prefix string, objects Objects, s *filter.Stored) (*Listing, error) {
	name := path.Join(prefix, formsObject)
	f, err := o.sections(ctx, store, name, objects.Forms, formsKind, numForms)
	if err != nil {
		return nil, err
	}
	accounts := storedList{ref: func(i int) manifests.Ref { return manifests.Ref(s.Ref(filter.Account(i))) }}
	var contracts storedList
	var refs []manifests.Ref
	err = errors.Join(accounts.read(f, formsAccounts), contracts.read(f, formsContracts))
	if err == nil {
		refs, err = sections.Column[manifests.Ref](f, refsContracts)
	}
	if err == nil && (len(accounts.forms) != s.Accounts() || len(contracts.forms) != s.Restricted() || len(refs) != s.Restricted()) {
		err = fmt.Errorf("%w: it belongs to another index", sections.ErrDamaged)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", store.URI(name), err)
	}
	contracts.ref = func(i int) manifests.Ref { return refs[i] }
	o.unload() // it was checked as a whole, and commit looks at it later
	return &Listing{Facts: &s.Facts, AccountList: accounts, ContractList: contracts, close: o.close}, nil
}

// opener opens the objects of one index, also several at a time.
type opener struct {
	mu       sync.Mutex // guards:
	contents []*objstore.Content
	heap     int64 // bytes of those that are not mapped
}

func (o *opener) close() (err error) {
	for _, c := range o.contents {
		err = errors.Join(err, c.Close())
	}
	o.contents = nil
	return err
}

func (o *opener) unload() {
	for _, c := range o.contents {
		c.Unload()
	}
}

func (o *opener) load(ctx context.Context, store objstore.Store, name string) ([]byte, error) {
	c, err := objstore.Load(ctx, store, name)
	if err != nil {
		return nil, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.contents = append(o.contents, c)
	if !c.Mapped {
		o.heap += int64(len(c.Data))
	}
	return c.Data, nil
}

func (o *opener) index(ctx context.Context, store objstore.Store, prefix string, want Object) (*filter.Stored, error) {
	name := path.Join(prefix, indexObject)
	data, err := o.load(ctx, store, name)
	if err != nil {
		return nil, err
	}
	s, err := filter.Open(data)
	if err == nil {
		err = want.is(s.Sum())
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", store.URI(name), err)
	}
	return s, nil
}

func (o *opener) sections(ctx context.Context, store objstore.Store, name string, want Object, kind sections.Kind, n int) (*sections.File, error) {
	data, err := o.load(ctx, store, name)
	if err != nil {
		return nil, err
	}
	f, err := sections.Open(data, kind, n)
	if err == nil {
		err = want.is(f.Sum())
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", store.URI(name), err)
	}
	return f, nil
}

func (o Object) is(sum uint64) error {
	if o.Sum != fmt.Sprintf("%016x", sum) {
		return errors.New("it is not the consent index of this plan")
	}
	return nil
}

// storedIDs knows accounts by their references and contracts by their hashes. If two
// contracts ever had one hash, the records of both would be excluded.
type storedIDs struct {
	s    *filter.Stored
	hash manifests.Hasher
}

func (i storedIDs) appendAccounts(dst []filter.Account, t *manifests.Accounts, from int) []filter.Account {
	var batch [256]filter.Ref
	_, _, _, refs := t.From(from)
	for len(refs) > 0 {
		n := min(len(batch), len(refs))
		for k, r := range refs[:n] {
			batch[k] = filter.Ref(r)
		}
		dst = i.s.AppendAccounts(dst, batch[:n])
		refs = refs[n:]
	}
	return dst
}

func (i storedIDs) contract(id []byte) filter.Contract { return i.s.Contract(i.hash.Sum128(id)) }

// storedList has the forms as they were stored.
type storedList struct {
	forms []uint64
	marks []uint32
	ref   func(i int) manifests.Ref
}

// read reads forms, and the marks behind them.
func (l *storedList) read(f *sections.File, section int) (err error) {
	if l.forms, err = sections.Column[uint64](f, section); err != nil {
		return err
	}
	if l.marks, err = sections.Column[uint32](f, section+1); err != nil {
		return err
	}
	if len(l.forms) != len(l.marks) {
		return fmt.Errorf("%w: %d forms and %d marks", sections.ErrDamaged, len(l.forms), len(l.marks))
	}
	return nil
}

func (l storedList) Len() int                 { return len(l.forms) }
func (l storedList) Near(i int) source.NearID { return source.Marked(l.forms[i], l.marks[i]) }
func (l storedList) Ref(i int) manifests.Ref  { return l.ref(i) }
