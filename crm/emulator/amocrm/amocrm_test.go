package amocrm_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"flysense/crm/emulator/amocrm"
)

const (
	clientID = "5b0d6c1e-8f3a-4a35-9d0e-0a54c1f5b1aa"
	secret   = "s3cr3t"
	redirect = "https://calls.example.org/amo/oauth"
)

// clock is a time that moves when told to.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) sleep(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// world is a portal on a real socket and a raw client of it.
type world struct {
	*amocrm.Portal
	t     *testing.T
	clock *clock
	url   string
	token string
	http  *http.Client
}

func newWorld(t *testing.T, opt amocrm.Options) *world {
	t.Helper()
	w := &world{t: t, clock: &clock{now: time.Unix(1767600000, 0)}}
	opt.Now = w.clock.Now
	opt.Log = slog.New(slog.DiscardHandler)
	if opt.Limits == (amocrm.Limits{}) {
		opt.Limits = amocrm.Limits{PerToken: -1, PerAccount: -1}
	}
	w.Portal = amocrm.New(opt)
	server := httptest.NewServer(w.Portal)
	recordings := httptest.NewServer(w.Recordings())
	t.Cleanup(server.Close)
	t.Cleanup(recordings.Close)
	w.ServeRecordingsAt(recordings.URL)
	w.RegisterIntegration(amocrm.Integration{ID: clientID, Secret: secret, Redirect: redirect, Name: "FlySense"})
	w.url = server.URL
	w.token = w.IssueLongLivedToken(clientID, 24*time.Hour)
	w.http = &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true}, // a cut GET is not repeated in silence
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       10 * time.Second,
	}
	return w
}

// answer is a response read to its end.
type answer struct {
	status int
	header http.Header
	body   []byte
	json   map[string]any
}

// do sends a request; body is JSON when it is not a string or nil.
func (w *world) do(method, path string, body any, header ...string) (answer, error) {
	w.t.Helper()
	var reader io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(b)
	default:
		data, err := json.Marshal(b)
		if err != nil {
			w.t.Fatal(err)
		}
		reader = bytes.NewReader(data)
	}
	address := path
	if strings.HasPrefix(path, "/") {
		address = w.url + path
	}
	r, err := http.NewRequestWithContext(w.t.Context(), method, address, reader)
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+w.token)
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
		if header[i] == "Host" {
			r.Host = header[i+1]
		}
		if header[i+1] == "" {
			r.Header.Del(header[i])
		}
	}
	response, err := w.http.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	a := answer{status: response.StatusCode, header: response.Header, body: data}
	_ = json.Unmarshal(data, &a.json) // not every answer is JSON; a test that needs it looks
	return a, err
}

// must is do for a request that has to be answered with status.
func (w *world) must(status int, method, path string, body any, header ...string) answer {
	w.t.Helper()
	a, err := w.do(method, path, body, header...)
	if err != nil {
		w.t.Fatalf("%s %s: %v", method, path, err)
	}
	if a.status != status {
		w.t.Fatalf("%s %s: status %d, want %d: %s", method, path, a.status, status, a.body)
	}
	return a
}

// get follows a path of keys and list positions into the body.
func (a answer) get(path ...any) any {
	var v any = a.json
	for _, step := range path {
		switch s := step.(type) {
		case string:
			m, ok := v.(map[string]any)
			if !ok {
				return nil
			}
			v = m[s]
		case int:
			l, ok := v.([]any)
			if !ok || s >= len(l) {
				return nil
			}
			v = l[s]
		}
	}
	return v
}

// ids lists the ids of _embedded[name].
func (a answer) ids(name string) []int64 {
	var ids []int64
	list, _ := a.get("_embedded", name).([]any)
	for _, item := range list {
		id, _ := item.(map[string]any)["id"].(float64)
		ids = append(ids, int64(id))
	}
	return ids
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func sameIDs(t *testing.T, what string, got []int64, want ...int64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
		return
	}
	for i := range got {
		if got[i] != want[i] {
			t.Errorf("%s: got %v, want %v", what, got, want)
			return
		}
	}
}
