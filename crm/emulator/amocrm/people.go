package amocrm

import (
	"cmp"
	"encoding/json"
	"fmt"
	"html/template"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	shownRequests = 14                     // lines of the API log on the page
	pageWait      = 400 * time.Millisecond // between two messages to a page
	pageTick      = time.Second            // how often late links are looked for while a page is open
	slowAnswer    = 10 * time.Second       // of the switch on the page
	tokenLife     = 365 * 24 * time.Hour   // of the long-lived token made on the page
)

var peoplePage = template.Must(template.ParseFS(pages, "people.html"))

// servePeople answers the pages and what stands behind their buttons. None of
// it is amoCRM's: the paths begin with /_emulator, the addresses of cards are
// the vendor's (2.5).
func (p *Portal) servePeople(w http.ResponseWriter, r *http.Request) {
	card, isCard := pageOf(r.URL.Path)
	switch {
	case r.Method == http.MethodGet && (r.URL.Path == "/" || isCard):
		p.showPage(w, card)
	case r.Method == http.MethodGet && r.URL.Path == "/_emulator/state":
		p.showState(w, r)
	case r.Method == http.MethodGet && r.URL.Path == "/_emulator/changes":
		p.streamChanges(w, r)
	case r.Method == http.MethodPost && strings.HasPrefix(r.URL.Path, "/_emulator/"):
		p.act(w, r)
	case r.URL.Path == "/favicon.ico":
		w.WriteHeader(http.StatusNoContent)
	default:
		req := newRequest(r, nil)
		unlock := p.lock()
		answer := p.notBuilt(req, "no such page in the emulator")
		unlock()
		answer.write(w)
	}
}

// pageOf reads /leads/detail/41200517.
func pageOf(path string) (Card, bool) {
	kind, id, ok := strings.Cut(strings.TrimPrefix(path, "/"), "/detail/")
	if !ok {
		return Card{}, false
	}
	return parseCard(kind + "/" + id)
}

// showPage sends the page with what it shows first, so that it is never blank.
func (p *Portal) showPage(w http.ResponseWriter, open Card) {
	read := func(name string) string {
		data, err := pages.ReadFile(name)
		if err != nil {
			panic("amocrm emulator: " + err.Error()) // embedded: it is there or the build is broken
		}
		return string(data)
	}
	w.Header().Set("Content-Type", htmlPage)
	w.Header().Set("Cache-Control", "no-store")
	show := struct {
		Account string
		Style   template.CSS
		Script  template.JS
		State   pageState
	}{p.opt.Name, template.CSS(read("people.css")), template.JS(read("people.js")), p.pageStateNow(open)}
	if err := peoplePage.Execute(w, show); err != nil {
		p.log.Debug("amocrm emulator: page", "error", err)
	}
}

// streamChanges tells an open page when to ask again.
func (p *Portal) streamChanges(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	stream := http.NewResponseController(w)
	tick := time.NewTicker(pageTick)
	defer tick.Stop()
	for {
		changed := p.Changed()
		if _, err := fmt.Fprint(w, "data: changed\n\n"); err != nil {
			return
		}
		if err := stream.Flush(); err != nil {
			return
		}
		select { // a busy portal does not redraw the page without pause
		case <-time.After(pageWait):
		case <-r.Context().Done():
			return
		}
	wait:
		for {
			select {
			case <-changed:
				break wait
			case <-tick.C:
				p.lock()() // lets late links come
			case <-r.Context().Done():
				return
			}
		}
	}
}

