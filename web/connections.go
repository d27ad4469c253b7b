package web

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"flysense/billing"
	"flysense/crm"
	"flysense/crm/rest"
	"flysense/engine"
)

// Connection is a portal as its page shows it; secrets stay inside.
type Connection struct {
	ID              string   `json:"id"`
	Vendor          string   `json:"vendor"`
	Name            string   `json:"name"`
	Host            string   `json:"host"`
	State           string   `json:"state" enum:"active,needs_owner,off"`
	Problem         string   `json:"problem"`
	Automatic       bool     `json:"automatic" doc:"recognise new calls without being asked"`
	AgentChannelIn  int      `json:"agentChannelIn" doc:"the channel the agent speaks on in incoming calls"`
	AgentChannelOut int      `json:"agentChannelOut"`
	OnPremHosts     []string `json:"onPremHosts" nullable:"false" doc:"private addresses recordings may come from, host or host:port"`
	LastPollAt      *int64   `json:"lastPollAt"`
	Calls           int      `json:"calls"`
	AuthorizeURL    string   `json:"authorizeUrl,omitempty" doc:"the consent page to open, if access was not given with the request"`
}

type connectionOutput struct{ Body Connection }

type connectionsOutput struct {
	Body struct {
		Connections []Connection `json:"connections" nullable:"false"`
		RedirectURI string       `json:"redirectUri" doc:"what to enter in the portal's integration"`
	}
}

// consentPath is where portals send people back to.
const consentPath = "/oauth/amocrm"

type connectionsInput struct{ from }

func (s *Server) connections(ctx context.Context, in *connectionsInput) (*connectionsOutput, error) {
	all, err := s.Portals.List(ctx)
	if err != nil {
		return nil, err
	}
	counts, err := s.Store.CountByConnection(ctx)
	if err != nil {
		return nil, err
	}
	out := &connectionsOutput{}
	out.Body.RedirectURI = s.publicURL(in.request) + consentPath
	out.Body.Connections = []Connection{}
	for _, c := range all {
		one := connectionOf(c)
		one.Calls = counts[c.ID]
		out.Body.Connections = append(out.Body.Connections, one)
	}
	return out, nil
}

