package erase

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"assent/job/internal/holdings"
	"assent/job/internal/pages"
	receiptpage "assent/job/internal/receipt"
	"assent/manifests"
)

// page makes the page of a receipt, whose bytes are given. It says what a person who
// answers for the erasure has to know; that each object is gone, the receipt itself says.
func (r *Receipt) page(data []byte) ([]byte, error) {
	p := &receiptpage.Page{
		Title: "Receipt of an erasure", Done: r.RemovedAt, SHA256: manifests.SHA256(data), Requests: r.requests(),
		Lead: fmt.Sprintf("Training data of the programme %s that held accounts which asked for deletion was removed.", r.Program),
		Facts: []receiptpage.Fact{
			{Name: "Receipt", Value: r.ReceiptID, ID: true},
			{Name: "Output", Value: r.Output, ID: true},
			{Name: "Begun (UTC)", Value: pages.Time(r.BegunAt)},
			{Name: "Removed (UTC)", Value: pages.Time(r.RemovedAt)},
			{Name: "Storage", Value: r.Storage.Kind},
			{Name: "By", Value: r.FinishedBy.Name + " " + r.FinishedBy.Version},
		},
	}
	if gone := r.Storage.GoneFrom; gone != nil {
		p.Facts = slices.Insert(p.Facts, 4, receiptpage.Fact{Name: "Gone for good (UTC)", Value: "from " + pages.Time(*gone)})
	}
	var scopes []string
	runs := receiptpage.Table{Heading: "Runs that were removed", Header: []string{"run", "accounts", "records", "objects", "bytes"}, Numbers: 1}
	accounts := receiptpage.Table{Heading: "Accounts that they held, by reference", Header: []string{"account", "request", "run", "records"}, Numbers: 3}
	for i := range r.Runs {
		run := &r.Runs[i]
		runs.Rows = append(runs.Rows, append([]string{run.RunID, pages.Count(int64(run.Accounts)), pages.Count(run.KeptRows)}, run.size()...))
		scopes = append(scopes, scopeLines(run.Scopes)...)
		for _, s := range run.Subjects {
			accounts.Rows = append(accounts.Rows, []string{s.Ref, pages.List(s.Requests), run.RunID, pages.Count(s.KeptRows)})
		}
	}
	for i := range r.Incomplete {
		d := &r.Incomplete[i]
		runs.Rows = append(runs.Rows, append([]string{d.Dir + " (never finished)", "not known", "not known"}, d.size()...))
	}
	p.Tables = append(p.Tables, runs, accounts)
	var unchecked []string
	for _, u := range r.Unchecked {
		unchecked = append(unchecked, u.RunID+": "+u.Problem)
	}
	for _, l := range []receiptpage.List{
		{Heading: "Exported from these runs before, to be removed where they are", Items: scopes},
		{Heading: "Not checked, and still there", Items: unchecked}, {Heading: "What the storage does", Items: r.Storage.Meaning},
		{Heading: "Kept as evidence", Items: r.Evidence}, {Heading: "Not covered", Items: r.NotCovered},
	} {
		if len(l.Items) > 0 {
			p.Lists = append(p.Lists, l)
		}
	}
	return p.HTML()
}

func (e *ErasedObjects) size() []string {
	bytes := int64(0)
	for _, o := range e.Objects {
		bytes += o.Bytes
	}
	return []string{pages.Count(int64(len(e.Objects))), pages.Count(bytes)}
}

// requests lists the requests that the erasure was for, each once, the oldest first.
func (r *Receipt) requests() []receiptpage.Request {
	when := func(r holdings.Request) time.Time {
		if r.At == nil {
			return time.Time{}
		}
		return *r.At
	}
	all := []holdings.Request{}
	for _, run := range r.Runs {
		for _, s := range run.Subjects {
			all = append(all, s.Asked...)
		}
	}
	slices.SortFunc(all, func(a, b holdings.Request) int {
		return cmp.Or(when(a).Compare(when(b)), cmp.Compare(a.ID, b.ID))
	})
	all = slices.CompactFunc(all, func(a, b holdings.Request) bool { return a.ID == b.ID && when(a).Equal(when(b)) })
	out := make([]receiptpage.Request, len(all))
	for i, r := range all {
		out[i] = receiptpage.Request(r)
	}
	return out
}
