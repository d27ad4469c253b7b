package web

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are what the server tells of itself.
type metrics struct {
	requests *prometheus.CounterVec
	took     *prometheus.HistogramVec
}

func newMetrics(registry *prometheus.Registry) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "flysense_http_requests_total",
			Help: "Requests answered, by route and status.",
		}, []string{"route", "status"}),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "flysense_http_seconds",
			Help:    "Time to answer, by route; streams count until they end.",
			Buckets: []float64{.005, .02, .1, .5, 2, 10, 60},
		}, []string{"route"}),
	}
	if err := registry.Register(m.requests); err != nil {
		return nil, err
	}
	return m, registry.Register(m.took)
}

// count notes how every request was answered.
func (m *metrics) count(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begin := time.Now()
		answer := &answerWriter{ResponseWriter: w, status: http.StatusOK}
		defer func() {
			route := r.Method + " " + pattern(r)
			m.requests.WithLabelValues(route, strconv.Itoa(answer.status)).Inc()
			m.took.WithLabelValues(route).Observe(time.Since(begin).Seconds())
		}()
		next.ServeHTTP(answer, r)
	})
}

// answerWriter remembers the status.
type answerWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (w *answerWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *answerWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
