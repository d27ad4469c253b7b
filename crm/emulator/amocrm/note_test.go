package amocrm_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"flysense/crm/emulator/amocrm"
)

// shop is a lead with its contact and company.
type shop struct {
	*world
	lead, contact, company amocrm.Card
}

func newShop(t *testing.T, opt amocrm.Options) *shop {
	t.Helper()
	s := &shop{world: newWorld(t, opt)}
	s.lead = s.AddLead(amocrm.Lead{Name: "Кухня", Price: 320000})
	s.contact = s.AddContact(amocrm.Contact{Name: "Сергей Волков", Phones: []string{"+7 (900) 555-01-01"}})
	s.company = s.AddCompany(amocrm.Company{Name: "Дом", Phones: []string{"84955550202"}})
	s.Link(s.contact, s.lead)
	s.Link(s.lead, s.company)
	return s
}

func TestThreeListRoutesAndTheirFilters(t *testing.T) {
	s := newShop(t, amocrm.Options{})
	other := s.AddContact(amocrm.Contact{Name: "Анна"})
	in := s.AddCall(s.contact, amocrm.Call{Duration: 73 * time.Second, Link: "https://pbx.example.org/1.mp3"})
	s.clock.sleep(10 * time.Second)
	out := s.AddCall(s.contact, amocrm.Call{Outgoing: true})
	s.clock.sleep(10 * time.Second)
	text := s.AddNote(s.contact, amocrm.Common, map[string]any{"text": "позвонить"})
	s.clock.sleep(10 * time.Second)
	foreign := s.AddCall(other, amocrm.Call{})
	onLead := s.AddNote(s.lead, amocrm.Common, map[string]any{"text": "смета"})
	onCompany := s.AddCall(s.company, amocrm.Call{})

	one := s.contact.String() + "/notes"
	for name, tt := range map[string]struct {
		path  string
		query string
		want  []int64
	}{
		"all of a type":                     {"contacts/notes", "", []int64{in, out, text, foreign}},
		"a lead's list has no contact call": {"leads/notes", "", []int64{onLead}},
		"a lead's own list neither":         {s.lead.String() + "/notes", "", []int64{onLead}},
		"companies":                         {"companies/notes", "", []int64{onCompany}},
		"one card":                          {one, "", []int64{in, out, text}},
		"type as array":                     {one, "filter[note_type][]=call_in&filter[note_type][]=call_out", []int64{in, out}},
		"type as indexed array":             {one, "filter[note_type][0]=call_in&filter[note_type][1]=common", []int64{in, text}},
		"types with a comma":                {one, "filter[note_type]=call_in,call_out", []int64{in, out}},
		"types with a comma in an array":    {one, "filter[note_type][]=call_in,call_out", []int64{in, out}},
		"bare type":                         {one, "filter[note_type]=common", []int64{text}},
		"updated since, end included":       {"contacts/notes", "filter[updated_at][from]=1767600010", []int64{out, text, foreign}},
		"updated till, end included":        {"contacts/notes", "filter[updated_at][to]=1767600010", []int64{in, out}},
		"updated between":                   {"contacts/notes", "filter[updated_at][from]=1767600010&filter[updated_at][to]=1767600020", []int64{out, text}},
		"updated after, bare":               {"contacts/notes", "filter[updated_at]=1767600010", []int64{text, foreign}},
		"by id":                             {"contacts/notes", fmt.Sprintf("filter[id][]=%d&filter[id][]=%d", out, foreign), []int64{out, foreign}},
		"by card":                           {"contacts/notes", fmt.Sprintf("filter[entity_id][]=%d", other.ID), []int64{foreign}},
		"newest first":                      {one, "order[id]=desc", []int64{text, out, in}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, query := range []string{tt.query, encoded(tt.query)} {
				a := s.must(200, "GET", "/api/v4/"+tt.path+"?"+query, nil)
				sameIDs(t, query, a.ids("notes"), tt.want...)
				equal(t, "Content-Type", a.header.Get("Content-Type"), "application/hal+json")
			}
		})
	}
	for name, path := range map[string]string{
		"nothing matches":   "contacts/notes?filter[note_type][]=sms_in",
		"card without":      "leads/1/notes",
		"customers are off": "customers/notes",
		"past the end":      "contacts/notes?page=2",
	} {
		t.Run(name, func(t *testing.T) {
			a := s.must(204, "GET", "/api/v4/"+path, nil)
			if len(a.body) != 0 || a.header.Get("Content-Type") != "" {
				t.Errorf("204 with %q of type %q", a.body, a.header.Get("Content-Type"))
			}
		})
	}
}