// publicURL is the appliance as the browser sees it.
func (s *Server) publicURL(r *http.Request) string {
	if s.PublicURL != "" {
		return strings.TrimRight(s.PublicURL, "/")
	}
	if s.Secure {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

func connectionOf(c crm.Connection) Connection {
	out := Connection{
		ID: c.ID, Vendor: c.Vendor, Name: c.Name, Host: c.Host, State: string(c.State), Problem: c.Problem, Automatic: c.Automatic,
		AgentChannelIn: c.AgentChannel[engine.Incoming], AgentChannelOut: c.AgentChannel[engine.Outgoing],
		OnPremHosts: []string{}, LastPollAt: millis(c.PolledAt),
	}
	for _, a := range c.OnPremHosts {
		host := a.Host
		if a.Port != 0 {
			host = net.JoinHostPort(a.Host, strconv.Itoa(a.Port))
		}
		out.OnPremHosts = append(out.OnPremHosts, host)
	}
	return out
}

// connectionOutput is a connection after somebody worked on it.
func (s *Server) connectionOutput(ctx context.Context, c crm.Connection) (*connectionOutput, error) {
	counts, err := s.Store.CountByConnection(ctx)
	out := connectionOf(c)
	out.Calls = counts[c.ID]
	return &connectionOutput{out}, err
}

type connectInput struct {
	from
	Body struct {
		Vendor       string   `json:"vendor" enum:"amocrm"`
		Name         string   `json:"name,omitempty" maxLength:"300"`
		Host         string   `json:"host" maxLength:"300"`
		ClientID     string   `json:"clientId,omitempty" maxLength:"300"`
		ClientSecret string   `json:"clientSecret,omitempty" maxLength:"300"`
		RedirectURI  string   `json:"redirectUri,omitempty" maxLength:"1000"`
		Code         string   `json:"code,omitempty" maxLength:"5000" doc:"lives minutes"`
		Token        string   `json:"token,omitempty" maxLength:"5000" doc:"long-lived; with neither of both the answer has authorizeUrl"`
		Automatic    *bool    `json:"automatic,omitempty" doc:"true by default"`
		OnPremHosts  []string `json:"onPremHosts,omitempty" maxItems:"100"`
	}
}

func (s *Server) connect(ctx context.Context, in *connectInput) (*connectionOutput, error) {
	hosts, err := allowed(in.Body.OnPremHosts)
	if err != nil {
		return nil, err
	}
	redirect := in.Body.RedirectURI
	if redirect == "" {
		redirect = s.publicURL(in.request) + consentPath
	}
	actor := who(ctx).Login
	c, err := s.Portals.Create(ctx, actor, crm.Application{
		Vendor: in.Body.Vendor, Name: in.Body.Name, Host: in.Body.Host,
		Credentials: crm.Credentials{
			ClientID: in.Body.ClientID, ClientSecret: in.Body.ClientSecret, RedirectURI: redirect,
			Code: in.Body.Code, Token: in.Body.Token,
		},
		Automatic:   in.Body.Automatic == nil || *in.Body.Automatic,
		OnPremHosts: hosts,
	})
	if err != nil {
		return nil, err
	}
	return s.afterAccess(ctx, c)
}

// afterAccess answers with the connection, and with its consent page while it
// has no access.
func (s *Server) afterAccess(ctx context.Context, c crm.Connection) (*connectionOutput, error) {
	out, err := s.connectionOutput(ctx, c)
	if err != nil || c.State != crm.NeedsOwner {
		return out, err
	}
	out.Body.AuthorizeURL, err = s.Portals.AuthorizeURL(ctx, who(ctx).Login, c.ID)
	return out, err
}

type connectionInput struct {
	ID string `path:"id" maxLength:"64"`
}

type changeInput struct {
	ID   string `path:"id" maxLength:"64"`
	Body struct {
		Name            *string   `json:"name,omitempty" maxLength:"300"`
		On              *bool     `json:"on,omitempty" doc:"false switches the connection off"`
		Automatic       *bool     `json:"automatic,omitempty"`
		AgentChannelIn  *int      `json:"agentChannelIn,omitempty" minimum:"0" maximum:"1"`
		AgentChannelOut *int      `json:"agentChannelOut,omitempty" minimum:"0" maximum:"1"`
		OnPremHosts     *[]string `json:"onPremHosts,omitempty" maxItems:"100"`
	}
}

func (s *Server) changeConnection(ctx context.Context, in *changeInput) (*connectionOutput, error) {
	change := crm.Change{Name: in.Body.Name, Automatic: in.Body.Automatic, On: in.Body.On}
	for direction, channel := range map[engine.Direction]*int{engine.Incoming: in.Body.AgentChannelIn, engine.Outgoing: in.Body.AgentChannelOut} {
		if channel == nil {
			continue
		}
		if change.AgentChannel == nil {
			change.AgentChannel = map[engine.Direction]int{}
		}
		change.AgentChannel[direction] = *channel
	}
	if in.Body.OnPremHosts != nil {
		hosts, err := allowed(*in.Body.OnPremHosts)
		if err != nil {
			return nil, err
		}
		change.OnPremHosts = &hosts
	}
	c, err := s.Portals.Update(ctx, who(ctx).Login, in.ID, change)
	if err != nil {
		return nil, err
	}
	return s.connectionOutput(ctx, c)
}

// allowed reads "host" and "host:port".
func allowed(lines []string) ([]rest.Allowed, error) {
	hosts := []rest.Allowed{}
	for _, line := range lines {
		a := rest.Allowed{Host: strings.TrimSpace(line)}
		if host, port, err := net.SplitHostPort(a.Host); err == nil {
			number, err := strconv.ParseUint(port, 10, 16)
			if err != nil {
				return nil, &crm.Invalid{Field: "on_prem_hosts", Message: "Порт в «" + line + "» должен быть числом от 1 до 65535."}
			}
			a = rest.Allowed{Host: host, Port: int(number)}
		}
		if a.Host != "" {
			hosts = append(hosts, a)
		}
	}
	return hosts, nil
}

type reconnectInput struct {
	ID   string `path:"id" maxLength:"64"`
	Body struct {
		ClientID     string `json:"clientId,omitempty" maxLength:"300"`
		ClientSecret string `json:"clientSecret,omitempty" maxLength:"300"`
		RedirectURI  string `json:"redirectUri,omitempty" maxLength:"1000"`
		Code         string `json:"code,omitempty" maxLength:"5000"`
		Token        string `json:"token,omitempty" maxLength:"5000" doc:"with neither of both the answer has authorizeUrl"`
	}
}

func (s *Server) reconnect(ctx context.Context, in *reconnectInput) (*connectionOutput, error) {
	c, err := s.Portals.Reconnect(ctx, who(ctx).Login, in.ID, crm.Credentials{
		ClientID: in.Body.ClientID, ClientSecret: in.Body.ClientSecret, RedirectURI: in.Body.RedirectURI,
		Code: in.Body.Code, Token: in.Body.Token,
	})
	if err != nil {
		return nil, err
	}
	return s.afterAccess(ctx, c)
}

func (s *Server) checkConnection(ctx context.Context, in *connectionInput) (*connectionOutput, error) {
	if _, err := s.Portals.Check(ctx, who(ctx).Login, in.ID); err != nil {
		return nil, err
	}
	c, err := s.Portals.Connection(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return s.connectionOutput(ctx, c)
}

func (s *Server) deleteConnection(ctx context.Context, in *connectionInput) (*nothing, error) {
	return nil, s.Portals.Delete(ctx, who(ctx).Login, in.ID)
}

type previewInput struct {
	ID   string `path:"id" maxLength:"64"`
	From int64  `query:"from" minimum:"1" required:"true" doc:"logged at or after, Unix ms"`
	To   int64  `query:"to" minimum:"1" required:"true" doc:"logged before, Unix ms"`
}

type previewOutput struct {
	Body struct {
		Count   int     `json:"count"`
		Seconds float64 `json:"seconds" doc:"as the telephony says"`
		Units   string  `json:"units" doc:"what recognising all of it costs"`
	}
}

func (s *Server) previewArchive(ctx context.Context, in *previewInput) (*previewOutput, error) {
	preview, err := s.Portals.ArchivePreview(ctx, in.ID, fromMillis(in.From), fromMillis(in.To))
	if err != nil {
		return nil, err
	}
	tariff, err := s.Purse.Tariff(ctx)
	if err != nil {
		return nil, err
	}
	var length time.Duration
	var price billing.Amount
	for _, l := range preview.Lengths {
		length += l
		price += tariff.Price(billing.Work{Length: l, Summary: s.SummaryPaid()})
	}
	out := &previewOutput{}
	out.Body.Count, out.Body.Seconds, out.Body.Units = preview.Calls, length.Seconds(), units(price)
	return out, nil
}

type archiveInput struct {
	ID   string `path:"id" maxLength:"64"`
	Body struct {
		From int64 `json:"from" minimum:"1"`
		To   int64 `json:"to" minimum:"1"`
	}
}

type archiveOutput struct {
	Body struct {
		Started int `json:"started" doc:"calls that will be looked through; they appear in the list as they are found"`
	}
}

func (s *Server) startArchive(ctx context.Context, in *archiveInput) (*archiveOutput, error) {
	from, to := fromMillis(in.Body.From), fromMillis(in.Body.To)
	// The person hears at once of lost access or a wrong span, not from a job.
	preview, err := s.Portals.ArchivePreview(ctx, in.ID, from, to)
	if err != nil {
		return nil, err
	}
	if err := s.Archive.StartArchive(ctx, who(ctx).Login, in.ID, from, to); err != nil {
		return nil, err
	}
	s.log.Info("archive asked for", "user", who(ctx).Login, "connection", in.ID, "from", from, "to", to)
	out := &archiveOutput{}
	out.Body.Started = preview.Calls
	return out, nil
}

// consented takes a person back from the portal's consent page. The portal is
// another site, so no cookie comes with the request: the state, given out once
// to somebody signed in, is the proof.
func (s *Server) consented(w http.ResponseWriter, r *http.Request) {
	back := url.Values{}
	c, err := s.Portals.Redirected(r.Context(), r.URL.Query())
	var invalid *crm.Invalid
	switch {
	case err == nil:
		back.Set("connected", c.ID)
	case errors.As(err, &invalid):
		back.Set("problem", invalid.Message)
	default:
		back.Set("problem", s.refuse(r.Context(), r.Method+" "+consentPath, err).message)
	}
	http.Redirect(w, r, "/connections?"+back.Encode(), http.StatusSeeOther)
}
