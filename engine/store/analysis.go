package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"flysense/engine"
	"flysense/internal/db"
)

// saidJSON is how the analyst's own answer is stored beside what counts now.
type saidJSON struct {
	Summary  string           `json:"summary"`
	Tone     engine.Tone      `json:"tone"`
	Verdicts []engine.Verdict `json:"verdicts"`
	Tags     []string         `json:"tags"`
}

// Analysis returns what counts of a call's analysis: the newest edit of each
// field and of each classifier, and the analyst's answer elsewhere.
func (s *Store) Analysis(ctx context.Context, callID string) (engine.Analysis, error) {
	a := engine.Analysis{CallID: callID}
	var made int64
	if err := s.db.Reader.QueryRowContext(ctx, `
		SELECT made_by, summary, tone, verdicts, tags, charged, made_at
		FROM analysis
		WHERE call_id = ?`, callID).
		Scan(&a.By, &a.Summary, &a.Tone, jsonOf(&a.Verdicts), jsonOf(&a.Tags), &a.Charged, &made); err != nil {
		return engine.Analysis{}, wrap("read the analysis", err)
	}
	a.MadeAt = db.Time(made)
	return a, nil
}

// OriginalAnalysis returns the analyst's answer without people's edits.
func (s *Store) OriginalAnalysis(ctx context.Context, callID string) (engine.Analysis, error) {
	return originalAnalysis(ctx, s.db.Reader, callID)
}

// querier is a pool or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func originalAnalysis(ctx context.Context, on querier, callID string) (engine.Analysis, error) {
	a := engine.Analysis{CallID: callID}
	var said saidJSON
	var made int64
	if err := on.QueryRowContext(ctx, `
		SELECT made_by, said, charged, made_at
		FROM analysis
		WHERE call_id = ?`, callID).
		Scan(&a.By, jsonOf(&said), &a.Charged, &made); err != nil {
		return engine.Analysis{}, wrap("read the analyst's answer", err)
	}
	a.Summary, a.Tone, a.Verdicts, a.Tags = said.Summary, said.Tone, said.Verdicts, said.Tags
	a.MadeAt = db.Time(made)
	return a, nil
}

// SaveAnalysis keeps the analyst's answer in place of an earlier one. People's
// edits outlive it: they are corrections of what was said, not of an answer.
func (s *Store) SaveAnalysis(ctx context.Context, tx *sql.Tx, a engine.Analysis) error {
	edits, err := edits(ctx, tx, a.CallID)
	if err != nil {
		return err
	}
	said := jsonOf(&saidJSON{a.Summary, a.Tone, orEmpty(a.Verdicts), orEmpty(a.Tags)})
	counts := edited(a, edits)
	if _, err := tx.ExecContext(ctx, `
		INSERT INTO analysis (call_id, made_by, summary, tone, verdicts, tags, charged, made_at, said)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (call_id) DO UPDATE SET
			made_by = excluded.made_by,
			summary = excluded.summary,
			tone = excluded.tone,
			verdicts = excluded.verdicts,
			tags = excluded.tags,
			charged = excluded.charged,
			made_at = excluded.made_at,
			said = excluded.said`,
		a.CallID, a.By, counts.Summary, string(counts.Tone), jsonOf(&counts.Verdicts), jsonOf(&counts.Tags),
		a.Charged, db.Millis(a.MadeAt), said); err != nil {
		return fmt.Errorf("save the analysis: %w", err)
	}
	result, err := tx.ExecContext(ctx, `
		UPDATE call_text
		SET summary = ?
		WHERE rowid = (SELECT number FROM call WHERE id = ?)`, searchableSummary(counts), a.CallID)
	return one("make the summary searchable", result, err)
}

func searchableSummary(a engine.Analysis) string {
	return stems(a.Summary + " " + strings.Join(a.Tags, " "))
}

