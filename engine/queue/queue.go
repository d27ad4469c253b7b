// Package queue lines up the engine's steps as River jobs in three lanes and
// runs them.
//
//	lane     steps                   width
//	net      detect, fetch, deliver  waits for other machines
//	speech   transcribe              states of the speech engine
//	llm      analyse                 requests the language model stands
//
// One job of a call runs at a time. What River lacks on SQLite is made up for
// here: the death of the server uses up no attempt (boot sweep), a running job
// can be interrupted (own registry), a waiting one moves forward.
package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"

	"flysense/engine"
	"flysense/internal/db"
)

// The lanes.
const (
	Net    = "net"
	Speech = "speech"
	LLM    = "llm"
)

// Lanes lists them in the order of a call's way.
var Lanes = []string{Net, Speech, LLM}

const (
	maxAttempts = 5
	// jobTimeout is only the last net: every step has deadlines of its own. It
	// must be finite, because River rescues by age whatever still runs.
	jobTimeout  = 24 * time.Hour
	rescueAfter = 25 * time.Hour
	// pollInterval is the delay a job added in a transaction may have.
	pollInterval = 50 * time.Millisecond
	// busyCall is how long a job waits while another one of its call runs.
	busyCall = 300 * time.Millisecond
	// fullPause is how long a job waits for room on the disk.
	fullPause = time.Minute
	// giveUpPause is the wait after an end that could not be written.
	giveUpPause = time.Minute
	keepResults = 30 * 24 * time.Hour
)

// Runner is the engine as the queue sees it.
type Runner interface {
	Do(ctx context.Context, j engine.Job) error
	GiveUp(ctx context.Context, j engine.Job, err error) error
}

// Width is how many jobs run at a time in each lane.
type Width struct{ Net, Speech, LLM int }

// Queue implements engine.Jobs. Set Runner before Run.
type Queue struct {
	Runner Runner

	db     *db.DB
	client *river.Client[*sql.Tx]
	log    *slog.Logger
	now    func() time.Time

	mu      sync.Mutex
	running map[string]context.CancelFunc // by call
	working map[int64]bool                // by job
	lost    map[int64]bool                // by job, see Reclaim
	closing bool
}

// New prepares the queue's tables and its client; nothing runs yet.
func New(ctx context.Context, d *db.DB, width Width, now func() time.Time, log *slog.Logger) (*Queue, error) {
	driver := riversqlite.New(d.Queue)
	migrator, err := rivermigrate.New(driver, &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, fmt.Errorf("queue tables: %w", err)
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return nil, fmt.Errorf("queue tables: %w", err)
	}
	if _, err := d.Queue.ExecContext(ctx, `CREATE INDEX IF NOT EXISTS river_job_call ON river_job (`+callOf+`) WHERE finalized_at IS NULL`); err != nil {
		return nil, fmt.Errorf("queue tables: %w", err)
	}
	q := &Queue{db: d, log: log, now: now, running: map[string]context.CancelFunc{}, working: map[int64]bool{}}
	workers := river.NewWorkers()
	if err := river.AddWorkerSafely(workers, &worker{queue: q}); err != nil {
		return nil, fmt.Errorf("queue: %w", err)
	}
	q.client, err = river.NewClient(driver, &river.Config{
		Queues: map[string]river.QueueConfig{
			Net:    {MaxWorkers: width.Net},
			Speech: {MaxWorkers: width.Speech},
			LLM:    {MaxWorkers: width.LLM},
		},
		Workers:                     workers,
		FetchPollInterval:           pollInterval,
		FetchCooldown:               pollInterval,
		JobTimeout:                  jobTimeout,
		RescueStuckJobsAfter:        rescueAfter,
		MaxAttempts:                 maxAttempts,
		RetryPolicy:                 policy{now},
		CompletedJobRetentionPeriod: keepResults,
		CancelledJobRetentionPeriod: keepResults,
		DiscardedJobRetentionPeriod: keepResults,
		Logger:                      slog.New(quiet{log.Handler()}),
	})
	if err != nil {
		return nil, fmt.Errorf("queue: %w", err)
	}
	return q, nil
}

