package publish

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"
	"time"

	"assent/job"
	"assent/job/internal/objstore"
)

// HoldsDir is where readers' holds are below the output, an object each.
const HoldsDir = "_holds"

// holdVersion is the schema_version of holds.
const holdVersion = 1

// holdGrace is for how long a hold is kept to after it expired: the clocks of the
// reader's machine and of the one that removes runs may differ by as much.
const holdGrace = 5 * time.Minute

// Hold keeps a run from being pruned while somebody reads it: <output>/_holds/<name>.json.
type Hold struct {
	SchemaVersion int       `json:"schema_version"`
	Name          string    `json:"name"`
	Run           string    `json:"run"` // the run's directory below the output
	TakenAt       time.Time `json:"taken_at"`
	ExpiresAt     time.Time `json:"expires_at"`
}

// Active tells whether the hold is to be kept to at an instant.
func (h *Hold) Active(now time.Time) bool { return now.Before(h.ExpiresAt.Add(holdGrace)) }

var holdName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._=-]{0,99}$`)

func holdObject(name string) (string, error) {
	if !holdName.MatchString(name) {
		return "", job.UsageError("letters, digits and . _ = - after the first, 100 at most", "hold %q: not a name", name)
	}
	return path.Join(HoldsDir, name+".json"), nil
}

func (p *Output) readHold(ctx context.Context, object string) (*Hold, objstore.Object, error) {
	data, obj, err := p.Store.Read(ctx, object)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, objstore.Object{}, nil
	} else if err != nil {
		return nil, objstore.Object{}, err
	}
	h := new(Hold)
	if err := json.Unmarshal(data, h); err != nil || h.SchemaVersion != holdVersion || h.ExpiresAt.IsZero() || !strings.HasPrefix(h.Run, RunPrefix) {
		return nil, obj, job.Refused("find out who wrote it; to remove it releases the hold", "%s: not a hold that this program can read", p.Store.URI(object))
	}
	return h, obj, nil
}

// Holds returns the holds that are to be kept to, by the runs' directories. A hold that
// cannot be understood is an error, as nobody knows what it holds. Expired ones are
// removed where expired is set.
func (p *Output) Holds(ctx context.Context, now time.Time, expired bool) (map[string][]Hold, error) {
	objects, err := p.Store.List(ctx, HoldsDir)
	if err != nil {
		return nil, err
	}
	holds := map[string][]Hold{}
	for _, o := range objects {
		h, obj, err := p.readHold(ctx, o.Name)
		switch {
		case err != nil:
			return nil, err
		case h == nil: // released since it was listed
		case h.Active(now):
			holds[h.Run] = append(holds[h.Run], *h)
		case expired:
			// One that was renewed since is another generation.
			if err := p.Store.Delete(ctx, obj); err != nil && !errors.Is(err, objstore.ErrPrecondition) {
				return nil, err
			}
		}
	}
	return holds, nil
}

// TakeHold takes the hold name on the run in dir for so long from now. Where the hold
// is there and has not expired, it is renewed: it never ends earlier than before. An
// empty dir is the run that it holds or, for a new hold, the current one. A hold on
// another run moves to dir.
//
// Once TakeHold has returned, nobody prunes the run: a prune first says which run it is
// about to remove ([Output.Announce]) and then looks for holds; this writes the hold and
// then looks for an announcement. So one of the two sees the other, and gives way.
func (p *Output) TakeHold(ctx context.Context, now time.Time, name, dir string, during time.Duration) (*Hold, error) {
	object, err := holdObject(name)
	if err != nil {
		return nil, err
	}
	for range 10 { // somebody else may take, renew or release it, or publish, in between
		old, obj, err := p.readHold(ctx, object)
		if err != nil {
			return nil, err
		}
		next, err := p.nextHold(ctx, old, now, name, dir, during)
		if err != nil {
			return nil, err
		}
		if err := p.holdable(ctx, next.Run); err != nil {
			return nil, err
		}
		cond := objstore.IfAbsent
		if old != nil {
			cond = objstore.IfGeneration(obj.Generation)
		}
		written, err := p.Store.Put(ctx, object, marshalLine(next), cond)
		if errors.Is(err, objstore.ErrPrecondition) {
			continue
		} else if err != nil {
			return nil, err
		}
		err = p.holdable(ctx, next.Run)
		if err == nil {
			return next, nil
		}
		return nil, errors.Join(err, p.takeBack(ctx, old, object, written))
	}
	return nil, fmt.Errorf("%s: others keep changing it", p.Store.URI(object))
}

// nextHold is the hold as it is to be.
func (p *Output) nextHold(ctx context.Context, old *Hold, now time.Time, name, dir string, during time.Duration) (*Hold, error) {
	now = now.UTC().Truncate(time.Second)
	next := &Hold{SchemaVersion: holdVersion, Name: name, Run: dir, TakenAt: now, ExpiresAt: now.Add(during)}
	if old != nil && now.Before(old.ExpiresAt) && (dir == "" || dir == old.Run) {
		next.Run, next.TakenAt = old.Run, old.TakenAt
		if old.ExpiresAt.After(next.ExpiresAt) {
			next.ExpiresAt = old.ExpiresAt
		}
	}
	if next.Run != "" {
		return next, nil
	}
	current, err := p.Current(ctx)
	if err != nil {
		return nil, err
	}
	if current == nil {
		return nil, job.UsageError("publish one with `assent run`", "%s: no run is published there", p.Store.URI(""))
	}
	next.Run = current.Run
	return next, nil
}

// holdable refuses a run that is not there, or that is about to be removed.
func (p *Output) holdable(ctx context.Context, dir string) error {
	announced, err := p.Announced(ctx, dir)
	if err != nil {
		return err
	}
	if announced {
		return &job.Error{Exit: job.ExitFailed, Hint: "hold a newer run; where no prune is at work, one was interrupted, and the next one settles it",
			Err: fmt.Errorf("%s: it is being pruned", p.Store.URI(dir))}
	}
	if _, err = p.Store.Stat(ctx, path.Join(dir, SuccessObject)); errors.Is(err, fs.ErrNotExist) {
		return p.NoRun(ctx, dir)
	}
	return err
}

// takeBack undoes the writing of a hold, unless somebody has changed it since.
func (p *Output) takeBack(ctx context.Context, old *Hold, object string, written objstore.Object) error {
	var err error
	if old == nil {
		err = p.Store.Delete(ctx, written)
	} else {
		_, err = p.Store.Put(ctx, object, marshalLine(old), objstore.IfGeneration(written.Generation))
	}
	if errors.Is(err, objstore.ErrPrecondition) {
		return nil
	}
	return err
}

// ReleaseHold ends a hold. It returns the hold as it was; nil where there was none.
func (p *Output) ReleaseHold(ctx context.Context, name string) (*Hold, error) {
	object, err := holdObject(name)
	if err != nil {
		return nil, err
	}
	for range 10 {
		h, obj, err := p.readHold(ctx, object)
		if err != nil || h == nil {
			return nil, err
		}
		if err := p.Store.Delete(ctx, obj); !errors.Is(err, objstore.ErrPrecondition) {
			return h, err
		}
	}
	return nil, fmt.Errorf("%s: others keep changing it", p.Store.URI(object))
}

// marshalLine is a document of strings and instants alone, which always has a JSON form.
func marshalLine(v any) []byte {
	data, _ := json.Marshal(v)
	return append(data, '\n')
}
