package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A bucket is as much of Google Cloud Storage as a run asks for, in memory, each answer late by a delay. The fake of the tests
// knows more of the API, but it works on one request at a time, for milliseconds: with it, it is the fake that is measured.
type bucket struct {
	name  string
	delay time.Duration

	mu         sync.Mutex
	objects    map[string]*object
	uploads    map[string]*session
	generation int64
	sorted     []string // names of objects; nil once there are others
}

// object is one content. It is not changed.
type object struct {
	name       string
	data       []byte
	generation int64
	sum        string // CRC32C in base64
	created    time.Time
	metadata   map[string]string
}

// session is a resumable upload under way.
type session struct {
	about resource
	query url.Values
	parts [][]byte
	size  int
}

// resource is what the JSON API tells and takes of an object.
type resource struct {
	Kind        string            `json:"kind,omitempty"`
	Bucket      string            `json:"bucket,omitempty"`
	Name        string            `json:"name,omitempty"`
	Size        string            `json:"size,omitempty"`
	Generation  string            `json:"generation,omitempty"`
	CRC32C      string            `json:"crc32c,omitempty"`
	TimeCreated string            `json:"timeCreated,omitempty"`
	Metadata    map[string]string `json:"metadata,omitempty"`
}

// startBucket serves a bucket. host is a value for STORAGE_EMULATOR_HOST.
func startBucket(name string, delay time.Duration) (host string, stop func()) {
	b := &bucket{name: name, delay: delay, objects: map[string]*object{}, uploads: map[string]*session{}}
	server := httptest.NewServer(b)
	return strings.TrimPrefix(server.URL, "http://"), server.Close
}

func (b *bucket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	time.Sleep(b.delay)
	p := r.URL.EscapedPath()
	object := func(escaped string) string { name, _ := url.PathUnescape(escaped); return name }
	json := "/storage/v1/b/" + b.name + "/o"
	switch rest, isJSON := strings.CutPrefix(p, json); {
	case strings.HasPrefix(p, "/upload"+json):
		b.upload(w, r)
	case isJSON && rest == "":
		b.list(w, r)
	case isJSON && strings.Contains(rest, "/rewriteTo/"):
		from, to, _ := strings.Cut(rest[1:], "/rewriteTo/b/"+b.name+"/o/")
		b.rewrite(w, r, object(from), object(to))
	case isJSON && r.Method == http.MethodDelete:
		b.remove(w, r, object(rest[1:]))
	case isJSON:
		b.stat(w, r, object(rest[1:]))
	default:
		b.read(w, r, object(strings.TrimPrefix(p, "/"+b.name+"/")))
	}
}

// meets reports whether an object is in the state that a request wants; the caller holds mu.
func meets(o *object, query url.Values, parameter string) bool {
	want := query.Get(parameter)
	return want == "" || o == nil && want == "0" || o != nil && want == strconv.FormatInt(o.generation, 10)
}

// put stores a content, unless the query forbids it.
func (b *bucket) put(name string, data []byte, about resource, query url.Values) *object {
	sum := binary.BigEndian.AppendUint32(nil, crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)))
	o := &object{name: name, data: data, sum: base64.StdEncoding.EncodeToString(sum), created: time.Now(), metadata: about.Metadata}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !meets(b.objects[name], query, "ifGenerationMatch") {
		return nil
	}
	b.generation++
	o.generation = 1_700_000_000_000_000 + b.generation
	b.objects[name], b.sorted = o, nil
	return o
}

