package transform

import (
	"sync/atomic"

	"assent/job/internal/source"
	"assent/job/internal/transform/redact"
	"assent/job/parquet"
	"assent/job/parquet/rewrite"
	"assent/manifests"
	"assent/schema"
)

// redact replaces what lets a person be reached in a column's texts.
func (b *binder) redact(leaf int, column string) (rewrite.Transform, error) {
	c := &b.f.Columns()[leaf]
	if c.Physical != parquet.ByteArray || c.Logical.Kind != parquet.String && c.Logical.Kind != parquet.None {
		return rewrite.Transform{}, columnErrorf("redact", column, "redact takes text: strings, and byte arrays without a logical type", "%s is no text", source.TypeName(c))
	}
	names := b.Dataset.Handover.Redact[column]
	redactor := NewRedactor(names)
	values := b.count(column, manifests.Redacted, "")
	found := b.out.redactions(len(b.out.counts) - 1)
	return rewrite.Transform{New: func() rewrite.Mapper {
		r := redactor.Clone()
		return func(dst, value []byte, n int) []byte {
			var details redact.Counts
			dst = r.Append(dst, value, &details)
			values.Add(int64(n))
			for k, of := range details {
				if of > 0 {
					found[k].Add(of * int64(n))
				}
			}
			return dst
		}
	}}, nil
}

// NewRedactor returns a redactor of some kinds of detail.
func NewRedactor(which []schema.Detail) *redact.Redactor {
	var kinds []redact.Kind
	for _, name := range which {
		if k, ok := redact.ParseKind(string(name)); ok {
			kinds = append(kinds, k)
		}
	}
	return redact.New(kinds...)
}

// redactions are the numbers of details that were replaced in a column, by redact.Kind.
func (f *File) redactions(at int) []atomic.Int64 {
	f.counts[at].found = make([]atomic.Int64, len(redact.Names()))
	return f.counts[at].found
}

// redacted returns the numbers of details by the names of their kinds; those of which there are none are not there.
func (c *count) redacted() map[string]int64 {
	var all map[string]int64
	for k, name := range redact.Names() {
		if c.found == nil || c.found[k].Load() == 0 {
			continue
		}
		if all == nil {
			all = map[string]int64{}
		}
		all[name] = c.found[k].Load()
	}
	return all
}
