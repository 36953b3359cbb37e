package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/parquet-go/parquet-go"

	"assent/job/jobtest"
)

// largeRow is a message whose body no codec makes smaller.
type largeRow struct {
	ID         string    `parquet:"message_id"`
	Freelancer string    `parquet:"freelancer_id"`
	Client     string    `parquet:"client_id"`
	Sent       time.Time `parquet:"sent_at,timestamp(microsecond)"`
	Body       []byte    `parquet:"body"`
}

// large makes a job of one file of so many MiB, in row groups of 64 MiB, that is kept as it is but for some rows.
func large(dir string, mib int) error {
	const body, groupRows = 16 << 10, 4096
	if err := small(dir, 1); err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(dir, "messages/part-00000.parquet"))
	if err != nil {
		return err
	}
	defer f.Close()
	w := parquet.NewGenericWriter[largeRow](f)
	random := rand.NewChaCha8([32]byte{})
	rows := make([]largeRow, groupRows)
	for n := range mib / (body * groupRows >> 20) {
		for i := range rows {
			rows[i] = largeRow{fmt.Sprintf("m%d", n*groupRows+i), "C", "B", time.Date(2026, 2, 1, 0, 0, i, 0, time.UTC), make([]byte, body)}
			random.Read(rows[i].Body)
			if i == 0 {
				rows[i].Freelancer, rows[i].Sent = "A", time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC) // who was out by then
			}
		}
		if _, err := w.Write(rows); err != nil {
			return err
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	return f.Close()
}

// measureJoined makes a plan and its shards, and measures commit, on a directory and on a slow bucket.
func measureJoined(assent, dir string, mib int, delay time.Duration) error {
	if err := large(dir, mib); err != nil {
		return err
	}
	took, cpu, err := commit(assent, dir)
	if err != nil {
		return err
	}
	fmt.Printf("a file of %d MiB is joined: local %.1f s (CPU %.1f s)\n", mib, took.Seconds(), cpu.Seconds())
	args, stop, err := intoBucket(dir, delay)
	if err != nil {
		return err
	}
	defer stop()
	before := ownCPU()
	if took, cpu, err = commit(assent, dir, args...); err != nil {
		return err
	}
	fmt.Printf("a file of %d MiB is joined: with %v a request %.1f s (CPU %.1f s, the bucket's for all steps %.1f s)\n", mib, delay, took.Seconds(), cpu.Seconds(), (ownCPU() - before).Seconds())
	return nil
}

// commit returns how long commit took, and its CPU time.
func commit(assent, dir string, args ...string) (took, cpu time.Duration, err error) {
	os.Setenv("ASSENT_SUBJECT_KEY", jobtest.TestKey)
	out, err := exec.Command(assent, append([]string{"plan", "-c", filepath.Join(dir, "job.yaml")}, args...)...).Output()
	if err != nil {
		return 0, 0, fmt.Errorf("plan: %w", err)
	}
	var planned struct{ Plan string }
	if err := json.Unmarshal(out, &planned); err != nil {
		return 0, 0, err
	}
	if _, _, err := run(assent, "shard", "--plan", planned.Plan, "--index", "0", "--count", "1"); err != nil {
		return 0, 0, err
	}
	return run(assent, "commit", "--plan", planned.Plan)
}
