package amocrm_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"flysense/crm/emulator/amocrm"
)

func tokenBody(grant, key, value string) map[string]string {
	return map[string]string{"client_id": clientID, "client_secret": secret, "grant_type": grant, key: value, "redirect_uri": redirect}
}

func byCode(code string) map[string]string {
	return tokenBody("authorization_code", "code", code)
}

func byRefresh(token any) map[string]string {
	text, _ := token.(string)
	return tokenBody("refresh_token", "refresh_token", text)
}

func TestTokenFromCode(t *testing.T) {
	w := newWorld(t, amocrm.Options{})
	code := w.Code(clientID)
	a := w.must(200, "POST", "/oauth2/access_token", byCode(code), "Authorization", "")
	equal(t, "Content-Type", a.header.Get("Content-Type"), "application/json")
	equal[any](t, "token_type", a.json["token_type"], "Bearer")
	equal[any](t, "expires_in", a.json["expires_in"], 86400.0)
	equal[any](t, "server_time", a.json["server_time"], 1767600000.0)

	access, _ := a.json["access_token"].(string)
	parts := strings.Split(access, ".")
	if len(parts) != 3 {
		t.Fatalf("access token is no JWT: %q", access)
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	equal[any](t, "api_domain", claims["api_domain"], strings.TrimPrefix(w.url, "http://"))
	equal[any](t, "exp", claims["exp"], 1767686400.0)
	equal[any](t, "account_id", claims["account_id"], 31210377.0)
	equal[any](t, "aud", claims["aud"], clientID)
	if scopes, _ := claims["scopes"].([]any); len(scopes) != 2 || scopes[0] != "crm" {
		t.Errorf("scopes: %v", claims["scopes"])
	}

	w.token = access
	w.must(200, "GET", "/api/v4/account", nil)
	w.clock.sleep(24 * time.Hour)
	w.must(401, "GET", "/api/v4/account", nil)
}

func TestTokenEndpointTakesFormsAndATrailingSlash(t *testing.T) {
	w := newWorld(t, amocrm.Options{})
	form := url.Values{}
	for key, value := range byCode(w.Code(clientID)) {
		form.Set(key, value)
	}
	w.must(200, "POST", "/oauth2/access_token/", form.Encode(), "Content-Type", "application/x-www-form-urlencoded; charset=UTF-8")
}

func TestTokenErrors(t *testing.T) {
	const badCode, badRefresh = "Код авторизации недействителен", "Токен обновления недействителен"
	with := func(body map[string]string, key, value string) map[string]string {
		body[key] = value
		return body
	}
	for name, tt := range map[string]struct {
		body         func(*world) map[string]string
		status       int
		hint, detail string
	}{
		"code used twice": {func(w *world) map[string]string {
			code := w.Code(clientID)
			w.must(200, "POST", "/oauth2/access_token", byCode(code))
			return byCode(code)
		}, 400, "Authorization code has been revoked", badCode},
		"code after 20 minutes": {func(w *world) map[string]string {
			code := w.Code(clientID)
			w.clock.sleep(20 * time.Minute)
			return byCode(code)
		}, 400, "Authorization code has expired", badCode},
		"made-up code": {func(*world) map[string]string { return byCode("def502") }, 400, "Cannot decrypt the authorization code", badCode},
		"code of another integration": {func(w *world) map[string]string {
			w.RegisterIntegration(amocrm.Integration{ID: "other", Secret: "x", Redirect: "y"})
			return byCode(w.Code("other"))
		}, 400, "Cannot decrypt the authorization code", badCode},
		"refresh after three months": {func(w *world) map[string]string {
			a := w.must(200, "POST", "/oauth2/access_token", byCode(w.Code(clientID)))
			w.clock.sleep(93 * 24 * time.Hour)
			return byRefresh(a.json["refresh_token"])
		}, 401, "Token has expired", badRefresh},
		"made-up refresh": {func(*world) map[string]string { return byRefresh("def502") }, 401, "Cannot decrypt the refresh token", badRefresh},
		"wrong secret": {func(w *world) map[string]string {
			return with(byCode(w.Code(clientID)), "client_secret", "S3cr3t")
		}, 401, "", "Client authentication failed"},
		"unknown client": {func(w *world) map[string]string {
			return with(byCode(w.Code(clientID)), "client_id", "nobody")
		}, 401, "", "Client authentication failed"},
		"redirect with a slash too much": {func(w *world) map[string]string {
			return with(byCode(w.Code(clientID)), "redirect_uri", redirect+"/")
		}, 400, "Check the `redirect_uri` parameter", "В запросе отсутствует ряд параметров или параметры невалидны"},
		"unknown grant": {func(*world) map[string]string {
			return tokenBody("password", "code", "x")
		}, 400, "Check the `grant_type` parameter", "Тип гранта не поддерживается"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, amocrm.Options{})
			a := w.must(tt.status, "POST", "/oauth2/access_token", tt.body(w))
			want := map[string]any{
				"title": "Некорректный запрос", "type": "https://developers.amocrm.ru/v3/errors/OAuthProblemJson",
				"status": float64(tt.status), "detail": tt.detail,
			}
			if tt.hint != "" {
				want["hint"] = tt.hint
			}
			sameObject(t, a.json, want)
			equal(t, "Content-Type", a.header.Get("Content-Type"), "application/problem+json")
		})
	}
}

