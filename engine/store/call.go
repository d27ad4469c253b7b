package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"flysense/engine"
	"flysense/internal/db"
)

// callRow is a row of call; the field order is that of engine.Call.
type callRow struct {
	bun.BaseModel `bun:"table:call"`

	Number       int64  `bun:"number,pk,autoincrement"`
	ID           string `bun:"id"`
	ConnectionID string `bun:"connection_id"`
	Key          string `bun:"key"`
	Direction    string `bun:"direction"`
	Phone        string `bun:"phone"`
	Agent        string `bun:"agent"`
	Title        string `bun:"title"`
	StartedAt    int64  `bun:"started_at"`
	Reported     int64  `bun:"reported_ns"`
	Link         string `bun:"link"`
	State        string `bun:"state"`
	Step         string `bun:"step"`
	Priority     int    `bun:"priority"`
	Problem      string `bun:"problem"`
	Remark       string `bun:"remark"`
	Actor        string `bun:"actor"`
	Run          int    `bun:"run"`
	Crashes      int    `bun:"crashes"`
	Revision     int    `bun:"revision"`
	CreatedAt    int64  `bun:"created_at"`
	UpdatedAt    int64  `bun:"updated_at"`
}

func rowOf(c engine.Call) callRow {
	return callRow{
		ID:           c.ID,
		ConnectionID: c.ConnectionID,
		Key:          plain(c.Key),
		Direction:    string(c.Direction),
		Phone:        plain(c.Phone),
		Agent:        plain(c.Agent),
		Title:        plain(c.Title),
		StartedAt:    db.Millis(c.StartedAt),
		Reported:     int64(c.Reported),
		Link:         plain(c.Link),
		State:        string(c.State),
		Step:         string(c.Step),
		Priority:     int(c.Priority),
		Problem:      plain(c.Problem),
		Remark:       plain(c.Remark),
		Actor:        plain(c.Actor),
		Run:          c.Run,
		Crashes:      c.Crashes,
		Revision:     c.Revision,
		CreatedAt:    db.Millis(c.CreatedAt),
		UpdatedAt:    db.Millis(c.UpdatedAt),
	}
}

func (r callRow) call() engine.Call {
	return engine.Call{
		ID:           r.ID,
		ConnectionID: r.ConnectionID,
		Key:          r.Key,
		Direction:    engine.Direction(r.Direction),
		Phone:        r.Phone,
		Agent:        r.Agent,
		Title:        r.Title,
		StartedAt:    db.Time(r.StartedAt),
		Reported:     time.Duration(r.Reported),
		Link:         r.Link,
		State:        engine.State(r.State),
		Step:         engine.Step(r.Step),
		Priority:     engine.Priority(r.Priority),
		Problem:      r.Problem,
		Remark:       r.Remark,
		Actor:        r.Actor,
		Run:          r.Run,
		Crashes:      r.Crashes,
		Revision:     r.Revision,
		CreatedAt:    db.Time(r.CreatedAt),
		UpdatedAt:    db.Time(r.UpdatedAt),
	}
}

// Call returns a call as the last commit left it.
func (s *Store) Call(ctx context.Context, id string) (engine.Call, error) {
	row, err := s.callWhere(ctx, s.db.Reader, "id = ?", id)
	return row.call(), wrap("read the call", err)
}

// CallTx returns a call as the transaction sees it.
func (s *Store) CallTx(ctx context.Context, tx *sql.Tx, id string) (engine.Call, error) {
	row, err := s.callWhere(ctx, tx, "id = ?", id)
	return row.call(), wrap("read the call", err)
}

// CallByKey returns the call of a recording. The empty key belongs to nobody.
func (s *Store) CallByKey(ctx context.Context, tx *sql.Tx, connectionID, key string) (engine.Call, error) {
	if key == "" {
		return engine.Call{}, wrap("find the call by its key", sql.ErrNoRows)
	}
	row, err := s.callWhere(ctx, tx, "connection_id = ? AND key = ?", connectionID, key)
	return row.call(), wrap("find the call by its key", err)
}

func (s *Store) callWhere(ctx context.Context, on bun.IConn, where string, args ...string) (callRow, error) {
	var row callRow
	foreign := make([]any, len(args))
	for i, arg := range args {
		foreign[i] = plain(arg)
	}
	err := s.bun.NewSelect().Conn(on).Model(&row).Where(where, foreign...).Scan(ctx)
	return row, err
}

// AddCall adds a call and the first line of its history. A zero CreatedAt
// becomes now.
func (s *Store) AddCall(ctx context.Context, tx *sql.Tx, c engine.Call) error {
	now := s.now()
	if c.CreatedAt.IsZero() {
		c.CreatedAt = now
	}
	c.UpdatedAt = now
	row := rowOf(c)
	if _, err := s.bun.NewInsert().Conn(tx).Model(&row).Returning("number").Exec(ctx); err != nil {
		return fmt.Errorf("add the call: %w", err)
	}
	if _, err := tx.ExecContext(ctx, `
		INSERT INTO call_text (rowid, title, phone, agent, transcript, summary)
		VALUES (?, ?, ?, ?, '', '')`, row.Number, stems(c.Title), phoneStems(c.Phone), stems(c.Agent)); err != nil {
		return fmt.Errorf("make the call searchable: %w", err)
	}
	return s.addHistory(ctx, tx, row)
}

