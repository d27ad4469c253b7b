package amocrm

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// phoneDigits is how much of a number amoCRM compares (2.9).
const phoneDigits = 10

// Call is what a script tells of a telephone call.
type Call struct {
	Outgoing    bool
	At          time.Time     // when it was; zero: now
	LoggedAt    time.Time     // when the note appeared, its first updated_at; zero: At
	Duration    time.Duration // said by the telephony, whole seconds
	Phone       string        // the client's; "": the card's own, or its contact's
	Responsible int64         // user id; 0: the card's responsible
	Source      string        // "": Телефония
	Uniq        string        // the telephony's id of the call; "": made up

	// The recording: a whole address, or the name of one added with
	// AddRecording. Neither: params.link is null until SetLink.
	Link      string
	Recording string
	LinkAfter time.Duration // the link is null at first and comes that much later

	Params map[string]any // added to the note's params, over the ones above; nil values are JSON null
}

// AddCall logs a call in a card as the telephony does and returns the id of
// the note. Logging one call in two cards is two AddCalls with the same Uniq,
// Duration and Link.
func (p *Portal) AddCall(c Card, call Call) int64 {
	defer p.lock()()
	p.mustHave(c)
	n := p.newNote(p.callNote(c, call))
	p.touch()
	return n.id
}

// SetLink gives a call its recording's address and moves updated_at; no event
// and no webhook tells of it (2.14).
func (p *Portal) SetLink(noteID int64, link string) { p.SetParam(noteID, "link", link) }

func (p *Portal) callNote(c Card, call Call) note {
	owner := p.card(c)
	kind := CallIn
	if call.Outgoing {
		kind = CallOut
	}
	orElse(&call.Responsible, owner.responsible)
	orElse(&call.Source, "Телефония")
	orElse(&call.Phone, p.phoneOf(c))
	orElse(&call.At, p.now())
	orElse(&call.LoggedAt, call.At)
	if call.Uniq == "" {
		call.Uniq = fmt.Sprintf("%d.%d", call.At.Unix(), p.nextID("uniq"))
	}
	if call.Link == "" && call.Recording != "" {
		call.Link = p.recordingURL(call.Recording)
	}
	n := note{card: c, kind: kind, createdBy: call.Responsible, responsible: call.Responsible, created: call.At, updated: call.LoggedAt}
	params := object{
		"uniq": call.Uniq, "duration": int64(call.Duration / time.Second), "source": call.Source, "phone": call.Phone,
		"link": nil, "call_result": "Разговор состоялся", "call_status": 4, "call_responsible": call.Responsible,
	}
	switch {
	case call.Link != "" && call.LinkAfter > 0:
		n.lateLink, n.linkDue = call.Link, p.now().Add(call.LinkAfter)
	case call.Link != "":
		params["link"] = call.Link
	}
	for key, value := range call.Params {
		params[key] = value
	}
	n.params = mustJSON(params)
	return n
}

// bringLateLinks lets links whose time has come appear, at their time.
func (p *Portal) bringLateLinks() {
	now := p.now()
	for _, n := range p.notes {
		if n.linkDue.IsZero() || now.Before(n.linkDue) {
			continue
		}
		n.setParam("link", n.lateLink, n.linkDue)
		n.linkDue = time.Time{}
		p.touch()
	}
}

func (p *Portal) phoneOf(c Card) string {
	for _, c := range append([]Card{c}, append(p.linked(c, Contacts), p.linked(c, Companies)...)...) {
		if owner := p.card(c); owner != nil && len(owner.phones) > 0 {
			return owner.phones[0]
		}
	}
	return ""
}

// callBody is an element of POST /api/v4/calls.
type callBody struct {
	Direction   string          `json:"direction"`
	Uniq        json.RawMessage `json:"uniq"`
	Duration    json.RawMessage `json:"duration"`
	Source      string          `json:"source"`
	Link        json.RawMessage `json:"link"`
	Phone       string          `json:"phone"`
	Result      json.RawMessage `json:"call_result"`
	Status      json.RawMessage `json:"call_status"`
	Who         json.RawMessage `json:"call_responsible"`
	Responsible *int64          `json:"responsible_user_id"`
	CreatedBy   *int64          `json:"created_by"`
	CreatedAt   *int64          `json:"created_at"`
	UpdatedBy   *int64          `json:"updated_by"`
	UpdatedAt   *int64          `json:"updated_at"`
	RequestID   string          `json:"request_id"`
}