func encoded(query string) string {
	q, _ := url.ParseQuery(query)
	return q.Encode()
}

func TestPagingByUpdatedAt(t *testing.T) {
	s := newShop(t, amocrm.Options{})
	var ids []int64
	for range 7 {
		ids = append(ids, s.AddCall(s.contact, amocrm.Call{}))
		s.clock.sleep(time.Second)
	}
	s.SetLink(ids[1], "https://pbx.example.org/late.mp3") // moves to the end
	query := "/api/v4/contacts/notes?filter[note_type][]=call_in&order[updated_at]=asc&limit=3"
	var got []int64
	next, pages := s.url+query, 0
	for next != "" {
		a := s.must(200, "GET", next, nil)
		pages++
		equal[any](t, "_page", a.json["_page"], float64(pages))
		if total := a.json["_total_items"]; total != nil {
			t.Errorf("notes have no total, got %v", total)
		}
		got = append(got, a.ids("notes")...)
		next, _ = a.get("_links", "next", "href").(string)
	}
	equal(t, "pages", pages, 3)
	sameIDs(t, "order", got, ids[0], ids[2], ids[3], ids[4], ids[5], ids[6], ids[1])
}

func TestPageSizes(t *testing.T) {
	s := newShop(t, amocrm.Options{})
	for range 260 {
		s.AddCall(s.contact, amocrm.Call{})
	}
	for query, want := range map[string]int{"": 50, "?limit=250": 250, "?limit=1000": 250} {
		equal(t, "notes"+query, len(s.must(200, "GET", "/api/v4/contacts/notes"+query, nil).ids("notes")), want)
	}
	events, _ := s.must(200, "GET", "/api/v4/events?limit=250", nil).get("_embedded", "events").([]any)
	equal(t, "events", len(events), 100)
	for _, bad := range []string{"limit=0", "limit=x", "page=-1", "page=99999999999999999999"} {
		s.must(400, "GET", "/api/v4/contacts/notes?"+bad, nil)
	}
}

func TestParamsStayAsGiven(t *testing.T) {
	s := newShop(t, amocrm.Options{})
	params := `{"uniq":17,"duration":"73","source":"sip","phone":"8 900","link":null,"call_responsible":"Ольга","новый":{"a":[1,null]}}`
	a := s.must(200, "POST", "/api/v4/"+s.contact.String()+"/notes", `[{"note_type":"call_in","params":`+params+`}]`)
	id := a.ids("notes")[0]
	got := s.must(200, "GET", fmt.Sprintf("/api/v4/contacts/notes/%d", id), nil)
	if !strings.Contains(string(got.body), `"params":`+params) {
		t.Errorf("params changed: %s", got.body)
	}

	scripted := s.AddCall(s.contact, amocrm.Call{Params: map[string]any{"duration": nil, "uniq": 5}})
	got = s.must(200, "GET", fmt.Sprintf("/api/v4/%s/notes/%d", s.contact, scripted), nil)
	if v, there := got.get("params").(map[string]any)["duration"]; !there || v != nil {
		t.Errorf("duration: %v", v)
	}
	equal[any](t, "phone", got.get("params", "phone"), "+7 (900) 555-01-01")
	equal[any](t, "uniq", got.get("params", "uniq"), 5.0)
}

