package web

import (
	_ "embed"
	"html/template"
	"net/http"
	"strings"
)

//go:embed apipage.html
var apiPageText string

var apiPageTemplate = template.Must(template.New("api").Parse(apiPageText))

// apiPage shows the route table to people; it loads nothing from elsewhere.
func (s *Server) apiPage(w http.ResponseWriter, r *http.Request) {
	type line struct{ Method, Path, Summary, Role string }
	var lines []line
	for _, route := range s.routes {
		if !strings.HasPrefix(route.path, apiPrefix) {
			continue
		}
		role := string(route.may)
		if route.may == open {
			role = "anybody"
		}
		lines = append(lines, line{route.method, route.path, route.summary, role})
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if err := apiPageTemplate.Execute(w, map[string]any{"Version": s.Version, "Routes": lines}); err != nil {
		s.log.Error("request failed", "route", "GET /api", "err", err)
	}
}
