package verify_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"assent/job"
	"assent/job/internal/runpage"
	"assent/job/jobtest"
	"assent/job/run"
	"assent/job/verify"
	"assent/manifests"
)

// keyFiles writes a pair of keys.
func keyFiles(t *testing.T) (private, public string) {
	t.Helper()
	pub, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, kind string, der []byte, err error) string {
		t.Helper()
		file := filepath.Join(dir, name)
		if err == nil {
			err = os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		return file
	}
	der, err := x509.MarshalPKCS8PrivateKey(priv)
	private = write("private.pem", "PRIVATE KEY", der, err)
	der, err = x509.MarshalPKIXPublicKey(pub)
	return private, write("public.pem", "PUBLIC KEY", der, err)
}

// remake changes a run's data and makes every digest again, so that the run is consistent
// in itself: run.json, marker and current.json. change gets the run and its directory.
func remake(t *testing.T, dir string, change func(run *manifests.Run)) {
	t.Helper()
	read := func(name string) []byte {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	write := func(name string, data []byte, err error) {
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), data, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	r, err := manifests.ParseRun(read("_manifest/run.json"))
	if err != nil {
		t.Fatal(err)
	}
	change(r)
	data, err := r.Marshal()
	write("_manifest/run.json", data, err)
	success, err := manifests.ParseSuccess(read("_SUCCESS"))
	if err != nil {
		t.Fatal(err)
	}
	success.ManifestSHA256 = manifests.SHA256(data)
	page, err := runpage.Again(r, success.ManifestSHA256, read(manifests.DailyPath))
	write("_manifest/report.html", page, err)
	success.ReportSHA256 = manifests.SHA256(page)
	marker, err := success.Marshal()
	write("_SUCCESS", marker, err)
	current, err := (&manifests.Current{Run: filepath.Base(dir), ManifestSHA256: success.ManifestSHA256}).Marshal()
	write("../current.json", current, err)
}

// TestSignature wants a key to catch what digests that were made again hide, and nothing
// to take a signature away unseen.
func TestSignature(t *testing.T) {
	private, public := keyFiles(t)
	_, other := keyFiles(t)
	const signed = "_manifest/run.intoto.jsonl"
	// Other content in as many rows, and all digests made again.
	altered := func(t *testing.T, dir string) {
		remake(t, dir, func(r *manifests.Run) {
			f := &r.Datasets["messages"].Files[0]
			if f.RowsKept != 2 {
				t.Fatalf("%+v", f)
			}
			err := jobtest.WriteParquet(filepath.Join(dir, f.Output), "message_id:string,freelancer_id:string,client_id:string,sent_at:ts_us,edited_at:ts_us,body:string\nm1,A,B,2026-02-01T00:00:00Z,,forged\nm2,C,B,2026-02-01T00:00:00Z,,forged\n")
			if err != nil {
				t.Fatal(err)
			}
			data := readText(t, filepath.Join(dir, f.Output))
			bytes, digest := int64(len(data)), manifests.SHA256([]byte(data))
			for i := range r.Documents {
				d := &r.Documents[i]
				text := strings.ReplaceAll(readText(t, filepath.Join(dir, d.Path)), f.SHA256, digest)
				text = strings.ReplaceAll(text, fmt.Sprintf("\"%d B\"", f.Bytes), fmt.Sprintf("\"%d B\"", bytes))
				write(t, dir, d.Path, text)
				d.Bytes, d.SHA256 = int64(len(text)), manifests.SHA256([]byte(text))
			}
			f.Bytes, f.SHA256 = bytes, digest
		})
	}
	strip := func(t *testing.T, dir string) {
		if err := os.Remove(filepath.Join(dir, signed)); err != nil {
			t.Fatal(err)
		}
	}
	for name, test := range map[string]struct {
		unsigned  bool // no key when the run is made
		key       string
		configure bool // the signing key, for verify
		change    func(t *testing.T, dir string)
		want      string // of the differences; "": none
	}{
		"signed, no key":         {},
		"signed, key":            {key: public},
		"signed, configured":     {configure: true},
		"another key":            {key: other, want: signed + ": no signature of the given key"},
		"not signed, no key":     {unsigned: true},
		"not signed, key":        {unsigned: true, key: public, want: signed + ": missing: the run is not signed"},
		"not signed, configured": {unsigned: true, configure: true, want: signed + ": missing: the run is not signed"},
		"altered, no key":        {change: altered}, // nothing shows it but the key, or the inputs
		"altered, key":           {key: public, change: altered, want: "its SHA-256 is not the signed one"},
		"stripped, key":          {key: public, change: strip, want: signed + ": missing"},
		"stripped, no key":       {change: strip, want: "run.json says that the run was signed"},
		"stripped and told so": {key: public, change: func(t *testing.T, dir string) {
			strip(t, dir)
			remake(t, dir, func(r *manifests.Run) { r.Invocation.SignedBy = "" })
		}, want: signed + ": missing"},
		"put into an unsigned":   {unsigned: true, change: func(t *testing.T, dir string) { write(t, dir, signed, "{}") }, want: signed + ": the run manifest does not name it"},
		"no envelope":            {key: public, change: func(t *testing.T, dir string) { write(t, dir, signed, "nonsense") }, want: "it is no DSSE envelope"},
		"empty envelope":         {key: public, change: func(t *testing.T, dir string) { write(t, dir, signed, "{}") }, want: "no signature of the given key"},
		"names another key":      {key: public, change: func(t *testing.T, dir string) { remake(t, dir, func(r *manifests.Run) { r.Invocation.SignedBy = "x" }) }, want: "names another signing key"},
		"signature of a sibling": {key: public, change: replay, want: "it was made for the run"},
		"a payload of its own":   {key: public, change: forged, want: "no signature of the given key"},
	} {
		t.Run(name, func(t *testing.T) {
			config := jobtest.TinyJob(t)
			if !test.unsigned {
				t.Setenv("ASSENT_SIGNING_KEY", readText(t, private))
			}
			r, err := run.Run(t.Context(), jobtest.NewEnv(t), run.Options{Config: config})
			if err != nil {
				t.Fatal(err)
			}
			if test.change != nil {
				test.change(t, r.URI)
			}
			t.Setenv("ASSENT_SIGNING_KEY", "")
			o := verify.Options{Run: r.URI, Quick: true, PublicKey: test.key}
			if test.configure {
				o.Config, o.Set = config, []string{"signing_key_file=" + private}
			}
			got, err := verify.Run(t.Context(), jobtest.NewEnv(t), o)
			exit, _ := job.Explain(err)
			if test.want == "" {
				if exit != 0 || got.Checked.Signatures != map[bool]int64{true: 1}[test.key != "" || test.configure] {
					t.Errorf("exit %d, %v, %+v", exit, err, got)
				}
				return
			}
			if exit != job.ExitRefused || !strings.Contains(fmt.Sprint(got.Differences), test.want) {
				t.Errorf("exit %d, %v\n%v", exit, err, got.Differences)
			}
		})
	}
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func readText(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// replay puts the signature of another run of the same key into a run.
func replay(t *testing.T, dir string) {
	config := filepath.Join(dir, "../../job.yaml")
	r, err := run.Run(t.Context(), jobtest.NewEnv(t), run.Options{Config: config, Set: []string{"inputs.consent.as_of=2026-05-01T00:00:00Z"}})
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "_manifest/run.intoto.jsonl", readText(t, filepath.Join(r.URI, "_manifest/run.intoto.jsonl")))
}

// forged keeps the signature and gives it another payload.
func forged(t *testing.T, dir string) {
	name := filepath.Join(dir, "_manifest/run.intoto.jsonl")
	var envelope map[string]any
	if err := json.Unmarshal([]byte(readText(t, name)), &envelope); err != nil {
		t.Fatal(err)
	}
	envelope["payload"] = "e30="
	data, err := json.Marshal(envelope)
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "_manifest/run.intoto.jsonl", string(data))
}
