package amocrm

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// callerWait is how long amoCRM waits for an integration's server (1.3, 3.2).
const callerWait = 3 * time.Second

// Integration is a private integration of the account (1.1).
type Integration struct {
	ID       string // client_id
	Secret   string
	Redirect string // must be repeated by the client character for character
	Name     string
	OnRevoke string // address called when the integration is switched off; may be empty
}

// RegisterIntegration fills the integration form; an ID that is there already
// is replaced.
func (p *Portal) RegisterIntegration(i Integration) {
	defer p.lock()()
	defer p.touch()
	for n, old := range p.clients {
		if old.ID == i.ID {
			p.clients[n] = i
			return
		}
	}
	p.clients = append(p.clients, i)
}

// Code is the authorization code of the keys tab: 20 minutes, once.
func (p *Portal) Code(clientID string) string {
	defer p.lock()()
	p.mustKnow(clientID)
	p.touch()
	return p.newCode(clientID)
}

func (p *Portal) client(id string) (Integration, bool) {
	for _, i := range p.clients {
		if i.ID == id {
			return i, true
		}
	}
	return Integration{}, false
}

// mustKnow stops a script that names an integration nobody registered.
func (p *Portal) mustKnow(clientID string) {
	if _, ok := p.client(clientID); !ok {
		panic("amocrm emulator: integration " + clientID + " is not registered")
	}
}

// grant is the body of the token endpoint.
type grant struct {
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
	GrantType    string `json:"grant_type"`
	Code         string `json:"code"`
	RefreshToken string `json:"refresh_token"`
	RedirectURI  string `json:"redirect_uri"`
}

func readGrant(r *request) (grant, error) {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if kind == "application/x-www-form-urlencoded" {
		form, err := url.ParseQuery(string(r.body))
		if err != nil {
			return grant{}, err
		}
		return grant{
			form.Get("client_id"), form.Get("client_secret"), form.Get("grant_type"),
			form.Get("code"), form.Get("refresh_token"), form.Get("redirect_uri"),
		}, nil
	}
	var g grant
	return g, json.Unmarshal(r.body, &g)
}

// grantToken is POST /oauth2/access_token (1.4).
func (p *Portal) grantToken(r *request) reply {
	g, err := readGrant(r)
	if err != nil {
		return oauthProblem(http.StatusBadRequest, "", "Тело запроса не читается")
	}
	client, ok := p.client(g.ClientID)
	if !ok || !hmac.Equal([]byte(client.Secret), []byte(g.ClientSecret)) {
		return oauthProblem(http.StatusUnauthorized, "", "Client authentication failed")
	}
	if g.RedirectURI != client.Redirect {
		return oauthProblem(http.StatusBadRequest, "Check the `redirect_uri` parameter", "В запросе отсутствует ряд параметров или параметры невалидны")
	}
	switch g.GrantType {
	case "authorization_code":
		return p.redeem(g)
	case "refresh_token":
		return p.renew(g)
	}
	return oauthProblem(http.StatusBadRequest, "Check the `grant_type` parameter", "Тип гранта не поддерживается")
}

func (p *Portal) redeem(g grant) reply {
	const detail = "Код авторизации недействителен"
	c := p.codes[g.Code]
	switch {
	case c == nil || c.client != g.ClientID:
		return oauthProblem(http.StatusBadRequest, "Cannot decrypt the authorization code", detail)
	case c.spent:
		return oauthProblem(http.StatusBadRequest, "Authorization code has been revoked", detail)
	case !p.now().Before(c.expires):
		return oauthProblem(http.StatusBadRequest, "Authorization code has expired", detail)
	}
	c.spent = true
	return p.pair(p.newToken(c.client, c.user, p.opt.AccessLife))
}

