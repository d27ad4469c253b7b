package amocrm

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
)

// request is an API request with what the route list found in its path.
type request struct {
	*http.Request
	base  string // scheme and host it came to; every href starts with it
	body  []byte
	query query
	token *token // nil on open routes

	kind  Kind   // {type}
	id    int64  // {id}: of a card, user or pipeline
	note  int64  // {note}
	event string // {event}
}

func newRequest(r *http.Request, body []byte) *request {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return &request{Request: r, base: scheme + "://" + r.Host, body: body, query: query(r.URL.Query())}
}

func (r *request) bearer() string {
	value, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return ""
	}
	return value
}

// self is the request's own address with page set.
func (r *request) self(page string) string {
	q := url.Values{}
	for key, values := range r.query {
		q[key] = values
	}
	if page != "" {
		q.Set("page", page)
	}
	if len(q) == 0 {
		return r.base + r.URL.Path
	}
	return r.base + r.URL.Path + "?" + q.Encode()
}

// decode reads a JSON body into v and names a key v does not have: what the
// emulator does not know it must not swallow.
func (r *request) decode(v any) error {
	d := json.NewDecoder(bytes.NewReader(r.body))
	d.DisallowUnknownFields()
	return d.Decode(v)
}

// query reads PHP-style arguments: key, key[], key[0].
type query url.Values

// one returns the first value of a plain argument.
func (q query) one(key string) string { return url.Values(q).Get(key) }

// list collects the values of key, key[] and key[N]; a value with commas is
// several.
func (q query) list(key string) []string {
	var all []string
	for name, values := range q {
		index, ok := strings.CutPrefix(name, key)
		if !ok || index != "" && index != "[]" && !isIndex(index) {
			continue
		}
		for _, value := range values {
			for _, part := range strings.Split(value, ",") {
				if part = strings.TrimSpace(part); part != "" {
					all = append(all, part)
				}
			}
		}
	}
	return all
}

// stranger returns an argument that none of the names covers, or "". A name
// covers its own arrays; "filter[updated_at]" also covers [from] and [to].
func (q query) stranger(names ...string) string {
next:
	for key := range q {
		for _, name := range names {
			rest, ok := strings.CutPrefix(key, name)
			if ok && (rest == "" || rest == "[]" || rest == "[from]" || rest == "[to]" || isIndex(rest)) {
				continue next
			}
		}
		return key
	}
	return ""
}

func isIndex(s string) bool {
	digits, ok := strings.CutPrefix(s, "[")
	if !ok {
		return false
	}
	digits, ok = strings.CutSuffix(digits, "]")
	return ok && digits != "" && strings.Trim(digits, "0123456789") == ""
}
