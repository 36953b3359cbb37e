package storetest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fsouza/fake-gcs-server/fakestorage"
)

// Bucket is the bucket that a fake GCS has from the start.
const Bucket = "bucket"

// GCS is a fake of Google Cloud Storage in memory, for the official client.
//
// It is fake-gcs-server behind a handler that adds what that lacks: the
// preconditions of deletes and copies (it ignores ifGenerationMatch and
// ifSourceGenerationMatch there), and faults.
type GCS struct {
	Host string // for STORAGE_EMULATOR_HOST

	fake    *fakestorage.Server
	http    *httptest.Server
	buckets []string

	state    sync.RWMutex // makes a precondition and its operation one step
	mu       sync.Mutex   // guards:
	requests []string
	fault    Fault
	at       int
	delay    time.Duration
	inFlight int // uploads
	most     int
	payer    bool
}

// Fault is what a fake GCS does wrong, beginning at some request.
type Fault int

const (
	NoFault     Fault = iota
	CrashBefore       // that request and all after it are refused for good
	CrashAfter        // that request is carried out but answered with a refusal, all after it are refused
	LoseAnswer        // that request is carried out but answered with 503: the client repeats it
	Busy              // that request is answered with 503: the client repeats it
	TooMany           // that request is answered with 429: the client repeats it
	Hang              // that request is never answered
	HangAfter         // that request is carried out and never answered
	Forbid            // that request is answered with 403
	CutShort          // the answer's body ends in its middle
	Corrupt           // of the request's body, or of the answer's, the first [Fragile] arrives as other bytes
	AllBusy           // that request and all after it are answered with 503
)

// Fragile is what [Corrupt] changes in transit.
const Fragile = "fragile"

const broken = "FRAGILE"

// FakeGCS starts a fake for the duration of the test and points the official
// client at it through STORAGE_EMULATOR_HOST, so the test cannot be parallel.
func FakeGCS(t testing.TB, buckets ...string) *GCS {
	t.Helper()
	g, err := newGCS(buckets)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.stop)
	t.Setenv("STORAGE_EMULATOR_HOST", g.Host)
	return g
}

// PlainGCS starts fake-gcs-server as its authors ship it, without our handler: an
// opinion on the API that is not ours. It has Bucket. It ignores preconditions of
// deletes and copies, so it fails the suite's tests in PlainLacks.
func PlainGCS(t testing.TB) *GCS {
	t.Helper()
	server, err := fakestorage.NewServerWithOptions(fakestorage.Options{Scheme: "http", Host: "127.0.0.1", PublicHost: "127.0.0.1", Writer: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	server.CreateBucketWithOpts(fakestorage.CreateBucketOpts{Name: Bucket})
	g := &GCS{fake: server, Host: strings.TrimPrefix(server.URL(), "http://")}
	t.Setenv("STORAGE_EMULATOR_HOST", g.Host)
	return g
}

// PlainLacks are the tests of the suite that need what PlainGCS ignores.
var PlainLacks = []string{"delete", "copy refused", "concurrent copies"}

// StartGCS starts a fake with Bucket and the others named. host is a value for
// STORAGE_EMULATOR_HOST.
func StartGCS(buckets ...string) (host string, stop func(), err error) {
	g, err := newGCS(buckets)
	if err != nil {
		return "", nil, err
	}
	return g.Host, g.stop, nil
}

func newGCS(buckets []string) (*GCS, error) {
	fake, err := fakestorage.NewServerWithOptions(fakestorage.Options{
		NoListener: true,
		Writer:     io.Discard,
		PublicHost: "127.0.0.1", // whose paths it takes for the XML API's
	})
	if err != nil {
		return nil, fmt.Errorf("start fake GCS: %w", err)
	}
	buckets = append([]string{Bucket}, buckets...)
	for _, name := range buckets {
		fake.CreateBucketWithOpts(fakestorage.CreateBucketOpts{Name: name})
	}
	g := &GCS{fake: fake, buckets: buckets}
	g.http = httptest.NewServer(g)
	g.Host = strings.TrimPrefix(g.http.URL, "http://")
	return g, nil
}

func (g *GCS) stop() {
	g.http.CloseClientConnections()
	g.http.Close()
	g.fake.Stop()
}

// Inject makes request number at, counted from 0 from now on, go wrong.
func (g *GCS) Inject(fault Fault, at int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.fault, g.at, g.requests = fault, at, nil
}

// Requests lists the requests since Inject: method, path, and what a listing asks for.
func (g *GCS) Requests() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]string(nil), g.requests...)
}

// Delay makes each request take so much longer, as it does over a network. It begins to
// count anew how many uploads are under way at a time.
func (g *GCS) Delay(d time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.delay, g.most = d, 0
}

// MostUploads is how many uploads were under way at a time, at most, since Delay.
func (g *GCS) MostUploads() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.most
}

// RequesterPays makes all buckets refuse requests that do not say which project pays.
func (g *GCS) RequesterPays() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.payer = true
}

// PutObject stores an object by the back door, whatever its name.
func (g *GCS) PutObject(bucket, name string, content []byte) {
	g.PutEncoded(bucket, name, "", content)
}

// PutEncoded is PutObject with a Content-Encoding.
func (g *GCS) PutEncoded(bucket, name, encoding string, content []byte) {
	g.fake.CreateObject(fakestorage.Object{
		ObjectAttrs: fakestorage.ObjectAttrs{BucketName: bucket, Name: name, ContentEncoding: encoding},
		Content:     content,
	})
}

