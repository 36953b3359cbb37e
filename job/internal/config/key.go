package config

import (
	"os"

	"assent/job"
	"assent/manifests"
)

// SubjectKey reads the key of account references: from the file that the
// configuration names, else from ASSENT_SUBJECT_KEY.
func SubjectKey(cfg *Config) (*manifests.Key, error) {
	const hint = "32 random bytes in base64, e.g. `head -c 32 /dev/urandom | base64 > subject.key`; keep it secret, and keep it: manifests are read by it"
	text, from := os.Getenv("ASSENT_SUBJECT_KEY"), "ASSENT_SUBJECT_KEY"
	if cfg.SubjectKeyFile != "" {
		data, err := os.ReadFile(cfg.SubjectKeyFile)
		if err != nil {
			return nil, job.UsageError(hint, "%s: subject_key_file: %w", cfg.File, err)
		}
		text, from = string(data), cfg.File+": subject_key_file "+cfg.SubjectKeyFile
	} else if text == "" {
		return nil, job.UsageError(hint, "%s: no key for account references: neither subject_key_file nor ASSENT_SUBJECT_KEY is set", cfg.File)
	}
	key, err := manifests.ParseKey(text)
	if err != nil {
		return nil, job.UsageError(hint, "%s: %w", from, err)
	}
	return key, nil
}
