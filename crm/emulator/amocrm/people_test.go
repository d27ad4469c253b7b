package amocrm_test

import (
	"bufio"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"flysense/crm/emulator/amocrm"
)

func newServer(t *testing.T, h http.Handler) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

func TestPagesNeedNothingFromOutside(t *testing.T) {
	s := newShop(t, amocrm.Options{})
	outside := regexp.MustCompile(`(?:src|href)="(?:https?:)?//|@import|url\(`)
	for _, path := range []string{"/", s.lead.Page(), s.contact.Page(), s.company.Page(), "/oauth?client_id=" + clientID} {
		a := s.must(200, "GET", path, nil, "Authorization", "")
		equal(t, path, a.header.Get("Content-Type"), "text/html; charset=utf-8")
		if found := outside.Find(a.body); found != nil {
			t.Errorf("%s asks for something outside: %s", path, found)
		}
	}
	s.must(501, "GET", "/leads/detail/x", nil)
}

func TestTheFeedOfALeadJoinsItsPeople(t *testing.T) {
	s := newShop(t, amocrm.Options{})
	stranger := s.AddContact(amocrm.Contact{Name: "Анна"})
	s.AddCall(s.contact, amocrm.Call{Duration: 73 * time.Second, Link: "https://pbx.example.org/1.mp3"})
	s.AddCall(stranger, amocrm.Call{})
	s.AddNote(s.lead, amocrm.ExtendedMessage, map[string]any{"service": "FlySense", "text": "Итог"})
	for card, want := range map[string]int{s.lead.String(): 2, s.contact.String(): 1, stranger.String(): 1, "": 3} {
		feed, _ := s.must(200, "GET", "/_emulator/state?card="+card, nil).get("feed").([]any)
		equal(t, "feed of "+card, len(feed), want)
	}
	a := s.must(200, "GET", "/_emulator/state?card="+s.lead.String(), nil)
	equal[any](t, "seconds", a.get("feed", 0, "seconds"), 73.0)
	equal[any](t, "text", a.get("feed", 1, "text"), "Итог")
}

func TestACallFromThePage(t *testing.T) {
	s := newShop(t, amocrm.Options{})
	s.AddRecording(amocrm.Recording{Name: "1.mp3", Data: audio(), Duration: 42 * time.Second})
	order := map[string]any{"card": s.lead.String(), "recording": "1.mp3", "outgoing": true, "twice": true}
	s.must(200, "POST", "/_emulator/calls", order)
	lead, contact := s.Notes(s.lead), s.Notes(s.contact)
	if len(lead) != 1 || len(contact) != 1 {
		t.Fatalf("notes: %v, %v", lead, contact)
	}
	for _, key := range []string{"uniq", "duration", "link", "phone"} {
		equal(t, key+" in both", lead[0].Params[key], contact[0].Params[key])
	}
	equal(t, "type", lead[0].Type, amocrm.CallOut)
	equal[any](t, "link", lead[0].Params["link"], s.RecordingURL("1.mp3"))
	equal[any](t, "phone", lead[0].Params["phone"], "+7 (900) 555-01-01")

	order = map[string]any{"card": s.contact.String(), "recording": "1.mp3", "late_seconds": 15}
	s.must(200, "POST", "/_emulator/calls", order)
	equal(t, "late", s.Notes(s.contact)[1].Params["link"], nil)
	s.clock.sleep(15 * time.Second)
	equal[any](t, "came", s.Notes(s.contact)[1].Params["link"], s.RecordingURL("1.mp3"))

	for _, bad := range []map[string]any{{"card": "leads/1", "recording": "1.mp3"}, {"card": s.lead.String(), "recording": "2.mp3"}} {
		s.must(400, "POST", "/_emulator/calls", bad)
	}
	s.must(415, "POST", "/_emulator/calls", "card=x", "Content-Type", "application/x-www-form-urlencoded")
}

