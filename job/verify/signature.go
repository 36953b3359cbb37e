package verify

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"maps"
	"os"
	"slices"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"

	"assent/job"
	"assent/job/internal/config"
	"assent/job/internal/publish"
)

// publicKey is the key that a run has to be signed with, as the DSSE library takes it.
type publicKey struct{ ed25519.PublicKey }

func (k publicKey) Verify(_ context.Context, data, sig []byte) error {
	if !ed25519.Verify(k.PublicKey, data, sig) {
		return errors.New("the signature is not of this key")
	}
	return nil
}

func (k publicKey) KeyID() (string, error) { return dsse.SHA256KeyID(k.PublicKey) }

func (k publicKey) Public() crypto.PublicKey { return k.PublicKey }

// readPublicKey returns the key that the run has to be signed with: that of --public-key,
// else the public half of the configured signing key. Nil: neither is there.
func (a *audit) readPublicKey() (*publicKey, error) {
	if a.o.PublicKey != "" {
		const hint = "`openssl pkey -in signing.pem -pubout` writes it"
		data, err := os.ReadFile(a.o.PublicKey)
		if err != nil {
			return nil, job.UsageError(hint, "--public-key: %w", err)
		}
		block, _ := pem.Decode(data)
		if block == nil {
			return nil, job.UsageError(hint, "--public-key %s: no PEM", a.o.PublicKey)
		}
		parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
		key, ok := parsed.(ed25519.PublicKey)
		if err != nil || !ok {
			return nil, job.UsageError(hint, "--public-key %s: no ed25519 public key", a.o.PublicKey)
		}
		return &publicKey{key}, nil
	}
	if a.cfg == nil {
		return nil, nil
	}
	signer, err := config.SigningKey(a.cfg)
	if err != nil || signer == nil {
		return nil, err
	}
	return &publicKey{signer.Public().(ed25519.PublicKey)}, nil
}

// statement is what a run's signature says, as far as it is checked.
type statement struct {
	Type    string `json:"_type"`
	Subject []struct {
		Name   string            `json:"name"`
		Digest map[string]string `json:"digest"`
	} `json:"subject"`
	PredicateType string `json:"predicateType"`
	Predicate     struct {
		RunID string `json:"run_id"`
	} `json:"predicate"`
}

// checkSignature checks that the key has signed the very objects that the run has. Their
// bytes are held against the digests that run.json and the marker name; here these digests
// are held against the signed ones. So whoever changes an object and makes all digests
// again is found out, and whoever takes the signature away as well.
//
// Without a key nothing can be said but that a run which calls itself signed has a signature.
func (a *audit) checkSignature(ctx context.Context) error {
	key := a.signedWith
	if _, there := a.objects[publish.SignedObject]; !there {
		if key != nil {
			a.found.of(publish.SignedObject, "missing: the run is not signed")
		} else if a.run.Invocation.SignedBy != "" {
			a.found.of(publish.SignedObject, "missing: %s says that the run was signed", publish.ManifestObject)
		}
		return nil
	}
	if key == nil || a.objects[publish.SignedObject].Err != nil {
		return nil
	}
	data, _, err := a.store.Read(ctx, a.object(publish.SignedObject))
	if err != nil {
		return err
	}
	signed, err := key.open(ctx, data)
	if err != nil {
		a.found.of(publish.SignedObject, "%v", err)
		return nil
	}
	if signed.Predicate.RunID != a.run.RunID {
		a.found.of(publish.SignedObject, "it was made for the run %s", signed.Predicate.RunID)
	}
	if id, _ := key.KeyID(); a.run.Invocation.SignedBy != id {
		a.found.of(publish.ManifestObject, "it names another signing key than the signature is of")
	}
	a.compareSigned(signed)
	a.checked.Signatures++
	return nil
}

// open returns what an envelope says, if the key has signed it.
func (k *publicKey) open(ctx context.Context, data []byte) (*statement, error) {
	var envelope dsse.Envelope
	if err := json.Unmarshal(data, &envelope); err != nil {
		return nil, errors.New("it is no DSSE envelope")
	}
	verifier, err := dsse.NewEnvelopeVerifier(k)
	if err != nil {
		return nil, err
	}
	_, body, err := verifier.VerifyAndDecode(ctx, &envelope)
	if err != nil {
		return nil, errors.New("no signature of the given key")
	}
	signed := new(statement)
	if err := json.Unmarshal(body, signed); err != nil || envelope.PayloadType != "application/vnd.in-toto+json" ||
		signed.Type != "https://in-toto.io/Statement/v1" || signed.PredicateType != "urn:assent:run:v1" {
		return nil, errors.New("what is signed is no statement about a run")
	}
	return signed, nil
}

// compareSigned holds the digests that the run's documents name against the signed ones.
func (a *audit) compareSigned(signed *statement) {
	want := map[string]string{
		publish.ManifestObject: a.sealed, publish.ReportObject: a.success.ReportSHA256, publish.SuccessObject: a.marker,
	}
	for _, o := range a.run.Objects() {
		want[o.Path] = o.SHA256
	}
	for _, s := range signed.Subject {
		digest, named := want[s.Name]
		switch {
		case !named:
			a.found.of(s.Name, "it was signed, and the run does not name it, or names it twice")
		case len(s.Digest) != 1 || s.Digest["sha256"] != digest:
			a.found.of(s.Name, "its SHA-256 is not the signed one: the run was changed after it was signed")
		}
		delete(want, s.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		a.found.of(name, "it is not signed: the run was changed after it was signed")
	}
}
