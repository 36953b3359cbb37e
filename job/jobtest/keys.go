package jobtest

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"testing"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
)

// SigningKey makes a key for ASSENT_SIGNING_KEY, and a function that has the DSSE library
// check an envelope under it and returns the signed digests by name.
func SigningKey(t testing.TB) (text string, signed func(envelope string) map[string]string) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	text = string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	return text, func(envelope string) map[string]string {
		t.Helper()
		var e dsse.Envelope
		if err := json.Unmarshal([]byte(envelope), &e); err != nil {
			t.Fatal(err)
		}
		check, err := dsse.NewEnvelopeVerifier(edKey{public})
		if err != nil {
			t.Fatal(err)
		}
		_, body, err := check.VerifyAndDecode(context.Background(), &e)
		if err != nil {
			t.Fatal(err)
		}
		var statement struct {
			Subject []struct {
				Name   string
				Digest map[string]string
			}
		}
		if err := json.Unmarshal(body, &statement); err != nil {
			t.Fatal(err)
		}
		digests := map[string]string{}
		for _, s := range statement.Subject {
			digests[s.Name] = s.Digest["sha256"]
		}
		return digests
	}
}

// edKey is an ed25519 public key as the DSSE library takes it.
type edKey struct{ ed25519.PublicKey }

func (k edKey) Verify(_ context.Context, data, sig []byte) error {
	if !ed25519.Verify(k.PublicKey, data, sig) {
		return errors.New("wrong signature")
	}
	return nil
}

func (k edKey) KeyID() (string, error) { return dsse.SHA256KeyID(k.PublicKey) }

func (k edKey) Public() crypto.PublicKey { return k.PublicKey }
