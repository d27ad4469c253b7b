package web

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"flysense/web/auth"
)

// outside wraps everything a request passes before it meets its route.
func (s *Server) outside(router http.Handler) (http.Handler, error) {
	csrf := http.NewCrossOriginProtection()
	csrf.SetDenyHandler(s.refusing(errCrossOrigin))
	if s.PublicURL != "" {
		if err := csrf.AddTrustedOrigin(strings.TrimRight(s.PublicURL, "/")); err != nil {
			return nil, err
		}
	}
	handler := s.sessions.Handler(router, s.writeError)
	return s.dress(csrf.Handler(handler)), nil
}

// policy is what a page may load and do. Styles may stand in the page: the
// component set and the custom element put <style> elements into it. Scripts
// may not.
const policy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; " +
	"media-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self'; frame-ancestors 'none'"

// dress sets the headers every answer has, and the limit every body has.
func (s *Server) dress(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=()")
		h.Set("Cache-Control", "no-store") // whoever serves files says otherwise
		if s.HSTS {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		next.ServeHTTP(w, r)
	})
}

// survive answers for a handler that panics; the others go on.
func (s *Server) survive(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			what := recover()
			if what == nil {
				return
			}
			if what == http.ErrAbortHandler { //nolint:errorlint // the value itself is the agreement
				panic(what)
			}
			s.log.Error("handler panicked", "route", r.Method+" "+pattern(r), "panic", what, "stack", string(debug.Stack()))
			s.writeError(w, r, errors.New("panic"))
		}()
		next.ServeHTTP(w, r)
	})
}

// bodyTimeout is how long a client may take to send its body.
const bodyTimeout = 30 * time.Second

// guard lets a request through to its route if the table says so. What is not
// in the table is not let through, but for the pages' files.
func (s *Server) guard() mux.MiddlewareFunc {
	table := map[string]route{pagesRoute: {may: open, timeout: audioTimeout}}
	for _, r := range s.routes {
		table[r.name()] = r
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			route, known := table[mux.CurrentRoute(r).GetName()]
			if !known {
				s.writeError(w, r, errNoRoute)
				return
			}
			setDeadlines(w, r, route.timeout)
			if route.may == open {
				next.ServeHTTP(w, r)
				return
			}
			user, err := s.user(r.Context())
			if err == nil && !user.Role.May(route.may) {
				err = errForbidden
			}
			if err == nil && !route.silent && r.Header.Get(unattended) == "" {
				err = s.sessions.Touch(r.Context())
			}
			if err != nil {
				s.writeError(w, r, err)
				return
			}
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), userKey{}, user)))
		})
	}
}

// unattended is a header by which a page says that nobody has touched it for a
// while and it only keeps itself up to date: that does not count as use of the
// session. Sent by others it can but shorten their own.
const unattended = "X-Flysense-Unattended"

// user is who asks. Before there is any user, the answer is to make one.
func (s *Server) user(ctx context.Context) (auth.User, error) {
	user, err := s.sessions.User(ctx)
	if !errors.Is(err, auth.ErrNoSession) {
		return user, err
	}
	if needed, err := s.Auth.SetupNeeded(ctx); err != nil {
		return user, err
	} else if needed {
		return user, auth.ErrSetup
	}
	return user, auth.ErrNoSession
}

// setDeadlines bounds how long a client may keep a connection busy. A recorder
// in a test has no deadlines; a real connection always does.
func setDeadlines(w http.ResponseWriter, r *http.Request, answer time.Duration) {
	control := http.NewResponseController(w)
	if r.ContentLength != 0 {
		_ = control.SetReadDeadline(time.Now().Add(bodyTimeout + answer))
	}
	var until time.Time // none: whoever streams sets one for each write
	if answer > 0 {
		until = time.Now().Add(answer)
	}
	_ = control.SetWriteDeadline(until)
}

// pattern is the route's path with its variables unfilled: logs and metrics
// must not contain what people look for.
func pattern(r *http.Request) string {
	route := mux.CurrentRoute(r)
	if route == nil || route.GetName() == pagesRoute {
		return pagesRoute
	}
	template, err := route.GetPathTemplate()
	if err != nil {
		return pagesRoute
	}
	return template
}

// address is where a request comes from: the peer, or what a proxy of ours
// says of it.
func (s *Server) address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	forwarded := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(forwarded) - 1; i >= 0 && s.isProxy(host); i-- {
		before := strings.TrimSpace(forwarded[i])
		if _, err := netip.ParseAddr(before); err != nil {
			break
		}
		host = before
	}
	return host
}

func (s *Server) isProxy(host string) bool {
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	for _, p := range s.Proxies {
		if p.Contains(ip.Unmap()) {
			return true
		}
	}
	return false
}