// renew spends a refresh token. The access token of the old pair dies with it.
func (p *Portal) renew(g grant) reply {
	const detail = "Токен обновления недействителен"
	status := p.opt.RefreshErrorStatus
	old := p.refreshes[g.RefreshToken]
	switch {
	case old == nil || old.client != g.ClientID:
		return oauthProblem(status, "Cannot decrypt the refresh token", detail)
	case old.spent:
		return oauthProblem(status, "Token has been revoked", detail)
	case !p.now().Before(old.expires):
		return oauthProblem(status, "Token has expired", detail)
	}
	old.spent = true
	if t := p.tokens[old.access]; t != nil {
		t.revoked = true
	}
	return p.pair(p.newToken(old.client, old.user, p.opt.AccessLife))
}

func (p *Portal) pair(t *token) reply {
	return jsonReply(http.StatusOK, plainJSON, object{
		"token_type": "Bearer", "expires_in": int64(p.opt.AccessLife / time.Second), "server_time": p.now().Unix(),
		"access_token": t.text, "refresh_token": p.newRefresh(t),
	})
}

// oauthProblem is the token endpoint's own error body (1.5).
func oauthProblem(status int, hint, detail string) reply {
	body := struct {
		Hint   string `json:"hint,omitempty"`
		Title  string `json:"title"`
		Type   string `json:"type"`
		Status int    `json:"status"`
		Detail string `json:"detail"`
	}{hint, "Некорректный запрос", "https://developers.amocrm.ru/v3/errors/OAuthProblemJson", status, detail}
	return jsonReply(status, problemJSON, body)
}

// currentSubdomain tells the owner of a refresh token where the account lives
// now; the token is not consumed (1.6).
func (p *Portal) currentSubdomain(r *request) reply {
	known := p.refreshes[r.Header.Get("X-Refresh-Token")]
	if known == nil || known.spent || !p.now().Before(known.expires) {
		return oauthProblem(http.StatusUnauthorized, "Token has been revoked", "Токен обновления недействителен")
	}
	top := p.opt.TopDomain[strings.LastIndex(p.opt.TopDomain, ".")+1:]
	return jsonReply(http.StatusOK, plainJSON, object{
		"id": p.opt.AccountID, "subdomain": p.subdomain, "domain": p.domain(), "top_level_domain": top,
	})
}

// InstallWidget plays way B of 1.3: amoCRM's servers call the redirect URI
// with a code, wait 3 s, ignore the answer and never repeat.
func (p *Portal) InstallWidget(ctx context.Context, clientID string) error {
	unlock := p.lock()
	p.mustKnow(clientID)
	client, _ := p.client(clientID)
	q := url.Values{"code": {p.newCode(clientID)}, "referer": {p.apiHost()}, "from_widget": {"1"}, "platform": {"1"}, "client_id": {clientID}}
	p.touch()
	unlock()
	return call(ctx, withQuery(client.Redirect, q))
}

// SwitchOff turns an integration off: its tokens die and its disconnect hook
// is called with the right signature (1.7).
func (p *Portal) SwitchOff(ctx context.Context, clientID string) error {
	unlock := p.lock()
	p.mustKnow(clientID)
	client, _ := p.client(clientID)
	p.revoke(func(id string) bool { return id == clientID })
	unlock()
	if client.OnRevoke == "" {
		return nil
	}
	account := fmt.Sprint(p.opt.AccountID)
	mac := hmac.New(sha256.New, []byte(client.Secret))
	mac.Write([]byte(client.ID + "|" + account))
	q := url.Values{"account_id": {account}, "client_uuid": {client.ID}, "signature": {hex.EncodeToString(mac.Sum(nil))}}
	return call(ctx, withQuery(client.OnRevoke, q))
}

func call(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, callerWait)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return fmt.Errorf("call the integration: %w", err)
	}
	server := &http.Transport{DisableKeepAlives: true} // called once, redirects are not followed
	answer, err := server.RoundTrip(r)
	if err != nil {
		return fmt.Errorf("call the integration: %w", err)
	}
	return answer.Body.Close()
}

// withQuery adds arguments to an address that may have some already.
func withQuery(address string, q url.Values) string {
	separator := "?"
	if strings.Contains(address, "?") {
		separator = "&"
	}
	return address + separator + q.Encode()
}
