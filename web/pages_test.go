package web

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"flysense/web/auth"
)

func TestPages(t *testing.T) {
	refuse := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) })
	built := newPages(fstest.MapFS{
		"index.html":           {Data: []byte("<!doctype html>start")},
		"favicon.svg":          {Data: []byte("<svg/>")},
		"assets/main-a1b2.js":  {Data: []byte("js")},
		"assets/main-a1b2.css": {Data: []byte("css")},
	}, refuse)
	for path, want := range map[string]struct {
		status            int
		body, kind, cache string
	}{
		"/":                     {200, "<!doctype html>start", "text/html; charset=utf-8", "no-cache"},
		"/calls/C1":             {200, "<!doctype html>start", "text/html; charset=utf-8", "no-cache"},
		"/index.html":           {200, "<!doctype html>start", "text/html; charset=utf-8", "no-cache"},
		"/favicon.svg":          {200, "<svg/>", "image/svg+xml", "no-cache"},
		"/assets/main-a1b2.js":  {200, "js", "text/javascript; charset=utf-8", "public, max-age=31536000, immutable"},
		"/assets/main-a1b2.css": {200, "css", "text/css; charset=utf-8", "public, max-age=31536000, immutable"},
		"/assets/main-old.js":   {404, "", "", ""},
		"/assets":               {200, "<!doctype html>start", "text/html; charset=utf-8", "no-cache"},
		"/../../etc/passwd":     {200, "<!doctype html>start", "text/html; charset=utf-8", "no-cache"},
		"/api/v1/none":          {404, "", "", ""},
		"/oauth/other":          {404, "", "", ""},
	} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.URL.Path = path
		built.ServeHTTP(w, r)
		if w.Code != want.status || w.Body.String() != want.body || w.Header().Get("Content-Type") != want.kind || w.Header().Get("Cache-Control") != want.cache {
			t.Errorf("%s: %d %q %v", path, w.Code, w.Body, w.Header())
		}
	}

	w := httptest.NewRecorder()
	newPages(fstest.MapFS{}, refuse).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/calls", nil))
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "make build") {
		t.Errorf("without the pages: %d %s", w.Code, w.Body)
	}
}

// The description is OpenAPI 3.1, names every address of the API with its
// methods, and refers to nothing that is not in it.
func TestOpenAPI(t *testing.T) {
	w, c := signedIn(t, auth.Owner)
	text := c.get("/openapi.json").want(http.StatusOK).body
	var doc struct {
		OpenAPI    string                                `json:"openapi"`
		Paths      map[string]map[string]json.RawMessage `json:"paths"`
		Components struct {
			Schemas map[string]json.RawMessage `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	if doc.OpenAPI != "3.1.0" {
		t.Errorf("OpenAPI %s", doc.OpenAPI)
	}
	ids := map[string]string{}
	for _, r := range w.routes {
		if !strings.HasPrefix(r.path, apiPrefix) {
			continue
		}
		raw, there := doc.Paths[r.path][strings.ToLower(r.method)]
		if !there {
			t.Errorf("%s is not described", r.name())
			continue
		}
		var op struct {
			OperationID string `json:"operationId"`
			Summary     string `json:"summary"`
			Parameters  []struct{ Name, In string }
			Responses   map[string]json.RawMessage
			Security    []map[string][]string
		}
		if err := json.Unmarshal(raw, &op); err != nil {
			t.Fatal(err)
		}
		if op.Summary == "" || ids[op.OperationID] != "" || !strings.Contains(string(op.Responses["default"]), "/Refused") || (len(op.Security) == 0) != (r.may == open) {
			t.Errorf("%s: %s", r.name(), raw)
		}
		ids[op.OperationID] = r.name()
		inPath := 0
		for _, p := range op.Parameters {
			if p.In == "path" && strings.Contains(r.path, "{"+p.Name+"}") {
				inPath++
			}
		}
		if inPath != strings.Count(r.path, "{") { // a handler that does not learn which one
			t.Errorf("%s: %d variables of the path are read", r.name(), inPath)
		}
	}
	refs := 0
	for rest := text; ; refs++ {
		_, after, found := strings.Cut(rest, `"$ref":"#/components/schemas/`)
		if !found {
			break
		}
		name, _, _ := strings.Cut(after, `"`)
		if doc.Components.Schemas[name] == nil {
			t.Errorf("%s is referred to and not there", name)
		}
		rest = after
	}
	if len(ids) < 25 || refs < 30 || strings.Contains(text, "ErrorModel") {
		t.Errorf("%d operations, %d references", len(ids), refs)
	}
}

// The page for people works without a network.
func TestAPIPage(t *testing.T) {
	_, c := signedIn(t, auth.Owner)
	page := c.get("/api").want(http.StatusOK)
	if !strings.Contains(page.body, "/api/v1/calls/{id}/audio") || !strings.HasPrefix(page.header.Get("Content-Type"), "text/html") {
		t.Errorf("%.300s", page.body)
	}
	for _, outside := range []string{"http://", "https://", "<script", "//cdn"} {
		if strings.Contains(page.body, outside) {
			t.Errorf("the page has %q", outside)
		}
	}
}

func TestHealth(t *testing.T) {
	broken := errors.New("SECRET detail")
	var problem error
	w := newWorld(t, func(o *Options) {
		o.Checks = []Check{{"database", func(context.Context) error { return nil }}, {"ledger", func(context.Context) error { return problem }}}
	})
	c := &client{t: t, handler: w}
	if got := c.get("/livez").want(http.StatusOK); got.body != "ok\n" {
		t.Errorf("%q", got.body)
	}
	if got := c.get("/readyz").want(http.StatusOK); got.body != `{"checks":{"database":"ok","ledger":"ok"},"ready":true}`+"\n" {
		t.Errorf("%q", got.body)
	}
	problem = broken
	if got := c.get("/readyz").want(http.StatusServiceUnavailable); got.body != `{"checks":{"database":"ok","ledger":"failed"},"ready":false}`+"\n" {
		t.Errorf("%q", got.body)
	}
	if !strings.Contains(w.log.String(), "SECRET detail") {
		t.Error("the reason is not in the log")
	}
}

func TestEveryPartIsNeeded(t *testing.T) {
	if _, err := New(Options{}); err == nil {
		t.Error("a server of nothing was built")
	}
}
