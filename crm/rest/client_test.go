package rest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// bench is a client whose waiting takes no time, before a server that answers
// with the steps one after the other.
type bench struct {
	*Client
	url    *url.URL
	served atomic.Int64
	mu     sync.Mutex
	waits  []time.Duration
	now    time.Time
}

func newBench(t *testing.T, steps ...http.HandlerFunc) *bench {
	b := &bench{now: time.Unix(1767600000, 0)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := b.served.Add(1)
		steps[min(int(n), len(steps))-1](w, r)
	}))
	t.Cleanup(server.Close)
	b.url, _ = url.Parse(server.URL + "/api/v4/x")
	b.Client = New(Options{
		Guard: &Guard{Loopback: server.Listener.Addr().String()}, Agent: "FlySense/1", PerSecond: 1000,
		Now:     func() time.Time { b.mu.Lock(); defer b.mu.Unlock(); return b.now },
		Timeout: 500 * time.Millisecond,
		Sleep: func(_ context.Context, d time.Duration) error {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.waits, b.now = append(b.waits, d), b.now.Add(d)
			return nil
		},
	})
	return b
}

func (b *bench) do(method string, repeat bool) (*Answer, error) {
	r := Request{Method: method, URL: b.url, Repeat: repeat}
	if method != http.MethodGet {
		r.Body = map[string]string{"a": "b"}
	}
	return b.Do(context.Background(), r)
}

func status(code int, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(code)
		_, _ = io.WriteString(w, `{"title":"no"}`)
	}
}

func fine(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/hal+json; charset=utf-8")
	_, _ = io.WriteString(w, `{"ok":true}`)
}

func html(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(code)
		_, _ = io.WriteString(w, "<html>nginx</html>")
	}
}

func cut(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func silent(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // else nobody notices that the client left
	<-r.Context().Done()
}

func half(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", "100")
	_, _ = io.WriteString(w, `{"ok":`)
}

func TestWhatIsRepeated(t *testing.T) {
	for name, tt := range map[string]struct {
		method string
		repeat bool
		steps  []http.HandlerFunc
		served int64
		err    string // part of the error, "" for success
	}{
		"success":                     {"GET", false, []http.HandlerFunc{fine}, 1, ""},
		"read, server broken once":    {"GET", false, []http.HandlerFunc{status(500), fine}, 2, ""},
		"read, broken for good":       {"GET", false, []http.HandlerFunc{status(503)}, 5, "503"},
		"read, connection cut":        {"GET", false, []http.HandlerFunc{half, fine}, 2, ""},
		"read, silence":               {"GET", false, []http.HandlerFunc{silent, fine}, 2, ""},
		"read, a page":                {"GET", false, []http.HandlerFunc{html(200), fine}, 2, ""},
		"read, always a page":         {"GET", false, []http.HandlerFunc{html(200)}, 5, "not JSON"},
		"read, gateway page":          {"GET", false, []http.HandlerFunc{html(504), fine}, 2, ""},
		"read, refused":               {"GET", false, []http.HandlerFunc{status(400)}, 1, "400"},
		"read, no token":              {"GET", false, []http.HandlerFunc{status(401)}, 1, "401"},
		"read, no right":              {"GET", false, []http.HandlerFunc{status(403)}, 1, "403"},
		"read, redirect":              {"GET", false, []http.HandlerFunc{status(302, "Location", "/elsewhere")}, 1, "302"},
		"write":                       {"POST", false, []http.HandlerFunc{fine}, 1, ""},
		"write, too fast":             {"POST", false, []http.HandlerFunc{status(429), status(429), fine}, 3, ""},
		"write, too fast for good":    {"POST", false, []http.HandlerFunc{status(429)}, 5, "429"},
		"write, server broken":        {"POST", false, []http.HandlerFunc{status(500), fine}, 1, "unknown outcome"},
		"write, gateway":              {"POST", false, []http.HandlerFunc{html(504), fine}, 1, "unknown outcome"},
		"write, cut":                  {"POST", false, []http.HandlerFunc{cut, fine}, 1, "unknown outcome"},
		"write, half an answer":       {"POST", false, []http.HandlerFunc{half, fine}, 1, "unknown outcome"},
		"write, silence":              {"POST", false, []http.HandlerFunc{silent, fine}, 1, "unknown outcome"},
		"write, a page":               {"POST", false, []http.HandlerFunc{html(200), fine}, 1, "unknown outcome"},
		"write, refused":              {"POST", false, []http.HandlerFunc{status(422), fine}, 1, "422"},
		"setting, server broken":      {"PATCH", true, []http.HandlerFunc{status(500), fine}, 2, ""},
		"setting, cut":                {"PATCH", true, []http.HandlerFunc{cut, fine}, 2, ""},
		"change that is not a repeat": {"PATCH", false, []http.HandlerFunc{cut, fine}, 1, "unknown outcome"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, tt.steps...)
			_, err := b.do(tt.method, tt.repeat)
			if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("error %v, want %q", err, tt.err)
			}
			if errors.Is(err, ErrUnknownOutcome) != (tt.err == "unknown outcome") {
				t.Errorf("unknown outcome? %v", err)
			}
			if n := b.served.Load(); n != tt.served {
				t.Errorf("sent %d times, want %d", n, tt.served)
			}
		})
	}
}

// A write whose connection was refused was never sent: it may go again.
func TestWriteThatNeverConnectedIsRepeated(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	waits := 0
	c := New(Options{Guard: &Guard{Loopback: address}, PerSecond: 1000, Sleep: func(context.Context, time.Duration) error { waits++; return nil }})
	_, err = c.Do(t.Context(), Request{Method: http.MethodPost, URL: &url.URL{Scheme: "http", Host: address}, Body: 1})
	if err == nil || errors.Is(err, ErrUnknownOutcome) || waits != 4 {
		t.Errorf("after %d waits: %v", waits, err)
	}
}

