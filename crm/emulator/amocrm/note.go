package amocrm

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"
	"unicode/utf8"
)

// Note types that matter here (2.11).
const (
	CallIn          = "call_in"
	CallOut         = "call_out"
	Common          = "common"
	ServiceMessage  = "service_message"
	ExtendedMessage = "extended_service_message"
	Attachment      = "attachment"
)

// required names the params a writable note type must have.
func required(noteType string) (keys []string, writable bool) {
	switch noteType {
	case CallIn, CallOut:
		return []string{"duration", "source", "phone"}, true
	case Common, "sms_in", "sms_out":
		return []string{"text"}, true
	case ServiceMessage, ExtendedMessage:
		return []string{"service", "text"}, true
	case Attachment:
		return []string{"file_uuid", "file_name"}, true
	case "message_cashier", "geolocation":
		return nil, true
	}
	return nil, false
}

// Note is one record of a card's feed, for scripts to look at.
type Note struct {
	ID          int64
	Card        Card
	Type        string
	Params      map[string]any // as given; numbers are float64
	Text        string         // params.text
	CreatedBy   int64
	Responsible int64
	CreatedAt   time.Time
	UpdatedAt   time.Time
	Pinned      bool
	Robots      bool // the writer let it start robots (is_need_to_trigger_digital_pipeline)
}

type note struct {
	id          int64
	card        Card
	kind        string
	params      json.RawMessage // as given, nulls and unknown keys included
	createdBy   int64
	updatedBy   int64
	responsible int64
	created     time.Time
	updated     time.Time
	pinned      bool
	robots      bool

	lateLink string    // the recording's address, not known to the card before linkDue
	linkDue  time.Time // zero: nothing is late
}

// Notes lists a card's own notes, oldest first.
func (p *Portal) Notes(c Card) []Note {
	return p.notesThat(func(n *note) bool { return n.card == c })
}

// AllNotes lists the notes of all cards, oldest first.
func (p *Portal) AllNotes() []Note {
	return p.notesThat(func(*note) bool { return true })
}

func (p *Portal) notesThat(match func(*note) bool) []Note {
	defer p.lock()()
	var all []Note
	for _, n := range p.notes {
		if match(n) {
			all = append(all, n.view())
		}
	}
	return all
}

// AddNote puts a note into a card's feed, of any type, and returns its id.
func (p *Portal) AddNote(c Card, noteType string, params map[string]any) int64 {
	defer p.lock()()
	p.mustHave(c)
	n := p.newNote(note{card: c, kind: noteType, params: mustJSON(params), createdBy: p.me, responsible: p.me})
	p.touch()
	return n.id
}

// RemoveNote deletes a note, as a person may at any moment.
func (p *Portal) RemoveNote(id int64) {
	defer p.lock()()
	p.notes = slices.DeleteFunc(p.notes, func(n *note) bool { return n.id == id })
	p.touch()
}

// SetParam changes one of a note's params and moves updated_at, as a PATCH by
// the telephony does.
func (p *Portal) SetParam(id int64, key string, value any) {
	defer p.lock()()
	n := p.note(id)
	if n == nil {
		panic(fmt.Sprintf("amocrm emulator: no note %d", id))
	}
	n.setParam(key, value, p.now())
	p.touch()
}

func (n *note) setParam(key string, value any, at time.Time) {
	params := map[string]json.RawMessage{}
	if err := json.Unmarshal(n.params, &params); err != nil {
		params = map[string]json.RawMessage{} // params of this note were no object
	}
	params[key] = mustJSON(value)
	n.params, n.updated = mustJSON(params), at
}

func (n *note) view() Note {
	v := Note{
		ID: n.id, Card: n.card, Type: n.kind, CreatedBy: n.createdBy, Responsible: n.responsible,
		CreatedAt: n.created, UpdatedAt: n.updated, Pinned: n.pinned, Robots: n.robots,
	}
	if json.Unmarshal(n.params, &v.Params) == nil {
		v.Text, _ = v.Params["text"].(string)
	}
	return v
}

// newNote stores a note and makes its event.
func (p *Portal) newNote(n note) *note {
	n.id = p.nextID("note")
	if n.created.IsZero() {
		n.created = p.now()
	}
	if n.updated.IsZero() {
		n.updated = p.now()
	}
	n.updatedBy = n.createdBy
	p.notes = append(p.notes, &n)
	if kind := eventOf(n.kind); kind != "" {
		p.addEvent(event{kind: kind, card: n.card, by: n.createdBy, at: n.updated, note: n.id})
	}
	return &n
}

func (p *Portal) note(id int64) *note {
	i, ok := slices.BinarySearchFunc(p.notes, id, func(n *note, id int64) int { return cmp.Compare(n.id, id) })
	if !ok {
		return nil
	}
	return p.notes[i]
}

// mustHave stops a script that names a card nobody made.
func (p *Portal) mustHave(c Card) {
	if p.card(c) == nil {
		panic("amocrm emulator: no card " + c.String())
	}
}