// addCalls is POST /api/v4/calls (2.9): amoCRM finds the card by the number.
func (p *Portal) addCalls(r *request) reply {
	var bodies []callBody
	if err := r.decode(&bodies); err != nil {
		return p.notBuilt(r, "body: "+err.Error())
	}
	if len(bodies) == 0 || len(bodies) > maxBatch {
		return problem(http.StatusBadRequest, "Bad Request", "Неверное количество элементов")
	}
	if bad := checkCalls(bodies); len(bad) > 0 {
		return invalid(bad)
	}
	made, lone := []object{}, []object{}
	for i, b := range bodies {
		c, ok := p.cardByPhone(b.Phone)
		if !ok && p.opt.RefuseLoneCall {
			return invalid([]complaint{{requestID(b.RequestID, i), "NotSupportedChoice", "phone", "Entity not found"}})
		}
		if !ok {
			lone = append(lone, object{"request_id": requestID(b.RequestID, i), "status": http.StatusNotFound, "title": "Entity not found", "detail": "Entity not found"})
			continue
		}
		n := p.newNote(p.postedCall(r, c, b))
		made = append(made, object{
			"id": n.id, "entity_id": c.ID, "entity_type": c.Kind.singular(), "account_id": p.opt.AccountID, "request_id": requestID(b.RequestID, i),
			"_embedded": object{"entity": object{"id": c.ID, "_links": selfLink(r.base + "/api/v4/" + c.String())}},
		})
	}
	p.touch()
	return hal(object{"_total_items": len(made), "errors": lone, "_embedded": object{"calls": made}})
}

func checkCalls(bodies []callBody) []complaint {
	var bad []complaint
	for i, b := range bodies {
		missing := ""
		switch {
		case b.Direction == "":
			missing = "direction"
		case b.Duration == nil:
			missing = "duration"
		case b.Source == "":
			missing = "source"
		case b.Phone == "":
			missing = "phone"
		case b.Direction != "inbound" && b.Direction != "outbound":
			bad = append(bad, complaint{requestID(b.RequestID, i), "NotSupportedChoice", "direction", "The value you selected is not a valid choice."})
		}
		if missing != "" {
			bad = append(bad, complaint{requestID(b.RequestID, i), "FieldMissing", missing, "This field is missing."})
		}
	}
	return bad
}

// postedCall keeps the given params as they are.
func (p *Portal) postedCall(r *request, c Card, b callBody) note {
	params := map[string]json.RawMessage{"source": mustJSON(b.Source), "phone": mustJSON(b.Phone)}
	for key, value := range map[string]json.RawMessage{
		"uniq": b.Uniq, "duration": b.Duration, "link": b.Link,
		"call_result": b.Result, "call_status": b.Status, "call_responsible": b.Who,
	} {
		if value != nil {
			params[key] = value
		}
	}
	n := note{card: c, kind: CallIn, params: mustJSON(params), createdBy: r.token.user, responsible: p.card(c).responsible}
	if b.Direction == "outbound" {
		n.kind = CallOut
	}
	set(&n.createdBy, b.CreatedBy)
	set(&n.responsible, b.Responsible)
	if b.CreatedAt != nil {
		n.created = time.Unix(*b.CreatedAt, 0)
	}
	if b.UpdatedAt != nil {
		n.updated = time.Unix(*b.UpdatedAt, 0)
	}
	return n
}

// cardByPhone is amoCRM's choice: the contact or company with that number, or
// its only active lead, or its only customer.
func (p *Portal) cardByPhone(phone string) (Card, bool) {
	for _, kind := range []Kind{Contacts, Companies} {
		for _, c := range p.ofKind(kind) {
			if !slices.ContainsFunc(c.phones, func(own string) bool { return sameNumber(own, phone) }) {
				continue
			}
			leads := keep(p.linked(c.Card, Leads), func(l Card) bool { return p.card(l).active() })
			customers := p.linked(c.Card, Customers)
			switch {
			case len(leads) == 1 && len(customers) == 0:
				return leads[0], true
			case len(customers) == 1 && len(leads) == 0:
				return customers[0], true
			}
			return c.Card, true
		}
	}
	return Card{}, false
}

func sameNumber(a, b string) bool {
	a, b = lastDigits(a), lastDigits(b)
	return a != "" && a == b
}

// lastDigits is the part of a number amoCRM compares; "" when it is shorter.
func lastDigits(phone string) string {
	digits := strings.Map(func(r rune) rune {
		if _, err := strconv.Atoi(string(r)); err != nil {
			return -1
		}
		return r
	}, phone)
	if len(digits) < phoneDigits {
		return ""
	}
	return digits[len(digits)-phoneDigits:]
}

// orElse fills a zero value.
func orElse[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