func TestSingleRoutesWantTheRightType(t *testing.T) {
	s := newShop(t, amocrm.Options{})
	id := s.AddCall(s.contact, amocrm.Call{})
	for path, want := range map[string]int{
		"contacts/notes/%d":                200,
		s.contact.String() + "/notes/%d":   200,
		"leads/notes/%d":                   204,
		s.lead.String() + "/notes/%d":      204,
		"contacts/1/notes/%d":              204,
		"contacts/notes/%d?with=is_pinned": 200,
	} {
		a := s.must(want, "GET", fmt.Sprintf("/api/v4/"+path, id), nil)
		if want == 200 {
			equal[any](t, "self", a.get("_links", "self", "href"), fmt.Sprintf("%s/api/v4/%s/notes/%d", s.url, s.contact, id))
		}
	}
}

func TestWritingNotes(t *testing.T) {
	s := newShop(t, amocrm.Options{})
	params := map[string]any{"service": "FlySense", "text": "Клиент ждёт счёт"}
	body := []map[string]any{
		{"entity_id": s.lead.ID, "note_type": amocrm.ExtendedMessage, "params": params, "request_id": "call-1", "is_need_to_trigger_digital_pipeline": false},
		{"entity_id": s.lead.ID, "note_type": amocrm.Common, "params": map[string]any{"text": "ещё"}},
	}
	a := s.must(200, "POST", "/api/v4/leads/notes", body)
	ids := a.ids("notes")
	equal[any](t, "request_id", a.get("_embedded", "notes", 0, "request_id"), "call-1")
	equal[any](t, "position", a.get("_embedded", "notes", 1, "request_id"), "1")
	if a.json["status"] != nil {
		t.Error("a success has a top-level status")
	}
	notes := s.Notes(s.lead)
	if len(notes) != 2 || notes[0].ID != ids[0] || notes[0].Text != "Клиент ждёт счёт" || notes[0].Robots || !notes[1].Robots {
		t.Fatalf("notes: %+v", notes)
	}
	equal(t, "service", notes[0].Params["service"], any("FlySense"))

	// No idempotency: the same body again is two more notes.
	s.must(200, "POST", "/api/v4/leads/notes", body)
	equal(t, "notes after the repeat", len(s.Notes(s.lead)), 4)

	// The three ways to change, each moves updated_at.
	for i, write := range []func() answer{
		func() answer {
			return s.must(200, "PATCH", "/api/v4/leads/notes", []map[string]any{{"id": ids[0], "note_type": amocrm.ExtendedMessage, "params": map[string]any{"service": "FlySense", "text": "0"}}})
		},
		func() answer {
			return s.must(200, "PATCH", "/api/v4/"+s.lead.String()+"/notes", []map[string]any{{"id": ids[0], "params": map[string]any{"service": "FlySense", "text": "1"}}})
		},
		func() answer {
			return s.must(200, "PATCH", fmt.Sprintf("/api/v4/%s/notes/%d", s.lead, ids[0]), map[string]any{"params": map[string]any{"service": "FlySense", "text": "2"}})
		},
	} {
		s.clock.sleep(time.Minute)
		write()
		n := s.Notes(s.lead)[0]
		equal(t, "text", n.Text, fmt.Sprint(i))
		equal(t, "updated_at", n.UpdatedAt, s.clock.Now())
	}
	s.must(204, "POST", fmt.Sprintf("/api/v4/leads/notes/%d/pin", ids[0]), nil)
	equal(t, "pinned", s.Notes(s.lead)[0].Pinned, true)
	equal[any](t, "is_pinned", s.must(200, "GET", fmt.Sprintf("/api/v4/leads/notes/%d?with=is_pinned", ids[0]), nil).json["is_pinned"], true)
	s.must(204, "POST", fmt.Sprintf("/api/v4/leads/notes/%d/unpin", ids[0]), nil)
	equal(t, "unpinned", s.Notes(s.lead)[0].Pinned, false)
}

