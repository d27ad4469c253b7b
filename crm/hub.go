package crm

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"

	"flysense/crm/rest"
	"flysense/engine"
	"flysense/internal/db"
)

//go:embed migration/sqlite/*.sql
var migrations embed.FS

// appliance is the actor of changes nobody asked for.
const appliance = "appliance"

// Options of a [Hub].
type Options struct {
	DB         *db.DB
	Connectors []Connector
	KeyFile    string           // master key, made at first start; outside the data folder
	Poll       time.Duration    // how often a connection is asked for new calls, 0 for 60 s
	Now        func() time.Time // nil is the system's clock
	Sleep      rest.Sleep       // how a request waits for another one that renews the tokens; nil is real waiting
	Log        *slog.Logger

	// Restored is told of a connection whose access a person has renewed, so
	// that its waiting calls may go on. May be nil.
	Restored func(ctx context.Context, connectionID string)
}

// Hub keeps all connections and hands the engine's wishes to their connectors.
type Hub struct {
	options    Options
	db         *db.DB
	bun        *bun.DB
	seal       *seal
	connectors map[string]Connector
}

var (
	_ engine.Finder = (*Hub)(nil)
	_ engine.Source = (*Hub)(nil)
	_ engine.Sink   = (*Hub)(nil)
)

// Open brings the tables up to date and opens the master key.
func Open(ctx context.Context, o Options) (*Hub, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Sleep == nil {
		o.Sleep = rest.Wait
	}
	if o.Poll <= 0 {
		o.Poll = time.Minute
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	files, err := fs.Sub(migrations, "migration/sqlite")
	if err != nil {
		return nil, err
	}
	if err := o.DB.Migrate(ctx, "crm", files); err != nil {
		return nil, err
	}
	h := &Hub{
		options:    o,
		db:         o.DB,
		bun:        bun.NewDB(o.DB.Reader, sqlitedialect.New()),
		connectors: map[string]Connector{},
	}
	if h.seal, err = openSeal(o.KeyFile); err != nil {
		return nil, err
	}
	for _, c := range o.Connectors {
		h.connectors[c.Vendor()] = c
	}
	return h, nil
}

// List returns all connections, oldest first.
func (h *Hub) List(ctx context.Context) ([]Connection, error) {
	var rows []row
	if err := h.bun.NewSelect().Conn(h.db.Reader).Model(&rows).Order("created_at", "id").Scan(ctx); err != nil {
		return nil, fmt.Errorf("list connections: %w", err)
	}
	list := make([]Connection, 0, len(rows))
	for _, r := range rows {
		c, err := r.connection()
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	return list, nil
}

// Due returns the active connections that were not asked for calls within the
// poll interval.
func (h *Hub) Due(ctx context.Context) ([]Connection, error) {
	all, err := h.List(ctx)
	if err != nil {
		return nil, err
	}
	now := h.options.Now()
	var due []Connection
	for _, c := range all {
		if c.State == Active && !now.Before(c.PausedUntil) && now.Sub(c.PolledAt) >= h.options.Poll {
			due = append(due, c)
		}
	}
	return due, nil
}

// Connection returns one connection, engine.ErrNotFound if there is none.
func (h *Hub) Connection(ctx context.Context, id string) (Connection, error) {
	r, err := h.load(ctx, id)
	if err != nil {
		return Connection{}, err
	}
	return r.connection()
}

// Settings is [engine.Finder].
func (h *Hub) Settings(ctx context.Context, connectionID string) (engine.Settings, error) {
	c, err := h.Connection(ctx, connectionID)
	if err != nil {
		return engine.Settings{}, err
	}
	return engine.Settings{Name: c.Name, Automatic: c.Automatic, AgentChannel: c.AgentChannel, Language: c.Language}, nil
}

// Find is [engine.Finder]. A success clears the connection's problem.
func (h *Hub) Find(ctx context.Context, connectionID, mark string) (found []engine.Sighting, next string, err error) {
	err = h.use(ctx, connectionID, func(c Connector, a Access) error {
		finder, ok := c.(Finder)
		if !ok {
			return fmt.Errorf("%s finds no calls", c.Vendor())
		}
		found, next, err = finder.Find(ctx, a, mark)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	return found, next, h.polled(ctx, connectionID)
}

// Archive is [engine.Finder].
func (h *Hub) Archive(ctx context.Context, connectionID string, from, to time.Time) ([]engine.Sighting, error) {
	return h.archive(ctx, connectionID, Span{From: from, To: to})
}

func (h *Hub) archive(ctx context.Context, connectionID string, s Span) (found []engine.Sighting, err error) {
	err = h.use(ctx, connectionID, func(c Connector, a Access) error {
		finder, ok := c.(Finder)
		if !ok {
			return fmt.Errorf("%s finds no calls", c.Vendor())
		}
		found, err = finder.Archive(ctx, a, s)
		return err
	})
	return found, err
}

// Open is [engine.Source].
func (h *Hub) Open(ctx context.Context, call engine.Call) (recording io.ReadCloser, err error) {
	err = h.use(ctx, call.ConnectionID, func(c Connector, a Access) error {
		source, ok := c.(Source)
		if !ok {
			return fmt.Errorf("%s has no recordings", c.Vendor())
		}
		recording, err = source.Open(ctx, a, call)
		return err
	})
	return recording, err
}

// WriteNote is [engine.Sink].
func (h *Hub) WriteNote(ctx context.Context, n engine.Note, text string) (id string, err error) {
	err = h.sink(ctx, n, func(s Sink, a Access) error {
		id, err = s.WriteNote(ctx, a, n, text)
		return err
	})
	return id, err
}

// UpdateNote is [engine.Sink].
func (h *Hub) UpdateNote(ctx context.Context, n engine.Note, text string) error {
	return h.sink(ctx, n, func(s Sink, a Access) error { return s.UpdateNote(ctx, a, n, text) })
}

// FindNote is [engine.Sink].
func (h *Hub) FindNote(ctx context.Context, n engine.Note, marker string) (id string, err error) {
	err = h.sink(ctx, n, func(s Sink, a Access) error {
		id, err = s.FindNote(ctx, a, n, marker)
		return err
	})
	return id, err
}

func (h *Hub) sink(ctx context.Context, n engine.Note, fn func(Sink, Access) error) error {
	return h.use(ctx, n.ConnectionID, func(c Connector, a Access) error {
		s, ok := c.(Sink)
		if !ok {
			return fmt.Errorf("%s takes no notes", c.Vendor())
		}
		return fn(s, a)
	})
}

// use lets fn work with a connection that may be used, and remembers when the
// portal refuses the connection as a whole.
func (h *Hub) use(ctx context.Context, id string, fn func(Connector, Access) error) error {
	c, connector, err := h.open(ctx, id)
	if err != nil {
		return err
	}
	switch c.State {
	case Off:
		return engine.NeedsOwnerError(errors.New("the connection is off"), "Подключение «"+c.Name+"» выключено. Включите его в разделе «Подключения» и повторите.")
	case NeedsOwner:
		return engine.NeedsOwnerError(errors.New("the connection has no access"), c.Problem)
	}
	if wait := c.PausedUntil.Sub(h.options.Now()); wait > 0 {
		return engine.Later(errors.New("the connection is paused"), wait)
	}
	return h.refused(ctx, c, fn(connector, Access{Connection: c, Keys: keys{h, id}}))
}

func (h *Hub) open(ctx context.Context, id string) (Connection, Connector, error) {
	c, err := h.Connection(ctx, id)
	if errors.Is(err, engine.ErrNotFound) {
		return c, nil, engine.Never(err, "Подключение к порталу удалено. Подключите портал снова, чтобы работать с его звонками.")
	} else if err != nil {
		return c, nil, err
	}
	connector, ok := h.connectors[c.Vendor]
	if !ok {
		return c, nil, fmt.Errorf("no connector for %q", c.Vendor)
	}
	return c, connector, nil
}

// refused remembers an *AccessError on the connection and turns it into the
// engine's kind; other errors pass.
func (h *Hub) refused(ctx context.Context, c Connection, err error) error {
	var access *AccessError
	if !errors.As(err, &access) {
		return err
	}
	// The refusal counts even if whoever met it has no time left.
	ctx = context.WithoutCancel(ctx)
	_, saved := h.change(ctx, appliance, c.ID, func(r *row) (string, string, error) {
		if r.Grants != c.grants || r.State != Active {
			return "", "", nil // a person was faster
		}
		r.Problem = access.Hint
		if access.Wait > 0 {
			r.PausedUntil = db.Millis(h.options.Now().Add(access.Wait))
			return "paused", access.Err.Error(), nil
		}
		r.State, r.PausedUntil = NeedsOwner, 0
		return "access_lost", access.Err.Error(), nil
	})
	if saved != nil {
		h.options.Log.Error("remember a refusal", "connection", c.ID, "err", saved)
	}
	if access.Wait > 0 {
		return engine.Later(err, access.Wait)
	}
	return engine.NeedsOwnerError(err, access.Hint)
}

// polled notes a successful search. It is no event: it happens every minute.
func (h *Hub) polled(ctx context.Context, id string) error {
	resumed := false
	now := h.options.Now()
	err := h.db.Tx(ctx, func(tx *sql.Tx) error {
		r, err := h.one(ctx, tx, id)
		if errors.Is(err, engine.ErrNotFound) {
			return nil
		} else if err != nil {
			return err
		}
		r.PolledAt = db.Millis(now)
		if r.State == Active && r.Problem != "" {
			r.Problem, r.PausedUntil, resumed = "", 0, true
		}
		if _, err := h.bun.NewUpdate().Conn(tx).Model(&r).Column("polled_at", "problem", "paused_until").WherePK().Exec(ctx); err != nil {
			return fmt.Errorf("save connection: %w", err)
		}
		if resumed {
			return h.note(ctx, tx, id, Event{At: now, Actor: appliance, What: "resumed"})
		}
		return nil
	})
	return err
}

func newID(now time.Time) string {
	return ulid.MustNew(ulid.Timestamp(now), ulid.DefaultEntropy()).String()
}
