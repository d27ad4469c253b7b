// Package crmtest is the suite every connector runs against its vendor's
// emulator: nothing is lost, nothing is doubled, no token leaks.
package crmtest

import (
	"context"
	"testing"
	"time"

	"flysense/crm"
)

// Factory opens a fresh portal with one connection to it. Whatever waits in
// the connector must not take real time.
type Factory func(t *testing.T) *Bench

// Bench is a portal and the way the engine sees it.
type Bench struct {
	Hub        *crm.Hub
	Connection string
	Portal     Portal
	// Advance moves the clock that the portal, the Hub and the connector share.
	Advance func(d time.Duration)
	Now     func() time.Time
}

// Portal is the vendor's side, played by an emulator.
type Portal interface {
	// Kinds lists the kinds of cards that may hold calls, in the connector's words.
	Kinds() []string
	Card(kind, name string) (cardID string)
	// Call logs a call in a card and returns its outside id.
	Call(kind, cardID string, c Call) string
	// SetLink makes a late link appear.
	SetLink(outsideID, link string)
	// Touch changes a call record in some way that does not matter.
	Touch(outsideID string)
	// Record puts a recording on the telephony's host and returns its link.
	Record(r Recording) string
	// Notes lists the texts of the notes we wrote into a card.
	Notes(kind, cardID string) []string
	// Clutter puts a note of somebody else into a card.
	Clutter(kind, cardID, text string)
	// Fail lets the next times API requests go wrong, 0 for all until Heal. Of
	// CutAfterWork only writes of notes.
	Fail(f Fault, times int)
	Heal()
	// Requests counts the API requests so far.
	Requests() int
	// Complaints lists what a connector must never do: unknown requests, tokens
	// on a foreign host.
	Complaints() []string
}

// Call is a call record as a telephony writes it.
type Call struct {
	Outgoing bool
	At       time.Time // zero: now
	Duration time.Duration
	Phone    string
	Agent    string // who was on the phone
	Uniq     string // "" lets the portal make one up
	Link     string // "" is late
}

// Recording is a file and how its host behaves.
type Recording struct {
	Name     string
	Data     []byte
	Answer   string // "" the file; 403, 404, html, json, empty
	NotYet   int    // so many times 404 first
	Hops     int    // redirects on the same host
	Redirect string // to here instead
	Type     string // Content-Type, "" the right one
}

// Fault is a way for the portal to go wrong.
type Fault string

// The faults.
const (
	Unauthorized Fault = "401"
	Unpaid       Fault = "402"
	LockedOut    Fault = "403 page"
	TooMany      Fault = "429"
	Broken       Fault = "500"
	NoContent    Fault = "204" // whatever was asked; nothing is done
	Slow         Fault = "slow"
	Cut          Fault = "cut"
	CutAfterWork Fault = "cut after the work was done"
)

// Run runs the suite.
func Run(t *testing.T, open Factory) {
	for name, test := range map[string]func(*testing.T, *Bench){
		"calls are found in every kind of card": findsCalls,
		"a late link appears":                   lateLink,
		"one call in two cards has one key":     oneKey,
		"many calls":                            manyCalls,
		"the mark neither loses nor repeats":    markHolds,
		"a connection starts from now":          startsFromNow,
		"recordings":                            recordings,
		"forbidden recordings":                  forbiddenRecordings,
		"notes":                                 notes,
		"long notes":                            longNotes,
		"faults while searching":                searchFaults,
		"faults while writing":                  writeFaults,
		"a connection that is off is silent":    offIsSilent,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := open(t)
			test(t, b)
			for _, c := range b.Portal.Complaints() {
				t.Error(c)
			}
		})
	}
}

func ctx(t *testing.T) context.Context {
	c, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return c
}
