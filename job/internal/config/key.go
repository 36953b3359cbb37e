package config

import (
	"os"

	"assent/job"
	"assent/manifests"
)

// SubjectKey reads the key of account references: from the file that the
// configuration names, else from ASSENT_SUBJECT_KEY.
func SubjectKey(cfg *Config) (*manifests.Key, error) {
	return SubjectKeyOf(cfg.SubjectKeyFile, cfg.File)
}

// SubjectKeyOf is SubjectKey for the file that the document from names; empty: it names none.
func SubjectKeyOf(file, document string) (*manifests.Key, error) {
	const hint = "32 random bytes in base64, e.g. `head -c 32 /dev/urandom | base64 > subject.key`; keep it secret, and keep it: manifests are read by it"
	text, from := os.Getenv("ASSENT_SUBJECT_KEY"), "ASSENT_SUBJECT_KEY"
	if file != "" {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, job.UsageError(hint, "%s: subject_key_file: %w", document, err)
		}
		text, from = string(data), document+": subject_key_file "+file
	} else if text == "" {
		return nil, job.UsageError(hint, "%s: no key for account references: neither subject_key_file nor ASSENT_SUBJECT_KEY is set", document)
	}
	key, err := manifests.ParseKey(text)
	if err != nil {
		return nil, job.UsageError(hint, "%s: %w", from, err)
	}
	return key, nil
}
