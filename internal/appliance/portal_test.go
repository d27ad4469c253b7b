package appliance_test

import (
	"strings"
	"testing"
	"time"

	"flysense/crm/emulator/amocrm"
	"flysense/engine"
	"flysense/engine/store"
)

func (p *portal) ring(name string) {
	p.AddCall(p.card, amocrm.Call{Recording: name, Duration: 10 * time.Second, Phone: "+79000000001"})
}

const short = assets + "/calls/04-very-short.mp3"

// One call from the portal's card to the note in it, and what it cost.
func TestCallFromPortalToNote(t *testing.T) {
	p := newPortal(t, amocrm.Options{})
	p.file("a.mp3", short)
	s := newStage(t, p)
	s.topUp(1000)
	s.connect()
	p.ring("a.mp3")
	rows := s.settled(1)
	if rows[0].State != engine.Done {
		t.Fatalf("%s: %s", rows[0].State, rows[0].Problem)
	}
	notes := p.results(p.card)
	if len(notes) != 1 || !strings.Contains(notes[0], "#fs:"+rows[0].ID) {
		t.Errorf("notes %q", notes)
	}
	balance, err := s.Ledger.Balance(s.ctx)
	if err != nil || balance.Spent != 225_000 || balance.Held != 0 { // 10.1 s count as 15, 1/24 FC each
		t.Errorf("spent %d, held %d, %v", balance.Spent, balance.Held, err)
	}
	s.sound()
	p.clean()
}

// The same conversation in a deal and in its contact is heard and paid once.
func TestOneCallInTwoCards(t *testing.T) {
	p := newPortal(t, amocrm.Options{})
	p.file("a.mp3", short)
	person := p.AddContact(amocrm.Contact{Name: "Анна", Phones: []string{"+79000000001"}})
	p.Link(p.card, person)
	s := newStage(t, p)
	s.topUp(1000)
	s.connect()
	call := amocrm.Call{Recording: "a.mp3", Duration: 10 * time.Second, Uniq: "77.1"}
	p.AddCall(p.card, call)
	p.AddCall(person, call)
	s.until("notes in both cards", func(rows []store.Row) bool {
		return len(rows) == 1 && rows[0].State == engine.Done && len(p.results(p.card)) == 1 && len(p.results(person)) == 1
	})
	if balance, _ := s.Ledger.Balance(s.ctx); balance.Spent != 225_000 {
		t.Errorf("spent %d", balance.Spent)
	}
	s.sound()
	p.clean()
}

func TestEmptyWalletAndTopUp(t *testing.T) {
	p := newPortal(t, amocrm.Options{})
	p.file("a.mp3", short)
	s := newStage(t, p)
	s.connect()
	p.ring("a.mp3")
	rows := s.settled(1)
	if rows[0].State != engine.NoFunds || !strings.HasPrefix(rows[0].Problem, "Не хватает 0,63 FC.") { // 15 s are 0.625
		t.Fatalf("%s: %s", rows[0].State, rows[0].Problem)
	}
	s.topUp(1000)
	if err := s.Engine.Start(s.ctx, rows[0].ID, "anna"); err != nil {
		t.Fatal(err)
	}
	s.until("the call", func(rows []store.Row) bool { return rows[0].State == engine.Done })
	s.sound()
}

// Whatever the portal does for a while, nothing is lost and nothing doubled.
func TestPortalTroubles(t *testing.T) {
	const notes = "POST /api/v4/*/notes"
	for name, fault := range map[string]amocrm.Fault{
		"searches answer 500":               {Route: "GET /api/v4/**", Kind: amocrm.Broken, Count: 6},
		"searches answer 429":               {Route: "GET /api/v4/**", Kind: amocrm.TooMany, Count: 3},
		"searches are slow":                 {Route: "GET /api/v4/**", Kind: amocrm.Slow, Wait: 500 * time.Millisecond, Count: 4},
		"searches are cut":                  {Route: "GET /api/v4/**", Kind: amocrm.Cut, Count: 4},
		"searches find nothing":             {Route: "GET /api/v4/*/notes", Kind: amocrm.NoContent, Count: 6},
		"gateway times out":                 {Route: "GET /api/v4/**", Kind: amocrm.GatewayTimeout, Count: 4},
		"a note's answer is lost":           {Route: notes, Kind: amocrm.Cut, WorkDone: true, Count: 1},
		"a note's answer is half":           {Route: notes, Kind: amocrm.Cut, WorkDone: true, HalfBody: true, Count: 1},
		"a note is made, the answer is 500": {Route: notes, Kind: amocrm.Broken, WorkDone: true, Count: 1},
		"a note is refused with 500":        {Route: notes, Kind: amocrm.Broken, Count: 1},
		"a note is refused with 429":        {Route: notes, Kind: amocrm.TooMany, Count: 2},
		"a note never arrives":              {Route: notes, Kind: amocrm.Cut, Count: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPortal(t, amocrm.Options{})
			p.file("a.mp3", short)
			s := newStage(t, p)
			s.topUp(1000)
			s.connect()
			p.ring("a.mp3")
			p.Fault(fault)
			rows := s.settled(1)
			if len(rows) != 1 || rows[0].State != engine.Done {
				t.Fatalf("%d calls, %s: %s", len(rows), rows[0].State, rows[0].Problem)
			}
			if got := p.results(p.card); len(got) != 1 {
				t.Errorf("%d notes", len(got))
			}
			s.sound()
			p.clean()
		})
	}
}

// Access is withdrawn: the call waits for a person and goes on after it is
// given again, by itself.
func TestAccessLostAndGivenAgain(t *testing.T) {
	p := newPortal(t, amocrm.Options{})
	p.file("a.mp3", short)
	s := newStage(t, p)
	s.topUp(1000)
	c := s.connect()
	p.HoldRecordings(true) // so that the call is under way when access goes
	p.ring("a.mp3")
	s.until("the call", func(rows []store.Row) bool { return len(rows) == 1 && rows[0].State == engine.Waiting })
	p.RevokeAll()
	s.until("the connection to need its owner", func([]store.Row) bool {
		got, err := s.Hub.Connection(s.ctx, c.ID)
		return err == nil && got.State == "needs_owner" && got.Problem != ""
	})
	asked := len(p.Requests())
	time.Sleep(2500 * time.Millisecond) // two polls
	if more := len(p.Requests()) - asked; more > 0 {
		t.Errorf("%d requests without access", more)
	}
	p.HoldRecordings(false)
	if err := s.Engine.Start(s.ctx, s.settled(0)[0].ID, "anna"); err != nil { // a person is impatient
		t.Fatal(err)
	}
	s.until("the call to wait for its owner", func(rows []store.Row) bool { return rows[0].State == engine.NeedsOwner })
	if _, err := s.Hub.Reconnect(s.ctx, "anna", c.ID, credentials(p)); err != nil {
		t.Fatal(err)
	}
	s.until("the call", func(rows []store.Row) bool { return rows[0].State == engine.Done })
	if got := p.results(p.card); len(got) != 1 {
		t.Errorf("%d notes", len(got))
	}
	s.sound()
	p.clean()
}