// SaveEdit adds a person's correction; there must be an analysis to correct.
// A zero At becomes now.
func (s *Store) SaveEdit(ctx context.Context, tx *sql.Tx, e engine.Edit) error {
	original, err := originalAnalysis(ctx, tx, e.CallID)
	if err != nil {
		return err
	}
	if e.At.IsZero() {
		e.At = s.now()
	}
	if _, _, ok := verdictEdit(e); e.Field == engine.FieldVerdict && !ok {
		return fmt.Errorf("save the edit: no such verdict: %q", e.Value)
	}
	if _, err := tx.ExecContext(ctx, `
		INSERT INTO edit (call_id, field, value, author, at)
		VALUES (?, ?, ?, ?, ?)`, e.CallID, string(e.Field), e.Value, e.Author, db.Millis(e.At)); err != nil {
		return fmt.Errorf("save the edit: %w", err)
	}
	return s.SaveAnalysis(ctx, tx, original) // applies all edits anew
}

// Edits returns people's corrections of a call, oldest first.
func (s *Store) Edits(ctx context.Context, callID string) ([]engine.Edit, error) {
	return edits(ctx, s.db.Reader, callID)
}

func edits(ctx context.Context, on querier, callID string) ([]engine.Edit, error) {
	rows, err := on.QueryContext(ctx, `
		SELECT call_id, field, value, author, at
		FROM edit
		WHERE call_id = ?
		ORDER BY id`, callID)
	return collect("read the edits", rows, err, func(e *engine.Edit) error {
		var at int64
		err := rows.Scan(&e.CallID, &e.Field, &e.Value, &e.Author, &at)
		e.At = db.Time(at)
		return err
	})
}

// edited applies edits, oldest first, so that the newest one of a field and of
// a classifier is what counts.
func edited(a engine.Analysis, edits []engine.Edit) engine.Analysis {
	a.Verdicts = slices.Clone(orEmpty(a.Verdicts))
	a.Tags = orEmpty(a.Tags)
	for _, e := range edits {
		switch e.Field {
		case engine.FieldSummary:
			a.Summary = e.Value
		case engine.FieldTone:
			a.Tone = engine.Tone(e.Value)
		case engine.FieldTags:
			a.Tags = lines(e.Value)
		case engine.FieldVerdict:
			kind, found, ok := verdictEdit(e)
			if !ok {
				continue
			}
			at := slices.IndexFunc(a.Verdicts, func(v engine.Verdict) bool { return v.Kind == kind })
			switch {
			case at < 0:
				a.Verdicts = append(a.Verdicts, engine.Verdict{Kind: kind, Found: found})
			case a.Verdicts[at].Found != found:
				// The person disagrees, so the words that proved it prove nothing.
				a.Verdicts[at] = engine.Verdict{Kind: kind, Found: found}
			}
		}
	}
	return a
}

// verdictEdit reads "kind=true" and "kind=false".
func verdictEdit(e engine.Edit) (kind engine.Kind, found, ok bool) {
	name, value, _ := strings.Cut(e.Value, "=")
	kind = engine.Kind(name)
	return kind, value == "true", slices.Contains(engine.Kinds, kind) && (value == "true" || value == "false")
}

// lines are the lines of text without empty ones and repetitions.
func lines(text string) []string {
	all := []string{}
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && !slices.Contains(all, line) {
			all = append(all, line)
		}
	}
	return all
}

// jsonColumn reads and writes a column that holds JSON; NULL leaves the value
// as it is.
type jsonColumn struct{ value any }

func jsonOf(pointer any) jsonColumn { return jsonColumn{pointer} }

// Scan implements [sql.Scanner].
func (c jsonColumn) Scan(from any) error {
	switch from := from.(type) {
	case nil:
		return nil
	case string:
		return json.Unmarshal([]byte(from), c.value)
	}
	return errors.New("a JSON column is no text")
}

// Value implements [driver.Valuer].
func (c jsonColumn) Value() (driver.Value, error) {
	text, err := json.Marshal(c.value)
	return string(text), err
}