func TestSwitchesOnThePage(t *testing.T) {
	s := newShop(t, amocrm.Options{})
	s.AddRecording(amocrm.Recording{Name: "1.mp3", Data: audio()})
	flip := func(name string, on bool) {
		s.must(200, "POST", "/_emulator/switch", map[string]any{"name": name, "on": on})
	}
	for name, status := range map[string]int{"limit": 429, "error": 500} {
		flip(name, true)
		s.must(status, "GET", "/api/v4/account", nil)
		flip(name, true) // pressed in two windows
		flip(name, false)
		s.must(200, "GET", "/api/v4/account", nil)
	}
	flip("down", true)
	if _, err := s.do("GET", "/api/v4/account", nil); err == nil {
		t.Error("the portal answers")
	}
	flip("down", false)
	flip("lost", true)
	if _, err := s.do("POST", "/api/v4/"+s.lead.String()+"/notes", `[{"note_type":"common","params":{"text":"x"}}]`); err == nil {
		t.Error("the answer came")
	}
	equal(t, "the note is there", len(s.Notes(s.lead)), 1)
	flip("lost", false)
	flip("unsaved", true)
	s.must(404, "GET", s.RecordingURL("1.mp3"), nil, "Authorization", "")
	flip("unsaved", false)
	s.must(200, "GET", s.RecordingURL("1.mp3"), nil, "Authorization", "")
	s.must(400, "POST", "/_emulator/switch", map[string]any{"name": "gravity", "on": true})
	for _, sw := range s.must(200, "GET", "/_emulator/state", nil).get("switches").([]any) {
		equal[any](t, "left off", sw.(map[string]any)["on"], false)
	}
}

func TestAccessOnThePage(t *testing.T) {
	w := newWorld(t, amocrm.Options{})
	code, _ := w.must(200, "POST", "/_emulator/code", map[string]any{"client": clientID}).json["text"].(string)
	w.must(200, "POST", "/oauth2/access_token", byCode(code))
	w.must(200, "POST", "/_emulator/revoke", map[string]any{})
	w.must(401, "GET", "/api/v4/account", nil)
	w.token, _ = w.must(200, "POST", "/_emulator/token", map[string]any{"client": clientID}).json["text"].(string)
	w.must(200, "GET", "/api/v4/account", nil)
	w.must(400, "POST", "/_emulator/token", map[string]any{"client": "nobody"})
	w.Block()
	w.must(200, "POST", "/_emulator/unblock", map[string]any{})
	w.must(200, "GET", "/api/v4/account", nil)
}

// TestAnOpenPageHearsOfALateLink: nobody else asks the portal meanwhile.
func TestAnOpenPageHearsOfALateLink(t *testing.T) {
	s := newShop(t, amocrm.Options{})
	s.AddCall(s.contact, amocrm.Call{Link: "https://pbx.example.org/1.mp3", LinkAfter: time.Minute})
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/_emulator/changes", nil)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := s.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	messages := bufio.NewScanner(stream.Body)
	heard := func() {
		t.Helper()
		for messages.Scan() {
			if strings.HasPrefix(messages.Text(), "data:") {
				return
			}
		}
		t.Fatalf("the stream ended: %v", messages.Err())
	}
	heard() // the first is sent at once
	s.clock.sleep(time.Minute)
	heard()
	link := s.must(200, "GET", "/_emulator/state", nil).get("feed", 0, "link")
	equal[any](t, "link", link, "https://pbx.example.org/1.mp3")
}

// TestManyAtOnce is for the race detector: scripts, clients and pages meet in
// one portal, and every note is counted once.
func TestManyAtOnce(t *testing.T) {
	s := newShop(t, amocrm.Options{})
	s.AddRecording(amocrm.Recording{Name: "1.mp3", Data: audio()})
	link := s.RecordingURL("1.mp3")
	path := "/api/v4/" + s.lead.String() + "/notes"
	const writers, each = 4, 10
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			for range each {
				id := s.AddCall(s.contact, amocrm.Call{Recording: "1.mp3", LinkAfter: time.Second})
				s.SetLink(id, link)
				for _, ask := range []struct{ method, path, body string }{
					{"POST", path, `[{"note_type":"common","params":{"text":"x"}}]`},
					{"GET", "/api/v4/contacts/notes?order[updated_at]=asc", ""},
					{"GET", "/_emulator/state?card=" + s.lead.String(), ""},
					{"POST", "/oauth2/access_token", "{}"},
				} {
					if _, err := s.do(ask.method, ask.path, ask.body); err != nil {
						t.Error(err)
					}
				}
				s.clock.sleep(time.Second)
				s.Fault(amocrm.Fault{Route: "/nowhere", Kind: amocrm.Cut})()
				s.Requests()
				s.Violations()
				<-closedSoon(s.Portal)
			}
		})
	}
	all.Wait()
	equal(t, "calls", len(s.Notes(s.contact)), writers*each)
	equal(t, "notes", len(s.Notes(s.lead)), writers*each)
}

// closedSoon returns a Changed channel of a portal that is about to change.
func closedSoon(p *amocrm.Portal) <-chan struct{} {
	changed := p.Changed()
	p.ClearFaults()
	return changed
}
