package amocrm

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Kind is an entity type as paths spell it.
type Kind string

// The kinds of cards.
const (
	Leads     Kind = "leads"
	Contacts  Kind = "contacts"
	Companies Kind = "companies"
	Customers Kind = "customers" // cards and notes only; the account has them off
)

func (k Kind) known() bool {
	return k == Leads || k == Contacts || k == Companies || k == Customers
}

// singular is how events and calls spell the kind.
func (k Kind) singular() string {
	if k == Companies {
		return "company"
	}
	return strings.TrimSuffix(string(k), "s")
}

// Card names one card.
type Card struct {
	Kind Kind
	ID   int64
}

// String is the card in paths: leads/41200517.
func (c Card) String() string { return string(c.Kind) + "/" + decimal(c.ID) }

// Page is the path of the card's page for people.
func (c Card) Page() string { return "/" + string(c.Kind) + "/detail/" + decimal(c.ID) }

// parseCard reads what String wrote.
func parseCard(s string) (Card, bool) {
	kind, id, _ := strings.Cut(s, "/")
	n, err := strconv.ParseInt(id, 10, 64)
	return Card{Kind(kind), n}, err == nil && Kind(kind).known()
}

// Lead is what a script tells of a new deal.
type Lead struct {
	Name        string
	Price       int64 // roubles
	Status      int64 // 0: StatusTalking
	Responsible int64 // user id; 0: the person at the keyboard
}

// Contact is what a script tells of a new person.
type Contact struct {
	Name        string
	Phones      []string
	Responsible int64 // as of a Lead
}

// Company is what a script tells of a new company.
type Company struct {
	Name        string
	Phones      []string
	Responsible int64 // as of a Lead
}

// Customer is what a script tells of a new customer.
type Customer struct {
	Name        string
	Responsible int64 // as of a Lead
}

// card is any of the four.
type card struct {
	Card
	name        string
	price       int64
	status      int64
	phones      []string
	responsible int64
	tags        []tag
	createdBy   int64
	updatedBy   int64
	created     time.Time
	updated     time.Time
	closed      time.Time
}

type tag struct {
	id   int64
	name string
}

type link struct {
	from, to Card
	main     bool // main contact of a lead
}

// AddLead makes a deal.
func (p *Portal) AddLead(l Lead) Card {
	if l.Status == 0 {
		l.Status = StatusTalking
	}
	return p.addCard(card{Card: Card{Kind: Leads}, name: l.Name, price: l.Price, status: l.Status, responsible: l.Responsible})
}

// AddContact makes a person.
func (p *Portal) AddContact(c Contact) Card {
	return p.addCard(card{Card: Card{Kind: Contacts}, name: c.Name, phones: c.Phones, responsible: c.Responsible})
}

// AddCompany makes a company.
func (p *Portal) AddCompany(c Company) Card {
	return p.addCard(card{Card: Card{Kind: Companies}, name: c.Name, phones: c.Phones, responsible: c.Responsible})
}

// AddCustomer makes a customer, which matters to POST /calls and to notes.
func (p *Portal) AddCustomer(c Customer) Card {
	return p.addCard(card{Card: Card{Kind: Customers}, name: c.Name, responsible: c.Responsible})
}

func (p *Portal) addCard(c card) Card {
	defer p.lock()()
	c.ID = p.nextID(string(c.Kind))
	if c.responsible == 0 {
		c.responsible = p.me
	}
	c.createdBy, c.updatedBy = c.responsible, c.responsible
	c.created, c.updated = p.now(), p.now()
	p.cards = append(p.cards, &c)
	p.addEvent(event{kind: c.Kind.singular() + "_added", card: c.Card, by: c.createdBy})
	p.touch()
	return c.Card
}

// Link joins two cards: a lead with a contact or company, a contact with a
// company. The first contact of a lead is its main one.
func (p *Portal) Link(a, b Card) {
	defer p.lock()()
	if rank(a.Kind) > rank(b.Kind) {
		a, b = b, a
	}
	main := a.Kind == Leads && b.Kind == Contacts && !slices.ContainsFunc(p.links, func(l link) bool { return l.from == a && l.main })
	p.links = append(p.links, link{a, b, main})
	p.touch()
}

// rank orders kinds so that a link is always kept the same way round.
func rank(k Kind) int {
	return slices.Index([]Kind{Leads, Customers, Contacts, Companies}, k)
}

