package filter_test

import (
	"testing"
	"time"

	"assent/filter"
	"assent/schema"
)

func at(s string) schema.Instant {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02"} {
		if t, err := time.Parse(layout, s); err == nil {
			return schema.FromTime(t)
		}
	}
	panic(s)
}

func account(b *filter.Builder, id schema.AccountID) filter.Account {
	a, err := b.Account([]byte(string(id)))
	if err != nil {
		panic(err)
	}
	return a
}

// TestGoldenTimeline is the timeline that the rules of the programme give as an example.
func TestGoldenTimeline(t *testing.T) {
	policy := filter.Policy{Start: at("2026-01-05"), Horizon: at("2026-06-01"), Default: schema.OptedIn}
	build := func(deleted bool) (*filter.Index, *filter.World) {
		b := filter.NewBuilder()
		w := &filter.World{Policy: policy, Events: map[schema.AccountID][]filter.Event{}, Deletions: map[schema.AccountID][]filter.Deletion{}}
		for _, e := range []filter.Event{
			{State: schema.OptedOut, At: at("2026-03-01T12:00:00Z")},
			{State: schema.OptedIn, At: at("2026-05-01")},
		} {
			if err := b.Event(account(b, "A"), schema.Communications, e.State, e.At, filter.Sequence{}); err != nil {
				t.Fatal(err)
			}
			w.Events["A"] = append(w.Events["A"], e)
		}
		if deleted {
			d := filter.Deletion{RequestedAt: at("2026-05-20"), Request: "r1"}
			b.Delete(account(b, "B"), d)
			w.Deletions["B"] = []filter.Deletion{d}
		}
		return b.Freeze(policy), w
	}
	for _, c := range []struct {
		name, sent, edited string
		client             string
		deleted            bool
		want               schema.Reasons
	}{
		{name: "the last instant before the start", sent: "2026-01-04T23:59:59.999999999Z", want: schema.BeforeProgram.Set()},
		{name: "the start", sent: "2026-01-05T00:00:00Z"},
		{name: "just before the opt-out", sent: "2026-03-01T11:59:59Z"},
		{name: "at the opt-out", sent: "2026-03-01T12:00:00Z", want: schema.PartyOptedOut.Set()},
		{name: "edited while out", sent: "2026-02-28", edited: "2026-03-02", want: schema.PartyOptedOut.Set()},
		{name: "just before the opt-in", sent: "2026-04-30T23:59:59Z", want: schema.PartyOptedOut.Set()},
		{name: "at the opt-in", sent: "2026-05-01T00:00:00Z"},
		{name: "sent while out, edited while in", sent: "2026-04-30", edited: "2026-05-02", want: schema.PartyOptedOut.Set()},
		{name: "sent before the start", sent: "2025-12-30", edited: "2026-02-01", want: schema.BeforeProgram.Set()},
		{name: "at the horizon", sent: "2026-06-01T00:00:00Z", want: schema.AfterHorizon.Set()},
		{name: "no client", sent: "2026-02-01", client: "-", want: schema.PartyUnknown.Set()},
		{name: "deleted as well", sent: "2026-04-01", deleted: true, want: schema.ReasonsOf(schema.DeletionRequested, schema.PartyOptedOut)},
	} {
		t.Run(c.name, func(t *testing.T) {
			x, w := build(c.deleted)
			sent, edited := at(c.sent), schema.Unknown
			if c.edited != "" {
				edited = at(c.edited)
			}
			client := "B"
			if c.client == "-" {
				client = ""
			}
			rows := &filter.Rows{
				Len:     1,
				Parties: []filter.Accounts{{IDs: []filter.Account{x.Account([]byte("A"))}}, {IDs: []filter.Account{x.Account([]byte(client))}}},
				Moments: [][]schema.Instant{{sent}, {edited}},
			}
			got := make([]schema.Reasons, 1)
			d := x.Decider(schema.Communications)
			d.Decide(rows, got)
			if got[0] != c.want {
				t.Errorf("Decide: %v, want %v", got[0].Strings(), c.want.Strings())
			}
			record := &filter.Record{
				Category: schema.Communications,
				Parties:  []filter.Subject{{Role: "freelancer", ID: "A"}, {Role: "client", ID: schema.AccountID(client)}},
				Moments:  []filter.Moment{{Name: "sent", At: sent}, {Name: "edited", At: edited}},
			}
			if e := w.Explain(record); e.Reasons != c.want {
				t.Errorf("Explain: %v, want %v", e.Reasons.Strings(), c.want.Strings())
			}
			if c.want.Has(schema.PartyOptedOut) {
				f := d.Findings(rows, 0, nil)
				if f[0].Role != 0 || f[0].Cause != schema.PartyOptedOut.Set() || f[0].Since != at("2026-03-01T12:00:00Z") {
					t.Errorf("the freelancer's finding: %+v", f[0])
				}
			}
		})
	}
}
