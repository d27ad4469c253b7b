package amocrm

import (
	"net/http"
	"slices"
	"time"
)

// event is a line of the account's history (2.12). It is made once; a later
// change of the note makes no other.
type event struct {
	id   string
	kind string
	card Card
	by   int64
	at   time.Time
	note int64 // 0: none
}

// eventOf names the event a new note of a type makes.
func eventOf(noteType string) string {
	switch noteType {
	case CallIn:
		return "incoming_call"
	case CallOut:
		return "outgoing_call"
	case Common:
		return "common_note_added"
	case ServiceMessage, ExtendedMessage:
		return "service_note_added"
	case Attachment:
		return "attachment_note_added"
	case "sms_in":
		return "incoming_sms"
	case "sms_out":
		return "outgoing_sms"
	}
	return ""
}

func (p *Portal) addEvent(e event) {
	e.id = p.eventID()
	orElse(&e.at, p.now())
	p.events = append(p.events, e)
}

// eventID is 26 characters that sort by creation: "01", then the number in
// the alphabet of a ULID.
func (p *Portal) eventID() string {
	const alphabet = "0123456789abcdefghjkmnpqrstvwxyz"
	id := []byte("01hzzk00000000000000000000")
	n := p.nextID("event")
	for i := len(id) - 1; n > 0; i-- {
		id[i] = alphabet[n%int64(len(alphabet))]
		n /= int64(len(alphabet))
	}
	return string(id)
}

// listEvents is GET /api/v4/events, newest first.
func (p *Portal) listEvents(r *request) reply {
	if extra := r.query.stranger("page", "limit", "filter[id]", "filter[type]", "filter[created_at]", "filter[created_by]", "filter[entity]", "filter[entity_id]"); extra != "" {
		return p.notBuilt(r, "argument "+extra)
	}
	when, err := r.query.span("filter[created_at]")
	if err != nil {
		return badArgument("filter[created_at]")
	}
	ids, types, authors := r.query.list("filter[id]"), r.query.list("filter[type]"), r.query.list("filter[created_by]")
	kinds, cards := r.query.list("filter[entity]"), r.query.list("filter[entity_id]")
	const most = 10 // values of created_by and of entity_id
	if len(cards) > most || len(authors) > most || len(cards) > 0 && len(kinds) != 1 {
		return badArgument("filter")
	}
	found := keep(p.events, func(e event) bool {
		return anyOf(ids, e.id) && anyOf(types, e.kind) && anyOf(authors, decimal(e.by)) &&
			anyOf(kinds, e.card.Kind.singular()) && anyOf(cards, decimal(e.card.ID)) && when.holds(e.at)
	})
	slices.Reverse(found)
	return page(r, "events", found, maxEventsPage, false, func(e event) object { return p.eventJSON(r, e) })
}

func (p *Portal) oneEvent(r *request) reply {
	for _, e := range p.events {
		if e.id == r.event {
			return hal(p.eventJSON(r, e))
		}
	}
	return problem(http.StatusNotFound, "Not Found", "Event not found")
}

func (p *Portal) eventJSON(r *request, e event) object {
	after := []object{}
	if e.note != 0 {
		after = append(after, object{"note": object{"id": e.note}})
	}
	return object{
		"id": e.id, "type": e.kind, "entity_id": e.card.ID, "entity_type": e.card.Kind.singular(),
		"created_by": e.by, "created_at": e.at.Unix(), "value_after": after, "value_before": []object{}, "account_id": p.opt.AccountID,
		"_links":    selfLink(r.base + "/api/v4/events/" + e.id),
		"_embedded": object{"entity": object{"id": e.card.ID, "_links": selfLink(r.base + "/api/v4/" + e.card.String())}},
	}
}