func sameObject(t *testing.T, got, want any) {
	t.Helper()
	g, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	w, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if string(g) != string(w) {
		t.Errorf("got  %s\nwant %s", g, w)
	}
}

func TestRefreshRotates(t *testing.T) {
	for name, status := range map[string]int{"as seen in the field": 401, "as the docs say": 400} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, amocrm.Options{RefreshErrorStatus: status})
			first := w.must(200, "POST", "/oauth2/access_token", byCode(w.Code(clientID)))
			second := w.must(200, "POST", "/oauth2/access_token", byRefresh(first.json["refresh_token"]))
			if first.json["refresh_token"] == second.json["refresh_token"] || first.json["access_token"] == second.json["access_token"] {
				t.Fatal("the pair did not change")
			}
			again := w.must(status, "POST", "/oauth2/access_token", byRefresh(first.json["refresh_token"]))
			equal[any](t, "hint", again.json["hint"], "Token has been revoked")

			w.token, _ = first.json["access_token"].(string)
			w.must(401, "GET", "/api/v4/account", nil) // rotated elsewhere
			w.token, _ = second.json["access_token"].(string)
			w.must(200, "GET", "/api/v4/account", nil)

			w.ExpireAccess()
			w.must(401, "GET", "/api/v4/account", nil)
			third := w.must(200, "POST", "/oauth2/access_token", byRefresh(second.json["refresh_token"]))
			w.token, _ = third.json["access_token"].(string)
			w.must(200, "GET", "/api/v4/account", nil)

			w.RevokeAll()
			w.must(401, "GET", "/api/v4/account", nil)
			w.must(status, "POST", "/oauth2/access_token", byRefresh(third.json["refresh_token"]))
		})
	}
}

func TestLongLivedToken(t *testing.T) {
	w := newWorld(t, amocrm.Options{})
	w.clock.sleep(24*time.Hour - time.Second)
	w.must(200, "GET", "/api/v4/account", nil)
	w.ExpireAccess() // of pairs only
	w.must(200, "GET", "/api/v4/account", nil)
	w.clock.sleep(time.Second)
	a := w.must(401, "GET", "/api/v4/account", nil)
	equal(t, "Content-Type", a.header.Get("Content-Type"), "application/problem+json")
	equal[any](t, "title", a.json["title"], "Unauthorized")
	w.token = w.IssueLongLivedToken(clientID, 24*time.Hour)
	w.must(200, "GET", "/api/v4/account", nil)
	w.Revoke(w.token)
	w.must(401, "GET", "/api/v4/account", nil)
	w.must(401, "GET", "/api/v4/account", nil, "Authorization", "")
}

