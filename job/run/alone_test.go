package run

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"assent/job/internal/objstore"
	"assent/job/internal/publish"
	"assent/job/jobtest"
)

// noSeal is a store of a process that ends when all shards are done, before it commits.
type noSeal struct{ objstore.Store }

func (s noSeal) Put(ctx context.Context, name string, data []byte, cond objstore.Condition) (objstore.Object, error) {
	if strings.Contains(name, "/"+sealDir+"/") {
		return objstore.Object{}, errors.New("the process is gone")
	}
	return s.Store.Put(ctx, name, data, cond)
}

// TestCommitOfRunThatEnded ends a run, which takes files over, before its commit. What it held in memory is gone then: a commit by
// another process says so and publishes nothing. A new run, or a new plan, mends that.
func TestCommitOfRunThatEnded(t *testing.T) {
	for _, mend := range []string{"run", "plan"} {
		t.Run(mend, func(t *testing.T) {
			m := newMarket(t, 1)
			m.compare(t, "first night")
			m.writeFile(t, "messages", m.newFile("messages", m.lately()))
			m.horizon = m.horizon.AddDate(0, 0, 1)
			config, _ := m.job(t)
			s := &steps{t: t, config: config, out: filepath.Join(m.dir, "out"), sizes: m.sizes}
			before := inSight(jobtest.Tree(t, s.out))

			s.wrap = func(store objstore.Store) objstore.Store { return noSeal{store} }
			if _, err := Run(t.Context(), s.env(), s.options()); err == nil {
				t.Fatal("the run did not end")
			}
			s.wrap = nil
			plans, err := filepath.Glob(filepath.Join(s.out, publish.PlanDir, "*"))
			if err != nil || len(plans) != 1 {
				t.Fatalf("plans: %v, %v", plans, err)
			}
			if _, err := s.commit(plans[0]); !errors.Is(err, errNotKept) {
				t.Fatalf("commit: %v", err)
			}
			jobtest.SameTrees(t, "after the commit", inSight(jobtest.Tree(t, s.out)), before)

			if mend == "plan" {
				if _, err := s.plan(); err != nil {
					t.Fatal(err)
				}
				if r, err := s.commit(plans[0]); err != nil || r.Reused == nil || r.Reused.Files == 0 {
					t.Fatalf("commit after another plan: %+v, %v", r, err)
				}
			}
			m.compare(t, mend)
		})
	}
}