// Start gives jobs that a dead server left behind back their turn and attempt,
// and begins to work. With one process on the file nothing can be running yet.
func (q *Queue) Start(ctx context.Context) error {
	_, err := q.db.Queue.ExecContext(ctx, `
		UPDATE river_job
		   SET state = 'available', attempt = max(attempt - 1, 0)
		 WHERE state = 'running'`)
	if err != nil {
		return fmt.Errorf("boot sweep: %w", err)
	}
	if err := q.client.Start(ctx); err != nil {
		return fmt.Errorf("start the queue: %w", err)
	}
	return nil
}

// Stop interrupts what runs and waits for it; interrupted jobs keep their
// attempt and run again at the next start.
func (q *Queue) Stop(ctx context.Context) error {
	q.mu.Lock()
	q.closing = true
	q.mu.Unlock()
	if err := q.client.StopAndCancel(ctx); err != nil {
		return fmt.Errorf("stop the queue: %w", err)
	}
	return nil
}

// args are what a job carries. River keeps them as JSON.
type args struct {
	Step       engine.Step `json:"step"`
	Call       string      `json:"call,omitempty"`
	Connection string      `json:"connection,omitempty"`
	From       int64       `json:"from,omitempty"` // Unix ms
	To         int64       `json:"to,omitempty"`
	Run        int         `json:"run,omitempty"`
	AudioOnly  bool        `json:"audio_only,omitempty"`
}

// Kind is River's name of the job type.
func (args) Kind() string { return "step" }

func (a args) job() engine.Job {
	return engine.Job{
		Step: a.Step, CallID: a.Call, ConnectionID: a.Connection,
		From: db.Time(a.From), To: db.Time(a.To), Run: a.Run, AudioOnly: a.AudioOnly,
	}
}

func laneOf(s engine.Step) string {
	switch s {
	case engine.StepTranscribe:
		return Speech
	case engine.StepAnalyse:
		return LLM
	}
	return Net
}

const (
	callOf       = `json_extract(CAST(args AS TEXT), '$.call')`
	connectionOf = `json_extract(CAST(args AS TEXT), '$.connection')`
	stepOf       = `json_extract(CAST(args AS TEXT), '$.step')`
	waiting      = `state IN ('available', 'scheduled', 'retryable', 'pending')`
)

// Add lines a job up in tx. One that waits already moves forward instead.
func (q *Queue) Add(ctx context.Context, tx *sql.Tx, j engine.Job) error {
	a := args{
		Step: j.Step, Call: j.CallID, Connection: j.ConnectionID,
		From: db.Millis(j.From), To: db.Millis(j.To), Run: j.Run, AudioOnly: j.AudioOnly,
	}
	owner, id := callOf, j.CallID
	if j.Step == engine.StepDetect {
		owner, id = connectionOf, j.ConnectionID
	}
	// created_at is in the past and in River's own format: due now.
	//nolint:gosec // the parts put together are the constants above
	moved, err := tx.ExecContext(ctx, `
		UPDATE river_job
		   SET state = 'available', scheduled_at = created_at, priority = min(priority, ?)
		 WHERE finalized_at IS NULL AND `+waiting+`
		   AND `+owner+` = ? AND `+stepOf+` = ?
		   AND coalesce(json_extract(CAST(args AS TEXT), '$.from'), 0) = ?
		   AND coalesce(json_extract(CAST(args AS TEXT), '$.to'), 0) = ?
		   AND coalesce(json_extract(CAST(args AS TEXT), '$.run'), 0) = ?
		   AND coalesce(json_extract(CAST(args AS TEXT), '$.audio_only'), 0) = ?`,
		priority(j), id, string(j.Step), a.From, a.To, a.Run, a.AudioOnly)
	if err != nil {
		return fmt.Errorf("move job forward: %w", err)
	}
	if n, err := moved.RowsAffected(); err != nil || n > 0 {
		return err
	}
	if _, err := q.client.InsertTx(ctx, tx, a, &river.InsertOpts{Queue: laneOf(j.Step), Priority: priority(j)}); err != nil {
		return fmt.Errorf("add job: %w", err)
	}
	return nil
}

func priority(j engine.Job) int {
	if j.Priority == 0 {
		return int(engine.Automatic)
	}
	return int(j.Priority)
}

// Withdraw takes the waiting jobs of a call back in tx.
func (q *Queue) Withdraw(ctx context.Context, tx *sql.Tx, callID string) error {
	_, err := tx.ExecContext(ctx, `
		UPDATE river_job
		   SET state = 'cancelled', finalized_at = created_at
		 WHERE finalized_at IS NULL AND `+waiting+` AND `+callOf+` = ?`, callID)
	if err != nil {
		return fmt.Errorf("withdraw jobs: %w", err)
	}
	return nil
}

