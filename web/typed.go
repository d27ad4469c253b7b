package web

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"regexp"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humamux"
	"github.com/gorilla/mux"

	"flysense/web/auth"
)

// registration makes a typed route known to the API.
type registration func(api huma.API, op huma.Operation)

// typed is a route of the JSON API: its input and output describe it.
func typed[I, O any](s *Server, method, path string, may auth.Permission, summary string, handler func(context.Context, *I) (*O, error)) route {
	r := route{method: method, path: path, may: may, summary: summary, timeout: answerTimeout}
	r.typed = func(api huma.API, op huma.Operation) {
		huma.Register(api, op, func(ctx context.Context, in *I) (*O, error) {
			out, err := handler(ctx, in)
			if err != nil {
				return nil, s.refuse(ctx, r.name(), err)
			}
			return out, nil
		})
	}
	return r
}

// apiPrefix begins every path of the JSON API.
const apiPrefix = "/api/v1/"

// maxBody is the largest request body, in bytes.
const maxBody = 1 << 20

func (r route) operation() huma.Operation {
	return huma.Operation{
		OperationID:     strings.Trim(strings.NewReplacer("/api/v1", "", "/", "-", "{", "", "}", "", ".", "-").Replace(strings.ToLower(r.method)+r.path), "-"),
		Method:          r.method,
		Path:            r.path,
		Summary:         r.summary,
		MaxBodyBytes:    maxBody,
		BodyReadTimeout: -1, // the guard sets deadlines for all routes
		Security:        r.security(),
		Tags:            []string{strings.Split(strings.TrimPrefix(r.path, apiPrefix), "/")[0]},
	}
}

func (r route) security() []map[string][]string {
	if r.may == open {
		return []map[string][]string{}
	}
	return []map[string][]string{{"session": {}}}
}

// namedAdapter gives huma's routes the names the guard knows them by.
type namedAdapter struct{ router *mux.Router }

// Handle implements huma.Adapter.
func (a namedAdapter) Handle(op *huma.Operation, handler func(huma.Context)) {
	r := route{method: op.Method, path: op.Path}
	a.router.Path(op.Path).Methods(r.methods()...).Name(r.name()).
		HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler(humamux.NewContext(op, r, w)) })
}

// ServeHTTP implements huma.Adapter.
func (a namedAdapter) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.router.ServeHTTP(w, r) }

// variable is a part of a path that is filled in.
var variable = regexp.MustCompile(`\{(\w+)\}`)

// describe adds a route of the API that is not JSON to the description.
func describe(doc *huma.OpenAPI, r route) {
	if !strings.HasPrefix(r.path, apiPrefix) {
		return
	}
	op := r.operation()
	op.Responses = map[string]*huma.Response{"200": {Description: r.summary}}
	for _, name := range variable.FindAllStringSubmatch(r.path, -1) {
		op.Parameters = append(op.Parameters, &huma.Param{Name: name[1], In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeString}})
	}
	doc.AddOperation(&op)
}

// describeErrors replaces huma's description of a refusal by ours, and tells
// how to sign in.
func describeErrors(doc *huma.OpenAPI) {
	refused := &huma.Response{
		Description: "Refused, with the reason",
		Content:     map[string]*huma.MediaType{"application/json": {Schema: doc.Components.Schemas.Schema(reflect.TypeFor[Refused](), true, "")}},
	}
	for _, path := range doc.Paths {
		for _, op := range []*huma.Operation{path.Get, path.Post, path.Patch, path.Delete} {
			if op != nil {
				op.Responses["default"] = refused
			}
		}
	}
	delete(doc.Components.Schemas.Map(), "ErrorModel")
	delete(doc.Components.Schemas.Map(), "ErrorDetail")
	doc.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"session": {Type: "apiKey", In: "cookie", Name: "flysense", Description: "Over TLS the cookie is called __Host-flysense."},
	}
}

// openAPI serves the description.
func (s *Server) openAPI(w http.ResponseWriter, r *http.Request) {
	text, err := json.Marshal(s.api.OpenAPI())
	if err != nil {
		s.writeError(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_, _ = w.Write(text)
}

// millis is a time in the API; nil for no time.
func millis(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	ms := t.UnixMilli()
	return &ms
}
