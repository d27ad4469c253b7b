package crm

import (
	"context"
	"io"
	"log/slog"
	"net/url"
	"time"

	"flysense/engine"
)

// Connector talks to the portals of one vendor. What else it can do, the Hub
// asks by type assertion: [Authorizer], [Finder], [Source], [Sink], [Unblocker]. A
// connector returns *AccessError when the portal lets the whole connection do
// nothing; other errors follow the engine's kinds.
type Connector interface {
	// Vendor is the name connections carry.
	Vendor() string
	// Account asks whose portal the access opens.
	Account(ctx context.Context, a Access) (Account, error)
}

// Authorizer is a connector whose portals hand out tokens by OAuth.
type Authorizer interface {
	// Host turns what a person typed into an account host, or says with
	// *Invalid why secrets may not go there.
	Host(typed string) (string, error)
	// AuthorizeURL is the consent page.
	AuthorizeURL(app App, state string) string
	// Returned reads the redirect the consent page ended with.
	Returned(query url.Values) (host, code string, err error)
	// Redeem turns a code or a long-lived token into tokens. *Invalid if the
	// portal does not take it.
	Redeem(ctx context.Context, app App, c Credentials) (Tokens, error)
	// Refresh spends the refresh token. The old pair may be dead even if the
	// answer is lost.
	Refresh(ctx context.Context, app App, t Tokens) (Tokens, error)
}

// Finder is a connector that reads call records.
type Finder interface {
	// Find returns the records changed since mark, oldest first; an empty mark
	// means since the connection started. next is for the next time.
	Find(ctx context.Context, a Access, mark string) (found []engine.Sighting, next string, err error)
	Archive(ctx context.Context, a Access, s Span) ([]engine.Sighting, error)
}

// Span is a piece of the archive: calls logged from From until before To.
type Span struct {
	From, To time.Time
	Bare     bool // leave out the names of cards and people: only counting
}

// Source is a connector that hands over recordings, as [engine.Source] says.
type Source interface {
	Open(ctx context.Context, a Access, c engine.Call) (io.ReadCloser, error)
}

// Sink is a connector that writes notes, as [engine.Sink] says.
type Sink interface {
	WriteNote(ctx context.Context, a Access, n engine.Note, text string) (resultID string, err error)
	UpdateNote(ctx context.Context, a Access, n engine.Note, text string) error
	FindNote(ctx context.Context, a Access, n engine.Note, marker string) (resultID string, err error)
}

// Unblocker is a connector that stays silent for a while after a portal locked
// it out; a person may end the silence.
type Unblocker interface{ Unblock(host string) }

// Account is what a portal says about itself.
type Account struct {
	ID   string
	Name string
}

// App is the integration in a portal on whose behalf tokens are given.
type App struct {
	Host         string
	ClientID     string
	ClientSecret string
	RedirectURI  string
}

// Tokens open a portal.
type Tokens struct {
	Access    string    `json:"access"`
	Refresh   string    `json:"refresh,omitempty"` // "" of a long-lived token
	ExpiresAt time.Time `json:"expires_at"`        // of Access; zero if unknown
}

// Secrets never show in a log, however they got there.
const hidden = "[hidden]"

// String hides the secret.
func (Tokens) String() string { return hidden }

// LogValue hides the secret.
func (Tokens) LogValue() slog.Value { return slog.StringValue(hidden) }

// String hides the secret.
func (App) String() string { return hidden }

// LogValue hides the secret.
func (App) LogValue() slog.Value { return slog.StringValue(hidden) }

// String hides the secret.
func (Credentials) String() string { return hidden }

// LogValue hides the secret.
func (Credentials) LogValue() slog.Value { return slog.StringValue(hidden) }

// LongLived reports whether the token never renews itself.
func (t Tokens) LongLived() bool { return t.Refresh == "" }

// Access is a connection that may be used now.
type Access struct {
	Connection
	Keys Keys
}

// Keys give the access token of a connection.
type Keys interface {
	// Token returns a token that is not about to expire.
	Token(ctx context.Context) (string, error)
	// Renew replaces a token the portal refused, once for everybody who saw
	// the refusal. *AccessError if a person must act.
	Renew(ctx context.Context, refused string) (string, error)
}

// AccessError says that the portal lets a connection do nothing.
type AccessError struct {
	Err  error
	Hint string        // Russian: what happened, who acts, where, what to do
	Wait time.Duration // ask again after this; 0 is after a person reconnected
}

func (e *AccessError) Error() string { return e.Err.Error() }
func (e *AccessError) Unwrap() error { return e.Err }
