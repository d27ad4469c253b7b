package amocrm_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
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

// Old and careless telephonies write params in every dress.
func TestOddNotes(t *testing.T) {
	w := newWorld(t, emulator.Options{})
	c := w.connect(t, crm.Credentials{Code: w.portal.Code(clientID)})
	lead := w.portal.AddLead(emulator.Lead{Name: "Сделка"})
	type want struct {
		uniq, phone, link, agent string
		reported                 time.Duration
	}
	const me = "Администратор"
	wants := map[int64]want{}
	add := func(p map[string]any, x want) { wants[w.portal.AddNote(lead, emulator.CallIn, p)] = x }
	add(map[string]any{"UNIQ": "1.2", "DURATION": 73, "LINK": "https://pbx.example.org/1.mp3", "PHONE": "+7900", "SRC": "old"},
		want{"1.2", "+7900", "https://pbx.example.org/1.mp3", me, 73 * time.Second})
	add(map[string]any{"uniq": 12345, "duration": "73", "phone": 79005550101, "link": nil, "source": "x"}, want{"12345", "79005550101", "", me, 73 * time.Second})
	add(map[string]any{"uniq": nil, "duration": nil, "phone": nil, "link": false, "source": nil}, want{agent: me})
	add(map[string]any{"duration": -5, "link": " https://pbx.example.org/2.mp3 ", "call_responsible": "Пётр, вечерняя смена"}, want{"", "", "https://pbx.example.org/2.mp3", "Пётр, вечерняя смена", 0})
	add(map[string]any{"duration": "1:13", "uniq": map[string]any{"a": 1}, "link": []string{}, "call_responsible": "99999999"}, want{agent: me})
	add(map[string]any{"duration": 12.0, "call_responsible": strconv.FormatInt(w.portal.Users()[0].ID, 10)}, want{agent: me, reported: 12 * time.Second})
	add(nil, want{agent: me})
	w.portal.AddNote(lead, emulator.Common, map[string]any{"text": "это не звонок"})
	found, _, err := w.hub.Find(t.Context(), c.ID, "")
	if err != nil || len(found) != len(wants) {
		t.Fatalf("found %d of %d, %v", len(found), len(wants), err)
	}
	for _, f := range found {
		if got, x := (want{f.Uniq, f.Phone, f.Link, f.Agent, f.Reported}), wants[w.number(f.OutsideID)]; got != x {
			t.Errorf("got %+v, want %+v", got, x)
		}
		if f.CardTitle != "Сделка" || f.CardURL != "http://"+w.address+"/leads/detail/"+f.CardID {
			t.Errorf("card %q at %q", f.CardTitle, f.CardURL)
		}
	}
}

// Without the paid filter cards are asked for one by one, with it in batches;
// either way each is asked for once.
func TestTitlesAreAskedForOnce(t *testing.T) {
	for _, filter := range []bool{false, true} {
		w := newWorld(t, emulator.Options{FilterAddOn: filter})
		c := w.connect(t, crm.Credentials{Code: w.portal.Code(clientID)})
		for i := range 60 {
			lead := w.portal.AddLead(emulator.Lead{Name: "Сделка " + strconv.Itoa(i)})
			w.portal.AddCall(lead, emulator.Call{})
			w.portal.AddCall(lead, emulator.Call{})
		}
		asked := func() (n int) {
			for _, r := range w.portal.Requests() {
				if strings.HasPrefix(r.Path, "/api/v4/leads") && !strings.Contains(r.Path, "/notes") {
					n++
				}
			}
			return n
		}
		found, mark, err := w.hub.Find(t.Context(), c.ID, "")
		if err != nil || len(found) != 120 {
			t.Fatalf("%d, %v", len(found), err)
		}
		first, named := asked(), 0
		for _, f := range found {
			if f.CardTitle != "" {
				named++
			}
		}
		if filter && (first != 2 || named != 120) || !filter && (first != 50 || named != 100) {
			t.Errorf("filter %t: %d requests named %d calls", filter, first, named)
		}
		if found, _, err = w.hub.Find(t.Context(), c.ID, mark); err != nil || len(found) != 120 || found[119].CardTitle == "" {
			t.Errorf("filter %t, second time: %d, %v", filter, len(found), err)
		}
		if more := asked() - first; filter && more != 0 || !filter && more != 10 {
			t.Errorf("filter %t: asked %d more", filter, more)
		}
	}
}

