package queue

import (
	"context"
	"fmt"
	"time"

	"github.com/riverqueue/river"

	"flysense/engine"
)

// Waiting is a job in a lane as the operator's page shows it.
type Waiting struct {
	Lane     string
	Step     engine.Step
	CallID   string // "" for a detect job
	Priority engine.Priority
	Running  bool
	Since    time.Time // when it was lined up, or began to run
}

// viewLimit bounds what a page asks of the queue; beyond it only counts matter.
const viewLimit = 10000

// Work lists the jobs that run or are due, in the order they will be taken.
// Detect jobs are left out: they are the appliance's own clockwork.
func (q *Queue) Work(ctx context.Context) ([]Waiting, error) {
	rows, err := q.db.Reader.QueryContext(ctx, `
		SELECT queue, `+stepOf+`, coalesce(`+callOf+`, ''), priority, state = 'running',
		       CAST(round((julianday(coalesce(CASE state WHEN 'running' THEN attempted_at END, created_at)) - 2440587.5) * 86400000) AS INTEGER)
		  FROM river_job
		 WHERE finalized_at IS NULL AND state IN ('available', 'retryable', 'running', 'scheduled') AND `+stepOf+` <> 'detect'
		 ORDER BY state = 'running' DESC, priority, scheduled_at, id
		 LIMIT ?`, viewLimit)
	if err != nil {
		return nil, fmt.Errorf("read the queue: %w", err)
	}
	defer rows.Close() //nolint:errcheck // read only
	var out []Waiting
	for rows.Next() {
		var (
			w     Waiting
			since int64
		)
		if err := rows.Scan(&w.Lane, &w.Step, &w.CallID, &w.Priority, &w.Running, &since); err != nil {
			return nil, fmt.Errorf("read the queue: %w", err)
		}
		w.Since = time.UnixMilli(since).UTC()
		out = append(out, w)
	}
	return out, rows.Err()
}

// Pending names the calls that have a job, whether it waits or runs.
func (q *Queue) Pending(ctx context.Context) (map[string]bool, error) {
	rows, err := q.db.Reader.QueryContext(ctx, `SELECT DISTINCT `+callOf+` FROM river_job WHERE finalized_at IS NULL AND `+callOf+` IS NOT NULL`)
	if err != nil {
		return nil, fmt.Errorf("read the queue: %w", err)
	}
	defer rows.Close() //nolint:errcheck // read only
	calls := map[string]bool{}
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("read the queue: %w", err)
		}
		calls[id] = true
	}
	return calls, rows.Err()
}

// Pause stops taking new jobs of the speech and language lanes; what runs
// ends. It stays paused over a restart.
func (q *Queue) Pause(ctx context.Context) error { return q.each(ctx, q.client.QueuePause) }

// Resume undoes Pause.
func (q *Queue) Resume(ctx context.Context) error { return q.each(ctx, q.client.QueueResume) }

func (q *Queue) each(ctx context.Context, do func(context.Context, string, *river.QueuePauseOpts) error) error {
	for _, lane := range []string{Speech, LLM} {
		if err := do(ctx, lane, nil); err != nil {
			return fmt.Errorf("lane %s: %w", lane, err)
		}
	}
	return nil
}

// Paused reports whether the speech lane stands still.
func (q *Queue) Paused(ctx context.Context) (bool, error) {
	row := q.db.Reader.QueryRowContext(ctx, `SELECT count(*) FROM river_queue WHERE name = ? AND paused_at IS NOT NULL`, Speech)
	var n int
	if err := row.Scan(&n); err != nil {
		return false, fmt.Errorf("read the queue: %w", err)
	}
	return n > 0, nil
}
