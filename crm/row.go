package crm

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/uptrace/bun"

	"flysense/crm/rest"
	"flysense/engine"
	"flysense/internal/db"
)

// row is a connection as the table has it.
type row struct {
	bun.BaseModel `bun:"table:connection"`

	ID              string `bun:",pk"`
	Vendor          string
	Name            string
	Host            string
	AccountID       string
	ClientID        string
	RedirectURI     string
	State           State
	Problem         string
	PausedUntil     int64
	Automatic       bool
	Language        string
	ChannelIncoming int
	ChannelOutgoing int
	OnPremHosts     string
	KeyID           string
	Secret          []byte
	Tokens          []byte
	Grants          int64
	AccessUntil     int64
	RenewedAt       int64
	Lease           string
	LeaseUntil      int64
	StateHash       []byte `bun:",nullzero"`
	StateUntil      int64
	StateActor      string
	StartedAt       int64
	CreatedAt       int64
	UpdatedAt       int64
	PolledAt        int64
}

func (r row) connection() (Connection, error) {
	c := Connection{
		ID: r.ID, Vendor: r.Vendor, Name: r.Name, Host: r.Host, AccountID: r.AccountID,
		ClientID: r.ClientID, RedirectURI: r.RedirectURI,
		State: r.State, Problem: r.Problem, PausedUntil: db.Time(r.PausedUntil),
		Automatic: r.Automatic, Language: r.Language,
		AgentChannel: map[engine.Direction]int{engine.Incoming: r.ChannelIncoming, engine.Outgoing: r.ChannelOutgoing},
		AccessUntil:  db.Time(r.AccessUntil), StartedAt: db.Time(r.StartedAt),
		CreatedAt: db.Time(r.CreatedAt), UpdatedAt: db.Time(r.UpdatedAt), PolledAt: db.Time(r.PolledAt),
		grants: r.Grants,
	}
	if err := json.Unmarshal([]byte(r.OnPremHosts), &c.OnPremHosts); err != nil {
		return c, fmt.Errorf("read on-premise hosts: %w", err)
	}
	return c, nil
}

// setChannels takes the directions that are named and leaves the others.
func (r *row) setChannels(of map[engine.Direction]int) error {
	for direction, channel := range of {
		if channel != 0 && channel != 1 {
			return &Invalid{"agent_channel", "Канал сотрудника: 0 (левый) или 1 (правый)."}
		}
		switch direction {
		case engine.Incoming:
			r.ChannelIncoming = channel
		case engine.Outgoing:
			r.ChannelOutgoing = channel
		}
	}
	return nil
}

const maxOnPrem = 50 // entries of one connection

func (r *row) setOnPrem(hosts []rest.Allowed) error {
	if len(hosts) > maxOnPrem {
		return &Invalid{"on_prem_hosts", fmt.Sprintf("Не больше %d адресов.", maxOnPrem)}
	}
	for _, h := range hosts {
		if err := h.Check(); err != nil {
			return &Invalid{"on_prem_hosts", fmt.Sprintf("«%s» добавить нельзя. Укажите имя, адрес или подсеть вашей АТС, например 192.168.1.20 или 10.20.0.0/16.", h.Host)}
		}
	}
	if hosts == nil {
		hosts = []rest.Allowed{}
	}
	text, err := json.Marshal(hosts)
	if err != nil {
		return err
	}
	r.OnPremHosts = string(text)
	return nil
}

// secrets of a row, in the clear only in memory.

func (h *Hub) setSecret(r *row, secret string) {
	r.KeyID, r.Secret = h.seal.id, h.seal.close([]byte(secret), "connection.secret/"+r.ID)
}

func (h *Hub) setTokens(r *row, t Tokens) error {
	text, err := json.Marshal(t)
	if err != nil {
		return err
	}
	r.KeyID, r.Tokens = h.seal.id, h.seal.close(text, "connection.tokens/"+r.ID)
	r.AccessUntil = 0
	if t.LongLived() {
		r.AccessUntil = db.Millis(t.ExpiresAt)
	}
	r.RenewedAt = db.Millis(h.options.Now())
	return nil
}

