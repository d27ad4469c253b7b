package web

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"flysense/web/auth"
)

// opened are the routes that may be used without a session, each with its reason.
var opened = map[string]string{
	"POST /api/v1/setup": "before there is a user; the code is the proof",
	"POST /api/v1/login": "before there is a session",
	"GET /oauth/amocrm":  "comes from another site; the state given out once is the proof",
	"GET /livez":         "monitoring",
	"GET /readyz":        "monitoring; tells names of checks only",
	"GET /metrics":       "has its own check of address and token",
}

func filled(path string) string {
	return strings.NewReplacer("{id}", "C1", "{format}", "txt").Replace(path)
}

// Without a session every route but the listed ones answers 401, whatever its
// method; a new route that forgets to ask is found here.
func TestEveryRouteNeedsLogin(t *testing.T) {
	w := newWorld(t)
	if _, err := w.Auth.CreateUser(t.Context(), "anna", password, auth.Owner); err != nil {
		t.Fatal(err)
	}
	stranger := &client{t: t, handler: w}
	for _, r := range w.routes {
		why, isOpen := opened[r.name()]
		if isOpen != (r.may == open) {
			t.Errorf("%s: open is %v in the table, %q here", r.name(), r.may == open, why)
		}
		if isOpen {
			continue
		}
		stranger.cookie = nil
		stranger.ask(r.method, filled(r.path), "").refused(http.StatusUnauthorized, "login")
		stranger.cookie = &http.Cookie{Name: "flysense", Value: strings.Repeat("A", 43)}
		stranger.ask(r.method, filled(r.path), "{}").refused(http.StatusUnauthorized, "login")
	}
	if len(w.routes) < 30 {
		t.Errorf("only %d routes were tried", len(w.routes))
	}
	if len(w.desk.asked) != 0 {
		t.Errorf("a stranger reached the desk: %v", w.desk.asked)
	}
}

// A role reaches the routes of its permissions and no others.
func TestRolesReachTheirRoutesOnly(t *testing.T) {
	for _, role := range []auth.Role{auth.Operator, auth.Auditor, auth.Analyst, auth.Admin} {
		w, c := signedIn(t, role)
		allowed, forbidden := 0, 0
		for _, r := range w.routes {
			if r.may == open || r.path == "/api/v1/logout" || r.path == "/api/v1/events" {
				continue
			}
			got := c.ask(r.method, filled(r.path), "")
			if role.May(r.may) {
				allowed++
				if got.status == http.StatusForbidden || got.status == http.StatusUnauthorized {
					t.Errorf("%s may not %s: %d", role, r.name(), got.status)
				}
			} else {
				forbidden++
				got.refused(http.StatusForbidden, "forbidden")
			}
		}
		if allowed == 0 || forbidden == 0 && role != auth.Admin {
			t.Errorf("%s: %d allowed, %d forbidden", role, allowed, forbidden)
		}
	}
}

// No request that changes something is taken from another site, even with the
// cookie; old browsers are told by their Origin.
func TestOtherSitesChangeNothing(t *testing.T) {
	w, c := signedIn(t, auth.Owner)
	tried := 0
	for _, r := range w.routes {
		if r.method == http.MethodGet {
			continue
		}
		for name, value := range map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"} {
			c.header = http.Header{"Sec-Fetch-Site": nil}
			c.header.Set(name, value)
			c.ask(r.method, filled(r.path), "{}").refused(http.StatusForbidden, "cross_origin")
			tried++
		}
	}
	if tried < 30 || len(w.desk.asked) != 0 {
		t.Errorf("%d tried, the desk heard %v", tried, w.desk.asked)
	}
	c.header = nil
	c.get("/api/v1/session").want(http.StatusOK) // nobody was signed out either
}

// Every answer carries the headers, whoever asks for what.
func TestHeaders(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.HSTS = true })
	c := &client{t: t, handler: w}
	paths := []string{"/", "/calls/C1", "/assets/none.js", "/no/such", "/api/v1/none"}
	for _, r := range w.routes {
		paths = append(paths, filled(r.path))
	}
	for _, path := range paths {
		h := c.get(path).header
		for name, want := range map[string]string{
			"X-Content-Type-Options":    "nosniff",
			"Referrer-Policy":           "no-referrer",
			"X-Frame-Options":           "DENY",
			"Strict-Transport-Security": "max-age=31536000",
			"Content-Security-Policy":   policy,
		} {
			if got := h.Get(name); got != want {
				t.Errorf("%s: %s is %q", path, name, got)
			}
		}
		if h.Get("Cache-Control") == "" {
			t.Errorf("%s: no Cache-Control", path)
		}
	}
	for _, directive := range []string{"default-src 'none'", "script-src 'self';", "frame-ancestors 'none'", "object-src 'none'", "base-uri 'none'"} {
		if !strings.Contains(policy, directive) {
			t.Errorf("the policy lacks %q", directive)
		}
	}
	if h := (&client{t: t, handler: newWorld(t)}).get("/").header; h.Get("Strict-Transport-Security") != "" {
		t.Error("HSTS without a trusted certificate locks people out")
	}
}

func TestUnknownAddressesAndMethods(t *testing.T) {
	_, c := signedIn(t, auth.Owner)
	c.get("/api/v1/none").refused(http.StatusNotFound, "not_found")
	c.get("/api/v2/session").refused(http.StatusNotFound, "not_found")
	c.ask("PUT", "/api/v1/session", "{}").refused(http.StatusMethodNotAllowed, "method")
	c.ask("POST", "/calls", "{}").refused(http.StatusMethodNotAllowed, "method")
	c.ask("TRACE", "/api/v1/session", "").refused(http.StatusMethodNotAllowed, "method")
}

