package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"flysense/engine"
	"flysense/internal/db"
)

// Limits of a page of calls.
const (
	DefaultLimit = 50
	MaxLimit     = 200
	maxAgents    = 500 // names offered as a filter
)

// ErrCursor says that a cursor is none of ours.
var ErrCursor = errors.New("not a cursor of this list")

// Filter chooses calls; a zero field does not restrict.
type Filter struct {
	Query      string // words of title, phone, agent, transcript, summary and tags
	State      engine.State
	Tone       engine.Tone
	Agent      string
	Connection string
	Tag        string
	From       time.Time // started at or after
	To         time.Time // started before
	Cursor     string    // Page.Next of the page before
	Limit      int       // DefaultLimit if 0, at most MaxLimit
}

// Row is a call in the list, with what counts of its analysis.
type Row struct {
	engine.Call
	Length   time.Duration   // decoded, or reported before that
	Analysis engine.Analysis // By is "" if there is none
	Progress Progress
}

// Page is a part of the list, the newest calls first, with figures of the
// whole of it.
type Page struct {
	Rows   []Row
	Next   string // cursor of the following page, "" on the last one
	Total  int
	Length time.Duration
	States map[engine.State]int // under the same filter, but for any State
	Agents []string             // of all calls
}

// rowColumns are what scanRow reads.
const rowColumns = `
	c.id, c.connection_id, c.key, c.direction, c.phone, c.agent, c.title, c.started_at, c.reported_ns, c.link,
	c.state, c.step, c.priority, c.problem, c.remark, c.actor, c.run, c.crashes, c.revision, c.created_at, c.updated_at,
	coalesce(r.length_ns, c.reported_ns),
	coalesce(a.made_by, ''), coalesce(a.summary, ''), coalesce(a.tone, ''), a.verdicts, a.tags, coalesce(a.charged, 0), coalesce(a.made_at, 0),
	(SELECT count(segments) FROM call_window w WHERE w.call_id = c.id),
	(SELECT count(*) FROM call_window w WHERE w.call_id = c.id)`

const rowTables = `
	FROM call c
	LEFT JOIN recording r ON r.call_id = c.id
	LEFT JOIN analysis a ON a.call_id = c.id`

func scanRow(scan func(...any) error) (Row, error) {
	var c callRow
	var row Row
	var made int64
	err := scan(
		&c.ID, &c.ConnectionID, &c.Key, &c.Direction, &c.Phone, &c.Agent, &c.Title, &c.StartedAt, &c.Reported, &c.Link,
		&c.State, &c.Step, &c.Priority, &c.Problem, &c.Remark, &c.Actor, &c.Run, &c.Crashes, &c.Revision, &c.CreatedAt, &c.UpdatedAt,
		&row.Length,
		&row.Analysis.By, &row.Analysis.Summary, &row.Analysis.Tone, jsonOf(&row.Analysis.Verdicts), jsonOf(&row.Analysis.Tags), &row.Analysis.Charged, &made,
		&row.Progress.Done, &row.Progress.Total,
	)
	row.Call = c.call()
	row.Analysis.CallID = c.ID
	row.Analysis.MadeAt = db.Time(made)
	return row, err
}

// Row returns one call as the list shows it.
func (s *Store) Row(ctx context.Context, id string) (Row, error) {
	row, err := scanRow(s.db.Reader.QueryRowContext(ctx, `SELECT `+rowColumns+rowTables+` WHERE c.id = ?`, id).Scan)
	return row, wrap("read the call", err)
}

// List returns a page of calls. All its figures are of one moment. A foreign
// cursor is ErrCursor.
func (s *Store) List(ctx context.Context, f Filter) (Page, error) {
	page := Page{States: map[engine.State]int{}}
	cursor, err := parseCursor(f.Cursor)
	if err != nil {
		return page, err
	}
	limit := f.Limit
	if limit <= 0 {
		limit = DefaultLimit
	}
	limit = min(limit, MaxLimit)

	tx, err := s.db.Reader.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return page, fmt.Errorf("list calls: %w", err)
	}
	defer func() { _ = tx.Rollback() }()

	all := f.conditions()
	if err := page.count(ctx, tx, all, f.State); err != nil {
		return page, err
	}
	if page.Agents, err = agents(ctx, tx); err != nil {
		return page, err
	}
	if f.State != "" {
		all.add("c.state = ?", string(f.State))
	}
	if f.Cursor != "" {
		all.add("(c.started_at, c.id) < (?, ?)", cursor.startedAt, cursor.id)
	}
	//nolint:gosec,sqlclosecheck // conditions are our own text, with what was typed in their arguments; collect closes the rows
	rows, err := tx.QueryContext(ctx, `
		SELECT `+rowColumns+rowTables+all.where()+`
		ORDER BY c.started_at DESC, c.id DESC
		LIMIT ?`, append(all.args, limit+1)...) // one more tells whether there is a next page
	page.Rows, err = collect("list calls", rows, err, func(r *Row) (err error) {
		*r, err = scanRow(rows.Scan)
		return err
	})
	if err != nil {
		return page, err
	}
	if len(page.Rows) > limit {
		page.Rows = page.Rows[:limit]
		page.Next = cursorOf(page.Rows[limit-1].Call)
	}
	return page, nil
}