// RemoveCard deletes a card with its notes, as a person may at any moment.
func (p *Portal) RemoveCard(c Card) {
	defer p.lock()()
	p.cards = slices.DeleteFunc(p.cards, func(other *card) bool { return other.Card == c })
	p.notes = slices.DeleteFunc(p.notes, func(n *note) bool { return n.card == c })
	p.links = slices.DeleteFunc(p.links, func(l link) bool { return l.from == c || l.to == c })
	p.touch()
}

func (p *Portal) card(c Card) *card {
	for _, other := range p.cards {
		if other.Card == c {
			return other
		}
	}
	return nil
}

func (p *Portal) ofKind(k Kind) []*card {
	var all []*card
	for _, c := range p.cards {
		if c.Kind == k {
			all = append(all, c)
		}
	}
	return all
}

// linked lists the cards of one kind joined to c, the main contact first.
func (p *Portal) linked(c Card, k Kind) []Card {
	var all []Card
	for _, l := range p.links {
		if l.from == c && l.to.Kind == k {
			all = append(all, l.to)
		} else if l.to == c && l.from.Kind == k {
			all = append(all, l.from)
		}
	}
	return all
}

// listCards is GET /api/v4/{leads|contacts|companies} (2.5).
func (p *Portal) listCards(r *request) reply {
	if extra := r.query.stranger("with", "page", "limit", "query", "filter[id]", "filter[updated_at]", "order[created_at]", "order[updated_at]", "order[id]"); extra != "" {
		return p.notBuilt(r, "argument "+extra)
	}
	if r.kind == Customers {
		return p.notBuilt(r, "customers")
	}
	if bad, ok := p.badWith(r); !ok {
		return bad
	}
	cards := p.ofKind(r.kind)
	if words := strings.ToLower(r.query.one("query")); words != "" {
		cards = keep(cards, func(c *card) bool { return c.mentions(words) })
	}
	if p.opt.FilterAddOn {
		span, err := r.query.span("filter[updated_at]")
		if err != nil {
			return badArgument("filter[updated_at]")
		}
		ids := r.query.list("filter[id]")
		cards = keep(cards, func(c *card) bool { return anyOf(ids, decimal(c.ID)) && span.holds(c.updated) })
	}
	for _, by := range []struct {
		key   string
		value func(*card) int64
	}{
		{"order[id]", func(c *card) int64 { return c.ID }},
		{"order[created_at]", func(c *card) int64 { return c.created.Unix() }},
		{"order[updated_at]", func(c *card) int64 { return c.updated.Unix() }},
	} {
		if way := r.query.one(by.key); way != "" {
			slices.SortStableFunc(cards, func(a, b *card) int { return direction(way) * cmp.Compare(by.value(a), by.value(b)) })
		}
	}
	return page(r, string(r.kind), cards, maxPage, false, func(c *card) object { return p.cardJSON(r, c) })
}

func (c *card) mentions(words string) bool {
	return strings.Contains(strings.ToLower(c.name), words) ||
		slices.ContainsFunc(c.phones, func(phone string) bool { return strings.Contains(phone, words) })
}

// oneCard is GET /api/v4/{type}/{id}; a card that does not exist is 204.
func (p *Portal) oneCard(r *request) reply {
	if extra := r.query.stranger("with"); extra != "" {
		return p.notBuilt(r, "argument "+extra)
	}
	if r.kind == Customers {
		return p.notBuilt(r, "customers")
	}
	if bad, ok := p.badWith(r); !ok {
		return bad
	}
	c := p.card(Card{r.kind, r.id})
	if c == nil {
		return nothing()
	}
	return hal(p.cardJSON(r, c))
}

// badWith refuses a with= of which the emulator knows no shape.
func (p *Portal) badWith(r *request) (reply, bool) {
	for _, extra := range r.query.list("with") {
		switch {
		case extra == "contacts" && r.kind != Contacts, extra == "leads" && r.kind != Leads, extra == "catalog_elements":
		default:
			return p.notBuilt(r, string(r.kind)+" with="+extra), false
		}
	}
	return reply{}, true
}

