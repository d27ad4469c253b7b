package amocrm_test

import (
	"encoding/json"
	"testing"
	"time"

	"flysense/crm/emulator/amocrm"
)

func TestSevenPerSecondAndToken(t *testing.T) {
	w := newWorld(t, amocrm.Options{Limits: amocrm.Limits{PerToken: 7, PerAccount: 50}})
	for range 7 {
		w.must(200, "GET", "/api/v4/account", nil)
		w.clock.sleep(100 * time.Millisecond)
	}
	a := w.must(429, "GET", "/api/v4/account", nil)
	if json.Valid(a.body) || a.header.Get("Retry-After") != "" {
		t.Errorf("429 is %q with Retry-After %q", a.body, a.header.Get("Retry-After"))
	}
	first := w.token
	w.token = w.IssueLongLivedToken(clientID, time.Hour)
	w.must(200, "GET", "/api/v4/account", nil) // another token has its own second
	w.token = first
	w.clock.sleep(300 * time.Millisecond) // the first of the seven is a second old
	w.must(200, "GET", "/api/v4/account", nil)
	w.must(429, "GET", "/api/v4/account", nil)
}

func TestFiftyPerSecondAndAccount(t *testing.T) {
	w := newWorld(t, amocrm.Options{Limits: amocrm.Limits{PerToken: 7, PerAccount: 50}})
	for i := range 50 {
		if i%7 == 0 {
			w.token = w.IssueLongLivedToken(clientID, time.Hour)
		}
		w.must(200, "GET", "/api/v4/account", nil)
	}
	w.token = w.IssueLongLivedToken(clientID, time.Hour)
	w.must(429, "GET", "/api/v4/account", nil)
	w.must(429, "POST", "/oauth2/access_token", byCode(w.Code(clientID)), "Authorization", "")
	w.clock.sleep(time.Second)
	w.must(200, "GET", "/api/v4/account", nil)
}

func TestIgnored429Blocks(t *testing.T) {
	w := newWorld(t, amocrm.Options{Limits: amocrm.Limits{PerToken: 1, PerAccount: 50, Ignored: 3}})
	w.must(200, "GET", "/api/v4/account", nil)
	for range 4 { // the first is the warning, three are ignored
		w.must(429, "GET", "/api/v4/account", nil)
	}
	a := w.must(403, "GET", "/api/v4/account", nil)
	equal(t, "Content-Type", a.header.Get("Content-Type"), "text/html")
	equal(t, "blocked", w.Blocked(), true)
	w.clock.sleep(time.Hour)
	w.must(403, "POST", "/oauth2/access_token", byCode(w.Code(clientID)), "Authorization", "")
	w.Unblock()
	w.must(200, "GET", "/api/v4/account", nil)
}

func TestPausesAreNotIgnored429(t *testing.T) {
	w := newWorld(t, amocrm.Options{Limits: amocrm.Limits{PerToken: 1, PerAccount: 50, Ignored: 1}})
	for range 5 {
		w.must(200, "GET", "/api/v4/account", nil)
		w.must(429, "GET", "/api/v4/account", nil)
		w.clock.sleep(time.Second)
	}
	equal(t, "blocked", w.Blocked(), false)
}
