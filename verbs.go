package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/alecthomas/kong"
	"golang.org/x/term"

	"assent/job"
	"assent/job/access"
	"assent/job/diff"
	"assent/job/erase"
	"assent/job/explain"
	"assent/job/plain"
	"assent/job/report"
	"assent/job/requests"
	"assent/job/run"
	"assent/job/runs"
	"assent/job/sample"
	"assent/job/scope"
	"assent/job/verify"
)

// The verbs: what each takes on the command line, and how it answers.

// format is how a verb answers on stdout.
type format struct {
	JSON  bool `xor:"format" help:"Answer with one line of JSON, also on a terminal."`
	Table bool `xor:"format" help:"Answer with a table, also where stdout is no terminal."`
}

// answer writes a result to stdout, unless there is an error instead: a table on a
// terminal, else one line of JSON. What others wrote into the inputs cannot act on a
// terminal either way.
func (f format) answer(result interface{ WriteText(io.Writer) error }, err error) error {
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if f.Table || !f.JSON && term.IsTerminal(int(os.Stdout.Fd())) {
		if err := result.WriteText(&b); err != nil {
			return err
		}
		_, err := io.WriteString(os.Stdout, plain.Lines(b.String()))
		return err
	}
	if err := json.NewEncoder(&b).Encode(result); err != nil {
		return err
	}
	_, err = os.Stdout.Write(plain.JSON(b.Bytes()))
	return err
}

// answerBeside is answer where there is a complaint beside the result.
func (f format) answerBeside(result interface{ WriteText(io.Writer) error }, complaint error) error {
	if err := f.answer(result, nil); err != nil || complaint == nil {
		return errors.Join(err, complaint)
	}
	return answeredError{complaint}
}

// answeredError is an error beside which there is an answer already.
type answeredError struct{ error }

func (e answeredError) Unwrap() error { return e.error }

// helpTexts are what flags of several verbs say of themselves.
var helpTexts = kong.Vars{
	"config": "The job's configuration (YAML).",
	"set":    "Override a key of the configuration, e.g. inputs.consent.as_of=2026-11-20T00:00:00Z.",
	"rawcsv": "Without it, a cell that begins with = + - @ tab or a line break gets an apostrophe before it, unless it is a number.",
}

type runCmd struct {
	Config  string   `short:"c" required:"" placeholder:"FILE" help:"${config}"`
	Set     []string `placeholder:"KEY=VALUE" sep:"none" help:"${set}"`
	DryRun  bool     `help:"Decide and count, write nothing."`
	NoReuse bool     `help:"Work from nothing: take no file over from the current run."`
	Workers int      `help:"Files worked on at a time; 0: one a core." default:"0"`
	Memory  job.Size `help:"Memory for pages in flight, beside the consent index." default:"256MiB"`
	run.Told
	format
}

func (c *runCmd) Run(ctx context.Context, env *job.Env) error {
	r, err := run.Run(ctx, env, run.Options{Config: c.Config, Set: c.Set, DryRun: c.DryRun, NoReuse: c.NoReuse, Workers: c.Workers, Memory: int64(c.Memory), Told: told(c.Told)})
	return c.answer(r, err)
}

// told adds the environment, which says where lineage's events go.
func told(t run.Told) run.Told {
	t.Getenv = os.Getenv
	return t
}

type planCmd struct {
	Config  string   `short:"c" required:"" placeholder:"FILE" help:"${config}"`
	Set     []string `placeholder:"KEY=VALUE" sep:"none" help:"${set}"`
	NoReuse bool     `help:"Plan from nothing: take no file over from the current run."`
	Workers int      `help:"Files looked at at a time; 0: as many as pay." default:"0"`
	run.Told
	format
}

func (c *planCmd) Run(ctx context.Context, env *job.Env) error {
	r, err := run.StepPlan(ctx, env, run.Options{Config: c.Config, Set: c.Set, NoReuse: c.NoReuse, Workers: c.Workers, Told: told(c.Told)})
	return c.answer(r, err)
}

type shardCmd struct {
	Options run.ShardOptions `embed:""`
	format
}

func (c *shardCmd) Run(ctx context.Context, env *job.Env) error {
	r, err := run.StepShard(ctx, env, os.Getenv, c.Options)
	return c.answer(r, err)
}

type commitCmd struct {
	Options run.CommitOptions `embed:""`
	format
}

func (c *commitCmd) Run(ctx context.Context, env *job.Env) error {
	c.Options.Told = told(c.Options.Told)
	r, err := run.StepCommit(ctx, env, c.Options)
	return c.answer(r, err)
}

type verifyCmd struct {
	Config  string   `short:"c" placeholder:"FILE" help:"The job's configuration (YAML); with --quick it is needed only to look for accounts to be erased."`
	Set     []string `placeholder:"KEY=VALUE" sep:"none" help:"Override a key of the configuration, as it was for the run."`
	Dir     string   `name:"run" required:"" placeholder:"URI" help:"The run's directory, <output>/run=<id>."`
	Quick   bool     `help:"The published run alone: complete, digests, counts, no account to be erased."`
	Use     string   `placeholder:"marketplace|account:ID" help:"What is to be trained: models for the marketplace, or those of one account. A use that the run does not permit is refused."`
	Dataset []string `placeholder:"NAME" help:"A data set that is to be used (again for more); without it all."`
	Workers int      `help:"Files worked on at a time; 0: one a core." default:"0"`
	Key     string   `name:"public-key" placeholder:"FILE" help:"The ed25519 key (PEM) that must have signed the run. Without it: that of the configured signing key."`
	format
}

