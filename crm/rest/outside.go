package rest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Limits of one download.
const (
	maxRedirects    = 3
	maxHeaderBytes  = 64 << 10
	maxDownload     = 1 << 30 // bytes; the reader may stop earlier
	downloadTimeout = 30 * time.Minute
	headerTimeout   = 30 * time.Second
	idleTimeout     = 30 * time.Second // between two pieces of the body
)

// ErrTooLarge says that a download went past its size limit.
var ErrTooLarge = errors.New("the file is larger than allowed")

// ErrStalled says that a server stopped sending in the middle of a file.
var ErrStalled = errors.New("the server stopped sending")

// Outside fetches files from links that others wrote. It follows the rules of
// its Guard on every hop, keeps no cookies, no connections and no credentials,
// and takes no proxy from the environment.
type Outside struct {
	Guard *Guard
	Agent string // User-Agent

	Limit   int64         // bytes of a file, 0 for the default of 1 GiB
	Timeout time.Duration // of a whole download, 0 for 30 minutes
	Idle    time.Duration // between two pieces, 0 for 30 seconds
}

// Pass is what one download may use beyond the public network.
type Pass struct {
	Allowed []Allowed // private addresses the admin listed
	// Bearer goes with the first request only, and only if the link's host is
	// exactly BearerHost; a redirect never carries it.
	Bearer     string
	BearerHost string
}

// Download is an answer whose body the caller reads and closes.
type Download struct {
	Status int
	Type   string // media type in lower case, without parameters
	Length int64  // -1 if the server does not say
	Body   io.ReadCloser
}

// Open asks for the link. Whatever the status, the answer comes back; an error
// is a *Refused address, a link that is none, or a network error. Errors do not
// carry the link: it may hold a signature.
func (o *Outside) Open(ctx context.Context, link string, p Pass) (*Download, error) {
	u, err := url.Parse(strings.TrimSpace(link))
	if err != nil {
		return nil, fmt.Errorf("parse link: %w", withoutLink(err))
	}
	if err := checkLink(u); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, positive(o.Timeout, downloadTimeout))
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("parse link: %w", withoutLink(err))
	}
	req.Header.Set("User-Agent", o.Agent)
	req.Header.Set("Accept", "audio/*, application/octet-stream, */*;q=0.1")
	if p.Bearer != "" && strings.EqualFold(u.Host, p.BearerHost) && (u.Scheme == "https" || u.Host == o.Guard.Loopback) {
		req.Header.Set("Authorization", "Bearer "+p.Bearer)
	}
	client := http.Client{
		Transport: &http.Transport{
			DialContext:            o.Guard.Dialer(p.Allowed),
			DisableKeepAlives:      true,
			DisableCompression:     true, // a bomb would unpack behind the size limit
			MaxResponseHeaderBytes: maxHeaderBytes,
			ResponseHeaderTimeout:  headerTimeout,
			TLSHandshakeTimeout:    dialTimeout,
		},
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if len(via) > maxRedirects {
				return errors.New("too many redirects")
			}
			for _, name := range []string{"Authorization", "Cookie", "Referer"} {
				req.Header.Del(name)
			}
			return checkLink(req.URL)
		},
	}
	answer, err := client.Do(req) //nolint:bodyclose // whoever takes the Download closes it
	if err != nil {
		cancel()
		return nil, fmt.Errorf("download: %w", withoutLink(err))
	}
	kind, _, _ := strings.Cut(answer.Header.Get("Content-Type"), ";")
	b := &body{from: answer.Body, cancel: cancel, left: o.Limit, pause: positive(o.Idle, idleTimeout)}
	if b.left <= 0 {
		b.left = maxDownload
	}
	b.idle = time.AfterFunc(b.pause, cancel)
	return &Download{
		Status: answer.StatusCode,
		Type:   strings.ToLower(strings.TrimSpace(kind)),
		Length: answer.ContentLength,
		Body:   b,
	}, nil
}

func checkLink(u *url.URL) error {
	if u.Scheme != "http" && u.Scheme != "https" {
		return &Refused{Address: u.Scheme + ":"}
	}
	if u.Hostname() == "" {
		return &Refused{Address: u.Host}
	}
	return nil
}

// withoutLink drops the address that net/url and net/http put into errors.
func withoutLink(err error) error {
	var e *url.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

func positive(d, otherwise time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return otherwise
}

// body counts what streams in and gives up on a server that went silent.
type body struct {
	from   io.ReadCloser
	cancel context.CancelFunc
	idle   *time.Timer
	pause  time.Duration
	left   int64
}

func (b *body) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, ErrTooLarge
	}
	b.idle.Reset(b.pause)
	n, err := b.from.Read(p)
	stalled := !b.idle.Stop()
	if b.left -= int64(n); b.left < 0 {
		return n + int(b.left), ErrTooLarge
	}
	if err != nil && !errors.Is(err, io.EOF) {
		if stalled {
			return n, ErrStalled
		}
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			return n, fmt.Errorf("download: %w", ErrStalled)
		}
		return n, fmt.Errorf("download: %w", err)
	}
	return n, err
}

func (b *body) Close() error {
	b.idle.Stop()
	err := b.from.Close()
	b.cancel()
	return err
}
