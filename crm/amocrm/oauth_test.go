package amocrm_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"flysense/crm"
	"flysense/crm/amocrm"
	emulator "flysense/crm/emulator/amocrm"
	"flysense/crm/rest"
	"flysense/engine"
)

const tokenRoute = "POST /oauth2/access_token"

// invalid asserts that a person is told which input to correct.
func invalid(t *testing.T, err error, field string) {
	t.Helper()
	var e *crm.Invalid
	if !errors.As(err, &e) || e.Field != field || e.Message == "" {
		t.Errorf("got %v, want %s to be corrected", err, field)
	}
}

func (w *world) state(t *testing.T, id string) crm.Connection {
	t.Helper()
	c, err := w.hub.Connection(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (w *world) refreshes() int {
	n := 0
	for _, r := range w.portal.Requests() {
		if strings.HasPrefix(r.Path, "/oauth2/access_token") {
			n++
		}
	}
	return n
}

func TestWaysToConnect(t *testing.T) {
	w := newWorld(t, emulator.Options{})
	_, err := w.hub.Create(t.Context(), "owner", w.application(crm.Credentials{Code: "def502-mistyped"}))
	invalid(t, err, "code")
	_, err = w.hub.Create(t.Context(), "owner", w.application(crm.Credentials{Token: "eyJ.not.ours"}))
	invalid(t, err, "token")
	late := w.portal.Code(clientID)
	w.clock.advance(21 * time.Minute)
	_, err = w.hub.Create(t.Context(), "owner", w.application(crm.Credentials{Code: late}))
	invalid(t, err, "code")
	a := w.application(crm.Credentials{Code: w.portal.Code(clientID)})
	a.Credentials.ClientSecret = "wrong"
	_, err = w.hub.Create(t.Context(), "owner", a)
	invalid(t, err, "code")
	a.Host = "romashka.amocrm.ru.evil.example"
	_, err = w.hub.Create(t.Context(), "owner", a)
	invalid(t, err, "host")
	if list, err := w.hub.List(t.Context()); err != nil || len(list) != 0 {
		t.Fatalf("refused connections were kept: %v, %v", list, err)
	}

	c := w.connect(t, crm.Credentials{Token: " " + w.portal.IssueLongLivedToken(clientID, 365*24*time.Hour) + "\n"})
	if c.State != crm.Active || c.Name != "Ромашка" || c.AccountID != "31210377" || !c.AccessUntil.Equal(w.clock.Now().Add(365*24*time.Hour)) || !c.StartedAt.Equal(w.clock.Now()) {
		t.Errorf("long-lived token: %+v", c)
	}
	if w.refreshes() != 3 { // the wrong codes
		t.Errorf("a long-lived token asked the token endpoint: %d", w.refreshes())
	}
	_, err = w.hub.Create(t.Context(), "owner", w.application(crm.Credentials{Code: w.portal.Code(clientID)}))
	invalid(t, err, "account") // the portal is connected already
	if err := w.hub.Delete(t.Context(), "owner", c.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := w.hub.Settings(t.Context(), c.ID); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("deleted: %v", err)
	}
	if c := w.connect(t, crm.Credentials{Code: w.portal.Code(clientID)}); c.State != crm.Active || !c.AccessUntil.IsZero() {
		t.Errorf("code: %+v", c)
	}
}

func TestConsentPage(t *testing.T) {
	w := newWorld(t, emulator.Options{})
	c := w.connect(t, crm.Credentials{})
	if c.State != crm.NeedsOwner || c.Problem == "" {
		t.Fatalf("without code: %+v", c)
	}
	if _, _, err := w.hub.Find(t.Context(), c.ID, ""); err == nil || len(w.portal.Requests()) != 0 {
		t.Errorf("asked a portal nobody gave access to: %v", err)
	}
	ask := func() string {
		t.Helper()
		page, err := w.hub.AuthorizeURL(t.Context(), "anna", c.ID)
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(page)
		if err != nil || u.Host != w.address || u.Path != "/oauth" || u.Query().Get("client_id") != clientID {
			t.Fatalf("consent page %s, %v", page, err)
		}
		return u.Query().Get("state")
	}
	back := func(state, referer string, more ...string) error {
		q := url.Values{"state": {state}, "referer": {referer}, "code": {w.portal.Code(clientID)}}
		for i := 0; i < len(more); i += 2 {
			q.Set(more[i], more[i+1])
		}
		_, err := w.hub.Redirected(t.Context(), q)
		return err
	}
	invalid(t, back("", w.address), "state")
	invalid(t, back("guessed", w.address), "state")
	for _, evil := range []string{"evil.example", "amocrm.ru", "romashka.amocrm.ru.evil.example", "evil.example/.amocrm.ru", "romashka.amocrm.ru:8443", "user@romashka.amocrm.ru", "xamocrm.ru", "127.0.0.1:1", ""} {
		invalid(t, back(ask(), evil), "host")
	}
	invalid(t, back(ask(), w.address, "error", "access_denied"), "code")
	old := ask()
	w.clock.advance(21 * time.Minute)
	invalid(t, back(old, w.address), "state")
	if n := w.refreshes(); n != 0 {
		t.Errorf("the secret was posted %d times", n)
	}

	good := ask()
	if err := back(good, w.address); err != nil {
		t.Fatal(err)
	}
	if got := w.state(t, c.ID); got.State != crm.Active || got.AccountID == "" || got.Problem != "" {
		t.Errorf("after consent: %+v", got)
	}
	invalid(t, back(good, w.address), "state") // once
	events, err := w.hub.History(t.Context(), c.ID)
	if err != nil || events[0].What != "access_given" || events[0].Actor != "anna" {
		t.Errorf("history %+v, %v", events, err)
	}
	if len(w.restored) != 1 || w.restored[0] != c.ID {
		t.Errorf("restored %v", w.restored)
	}
}

func TestHost(t *testing.T) {
	w := newWorld(t, emulator.Options{})
	for typed, want := range map[string]string{
		"romashka": "romashka.amocrm.ru", "romashka.kommo.com": "romashka.kommo.com",
		" https://Romashka.amocrm.ru/leads/ ": "romashka.amocrm.ru", //nolint:gocritic // pasted with spaces around it
		"romashka.amocrm.com":                 "romashka.amocrm.com", w.address: w.address, "http://" + w.address + "/": w.address,
		"www.amocrm.ru": "", "amocrm.ru": "", "romashka.amocrm.ru.evil.example": "", "a.b.amocrm.ru": "", "evil.example": "", "127.0.0.1:1": "",
		"romashka.amocrm.ru:8443": "", "": "", "рома": "", "-a": "", "romashka.amocrm.ru@evil.example": "",
	} {
		got, err := w.connector.Host(typed)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", typed, got, err)
		}
	}
	if got := w.connector.AuthorizeURL(crm.App{Host: "romashka.amocrm.ru", ClientID: "x"}, "y"); !strings.HasPrefix(got, "https://www.amocrm.ru/oauth?") {
		t.Error(got)
	}
	if got := w.connector.AuthorizeURL(crm.App{Host: "romashka.kommo.com", ClientID: "x"}, "y"); !strings.HasPrefix(got, "https://www.kommo.com/oauth?") {
		t.Error(got)
	}
}

// Many jobs meet a dead access token at once: one of them renews it.
func TestOneRenewalForEverybody(t *testing.T) {
	w := newWorld(t, emulator.Options{})
	c := w.connect(t, crm.Credentials{Code: w.portal.Code(clientID)})
	second := w.open(t) // another process on the same database
	w.portal.ExpireAccess()
	before := w.refreshes()
	var wait sync.WaitGroup
	for i := range 12 {
		hub := w.hub
		if i%2 == 0 {
			hub = second
		}
		wait.Go(func() {
			if _, _, err := hub.Find(t.Context(), c.ID, ""); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if n := w.refreshes() - before; n != 1 {
		t.Errorf("%d renewals", n)
	}
	third := w.open(t) // after a restart the pair on disk is the good one
	if _, _, err := third.Find(t.Context(), c.ID, ""); err != nil || w.refreshes()-before != 1 {
		t.Errorf("after a restart: %v, %d renewals", err, w.refreshes()-before)
	}
}

func TestRenewedBeforeTheEndAndWeekly(t *testing.T) {
	w := newWorld(t, emulator.Options{})
	c := w.connect(t, crm.Credentials{Code: w.portal.Code(clientID)})
	w.clock.advance(22*time.Hour + 30*time.Minute)
	_, _, _ = w.hub.Find(t.Context(), c.ID, "")
	if w.refreshes() != 1 {
		t.Errorf("renewed with 90 minutes left")
	}
	w.clock.advance(time.Hour)
	if _, _, err := w.hub.Find(t.Context(), c.ID, ""); err != nil || w.refreshes() != 2 {
		t.Errorf("half an hour before the end: %v, asked %d times", err, w.refreshes())
	}
	for _, r := range w.portal.Requests() {
		if r.Status == 401 {
			t.Errorf("%s met a dead token", r.Path)
		}
	}
	// Switched off for half a year, access lives on.
	off, on := false, true
	if _, err := w.hub.Update(t.Context(), "owner", c.ID, crm.Change{On: &off}); err != nil {
		t.Fatal(err)
	}
	for range 26 {
		w.clock.advance(7 * 24 * time.Hour)
		if err := w.hub.KeepFresh(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.hub.Update(t.Context(), "owner", c.ID, crm.Change{On: &on}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.hub.Find(t.Context(), c.ID, ""); err != nil {
		t.Errorf("after half a year: %v", err)
	}
}

func TestLostAnswerOfARenewal(t *testing.T) {
	for name, tt := range map[string]struct {
		fault emulator.Fault
		lost  bool
	}{
		"lost before the work":  {emulator.Fault{Kind: emulator.Cut}, false},
		"gateway, nothing done": {emulator.Fault{Kind: emulator.GatewayTimeout}, false},
		"lost after the work":   {emulator.Fault{Kind: emulator.Cut, WorkDone: true}, true},
		"half an answer":        {emulator.Fault{Kind: emulator.Cut, HalfBody: true}, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, emulator.Options{})
			c := w.connect(t, crm.Credentials{Code: w.portal.Code(clientID)})
			w.portal.ExpireAccess()
			tt.fault.Route, tt.fault.Count = tokenRoute, 1
			w.portal.Fault(tt.fault)
			_, _, err := w.hub.Find(t.Context(), c.ID, "")
			if w.refreshes() != 3 {
				t.Errorf("the old token was tried %d times", w.refreshes()-1)
			}
			if hint, person := engine.OwnerHint(err); person != tt.lost || (err != nil) != tt.lost || person && !strings.Contains(hint, "Ключи и доступы") {
				t.Fatalf("got %v, hint %q", err, hint)
			}
			if want := map[bool]crm.State{true: crm.NeedsOwner, false: crm.Active}[tt.lost]; w.state(t, c.ID).State != want {
				t.Errorf("state %s", w.state(t, c.ID).State)
			}
		})
	}
}

// A revoked access stops everything until a person reconnects; then what was
// missed is caught up.
func TestRevokedAndReconnected(t *testing.T) {
	for name, credentials := range map[string]func(w *world) crm.Credentials{
		"by code": func(w *world) crm.Credentials { return crm.Credentials{Code: w.portal.Code(clientID)} },
		"by long-lived token": func(w *world) crm.Credentials {
			return crm.Credentials{Token: w.portal.IssueLongLivedToken(clientID, 24*time.Hour)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, emulator.Options{})
			c := w.connect(t, credentials(w))
			lead := w.portal.AddLead(emulator.Lead{Name: "Сделка"})
			w.portal.AddCall(lead, emulator.Call{Duration: time.Second})
			found, mark, err := w.hub.Find(t.Context(), c.ID, "")
			if err != nil || len(found) != 1 {
				t.Fatalf("%v, %v", found, err)
			}
			if err := w.portal.SwitchOff(t.Context(), clientID); err != nil {
				t.Fatal(err)
			}
			_, _, err = w.hub.Find(t.Context(), c.ID, mark)
			hint, person := engine.OwnerHint(err)
			if got := w.state(t, c.ID); !person || got.State != crm.NeedsOwner || got.Problem != hint {
				t.Fatalf("%v: %+v", err, got)
			}
			for _, part := range []string{"администратор", "Установленные интеграции", "Ключи и доступы", "долгосрочный токен", "код авторизации", "не потеряются"} {
				if !strings.Contains(hint, part) {
					t.Errorf("the hint does not say %q", part)
				}
			}
			before := len(w.portal.Requests())
			for range 3 {
				_, _, _ = w.hub.Find(t.Context(), c.ID, mark)
				_, _ = w.hub.Check(t.Context(), "owner", c.ID)
				_ = w.hub.KeepFresh(t.Context())
				w.clock.advance(24 * time.Hour)
			}
			if n := len(w.portal.Requests()) - before; n != 0 {
				t.Errorf("%d requests without access", n)
			}
			missed := w.portal.AddCall(lead, emulator.Call{Duration: time.Second, At: w.clock.Now()})

			_, err = w.hub.Reconnect(t.Context(), "owner", c.ID, crm.Credentials{Code: "wrong"})
			invalid(t, err, "code")
			other := newWorld(t, emulator.Options{AccountID: 4242})
			restore := w.portal
			w.portal = other.portal // the same address leads to another account
			_, err = w.hub.Reconnect(t.Context(), "owner", c.ID, crm.Credentials{Token: other.portal.IssueLongLivedToken(clientID, 24*time.Hour)})
			invalid(t, err, "account")
			w.portal = restore
			if w.state(t, c.ID).State != crm.NeedsOwner {
				t.Error("a wrong code gave access")
			}
			back, err := w.hub.Reconnect(t.Context(), "owner", c.ID, credentials(w))
			if err != nil || back.State != crm.Active || back.Problem != "" || !back.StartedAt.Equal(c.StartedAt) {
				t.Fatalf("%+v, %v", back, err)
			}
			found, _, err = w.hub.Find(t.Context(), c.ID, mark)
			if err != nil || len(found) == 0 || w.number(found[len(found)-1].OutsideID) != missed {
				t.Errorf("caught up %+v, %v", found, err)
			}
			if len(w.restored) != 1 {
				t.Errorf("restored %v", w.restored)
			}
		})
	}
}

func TestPauseEndsWhenAPersonChecks(t *testing.T) {
	w := newWorld(t, emulator.Options{})
	c := w.connect(t, crm.Credentials{Code: w.portal.Code(clientID)})
	for kind, word := range map[emulator.FaultKind]string{emulator.Unpaid: "не оплачен", emulator.ForbiddenIP: "IP-адрес", emulator.ForbiddenHTML: "заблокировала"} {
		heal := w.portal.Fault(emulator.Fault{Kind: kind})
		_, err := w.hub.WriteNote(t.Context(), engine.Note{ConnectionID: c.ID, CardKind: "lead", CardID: "1"}, "x")
		wait, later := engine.LaterWait(err)
		_, _, silent := w.hub.Find(t.Context(), c.ID, "")
		if _, also := engine.LaterWait(silent); !also {
			t.Errorf("%s: the search afterwards: %v", kind, silent)
		}
		got := w.state(t, c.ID)
		if !later || wait != time.Hour || got.State != crm.Active || !strings.Contains(got.Problem, word) || !got.PausedUntil.Equal(w.clock.Now().Add(time.Hour)) {
			t.Errorf("%s: %v, %+v", kind, err, got)
		}
		if due, err := w.hub.Due(t.Context()); err != nil || len(due) != 0 {
			t.Errorf("%s: a paused connection is due: %v, %v", kind, due, err)
		}
		if _, err := w.hub.Check(t.Context(), "owner", c.ID); err == nil {
			t.Errorf("%s: the check succeeded", kind)
		}
		heal()
		if len(w.portal.AllNotes()) != 0 {
			t.Error("a note was made")
		}
		if account, err := w.hub.Check(t.Context(), "owner", c.ID); err != nil || account.Name != "Ромашка" {
			t.Errorf("%s: %+v, %v", kind, account, err)
		}
		if got := w.state(t, c.ID); got.Problem != "" || !got.PausedUntil.IsZero() {
			t.Errorf("%s: afterwards %+v", kind, got)
		}
	}
}

// Nothing in the database file tells a secret, and with another key it is worth
// nothing; the person is told.
func TestSecretsAreSealed(t *testing.T) {
	w := newWorld(t, emulator.Options{})
	c := w.connect(t, crm.Credentials{Code: w.portal.Code(clientID)})
	w.portal.ExpireAccess()
	if _, _, err := w.hub.Find(t.Context(), c.ID, ""); err != nil {
		t.Fatal(err)
	}
	var dump []byte
	for _, suffix := range []string{"", "-wal"} {
		part, err := os.ReadFile(w.db.Path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		dump = append(dump, part...)
	}
	for what, text := range map[string]string{"secret": secret, "access token": "eyJ", "refresh token": "def50200"} {
		if bytes.Contains(dump, []byte(text)) {
			t.Errorf("the %s lies open in the database", what)
		}
	}
	if !bytes.Contains(dump, []byte(clientID)) {
		t.Error("looked into the wrong file")
	}
	info, err := os.Stat(w.keyFile)
	if err != nil || info.Mode().Perm() != 0o600 || info.Size() != 32 {
		t.Errorf("key file %v, %v", info, err)
	}

	if err := os.Remove(w.keyFile); err != nil {
		t.Fatal(err)
	}
	w.hub = w.open(t)
	_, _, err = w.hub.Find(t.Context(), c.ID, "")
	if hint, person := engine.OwnerHint(err); !person || !strings.Contains(hint, "ключ шифрования") {
		t.Errorf("with another key: %v", err)
	}
	_, err = w.hub.Reconnect(t.Context(), "owner", c.ID, crm.Credentials{Code: w.portal.Code(clientID)})
	invalid(t, err, "client_secret") // it cannot be read any more
	if _, err = w.hub.Reconnect(t.Context(), "owner", c.ID, crm.Credentials{ClientSecret: secret, Code: w.portal.Code(clientID)}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.hub.Find(t.Context(), c.ID, ""); err != nil {
		t.Error(err)
	}
	if err := os.Chmod(w.keyFile, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := crm.Open(t.Context(), crm.Options{DB: w.db, KeyFile: w.keyFile}); err == nil {
		t.Error("a key that everybody may read was taken")
	}
}

func TestSettingsAreChecked(t *testing.T) {
	w := newWorld(t, emulator.Options{})
	c := w.connect(t, crm.Credentials{Code: w.portal.Code(clientID)})
	empty, name, manual := " ", "Продажи", false
	_, err := w.hub.Update(t.Context(), "owner", c.ID, crm.Change{Name: &empty})
	invalid(t, err, "name")
	_, err = w.hub.Update(t.Context(), "owner", c.ID, crm.Change{AgentChannel: map[engine.Direction]int{engine.Incoming: 2}})
	invalid(t, err, "agent_channel")
	_, err = w.hub.Update(t.Context(), "owner", c.ID, crm.Change{OnPremHosts: &[]rest.Allowed{{Host: "127.0.0.1"}}})
	invalid(t, err, "on_prem_hosts")
	got, err := w.hub.Update(t.Context(), "owner", c.ID, crm.Change{
		Name: &name, Automatic: &manual, AgentChannel: map[engine.Direction]int{engine.Outgoing: 1}, OnPremHosts: &[]rest.Allowed{{Host: "10.20.0.0/16", Port: 8080}},
	})
	if err != nil || got.Name != name || got.Automatic || got.AgentChannel[engine.Incoming] != 1 || got.AgentChannel[engine.Outgoing] != 1 || len(got.OnPremHosts) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	s, err := w.hub.Settings(t.Context(), c.ID)
	if err != nil || s.Automatic || s.Name != name {
		t.Errorf("%+v, %v", s, err)
	}
	if again := w.state(t, c.ID); again.OnPremHosts[0] != (rest.Allowed{Host: "10.20.0.0/16", Port: 8080}) {
		t.Errorf("%+v", again)
	}
}

func TestDueByPollInterval(t *testing.T) {
	w := newWorld(t, emulator.Options{})
	c := w.connect(t, crm.Credentials{Code: w.portal.Code(clientID)})
	due := func() int {
		list, err := w.hub.Due(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	if due() != 1 {
		t.Error("a new connection is not due")
	}
	if _, _, err := w.hub.Find(t.Context(), c.ID, ""); err != nil {
		t.Fatal(err)
	}
	w.clock.advance(59 * time.Second)
	if due() != 0 {
		t.Error("due too early")
	}
	w.clock.advance(time.Second)
	if due() != 1 {
		t.Error("not due after a minute")
	}
}

// A token that may not read notes finds nothing; the connection says so.
func TestMayNotReadNotes(t *testing.T) {
	w := newWorld(t, emulator.Options{})
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "application/problem+json")
		rw.WriteHeader(http.StatusForbidden)
		_, _ = rw.Write([]byte(`{"title":"Forbidden","status":403}`))
	}))
	defer server.Close()
	guard := &rest.Guard{Loopback: server.Listener.Addr().String()}
	connector := amocrm.New(amocrm.Options{
		Client:  rest.New(rest.Options{Guard: guard, PerSecond: 1000}),
		Outside: &rest.Outside{Guard: guard}, Demo: guard.Loopback, Now: w.clock.Now,
	})
	a := crm.Access{Connection: crm.Connection{Host: guard.Loopback, StartedAt: w.clock.Now()}, Keys: fixed("x")}
	var access *crm.AccessError
	if _, _, err := connector.Find(t.Context(), a, ""); !errors.As(err, &access) || access.Wait != time.Hour || !strings.Contains(access.Hint, "права") {
		t.Errorf("search: %v", err)
	}
	n := engine.Note{CardKind: "lead", CardID: "1"}
	_, err := connector.WriteNote(t.Context(), a, n, "x")
	if hint, person := engine.OwnerHint(err); !person || !strings.Contains(hint, "права") {
		t.Errorf("write: %v", err)
	}
}
