package attest_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"testing"

	v1 "github.com/in-toto/attestation/go/v1"
	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	"google.golang.org/protobuf/encoding/protojson"

	"assent/job/internal/attest"
)

// verifier is an ed25519 public key as the DSSE library takes it.
type verifier struct{ ed25519.PublicKey }

func (v verifier) Verify(_ context.Context, data, sig []byte) error {
	if !ed25519.Verify(v.PublicKey, data, sig) {
		return errors.New("wrong signature")
	}
	return nil
}
func (v verifier) KeyID() (string, error)   { return dsse.SHA256KeyID(v.PublicKey) }
func (v verifier) Public() crypto.PublicKey { return v.PublicKey }

func keyPEM(t *testing.T, key any) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// TestEnvelope has the in-toto project's own libraries accept what is signed, and refuse
// what was changed.
func TestEnvelope(t *testing.T) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := attest.ParseSigner(keyPEM(t, private))
	if err != nil {
		t.Fatal(err)
	}
	line, err := signer.Envelope(t.Context(), attest.RunPredicate, map[string]string{"run_id": "r"}, []attest.Subject{attest.File("a", strings.Repeat("0a", 32))})
	if err != nil || strings.Count(string(line), "\n") != 1 {
		t.Fatalf("%q, %v", line, err)
	}
	var envelope dsse.Envelope
	if err := json.Unmarshal(line, &envelope); err != nil || envelope.PayloadType != "application/vnd.in-toto+json" {
		t.Fatal(envelope, err)
	}
	check, err := dsse.NewEnvelopeVerifier(verifier{public})
	if err != nil {
		t.Fatal(err)
	}
	_, body, err := check.VerifyAndDecode(t.Context(), &envelope)
	if err != nil {
		t.Fatal(err)
	}
	statement := new(v1.Statement)
	if err := protojson.Unmarshal(body, statement); err != nil {
		t.Fatal(err)
	}
	if err := statement.Validate(); err != nil || statement.Subject[0].Name != "a" || statement.Predicate.Fields["run_id"].GetStringValue() != "r" {
		t.Fatal(statement, err)
	}
	other, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	wrong, err := dsse.NewEnvelopeVerifier(verifier{other})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := wrong.Verify(t.Context(), &envelope); err == nil {
		t.Error("another key accepts it")
	}
	envelope.Payload = "e30="
	if _, err := check.Verify(t.Context(), &envelope); err == nil {
		t.Error("another payload is accepted")
	}
	if shown := fmt.Sprintf("%v %+v %s", signer, signer, signer); strings.Contains(shown, fmt.Sprint(private[:4])) || !strings.Contains(shown, "SHA256:") {
		t.Error(shown)
	}
}

func TestParseSigner(t *testing.T) {
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{
		"nothing": nil, "no PEM": []byte("secret"), "another algorithm": keyPEM(t, p256),
		"a certificate": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("secret")}),
		"damaged":       pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("secret")}),
	} {
		if _, err := attest.ParseSigner(text); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
