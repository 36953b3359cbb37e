// Command latency measures a job on a bucket whose every request takes a while against
// the same job on a local directory: many small files, and a few large ones; or how long
// commit takes to join the pieces of one very large file.
//
//	go build -o /tmp/assent . && go run ./scripts/bench/latency -assent /tmp/assent
package main

import (
	"context"
	"flag"
	"fmt"
	"io/fs"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"cloud.google.com/go/storage"
	"golang.org/x/sync/errgroup"

	"assent/job/jobtest"
)

func main() {
	assent := flag.String("assent", "./assent", "the program")
	files := flag.Int("files", 10_000, "small files; 0: none")
	rows := flag.Int("rows", 0, "messages of a sample in few large files; 0: none")
	mib := flag.Int("joined", 0, "MiB of one file that is cut into pieces of 512, which commit joins; 0: none")
	delay := flag.Duration("delay", 30*time.Millisecond, "how long each request takes")
	flag.Parse()
	dir, err := os.MkdirTemp("", "latency-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	os.Setenv("ASSENT_SUBJECT_KEY", jobtest.TestKey)
	if *files > 0 {
		err = measure("small files", *assent, filepath.Join(dir, "small"), *delay, func(dir string) error { return small(dir, *files) })
	}
	if err == nil && *rows > 0 {
		err = measure("large files", *assent, filepath.Join(dir, "large"), *delay, func(dir string) error {
			return exec.Command(*assent, "sample", "--to", dir, "--rows", fmt.Sprint(*rows)).Run()
		})
	}
	if err == nil && *mib > 0 {
		err = measureJoined(*assent, filepath.Join(dir, "joined"), *mib, *delay)
	}
	if err != nil {
		log.Print(err)
	}
}

// small makes a job of n files of two messages.
func small(dir string, n int) error {
	if err := jobtest.WriteParquet(filepath.Join(dir, "consent_history/a.parquet"), "account_id:string,category:string,opted_in:bool,effective_at:ts_us\n"+
		"A,communications,false,2026-03-01T12:00:00Z\n"); err != nil {
		return err
	}
	first := filepath.Join(dir, "messages/part-00000.parquet")
	if err := jobtest.WriteParquet(first, "message_id:string,freelancer_id:string,client_id:string,sent_at:ts_us,body:string\n"+
		"m1,A,B,2026-02-01T00:00:00Z,first\nm2,C,B,2026-02-02T00:00:00Z,second\n"); err != nil {
		return err
	}
	data, err := os.ReadFile(first)
	for i := 1; i < n && err == nil; i++ {
		err = os.WriteFile(filepath.Join(dir, fmt.Sprintf("messages/part-%05d.parquet", i)), data, 0o644)
	}
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "job.yaml"), []byte(`version: 1
program: {name: latency, starts_at: 2026-01-05T00:00:00Z}
output: out
inputs:
  consent: {path: consent_history/, as_of: 2026-06-01T00:00:00Z}
datasets:
  messages: {path: messages/, moments: {sent: sent_at}}
gates: {min_account_match: 0}
`), 0o644)
}

// measure runs a job on a directory and on a slow bucket.
func measure(what, assent, dir string, delay time.Duration, generate func(dir string) error) error {
	if err := generate(dir); err != nil {
		return err
	}
	local, localCPU, err := run(assent, "run", "-c", filepath.Join(dir, "job.yaml"))
	if err != nil {
		return err
	}
	args, stop, err := intoBucket(dir, delay)
	if err != nil {
		return err
	}
	defer stop()
	before := ownCPU()
	remote, remoteCPU, err := run(assent, append([]string{"run", "-c", filepath.Join(dir, "job.yaml")}, args...)...)
	if err != nil {
		return err
	}
	fmt.Printf("%s: local %.1f s (CPU %.1f s), with %v a request %.1f s (CPU %.1f s, the bucket's %.1f s): %.2fx\n", what, local.Seconds(), localCPU.Seconds(),
		delay, remote.Seconds(), remoteCPU.Seconds(), (ownCPU() - before).Seconds(), remote.Seconds()/local.Seconds())
	return nil
}

// intoBucket starts a slow bucket with a job's inputs, and returns the arguments by which the job works there.
func intoBucket(dir string, delay time.Duration) (args []string, stop func(), err error) {
	const bucket = "lake"
	host, end := startBucket(bucket, delay)
	defer func() {
		if err != nil {
			end()
		}
	}()
	os.Setenv("STORAGE_EMULATOR_HOST", host)
	if err := upload(dir, bucket); err != nil {
		return nil, nil, err
	}
	root := "gs://" + bucket
	args = []string{"--set", "output=" + root + "/out"}
	sub, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, err
	}
	keys := map[string]string{
		"consent_history": "inputs.consent.path", "deletion_requests": "inputs.deletions.path", "contract_restrictions": "inputs.restrictions.path",
		"accounts": "inputs.accounts.path", "messages": "datasets.messages.path", "deliverables": "datasets.deliverables.path", "platform_events": "datasets.events.path",
	}
	for _, d := range sub {
		if key := keys[d.Name()]; key != "" {
			args = append(args, "--set", key+"="+root+"/"+d.Name()+"/")
		}
	}
	return args, end, nil
}

// run returns how long the program took, and its CPU time.
func run(assent string, args ...string) (took, cpu time.Duration, err error) {
	cmd := exec.Command(assent, args...)
	began := time.Now()
	out, err := cmd.CombinedOutput()
	if err != nil {
		return 0, 0, fmt.Errorf("%w: %s", err, out)
	}
	return time.Since(began), cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), nil
}

// ownCPU is the CPU time of this process, in which the bucket is, on the machine of the program that is measured.
func ownCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		log.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// upload puts the inputs into the bucket.
func upload(dir, bucket string) error {
	client, err := storage.NewClient(context.Background())
	if err != nil {
		return err
	}
	defer client.Close()
	g, ctx := errgroup.WithContext(context.Background())
	g.SetLimit(64)
	err = filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		name, rerr := filepath.Rel(dir, file)
		if err != nil || rerr != nil || d.IsDir() || strings.HasPrefix(name, "out") {
			return err
		}
		g.Go(func() error {
			data, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			w := client.Bucket(bucket).Object(filepath.ToSlash(name)).NewWriter(ctx)
			w.ChunkSize = len(data) + 1
			if _, err := w.Write(data); err != nil {
				return err
			}
			return w.Close()
		})
		return nil
	})
	if gerr := g.Wait(); err == nil {
		err = gerr
	}
	return err
}
