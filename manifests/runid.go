package manifests

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"assent/schema"
)

// formatVersion counts changes to what a run writes. It is part of a run's id, so
// that a program which writes otherwise does not take an older run for its own.
const formatVersion = 1

// RunID returns the id of the run that a policy gives for inputs at a horizon, with
// references under a key. Inputs count by their identity, not by their rows.
func RunID(policyDigest string, horizon time.Time, inputs []Input, key *Key) string {
	type input struct {
		Role, Path, Identity string
		Size                 int64
	}
	var all []input
	for _, in := range inputs {
		role := in.Role
		if in.Dataset != "" {
			role = "dataset:" + in.Dataset
		}
		all = append(all, input{role, in.Path, in.Identity, in.Bytes})
	}
	sum := Digest(map[string]any{
		"format": formatVersion, "inputs": all, "policy": policyDigest, "horizon": int64(schema.FromTime(horizon)),
		"key": key.Reference(),
	})
	return horizon.UTC().Format("20060102T150405Z") + "-" + sum[:12]
}

// MadeUnder reports whether the run's references were made under a key. The run's id
// is a digest over the key's own reference and over what else stands in the manifest,
// so it can be made again and compared.
func (r *Run) MadeUnder(key *Key) bool {
	return RunID(r.PolicyDigest, r.ConsentAsOf, r.Inputs, key) == r.RunID
}

// Digest is the SHA-256 of a value's JSON, in 64 hex digits. The keys of its maps are
// sorted. The value must be one that JSON can hold.
func Digest(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return SHA256(data)
}

// SHA256 is the digest of an object's bytes as documents name it, in 64 hex digits.
func SHA256(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
