package manifests

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
)

func TestRefIsHMAC(t *testing.T) {
	r := testKey.NewReferrer()
	for _, id := range []string{"1", "0b0e8f6c-1111-4222-8333-444455556666", strings.Repeat("long", 100), "1"} {
		mac := hmac.New(sha256.New, testKey[:])
		mac.Write([]byte(id))
		want := hex.EncodeToString(mac.Sum(nil))[:32]
		ref := r.Ref([]byte(id))
		if got := ref.String(); got != want {
			t.Errorf("%s: %s, want %s", id, got, want)
		}
		if got, err := ParseRef(want); err != nil || got != ref {
			t.Errorf("%s: read as %s, %v", want, got, err)
		}
	}
	id := []byte("0b0e8f6c-1111-4222-8333-444455556666")
	if n := testing.AllocsPerRun(100, func() { r.Ref(id) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestParseRef(t *testing.T) {
	if r, err := ParseRef(""); err != nil || r != (Ref{}) || r.String() != "" {
		t.Errorf("the empty text: %q, %v", r, err)
	}
	for _, bad := range []string{"0", strings.Repeat("0", 31), strings.Repeat("0", 33), strings.Repeat("A", 32), strings.Repeat("g", 32), strings.Repeat("é", 16)} {
		if _, err := ParseRef(bad); err == nil {
			t.Errorf("%q passes", bad)
		}
	}
}

func TestParseKey(t *testing.T) {
	key := bytes.Repeat([]byte{0xfb}, 32)
	padded := base64.StdEncoding.EncodeToString(key)
	for _, text := range []string{padded, strings.TrimRight(padded, "="), " " + padded + "\r\n"} {
		if k, err := ParseKey(text); err != nil || !bytes.Equal(k[:], key) {
			t.Errorf("%q: %v", text, err)
		}
	}
	for text, want := range map[string]string{
		"": "got 0 bytes, want 32",
		base64.StdEncoding.EncodeToString(key[:31]): "got 31 bytes, want 32",
		"secret!":               "not base64",
		strings.Repeat("_", 43): "not base64",
	} {
		_, err := ParseKey(text)
		if err == nil || !strings.Contains(err.Error(), want) || text != "" && strings.Contains(err.Error(), text) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func TestKeyNeverShows(t *testing.T) {
	k := Key(bytes.Repeat([]byte("k"), 32))
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, nil))
	log.Info("x", "key", k, "pointer", &k)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb+verb, k, &k)
	}
	text, _ := k.MarshalText()
	out.Write(text)
	for _, secret := range []string{"kkkk", "6b6b6b", "107 107"} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("shows %s", secret)
		}
	}
}

func TestAccounts(t *testing.T) {
	a := NewAccounts(testKey.NewReferrer())
	var data []byte
	var ends []uint32
	var want []Account
	numbers := map[string]Account{}
	for i := range 20_000 {
		id := fmt.Sprintf("account-%d", i*7%9_999)
		if i%1000 == 999 {
			id = ""
		}
		data = append(data, id...)
		ends = append(ends, uint32(len(data)))
		n, ok := numbers[id]
		switch {
		case id == "":
			n = NoAccount
		case !ok:
			n = Account(len(numbers))
			numbers[id] = n
		}
		want = append(want, n)
	}
	if got := a.AppendAccounts(nil, data, ends); !slices.Equal(got, want) {
		t.Fatal("numbers are not by order of appearance")
	}
	if a.Len() != len(numbers) {
		t.Errorf("%d accounts, want %d", a.Len(), len(numbers))
	}
	r := testKey.NewReferrer()
	for id, n := range numbers {
		if got := a.Account([]byte(id)); got != n || a.Ref(n) != r.Ref([]byte(id)) {
			t.Fatalf("%s: %d, want %d", id, got, n)
		}
	}
	if a.Account(nil) != NoAccount || a.Ref(NoAccount) != (Ref{}) {
		t.Error("the empty id has an account")
	}
	if a.Full() {
		t.Error("full of nothing")
	}
	a.Reset()
	if a.Len() != 0 || a.Account([]byte("account-7")) != 0 {
		t.Error("does not begin anew")
	}
}

func TestAccountsFull(t *testing.T) {
	a := NewAccounts(testKey.NewReferrer())
	long := bytes.Repeat([]byte("x"), 1<<20)
	for i := range ManyAccountBytes>>20 + 1 {
		a.Account(append(long, byte(i)))
	}
	if !a.Full() {
		t.Error("grows without end")
	}
}

func BenchmarkRef(b *testing.B) {
	r := testKey.NewReferrer()
	id := []byte("0b0e8f6c-1111-4222-8333-444455556666")
	began := cpuTime(b)
	for b.Loop() {
		r.Ref(id)
	}
	b.ReportMetric(float64(cpuTime(b)-began)/float64(b.N), "cpu-ns/ref")
}

func BenchmarkAccounts(b *testing.B) {
	const n = 200_000
	a := NewAccounts(testKey.NewReferrer())
	var data []byte
	var ends []uint32
	for i := range n {
		id := fmt.Appendf(nil, "0b0e8f6c-1111-4222-8333-%012d", (i*104729)%n)
		a.Account(id)
		data = fmt.Appendf(data, "0b0e8f6c-1111-4222-8333-%012d", (i*7919)%n)
		ends = append(ends, uint32(len(data)))
	}
	dst := make([]Account, 0, n)
	began := cpuTime(b)
	for b.Loop() {
		dst = a.AppendAccounts(dst[:0], data, ends)
	}
	b.ReportMetric(float64(cpuTime(b)-began)/float64(b.N*n), "cpu-ns/id")
}