// The page's view of the portal.
type (
	pageState struct {
		Account    string          `json:"account"`
		Host       string          `json:"host"`
		Cards      []pageCard      `json:"cards"`
		Feed       []pageNote      `json:"feed"`
		Recordings []pageRecording `json:"recordings"`
		Switches   []pageSwitch    `json:"switches"`
		Clients    []pageClient    `json:"clients"`
		Requests   []pageRequest   `json:"requests"`
		Unknown    []string        `json:"unknown"`
		Violations []string        `json:"violations"`
		Blocked    bool            `json:"blocked"`
	}
	pageCard struct {
		Card   string   `json:"card"`
		Page   string   `json:"page"`
		Kind   Kind     `json:"kind"`
		Name   string   `json:"name"`
		Price  int64    `json:"price"`
		Stage  string   `json:"stage"`
		Who    string   `json:"who"`
		Phones []string `json:"phones"`
		Tags   []string `json:"tags"`
		Linked []string `json:"linked"`
		Calls  int      `json:"calls"`
		At     int64    `json:"at"` // of the newest note in the feed, Unix seconds
	}
	pageNote struct {
		ID      int64  `json:"id"`
		Card    string `json:"card"`
		Type    string `json:"type"`
		At      int64  `json:"at"`
		Changed bool   `json:"changed"`
		Pinned  bool   `json:"pinned"`
		Who     string `json:"who"`
		Phone   string `json:"phone"`
		Seconds int64  `json:"seconds"`
		Result  string `json:"result"`
		Link    string `json:"link"`
		Due     int64  `json:"due"` // when a late link comes, Unix seconds
		Service string `json:"service"`
		Text    string `json:"text"`
	}
	pageRecording struct {
		Name    string `json:"name"`
		Title   string `json:"title"`
		Seconds int64  `json:"seconds"`
	}
	pageSwitch struct {
		Name string `json:"name"`
		On   bool   `json:"on"`
	}
	pageClient struct {
		ID       string `json:"id"`
		Secret   string `json:"secret"`
		Redirect string `json:"redirect"`
		Name     string `json:"name"`
		Live     int    `json:"live"` // tokens that open the API now
	}
	pageRequest struct {
		Method string `json:"method"`
		Path   string `json:"path"`
		Status int    `json:"status"`
		At     int64  `json:"at"`
	}
)

func (p *Portal) showState(w http.ResponseWriter, r *http.Request) {
	card, _ := parseCard(r.URL.Query().Get("card"))
	w.Header().Set("Cache-Control", "no-store")
	jsonReply(http.StatusOK, plainJSON, p.pageStateNow(card)).write(w)
}

func (p *Portal) pageStateNow(open Card) pageState {
	defer p.lock()()
	s := pageState{
		Account: p.opt.Name, Host: p.domain(), Feed: p.feed(open), Switches: p.switches.list(p.unsaved),
		Unknown: p.unknown, Violations: p.violations(), Blocked: p.limiter.closed,
	}
	for _, c := range p.cards {
		s.Cards = append(s.Cards, p.pageCard(c))
	}
	slices.SortStableFunc(s.Cards, func(a, b pageCard) int { return cmp.Compare(b.At, a.At) })
	for _, rec := range p.recordings {
		s.Recordings = append(s.Recordings, pageRecording{rec.Name, rec.Title, int64(rec.Duration / time.Second)})
	}
	for _, c := range p.clients {
		live := 0
		for text, t := range p.tokens {
			if t.client == c.ID && p.bearer(text) != nil {
				live++
			}
		}
		s.Clients = append(s.Clients, pageClient{c.ID, c.Secret, c.Redirect, c.Name, live})
	}
	for _, line := range p.journal[max(0, len(p.journal)-shownRequests):] {
		s.Requests = append(s.Requests, pageRequest{line.Method, line.Path, line.Status, line.At.Unix()})
	}
	slices.Reverse(s.Requests)
	return s
}

func (p *Portal) pageCard(c *card) pageCard {
	view := pageCard{
		Card: c.String(), Page: c.Page(), Kind: c.Kind, Name: c.name, Price: c.price, Phones: c.phones,
		Who: p.nameOf(c.responsible), At: c.created.Unix(),
	}
	if c.Kind == Leads {
		view.Stage = statusName(c.status)
	}
	for _, t := range c.tags {
		view.Tags = append(view.Tags, t.name)
	}
	for _, k := range []Kind{Leads, Contacts, Companies, Customers} {
		for _, other := range p.linked(c.Card, k) {
			view.Linked = append(view.Linked, other.String())
		}
	}
	for _, n := range p.feedNotes(c.Card) {
		view.At = max(view.At, n.created.Unix())
		if n.kind == CallIn || n.kind == CallOut {
			view.Calls++
		}
	}
	return view
}

// feedNotes joins a card's notes with those of its contacts and company, as
// the vendor's page does (2.10). The zero card is the whole portal.
func (p *Portal) feedNotes(c Card) []*note {
	if c == (Card{}) {
		return p.notes
	}
	shown := append([]Card{c}, append(p.linked(c, Contacts), p.linked(c, Companies)...)...)
	return keep(p.notes, func(n *note) bool { return slices.Contains(shown, n.card) })
}

