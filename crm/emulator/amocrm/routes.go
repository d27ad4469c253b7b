package amocrm

import (
	"net/http"
	"strconv"
	"strings"
)

// route is one request the emulator can answer truthfully. In a path {type} is
// an entity type, {id} and {note} are numbers, {event} is a word.
type route struct {
	method, path string
	open         bool // answers without a bearer
	answer       func(*Portal, *request) reply
}

// routes in the order they are tried.
func routes() []route {
	const get, post, patch = http.MethodGet, http.MethodPost, http.MethodPatch
	return []route{
		{post, "/oauth2/access_token", true, (*Portal).grantToken},
		{get, "/oauth2/account/current/subdomain", true, (*Portal).currentSubdomain},
		{get, "/v3/user", false, (*Portal).owner},

		{get, "/api/v4/account", false, (*Portal).account},
		{get, "/api/v4/users", false, (*Portal).listUsers},
		{get, "/api/v4/users/{id}", false, (*Portal).oneUser},
		{get, "/api/v4/leads/pipelines", false, (*Portal).listPipelines},
		{get, "/api/v4/leads/pipelines/{id}", false, (*Portal).onePipeline},

		{get, "/api/v4/{type}/notes", false, (*Portal).listNotes},
		{post, "/api/v4/{type}/notes", false, (*Portal).createNotes},
		{patch, "/api/v4/{type}/notes", false, (*Portal).patchNotes},
		{get, "/api/v4/{type}/notes/{note}", false, (*Portal).oneNote},
		{post, "/api/v4/{type}/notes/{note}/pin", false, (*Portal).pinNote},
		{post, "/api/v4/{type}/notes/{note}/unpin", false, (*Portal).unpinNote},
		{get, "/api/v4/{type}/{id}/notes", false, (*Portal).listNotes},
		{post, "/api/v4/{type}/{id}/notes", false, (*Portal).createNotes},
		{patch, "/api/v4/{type}/{id}/notes", false, (*Portal).patchNotes},
		{get, "/api/v4/{type}/{id}/notes/{note}", false, (*Portal).oneNote},
		{patch, "/api/v4/{type}/{id}/notes/{note}", false, (*Portal).patchOneNote},

		{get, "/api/v4/{type}/links", false, (*Portal).manyLinks},
		{get, "/api/v4/{type}/{id}/links", false, (*Portal).cardLinks},
		{get, "/api/v4/{type}", false, (*Portal).listCards},
		{patch, "/api/v4/{type}", false, (*Portal).patchCards},
		{get, "/api/v4/{type}/{id}", false, (*Portal).oneCard},
		{patch, "/api/v4/{type}/{id}", false, (*Portal).patchOneCard},

		{post, "/api/v4/calls", false, (*Portal).addCalls},
		{get, "/api/v4/events", false, (*Portal).listEvents},
		{get, "/api/v4/events/{event}", false, (*Portal).oneEvent},
	}
}

// route answers a request that came through the door.
func (p *Portal) route(r *request) reply {
	path := strings.TrimSuffix(r.URL.Path, "/") // some clients end with a slash, and amoCRM does not mind
	for _, candidate := range routes() {
		if candidate.method != r.Method || !r.fits(candidate.path, path) {
			continue
		}
		if !candidate.open {
			if r.token = p.bearer(r.bearer()); r.token == nil {
				return unauthorized()
			}
		}
		return candidate.answer(p, r)
	}
	return p.notBuilt(r, "no such route in the emulator")
}

// fits matches path and keeps what the variables stood for.
func (r *request) fits(pattern, path string) bool {
	wants, has := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(wants) != len(has) {
		return false
	}
	for i, want := range wants {
		switch want {
		case "{type}":
			if r.kind = Kind(has[i]); !r.kind.known() {
				return false
			}
		case "{id}", "{note}":
			n, err := strconv.ParseInt(has[i], 10, 64)
			if err != nil {
				return false
			}
			if want == "{id}" {
				r.id = n
			} else {
				r.note = n
			}
		case "{event}":
			r.event = has[i]
		default:
			if want != has[i] {
				return false
			}
		}
	}
	return true
}
