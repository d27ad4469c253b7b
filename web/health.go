package web

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// livez answers as long as the process can answer anything.
func (s *Server) livez(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("ok\n"))
}

// checkTimeout is how long one check of /readyz may take.
const checkTimeout = 3 * time.Second

// readyz runs the checks. Anybody may ask, so it tells which one failed, not
// why: that is in the log.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	status, results := http.StatusOK, map[string]string{}
	for _, c := range s.Checks {
		ctx, stop := context.WithTimeout(r.Context(), checkTimeout)
		err := c.Try(ctx)
		stop()
		results[c.Name] = "ok"
		if err != nil {
			status, results[c.Name] = http.StatusServiceUnavailable, "failed"
			s.log.Warn("not ready", "check", c.Name, "err", err)
		}
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"ready": status == http.StatusOK, "checks": results})
}

// showMetrics answers Prometheus on this machine, or with the token.
func (s *Server) showMetrics(w http.ResponseWriter, r *http.Request) {
	if !s.mayWatch(r) {
		s.writeError(w, r, errForbidden)
		return
	}
	promhttp.HandlerFor(s.Metrics, promhttp.HandlerOpts{}).ServeHTTP(w, r)
}

func (s *Server) mayWatch(r *http.Request) bool {
	token, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if bearer && s.MetricsToken != "" && subtle.ConstantTimeCompare([]byte(token), []byte(s.MetricsToken)) == 1 {
		return true
	}
	if r.Header.Get("X-Forwarded-For") != "" || r.Header.Get("Forwarded") != "" {
		return false // a proxy on this machine speaks for somebody elsewhere
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
