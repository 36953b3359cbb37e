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
	ReportSHA256   string `json:"report_sha256"`   // of _manifest/report.html, which is made from run.json
}

// Current is the content of current.json, which names the newest run.
type Current struct {
	Run            string `json:"run"` // directory below the output: run=<id>
	ManifestSHA256 string `json:"manifest_sha256"`
}

// Marshal returns the document's bytes: one line of JSON.
func (s *Success) Marshal() ([]byte, error) { return marshalLine(s, s.validate()) }

// ParseSuccess is the inverse of Marshal. Errors are ErrManifest.
func ParseSuccess(data []byte) (*Success, error) {
	var s Success
	err := json.Unmarshal(data, &s)
	if err == nil {
		err = s.validate()
	}
	if err != nil {
		return nil, fmt.Errorf("%w: success marker: %w", ErrManifest, err)
	}
	return &s, nil
}

func (s *Success) validate() error {
	return errors.Join(checkRunID(s.RunID), checkDigest("manifest_sha256", s.ManifestSHA256), checkDigest("report_sha256", s.ReportSHA256))
}

// Marshal returns the document's bytes: one line of JSON.
func (c *Current) Marshal() ([]byte, error) { return marshalLine(c, c.validate()) }

// ParseCurrent is the inverse of Marshal. Errors are ErrManifest.
func ParseCurrent(data []byte) (*Current, error) {
	var c Current
	err := json.Unmarshal(data, &c)
	if err == nil {
		err = c.validate()
	}
	if err != nil {
		return nil, fmt.Errorf("%w: pointer: %w", ErrManifest, err)
	}
	return &c, nil
}

func (c *Current) validate() error {
	id, ok := strings.CutPrefix(c.Run, "run=")
	if !ok {
		return errors.New("run is not of the form run=<id>")
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
