package manifests

import "errors"

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
func (s *Success) Marshal() ([]byte, error) { return nil, errors.ErrUnsupported }

// ParseSuccess is the inverse of Marshal.
func ParseSuccess(data []byte) (*Success, error) { return nil, errors.ErrUnsupported }

// Marshal returns the document's bytes: one line of JSON.
func (c *Current) Marshal() ([]byte, error) { return nil, errors.ErrUnsupported }

// ParseCurrent is the inverse of Marshal.
func ParseCurrent(data []byte) (*Current, error) { return nil, errors.ErrUnsupported }