func TestRefusedWrites(t *testing.T) {
	s := newShop(t, amocrm.Options{MaxNoteText: 10})
	good := map[string]any{"entity_id": s.lead.ID, "note_type": "common", "params": map[string]any{"text": "да"}}
	change := func(key string, value any) map[string]any {
		c := map[string]any{}
		for k, v := range good {
			c[k] = v
		}
		c[key] = value
		return c
	}
	for name, tt := range map[string]struct {
		body       map[string]any
		code, path string
	}{
		"no such card":   {change("entity_id", 1), "NotSupportedChoice", "entity_id"},
		"no type":        {change("note_type", ""), "FieldMissing", "note_type"},
		"read-only type": {change("note_type", "ai_result"), "NotSupportedChoice", "note_type"},
		"no text":        {change("params", map[string]any{}), "FieldMissing", "params.text"},
		"params a list":  {change("params", []int{1}), "InvalidType", "params"},
		"text too long":  {change("params", map[string]any{"text": "одиннадцать"}), "TooLong", "params.text"},
	} {
		t.Run(name, func(t *testing.T) {
			a := s.must(400, "POST", "/api/v4/leads/notes", []any{good, tt.body})
			equal(t, "Content-Type", a.header.Get("Content-Type"), "application/problem+json")
			equal[any](t, "request_id", a.get("validation-errors", 0, "request_id"), "1")
			equal[any](t, "code", a.get("validation-errors", 0, "errors", 0, "code"), tt.code)
			equal[any](t, "path", a.get("validation-errors", 0, "errors", 0, "path"), tt.path)
			equal(t, "a refused batch writes nothing", len(s.Notes(s.lead)), 0)
		})
	}
	s.must(404, "POST", "/api/v4/leads/1/notes", []any{good})
	s.must(404, "PATCH", "/api/v4/"+s.lead.String()+"/notes/1", map[string]any{"params": map[string]any{"text": "x"}})
	s.must(400, "POST", "/api/v4/leads/notes", []any{})
	s.must(400, "POST", "/api/v4/leads/notes", make251(good))
	if u := s.Unknown(); len(u) != 0 {
		t.Errorf("unknown: %v", u)
	}
}

func make251(one any) []any {
	all := make([]any, 251)
	for i := range all {
		all[i] = one
	}
	return all
}

func TestLateLink(t *testing.T) {
	s := newShop(t, amocrm.Options{})
	s.AddRecording(amocrm.Recording{Name: "7.mp3", Data: []byte("mp3")})
	id := s.AddCall(s.contact, amocrm.Call{Recording: "7.mp3", LinkAfter: 30 * time.Second})
	link := func() any {
		return s.must(200, "GET", fmt.Sprintf("/api/v4/contacts/notes/%d", id), nil).get("params", "link")
	}
	s.clock.sleep(29 * time.Second)
	equal(t, "early", link(), nil)
	s.clock.sleep(61 * time.Second) // nobody looked for a while
	equal[any](t, "late", link(), s.RecordingURL("7.mp3"))
	equal(t, "updated_at is the link's own time", s.Notes(s.contact)[0].UpdatedAt.Unix(), int64(1767600030))
	events, _ := s.must(200, "GET", "/api/v4/events?filter[type]=incoming_call", nil).get("_embedded", "events").([]any)
	equal(t, "no event tells of it", len(events), 1)
}

func TestHistoryIsOld(t *testing.T) {
	s := newShop(t, amocrm.Options{})
	week := s.clock.Now().Add(-7 * 24 * time.Hour)
	s.AddCall(s.contact, amocrm.Call{At: week})
	s.AddCall(s.contact, amocrm.Call{At: week, LoggedAt: s.clock.Now()})
	notes := s.Notes(s.contact)
	equal(t, "archive", notes[0].UpdatedAt, week)
	equal(t, "logged late", notes[1].UpdatedAt, s.clock.Now())
	equal(t, "logged late, but it was then", notes[1].CreatedAt, week)
}