func (p *Portal) cardJSON(r *request, c *card) object {
	tags := []object{}
	for _, t := range c.tags {
		tags = append(tags, object{"id": t.id, "name": t.name, "color": nil})
	}
	embedded := object{"tags": tags}
	body := object{
		"id": c.ID, "name": c.name, "responsible_user_id": c.responsible, "group_id": 0,
		"created_by": c.createdBy, "updated_by": c.updatedBy, "created_at": c.created.Unix(), "updated_at": c.updated.Unix(),
		"closest_task_at": nil, "is_deleted": false, "custom_fields_values": phoneField(c.phones), "account_id": p.opt.AccountID,
		"_links": selfLink(r.base + "/api/v4/" + c.String()), "_embedded": embedded,
	}
	switch c.Kind {
	case Leads:
		body["price"], body["status_id"], body["pipeline_id"] = c.price, c.status, PipelineID
		body["loss_reason_id"], body["score"], body["labor_cost"], body["closed_at"] = nil, nil, nil, nil
		if !c.closed.IsZero() {
			body["closed_at"] = c.closed.Unix()
		}
	case Contacts:
		first, last, _ := strings.Cut(c.name, " ")
		body["first_name"], body["last_name"] = first, last
	}
	brief := func(k Kind, more func(i int, o object)) {
		list := []object{}
		for i, other := range p.linked(c.Card, k) {
			o := object{"id": other.ID, "_links": selfLink(r.base + "/api/v4/" + other.String())}
			if more != nil {
				more(i, o)
			}
			list = append(list, o)
		}
		embedded[string(k)] = list
	}
	if c.Kind != Companies {
		brief(Companies, nil) // comes by itself, contacts must be asked for
	}
	for _, extra := range r.query.list("with") {
		switch extra {
		case "contacts":
			brief(Contacts, func(i int, o object) { o["is_main"] = c.Kind == Leads && i == 0 })
		case "leads":
			brief(Leads, nil)
		case "catalog_elements":
			embedded["catalog_elements"] = []object{}
		}
	}
	return body
}

// phoneField is null when nothing is filled (2.8).
func phoneField(phones []string) any {
	if len(phones) == 0 {
		return nil
	}
	values := []object{}
	for _, phone := range phones {
		values = append(values, object{"value": phone, "enum_id": 880101, "enum_code": "WORK"})
	}
	return []object{{"field_id": 880100, "field_name": "Телефон", "field_code": "PHONE", "field_type": "multitext", "values": values}}
}

// cardLinks is GET /api/v4/{type}/{id}/links.
func (p *Portal) cardLinks(r *request) reply {
	if extra := r.query.stranger("page", "limit"); extra != "" {
		return p.notBuilt(r, "argument "+extra)
	}
	return p.linkList(r, []Card{{r.kind, r.id}}, false)
}

// manyLinks is GET /api/v4/{type}/links?filter[entity_id][]=…
func (p *Portal) manyLinks(r *request) reply {
	if extra := r.query.stranger("page", "limit", "filter[entity_id]"); extra != "" {
		return p.notBuilt(r, "argument "+extra)
	}
	var from []Card
	for _, text := range r.query.list("filter[entity_id]") {
		id, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return badArgument("filter[entity_id]")
		}
		from = append(from, Card{r.kind, id})
	}
	if len(from) == 0 {
		return badArgument("filter[entity_id]")
	}
	return p.linkList(r, from, true)
}

func (p *Portal) linkList(r *request, from []Card, named bool) reply {
	var list []object
	for _, c := range from {
		for _, l := range p.links {
			other := l.to
			if l.to == c {
				other = l.from
			} else if l.from != c {
				continue
			}
			var metadata any
			if other.Kind == Contacts {
				metadata = object{"main_contact": l.main}
			}
			o := object{"to_entity_id": other.ID, "to_entity_type": other.Kind, "metadata": metadata}
			if named {
				o["entity_id"], o["entity_type"] = c.ID, c.Kind
			}
			list = append(list, o)
		}
	}
	return page(r, "links", list, maxPage, true, func(o object) object { return o })
}

// cardPatch is what may be changed of a card. Custom fields are not built.
type cardPatch struct {
	ID          int64     `json:"id"`
	Name        *string   `json:"name"`
	Price       *int64    `json:"price"`
	Status      *int64    `json:"status_id"`
	Pipeline    *int64    `json:"pipeline_id"`
	Responsible *int64    `json:"responsible_user_id"`
	UpdatedBy   *int64    `json:"updated_by"`
	TagsAdd     []tagName `json:"tags_to_add"`
	TagsDelete  []tagName `json:"tags_to_delete"`
	RequestID   string    `json:"request_id"`
	Embedded    struct {
		Tags optional[[]tagName] `json:"tags"`
	} `json:"_embedded"`
}

