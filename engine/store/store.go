// Package store keeps calls, their recordings' facts, transcripts, analyses and
// edits in the appliance's database, and the audio files in a folder beside it.
//
//	call ─┬─ note            a record of the call in one card of the portal
//	      ├─ call_history    every change of state, with its actor
//	      ├─ recording ── call_window (what was heard of each)
//	      ├─ transcript
//	      ├─ analysis ── edit
//	      └─ call_text       stems for the search
//
// Everything below call goes with it when it is deleted; of a note its number stays.
package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"

	"flysense/engine"
	"flysense/internal/db"
)

//go:embed migration/sqlite/*.sql
var migrations embed.FS

// Store is the engine's Store on SQLite, plus the reads the admin pages need.
type Store struct {
	// Audio keeps the files of the recordings.
	Audio *Audio

	db  *db.DB
	bun *bun.DB
	now func() time.Time
}

var (
	_ engine.Store = (*Store)(nil)
	_ engine.Audio = (*Audio)(nil)
)

// New brings the tables up to date and opens the folder dir for audio files,
// which nobody else may write to.
func New(d *db.DB, dir string, now func() time.Time) (*Store, error) {
	files, err := fs.Sub(migrations, "migration/sqlite")
	if err != nil {
		return nil, err
	}
	if err := d.Migrate(context.Background(), "engine", files); err != nil {
		return nil, err
	}
	audio, err := openAudio(dir)
	if err != nil {
		return nil, err
	}
	return &Store{Audio: audio, db: d, bun: bun.NewDB(d.Reader, sqlitedialect.New()), now: now}, nil
}

// Close lets go of the audio folder; the database belongs to the caller.
func (s *Store) Close() error { return s.Audio.root.Close() }

// Tx runs fn in one immediate transaction and commits if it returns nil.
func (s *Store) Tx(ctx context.Context, fn func(tx *sql.Tx) error) error { return s.db.Tx(ctx, fn) }

// Mark returns how far the portal has been read, "" before the first time.
func (s *Store) Mark(ctx context.Context, connectionID string) (string, error) {
	var mark string
	err := s.db.Reader.QueryRowContext(ctx, `SELECT mark FROM poll_mark WHERE connection_id = ?`, connectionID).Scan(&mark)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return mark, wrap("read the mark", err)
}

// SaveMark remembers how far the portal has been read.
func (s *Store) SaveMark(ctx context.Context, tx *sql.Tx, connectionID, mark string) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO poll_mark (connection_id, mark) VALUES (?, ?)
		ON CONFLICT (connection_id) DO UPDATE SET mark = excluded.mark`, connectionID, mark)
	return wrap("save the mark", err)
}

// plain takes out of foreign text what SQL text cannot hold: NUL, at which the
// driver would end the statement, and bytes that are no UTF-8.
func plain(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "")
}

// wrap adds the act to err and turns "no row" into [engine.ErrNotFound].
func wrap(act string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("%s: %w", act, engine.ErrNotFound)
	}
	return fmt.Errorf("%s: %w", act, err)
}

// one turns "nothing was changed" into [engine.ErrNotFound].
func one(act string, result sql.Result, err error) error {
	if err != nil {
		return wrap(act, err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return fmt.Errorf("%s: %w", act, errors.Join(err, engine.ErrNotFound))
	}
	return nil
}
