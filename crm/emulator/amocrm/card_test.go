package amocrm_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"flysense/crm/emulator/amocrm"
)

func TestAccount(t *testing.T) {
	w := newWorld(t, amocrm.Options{DriveURL: "https://drive.example.org"})
	a := w.must(200, "GET", "/api/v4/account", nil)
	equal[any](t, "id", a.json["id"], 31210377.0)
	equal[any](t, "no drive unasked", a.json["drive_url"], nil)
	equal[any](t, "self", a.get("_links", "self", "href"), w.url+"/api/v4/account")
	a = w.must(200, "GET", "/api/v4/account?with=drive_url,is_api_filter_enabled,datetime_settings,version", nil)
	equal[any](t, "drive", a.json["drive_url"], "https://drive.example.org")
	equal[any](t, "filter add-on", a.json["is_api_filter_enabled"], false)
	equal[any](t, "vendor's spelling", a.get("_embedded", "datetime_settings", "date_formant"), "d.m.Y")
	me := w.must(200, "GET", "/v3/user", nil)
	equal[any](t, "name", me.json["name"], "Администратор")
}

func TestUsersAreForAdministrators(t *testing.T) {
	w := newWorld(t, amocrm.Options{})
	olga := w.AddUser(amocrm.User{Name: "Ольга", Email: "olga@example.org"})
	a := w.must(200, "GET", "/api/v4/users/?with=role,group&limit=250", nil)
	equal[any](t, "_total_items", a.json["_total_items"], 2.0)
	equal[any](t, "name", a.get("_embedded", "users", 1, "name"), "Ольга")
	equal[any](t, "is_admin", a.get("_embedded", "users", 1, "rights", "is_admin"), false)
	w.must(200, "GET", fmt.Sprintf("/api/v4/users/%d", olga), nil)
	w.must(404, "GET", "/api/v4/users/1", nil)
	w.SignIn(olga)
	w.token = w.IssueLongLivedToken(clientID, time.Hour)
	w.must(403, "GET", "/api/v4/users", nil)
	equal[any](t, "current user", w.must(200, "GET", "/api/v4/account", nil).json["current_user_id"], float64(olga))
}

func TestPipelines(t *testing.T) {
	w := newWorld(t, amocrm.Options{})
	a := w.must(200, "GET", "/api/v4/leads/pipelines", nil)
	states, _ := a.get("_embedded", "pipelines", 0, "_embedded", "statuses").([]any)
	seen := map[float64]bool{}
	for _, s := range states {
		id, _ := s.(map[string]any)["id"].(float64)
		seen[id] = true
	}
	if !seen[142] || !seen[143] {
		t.Errorf("won and lost are missing: %v", seen)
	}
	w.must(200, "GET", fmt.Sprintf("/api/v4/leads/pipelines/%d", amocrm.PipelineID), nil)
	w.must(404, "GET", "/api/v4/leads/pipelines/1", nil)
}

func TestCards(t *testing.T) {
	s := newShop(t, amocrm.Options{})
	a := s.must(200, "GET", "/api/v4/"+s.lead.String(), nil)
	equal[any](t, "price", a.json["price"], 320000.0)
	if v, there := a.json["custom_fields_values"]; !there || v != nil {
		t.Errorf("custom fields when nothing is filled: %v", v)
	}
	equal[any](t, "companies come by themselves", a.get("_embedded", "companies", 0, "id"), float64(s.company.ID))
	equal[any](t, "contacts must be asked for", a.get("_embedded", "contacts"), nil)
	a = s.must(200, "GET", "/api/v4/"+s.lead.String()+"?with=contacts", nil)
	equal[any](t, "contact", a.get("_embedded", "contacts", 0, "id"), float64(s.contact.ID))
	equal[any](t, "main", a.get("_embedded", "contacts", 0, "is_main"), true)
	a = s.must(200, "GET", "/api/v4/"+s.contact.String()+"?with=leads", nil)
	equal[any](t, "phone", a.get("custom_fields_values", 0, "values", 0, "value"), "+7 (900) 555-01-01")
	equal[any](t, "last name", a.json["last_name"], "Волков")
	equal[any](t, "lead", a.get("_embedded", "leads", 0, "id"), float64(s.lead.ID))
	s.must(204, "GET", "/api/v4/leads/1", nil)
	s.must(204, "GET", "/api/v4/leads?query=нет+такого", nil)
	sameIDs(t, "query", s.must(200, "GET", "/api/v4/companies?query=8495", nil).ids("companies"), s.company.ID)

	a = s.must(200, "GET", "/api/v4/"+s.lead.String()+"/links", nil)
	equal[any](t, "_total_items", a.json["_total_items"], 2.0)
	equal[any](t, "type", a.get("_embedded", "links", 0, "to_entity_type"), "contacts")
	equal[any](t, "main contact", a.get("_embedded", "links", 0, "metadata", "main_contact"), true)
	equal[any](t, "no metadata", a.get("_embedded", "links", 1, "metadata"), nil)
	a = s.must(200, "GET", fmt.Sprintf("/api/v4/contacts/links?filter[entity_id][]=%d", s.contact.ID), nil)
	equal[any](t, "from", a.get("_embedded", "links", 0, "entity_id"), float64(s.contact.ID))
	equal[any](t, "to", a.get("_embedded", "links", 0, "to_entity_id"), float64(s.lead.ID))
	s.must(204, "GET", "/api/v4/contacts/links?filter[entity_id][]=1", nil)
}

