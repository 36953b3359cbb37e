// Command assent decides which records of a freelance marketplace may be used to
// train models, and proves it. The verbs live in package job; here they get their
// command line, signals, log and exit code.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"runtime/pprof"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
	"golang.org/x/term"

	"assent/job"
	"assent/job/plain"
	"assent/job/run"
)

// version is set by the linker for releases; else it comes from the build's own record.
var version string

// cli is the command table: one struct a verb.
type cli struct {
	LogFormat  string `help:"Log as text or json." enum:"text,json" default:"text"`
	CPUProfile string `help:"Write a CPU profile of the verb to a file, for go tool pprof." type:"path" hidden:""`

	Run      runCmd      `cmd:"" help:"Filter all data sets and publish one run."`
	Plan     planCmd     `cmd:"" help:"First step of run on many machines: cut the work into shards."`
	Shard    shardCmd    `cmd:"" help:"Second step: do some shards of a plan."`
	Commit   commitCmd   `cmd:"" help:"Last step: publish the run of a plan whose shards are done."`
	Verify   verifyCmd   `cmd:"" help:"Audit a published run against its inputs, or (--quick) by itself."`
	Explain  explainCmd  `cmd:"" help:"Say why one record is or is not used."`
	Access   accessCmd   `cmd:"" help:"Write the copy of what a run holds about an account, or about many."`
	Diff     diffCmd     `cmd:"" help:"Say which records changed sides between two runs."`
	Report   reportCmd   `cmd:"" help:"Write the report of a published run again: one HTML page."`
	Erase    eraseCmd    `cmd:"" help:"Say which runs hold accounts that asked for deletion, or remove these runs."`
	Requests requestsCmd `cmd:"" help:"Say how far each deletion request is: which runs honour it, which still hold the account."`
	Runs     runsCmd     `cmd:"" help:"List published runs, hold one, or remove the oldest."`
	Scope    scopeCmd    `cmd:"" help:"Export what models of one account, or of many, may be trained on."`
	Sample   sampleCmd   `cmd:"" help:"Write a small marketplace to try the program on."`
	Version  versionCmd  `cmd:"" help:"Print the version."`
}

type versionCmd struct{}

func (versionCmd) Run() error {
	_, err := fmt.Println("assent", buildVersion())
	return err
}

func buildVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

func main() { os.Exit(execute(os.Args[1:])) }

func execute(args []string) int {
	var c cli
	exited := -1
	fail := newComplaint(args).tell
	parser, err := kong.New(&c, kong.Name("assent"),
		kong.Description("Decides which records of a marketplace may be used to train models, and proves it."),
		helpTexts, kong.Exit(func(code int) { exited = code }))
	if err != nil {
		return fail(err)
	}
	parsed, err := parser.Parse(args)
	if exited >= 0 { // --help
		return exited
	}
	if known := (*job.Error)(nil); errors.As(err, &known) { // of a verb's Options.Validate
		return fail(known)
	}
	if err != nil {
		return fail(&job.Error{Exit: job.ExitUsage, Hint: "see assent --help", Err: err})
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	env := newEnv(c.LogFormat)
	if c.CPUProfile != "" {
		f, err := os.Create(c.CPUProfile)
		if err != nil {
			return fail(err)
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return fail(err)
		}
		defer pprof.StopCPUProfile()
	}
	parsed.BindTo(ctx, (*context.Context)(nil))
	err = parsed.Run(env)
	return fail(errors.Join(err, env.Close()))
}

// newEnv logs to stderr, and draws a bar instead where that is a terminal.
func newEnv(format string) *job.Env {
	terminal := term.IsTerminal(int(os.Stderr.Fd()))
	options := &slog.HandlerOptions{ReplaceAttr: printable}
	if terminal && format == "text" {
		options.Level = slog.LevelWarn
	}
	var handler slog.Handler = slog.NewTextHandler(os.Stderr, options)
	if format == "json" {
		handler = slog.NewJSONHandler(os.Stderr, options)
	}
	env := job.NewEnv(slog.New(handler), buildVersion())
	if os.Getenv("GOMEMLIMIT") == "" { // a limit from the environment stands
		env.LimitMemory = new(collector).limit
	}
	env.Progress = job.LogProgress{Log: env.Log, Every: 10 * time.Second}
	if terminal {
		env.Progress = job.TerminalProgress{W: os.Stderr}
	}
	return env
}

// printable quotes what is not printable in the attributes of a log line: they may name
// files.
func printable(_ []string, a slog.Attr) slog.Attr {
	if err, ok := a.Value.Any().(error); ok {
		a.Value = slog.StringValue(oneLine(err))
	} else if a.Value.Kind() == slog.KindString {
		a.Value = slog.StringValue(plain.Line(a.Value.String()))
	}
	return a
}

// complaint tells of a failure: on stderr in words, or as a log line where logs are JSON, and on stdout as one line of JSON
// where answers were asked for in that form.
type complaint struct{ answer, log bool }

// newComplaint looks at the arguments as they stand, which may be what is wrong.
func newComplaint(args []string) complaint {
	at := slices.Index(args, "--log-format")
	return complaint{
		answer: slices.Contains(args, "--json"),
		log:    slices.Contains(args, "--log-format=json") || at >= 0 && at+1 < len(args) && args[at+1] == "json",
	}
}

// failure is the answer of a verb that has no other.
type failure struct {
	Status string `json:"status"` // a word for the exit code
	Exit   int    `json:"exit"`
	Error  string `json:"error"`
	Hint   string `json:"hint,omitempty"`
	Gates  any    `json:"gates,omitempty"` // of a run that came to them
}

var statusOf = map[int]string{job.ExitUsage: "usage", job.ExitRefused: "refused", job.ExitBadInput: "bad_input", job.ExitInterrupted: "interrupted"}

// WriteText is for no one: a failure is told in words on stderr.
func (failure) WriteText(io.Writer) error { return nil }

// tell says what went wrong and returns the exit code.
func (c complaint) tell(err error) int {
	exit, hint := job.Explain(err)
	if err == nil {
		return exit
	}
	f := failure{Status: cmp.Or(statusOf[exit], "failed"), Exit: exit, Error: oneLine(err), Hint: plain.Line(hint)}
	if c.log {
		slog.New(slog.NewJSONHandler(os.Stderr, nil)).Error(f.Error, "exit", exit, "hint", f.Hint)
	} else {
		fmt.Fprintf(os.Stderr, "assent: error: %s\n", f.Error)
		if f.Hint != "" {
			fmt.Fprintf(os.Stderr, "assent: hint: %s\n", f.Hint)
		}
	}
	if answered := (answeredError{}); c.answer && !errors.As(err, &answered) {
		if gates := (*run.GateError)(nil); errors.As(err, &gates) {
			f.Gates = gates.Gates
		}
		_ = (format{JSON: true}).answer(f, nil) // where stdout is closed, stderr has told it
	}
	return exit
}

// oneLine returns the text of an error as one printable line. Errors that were joined
// stand one after the other; any other newline, as in a file's name, is quoted.
func oneLine(err error) string {
	text := err.Error()
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		if cause := e.Unwrap(); cause != nil {
			text = strings.Replace(text, cause.Error(), oneLine(cause), 1)
		}
	case interface{ Unwrap() []error }:
		var texts, lines []string
		for _, cause := range e.Unwrap() {
			texts, lines = append(texts, cause.Error()), append(lines, oneLine(cause))
		}
		text = strings.Replace(text, strings.Join(texts, "\n"), strings.Join(lines, "; "), 1)
	}
	return plain.Line(text)
}