// Interrupt cancels the call's running job.
func (q *Queue) Interrupt(callID string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if cancel := q.running[callID]; cancel != nil {
		cancel()
	}
}

type jobKey struct{}

// Complete ends the job ctx belongs to in tx.
func (q *Queue) Complete(ctx context.Context, tx *sql.Tx) error {
	job, ok := ctx.Value(jobKey{}).(*river.Job[args])
	if !ok {
		return nil
	}
	if _, err := river.JobCompleteTx[*riversqlite.Driver](ctx, tx, job); err != nil {
		return fmt.Errorf("complete job: %w", err)
	}
	return nil
}

type worker struct {
	river.WorkerDefaults[args]
	queue *Queue
}

// Work runs one job and translates the engine's answer into River's words.
func (w *worker) Work(ctx context.Context, job *river.Job[args]) error {
	q := w.queue
	j := job.Args.job()
	j.Priority = engine.Priority(job.Priority)
	ctx, cancel := context.WithCancel(context.WithValue(ctx, jobKey{}, job))
	defer cancel()
	q.begin(job.ID)
	defer q.end(job.ID)
	if j.CallID != "" {
		if !q.enter(j.CallID, cancel) {
			return river.JobSnooze(busyCall)
		}
		defer q.leave(j.CallID)
	}
	err := w.guard(j, func() error { return q.Runner.Do(ctx, j) })
	if err == nil {
		return nil
	}
	if wait, ok := engine.LaterWait(err); ok {
		return river.JobSnooze(wait)
	}
	q.mu.Lock()
	closing := q.closing
	q.mu.Unlock()
	switch {
	case closing:
		return river.JobSnooze(0)
	case errors.Is(ctx.Err(), context.Canceled):
		// A person interrupted the call and said what becomes of it. It may be
		// started anew by now, so the step itself looks whether it has work left.
		return river.JobSnooze(0)
	case full(err):
		q.log.Error("no room on the disk, will try again", "call", j.CallID, "job", job.ID, "step", j.Step, "wait", fullPause, "err", err)
		return river.JobSnooze(fullPause)
	case errors.As(err, new(*panicked)): // another attempt would meet it too
	case job.Attempt < job.MaxAttempts:
		q.log.Warn("step failed, will try again", "call", j.CallID, "job", job.ID, "step", j.Step, "attempt", job.Attempt, "err", err)
		return err
	}
	if err := w.guard(j, func() error { return q.Runner.GiveUp(ctx, j, err) }); err != nil {
		q.log.Error("could not give up", "call", j.CallID, "job", job.ID, "err", err)
		return river.JobSnooze(giveUpPause) // until the store takes it
	}
	return nil
}

// panicked says that an invariant of our own is broken.
type panicked struct{ with any }

func (p *panicked) Error() string { return fmt.Sprintf("panic: %v", p.with) }

// guard lets a broken invariant park this job and no other.
func (w *worker) guard(j engine.Job, do func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &panicked{r}
			w.queue.log.Error("step panicked", "call", j.CallID, "step", j.Step, "panic", r, "stack", string(debug.Stack()))
		}
	}()
	return do()
}

// full reports whether err means that the disk has no room, be it said by the
// database, the system, or a worker process, of whose error only the text is left.
func full(err error) bool {
	return db.Full(err) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) ||
		strings.Contains(err.Error(), syscall.ENOSPC.Error())
}

func (q *Queue) enter(callID string, cancel context.CancelFunc) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.running[callID] != nil {
		return false
	}
	q.running[callID] = cancel
	return true
}

func (q *Queue) leave(callID string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.running, callID)
}

// policy spaces retries out: five attempts span an evening, so that a portal
// or a phone system that is down for hours costs nothing.
type policy struct{ now func() time.Time }

var pauses = []time.Duration{5 * time.Second, 30 * time.Second, 5 * time.Minute, 30 * time.Minute, 3 * time.Hour}

func (p policy) NextRetry(job *rivertype.JobRow) time.Time {
	i := min(max(job.Attempt-1, 0), len(pauses)-1)
	return p.now().Add(pauses[i])
}

// quiet keeps River's chatter about its own maintenance out of the log.
type quiet struct{ slog.Handler }

func (h quiet) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelError && h.Handler.Enabled(ctx, l)
}
