package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"flysense/engine"
	"flysense/internal/db"
)

// turnJSON is how a turn is stored. The names are those of released data and
// stay when a field of engine.Turn is renamed.
type turnJSON struct {
	Speaker engine.Speaker `json:"speaker"`
	Channel int            `json:"channel"`
	Start   time.Duration  `json:"start_ns"`
	End     time.Duration  `json:"end_ns"`
	Text    string         `json:"text"`
	Words   []engine.Word  `json:"words,omitempty"`
}

// Transcript returns the text of a call.
func (s *Store) Transcript(ctx context.Context, callID string) (engine.Transcript, error) {
	t := engine.Transcript{CallID: callID}
	var turns string
	var made int64
	if err := s.db.Reader.QueryRowContext(ctx, `
		SELECT model, language, turns, made_at
		FROM transcript
		WHERE call_id = ?`, callID).Scan(&t.Model, &t.Language, &turns, &made); err != nil {
		return engine.Transcript{}, wrap("read the transcript", err)
	}
	var stored []turnJSON
	if err := json.Unmarshal([]byte(turns), &stored); err != nil {
		return engine.Transcript{}, fmt.Errorf("read the transcript: %w", err)
	}
	t.Turns = make([]engine.Turn, len(stored))
	for i, turn := range stored {
		t.Turns[i] = engine.Turn(turn)
	}
	t.MadeAt = db.Time(made)
	return t, nil
}

// SaveTranscript keeps the text of a call in place of an earlier one and makes
// it searchable.
func (s *Store) SaveTranscript(ctx context.Context, tx *sql.Tx, t engine.Transcript) error {
	stored := make([]turnJSON, len(t.Turns))
	var said strings.Builder
	for i, turn := range t.Turns {
		stored[i] = turnJSON(turn)
		said.WriteString(turn.Text)
		said.WriteByte(' ')
	}
	turns, err := json.Marshal(stored)
	if err != nil {
		return fmt.Errorf("save the transcript: %w", err)
	}
	if _, err := tx.ExecContext(ctx, `
		INSERT INTO transcript (call_id, model, language, turns, made_at)
		VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (call_id) DO UPDATE SET
			model = excluded.model,
			language = excluded.language,
			turns = excluded.turns,
			made_at = excluded.made_at`,
		t.CallID, t.Model, t.Language, string(turns), db.Millis(t.MadeAt)); err != nil {
		return fmt.Errorf("save the transcript: %w", err)
	}
	result, err := tx.ExecContext(ctx, `
		UPDATE call_text
		SET transcript = ?
		WHERE rowid = (SELECT number FROM call WHERE id = ?)`, stems(said.String()), t.CallID)
	return one("make the transcript searchable", result, err)
}