func TestEntityFiltersAreAPaidAddOn(t *testing.T) {
	for _, paid := range []bool{false, true} {
		w := newWorld(t, amocrm.Options{FilterAddOn: paid})
		first := w.AddLead(amocrm.Lead{Name: "1"})
		w.clock.sleep(time.Minute)
		second := w.AddLead(amocrm.Lead{Name: "2"})
		want := []int64{second.ID, first.ID}
		if paid {
			want = want[:1]
		}
		a := w.must(200, "GET", "/api/v4/leads?filter[updated_at][from]=1767600030&order[updated_at]=desc", nil)
		sameIDs(t, fmt.Sprintf("paid %v", paid), a.ids("leads"), want...)
	}
}

func TestPatchCards(t *testing.T) {
	s := newShop(t, amocrm.Options{})
	tags := func() string {
		var names []string
		list, _ := s.must(200, "GET", "/api/v4/"+s.lead.String(), nil).get("_embedded", "tags").([]any)
		for _, item := range list {
			name, _ := item.(map[string]any)["name"].(string)
			names = append(names, name)
		}
		return strings.Join(names, ",")
	}
	path := "/api/v4/" + s.lead.String()
	for _, step := range []struct {
		body, want string
	}{
		{`{"tags_to_add":[{"name":"скидка"},{"name":"кухня"}]}`, "скидка,кухня"},
		{`{"tags_to_add":[{"name":"скидка"}]}`, "скидка,кухня"},
		{`{"tags_to_delete":[{"name":"кухня"}]}`, "скидка"},
		{`{"_embedded":{}}`, "скидка"},
		{`{"_embedded":{"tags":[{"name":"срочно"}]}}`, "срочно"},
		{`{"_embedded":{"tags":null}}`, ""},
	} {
		s.must(200, "PATCH", path, step.body)
		equal(t, step.body, tags(), step.want)
	}
	s.clock.sleep(time.Minute)
	a := s.must(200, "PATCH", "/api/v4/leads", []map[string]any{{"id": s.lead.ID, "name": "Кухня белая", "status_id": amocrm.StatusWon}})
	equal[any](t, "updated_at", a.get("_embedded", "leads", 0, "updated_at"), 1767600060.0)
	a = s.must(200, "GET", path, nil)
	equal[any](t, "name", a.json["name"], "Кухня белая")
	equal[any](t, "closed_at", a.json["closed_at"], 1767600060.0)
	s.must(404, "PATCH", "/api/v4/leads/1", `{"name":"x"}`)
	s.must(400, "PATCH", "/api/v4/leads", `[{"id":1,"name":"x"}]`)
	s.must(400, "PATCH", path, `{"status_id":5}`)
}

func TestRemovals(t *testing.T) {
	s := newShop(t, amocrm.Options{})
	kept := s.AddCall(s.company, amocrm.Call{})
	gone := s.AddCall(s.company, amocrm.Call{})
	s.AddCall(s.contact, amocrm.Call{})
	s.RemoveNote(gone)
	s.RemoveCard(s.contact)
	equal(t, "notes left", len(s.AllNotes()), 1)
	equal(t, "the right one", s.AllNotes()[0].ID, kept)
	s.must(204, "GET", "/api/v4/"+s.contact.String(), nil)
	s.must(404, "POST", "/api/v4/"+s.contact.String()+"/notes", `[{"note_type":"common","params":{"text":"x"}}]`)
	equal[any](t, "links left", s.must(200, "GET", "/api/v4/"+s.lead.String()+"/links", nil).json["_total_items"], 1.0)
}

// TestUnknownIsLoud: the emulator never invents a success.
func TestUnknownIsLoud(t *testing.T) {
	s := newShop(t, amocrm.Options{})
	note := s.AddNote(s.lead, amocrm.Common, map[string]any{"text": "x"})
	for _, r := range []struct {
		method, path string
		body         any
	}{
		{"GET", "/api/v4/leads/custom_fields", nil},
		{"GET", "/api/v4/tasks", nil},
		{"POST", "/api/v4/leads", `[{"name":"x"}]`},
		{"DELETE", fmt.Sprintf("/api/v4/leads/notes/%d", note), nil},
		{"POST", "/api/v4/webhooks", `{}`},
		{"GET", "/api/v2/leads", nil},
		{"GET", "/api/v4/leads/notes?filter[text]=x", nil},
		{"GET", "/api/v4/leads/notes?order[created_at]=asc", nil},
		{"GET", "/api/v4/leads?with=loss_reason", nil},
		{"GET", "/api/v4/account?with=everything", nil},
		{"GET", "/api/v4/events?with=lead_name", nil},
		{"PATCH", "/api/v4/" + s.lead.String(), `{"custom_fields_values":[]}`},
		{"POST", "/api/v4/leads/notes", `[{"entity_id":1,"text":"x"}]`},
		{"POST", "/api/v4/leads/notes", `{"not":"a list"}`},
		{"GET", "/settings/widgets", nil},
	} {
		before := len(s.Unknown())
		a := s.must(501, r.method, r.path, r.body)
		equal(t, "Content-Type", a.header.Get("Content-Type"), "application/problem+json")
		unknown := s.Unknown()
		if len(unknown) != before+1 || !strings.HasPrefix(unknown[before], r.method+" "+strings.SplitN(r.path, "?", 2)[0]) {
			t.Errorf("%s %s is not remembered: %v", r.method, r.path, unknown)
		}
	}
}
