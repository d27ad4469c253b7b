// Package rest is the one paced HTTP client for every vendor's API, and the
// door to files that lie wherever a portal's user said.
//
// A [Client] sends requests to an account host in one line, whoever asks, and
// repeats what may be repeated:
//
//	answer lost or 5xx   GET, PUT, DELETE or Repeat: again after 1, 2, 4, 8 s; else ErrUnknownOutcome
//	never connected      always again
//	429                  always again, after Retry-After; the whole host waits
//	403 with a page      *Blocked: nothing goes to this host for an hour
//
// An [Outside] fetches files from links that others wrote (design: reliability
// 5.4). A [Guard] decides for both which addresses may be dialled.
package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Limits of one API request.
const (
	tries          = 5                // the first and four more, after 1, 2, 4 and 8 s
	firstPause     = time.Second      // doubles with each try
	maxRetryAfter  = time.Minute      // a longer wish of the host is cut to this
	requestTimeout = 30 * time.Second // of one try
	maxAnswer      = 16 << 20         // bytes
	blockTime      = time.Hour        // after a lock-out; then one request tries whether it is over
	maxLanes       = 1000             // hosts remembered; far above the portals one appliance serves
)

// Sleep waits for d or until ctx ends.
type Sleep func(ctx context.Context, d time.Duration) error

// Options of a [Client].
type Options struct {
	Guard     *Guard
	Agent     string           // User-Agent
	PerSecond float64          // requests to one host, all connections together
	Now       func() time.Time // nil is the system's clock
	Sleep     Sleep            // nil is real waiting
	Timeout   time.Duration    // of one try, 0 for 30 s
}

// Client talks to the API of account hosts. Safe for concurrent use.
type Client struct {
	options Options
	http    *http.Client

	mu    sync.Mutex
	lanes map[string]*lane
}

