package amocrm

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"flysense/crm"
	"flysense/crm/rest"
)

const maxToken = 16 << 10 // bytes; the vendor warns that lengths vary, seen are about 1 KB

// Host is [crm.Authorizer]: an address, a host or the bare subdomain.
func (c *Connector) Host(typed string) (string, error) {
	host := strings.ToLower(strings.TrimSpace(typed))
	if u, err := url.Parse(host); err == nil && u.Host != "" {
		host = u.Host
	}
	host, _, _ = strings.Cut(host, "/")
	if isLabel(host) && host != "www" {
		host += "." + hosts[0]
	}
	if host == c.options.Demo && host != "" || accountHost(host) {
		return host, nil
	}
	return "", &crm.Invalid{Field: "host", Message: "Укажите адрес аккаунта, как в браузере: например romashka.amocrm.ru."}
}

// AuthorizeURL is [crm.Authorizer]. The redirect comes back into the window
// that shows the page, whether it is a popup or not.
func (c *Connector) AuthorizeURL(app crm.App, state string) string {
	u := c.base("www." + hosts[0])
	switch {
	case app.Host == c.options.Demo && app.Host != "":
		u = c.base(app.Host)
	case !strings.HasSuffix(app.Host, "."+hosts[0]):
		u = c.base("www.kommo.com")
	}
	u.Path = "/oauth"
	u.RawQuery = url.Values{"client_id": {app.ClientID}, "state": {state}, "mode": {"post_message"}}.Encode()
	return u.String()
}

// Returned is [crm.Authorizer]. The referer decides where the client secret is
// posted, so it must be an account of the vendor (contracts/amocrm.md 1.3).
func (c *Connector) Returned(query url.Values) (host, code string, err error) {
	if query.Get("error") != "" {
		return "", "", &crm.Invalid{Field: "code", Message: "Доступ не подтверждён: в amoCRM нажали «Отказать». Подтвердите ещё раз от имени администратора."}
	}
	host = strings.ToLower(query.Get("referer"))
	if !accountHost(host) && (host == "" || host != c.options.Demo) {
		return "", "", &crm.Invalid{Field: "host", Message: "Ответ пришёл не от amoCRM. Откройте подключение и подтвердите доступ ещё раз."}
	}
	if code = query.Get("code"); code == "" {
		return "", "", &crm.Invalid{Field: "code", Message: "amoCRM не передала код авторизации. Подтвердите доступ ещё раз."}
	}
	return host, code, nil
}

// Redeem is [crm.Authorizer]. A long-lived token costs no request: whether it
// works, the account will tell.
func (c *Connector) Redeem(ctx context.Context, app crm.App, given crm.Credentials) (crm.Tokens, error) {
	if given.Token != "" {
		if len(given.Token) > maxToken || strings.ContainsAny(given.Token, " \t\r\n") {
			return crm.Tokens{}, &crm.Invalid{Field: "token", Message: "Это не похоже на токен: скопируйте его целиком, без пробелов и переносов."}
		}
		return crm.Tokens{Access: given.Token, ExpiresAt: expiry(given.Token)}, nil
	}
	tokens, err := c.askTokens(ctx, app, tokenRequest{GrantType: "authorization_code", Code: given.Code})
	var access *crm.AccessError
	switch {
	case errors.As(err, &access) && access.Wait == 0:
		return tokens, &crm.Invalid{Field: "code", Message: "amoCRM не приняла код. Он действует 20 минут и только один раз: скопируйте новый на вкладке «Ключи и доступы» " +
			"и проверьте ID интеграции, секретный ключ и адрес перенаправления (он должен совпадать до последнего знака)."}
	case errors.As(err, &access):
		return tokens, &crm.Invalid{Field: "host", Message: access.Hint}
	case errors.Is(err, rest.ErrUnknownOutcome):
		return tokens, &crm.Invalid{Field: "code", Message: "Ответ amoCRM потерялся, код мог быть израсходован. Скопируйте новый код и повторите."}
	case rest.Status(err) == http.StatusNotFound:
		return tokens, &crm.Invalid{Field: "host", Message: "По этому адресу нет аккаунта amoCRM. Проверьте адрес."}
	}
	return tokens, err
}

// Refresh is [crm.Authorizer]. It may spend the refresh token without an answer:
// then the error is rest.ErrUnknownOutcome.
func (c *Connector) Refresh(ctx context.Context, app crm.App, t crm.Tokens) (crm.Tokens, error) {
	if t.LongLived() {
		return t, lostAccess(errors.New("the long-lived token is refused"), app.Host)
	}
	return c.askTokens(ctx, app, tokenRequest{GrantType: "refresh_token", RefreshToken: t.Refresh})
}

func (c *Connector) askTokens(ctx context.Context, app crm.App, r tokenRequest) (crm.Tokens, error) {
	r.ClientID, r.ClientSecret, r.RedirectURI = app.ClientID, app.ClientSecret, app.RedirectURI
	asked := c.options.Now()
	answer, err := c.options.Client.Do(ctx, rest.Request{
		Method: http.MethodPost,
		URL:    c.base(app.Host).JoinPath("/oauth2/access_token"),
		Body:   r,
	})
	if status := rest.Status(err); status == http.StatusBadRequest || status == http.StatusUnauthorized {
		return crm.Tokens{}, lostAccess(err, app.Host)
	} else if err != nil {
		return crm.Tokens{}, explain(fmt.Errorf("ask for tokens: %w", err), app.Host)
	}
	var got tokenAnswer
	if err := answer.Decode(&got); err != nil {
		return crm.Tokens{}, fmt.Errorf("ask for tokens: %w", errors.Join(rest.ErrUnknownOutcome, err))
	}
	if got.AccessToken == "" || got.RefreshToken == "" || len(got.AccessToken) > maxToken || len(got.RefreshToken) > maxToken {
		return crm.Tokens{}, fmt.Errorf("ask for tokens: the answer has none: %w", rest.ErrUnknownOutcome)
	}
	return crm.Tokens{
		Access:    got.AccessToken,
		Refresh:   got.RefreshToken,
		ExpiresAt: asked.Add(time.Duration(got.ExpiresIn) * time.Second),
	}, nil
}

// expiry reads the end of a token; zero if it does not tell.
func expiry(token string) time.Time {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return time.Time{}
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return time.Time{}
	}
	var c claims
	if json.Unmarshal(text, &c) != nil || c.Expires <= 0 {
		return time.Time{}
	}
	return time.Unix(int64(c.Expires), 0)
}