func (b *bucket) resource(o *object) resource {
	return resource{"storage#object", b.name, o.name, strconv.Itoa(len(o.data)), strconv.FormatInt(o.generation, 10), o.sum, o.created.UTC().Format(time.RFC3339Nano), o.metadata}
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

func refuse(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"error":{"code":%d,"message":"%s"}}`, status, http.StatusText(status))
}

// answerObject tells of an object, or why there is none: nil is one that a condition forbade.
func (b *bucket) answerObject(w http.ResponseWriter, o *object) {
	if o == nil {
		refuse(w, http.StatusPreconditionFailed)
		return
	}
	answer(w, b.resource(o))
}

// find returns the object of a request, in the generation that it names.
func (b *bucket) find(name string, query url.Values, parameter string) *object {
	b.mu.Lock()
	defer b.mu.Unlock()
	if o := b.objects[name]; o != nil && meets(o, query, parameter) {
		return o
	}
	return nil
}

func (b *bucket) stat(w http.ResponseWriter, r *http.Request, name string) {
	if o := b.find(name, r.URL.Query(), "generation"); o != nil {
		answer(w, b.resource(o))
		return
	}
	refuse(w, http.StatusNotFound)
}

func (b *bucket) read(w http.ResponseWriter, r *http.Request, name string) {
	o := b.find(name, r.URL.Query(), "generation")
	if o == nil {
		refuse(w, http.StatusNotFound)
		return
	}
	w.Header().Set("X-Goog-Generation", strconv.FormatInt(o.generation, 10))
	w.Header().Set("X-Goog-Hash", "crc32c="+o.sum)
	w.Header().Set("X-Goog-Stored-Content-Length", strconv.Itoa(len(o.data)))
	w.Header().Set("Content-Type", "application/octet-stream")
	http.ServeContent(w, r, "", o.created, bytes.NewReader(o.data))
}

func (b *bucket) list(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	most, _ := strconv.Atoi(q.Get("maxResults"))
	if most <= 0 || most > 1000 {
		most = 1000
	}
	page := struct {
		Kind          string     `json:"kind"`
		Items         []resource `json:"items,omitempty"`
		Prefixes      []string   `json:"prefixes,omitempty"`
		NextPageToken string     `json:"nextPageToken,omitempty"`
	}{Kind: "storage#objects"}
	b.mu.Lock()
	defer b.mu.Unlock()
	names, prefix := b.names(), q.Get("prefix")
	at, _ := slices.BinarySearch(names, max(prefix, q.Get("pageToken")))
	for ; at < len(names) && strings.HasPrefix(names[at], prefix); at++ {
		if len(page.Items)+len(page.Prefixes) == most {
			page.NextPageToken = names[at]
			break
		}
		if d := q.Get("delimiter"); d != "" {
			if dir, _, deeper := strings.Cut(names[at][len(prefix):], d); deeper {
				if dir = prefix + dir + d; !slices.Contains(page.Prefixes, dir) {
					page.Prefixes = append(page.Prefixes, dir)
				}
				continue
			}
		}
		page.Items = append(page.Items, b.resource(b.objects[names[at]]))
	}
	answer(w, page)
}

// names are the names of all objects, in their order; the caller holds mu. A listing of many pages sorts them once.
func (b *bucket) names() []string {
	if b.sorted == nil {
		b.sorted = slices.Sorted(maps.Keys(b.objects))
	}
	return b.sorted
}

func (b *bucket) rewrite(w http.ResponseWriter, r *http.Request, from, to string) {
	var about resource
	_ = json.NewDecoder(r.Body).Decode(&about)
	q := r.URL.Query()
	src := b.find(from, q, "sourceGeneration")
	switch {
	case src == nil:
		refuse(w, http.StatusNotFound)
	case !meets(src, q, "ifSourceGenerationMatch"):
		refuse(w, http.StatusPreconditionFailed)
	default:
		o := b.put(to, src.data, about, q)
		if o == nil {
			refuse(w, http.StatusPreconditionFailed)
			return
		}
		answer(w, map[string]any{"kind": "storage#rewriteResponse", "done": true, "resource": b.resource(o),
			"totalBytesRewritten": strconv.Itoa(len(o.data)), "objectSize": strconv.Itoa(len(o.data))})
	}
}

func (b *bucket) remove(w http.ResponseWriter, r *http.Request, name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch o := b.objects[name]; {
	case o == nil:
		refuse(w, http.StatusNotFound)
	case !meets(o, r.URL.Query(), "ifGenerationMatch"):
		refuse(w, http.StatusPreconditionFailed)
	default:
		delete(b.objects, name)
		b.sorted = nil
		w.WriteHeader(http.StatusNoContent)
	}
}

// upload takes an object in one request, or in several: the first one opens a session, and
// each of the others brings a range.
func (b *bucket) upload(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	switch {
	case q.Get("upload_id") != "":
		b.resume(w, r, q.Get("upload_id"))
	case q.Get("uploadType") == "resumable":
		u := &session{query: q}
		_ = json.NewDecoder(r.Body).Decode(&u.about)
		b.mu.Lock()
		b.generation++
		id := strconv.FormatInt(b.generation, 10)
		b.uploads[id] = u
		b.mu.Unlock()
		w.Header().Set("Location", "http://"+r.Host+r.URL.Path+"?upload_id="+id)
		w.Header().Set("X-Guploader-Uploadid", id)
	default:
		_, parameters, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
		parts := multipart.NewReader(r.Body, parameters["boundary"])
		var about resource
		var data []byte
		part, err := parts.NextPart()
		if err == nil {
			if err = json.NewDecoder(part).Decode(&about); err == nil {
				part, err = parts.NextPart()
			}
		}
		if err == nil {
			data, err = io.ReadAll(part)
		}
		if err != nil {
			refuse(w, http.StatusBadRequest)
			return
		}
		if about.Name == "" {
			about.Name = q.Get("name")
		}
		b.answerObject(w, b.put(about.Name, data, about, q))
	}
}

// resume takes a range of an upload. The last one names the whole length.
func (b *bucket) resume(w http.ResponseWriter, r *http.Request, id string) {
	data := make([]byte, max(r.ContentLength, 0))
	if _, err := io.ReadFull(r.Body, data); err != nil {
		refuse(w, http.StatusBadRequest)
		return
	}
	b.mu.Lock()
	u := b.uploads[id]
	b.mu.Unlock()
	if u == nil {
		refuse(w, http.StatusNotFound)
		return
	}
	u.parts, u.size = append(u.parts, data), u.size+len(data)
	if strings.HasSuffix(r.Header.Get("Content-Range"), "/*") {
		w.Header().Set("Range", fmt.Sprintf("bytes=0-%d", u.size-1))
		w.Header().Set("X-Http-Status-Code-Override", "308")
		w.WriteHeader(http.StatusOK)
		return
	}
	name := u.about.Name
	if name == "" {
		name = u.query.Get("name")
	}
	b.answerObject(w, b.put(name, slices.Concat(u.parts...), u.about, u.query))
}
