package config

import (
	"os"
	"slices"

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
	return readKey(file, document, "key for account references", "subject_key_file", "ASSENT_SUBJECT_KEY", hint)
}

// PseudonymKey reads the key of pseudonyms: from the file that the configuration names,
// else from ASSENT_PSEUDONYM_KEY. It is nil where no data set pseudonymises. The digest
// of the configuration is over the key's reference from then on: what was made under
// another key is another run. subject is the key of account references.
func PseudonymKey(cfg *Config, subject *manifests.Key) (*manifests.Key, error) {
	if !slices.ContainsFunc(cfg.Datasets, func(d DatasetConfig) bool { return len(d.Handover.Pseudonymise) > 0 }) {
		return nil, nil
	}
	key, err := PseudonymKeyOf(cfg.PseudonymFile, cfg.File, subject)
	if err == nil {
		cfg.Pseudonyms = key.Reference()
	}
	return key, err
}

// PseudonymKeyOf is PseudonymKey for the file that the document from names; empty: it names
// none. It must not be the subject key: who may read manifests by that could tell whose a
// pseudonym is.
func PseudonymKeyOf(file, document string, subject *manifests.Key) (*manifests.Key, error) {
	const hint = "32 random bytes in base64, e.g. `head -c 32 /dev/urandom | base64 > pseudonym.key`; another than the subject key; under the same key an id has the same pseudonym in every run"
	key, err := readKey(file, document, "key for pseudonyms", "pseudonym_key_file", "ASSENT_PSEUDONYM_KEY", hint)
	if err == nil && *key == *subject {
		return nil, job.UsageError(hint, "%s: the key for pseudonyms is the one for account references", document)
	}
	return key, err
}

// readKey reads a key from a file that a document may name, else from the environment.
func readKey(file, document, what, name, variable, hint string) (*manifests.Key, error) {
	text, from := os.Getenv(variable), variable
	if file != "" {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, job.UsageError(hint, "%s: %s: %w", document, name, err)
		}
		text, from = string(data), document+": "+name+" "+file
	} else if text == "" {
		return nil, job.UsageError(hint, "%s: no %s: neither %s nor %s is set", document, what, name, variable)
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
