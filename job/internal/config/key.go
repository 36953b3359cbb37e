package config

import (
	"os"

	"assent/job"
	"assent/job/internal/attest"
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

// SigningKey reads the key that signs runs and receipts: from the file that the
// configuration names, else from ASSENT_SIGNING_KEY. Nil: neither is set, and nothing is
// signed.
func SigningKey(cfg *Config) (*attest.Signer, error) {
	return SigningKeyOf(cfg.SigningKeyFile, cfg.File)
}

// SigningKeyOf is SigningKey for the file that a document names; empty: it names none.
func SigningKeyOf(file, document string) (*attest.Signer, error) {
	const hint = "`openssl genpkey -algorithm ed25519 -out signing.pem` makes one; its public half is `openssl pkey -in signing.pem -pubout`"
	text, from := []byte(os.Getenv("ASSENT_SIGNING_KEY")), "ASSENT_SIGNING_KEY"
	if file != "" {
		var err error
		if text, err = os.ReadFile(file); err != nil {
			return nil, job.UsageError(hint, "%s: signing_key_file: %w", document, err)
		}
		from = document + ": signing_key_file " + file
	} else if len(text) == 0 {
		return nil, nil
	}
	key, err := attest.ParseSigner(text)
	if err != nil {
		return nil, job.UsageError(hint, "%s: %w", from, err)
	}
	return key, nil
}