// Run answers also where the audit finds differences: the answer says which.
func (c *verifyCmd) Run(ctx context.Context, env *job.Env) error {
	r, err := verify.Run(ctx, env, verify.Options{Config: c.Config, Set: c.Set, Run: c.Dir, Quick: c.Quick, Use: c.Use, Datasets: c.Dataset, Workers: c.Workers, PublicKey: c.Key})
	if r == nil {
		return err
	}
	return c.answerBeside(r, err)
}

type explainCmd struct {
	Options explain.Options `embed:""`
	format
}

func (c *explainCmd) Run(ctx context.Context, env *job.Env) error {
	r, err := explain.Run(ctx, env, c.Options)
	return c.answer(r, err)
}

type runsCmd struct {
	Options runs.Options  `embed:""`
	Current bool          `xor:"act" help:"Print the current run's URI alone."`
	Prune   bool          `xor:"act" help:"Remove the oldest runs; never the current one, one that is held, or one that holds accounts that asked for deletion."`
	Keep    int           `placeholder:"N" help:"With --prune: how many of the newest runs stay."`
	DryRun  bool          `help:"With --prune: say what it would remove, and remove nothing."`
	Hold    string        `xor:"act" placeholder:"NAME" help:"Keep the current run from being pruned, or go on with the hold of this name. Needs --for."`
	For     time.Duration `placeholder:"DURATION" help:"With --hold: for how long from now, such as 72h."`
	Dir     string        `name:"run" placeholder:"URI" help:"With --hold: hold this run."`
	Release string        `xor:"act" placeholder:"NAME" help:"End a hold."`
	format
}

func (c *runsCmd) Run(ctx context.Context, env *job.Env) error {
	switch {
	case c.Current:
		uri, err := runs.Current(ctx, env, c.Options)
		if err != nil {
			return err
		}
		_, err = fmt.Println(uri)
		return err
	case c.Prune:
		r, err := runs.Prune(ctx, env, c.Options, c.Keep, c.DryRun)
		return c.answer(r, err)
	case c.Hold != "":
		r, err := runs.TakeHold(ctx, env, c.Options, c.Hold, c.Dir, c.For)
		return c.answer(r, err)
	case c.Release != "":
		r, err := runs.Release(ctx, env, c.Options, c.Release)
		return c.answer(r, err)
	case c.Keep != 0 || c.DryRun || c.For != 0 || c.Dir != "":
		return job.UsageError("--keep and --dry-run go with --prune, --for and --run with --hold", "runs: an option that changes nothing")
	}
	r, err := runs.Run(ctx, env, c.Options)
	return c.answer(r, err)
}

type sampleCmd struct {
	To   string `required:"" placeholder:"DIR" help:"A new or empty directory."`
	Rows int64  `help:"How many messages; all else is in proportion." default:"200000"`
	Seed uint64 `help:"Another seed, another marketplace." default:"1"`
	format
}

func (c *sampleCmd) Run(ctx context.Context, env *job.Env) error {
	r, err := sample.Run(ctx, env, sample.Options{Dir: c.To, Rows: c.Rows, Seed: c.Seed})
	return c.answer(r, err)
}

type accessCmd struct {
	Options access.Options `embed:""`
	format
}

func (c *accessCmd) Run(ctx context.Context, env *job.Env) error {
	r, err := access.Run(ctx, env, c.Options)
	return c.answer(r, err)
}

type reportCmd struct {
	Options report.Options `embed:""`
	format
}

func (c *reportCmd) Run(ctx context.Context, env *job.Env) error {
	r, err := report.Run(ctx, env, c.Options)
	return c.answer(r, err)
}

type eraseCmd struct {
	Options erase.Options `embed:""`
	format
}

// Run answers also where a run could not be checked: the answer says which.
func (c *eraseCmd) Run(ctx context.Context, env *job.Env) error {
	r, err := erase.Run(ctx, env, c.Options)
	if err != nil {
		return err
	}
	return c.answerBeside(r, r.Complaint())
}

type scopeCmd struct {
	Options scope.Options `embed:""`
	format
}

func (c *scopeCmd) Run(ctx context.Context, env *job.Env) error {
	r, err := scope.Run(ctx, env, c.Options)
	return c.answer(r, err)
}

type requestsCmd struct {
	Options requests.Options `embed:""`
	format
}

// Run answers also where a run could not be checked: the answer says which.
func (c *requestsCmd) Run(ctx context.Context, env *job.Env) error {
	r, err := requests.Run(ctx, env, c.Options)
	if err != nil {
		return err
	}
	return c.answerBeside(r, r.Complaint())
}

type diffCmd struct {
	Options diff.Options `embed:""`
	format
}

func (c *diffCmd) Run(ctx context.Context, env *job.Env) error {
	r, err := diff.Run(ctx, env, c.Options)
	return c.answer(r, err)
}