// Who may not see the list of users finds calls all the same.
func TestNoRightToSeeUsers(t *testing.T) {
	w := newWorld(t, emulator.Options{})
	c := w.connect(t, crm.Credentials{Code: w.portal.Code(clientID)})
	lead := w.portal.AddLead(emulator.Lead{Name: "Сделка"})
	w.portal.AddCall(lead, emulator.Call{})
	w.portal.SignIn(w.portal.AddUser(emulator.User{Name: "Менеджер"}))
	if _, err := w.hub.Reconnect(t.Context(), "owner", c.ID, crm.Credentials{Code: w.portal.Code(clientID)}); err != nil {
		t.Fatal(err)
	}
	found, _, err := w.hub.Find(t.Context(), c.ID, "")
	if err != nil || len(found) != 1 || found[0].Agent != "" || found[0].CardTitle != "Сделка" {
		t.Errorf("%+v, %v", found, err)
	}
	refused := false
	for _, r := range w.portal.Requests() {
		refused = refused || strings.HasPrefix(r.Path, "/api/v4/users") && r.Status == http.StatusForbidden
	}
	if !refused {
		t.Error("the emulator showed the users: this test proves nothing")
	}
}

// The portal's own drive is the one host that gets the token, when it asks.
func TestDriveGetsTheToken(t *testing.T) {
	w := newWorld(t, emulator.Options{DriveURL: "own"})
	c := w.connect(t, crm.Credentials{Code: w.portal.Code(clientID)})
	link := "http://" + w.address + w.portal.AddDriveFile("zvonok.mp3", []byte("ID3 audio"))
	body, err := w.hub.Open(t.Context(), engine.Call{ConnectionID: c.ID, Link: link})
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(body)
	if err := errors.Join(err, body.Close()); err != nil || string(got) != "ID3 audio" {
		t.Errorf("%q, %v", got, err)
	}

	other := newWorld(t, emulator.Options{}) // its drive is elsewhere
	c = other.connect(t, crm.Credentials{Code: other.portal.Code(clientID)})
	link = "http://" + other.address + other.portal.AddDriveFile("zvonok.mp3", []byte("ID3 audio"))
	if _, err := other.hub.Open(t.Context(), engine.Call{ConnectionID: c.ID, Link: link}); !errors.Is(err, engine.ErrNoRecording) {
		t.Errorf("a drive that is not the account's: %v", err)
	}
}

// A card or a note that is gone ends the delivery with words, not in a loop.
func TestCardIsGone(t *testing.T) {
	w := newWorld(t, emulator.Options{MaxNoteText: 100})
	c := w.connect(t, crm.Credentials{Code: w.portal.Code(clientID)})
	lead := w.portal.AddLead(emulator.Lead{Name: "Сделка"})
	n := engine.Note{ConnectionID: c.ID, CardKind: "lead", CardID: strconv.FormatInt(lead.ID, 10)}
	if _, err := w.hub.WriteNote(t.Context(), n, strings.Repeat("x", 200)); err == nil || rest.Status(err) != 400 {
		t.Errorf("a text the portal does not take: %v", err)
	}
	n.ResultID = "1"
	if err := w.hub.UpdateNote(t.Context(), n, "x"); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("a note that is gone: %v", err)
	}
	w.portal.RemoveCard(lead)
	if id, err := w.hub.WriteNote(t.Context(), n, "x"); err == nil {
		t.Errorf("wrote %s into a card that is gone", id)
	}
	for _, bad := range []engine.Note{{CardKind: "deal", CardID: "1"}, {CardKind: "lead", CardID: "1/notes/2"}, {CardKind: "lead"}} {
		bad.ConnectionID = c.ID
		if _, err := w.hub.WriteNote(t.Context(), bad, "x"); err == nil {
			t.Errorf("wrote into %+v", bad)
		}
	}
}

// TestPaceOfTheVendor runs against the real limit with real waiting: two
// connectors' worth of work must not be told once that it is too fast.
func TestPaceOfTheVendor(t *testing.T) {
	portal := emulator.New(emulator.Options{Log: slog.New(slog.DiscardHandler)})
	portal.RegisterIntegration(emulator.Integration{ID: clientID, Secret: secret, Redirect: redirect})
	server := httptest.NewServer(portal)
	defer server.Close()
	address := server.Listener.Addr().String()
	guard := &rest.Guard{Loopback: address}
	connector := amocrm.New(amocrm.Options{
		Client:  rest.New(rest.Options{Guard: guard, PerSecond: amocrm.PerSecond}),
		Outside: &rest.Outside{Guard: guard}, Demo: address,
	})
	token := portal.IssueLongLivedToken(clientID, 24*time.Hour)
	var wait sync.WaitGroup
	for range 3 {
		wait.Go(func() {
			for range 6 {
				if _, err := connector.Account(t.Context(), crm.Access{Connection: crm.Connection{Host: address}, Keys: fixed(token)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	for _, r := range portal.Requests() {
		if r.Status != http.StatusOK {
			t.Errorf("%s: %d", r.Path, r.Status)
		}
	}
}

// fixed is a token that is always good.
type fixed string

func (f fixed) Token(context.Context) (string, error) { return string(f), nil }

func (f fixed) Renew(context.Context, string) (string, error) {
	return "", errors.New("a fixed token does not renew")
}