func TestPauses(t *testing.T) {
	for name, tt := range map[string]struct {
		step http.HandlerFunc
		want []time.Duration // at least; a quarter may come on top
	}{
		"backing off":           {status(500), []time.Duration{1e9, 2e9, 4e9, 8e9}},
		"as the host asks":      {status(429, "Retry-After", "7"), []time.Duration{7e9, 7e9, 7e9, 7e9}},
		"not as long as a year": {status(429, "Retry-After", "31536000"), []time.Duration{60e9, 60e9, 60e9, 60e9}},
		"nonsense":              {status(429, "Retry-After", "soon"), []time.Duration{1e9, 2e9, 4e9, 8e9}},
		"a date gone by":        {status(429, "Retry-After", "Mon, 05 Jan 2015 08:00:00 GMT"), []time.Duration{1e9, 2e9, 4e9, 8e9}},
	} {
		b := newBench(t, tt.step)
		_, _ = b.do("GET", false)
		if len(b.waits) != len(tt.want) {
			t.Errorf("%s: waited %v", name, b.waits)
			continue
		}
		for i, w := range b.waits {
			if w < tt.want[i] || w > tt.want[i]*5/4 {
				t.Errorf("%s: waited %v, want %v", name, b.waits, tt.want)
			}
		}
	}
}

// Too fast for one is too fast for all: the next request to that host waits.
func TestTooFastHoldsTheWholeHost(t *testing.T) {
	b := newBench(t, status(429, "Retry-After", "9"), fine)
	release := make(chan struct{})
	b.options.Sleep = func(context.Context, time.Duration) error { <-release; return nil }
	done := make(chan error, 2)
	go func() { _, err := b.do("GET", false); done <- err }()
	for {
		if l, _ := b.lane(b.url.Host); func() bool { l.mu.Lock(); defer l.mu.Unlock(); return !l.paused.IsZero() }() {
			break
		}
		time.Sleep(time.Millisecond)
	}
	go func() { _, err := b.do("GET", false); done <- err }()
	select {
	case err := <-done:
		t.Fatalf("a request went through the pause: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	close(release)
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if b.served.Load() != 3 {
		t.Errorf("%d requests", b.served.Load())
	}
}

func TestBlockedHostIsLeftAlone(t *testing.T) {
	b := newBench(t, html(403), fine)
	var blocked *Blocked
	for range 3 {
		if _, err := b.do("GET", false); !errors.As(err, &blocked) {
			t.Fatalf("got %v", err)
		}
	}
	if b.served.Load() != 1 {
		t.Errorf("%d requests to a host that blocked us", b.served.Load())
	}
	b.now = b.now.Add(blockTime + time.Second)
	if _, err := b.do("GET", false); err != nil {
		t.Errorf("an hour later: %v", err)
	}
	b2 := newBench(t, html(403), fine)
	_, _ = b2.do("GET", false)
	b2.Unblock(b2.url.Host)
	if _, err := b2.do("GET", false); err != nil {
		t.Errorf("unblocked by a person: %v", err)
	}
}

func TestOnePacePerHost(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(fine))
	defer server.Close()
	c := New(Options{Guard: &Guard{Loopback: server.Listener.Addr().String()}, PerSecond: 50})
	u, _ := url.Parse(server.URL)
	start := time.Now()
	var wait sync.WaitGroup
	for range 4 { // four connections of one account
		wait.Go(func() {
			for range 6 {
				if _, err := c.Do(t.Context(), Request{Method: "GET", URL: u}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	if took := time.Since(start); took < 23*20*time.Millisecond {
		t.Errorf("24 requests at 50 a second took %v", took)
	}
}

func TestRequestAndAnswer(t *testing.T) {
	b := newBench(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Header.Get("User-Agent") != "FlySense/1" || r.Header.Get("Content-Type") != "application/json" || string(body) != `{"a":"b"}` {
			t.Errorf("got %v %s", r.Header, body)
		}
		fine(w, r)
	}, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
		func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			for range maxAnswer/1000 + 1 {
				_, _ = fmt.Fprintf(w, "%1000d", 1)
			}
		})
	b.options.Timeout = time.Minute
	answer, err := b.do("POST", false)
	if err != nil {
		t.Fatal(err)
	}
	var v struct{ OK bool }
	if err := answer.Decode(&v); err != nil || !v.OK {
		t.Errorf("%+v, %v", v, err)
	}
	answer, err = b.do("GET", false)
	if err != nil || answer.Status != 204 || answer.Decode(&v) != nil {
		t.Errorf("204: %+v, %v", answer, err)
	}
	if _, err := b.do("GET", false); err == nil || !strings.Contains(err.Error(), "above") {
		t.Errorf("a huge answer: %v", err)
	}
}

// An API client may not be led inside either.
func TestClientIsGuarded(t *testing.T) {
	port, heard := quiet(t)
	c := New(Options{Guard: &Guard{Resolver: outsideNames().resolver()}, PerSecond: 1000})
	for _, host := range []string{"127.0.0.1:" + port, "loop.example:" + port, "10.0.0.1", "pbx.local"} {
		var refused *Refused
		if _, err := c.Do(t.Context(), Request{Method: "GET", URL: &url.URL{Scheme: "http", Host: host}}); !errors.As(err, &refused) {
			t.Errorf("%s: %v", host, err)
		}
	}
	if heard.Load() != 0 {
		t.Error("a connection was made")
	}
}