func (p *Portal) feed(c Card) []pageNote {
	var feed []pageNote
	for _, n := range p.feedNotes(c) {
		var params struct {
			Phone, Service, Text, Link string
			Duration                   json.Number
			Result                     string `json:"call_result"`
		}
		_ = json.Unmarshal(n.params, &params) // foreign params may have any shape; what fits is shown
		view := pageNote{
			ID: n.id, Card: n.card.String(), Type: n.kind, At: n.created.Unix(), Changed: n.updated.Sub(n.created) > time.Second,
			Pinned: n.pinned, Who: p.nameOf(n.responsible), Phone: params.Phone, Result: params.Result, Link: params.Link, Service: params.Service, Text: params.Text,
		}
		view.Seconds, _ = params.Duration.Int64()
		if !n.linkDue.IsZero() {
			view.Due = n.linkDue.Unix()
		}
		feed = append(feed, view)
	}
	slices.SortStableFunc(feed, func(a, b pageNote) int { return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.ID, b.ID)) })
	return feed
}

func (p *Portal) nameOf(user int64) string {
	u, _ := p.user(user)
	return u.Name
}

// act does what a button of the page asks. The body must be JSON, which a form
// of a foreign page cannot send.
func (p *Portal) act(w http.ResponseWriter, r *http.Request) {
	var order struct {
		Card        string `json:"card"`
		Recording   string `json:"recording"`
		Outgoing    bool   `json:"outgoing"`
		LateSeconds int    `json:"late_seconds"` // negative: the link never comes
		Twice       bool   `json:"twice"`        // logged in the card and in its main contact
		Name        string `json:"name"`
		On          bool   `json:"on"`
		Client      string `json:"client"`
	}
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if kind != plainJSON {
		problem(http.StatusUnsupportedMediaType, "Unsupported Media Type", "Нужен JSON").write(w)
		return
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&order); err != nil {
		problem(http.StatusBadRequest, "Bad Request", err.Error()).write(w)
		return
	}
	answer := object{"ok": true}
	var err error
	switch r.URL.Path {
	case "/_emulator/calls":
		err = p.callFromPage(order.Card, order.Recording, order.Outgoing, time.Duration(order.LateSeconds)*time.Second, order.Twice)
	case "/_emulator/switch":
		err = p.flip(order.Name, order.On)
	case "/_emulator/code", "/_emulator/token":
		switch {
		case !p.registered(order.Client):
			err = fmt.Errorf("нет интеграции %q", order.Client)
		case r.URL.Path == "/_emulator/code":
			answer["text"] = p.Code(order.Client)
		default:
			answer["text"] = p.IssueLongLivedToken(order.Client, tokenLife)
		}
	case "/_emulator/revoke":
		p.RevokeAll()
	case "/_emulator/unblock":
		p.Unblock()
	default:
		err = fmt.Errorf("нет действия %s", r.URL.Path)
	}
	if err != nil {
		problem(http.StatusBadRequest, "Bad Request", err.Error()).write(w)
		return
	}
	jsonReply(http.StatusOK, plainJSON, answer).write(w)
}

func (p *Portal) registered(client string) bool {
	defer p.lock()()
	_, ok := p.client(client)
	return ok
}

// callFromPage is the form "Новый звонок".
func (p *Portal) callFromPage(where, recordingName string, outgoing bool, late time.Duration, twice bool) error {
	defer p.lock()()
	card, ok := parseCard(where)
	if !ok || p.card(card) == nil {
		return fmt.Errorf("нет карточки %q", where)
	}
	if p.recordsAt == "" {
		return fmt.Errorf("у портала нет телефонии с записями")
	}
	i := slices.IndexFunc(p.recordings, func(rec *recording) bool { return rec.Name == recordingName })
	if i < 0 {
		return fmt.Errorf("нет записи %q", recordingName)
	}
	call := Call{Outgoing: outgoing, Duration: p.recordings[i].Duration.Round(time.Second), Link: p.recordingURL(recordingName)}
	switch {
	case late > 0:
		call.LinkAfter = late
	case late < 0:
		call.Link = ""
	}
	call.Uniq = fmt.Sprintf("%d.%d", p.now().Unix(), p.nextID("uniq"))
	call.Phone = p.phoneOf(card)
	cards := []Card{card}
	if people := p.linked(card, Contacts); twice && len(people) > 0 {
		cards = append(cards, people[0])
	}
	for _, c := range cards {
		p.newNote(p.callNote(c, call))
	}
	p.touch()
	return nil
}
