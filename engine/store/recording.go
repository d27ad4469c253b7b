package store

import (
	"context"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"flysense/engine"
	"flysense/internal/db"
)

type recordingRow struct {
	bun.BaseModel `bun:"table:recording"`

	CallID    string `bun:"call_id,pk"`
	Bytes     int64  `bun:"bytes"`
	SHA256    string `bun:"sha256"`
	Format    string `bun:"format"`
	Rate      int    `bun:"rate"`
	Channels  int    `bun:"channels"`
	Length    int64  `bun:"length_ns"`
	Truncated bool   `bun:"truncated"`
	Misnamed  bool   `bun:"misnamed"`
	Peaks     []byte `bun:"peaks"`
	FetchedAt int64  `bun:"fetched_at"`
	KeptUntil int64  `bun:"kept_until"`
	Gone      bool   `bun:"gone"`
}

type windowRow struct {
	bun.BaseModel `bun:"table:call_window"`

	CallID   string         `bun:"call_id,pk"`
	Index    int            `bun:"idx,pk"`
	Channel  int            `bun:"channel"`
	Start    int64          `bun:"start_ns"`
	End      int64          `bun:"end_ns"`
	Segments sql.NullString `bun:"segments"`
}

func (r windowRow) window() engine.Window {
	return engine.Window{Index: r.Index, Channel: r.Channel, Start: time.Duration(r.Start), End: time.Duration(r.End)}
}

// Recording returns what is known of a call's audio.
func (s *Store) Recording(ctx context.Context, callID string) (engine.Recording, error) {
	var r recordingRow
	if err := s.bun.NewSelect().Conn(s.db.Reader).Model(&r).Where("call_id = ?", plain(callID)).Scan(ctx); err != nil {
		return engine.Recording{}, wrap("read the recording", err)
	}
	peaks, err := unpackPeaks(r.Peaks)
	if err != nil {
		return engine.Recording{}, fmt.Errorf("read the recording: %w", err)
	}
	return engine.Recording{
		CallID:    r.CallID,
		Bytes:     r.Bytes,
		SHA256:    r.SHA256,
		Format:    r.Format,
		Rate:      r.Rate,
		Channels:  r.Channels,
		Length:    time.Duration(r.Length),
		Truncated: r.Truncated,
		Misnamed:  r.Misnamed,
		Peaks:     peaks,
		FetchedAt: db.Time(r.FetchedAt),
		KeptUntil: db.Time(r.KeptUntil),
		Gone:      r.Gone,
	}, nil
}

func rowOfRecording(r engine.Recording) recordingRow {
	return recordingRow{
		CallID:    r.CallID,
		Bytes:     r.Bytes,
		SHA256:    r.SHA256,
		Format:    plain(r.Format),
		Rate:      r.Rate,
		Channels:  r.Channels,
		Length:    int64(r.Length),
		Truncated: r.Truncated,
		Misnamed:  r.Misnamed,
		Peaks:     packPeaks(r.Peaks),
		FetchedAt: db.Millis(r.FetchedAt),
		KeptUntil: db.Millis(r.KeptUntil),
		Gone:      r.Gone,
	}
}

// windowBatch is how many windows go into one statement.
const windowBatch = 500

