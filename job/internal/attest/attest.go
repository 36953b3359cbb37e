// Package attest signs what a run and a receipt say of their files.
//
//   - statement: an in-toto Statement v1: names and digests of files (its subjects), and a
//     document about them (its predicate).
//   - envelope: a statement and its signature, in DSSE, on one line of JSON.
//
// The envelope comes of the DSSE library of the in-toto project. A Statement has four
// fields, so it is spelt out here: the library for it brings the protobuf runtime. Tests
// hold both against those libraries.
//
// Sources: github.com/secure-systems-lab/dsse (protocol.md, envelope.md) and
// github.com/in-toto/attestation (spec/v1/statement.md, envelope.md, bundle.md).
package attest

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
)

// Types of statements.
const (
	PayloadType   = "application/vnd.in-toto+json"
	StatementType = "https://in-toto.io/Statement/v1"

	RunPredicate     = "urn:assent:run:v1"
	ReceiptPredicate = "urn:assent:receipt:v1"
	ScopePredicate   = "urn:assent:scope:v1"
)

// ReceiptObject is the name of a receipt's envelope, beside it.
const ReceiptObject = "receipt.intoto.jsonl"

// Statement is an in-toto Statement.
type Statement struct {
	Type          string    `json:"_type"`
	Subject       []Subject `json:"subject"`
	PredicateType string    `json:"predicateType"`
	Predicate     any       `json:"predicate"`
}

// Subject is a file.
type Subject struct {
	Name   string            `json:"name"`
	Digest map[string]string `json:"digest"`
}

// File is the subject with a SHA-256 in hexadecimal.
func File(name, sha256 string) Subject {
	return Subject{name, map[string]string{"sha256": sha256}}
}

// Signer signs with an ed25519 key. It never shows it.
type Signer struct {
	key   ed25519.PrivateKey
	keyID string
}

var errKey = errors.New("no ed25519 private key in PEM (PKCS #8)") // no cause: it could tell of the key

// ParseSigner reads a private key.
func ParseSigner(text []byte) (*Signer, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "PRIVATE KEY" {
		return nil, errKey
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, ok := parsed.(ed25519.PrivateKey)
	if err != nil || !ok {
		return nil, errKey
	}
	id, err := dsse.SHA256KeyID(key.Public())
	return &Signer{key, id}, err
}

// KeyID names the key: the fingerprint of its public key, as ssh-keygen -l writes it.
func (s *Signer) KeyID() (string, error) { return s.keyID, nil }

// Public returns the public key.
func (s *Signer) Public() crypto.PublicKey { return s.key.Public() }

// Sign signs bytes, for the DSSE library.
func (s *Signer) Sign(_ context.Context, data []byte) ([]byte, error) {
	return ed25519.Sign(s.key, data), nil
}

// String returns a placeholder.
func (s *Signer) String() string { return "[signing key " + s.keyID + "]" }

// Envelope signs what a predicate says of files, on one line.
func (s *Signer) Envelope(ctx context.Context, predicateType string, predicate any, files []Subject) ([]byte, error) {
	body, err := json.Marshal(&Statement{StatementType, files, predicateType, predicate})
	if err != nil {
		return nil, err
	}
	signer, err := dsse.NewEnvelopeSigner(s)
	if err != nil {
		return nil, err
	}
	envelope, err := signer.SignPayload(ctx, PayloadType, body)
	if err != nil {
		return nil, err
	}
	line, err := json.Marshal(envelope)
	return append(line, '\n'), err
}
