package verify_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"assent/job/jobtest"
	"assent/job/verify"
)

// TestVerifyQuickCounts: without a look into the pages of manifests, their counts and what they speak of are still held against run.json,
// also where all digests are as they must be.
func TestVerifyQuickCounts(t *testing.T) {
	config, run := auditedJob(t)
	for _, c := range []struct {
		name   string
		change func(t *testing.T, run string)
		file   string
		what   string
	}{
		{"a kept row too few", drop(messagesData, 3), messagesData, "22 rows, the run manifest has 23"},
		{"a kept row too many", repeat(messagesData, 3), messagesData, "24 rows, the run manifest has 23"},
		{"an exclusion too few", drop(messagesExclusions, 0), messagesExclusions, "exclusions, the run manifest has"},
		{"written again", changeRows(messagesExclusions, func(rows []parquet.Row, _ func(string) int) []parquet.Row { return rows }), "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			copied := copyTree(t, run)
			c.change(t, copied)
			for _, config := range []string{"", config} { // with a configuration accounts to be erased are looked for, too
				r, err := verify.Run(t.Context(), jobtest.NewEnv(t), verify.Options{Config: config, Run: copied, Quick: true})
				if c.file == "" {
					if err != nil {
						t.Error("rows as they were:", err)
					}
					continue
				}
				if r == nil || !slices.ContainsFunc(r.Differences, func(d verify.Difference) bool { return d.File == c.file && strings.Contains(d.What, c.what) }) {
					t.Errorf("not found: %+v, %v", r, err)
				}
			}
		})
	}
}
