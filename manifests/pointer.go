package manifests

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Success is the content of _SUCCESS, which seals a run.
type Success struct {
	RunID          string `json:"run_id"`
	ManifestSHA256 string `json:"manifest_sha256"` // of _manifest/run.json, 64 hex digits
}

// Current is the content of current.json, which names the newest run.
type Current struct {
	Run            string `json:"run"` // directory below the output: run=<id>
	ManifestSHA256 string `json:"manifest_sha256"`
}

// Marshal returns the document's bytes: one line of JSON.
func (s *Success) Marshal() ([]byte, error) { return marshalLine(s, s.validate()) }

// ParseSuccess is the inverse of Marshal.
func ParseSuccess(data []byte) (*Success, error) {
	var s Success
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("success marker: %w", err)
	}
	return &s, s.validate()
}

func (s *Success) validate() error {
	return errors.Join(checkRunID(s.RunID), checkDigest("manifest_sha256", s.ManifestSHA256))
}

// Marshal returns the document's bytes: one line of JSON.
func (c *Current) Marshal() ([]byte, error) { return marshalLine(c, c.validate()) }

// ParseCurrent is the inverse of Marshal.
func ParseCurrent(data []byte) (*Current, error) {
	var c Current
	if err := json.Unmarshal(data, &c); err != nil {
		return nil, fmt.Errorf("pointer: %w", err)
	}
	return &c, c.validate()
}

func (c *Current) validate() error {
	id, ok := strings.CutPrefix(c.Run, "run=")
	if !ok {
		return errors.New("pointer: run is not of the form run=<id>")
	}
	return errors.Join(checkRunID(id), checkDigest("manifest_sha256", c.ManifestSHA256))
}

func marshalLine(v any, invalid error) ([]byte, error) {
	if invalid != nil {
		return nil, invalid
	}
	data, err := json.Marshal(v)
	return append(data, '\n'), err
}