// count fills in the figures of the whole list.
func (p *Page) count(ctx context.Context, tx *sql.Tx, all conditions, state engine.State) error {
	//nolint:gosec // as in List
	rows, err := tx.QueryContext(ctx, `
		SELECT c.state, count(*), sum(coalesce(r.length_ns, c.reported_ns))`+rowTables+all.where()+`
		GROUP BY c.state`, all.args...)
	if err != nil {
		return fmt.Errorf("count calls: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var of engine.State
		var count int
		var length time.Duration
		if err := rows.Scan(&of, &count, &length); err != nil {
			return fmt.Errorf("count calls: %w", err)
		}
		p.States[of] = count
		if state == "" || state == of {
			p.Total += count
			p.Length += length
		}
	}
	return wrap("count calls", rows.Err())
}

func agents(ctx context.Context, tx *sql.Tx) ([]string, error) {
	//nolint:sqlclosecheck // collect closes them
	rows, err := tx.QueryContext(ctx, `
		SELECT DISTINCT agent
		FROM call
		WHERE agent <> ''
		ORDER BY agent
		LIMIT ?`, maxAgents)
	return collect("list agents", rows, err, func(name *string) error { return rows.Scan(name) })
}

// conditions are the parts of a WHERE with their arguments.
type conditions struct {
	parts []string
	args  []any
}

func (c *conditions) add(part string, args ...any) {
	c.parts = append(c.parts, part)
	c.args = append(c.args, args...)
}

func (c *conditions) where() string {
	if len(c.parts) == 0 {
		return ""
	}
	return "\n\tWHERE " + strings.Join(c.parts, " AND ")
}

// conditions are those of the filter that count in every figure: all but the
// state and the cursor.
func (f Filter) conditions() conditions {
	var c conditions
	if strings.TrimSpace(f.Query) != "" {
		if m := match(f.Query); m == "" {
			c.add("0") // only punctuation was asked for: nothing has it
		} else {
			c.add("c.number IN (SELECT rowid FROM call_text WHERE call_text MATCH ?)", m)
		}
	}
	if f.Tone != "" {
		c.add("a.tone = ?", string(f.Tone))
	}
	if f.Agent != "" {
		c.add("c.agent = ?", f.Agent)
	}
	if f.Connection != "" {
		c.add("c.connection_id = ?", f.Connection)
	}
	if f.Tag != "" {
		c.add("EXISTS (SELECT 1 FROM json_each(a.tags) WHERE json_each.value = ?)", f.Tag)
	}
	if !f.From.IsZero() {
		c.add("c.started_at >= ?", db.Millis(f.From))
	}
	if !f.To.IsZero() {
		c.add("c.started_at < ?", db.Millis(f.To))
	}
	return c
}

// cursor is the last call of a page.
type cursor struct {
	startedAt int64
	id        string
}

func cursorOf(c engine.Call) string {
	return strconv.FormatInt(db.Millis(c.StartedAt), 10) + "_" + c.ID
}

func parseCursor(text string) (cursor, error) {
	if text == "" {
		return cursor{}, nil
	}
	at, id, ok := strings.Cut(text, "_")
	startedAt, err := strconv.ParseInt(at, 10, 64)
	if !ok || err != nil || id == "" {
		return cursor{}, ErrCursor
	}
	return cursor{startedAt, id}, nil
}

// CountByConnection returns how many calls each connection has brought.
func (s *Store) CountByConnection(ctx context.Context) (map[string]int, error) {
	rows, err := s.db.Reader.QueryContext(ctx, `
		SELECT connection_id, count(*)
		FROM call
		GROUP BY connection_id`)
	if err != nil {
		return nil, wrap("count calls by connection", err)
	}
	defer rows.Close()
	counts := map[string]int{}
	for rows.Next() {
		var id string
		var n int
		if err := rows.Scan(&id, &n); err != nil {
			return nil, wrap("count calls by connection", err)
		}
		counts[id] = n
	}
	return counts, wrap("count calls by connection", rows.Err())
}

// Brief is what a line of the queue or of the ledger says of a call.
type Brief struct {
	Title  string
	Length time.Duration // decoded, or reported before that
}

// briefBatch is how many calls one statement asks for.
const briefBatch = 1000

// Briefs returns those of the calls that exist.
func (s *Store) Briefs(ctx context.Context, callIDs []string) (map[string]Brief, error) {
	briefs := make(map[string]Brief, len(callIDs))
	for batch := range slices.Chunk(callIDs, briefBatch) {
		rows, err := s.bun.NewSelect().Conn(s.db.Reader).
			TableExpr("call AS c").
			Join("LEFT JOIN recording AS r ON r.call_id = c.id").
			ColumnExpr("c.id, c.title, coalesce(r.length_ns, c.reported_ns)").
			Where("c.id IN (?)", bun.List(batch)).
			Rows(ctx)
		if err != nil {
			return nil, wrap("read the calls' titles", err)
		}
		if err := scanBriefs(rows, briefs); err != nil {
			return nil, wrap("read the calls' titles", err)
		}
	}
	return briefs, nil
}

func scanBriefs(rows *sql.Rows, into map[string]Brief) error {
	defer rows.Close()
	for rows.Next() {
		var id string
		var b Brief
		if err := rows.Scan(&id, &b.Title, &b.Length); err != nil {
			return err
		}
		into[id] = b
	}
	return rows.Err()
}
