package web

import (
	"net/http"
	"time"

	"flysense/web/auth"
)

// open marks the few routes that ask for no session: what comes before one,
// what proves itself otherwise, what monitoring asks.
const open auth.Permission = ""

// table is every address of the appliance but the pages' own files.
func (s *Server) table() []route {
	return []route{
		typed(s, "GET", "/api/v1/session", auth.SeeSelf, "Who is signed in", s.session),
		typed(s, "POST", "/api/v1/setup", open, "Make the first user with the code of the first start", s.setup),
		typed(s, "POST", "/api/v1/login", open, "Sign in", s.login),
		typed(s, "POST", "/api/v1/logout", auth.SeeSelf, "Sign out", s.logout),

		typed(s, "GET", "/api/v1/calls", auth.ReadCalls, "Calls, the newest first", s.calls),
		typed(s, "GET", "/api/v1/calls/{id}", auth.ReadCalls, "One call with its dialogue", s.call),
		typed(s, "PATCH", "/api/v1/calls/{id}/analysis", auth.EditCalls, "Correct the analysis", s.edit),
		typed(s, "POST", "/api/v1/calls/{id}/start", auth.RunCalls, "Recognise now, again, or after a top-up", s.start),
		typed(s, "POST", "/api/v1/calls/{id}/cancel", auth.RunCalls, "Stop; what is held goes back", s.cancel),
		typed(s, "POST", "/api/v1/calls/{id}/refetch", auth.RunCalls, "Bring audio back that is no longer kept", s.refetch),
		typed(s, "DELETE", "/api/v1/calls/{id}", auth.DeleteCalls, "Delete with text and audio", s.deleteCall),
		plain("GET", "/api/v1/calls/{id}/audio", auth.ReadCalls, "The recording, by ranges", s.audio).lasting(audioTimeout),
		plain("GET", "/api/v1/calls/{id}/transcript.{format}", auth.ReadCalls, "The dialogue as txt, json, srt or vtt", s.transcript),

		typed(s, "GET", "/api/v1/balance", auth.ReadLedger, "The wallet", s.balance),
		typed(s, "GET", "/api/v1/operations", auth.ReadLedger, "Entries of the ledger, the newest first", s.operations),
		typed(s, "POST", "/api/v1/packs", auth.LoadPacks, "Load a signed pack", s.loadPack),

		typed(s, "GET", "/api/v1/queue", auth.ReadQueue, "Lanes, workers, graphics cards, calls that wait for a person", s.queue),
		typed(s, "POST", "/api/v1/queue/pause", auth.RunQueue, "Take no new work", s.pause),
		typed(s, "POST", "/api/v1/queue/resume", auth.RunQueue, "Take work again", s.resume),

		typed(s, "GET", "/api/v1/connections", auth.ManageConnections, "Portals", s.connections),
		typed(s, "POST", "/api/v1/connections", auth.ManageConnections, "Connect a portal", s.connect),
		typed(s, "PATCH", "/api/v1/connections/{id}", auth.ManageConnections, "Change settings", s.changeConnection),
		typed(s, "DELETE", "/api/v1/connections/{id}", auth.ManageConnections, "Forget with its secrets; the calls stay", s.deleteConnection),
		typed(s, "POST", "/api/v1/connections/{id}/reconnect", auth.ManageConnections, "Give access again", s.reconnect),
		typed(s, "POST", "/api/v1/connections/{id}/check", auth.ManageConnections, "Ask the portal whether access works", s.checkConnection),
		typed(s, "GET", "/api/v1/connections/{id}/archive", auth.ManageConnections, "What the archive holds and what it costs", s.previewArchive),
		typed(s, "POST", "/api/v1/connections/{id}/archive", auth.ManageConnections, "Recognise the archive", s.startArchive),
		plain("GET", "/oauth/amocrm", open, "Where the consent page leads back to; its state was given out once", s.consented),

		plain("GET", "/api/v1/events", auth.SeeSelf, "Stream of changes (server-sent events)", s.events).lasting(forever).quiet(),
		plain("GET", "/openapi.json", auth.SeeSelf, "This description", s.openAPI),
		plain("GET", "/api", auth.SeeSelf, "This description for people", s.apiPage),

		plain("GET", "/livez", open, "The process is alive", s.livez),
		plain("GET", "/readyz", open, "The appliance can work", s.readyz),
		plain("GET", "/metrics", open, "For Prometheus, from this machine or with the token", s.showMetrics),
	}
}

// How long an answer may take to be read by its client.
const (
	answerTimeout = time.Minute
	audioTimeout  = 30 * time.Minute
	forever       = 0
)

// route is one line of the table.
type route struct {
	method  string
	path    string
	may     auth.Permission // open if empty
	summary string
	timeout time.Duration // for the client to read the answer; 0 is none
	silent  bool          // does not count as use of the session

	typed registration     // or
	plain http.HandlerFunc // one of both
}

//nolint:unparam // the table names the method in every line
func plain(method, path string, may auth.Permission, summary string, handler http.HandlerFunc) route {
	return route{method: method, path: path, may: may, summary: summary, timeout: answerTimeout, plain: handler}
}

func (r route) lasting(d time.Duration) route { r.timeout = d; return r }

func (r route) quiet() route { r.silent = true; return r }

func (r route) name() string { return r.method + " " + r.path }

func (r route) methods() []string {
	if r.method == http.MethodGet {
		return []string{http.MethodGet, http.MethodHead}
	}
	return []string{r.method}
}