// begin counts a request and tells how it goes.
func (g *GCS) begin(r *http.Request) (fault Fault, delay time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := len(g.requests)
	line := r.Method + " " + r.URL.Path
	if strings.HasSuffix(r.URL.Path, "/o") && r.Method == http.MethodGet {
		line += "?prefix=" + r.URL.Query().Get("prefix")
	}
	g.requests = append(g.requests, line)
	if upload(r) {
		g.inFlight++
		g.most = max(g.most, g.inFlight)
	}
	switch {
	case i == g.at || i > g.at && g.fault == AllBusy:
		fault = g.fault
	case i > g.at && (g.fault == CrashBefore || g.fault == CrashAfter):
		fault = CrashBefore
	}
	return fault, g.delay
}

func (g *GCS) end(r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if upload(r) {
		g.inFlight--
	}
}

func upload(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/upload/") }

func (g *GCS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	fault, delay := g.begin(r)
	defer g.end(r)
	time.Sleep(delay)
	switch fault {
	case CrashBefore:
		refuse(w, http.StatusBadRequest, "injected")
	case CrashAfter:
		g.serve(httptest.NewRecorder(), r)
		refuse(w, http.StatusBadRequest, "injected")
	case LoseAnswer:
		g.serve(httptest.NewRecorder(), r)
		refuse(w, http.StatusServiceUnavailable, "injected")
	case Busy, AllBusy:
		refuse(w, http.StatusServiceUnavailable, "injected")
	case TooMany:
		refuse(w, http.StatusTooManyRequests, "injected")
	case Hang:
		io.Copy(io.Discard, r.Body) // else it is not seen that the client gives up
		<-r.Context().Done()
	case HangAfter:
		g.serve(httptest.NewRecorder(), r)
		io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	case Forbid:
		refuse(w, http.StatusForbidden, "injected")
	case CutShort:
		g.spoil(w, r, func(body []byte) []byte { return body[:len(body)/2] })
	case Corrupt:
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(bytes.Replace(body, []byte(Fragile), []byte(broken), 1)))
		g.spoil(w, r, func(body []byte) []byte { return bytes.Replace(body, []byte(Fragile), []byte(broken), 1) })
	default:
		g.serve(w, r)
	}
}

// spoil answers with another body, under the headers of the right one. If it is shorter,
// the connection is closed.
func (g *GCS) spoil(w http.ResponseWriter, r *http.Request, other func([]byte) []byte) {
	answer := httptest.NewRecorder()
	g.serve(answer, r)
	for key, values := range answer.Header() {
		w.Header()[key] = values
	}
	body := answer.Body.Bytes()
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(answer.Code)
	w.Write(other(body))
}

func refuse(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"error":{"code":%d,"message":%[2]q,"errors":[{"reason":"injected","message":%[2]q}]}}`, status, message)
}

// serve answers as GCS would.
func (g *GCS) serve(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		g.state.RLock()
		defer g.state.RUnlock()
	} else {
		g.state.Lock()
		defer g.state.Unlock()
	}
	if status, message := g.noBucket(r); status != 0 {
		refuse(w, status, message)
		return
	}
	for _, c := range conditions(r) {
		want, err := strconv.ParseInt(r.URL.Query().Get(c.parameter), 10, 64)
		if err != nil {
			refuse(w, http.StatusBadRequest, "no generation")
			return
		}
		var generation int64
		obj, err := g.fake.GetObject(c.bucket, c.name)
		if err == nil {
			generation = obj.Generation
		} else if c.source {
			refuse(w, http.StatusNotFound, "No such object")
			return
		}
		if generation != want {
			refuse(w, http.StatusPreconditionFailed, "At least one of the pre-conditions you specified did not hold.")
			return
		}
	}
	g.fake.HTTPHandler().ServeHTTP(w, r)
}

// noBucket refuses, in the words of GCS, what concerns a bucket that is not there, or one
// that does not know whom to bill.
func (g *GCS) noBucket(r *http.Request) (status int, message string) {
	bucket, found := strings.CutPrefix(r.URL.Path, "/storage/v1/b/")
	if !found {
		bucket, found = strings.CutPrefix(r.URL.Path, "/upload/storage/v1/b/")
	}
	bucket, _, _ = strings.Cut(bucket, "/")
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case found && !slices.Contains(g.buckets, bucket):
		return http.StatusNotFound, "The specified bucket does not exist."
	case g.payer && r.URL.Query().Get("userProject") == "" && r.Header.Get("X-Goog-User-Project") == "":
		return http.StatusBadRequest, "Bucket is a requester pays bucket but no user project provided."
	}
	return 0, ""
}

// condition is a generation that a request wants an object to have. A missing object
// has 0; one that is to be copied is not found.
type condition struct {
	bucket, name, parameter string
	source                  bool
}

// conditions are those of a delete or copy.
func conditions(r *http.Request) (found []condition) {
	// Names are escaped: the slashes here are the path's own.
	p := strings.Split(strings.TrimPrefix(r.URL.EscapedPath(), "/storage/v1/b/"), "/")
	for i := range p {
		if name, err := url.PathUnescape(p[i]); err == nil {
			p[i] = name
		}
	}
	switch {
	case r.Method == http.MethodDelete && len(p) == 3:
		found = []condition{{p[0], p[2], "ifGenerationMatch", false}}
	case r.Method == http.MethodPost && len(p) == 8 && p[3] == "rewriteTo":
		found = []condition{{p[0], p[2], "ifSourceGenerationMatch", true}, {p[5], p[7], "ifGenerationMatch", false}}
	}
	return slices.DeleteFunc(found, func(c condition) bool { return !r.URL.Query().Has(c.parameter) })
}
