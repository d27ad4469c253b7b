package web

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"flysense/web/auth"
)

// The first start: every address asks for the set-up, the code works once, and
// whoever used it is signed in.
func TestFirstStart(t *testing.T) {
	w := newWorld(t)
	c := &client{t: t, handler: w}
	c.get("/api/v1/session").refused(http.StatusUnauthorized, "setup")
	c.get("/api/v1/calls").refused(http.StatusUnauthorized, "setup")
	c.ask("POST", "/api/v1/login", `{"login":"anna","password":"x"}`).refused(http.StatusUnauthorized, "setup")
	code, _, err := w.Auth.SetupCode(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	body := func(code, password string) string {
		return fmt.Sprintf(`{"code":%q,"login":"anna","password":%q}`, code, password)
	}
	c.ask("POST", "/api/v1/setup", body("AAAA-BBBB-CCCC-DDDD", password)).refused(http.StatusUnprocessableEntity, "code")
	c.ask("POST", "/api/v1/setup", body(code, "короткий")).refused(http.StatusUnprocessableEntity, "unfit")
	if c.cookie != nil {
		t.Error("a refusal left a cookie")
	}
	got := read[Session](c.ask("POST", "/api/v1/setup", body(code, password)))
	if want := (Session{Login: "anna", Role: "owner", Version: "test"}); got != want {
		t.Errorf("%+v", got)
	}
	if again := read[Session](c.get("/api/v1/session")); again != got {
		t.Errorf("%+v", again)
	}
	c.ask("POST", "/api/v1/setup", body(code, password)).refused(http.StatusConflict, "setup_done")
}

func TestSessionRotatesAndEnds(t *testing.T) {
	_, c := signedIn(t, auth.Owner)
	first := c.cookie
	if !first.HttpOnly || first.SameSite != http.SameSiteStrictMode || first.Path != "/" {
		t.Errorf("cookie: %s", first)
	}
	c.ask("POST", "/api/v1/login", `{"login":"anna","password":"`+password+`"}`).want(http.StatusOK)
	second := c.cookie
	if second.Value == first.Value {
		t.Error("the token was not rotated")
	}
	c.cookie = first
	c.get("/api/v1/session").refused(http.StatusUnauthorized, "login")
	c.cookie = second
	c.ask("POST", "/api/v1/logout", "").want(http.StatusNoContent)
	c.cookie = second
	c.get("/api/v1/session").refused(http.StatusUnauthorized, "login")
}

// Reading pages keeps a session alive; the stream of events, which a page
// reopens by itself, does not, nor does a page that nobody touches.
func TestIdleSessionEnds(t *testing.T) {
	w, c := signedIn(t, auth.Owner)
	for range 3 {
		w.clock.pass(20 * time.Minute)
		c.get("/api/v1/session").want(http.StatusOK)
	}
	w.clock.pass(20 * time.Minute)
	w.Feed.Close() // a stream ends at once
	c.get("/api/v1/events")
	c.header = http.Header{"X-Flysense-Unattended": {"1"}} // a page left open
	c.get("/api/v1/session").want(http.StatusOK)
	c.header = nil
	w.clock.pass(20 * time.Minute)
	c.get("/api/v1/session").refused(http.StatusUnauthorized, "login")
}

func TestLockout(t *testing.T) {
	w, c := signedIn(t, auth.Owner)
	for range 5 {
		c.ask("POST", "/api/v1/login", `{"login":"anna","password":"wrong"}`).refused(http.StatusUnauthorized, "credentials")
	}
	locked := c.ask("POST", "/api/v1/login", `{"login":"anna","password":"`+password+`"}`)
	locked.refused(http.StatusTooManyRequests, "locked")
	if locked.header.Get("Retry-After") != "900" || !strings.Contains(locked.body, "15 мин") {
		t.Errorf("Retry-After %q: %s", locked.header.Get("Retry-After"), locked.body)
	}
	w.clock.pass(15 * time.Minute)
	c.ask("POST", "/api/v1/login", `{"login":"anna","password":"`+password+`"}`).want(http.StatusOK)
}

func TestCookieOverTLS(t *testing.T) {
	_, c := signedIn(t, auth.Owner, func(o *Options) { o.Secure = true })
	if c.cookie.Name != "__Host-flysense" || !c.cookie.Secure {
		t.Errorf("cookie: %s", c.cookie)
	}
}