type tagName struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

func (p *Portal) patchCards(r *request) reply {
	var patches []cardPatch
	if err := r.decode(&patches); err != nil {
		return p.notBuilt(r, "body: "+err.Error())
	}
	return p.applyPatches(r, patches, false)
}

func (p *Portal) patchOneCard(r *request) reply {
	var patch cardPatch
	if err := r.decode(&patch); err != nil {
		return p.notBuilt(r, "body: "+err.Error())
	}
	patch.ID = r.id
	return p.applyPatches(r, []cardPatch{patch}, true)
}

func (p *Portal) applyPatches(r *request, patches []cardPatch, single bool) reply {
	if r.kind == Customers {
		return p.notBuilt(r, "customers")
	}
	if len(patches) == 0 || len(patches) > maxBatch {
		return problem(http.StatusBadRequest, "Bad Request", "Неверное количество элементов")
	}
	var bad []complaint
	for i, patch := range patches {
		request := requestID(patch.RequestID, i)
		switch {
		case p.card(Card{r.kind, patch.ID}) == nil && single:
			return problem(http.StatusNotFound, "Not Found", "Entity not found")
		case p.card(Card{r.kind, patch.ID}) == nil:
			bad = append(bad, complaint{request, "NotSupportedChoice", "id", "Элемент не найден"})
		case patch.Status != nil && statusName(*patch.Status) == "":
			bad = append(bad, complaint{request, "NotSupportedChoice", "status_id", "The value you selected is not a valid choice."})
		}
	}
	if len(bad) > 0 {
		return invalid(bad)
	}
	done := []object{}
	for i, patch := range patches {
		c := p.card(Card{r.kind, patch.ID})
		p.patchCard(c, patch, r.token.user)
		done = append(done, object{
			"id": c.ID, "updated_at": c.updated.Unix(), "request_id": requestID(patch.RequestID, i),
			"_links": selfLink(r.base + "/api/v4/" + c.String()),
		})
	}
	p.touch()
	if single {
		return hal(done[0])
	}
	return hal(object{"_links": selfLink(r.self("")), "_embedded": object{string(r.kind): done}})
}

func (p *Portal) patchCard(c *card, patch cardPatch, user int64) {
	set(&c.name, patch.Name)
	set(&c.price, patch.Price)
	set(&c.status, patch.Status)
	set(&c.responsible, patch.Responsible)
	if patch.Status != nil {
		c.closed = time.Time{}
		if !c.active() {
			c.closed = p.now()
		}
	}
	if patch.Embedded.Tags.given { // replaces the whole set, null empties it
		c.tags = nil
		p.addTags(c, patch.Embedded.Tags.value)
	}
	p.addTags(c, patch.TagsAdd)
	for _, gone := range patch.TagsDelete {
		c.tags = slices.DeleteFunc(c.tags, func(t tag) bool { return t.id == gone.ID || t.name == gone.Name })
	}
	c.updated, c.updatedBy = p.now(), user
	set(&c.updatedBy, patch.UpdatedBy)
}

// addTags gives a card tags; a name the account knows keeps its id.
func (p *Portal) addTags(c *card, names []tagName) {
	for _, n := range names {
		t := tag{n.ID, n.Name}
		for _, other := range p.ofKind(c.Kind) {
			for _, known := range other.tags {
				if known.name == n.Name || known.id == n.ID {
					t = known
				}
			}
		}
		if t.id == 0 {
			t.id = p.nextID("tag")
		}
		if !slices.ContainsFunc(c.tags, func(has tag) bool { return has.id == t.id }) {
			c.tags = append(c.tags, t)
		}
	}
}

// active reports whether a lead is neither won nor lost.
func (c *card) active() bool { return c.status != StatusWon && c.status != StatusLost }

// optional tells null from absent.
type optional[T any] struct {
	given bool
	value T
}

func (o *optional[T]) UnmarshalJSON(data []byte) error {
	o.given = true
	return json.Unmarshal(data, &o.value)
}

func set[T any](field *T, value *T) {
	if value != nil {
		*field = *value
	}
}

// requestID is what a write echoes: the element's own, or its position as a
// string (2.3).
func requestID(own string, position int) string {
	if own != "" {
		return own
	}
	return strconv.Itoa(position)
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }
