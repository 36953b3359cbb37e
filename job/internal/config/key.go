package config

import (
	"os"

	"assent/job"
	"assent/manifests"
)

// loadKey reads the key of account references: from the file that the
// configuration names, else from ASSENT_SUBJECT_KEY.
func SubjectKey(cfg *Config) (*manifests.Key, error) {
	const hint = "32 random bytes in base64, e.g. `head -c 32 /dev/urandom | base64 > subject.key`; keep it secret, and keep it: manifests are read by it"
	if cfg.SubjectKeyFile == "" {
		text, ok := os.LookupEnv("ASSENT_SUBJECT_KEY")
		if !ok {
			return nil, job.UsageError(hint, "%s: no key for account references: neither subject_key_file nor ASSENT_SUBJECT_KEY is set", cfg.File)
		}
		key, err := manifests.ParseKey(text)
		if err != nil {
			return nil, job.UsageError(hint, "ASSENT_SUBJECT_KEY: %w", err)
		}
		return key, nil
	}
	data, err := os.ReadFile(cfg.SubjectKeyFile)
	if err != nil {
		return nil, job.UsageError(hint, "%s: subject_key_file: %w", cfg.File, err)
	}
	key, err := manifests.ParseKey(string(data))
	if err != nil {
		return nil, job.UsageError(hint, "%s: subject_key_file %s: %w", cfg.File, cfg.SubjectKeyFile, err)
	}
	return key, nil
}