// listNotes is GET /api/v4/{type}/notes and /api/v4/{type}/{id}/notes (2.10).
// A lead's list does not contain calls of its contact.
func (p *Portal) listNotes(r *request) reply {
	filters := []string{"page", "limit", "with", "filter[id]", "filter[note_type]", "filter[updated_at]", "order[updated_at]", "order[id]"}
	if r.id == 0 {
		filters = append(filters, "filter[entity_id]")
	}
	if extra := r.query.stranger(filters...); extra != "" {
		return p.notBuilt(r, "argument "+extra)
	}
	if bad, ok := p.badNoteWith(r); !ok {
		return bad
	}
	when, err := r.query.span("filter[updated_at]")
	if err != nil {
		return badArgument("filter[updated_at]")
	}
	ids, cards, types := r.query.list("filter[id]"), r.query.list("filter[entity_id]"), r.query.list("filter[note_type]")
	found := keep(p.notes, func(n *note) bool {
		return n.card.Kind == r.kind && (r.id == 0 || n.card.ID == r.id) &&
			anyOf(ids, decimal(n.id)) && anyOf(cards, decimal(n.card.ID)) && anyOf(types, n.kind) && when.holds(n.updated)
	})
	if way := r.query.one("order[id]"); way != "" {
		slices.SortStableFunc(found, func(a, b *note) int { return direction(way) * cmp.Compare(a.id, b.id) })
	}
	if way := r.query.one("order[updated_at]"); way != "" {
		slices.SortStableFunc(found, func(a, b *note) int {
			return direction(way) * cmp.Compare(a.updated.Unix(), b.updated.Unix())
		})
	}
	return page(r, "notes", found, maxPage, false, func(n *note) object { return p.noteJSON(r, n) })
}

// oneNote is the two single routes; a note of another entity type is not
// there.
func (p *Portal) oneNote(r *request) reply {
	if extra := r.query.stranger("with"); extra != "" {
		return p.notBuilt(r, "argument "+extra)
	}
	if bad, ok := p.badNoteWith(r); !ok {
		return bad
	}
	n := p.noteOf(r, r.note)
	if n == nil {
		return nothing()
	}
	return hal(p.noteJSON(r, n))
}

func (p *Portal) badNoteWith(r *request) (reply, bool) {
	for _, extra := range r.query.list("with") {
		if extra != "is_pinned" {
			return p.notBuilt(r, "notes with="+extra), false
		}
	}
	return reply{}, true
}

// noteOf finds a note on the route's entity type and, if named, card.
func (p *Portal) noteOf(r *request, id int64) *note {
	n := p.note(id)
	if n == nil || n.card.Kind != r.kind || r.id != 0 && n.card.ID != r.id {
		return nil
	}
	return n
}

func (p *Portal) noteJSON(r *request, n *note) object {
	body := object{
		"id": n.id, "entity_id": n.card.ID, "created_by": n.createdBy, "updated_by": n.updatedBy,
		"created_at": n.created.Unix(), "updated_at": n.updated.Unix(), "responsible_user_id": n.responsible, "group_id": 0,
		"note_type": n.kind, "params": n.params, "account_id": p.opt.AccountID, "_links": selfLink(n.address(r)),
	}
	if slices.Contains(r.query.list("with"), "is_pinned") {
		body["is_pinned"] = n.pinned
	}
	return body
}

func (n *note) address(r *request) string {
	return r.base + "/api/v4/" + n.card.String() + "/notes/" + decimal(n.id)
}

// noteBody is an element of a write. Keys it does not have are not built.
type noteBody struct {
	ID          int64           `json:"id"`
	EntityID    int64           `json:"entity_id"`
	Type        string          `json:"note_type"`
	Params      json.RawMessage `json:"params"`
	CreatedBy   *int64          `json:"created_by"`
	Responsible *int64          `json:"responsible_user_id"`
	RequestID   string          `json:"request_id"`
	Robots      *bool           `json:"is_need_to_trigger_digital_pipeline"`
}

// createNotes is POST to the type's or the card's list (2.11). Nothing is
// idempotent: the same body twice makes two notes.
func (p *Portal) createNotes(r *request) reply {
	var bodies []noteBody
	if err := r.decode(&bodies); err != nil {
		return p.notBuilt(r, "body: "+err.Error())
	}
	if r.id != 0 && p.card(Card{r.kind, r.id}) == nil {
		return problem(http.StatusNotFound, "Not Found", "Entity not found")
	}
	if refused, ok := p.checkBatch(r, bodies, p.checkNew); !ok {
		return refused
	}
	made := []object{}
	for i, b := range bodies {
		n := note{card: Card{r.kind, b.EntityID}, kind: b.Type, params: compact(b.Params), createdBy: r.token.user, robots: true}
		if r.id != 0 {
			n.card.ID = r.id
		}
		n.responsible = p.card(n.card).responsible
		set(&n.createdBy, b.CreatedBy)
		set(&n.responsible, b.Responsible)
		set(&n.robots, b.Robots)
		made = append(made, p.written(r, p.newNote(n), b, i))
	}
	p.touch()
	return hal(object{"_links": selfLink(r.self("")), "_embedded": object{"notes": made}})
}

