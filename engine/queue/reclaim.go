package queue

import (
	"context"
	"fmt"
)

// Reclaim gives jobs their turn back that count as running though nobody works
// on them: River could not write down how they ended, because the disk was
// full. To be called now and then; only what is found so twice in a row is
// lost, for an end takes a moment to be written.
func (q *Queue) Reclaim(ctx context.Context) error {
	running, err := q.countedAsRunning(ctx)
	if err != nil {
		return err
	}
	q.mu.Lock()
	before := q.lost
	q.lost = map[int64]bool{}
	var again []int64
	for _, id := range running {
		switch {
		case q.working[id]:
		case before[id]:
			again = append(again, id)
		default:
			q.lost[id] = true
		}
	}
	q.mu.Unlock()
	for _, id := range again {
		q.log.Warn("a job had lost its end, it runs again", "job", id)
		_, err := q.db.Queue.ExecContext(ctx, `
			UPDATE river_job
			   SET state = 'available', attempt = max(attempt - 1, 0)
			 WHERE id = ? AND state = 'running'`, id)
		if err != nil {
			return fmt.Errorf("reclaim job: %w", err)
		}
	}
	return nil
}

func (q *Queue) countedAsRunning(ctx context.Context) ([]int64, error) {
	rows, err := q.db.Reader.QueryContext(ctx, `SELECT id FROM river_job WHERE state = 'running'`)
	if err != nil {
		return nil, fmt.Errorf("read the queue: %w", err)
	}
	defer rows.Close() //nolint:errcheck // read only
	var ids []int64
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("read the queue: %w", err)
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

func (q *Queue) begin(job int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.working[job] = true
}

func (q *Queue) end(job int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.working, job)
}