func (h *Hub) secret(r row) (string, error) {
	plain, err := h.seal.open(r.Secret, r.KeyID, "connection.secret/"+r.ID)
	return string(plain), err
}

func (h *Hub) tokens(r row) (Tokens, error) {
	var t Tokens
	plain, err := h.seal.open(r.Tokens, r.KeyID, "connection.tokens/"+r.ID)
	if err != nil {
		return t, err
	}
	if err := json.Unmarshal(plain, &t); err != nil {
		return t, fmt.Errorf("read tokens: %w", err)
	}
	return t, nil
}

func (h *Hub) app(r row) (App, error) {
	secret, err := h.secret(r)
	return App{Host: r.Host, ClientID: r.ClientID, ClientSecret: secret, RedirectURI: r.RedirectURI}, err
}

// load reads a connection outside a transaction; engine.ErrNotFound if it is gone.
func (h *Hub) load(ctx context.Context, id string) (row, error) {
	return h.one(ctx, h.db.Reader, id)
}

func (h *Hub) one(ctx context.Context, on bun.IConn, id string) (row, error) {
	var r row
	err := h.bun.NewSelect().Conn(on).Model(&r).Where("id = ?", id).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return r, fmt.Errorf("connection: %w", engine.ErrNotFound)
	} else if err != nil {
		return r, fmt.Errorf("load connection: %w", err)
	}
	return r, nil
}

// change loads a row in a transaction, lets fn change it, and saves it with an
// event. An empty what from fn saves nothing.
func (h *Hub) change(ctx context.Context, actor, id string, fn func(r *row) (what, detail string, err error)) (Connection, error) {
	var changed row
	err := h.db.Tx(ctx, func(tx *sql.Tx) error {
		var err error
		if changed, err = h.one(ctx, tx, id); err != nil {
			return err
		}
		what, detail, err := fn(&changed)
		if err != nil || what == "" {
			return err
		}
		now := h.options.Now()
		changed.UpdatedAt = db.Millis(now)
		if _, err := h.bun.NewUpdate().Conn(tx).Model(&changed).WherePK().Exec(ctx); err != nil {
			return taken(fmt.Errorf("save connection: %w", err))
		}
		return h.note(ctx, tx, id, Event{At: now, Actor: actor, What: what, Detail: detail})
	})
	if err != nil {
		return Connection{}, err
	}
	return changed.connection()
}

// note writes the history.
func (h *Hub) note(ctx context.Context, tx *sql.Tx, id string, e Event) error {
	_, err := h.bun.NewRaw(
		`INSERT INTO connection_event (connection_id, at, actor, what, detail) VALUES (?, ?, ?, ?, ?)`,
		id, db.Millis(e.At), e.Actor, e.What, e.Detail,
	).Conn(tx).Exec(ctx)
	if err != nil {
		return fmt.Errorf("write history: %w", err)
	}
	return nil
}

const historyLimit = 200 // newest changes shown

// History lists the newest changes of a connection, newest first.
func (h *Hub) History(ctx context.Context, id string) ([]Event, error) {
	var rows []struct {
		At                  int64
		Actor, What, Detail string
	}
	err := h.bun.NewRaw(
		`SELECT at, actor, what, detail FROM connection_event WHERE connection_id = ? ORDER BY id DESC LIMIT ?`, id, historyLimit,
	).Conn(h.db.Reader).Scan(ctx, &rows)
	if err != nil {
		return nil, fmt.Errorf("read history: %w", err)
	}
	events := make([]Event, 0, len(rows))
	for _, r := range rows {
		events = append(events, Event{At: db.Time(r.At), Actor: r.Actor, What: r.What, Detail: r.Detail})
	}
	return events, nil
}