func TestBodies(t *testing.T) {
	_, c := signedIn(t, auth.Owner)
	for name, tt := range map[string]struct {
		body   string
		status int
		code   string
	}{
		"too large":     {`{"token":"` + strings.Repeat("x", maxBody) + `"}`, http.StatusRequestEntityTooLarge, "too_large"},
		"not JSON":      {`token=x`, http.StatusBadRequest, "bad_request"},
		"cut off":       {`{"token":"x`, http.StatusBadRequest, "bad_request"},
		"empty":         {"", http.StatusBadRequest, "bad_request"},
		"missing field": {`{}`, http.StatusUnprocessableEntity, "bad_request"},
		"foreign field": {`{"token":"x","admin":true}`, http.StatusUnprocessableEntity, "invalid"},
		"wrong type":    {`{"token":7}`, http.StatusUnprocessableEntity, "invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			c.t = t
			c.ask("POST", "/api/v1/packs", tt.body).refused(tt.status, tt.code)
		})
	}
	c.t = t
	c.header = http.Header{"Content-Type": {"text/plain"}} // what a foreign form can send
	c.ask("POST", "/api/v1/packs", `{"token":"x"}`).refused(http.StatusUnsupportedMediaType, "bad_request")
}

// A handler that panics answers 500 and is logged; the server goes on.
func TestPanicIsSurvived(t *testing.T) {
	w, c := signedIn(t, auth.Owner)
	w.addCall("C1")
	w.purse.receipts = nil
	broken := w.Receipts
	w.Receipts = nil // a nil interface panics when asked
	c.get("/api/v1/calls").refused(http.StatusInternalServerError, "internal")
	if log := w.log.String(); !strings.Contains(log, "handler panicked") || !strings.Contains(log, "GET /api/v1/calls") {
		t.Errorf("log: %s", log)
	}
	w.Receipts = broken
	c.get("/api/v1/calls").want(http.StatusOK)
}

func TestAddressBehindProxies(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Proxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} })
	for name, tt := range map[string]struct {
		peer string
		said []string
		want string
	}{
		"no proxy":             {"192.0.2.1:5", nil, "192.0.2.1"},
		"a liar":               {"192.0.2.1:5", []string{"1.1.1.1"}, "192.0.2.1"},
		"our proxy":            {"10.0.0.1:5", []string{"192.0.2.7"}, "192.0.2.7"},
		"a liar behind ours":   {"10.0.0.1:5", []string{"1.1.1.1, 192.0.2.7"}, "192.0.2.7"},
		"two of ours":          {"10.0.0.1:5", []string{"192.0.2.7", "10.0.0.2"}, "192.0.2.7"},
		"nonsense behind ours": {"10.0.0.1:5", []string{"<script>"}, "10.0.0.1"},
		"IPv6":                 {"[2001:db8::1]:5", nil, "2001:db8::1"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = tt.peer
		r.Header["X-Forwarded-For"] = tt.said
		if got := w.address(r); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}

func TestMetricsAreNotForEverybody(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.MetricsToken = "watch" })
	(&client{t: t, handler: w}).get("/livez") // something to count
	for name, tt := range map[string]struct {
		peer   string
		header http.Header
		status int
	}{
		"this machine":      {"127.0.0.1:1", nil, http.StatusOK},
		"this machine, v6":  {"[::1]:1", nil, http.StatusOK},
		"elsewhere":         {"192.0.2.1:1", nil, http.StatusForbidden},
		"behind a proxy":    {"127.0.0.1:1", http.Header{"X-Forwarded-For": {"192.0.2.1"}}, http.StatusForbidden},
		"elsewhere, token":  {"192.0.2.1:1", http.Header{"Authorization": {"Bearer watch"}}, http.StatusOK},
		"elsewhere, guess":  {"192.0.2.1:1", http.Header{"Authorization": {"Bearer match"}}, http.StatusForbidden},
		"elsewhere, nought": {"192.0.2.1:1", http.Header{"Authorization": {"Bearer "}}, http.StatusForbidden},
	} {
		c := &client{t: t, handler: w, peer: tt.peer, header: tt.header}
		got := c.get("/metrics")
		if got.status != tt.status {
			t.Errorf("%s: %d", name, got.status)
		}
		if tt.status == http.StatusOK && !strings.Contains(got.body, "flysense_http_requests_total") {
			t.Errorf("%s: %.200s", name, got.body)
		}
	}
	// What people ask for is no part of a metric.
	c := &client{t: t, handler: w, peer: "127.0.0.1:1"}
	c.get("/api/v1/calls/SECRET?q=SECRET")
	if body := c.get("/metrics").body; strings.Contains(body, "SECRET") || !strings.Contains(body, "/api/v1/calls/{id}") {
		t.Error("metrics name the call, or do not name the route")
	}
}

func TestTableIsInOrder(t *testing.T) {
	w := newWorld(t)
	var seen []string
	for _, r := range w.routes {
		if slices.Contains(seen, r.name()) {
			t.Errorf("%s twice", r.name())
		}
		seen = append(seen, r.name())
		if r.summary == "" || (r.typed == nil) == (r.plain == nil) {
			t.Errorf("%s is half a route", r.name())
		}
	}
}
