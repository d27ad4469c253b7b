package amocrm_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"flysense/crm/emulator/amocrm"
)

func TestFaultAnswers(t *testing.T) {
	for kind, want := range map[amocrm.FaultKind]struct {
		status int
		kind   string
		json   bool
	}{
		amocrm.Unauthorized:   {401, "application/problem+json", true},
		amocrm.Unpaid:         {402, "application/problem+json", true},
		amocrm.ForbiddenIP:    {403, "application/problem+json", true},
		amocrm.ForbiddenHTML:  {403, "text/html", false},
		amocrm.TooMany:        {429, "text/plain; charset=utf-8", false},
		amocrm.Broken:         {500, "application/problem+json", true},
		amocrm.GatewayTimeout: {504, "text/html", false},
		amocrm.NoContent:      {204, "", false},
	} {
		t.Run(string(kind), func(t *testing.T) {
			s := newShop(t, amocrm.Options{})
			s.Fault(amocrm.Fault{Route: "POST /api/v4/*/notes", Count: 2, Kind: kind})
			body := `[{"entity_id":` + strings.TrimPrefix(s.lead.String(), "leads/") + `,"note_type":"common","params":{"text":"x"}}]`
			for range 2 {
				a := s.must(want.status, "POST", "/api/v4/leads/notes", body)
				equal(t, "Content-Type", a.header.Get("Content-Type"), want.kind)
				equal(t, "JSON", json.Valid(a.body), want.json)
				if kind == amocrm.ForbiddenIP {
					equal[any](t, "code", a.json["code"], 113.0)
				}
				s.must(200, "GET", "/api/v4/account", nil) // other routes are well
			}
			equal(t, "work done", len(s.Notes(s.lead)), 0)
			s.must(200, "POST", "/api/v4/leads/notes", body)
			equal(t, "work done after the fault", len(s.Notes(s.lead)), 1)
			log := s.Requests()
			equal(t, "logged fault", log[0].Fault, kind)
			equal(t, "logged status", log[0].Status, want.status)
		})
	}
}

func TestTheWorkIsDoneAndTheAnswerIsLost(t *testing.T) {
	for name, f := range map[string]amocrm.Fault{
		"cut":             {Kind: amocrm.Cut, WorkDone: true},
		"half the answer": {Kind: amocrm.Cut, HalfBody: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t, amocrm.Options{})
			f.Route, f.Count = "POST /api/v4/*/*/notes", 1
			s.Fault(f)
			path := "/api/v4/" + s.lead.String() + "/notes"
			body := `[{"note_type":"common","params":{"text":"x"}}]`
			if a, err := s.do("POST", path, body); err == nil {
				t.Fatalf("an answer came: %d %s", a.status, a.body)
			}
			equal(t, "the note is there", len(s.Notes(s.lead)), 1)
			equal(t, "logged status", s.Requests()[0].Status, 0)
			s.must(200, "POST", path, body)
			equal(t, "a blind repeat doubles", len(s.Notes(s.lead)), 2)
		})
	}
	t.Run("504 after the work", func(t *testing.T) {
		s := newShop(t, amocrm.Options{})
		s.Fault(amocrm.Fault{Route: "POST /**", Count: 1, Kind: amocrm.GatewayTimeout, WorkDone: true})
		s.must(504, "POST", "/api/v4/"+s.lead.String()+"/notes", `[{"note_type":"common","params":{"text":"x"}}]`)
		equal(t, "the note is there", len(s.Notes(s.lead)), 1)
	})
	t.Run("refresh", func(t *testing.T) {
		s := newShop(t, amocrm.Options{})
		pair := s.must(200, "POST", "/oauth2/access_token", byCode(s.Code(clientID)))
		s.Fault(amocrm.Fault{Route: "/oauth2/access_token", Count: 1, Kind: amocrm.Cut, WorkDone: true})
		if _, err := s.do("POST", "/oauth2/access_token", byRefresh(pair.json["refresh_token"])); err == nil {
			t.Fatal("an answer came")
		}
		s.must(401, "POST", "/oauth2/access_token", byRefresh(pair.json["refresh_token"]))
	})
}

func TestCutBeforeTheWork(t *testing.T) {
	s := newShop(t, amocrm.Options{})
	s.Fault(amocrm.Fault{Count: 1, Kind: amocrm.Cut})
	if _, err := s.do("POST", "/api/v4/"+s.lead.String()+"/notes", `[{"note_type":"common","params":{"text":"x"}}]`); err == nil {
		t.Fatal("an answer came")
	}
	equal(t, "no note", len(s.Notes(s.lead)), 0)
}

func TestSlow(t *testing.T) {
	w := newWorld(t, amocrm.Options{})
	w.Fault(amocrm.Fault{Count: 2, Kind: amocrm.Slow, Wait: 300 * time.Millisecond})
	began := time.Now()
	w.must(200, "GET", "/api/v4/account", nil)
	if took := time.Since(began); took < 300*time.Millisecond {
		t.Errorf("answered after %v", took)
	}
	w.http.Timeout = 50 * time.Millisecond
	if _, err := w.do("GET", "/api/v4/account", nil); err == nil {
		t.Error("a client that waits less got an answer")
	}
}

func TestFaultRoutes(t *testing.T) {
	for name, tt := range map[string]struct {
		fault amocrm.Fault
		want  []int // of GET account, GET lead, GET lead notes, POST token
	}{
		"everything":       {amocrm.Fault{}, []int{500, 500, 500, 500}},
		"below a path":     {amocrm.Fault{Route: "/api/**"}, []int{500, 500, 500, 200}},
		"exact":            {amocrm.Fault{Route: "/api/v4/account"}, []int{500, 200, 204, 200}},
		"one part":         {amocrm.Fault{Route: "/api/v4/leads/*"}, []int{200, 500, 204, 200}},
		"method":           {amocrm.Fault{Route: "POST /**"}, []int{200, 200, 204, 500}},
		"method elsewhere": {amocrm.Fault{Route: "PUT /api/v4/account"}, []int{200, 200, 204, 200}},
		"skip two":         {amocrm.Fault{Skip: 2, Count: 1}, []int{200, 200, 500, 200}},
		"count":            {amocrm.Fault{Count: 3}, []int{500, 500, 500, 200}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t, amocrm.Options{})
			tt.fault.Kind = amocrm.Broken
			takeBack := s.Fault(tt.fault)
			requests := func(want []int) {
				t.Helper()
				s.must(want[0], "GET", "/api/v4/account", nil)
				s.must(want[1], "GET", "/api/v4/"+s.lead.String(), nil)
				s.must(want[2], "GET", "/api/v4/"+s.lead.String()+"/notes", nil)
				s.must(want[3], "POST", "/oauth2/access_token", byCode(s.Code(clientID)))
			}
			requests(tt.want)
			takeBack()
			requests([]int{200, 200, 204, 200})
		})
	}
}

func TestRetryAfter(t *testing.T) {
	w := newWorld(t, amocrm.Options{})
	w.Fault(amocrm.Fault{Kind: amocrm.TooMany, RetryAfter: 2 * time.Second})
	equal(t, "Retry-After", w.must(429, "GET", "/api/v4/account", nil).header.Get("Retry-After"), "2")
}

func TestClearFaults(t *testing.T) {
	w := newWorld(t, amocrm.Options{})
	w.Fault(amocrm.Fault{Kind: amocrm.Broken})
	w.Fault(amocrm.Fault{Kind: amocrm.TooMany})
	w.must(500, "GET", "/api/v4/account", nil) // the one armed first
	w.ClearFaults()
	w.must(200, "GET", "/api/v4/account", nil)
}
