package crm

import (
	"time"

	"flysense/crm/rest"
	"flysense/engine"
)

// State is where a connection stands.
type State string

// The states of a connection.
const (
	Active     State = "active"
	NeedsOwner State = "needs_owner" // access is lost or not given yet; nothing is asked of the portal
	Off        State = "off"         // an admin switched it off; nothing is asked of the portal
)

// Connection is one authorised link to one portal. Its secrets stay in the
// database, sealed.
type Connection struct {
	ID          string // ULID
	Vendor      string // "amocrm"
	Name        string // what people call it
	Host        string // account host, with a port only in the demo
	AccountID   string // the vendor's number; "" until the access was proved once
	ClientID    string
	RedirectURI string // as the portal's form has it, character for character

	State       State
	Problem     string    // what is wrong and what to do (Russian); "" if nothing is
	PausedUntil time.Time // nothing is asked of the portal before; zero if it is not paused

	Automatic    bool
	Language     string
	AgentChannel map[engine.Direction]int // 0 or 1
	OnPremHosts  []rest.Allowed           // private addresses recordings may come from

	AccessUntil time.Time // end of a long-lived token; zero if tokens renew themselves
	StartedAt   time.Time // calls logged before are the archive
	CreatedAt   time.Time
	UpdatedAt   time.Time
	PolledAt    time.Time // last successful search for calls

	grants int64
}

// Event is one change of a connection, for the history an admin reads.
type Event struct {
	At     time.Time
	Actor  string
	What   string // created, changed, switched_on, switched_off, access_given, access_lost, paused, resumed, tokens_renewed, deleted
	Detail string
}

// Credentials are what a person copies out of the portal. In a reconnection an
// empty field keeps what is stored.
type Credentials struct {
	ClientID     string
	ClientSecret string
	RedirectURI  string
	Code         string // authorisation code, lives minutes
	Token        string // long-lived token: the first choice, it never rotates
}

// Application is the wish for a new connection. Without code and token it
// waits for the consent page, see [Hub.AuthorizeURL].
type Application struct {
	Vendor       string
	Name         string // "" takes the account's name
	Host         string
	Credentials  Credentials
	Automatic    bool
	AgentChannel map[engine.Direction]int
	OnPremHosts  []rest.Allowed
}

// Change is what an admin changes; nil leaves a setting as it is.
type Change struct {
	Name         *string
	Automatic    *bool
	On           *bool // false switches off, true on again
	AgentChannel map[engine.Direction]int
	OnPremHosts  *[]rest.Allowed
}

// Invalid says which input a person has to correct, in the words of the screen.
type Invalid struct {
	Field   string // name, host, client_id, client_secret, redirect_uri, code, token, account, on_prem_hosts, agent_channel, span, state
	Message string // Russian
}

func (e *Invalid) Error() string { return "invalid " + e.Field }