// patchNotes is PATCH of several notes of a type or of a card.
func (p *Portal) patchNotes(r *request) reply {
	var bodies []noteBody
	if err := r.decode(&bodies); err != nil {
		return p.notBuilt(r, "body: "+err.Error())
	}
	if refused, ok := p.checkBatch(r, bodies, p.checkPatch); !ok {
		return refused
	}
	done := []object{}
	for i, b := range bodies {
		done = append(done, p.written(r, p.applyNote(r, b), b, i))
	}
	p.touch()
	return hal(object{"_links": selfLink(r.self("")), "_embedded": object{"notes": done}})
}

// patchOneNote is PATCH of one note by its full address.
func (p *Portal) patchOneNote(r *request) reply {
	var b noteBody
	if err := r.decode(&b); err != nil {
		return p.notBuilt(r, "body: "+err.Error())
	}
	b.ID = r.note
	if p.noteOf(r, b.ID) == nil {
		return problem(http.StatusNotFound, "Not Found", "Note not found")
	}
	if refused, ok := p.checkBatch(r, []noteBody{b}, p.checkPatch); !ok {
		return refused
	}
	answer := p.written(r, p.applyNote(r, b), b, 0)
	p.touch()
	return hal(answer)
}

// applyNote changes a note; updated_at moves.
func (p *Portal) applyNote(r *request, b noteBody) *note {
	n := p.noteOf(r, b.ID)
	if b.Params != nil {
		n.params = compact(b.Params)
	}
	set(&n.responsible, b.Responsible)
	n.updated, n.updatedBy = p.now(), r.token.user
	return n
}

func (p *Portal) written(r *request, n *note, b noteBody, position int) object {
	o := object{"id": n.id, "entity_id": n.card.ID, "request_id": requestID(b.RequestID, position), "_links": selfLink(n.address(r))}
	if r.Method == http.MethodPatch {
		o["updated_at"] = n.updated.Unix()
	}
	return o
}

// checkBatch refuses a write as a whole when one element is wrong.
func (p *Portal) checkBatch(r *request, bodies []noteBody, check func(*request, noteBody) (code, path, detail string)) (reply, bool) {
	if len(bodies) == 0 || len(bodies) > maxBatch {
		return problem(http.StatusBadRequest, "Bad Request", "Неверное количество элементов"), false
	}
	var bad []complaint
	for i, b := range bodies {
		if code, path, detail := check(r, b); code != "" {
			bad = append(bad, complaint{requestID(b.RequestID, i), code, path, detail})
		}
	}
	if len(bad) > 0 {
		return invalid(bad), false
	}
	return reply{}, true
}

func (p *Portal) checkNew(r *request, b noteBody) (code, path, detail string) {
	if r.id == 0 && p.card(Card{r.kind, b.EntityID}) == nil {
		return "NotSupportedChoice", "entity_id", "Элемент не найден"
	}
	if b.Type == "" {
		return "FieldMissing", "note_type", "This field is missing."
	}
	if _, writable := required(b.Type); !writable {
		return "NotSupportedChoice", "note_type", "The value you selected is not a valid choice."
	}
	return p.checkParams(b.Type, b.Params)
}

func (p *Portal) checkPatch(r *request, b noteBody) (code, path, detail string) {
	n := p.noteOf(r, b.ID)
	switch {
	case n == nil:
		return "NotSupportedChoice", "id", "Примечание не найдено"
	case b.Type != "" && b.Type != n.kind:
		return "NotSupportedChoice", "note_type", "The value you selected is not a valid choice."
	case b.Params == nil:
		return "", "", ""
	}
	return p.checkParams(n.kind, b.Params)
}

func (p *Portal) checkParams(noteType string, raw json.RawMessage) (code, path, detail string) {
	var params map[string]any
	if json.Unmarshal(raw, &params) != nil || params == nil {
		return "InvalidType", "params", "This value should be of type object."
	}
	keys, _ := required(noteType)
	for _, key := range keys {
		if _, ok := params[key]; !ok {
			return "FieldMissing", "params." + key, "This field is missing."
		}
	}
	if text, ok := params["text"].(string); ok && p.opt.MaxNoteText > 0 && utf8.RuneCountInString(text) > p.opt.MaxNoteText {
		return "TooLong", "params.text", "This value is too long."
	}
	return "", "", ""
}

func (p *Portal) pinNote(r *request) reply   { return p.setPinned(r, true) }
func (p *Portal) unpinNote(r *request) reply { return p.setPinned(r, false) }

func (p *Portal) setPinned(r *request, pinned bool) reply {
	n := p.noteOf(r, r.note)
	if n == nil {
		return problem(http.StatusNotFound, "Not Found", "Note not found")
	}
	n.pinned = pinned
	p.touch()
	return nothing()
}

// compact copies JSON that was already parsed once, without its white space.
func compact(raw json.RawMessage) json.RawMessage { return mustJSON(raw) }

func mustJSON(v any) json.RawMessage {
	data, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("amocrm emulator: marshal: %v", err))
	}
	return data
}