func TestRename(t *testing.T) {
	w := newWorld(t, amocrm.Options{})
	pair := w.must(200, "POST", "/oauth2/access_token", byCode(w.Code(clientID)))
	refresh, _ := pair.json["refresh_token"].(string)
	w.must(200, "GET", "/api/v4/account", nil, "Host", "romashka.amocrm.ru")
	w.Rename("romashka2")
	a := w.must(401, "GET", "/api/v4/account", nil, "Host", "romashka.amocrm.ru")
	equal[any](t, "code", a.json["code"], 101.0)
	equal[any](t, "subdomain", w.must(200, "GET", "/api/v4/account", nil, "Host", "romashka2.amocrm.ru").json["subdomain"], "romashka2")
	for range 2 { // the token is not consumed
		a = w.must(200, "GET", "/oauth2/account/current/subdomain", nil, "X-Refresh-Token", refresh, "Authorization", "", "Host", "romashka.amocrm.ru")
		sameObject(t, a.json, map[string]any{"id": 31210377, "subdomain": "romashka2", "domain": "romashka2.amocrm.ru", "top_level_domain": "ru"})
	}
	w.must(200, "POST", "/oauth2/access_token", byRefresh(refresh))
	w.must(401, "GET", "/oauth2/account/current/subdomain", nil, "X-Refresh-Token", refresh)
}

func TestConsent(t *testing.T) {
	for name, tt := range map[string]struct {
		form   url.Values
		status int
		check  func(*testing.T, *world, url.Values)
	}{
		"allowed": {url.Values{"client_id": {clientID}, "state": {"s 1"}, "answer": {"allow"}}, 302, func(t *testing.T, w *world, q url.Values) {
			equal(t, "state", q.Get("state"), "s 1")
			equal(t, "referer", q.Get("referer"), strings.TrimPrefix(w.url, "http://"))
			equal(t, "platform", q.Get("platform"), "1")
			equal(t, "client_id", q.Get("client_id"), clientID)
			w.must(200, "POST", "/oauth2/access_token", byCode(q.Get("code")))
		}},
		"refused": {url.Values{"client_id": {clientID}, "state": {"s"}, "answer": {"refuse"}}, 302, func(t *testing.T, _ *world, q url.Values) {
			sameObject(t, q, url.Values{"error": {"access_denied"}, "state": {"s"}})
		}},
		"without state": {url.Values{"client_id": {clientID}, "answer": {"allow"}}, 302, func(t *testing.T, _ *world, q url.Values) {
			if q.Has("state") {
				t.Error("a state nobody sent came back")
			}
		}},
		"popup":               {url.Values{"client_id": {clientID}, "mode": {"popup"}, "answer": {"allow"}}, 200, nil},
		"unknown integration": {url.Values{"client_id": {"nobody"}, "answer": {"allow"}}, 404, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, amocrm.Options{})
			shown := tt.form
			if tt.status != 404 {
				page := w.must(200, "GET", "/oauth?"+shown.Encode(), nil)
				if !strings.Contains(string(page.body), "Разрешить доступ для «FlySense»") {
					t.Errorf("the page does not ask: %s", page.body)
				}
			}
			a := w.must(tt.status, "POST", "/oauth", tt.form.Encode(), "Content-Type", "application/x-www-form-urlencoded")
			if tt.check == nil {
				return
			}
			back, err := url.Parse(a.header.Get("Location"))
			if err != nil || !strings.HasPrefix(back.String(), redirect+"?") {
				t.Fatalf("Location %q: %v", a.header.Get("Location"), err)
			}
			tt.check(t, w, back.Query())
		})
	}
}

func TestInstallAndSwitchOffCallTheIntegration(t *testing.T) {
	w := newWorld(t, amocrm.Options{})
	calls := make(chan *http.Request, 2)
	app := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		calls <- r
		rw.WriteHeader(http.StatusInternalServerError) // the answer is ignored
	}))
	defer app.Close()
	w.RegisterIntegration(amocrm.Integration{ID: clientID, Secret: secret, Redirect: app.URL + "/oauth", OnRevoke: app.URL + "/gone?of=amo"})

	if err := w.InstallWidget(t.Context(), clientID); err != nil {
		t.Fatal(err)
	}
	q := (<-calls).URL.Query()
	equal(t, "from_widget", q.Get("from_widget"), "1")
	body := byCode(q.Get("code"))
	body["redirect_uri"] = app.URL + "/oauth"
	w.must(200, "POST", "/oauth2/access_token", body)

	if err := w.SwitchOff(t.Context(), clientID); err != nil {
		t.Fatal(err)
	}
	q = (<-calls).URL.Query()
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(clientID + "|31210377"))
	equal(t, "signature", q.Get("signature"), hex.EncodeToString(mac.Sum(nil)))
	equal(t, "of", q.Get("of"), "amo")
	w.must(401, "GET", "/api/v4/account", nil)
}