// SaveRecording keeps the facts and the windows of a recording and forgets the
// windows, and what was heard in them, of an earlier one.
func (s *Store) SaveRecording(ctx context.Context, tx *sql.Tx, r engine.Recording, windows []engine.Window) error {
	row := rowOfRecording(r)
	if _, err := tx.ExecContext(ctx, `DELETE FROM recording WHERE call_id = ?`, r.CallID); err != nil {
		return fmt.Errorf("forget the earlier recording: %w", err)
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM call_window WHERE call_id = ?`, r.CallID); err != nil {
		return fmt.Errorf("forget the earlier windows: %w", err)
	}
	if _, err := s.bun.NewInsert().Conn(tx).Model(&row).Exec(ctx); err != nil {
		return fmt.Errorf("save the recording: %w", err)
	}
	rows := make([]windowRow, len(windows))
	for i, w := range windows {
		rows[i] = windowRow{CallID: r.CallID, Index: w.Index, Channel: w.Channel, Start: int64(w.Start), End: int64(w.End)}
	}
	for len(rows) > 0 {
		batch := rows[:min(windowBatch, len(rows))]
		rows = rows[len(batch):]
		if _, err := s.bun.NewInsert().Conn(tx).Model(&batch).Exec(ctx); err != nil {
			return fmt.Errorf("save the windows: %w", err)
		}
	}
	return nil
}

// KeepRecording keeps the facts of a file that was brought back; the windows
// and what was heard in them stay.
func (s *Store) KeepRecording(ctx context.Context, tx *sql.Tx, r engine.Recording) error {
	row := rowOfRecording(r)
	result, err := s.bun.NewUpdate().Conn(tx).Model(&row).WherePK().Exec(ctx)
	return one("keep the recording", result, err)
}

// Windows returns the windows of a call in their order.
func (s *Store) Windows(ctx context.Context, callID string) ([]engine.Window, error) {
	var rows []windowRow
	if err := s.bun.NewSelect().Conn(s.db.Reader).Model(&rows).
		ExcludeColumn("segments").
		Where("call_id = ?", plain(callID)).
		Order("idx").
		Scan(ctx); err != nil {
		return nil, wrap("read the windows", err)
	}
	windows := make([]engine.Window, len(rows))
	for i, r := range rows {
		windows[i] = r.window()
	}
	return windows, nil
}

// Heard returns the windows the speech engine has finished.
func (s *Store) Heard(ctx context.Context, callID string) ([]engine.Heard, error) {
	var rows []windowRow
	if err := s.bun.NewSelect().Conn(s.db.Reader).Model(&rows).
		Where("call_id = ? AND segments IS NOT NULL", plain(callID)).
		Order("idx").
		Scan(ctx); err != nil {
		return nil, wrap("read what was heard", err)
	}
	heard := make([]engine.Heard, len(rows))
	for i, r := range rows {
		heard[i].Window = r.window()
		if err := json.Unmarshal([]byte(r.Segments.String), &heard[i].Segments); err != nil {
			return nil, fmt.Errorf("read what was heard: %w", err)
		}
	}
	return heard, nil
}

// SaveHeard keeps the result of one window. It is ErrNotFound if the call has
// no such window any more, because its recording was fetched again meanwhile.
func (s *Store) SaveHeard(ctx context.Context, tx *sql.Tx, callID string, h engine.Heard) error {
	segments, err := json.Marshal(orEmpty(h.Segments))
	if err != nil {
		return fmt.Errorf("save what was heard: %w", err)
	}
	result, err := tx.ExecContext(ctx, `
		UPDATE call_window
		SET segments = ?
		WHERE call_id = ? AND idx = ? AND channel = ? AND start_ns = ? AND end_ns = ?`,
		string(segments), callID, h.Window.Index, h.Window.Channel, int64(h.Window.Start), int64(h.Window.End))
	return one("save what was heard", result, err)
}

// Progress is how much of a call has been heard.
type Progress struct {
	Done  int // windows
	Total int
}

// Progress returns the progress of those calls that have windows.
func (s *Store) Progress(ctx context.Context, callIDs []string) (map[string]Progress, error) {
	progress := make(map[string]Progress, len(callIDs))
	if len(callIDs) == 0 {
		return progress, nil
	}
	query := s.bun.NewSelect().Conn(s.db.Reader).
		Table("call_window").
		ColumnExpr("call_id, count(segments), count(*)").
		Where("call_id IN (?)", bun.List(callIDs)).
		Group("call_id")
	rows, err := query.Rows(ctx)
	if err != nil {
		return nil, wrap("read the progress", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		var p Progress
		if err := rows.Scan(&id, &p.Done, &p.Total); err != nil {
			return nil, wrap("read the progress", err)
		}
		progress[id] = p
	}
	return progress, wrap("read the progress", rows.Err())
}

// Expired returns calls whose audio has been kept long enough, the oldest
// first, at most limit. A call that still waits for its turn keeps its file.
func (s *Store) Expired(ctx context.Context, now time.Time, limit int) ([]string, error) {
	//nolint:sqlclosecheck // collect closes them
	rows, err := s.db.Reader.QueryContext(ctx, `
		SELECT r.call_id
		FROM recording r
		JOIN call c ON c.id = r.call_id
		WHERE r.gone = 0 AND r.kept_until > 0 AND r.kept_until <= ? AND c.state NOT IN ('queued', 'running')
		ORDER BY r.kept_until
		LIMIT ?`, db.Millis(now), limit)
	return collect("look for expired audio", rows, err, func(id *string) error { return rows.Scan(id) })
}

// SetGone notes that the audio file of a call has been deleted.
func (s *Store) SetGone(ctx context.Context, tx *sql.Tx, callID string) error {
	result, err := tx.ExecContext(ctx, `UPDATE recording SET gone = 1 WHERE call_id = ?`, callID)
	return one("note that the audio is gone", result, err)
}

func packPeaks(peaks [][]uint8) []byte {
	packed := []byte{}
	for _, channel := range peaks {
		packed = binary.AppendUvarint(packed, uint64(len(channel)))
		packed = append(packed, channel...)
	}
	return packed
}

func unpackPeaks(packed []byte) ([][]uint8, error) {
	var peaks [][]uint8
	for len(packed) > 0 {
		count, n := binary.Uvarint(packed)
		if n <= 0 || count > uint64(len(packed)-n) { //nolint:gosec // no more than all was read
			return nil, errors.New("the waveform is damaged")
		}
		packed = packed[n:]
		peaks = append(peaks, packed[:count:count])
		packed = packed[count:]
	}
	return peaks, nil
}

// orEmpty makes an empty list of nil, so that JSON has [] and never null.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
