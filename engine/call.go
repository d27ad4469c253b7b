package engine

import (
	"strings"
	"time"
)

// Direction says who dialled.
type Direction string

// The directions of a call.
const (
	Incoming Direction = "in"
	Outgoing Direction = "out"
)

// State is where a call stands; doc.go draws the ways between states.
type State string

// The states of a call. Done, Failed, Quarantined and Cancelled are terminal:
// no hold stays open in them, and only a person starts the call again.
const (
	Found       State = "found"       // known, nobody asked to recognise it yet
	Waiting     State = "waiting"     // the telephony has not saved the recording yet
	Queued      State = "queued"      // the job of Step waits for its turn
	Running     State = "running"     // the job of Step is at work
	NoFunds     State = "no_funds"    // the wallet cannot hold the price
	NeedsOwner  State = "needs_owner" // a person must act; Problem says how
	Done        State = "done"
	Failed      State = "failed"
	Quarantined State = "quarantined" // workers died on it again and again
	Cancelled   State = "cancelled"
)

// Terminal reports whether nothing more happens to the call by itself and no
// hold may be open for it.
func (s State) Terminal() bool {
	switch s {
	case Done, Failed, Quarantined, Cancelled:
		return true
	}
	return false
}

// Step is one stage of a call's way.
type Step string

// The five steps.
const (
	StepDetect     Step = "detect"
	StepFetch      Step = "fetch"
	StepTranscribe Step = "transcribe"
	StepAnalyse    Step = "analyse"
	StepDeliver    Step = "deliver"
)

// Priority orders the jobs of a lane; the smallest goes first.
type Priority int

// Priorities, from the person who waits to the archive nobody waits for.
const (
	ByHand    Priority = 1
	Short     Priority = 2 // automatic, reported shorter than a minute
	Automatic Priority = 3
	Archive   Priority = 4
)

const shortCall = time.Minute

// Call is one conversation. The same conversation may be logged in several
// cards of a portal: each such record is a [Note] of the one Call.
type Call struct {
	ID           string // ULID
	ConnectionID string
	Key          string // identity of the recording within the connection, see Found.Key; "" while it has no link
	Direction    Direction
	Phone        string // the client's number as the portal has it
	Agent        string // display name of the responsible user, may be empty
	Title        string // what a person calls it: the card's name, or the phone
	StartedAt    time.Time
	Reported     time.Duration // length said by the telephony; may be wrong or zero
	Link         string        // where the recording lies; "" while it is late

	State    State
	Step     Step     // the step that runs, waits or failed
	Priority Priority // of its jobs
	Problem  string   // what happened and what to do, in the words of the screen (Russian)
	Remark   string   // what is worth knowing about a good result ("recording is cut short…", Russian)
	Actor    string   // who caused the present state: a login, or "appliance"
	Run      int      // counts starts after a terminal state; money of each run has its own key
	Crashes  int      // deaths of workers on it without a finished window in between
	Revision int      // rises with every analysis and edit; a note that shows an older one is written again

	CreatedAt time.Time
	UpdatedAt time.Time
}

// Note is a record of the call in one card of the portal.
type Note struct {
	ConnectionID string
	OutsideID    string // unique within the connection, in the connector's own form
	CallID       string
	CardKind     string // lead, contact, company: the connector's word
	CardID       string
	CardTitle    string
	CardURL      string // for a person to open

	ResultID string // the note with our result; "" before it is written
	Revision int    // revision of the call that ResultID shows
	Tried    bool   // a write was begun whose answer we may have lost
}

// Sighting is what a connector reports of one call record of its portal.
type Sighting struct {
	OutsideID string
	Uniq      string // the telephony's own id of the call; may be empty, is not unique
	Direction Direction
	Phone     string
	Agent     string
	StartedAt time.Time
	Reported  time.Duration
	Link      string // "" while the telephony has not saved the recording
	CardKind  string
	CardID    string
	CardTitle string
	CardURL   string
}

// Key identifies the recording among the records of one connection: the same
// call logged in a lead and in a contact carries the same telephony id, length
// and link (contracts/amocrm.md 2.14, rule 5). Without all three there is no
// proof that two records are one call, so the record stands for itself.
func (s Sighting) Key() string {
	switch {
	case s.Link == "":
		return ""
	case s.Uniq == "":
		return "note|" + s.OutsideID
	}
	return strings.Join([]string{"uniq", s.Uniq, s.Reported.String(), s.Link}, "|")
}

// Settings are what the engine must know of a connection.
type Settings struct {
	Name      string
	Automatic bool // recognise new calls without being asked
	// AgentChannel is the channel the agent speaks on, by direction: many
	// telephonies record "who was called" on a fixed side.
	AgentChannel map[Direction]int
	Language     string // ISO 639-1, as the speech engine takes it
}
