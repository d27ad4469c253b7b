package web

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gorilla/mux"
	"github.com/prometheus/client_golang/prometheus"

	"flysense/engine/store"
	"flysense/web/auth"
)

// Options are what a [Server] needs. All parts must be set.
type Options struct {
	Store    *store.Store
	Auth     *auth.Auth
	Desk     Desk
	Lanes    Lanes
	Purse    Purse
	Receipts Receipts
	Portals  Portals
	Archive  Archive
	Workers  Workers
	Feed     *Feed

	// SummaryPaid tells whether a summary costs the tariff's price now.
	SummaryPaid func() bool
	Checks      []Check              // what /readyz asks
	Metrics     *prometheus.Registry // what /metrics shows besides the server's own

	Version      string
	Demo         bool
	PublicURL    string         // as browsers see the appliance, "" for whatever host they used
	Secure       bool           // browsers reach it over TLS only
	HSTS         bool           // the certificate is one that browsers trust
	Idle         time.Duration  // how long an unused session lives, 0 for auth.DefaultIdle
	Proxies      []netip.Prefix // whose X-Forwarded-For is believed
	MetricsToken string         // lets monitoring in from elsewhere; "" only from this machine
	Now          func() time.Time
	Log          *slog.Logger
}

// Server answers all requests. It is an http.Handler.
type Server struct {
	Options
	log      *slog.Logger
	sessions *auth.Sessions
	api      huma.API
	routes   []route
	handler  http.Handler
	metrics  *metrics
	packs    *packLimit
	snapshot snapshots
	ping     time.Duration // pause between signs of life of a stream
}

// New builds the server; it starts nothing.
func New(o Options) (*Server, error) {
	if o.Store == nil || o.Auth == nil || o.Desk == nil || o.Lanes == nil || o.Purse == nil || o.Receipts == nil ||
		o.Portals == nil || o.Archive == nil || o.Workers == nil || o.Feed == nil || o.SummaryPaid == nil || o.Now == nil || o.Log == nil {
		return nil, errors.New("web: a part is missing")
	}
	if o.Metrics == nil {
		o.Metrics = prometheus.NewRegistry()
	}
	s := &Server{
		Options:  o,
		log:      o.Log,
		sessions: o.Auth.Sessions(o.Secure, o.Idle),
		packs:    newPackLimit(),
		ping:     pingEvery,
	}
	var err error
	if s.metrics, err = newMetrics(o.Metrics); err != nil {
		return nil, err
	}
	files, err := builtPages()
	if err != nil {
		return nil, err
	}

	router := mux.NewRouter()
	router.NotFoundHandler = s.refusing(errNoRoute)
	router.MethodNotAllowedHandler = s.refusing(errMethod)
	s.api = newAPI(router, o.Version)
	s.routes = s.table()
	for _, r := range s.routes {
		if r.typed != nil {
			r.typed(s.api, r.operation())
		} else {
			router.Path(r.path).Methods(r.methods()...).Handler(r.plain).Name(r.name())
			describe(s.api.OpenAPI(), r)
		}
	}
	describeErrors(s.api.OpenAPI())
	router.PathPrefix("/").Methods(http.MethodGet, http.MethodHead).Handler(newPages(files, s.refusing(errNoRoute))).Name(pagesRoute)
	router.Use(s.metrics.count, s.survive, s.guard())

	s.handler, err = s.outside(router)
	return s, err
}

// pagesRoute is the name of whatever is not in the table: the pages' files.
const pagesRoute = "pages"

func (s *Server) refusing(err error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.writeError(w, r, err) })
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// Limits of a connection.
const (
	maxHeader     = 16 << 10
	headerTimeout = 5 * time.Second
	idleTimeout   = time.Minute
)

// HTTP returns an http.Server with the appliance's limits on connections; the
// caller gives it a listener. Shutting it down ends the streams of events,
// which would otherwise never end.
func (s *Server) HTTP() *http.Server {
	server := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	server.RegisterOnShutdown(s.Feed.Close)
	return server
}

// newAPI prepares the typed part. huma's documentation pages load scripts from
// elsewhere, so all its own routes are off.
func newAPI(router *mux.Router, version string) huma.API {
	return huma.NewAPI(huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title:       "FlySense",
				Version:     version,
				Description: "The appliance's API. Sign in with POST /api/v1/login; the session is a cookie. Times are Unix ms, lengths seconds, amounts decimal strings of ledger units: 360000 are one Flycoin.",
			},
			Components: &huma.Components{Schemas: huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)},
		},
		Formats:       huma.DefaultFormats,
		DefaultFormat: "application/json",
		Transformers:  []huma.Transformer{ownWords},
	}, namedAdapter{router})
}

// userKey is where the guard leaves who asks.
type userKey struct{}

// who is the user a handler works for; the guard saw to it that there is one.
func who(ctx context.Context) auth.User {
	user, _ := ctx.Value(userKey{}).(auth.User)
	return user
}
