package crmtest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"flysense/crm"
	"flysense/engine"
)

// search is the engine's side of a search: what it knows by outside id, and
// the mark it keeps.
type search struct {
	mark  string
	known map[string]engine.Sighting
}

func newSearch() *search { return &search{known: map[string]engine.Sighting{}} }

// find searches once and returns what came.
func (s *search) find(t *testing.T, b *Bench) []engine.Sighting {
	t.Helper()
	found, err := s.try(t, b)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func (s *search) try(t *testing.T, b *Bench) ([]engine.Sighting, error) {
	t.Helper()
	found, next, err := b.Hub.Find(ctx(t), b.Connection, s.mark)
	if err != nil {
		return nil, err
	}
	twice := map[string]bool{}
	for _, f := range found {
		if twice[f.OutsideID] {
			t.Errorf("record %s twice in one answer", f.OutsideID)
		}
		twice[f.OutsideID] = true
		s.known[f.OutsideID] = f
	}
	s.mark = next
	return found, nil
}

func findsCalls(t *testing.T, b *Bench) {
	link := b.Portal.Record(Recording{Name: "1.mp3", Data: []byte("ID3 audio")})
	b.Advance(time.Minute)
	type want struct {
		kind, card string
		call       Call
	}
	wants := map[string]want{}
	for i, kind := range b.Portal.Kinds() {
		for _, outgoing := range []bool{false, true} {
			card := b.Portal.Card(kind, fmt.Sprintf("Карточка %d", i))
			call := Call{Outgoing: outgoing, At: b.Now().Truncate(time.Second), Duration: 73 * time.Second, Phone: "+79005550101", Agent: "Иванова Анна", Uniq: fmt.Sprintf("u-%d-%t", i, outgoing), Link: link}
			wants[b.Portal.Call(kind, card, call)] = want{kind, card, call}
		}
	}
	s := newSearch()
	s.find(t, b)
	if len(s.known) != len(wants) {
		t.Fatalf("found %d of %d calls", len(s.known), len(wants))
	}
	for id, w := range wants {
		f := s.known[id]
		direction := engine.Incoming
		if w.call.Outgoing {
			direction = engine.Outgoing
		}
		if f.CardKind != w.kind || f.CardID != w.card || f.Direction != direction || f.Phone != w.call.Phone || f.Uniq != w.call.Uniq ||
			f.Reported != w.call.Duration || f.Link != link || !f.StartedAt.Equal(w.call.At) || f.Agent != w.call.Agent {
			t.Errorf("record %s: got %+v, want %+v", id, f, w)
		}
		if f.CardTitle == "" || f.CardURL == "" {
			t.Errorf("record %s: card %q at %q", id, f.CardTitle, f.CardURL)
		}
	}
	settings, err := b.Hub.Settings(ctx(t), b.Connection)
	if err != nil || settings.Language == "" {
		t.Errorf("settings %+v, %v", settings, err)
	}
	c, err := b.Hub.Connection(ctx(t), b.Connection)
	if err != nil || !c.PolledAt.Equal(b.Now().Truncate(time.Millisecond)) || c.Problem != "" {
		t.Errorf("connection %+v, %v", c, err)
	}
}

func lateLink(t *testing.T, b *Bench) {
	kind := b.Portal.Kinds()[0]
	id := b.Portal.Call(kind, b.Portal.Card(kind, "Поздняя запись"), Call{Duration: time.Minute, Phone: "+79005550101"})
	s := newSearch()
	s.find(t, b)
	f, ok := s.known[id]
	if !ok || f.Link != "" || f.Key() != "" {
		t.Fatalf("without a link: %+v", f)
	}
	if _, err := b.Hub.Open(ctx(t), engine.Call{ConnectionID: b.Connection}); !errors.Is(err, engine.ErrNoRecording) {
		t.Errorf("no link: %v", err)
	}
	for range 20 { // three hours of quiet searches
		b.Advance(10 * time.Minute)
		s.find(t, b)
	}
	link := b.Portal.Record(Recording{Name: "late.mp3", Data: []byte("ID3")})
	b.Portal.SetLink(id, link)
	s.find(t, b)
	if got := s.known[id]; got.Link != link || got.Key() == "" {
		t.Errorf("after the link came: %+v", got)
	}
}

func oneKey(t *testing.T, b *Bench) {
	kinds := b.Portal.Kinds()
	link := b.Portal.Record(Recording{Name: "same.mp3", Data: []byte("ID3")})
	call := Call{Duration: 73 * time.Second, Phone: "+79005550101", Uniq: "1767599940.8841", Link: link}
	first := b.Portal.Call(kinds[0], b.Portal.Card(kinds[0], "Сделка"), call)
	second := b.Portal.Call(kinds[len(kinds)-1], b.Portal.Card(kinds[len(kinds)-1], "Контакт"), call)
	call.Duration += time.Second
	other := b.Portal.Call(kinds[0], b.Portal.Card(kinds[0], "Другой"), call)
	s := newSearch()
	s.find(t, b)
	if len(s.known) != 3 || s.known[first].Key() == "" || s.known[first].Key() != s.known[second].Key() || s.known[other].Key() == s.known[first].Key() {
		t.Errorf("keys %q, %q, %q", s.known[first].Key(), s.known[second].Key(), s.known[other].Key())
	}
	p, err := b.Hub.ArchivePreview(ctx(t), b.Connection, b.Now().Add(-time.Hour), b.Now().Add(time.Hour))
	if err != nil || p.Calls != 2 || len(p.Lengths) != 2 {
		t.Errorf("preview %+v, %v", p, err)
	}
}

// manyCalls: more than a page, of one second and of many.
func manyCalls(t *testing.T, b *Bench) {
	kind := b.Portal.Kinds()[0]
	card := b.Portal.Card(kind, "Много звонков")
	want := map[string]bool{}
	for i := range 620 {
		if i >= 560 {
			b.Advance(time.Second)
		}
		want[b.Portal.Call(kind, card, Call{Duration: time.Second, Phone: "+79005550101"})] = true
	}
	s := newSearch()
	s.find(t, b)
	if len(s.known) != len(want) {
		t.Fatalf("found %d of %d", len(s.known), len(want))
	}
	b.Advance(time.Hour)
	if again := s.find(t, b); len(again) > 620 {
		t.Errorf("an hour later %d records came again", len(again))
	}
	if late := s.find(t, b); len(late) > 620 {
		t.Errorf("%d records", len(late))
	}
}

// markHolds plays a day: calls come, change and share their seconds with
// searches. Whatever was changed last is known at the end.
func markHolds(t *testing.T, b *Bench) {
	seed := uint64(b.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // a day that the printed seed plays again
	kinds := b.Portal.Kinds()
	cards := map[string]string{}
	for _, k := range kinds {
		cards[k] = b.Portal.Card(k, "Карточка")
	}
	s := newSearch()
	links := map[string]string{}
	var ids []string
	for i := range 120 {
		switch random.IntN(4) {
		case 0:
			s.find(t, b)
		case 1:
			b.Advance(time.Duration(random.IntN(900)) * time.Second)
		case 2:
			if len(ids) > 0 {
				id := ids[random.IntN(len(ids))]
				links[id] = fmt.Sprintf("https://pbx.example.org/%d.mp3", i)
				b.Portal.SetLink(id, links[id])
			}
		default:
			kind := kinds[random.IntN(len(kinds))]
			id := b.Portal.Call(kind, cards[kind], Call{Duration: time.Second, Phone: "+79005550101"})
			ids, links[id] = append(ids, id), ""
		}
	}
	s.find(t, b)
	if len(s.known) != len(ids) {
		t.Errorf("know %d of %d calls", len(s.known), len(ids))
	}
	for id, link := range links {
		if s.known[id].Link != link {
			t.Errorf("record %s: link %q, want %q", id, s.known[id].Link, link)
		}
	}
}

func startsFromNow(t *testing.T, b *Bench) {
	kind := b.Portal.Kinds()[0]
	card := b.Portal.Card(kind, "Старый клиент")
	c, err := b.Hub.Connection(ctx(t), b.Connection)
	if err != nil {
		t.Fatal(err)
	}
	old := b.Portal.Call(kind, card, Call{At: c.StartedAt.Add(-48 * time.Hour), Duration: 20 * time.Second, Phone: "+79005550101", Link: "https://pbx.example.org/old.mp3"})
	b.Advance(time.Minute)
	fresh := b.Portal.Call(kind, card, Call{Duration: 30 * time.Second, Phone: "+79005550101"})
	s := newSearch()
	s.find(t, b)
	b.Portal.Touch(old) // a phone system that tidies up must not cost money
	s.find(t, b)
	if _, ok := s.known[fresh]; !ok || len(s.known) != 1 {
		t.Errorf("found %v, want only %s", s.known, fresh)
	}

	from, to := c.StartedAt.Add(-72*time.Hour), c.StartedAt.Add(-24*time.Hour)
	found, err := b.Hub.Archive(ctx(t), b.Connection, from, to)
	if err != nil || len(found) != 1 || found[0].OutsideID != old || found[0].CardTitle == "" {
		t.Errorf("archive: %+v, %v", found, err)
	}
	if none, err := b.Hub.Archive(ctx(t), b.Connection, from.Add(-72*time.Hour), from); err != nil || len(none) != 0 {
		t.Errorf("archive of another day: %+v, %v", none, err)
	}
	p, err := b.Hub.ArchivePreview(ctx(t), b.Connection, from, b.Now().Add(time.Second))
	if err != nil || p.Calls != 2 || p.NoRecording != 1 || len(p.Lengths) != 1 || p.Lengths[0] != 20*time.Second {
		t.Errorf("preview %+v, %v", p, err)
	}
	var invalid *crm.Invalid
	if _, err := b.Hub.ArchivePreview(ctx(t), b.Connection, to, from); !errors.As(err, &invalid) {
		t.Errorf("a span backwards: %v", err)
	}
}

// searchFaults: whatever goes wrong once, the next searches know everything.
func searchFaults(t *testing.T, b *Bench) {
	kinds := b.Portal.Kinds()
	s := newSearch()
	want := 0
	for _, f := range []Fault{Unauthorized, TooMany, Broken, NoContent, Slow, Cut, LockedOut, Unpaid} {
		for _, kind := range kinds {
			b.Portal.Call(kind, b.Portal.Card(kind, string(f)), Call{Duration: time.Second, Phone: "+79005550101"})
			want++
		}
		mark := s.mark
		b.Portal.Fail(f, 1)
		_, err := s.try(t, b)
		if err != nil {
			if s.mark != mark {
				t.Errorf("%s: the mark moved", f)
			}
			c, lost := b.Hub.Connection(ctx(t), b.Connection)
			if wait, later := engine.LaterWait(err); later && (lost != nil || c.Problem == "" || c.State != crm.Active) {
				t.Errorf("%s: later in %v, but the connection says %+v", f, wait, c)
			}
			before := b.Portal.Requests()
			if _, err := s.try(t, b); err == nil || b.Portal.Requests() != before {
				t.Errorf("%s: %d requests although the connection is paused", f, b.Portal.Requests()-before)
			}
			b.Advance(61 * time.Minute) // what is not paid or locked is tried hourly
			s.find(t, b)
		} else if f == LockedOut || f == Unpaid {
			t.Errorf("%s: a success", f)
		}
		if f == NoContent { // looks like a quiet minute
			s.find(t, b)
		}
		if len(s.known) != want {
			t.Errorf("%s: know %d of %d", f, len(s.known), want)
		}
		if c, err := b.Hub.Connection(ctx(t), b.Connection); err != nil || c.Problem != "" {
			t.Errorf("%s: afterwards still %q, %v", f, c.Problem, err)
		}
	}
	b.Portal.Fail(Broken, 0)
	if _, err := s.try(t, b); err == nil {
		t.Error("a portal that is down gave a success")
	}
	b.Portal.Heal()
	s.find(t, b)
	if len(s.known) != want {
		t.Errorf("know %d of %d", len(s.known), want)
	}
}

func offIsSilent(t *testing.T, b *Bench) {
	off, on := false, true
	if _, err := b.Hub.Update(ctx(t), "owner", b.Connection, crm.Change{On: &off}); err != nil {
		t.Fatal(err)
	}
	before := b.Portal.Requests()
	n := engine.Note{ConnectionID: b.Connection, CardKind: b.Portal.Kinds()[0], CardID: "1", ResultID: "1"}
	_, _, find := b.Hub.Find(ctx(t), b.Connection, "")
	_, archive := b.Hub.Archive(ctx(t), b.Connection, b.Now(), b.Now().Add(time.Hour))
	_, open := b.Hub.Open(ctx(t), engine.Call{ConnectionID: b.Connection, Link: "https://pbx.example.org/1.mp3"})
	_, write := b.Hub.WriteNote(ctx(t), n, "x")
	_, look := b.Hub.FindNote(ctx(t), n, "#fs:x")
	for i, err := range []error{find, archive, open, write, look, b.Hub.UpdateNote(ctx(t), n, "x")} {
		if hint, person := engine.OwnerHint(err); !person || hint == "" {
			t.Errorf("%d: %v", i, err)
		}
	}
	if got := b.Portal.Requests(); got != before {
		t.Errorf("%d requests", got-before)
	}
	if due, err := b.Hub.Due(ctx(t)); err != nil || len(due) != 0 {
		t.Errorf("due %v, %v", due, err)
	}
	if c, err := b.Hub.Update(ctx(t), "owner", b.Connection, crm.Change{On: &on}); err != nil || c.State != crm.Active {
		t.Errorf("%+v, %v", c, err)
	}
	newSearch().find(t, b)
	events, err := b.Hub.History(ctx(t), b.Connection)
	if err != nil || len(events) < 3 || events[0].What != "switched_on" || events[0].Actor != "owner" || events[0].At.IsZero() {
		t.Errorf("history %+v, %v", events, err)
	}
}