// SaveCall writes everything of a call but its identity (ID, ConnectionID,
// CreatedAt), sets UpdatedAt, and adds to the history when State, Step or
// Problem changed.
func (s *Store) SaveCall(ctx context.Context, tx *sql.Tx, c engine.Call) error {
	old, err := s.callWhere(ctx, tx, "id = ?", c.ID)
	if err != nil {
		return wrap("save the call", err)
	}
	c.UpdatedAt = s.now()
	row := rowOf(c)
	row.Number = old.Number
	if _, err := s.bun.NewUpdate().Conn(tx).Model(&row).
		ExcludeColumn("number", "id", "connection_id", "created_at").
		WherePK().
		Exec(ctx); err != nil {
		return fmt.Errorf("save the call: %w", err)
	}
	if row.Title != old.Title || row.Phone != old.Phone || row.Agent != old.Agent {
		if _, err := tx.ExecContext(ctx, `
			UPDATE call_text
			SET title = ?, phone = ?, agent = ?
			WHERE rowid = ?`, stems(c.Title), phoneStems(c.Phone), stems(c.Agent), row.Number); err != nil {
			return fmt.Errorf("make the call searchable: %w", err)
		}
	}
	if row.State == old.State && row.Step == old.Step && row.Problem == old.Problem {
		return nil
	}
	return s.addHistory(ctx, tx, row)
}

// DeleteCall removes a call from all tables. Of its notes nothing stays but the
// portal's own number, by which the call is recognised and left alone when the
// portal reports it again. The audio file is removed by [Audio.Remove].
func (s *Store) DeleteCall(ctx context.Context, tx *sql.Tx, id string) error {
	if _, err := tx.ExecContext(ctx, `
		DELETE FROM call_text
		WHERE rowid = (SELECT number FROM call WHERE id = ?)`, id); err != nil {
		return fmt.Errorf("delete the call: %w", err)
	}
	if _, err := tx.ExecContext(ctx, `
		UPDATE note
		SET card_kind = '', card_id = '', card_title = '', card_url = '', result_id = '', revision = 0, tried = 0
		WHERE call_id = ?`, id); err != nil {
		return fmt.Errorf("delete the call: %w", err)
	}
	result, err := tx.ExecContext(ctx, `DELETE FROM call WHERE id = ?`, id) // the rest goes by cascade
	return one("delete the call", result, err)
}

// Event is a line of a call's history.
type Event struct {
	At      time.Time
	Actor   string // a login, or "appliance"
	State   engine.State
	Step    engine.Step
	Problem string
}

func (s *Store) addHistory(ctx context.Context, tx *sql.Tx, r callRow) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO call_history (call_id, at, actor, state, step, problem)
		VALUES (?, ?, ?, ?, ?, ?)`, r.ID, r.UpdatedAt, r.Actor, r.State, r.Step, r.Problem)
	return wrap("write the history", err)
}

// historyShown is how many changes of one call are read, the newest ones: a
// call that waits for a late recording changes its step again and again.
const historyShown = 500

// History returns what happened to a call, oldest first.
func (s *Store) History(ctx context.Context, callID string) ([]Event, error) {
	rows, err := s.db.Reader.QueryContext(ctx, `
		SELECT at, actor, state, step, problem
		FROM (SELECT * FROM call_history WHERE call_id = ? ORDER BY id DESC LIMIT ?)
		ORDER BY id`, callID, historyShown)
	return collect("read the history", rows, err, func(e *Event) error {
		var at int64
		err := rows.Scan(&at, &e.Actor, &e.State, &e.Step, &e.Problem)
		e.At = db.Time(at)
		return err
	})
}

// collect reads all rows, scanning each with scan.
func collect[T any](act string, rows *sql.Rows, err error, scan func(*T) error) ([]T, error) {
	if err != nil {
		return nil, wrap(act, err)
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		var v T
		if err := scan(&v); err != nil {
			return nil, wrap(act, err)
		}
		all = append(all, v)
	}
	return all, wrap(act, rows.Err())
}

// CallsIn returns the calls in any of the states, the longest waiting first,
// at most limit.
func (s *Store) CallsIn(ctx context.Context, limit int64, states ...engine.State) ([]engine.Call, error) {
	var rows []callRow
	err := s.bun.NewSelect().Conn(s.db.Reader).Model(&rows).
		Where("state IN (?)", bun.List(states)).
		Order("updated_at", "id").
		Limit(limit).
		Scan(ctx)
	if err != nil {
		return nil, wrap("read calls by state", err)
	}
	calls := make([]engine.Call, len(rows))
	for i, r := range rows {
		calls[i] = r.call()
	}
	return calls, nil
}

// boot is how many calls the check at start looks at in one go: more than an
// archive of a year of a busy company.
const boot = 1_000_000

// Unfinished returns the calls that should have a job: queued and running ones.
func (s *Store) Unfinished(ctx context.Context) ([]engine.Call, error) {
	return s.CallsIn(ctx, boot, engine.Queued, engine.Running)
}
