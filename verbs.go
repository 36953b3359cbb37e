package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"

	"assent/job"
	"assent/job/access"
	"assent/job/diff"
	"assent/job/erase"
	"assent/job/explain"
	"assent/job/plain"
	"assent/job/report"
	"assent/job/run"
	"assent/job/runs"
	"assent/job/sample"
	"assent/job/verify"
)

// The verbs: what each takes on the command line, and how it answers.

// format is how a verb answers on stdout.
type format struct {
	JSON  bool `xor:"format" help:"Answer with one line of JSON, also on a terminal."`
	Table bool `xor:"format" help:"Answer with a table, also where stdout is no terminal."`
}

// answer writes a result to stdout: a table on a terminal, else one line of JSON. What
// others wrote into the inputs cannot act on a terminal either way.
func (f format) answer(result interface{ WriteText(io.Writer) error }) error {
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
	_, err := os.Stdout.Write(plain.JSON(b.Bytes()))
	return err
}

// config is what all verbs that work on a job take.
type config struct {
	Config string   `short:"c" required:"" placeholder:"FILE" help:"The job's configuration (YAML)."`
	Set    []string `placeholder:"KEY=VALUE" sep:"none" help:"Override a key of the configuration, e.g. inputs.consent.as_of=2026-11-20T00:00:00Z."`
	format
}

type runCmd struct {
	config
	DryRun  bool `help:"Decide and count, write nothing."`
	Workers int  `help:"Files worked on at a time; 0: one a core." default:"0"`
	Memory  size `help:"Memory for pages in flight, beside the consent index." default:"256MiB"`
}

func (c *runCmd) Run(ctx context.Context, env *job.Env) error {
	r, err := run.Run(ctx, env, run.Options{Config: c.Config, Set: c.Set, DryRun: c.DryRun, Workers: c.Workers, Memory: int64(c.Memory)})
	if err != nil {
		return err
	}
	return c.answer(r)
}

type verifyCmd struct {
	Config  string   `short:"c" placeholder:"FILE" help:"The job's configuration (YAML); with --quick it is needed only to look for accounts to be erased."`
	Set     []string `placeholder:"KEY=VALUE" sep:"none" help:"Override a key of the configuration, as it was for the run."`
	Dir     string   `name:"run" required:"" placeholder:"URI" help:"The run's directory, <output>/run=<id>."`
	Quick   bool     `help:"The published run alone: complete, digests, counts, no account to be erased."`
	Workers int      `help:"Files worked on at a time; 0: one a core." default:"0"`
	format
}

// Run answers also where the audit finds differences: the answer says which.
func (c *verifyCmd) Run(ctx context.Context, env *job.Env) error {
	r, err := verify.Run(ctx, env, verify.Options{Config: c.Config, Set: c.Set, Run: c.Dir, Quick: c.Quick, Workers: c.Workers})
	if r == nil {
		return err
	}
	return errors.Join(c.answer(r), err)
}

type explainCmd struct {
	config
	Dataset string `required:"" help:"The data set that the record is in."`
	Record  string `required:"" help:"The record's id."`
}

func (c *explainCmd) Run(ctx context.Context, env *job.Env) error {
	r, err := explain.Run(ctx, env, explain.Options{Config: c.Config, Set: c.Set, Dataset: c.Dataset, Record: c.Record})
	if err != nil {
		return err
	}
	return c.answer(r)
}

type runsCmd struct {
	config
	Current bool `help:"Print the current run's URI alone."`
}

func (c *runsCmd) Run(ctx context.Context, env *job.Env) error {
	o := runs.Options{Config: c.Config, Set: c.Set}
	if c.Current {
		uri, err := runs.Current(ctx, env, o)
		if err != nil {
			return err
		}
		_, err = fmt.Println(uri)
		return err
	}
	list, err := runs.Run(ctx, env, o)
	if err != nil {
		return err
	}
	return c.answer(list)
}

type sampleCmd struct {
	To   string `required:"" placeholder:"DIR" help:"A new or empty directory."`
	Rows int64  `help:"How many messages; all else is in proportion." default:"200000"`
	Seed uint64 `help:"Another seed, another marketplace." default:"1"`
	format
}

func (c *sampleCmd) Run(ctx context.Context, env *job.Env) error {
	r, err := sample.Run(ctx, env, sample.Options{Dir: c.To, Rows: c.Rows, Seed: c.Seed})
	if err != nil {
		return err
	}
	return c.answer(r)
}

type accessCmd struct {
	config
	Dir             string `name:"run" required:"" placeholder:"URI" help:"The run's directory, <output>/run=<id>."`
	Subject         string `required:"" placeholder:"ID" help:"The account's id, as in the data."`
	To              string `required:"" placeholder:"DIR" help:"A new or empty directory of this machine."`
	Format          string `enum:"parquet,csv,jsonl" default:"parquet" help:"Of the tables: parquet, csv or jsonl."`
	IncludeReceived bool   `help:"Give the content of records that others authored, too."`
	RawCSV          bool   `name:"raw-csv" help:"Leave CSV cells as they are that a spreadsheet would calculate. Without it, a cell that begins with = + - @ tab or a line break gets an apostrophe before it, unless it is a number."`
}

func (c *accessCmd) Run(ctx context.Context, env *job.Env) error {
	r, err := access.Run(ctx, env, access.Options{Config: c.Config, Set: c.Set, Run: c.Dir, Subject: c.Subject, Dir: c.To,
		Format: c.Format, IncludeReceived: c.IncludeReceived, RawCSV: c.RawCSV})
	if err != nil {
		return err
	}
	return c.answer(r)
}

type reportCmd struct {
	Dir string `name:"run" required:"" placeholder:"URI" help:"The run's directory, <output>/run=<id>."`
	To  string `required:"" placeholder:"FILE" help:"The HTML file to write."`
	format
}

func (c *reportCmd) Run(ctx context.Context, env *job.Env) error {
	r, err := report.Run(ctx, env, report.Options{Run: c.Dir, To: c.To})
	if err != nil {
		return err
	}
	return c.answer(r)
}

type eraseCmd struct {
	config
	Apply bool `help:"Remove the runs and leave a receipt."`
}

func (c *eraseCmd) Run(ctx context.Context, env *job.Env) error {
	r, err := erase.Run(ctx, env, erase.Options{Config: c.Config, Set: c.Set, Apply: c.Apply})
	if err != nil {
		return err
	}
	return errors.Join(c.answer(r), r.Complaint())
}

type diffCmd struct {
	config
	Before string `arg:"" help:"A published run: its id, or the URI of its directory."`
	After  string `arg:"" help:"The run to compare it with."`
	To     string `placeholder:"FILE" help:"Write all records that changed to a .parquet or .csv file."`
	RawCSV bool   `name:"raw-csv" help:"Leave cells of a .csv file as they are that a spreadsheet would calculate. Without it, a cell that begins with = + - @ tab or a line break gets an apostrophe before it, unless it is a number."`
	Show   int    `help:"Records of each kind of change in the table." default:"10"`
	Memory size   `help:"Memory for record ids, where files are not the same in both runs." default:"256MiB"`
}

func (c *diffCmd) Run(ctx context.Context, env *job.Env) error {
	r, err := diff.Run(ctx, env, diff.Options{Config: c.Config, Set: c.Set, Before: c.Before, After: c.After, To: c.To, RawCSV: c.RawCSV, Show: c.Show, Memory: int64(c.Memory)})
	if err != nil {
		return err
	}
	return c.answer(r)
}