// New makes a client.
func New(o Options) *Client {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Sleep == nil {
		o.Sleep = Wait
	}
	o.Timeout = positive(o.Timeout, requestTimeout)
	return &Client{
		options: o,
		lanes:   map[string]*lane{},
		http: &http.Client{
			Transport: &http.Transport{
				DialContext:            o.Guard.Dialer(nil),
				MaxResponseHeaderBytes: maxHeaderBytes,
				TLSHandshakeTimeout:    dialTimeout,
				MaxIdleConnsPerHost:    2,
				IdleConnTimeout:        90 * time.Second,
				ForceAttemptHTTP2:      true,
			},
			// An API that redirects would take the token along.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// Wait is real waiting.
func Wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// Request is one question to an API.
type Request struct {
	Method string
	URL    *url.URL
	Header http.Header
	Body   any  // sent as JSON unless nil
	Repeat bool // doing it twice is the same as once (a PATCH that sets values)
}

// Answer is a success: its body is JSON or empty.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Decode reads the body into v. An empty body (204) leaves v as it is.
func (a *Answer) Decode(v any) error {
	if len(a.Body) == 0 {
		return nil
	}
	if err := json.Unmarshal(a.Body, v); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	return nil
}

// Do sends the request and returns a success. Errors: *StatusError, *Blocked,
// ErrUnknownOutcome for a write whose answer is lost, ErrNotJSON, or the
// network's last word after all tries.
func (c *Client) Do(ctx context.Context, r Request) (*Answer, error) {
	var content []byte
	if r.Body != nil {
		var err error
		if content, err = json.Marshal(r.Body); err != nil {
			return nil, fmt.Errorf("encode request: %w", err)
		}
	}
	l, err := c.lane(r.URL.Host)
	if err != nil {
		return nil, err
	}
	for try := 1; ; try++ {
		if err := l.enter(ctx, c.options.Now, c.options.Sleep); err != nil {
			return nil, err
		}
		answer, err := c.once(ctx, r, content)
		wait := jittered(firstPause << (try - 1))
		var status *StatusError
		switch {
		case err == nil:
			return answer.Answer, nil
		case ctx.Err() != nil:
			err = fmt.Errorf("%s %s: %w", r.Method, r.URL.Path, ctx.Err())
			if answer.sent && !r.repeatable() {
				err = errors.Join(ErrUnknownOutcome, err)
			}
			return nil, err
		case errors.As(err, &status) && status.Status == http.StatusForbidden && answer.page:
			return nil, l.block(c.options.Now().Add(blockTime))
		case errors.As(err, &status) && status.Status == http.StatusTooManyRequests:
			if after := retryAfter(answer.Header, c.options.Now()); after > 0 {
				wait = after
			}
			if try < tries { // after the last try nobody else should wait for us
				l.pause(c.options.Now().Add(wait))
			}
		case errors.As(err, &status) && status.Status < 500:
			return nil, err
		case isRefused(err):
			return nil, err
		default: // 5xx, a page, a broken or silent connection
			if answer.sent && !r.repeatable() {
				return nil, errors.Join(ErrUnknownOutcome, err)
			}
		}
		if try == tries {
			return nil, err
		}
		if err := c.options.Sleep(ctx, wait); err != nil {
			return nil, err
		}
	}
}

// Unblock lets requests to a host go again: a person says the lock-out is over.
func (c *Client) Unblock(host string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l, ok := c.lanes[strings.ToLower(host)]; ok {
		l.unblock()
	}
}

func (c *Client) lane(host string) (*lane, error) {
	host = strings.ToLower(host)
	c.mu.Lock()
	defer c.mu.Unlock()
	l, ok := c.lanes[host]
	if !ok {
		if len(c.lanes) == maxLanes {
			return nil, fmt.Errorf("more than %d hosts", maxLanes)
		}
		l = &lane{host: host, limiter: rate.NewLimiter(rate.Limit(c.options.PerSecond), 1)}
		c.lanes[host] = l
	}
	return l, nil
}

// attempt is what one try left behind, also when it failed.
type attempt struct {
	*Answer
	sent bool // the request reached a connection
	page bool // the answer is HTML
}

func (c *Client) once(ctx context.Context, r Request, content []byte) (attempt, error) {
	ctx, cancel := context.WithTimeout(ctx, c.options.Timeout)
	defer cancel()
	var a attempt
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { a.sent = true },
	})
	req, err := http.NewRequestWithContext(ctx, r.Method, r.URL.String(), bytes.NewReader(content))
	if err != nil {
		return a, fmt.Errorf("make request: %w", err)
	}
	for name, values := range r.Header {
		req.Header[name] = values
	}
	req.Header.Set("User-Agent", c.options.Agent)
	req.Header.Set("Accept", "application/json, application/hal+json, application/problem+json")
	if content != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	got, err := c.http.Do(req)
	if err != nil {
		return a, fmt.Errorf("%s %s: %w", r.Method, r.URL.Path, withoutLink(err))
	}
	defer got.Body.Close() //nolint:errcheck // it was only read
	body, err := io.ReadAll(io.LimitReader(got.Body, maxAnswer+1))
	if err != nil {
		return a, fmt.Errorf("%s %s: %w", r.Method, r.URL.Path, err)
	}
	if len(body) > maxAnswer {
		return a, fmt.Errorf("%s %s: answer above %d bytes", r.Method, r.URL.Path, maxAnswer)
	}
	a.Answer = &Answer{Status: got.StatusCode, Header: got.Header, Body: body}
	kind, _, _ := strings.Cut(strings.ToLower(got.Header.Get("Content-Type")), ";")
	a.page = kind == "text/html" || bytes.HasPrefix(bytes.TrimSpace(body), []byte("<"))
	switch {
	case got.StatusCode < 200 || got.StatusCode > 299:
		return a, &StatusError{Method: r.Method, Path: r.URL.Path, Status: got.StatusCode, Body: body[:min(len(body), maxErrorBody)]}
	case len(body) > 0 && (a.page || !strings.HasSuffix(strings.TrimSpace(kind), "json")):
		return a, fmt.Errorf("%s %s: %w", r.Method, r.URL.Path, ErrNotJSON)
	}
	return a, nil
}

func isRefused(err error) bool {
	var r *Refused
	return errors.As(err, &r)
}

func (r Request) repeatable() bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete:
		return true
	}
	return r.Repeat
}

func retryAfter(h http.Header, now time.Time) time.Duration {
	value := h.Get("Retry-After")
	wait := time.Duration(0)
	if seconds, err := strconv.Atoi(value); err == nil && seconds > 0 {
		wait = time.Duration(min(seconds, int(maxRetryAfter/time.Second))) * time.Second
	} else if at, err := http.ParseTime(value); err == nil {
		wait = at.Sub(now)
	}
	return min(max(wait, 0), maxRetryAfter)
}

// jittered adds up to a quarter, so that jobs which failed together do not
// come back together.
func jittered(d time.Duration) time.Duration {
	return d + rand.N(d/4+1) //nolint:gosec // it spreads load and keeps no secret
}
