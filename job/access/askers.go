package access

import (
	"context"
	"slices"
	"time"

	"assent/job"
	"assent/job/internal/holdings"
	"assent/job/internal/source"
	"assent/manifests"
	"assent/schema"
)

// asker is an account that a copy is made for.
type asker struct {
	line        int // of the list, from 1; 0 without a list
	id          schema.AccountID
	request     string    // its id; "" where not given
	requestedAt time.Time // zero where not given

	own     map[string]bool // all ids of the account
	ref     manifests.Ref   // of the id that was asked for
	refs    []manifests.Ref // of all
	choices Choices
	labels  *Labels

	group  int      // askers of one group are worked on at a time; see groups
	found  []*found // in its group's turn: by data set
	counts map[string]DatasetCounts
	files  int
}

// hasRef reports whether a reference, in its text form, is one of the account's.
func (who *asker) hasRef(text []byte) bool {
	ref, err := manifests.ParseRef(string(text))
	return err == nil && slices.Contains(who.refs, ref)
}

// findAskers reads which accounts copies are made for, and all ids of each.
func (a *copier) findAskers(ctx context.Context, key *manifests.Key) (err error) {
	if a.o.Subjects == "" {
		day, _ := holdings.ParseDay(a.o.RequestedAt)
		a.askers = []*asker{{id: schema.AccountID(a.o.Subject), request: a.o.Request, requestedAt: day}}
	} else {
		list, err := holdings.ReadList(a.o.Subjects)
		if err != nil {
			return err
		}
		for _, l := range list {
			a.askers = append(a.askers, &asker{line: l.Line, id: l.ID, request: l.Request, requestedAt: l.RequestedAt})
		}
	}
	if a.aliases, err = source.ReadAliases(ctx, a.Env, a.cfg); err != nil {
		return err
	}
	a.byRef = map[manifests.Ref]*asker{}
	referrer := key.NewReferrer()
	for _, who := range a.askers {
		who.own = map[string]bool{}
		who.ref = referrer.Ref([]byte(string(who.id)))
		for _, id := range a.aliases.IDs(who.id) {
			ref := referrer.Ref([]byte(string(id)))
			if other := a.byRef[ref]; other != nil {
				return job.UsageError("leave one line for each account; an alias's account and the account are one", "%s: line %d asks for the account of line %d again", a.o.Subjects, who.line, other.line)
			}
			a.byRef[ref] = who
			who.own[string(id)] = true
			who.refs = append(who.refs, ref)
		}
		who.labels = NewLabels(who.own)
	}
	return nil
}
