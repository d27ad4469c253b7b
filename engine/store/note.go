package store

import (
	"context"
	"database/sql"

	"github.com/uptrace/bun"

	"flysense/engine"
)

type noteRow struct {
	bun.BaseModel `bun:"table:note"`

	ConnectionID string `bun:"connection_id,pk"`
	OutsideID    string `bun:"outside_id,pk"`
	CallID       string `bun:"call_id"`
	CardKind     string `bun:"card_kind"`
	CardID       string `bun:"card_id"`
	CardTitle    string `bun:"card_title"`
	CardURL      string `bun:"card_url"`
	ResultID     string `bun:"result_id"`
	Revision     int    `bun:"revision"`
	Tried        bool   `bun:"tried"`
}

func (r noteRow) note() engine.Note {
	return engine.Note{
		ConnectionID: r.ConnectionID,
		OutsideID:    r.OutsideID,
		CallID:       r.CallID,
		CardKind:     r.CardKind,
		CardID:       r.CardID,
		CardTitle:    r.CardTitle,
		CardURL:      r.CardURL,
		ResultID:     r.ResultID,
		Revision:     r.Revision,
		Tried:        r.Tried,
	}
}

// Notes returns the records of a call in the portal's cards.
func (s *Store) Notes(ctx context.Context, callID string) ([]engine.Note, error) {
	var rows []noteRow
	if err := s.bun.NewSelect().Conn(s.db.Reader).Model(&rows).
		Where("call_id = ?", plain(callID)).
		Order("connection_id", "outside_id").
		Scan(ctx); err != nil {
		return nil, wrap("read the notes", err)
	}
	notes := make([]engine.Note, len(rows))
	for i, r := range rows {
		notes[i] = r.note()
	}
	return notes, nil
}

// NoteTx returns the record a connector knows by outsideID.
func (s *Store) NoteTx(ctx context.Context, tx *sql.Tx, connectionID, outsideID string) (engine.Note, error) {
	var row noteRow
	err := s.bun.NewSelect().Conn(tx).Model(&row).
		Where("connection_id = ? AND outside_id = ?", plain(connectionID), plain(outsideID)).
		Scan(ctx)
	return row.note(), wrap("read the note", err)
}

// SaveNote adds or changes a record; it may move to another call.
func (s *Store) SaveNote(ctx context.Context, tx *sql.Tx, n engine.Note) error {
	row := noteRow{
		ConnectionID: n.ConnectionID,
		OutsideID:    plain(n.OutsideID),
		CallID:       n.CallID,
		CardKind:     plain(n.CardKind),
		CardID:       plain(n.CardID),
		CardTitle:    plain(n.CardTitle),
		CardURL:      plain(n.CardURL),
		ResultID:     plain(n.ResultID),
		Revision:     n.Revision,
		Tried:        n.Tried,
	}
	_, err := s.bun.NewInsert().Conn(tx).Model(&row).
		On("CONFLICT (connection_id, outside_id) DO UPDATE").
		Set("call_id = EXCLUDED.call_id").
		Set("card_kind = EXCLUDED.card_kind").
		Set("card_id = EXCLUDED.card_id").
		Set("card_title = EXCLUDED.card_title").
		Set("card_url = EXCLUDED.card_url").
		Set("result_id = EXCLUDED.result_id").
		Set("revision = EXCLUDED.revision").
		Set("tried = EXCLUDED.tried").
		Exec(ctx)
	return wrap("save the note", err)
}