func TestPostCallsChoosesTheCard(t *testing.T) {
	for name, tt := range map[string]struct {
		set  func(*shop)
		want func(*shop) (amocrm.Card, string)
	}{
		"one active lead": {func(*shop) {}, func(s *shop) (amocrm.Card, string) { return s.lead, "lead" }},
		"lead is lost": {func(s *shop) {
			s.must(200, "PATCH", "/api/v4/"+s.lead.String(), map[string]any{"status_id": amocrm.StatusLost})
		}, func(s *shop) (amocrm.Card, string) { return s.contact, "contact" }},
		"two active leads": {func(s *shop) {
			s.Link(s.AddLead(amocrm.Lead{Name: "Шкаф"}), s.contact)
		}, func(s *shop) (amocrm.Card, string) { return s.contact, "contact" }},
		"lead and customer": {func(s *shop) {
			s.Link(s.AddCustomer(amocrm.Customer{Name: "Постоянный"}), s.contact)
		}, func(s *shop) (amocrm.Card, string) { return s.contact, "contact" }},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t, amocrm.Options{})
			tt.set(s)
			card, kind := tt.want(s)
			a := s.must(200, "POST", "/api/v4/calls", `[{"direction":"outbound","uniq":"u1","duration":"73","source":"sip","phone":"89005550101","link":null,"created_at":1767590000,"request_id":"x1"}]`)
			sameObject(t, a.get("_embedded", "calls", 0), map[string]any{
				"id": a.get("_embedded", "calls", 0, "id"), "entity_id": card.ID, "entity_type": kind, "account_id": 31210377, "request_id": "x1",
				"_embedded": map[string]any{"entity": map[string]any{"id": card.ID, "_links": map[string]any{"self": map[string]any{"href": s.url + "/api/v4/" + card.String()}}}},
			})
			n := s.Notes(card)[0]
			equal(t, "type", n.Type, amocrm.CallOut)
			equal(t, "created_at", n.CreatedAt.Unix(), int64(1767590000))
			equal[any](t, "duration as given", n.Params["duration"], "73")
		})
	}
}

func TestPostCallsWithoutACard(t *testing.T) {
	body := `[{"direction":"inbound","duration":1,"source":"s","phone":"+79990000000"},{"direction":"inbound","duration":1,"source":"s","phone":"+79005550101"}]`
	s := newShop(t, amocrm.Options{})
	a := s.must(200, "POST", "/api/v4/calls", body)
	equal[any](t, "_total_items", a.json["_total_items"], 1.0)
	equal[any](t, "errors", a.get("errors", 0, "request_id"), "0")
	s = newShop(t, amocrm.Options{RefuseLoneCall: true})
	s.must(400, "POST", "/api/v4/calls", body)
	for _, missing := range []string{"direction", "duration", "source", "phone"} {
		element := map[string]any{"direction": "inbound", "duration": 1, "source": "s", "phone": "+79005550101"}
		delete(element, missing)
		a := s.must(400, "POST", "/api/v4/calls", []any{element})
		equal[any](t, "path", a.get("validation-errors", 0, "errors", 0, "path"), missing)
	}
}

func TestEvents(t *testing.T) {
	s := newShop(t, amocrm.Options{})
	in := s.AddCall(s.contact, amocrm.Call{})
	s.clock.sleep(time.Minute)
	out := s.AddCall(s.lead, amocrm.Call{Outgoing: true})
	a := s.must(200, "GET", "/api/v4/events?filter[type][]=incoming_call&filter[type][]=outgoing_call", nil)
	equal[any](t, "newest first", a.get("_embedded", "events", 0, "value_after", 0, "note", "id"), float64(out))
	equal[any](t, "note", a.get("_embedded", "events", 1, "value_after", 0, "note", "id"), float64(in))
	equal[any](t, "entity_type is singular", a.get("_embedded", "events", 1, "entity_type"), "contact")
	id, _ := a.get("_embedded", "events", 1, "id").(string)
	equal(t, "length of an id", len(id), 26)
	equal[any](t, "one", s.must(200, "GET", "/api/v4/events/"+id, nil).json["type"], "incoming_call")
	a = s.must(200, "GET", "/api/v4/events?filter[created_at][from]=1767600060", nil)
	events, _ := a.get("_embedded", "events").([]any)
	equal(t, "since", len(events), 1)
	a = s.must(200, "GET", fmt.Sprintf("/api/v4/events?filter[entity]=lead&filter[entity_id][]=%d&filter[type]=outgoing_call", s.lead.ID), nil)
	equal[any](t, "by card", a.get("_embedded", "events", 0, "entity_id"), float64(s.lead.ID))
	s.must(400, "GET", fmt.Sprintf("/api/v4/events?filter[entity_id][]=%d", s.lead.ID), nil)
}
