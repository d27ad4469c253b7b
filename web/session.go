package web

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humamux"

	"flysense/web/auth"
)

// Session tells a page for whom it works.
type Session struct {
	Login   string `json:"login"`
	Role    string `json:"role"`
	Version string `json:"version"`
	Demo    bool   `json:"demo"`
}

type sessionOutput struct{ Body Session }

// nothing is the input of routes without one, and the output of those that
// answer 204.
type nothing struct{}

// from learns the client's address before a typed handler runs.
type from struct{ request *http.Request }

// Resolve implements huma.Resolver.
func (f *from) Resolve(ctx huma.Context) []error {
	f.request, _ = humamux.Unwrap(ctx)
	return nil
}

type loginInput struct {
	from
	Body struct {
		Login    string `json:"login" maxLength:"200"`
		Password string `json:"password" maxLength:"1000"`
	}
}

type setupInput struct {
	from
	Body struct {
		Code     string `json:"code" maxLength:"100"`
		Login    string `json:"login" maxLength:"200"`
		Password string `json:"password" maxLength:"1000"`
	}
}

func (s *Server) session(ctx context.Context, _ *nothing) (*sessionOutput, error) {
	return s.sessionOf(who(ctx)), nil
}

func (s *Server) sessionOf(user auth.User) *sessionOutput {
	return &sessionOutput{Session{Login: user.Login, Role: string(user.Role), Version: s.Version, Demo: s.Demo}}
}

func (s *Server) login(ctx context.Context, in *loginInput) (*sessionOutput, error) {
	user, err := s.Auth.Login(ctx, in.Body.Login, in.Body.Password, s.address(in.request))
	if err != nil {
		return nil, err
	}
	return s.sessionOf(user), s.sessions.Begin(ctx, user)
}

func (s *Server) setup(ctx context.Context, in *setupInput) (*sessionOutput, error) {
	user, err := s.Auth.Setup(ctx, in.Body.Code, in.Body.Login, in.Body.Password, s.address(in.request))
	if err != nil {
		return nil, err
	}
	return s.sessionOf(user), s.sessions.Begin(ctx, user)
}

func (s *Server) logout(ctx context.Context, _ *nothing) (*nothing, error) {
	return nil, s.sessions.End(ctx)
}
