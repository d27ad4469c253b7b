package queue_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"flysense/engine"
	"flysense/engine/queue"
	"flysense/internal/db"
)

// steps is a scripted engine. A step may complete its job in a transaction.
type steps struct {
	mu    sync.Mutex
	queue *queue.Queue
	db    *db.DB
	log   []engine.Job
	gave  []engine.Job
	do    func(ctx context.Context, j engine.Job) error
	seen  chan engine.Job
}

func (s *steps) Do(ctx context.Context, j engine.Job) error {
	s.mu.Lock()
	s.log = append(s.log, j)
	do := s.do
	s.mu.Unlock()
	defer func() { s.seen <- j }()
	if do != nil {
		return do(ctx, j)
	}
	return s.complete(ctx)
}

func (s *steps) complete(ctx context.Context) error {
	return s.db.Tx(ctx, func(tx *sql.Tx) error { return s.queue.Complete(ctx, tx) })
}

func (s *steps) GiveUp(ctx context.Context, j engine.Job, _ error) error {
	s.mu.Lock()
	s.gave = append(s.gave, j)
	s.mu.Unlock()
	return s.complete(ctx)
}

func setup(t *testing.T) (*steps, func(...engine.Job)) {
	t.Helper()
	ctx := context.Background()
	d, err := db.Open(ctx, filepath.Join(t.TempDir(), "q.db"))
	if err != nil {
		t.Fatal(err)
	}
	q, err := queue.New(ctx, d, queue.Width{Net: 1, Speech: 1, LLM: 1}, time.Now, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s := &steps{queue: q, db: d, seen: make(chan engine.Job, 100)}
	q.Runner = s
	t.Cleanup(func() {
		_ = q.Stop(ctx)
		_ = d.Close()
	})
	return s, func(jobs ...engine.Job) {
		t.Helper()
		err := d.Tx(ctx, func(tx *sql.Tx) error {
			for _, j := range jobs {
				if err := q.Add(ctx, tx, j); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func (s *steps) wait(t *testing.T, n int) []string {
	t.Helper()
	var got []string
	for range n {
		select {
		case j := <-s.seen:
			got = append(got, j.CallID)
		case <-time.After(20 * time.Second):
			t.Fatalf("only %v ran", got)
		}
	}
	return got
}

func TestPriorityAndMovingForward(t *testing.T) {
	s, add := setup(t)
	for i, p := range []engine.Priority{engine.Archive, engine.Automatic, engine.Short} {
		add(engine.Job{Step: engine.StepTranscribe, CallID: fmt.Sprint("c", i), Priority: p})
	}
	// Asked by hand: the archive call moves to the front and is not doubled.
	add(engine.Job{Step: engine.StepTranscribe, CallID: "c0", Priority: engine.ByHand})
	if err := s.queue.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := s.wait(t, 3); !slices.Equal(got, []string{"c0", "c2", "c1"}) {
		t.Errorf("order %v", got)
	}
}

func TestWithdrawAndRollback(t *testing.T) {
	s, add := setup(t)
	ctx := context.Background()
	add(engine.Job{Step: engine.StepFetch, CallID: "gone"}, engine.Job{Step: engine.StepFetch, CallID: "stays"})
	boom := errors.New("boom")
	err := s.db.Tx(ctx, func(tx *sql.Tx) error {
		if err := s.queue.Add(ctx, tx, engine.Job{Step: engine.StepFetch, CallID: "never"}); err != nil {
			return err
		}
		return boom
	})
	if !errors.Is(err, boom) {
		t.Fatal(err)
	}
	if err := s.db.Tx(ctx, func(tx *sql.Tx) error { return s.queue.Withdraw(ctx, tx, "gone") }); err != nil {
		t.Fatal(err)
	}
	work, err := s.queue.Work(ctx)
	if err != nil || len(work) != 1 || work[0].CallID != "stays" || work[0].Lane != queue.Net {
		t.Fatalf("waiting %+v, %v", work, err)
	}
	if age := time.Since(work[0].Since); age < -time.Second || age > time.Minute {
		t.Errorf("waits since %v", work[0].Since)
	}
	if err := s.queue.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if got := s.wait(t, 1); got[0] != "stays" {
		t.Errorf("ran %v", got)
	}
}

// A job that says "later" runs again without losing an attempt; a plain error
// is tried five times and then given up.
func TestLater(t *testing.T) {
	s, add := setup(t)
	tries := 0
	s.do = func(ctx context.Context, _ engine.Job) error {
		if tries++; tries <= 7 {
			return engine.Later(errors.New("not yet"), time.Millisecond)
		}
		return s.complete(ctx)
	}
	add(engine.Job{Step: engine.StepFetch, CallID: "c"})
	if err := s.queue.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	s.wait(t, 8)
	if len(s.gave) != 0 {
		t.Error("given up")
	}
}

func TestGiveUpAfterTheLastAttempt(t *testing.T) {
	s, add := setup(t)
	ctx := context.Background()
	s.do = func(context.Context, engine.Job) error { return errors.New("broken") }
	add(engine.Job{Step: engine.StepFetch, CallID: "c"})
	if _, err := s.db.Queue.Exec(`UPDATE river_job SET attempt = 4`); err != nil { // four attempts lie behind it
		t.Fatal(err)
	}
	if err := s.queue.Start(ctx); err != nil {
		t.Fatal(err)
	}
	s.wait(t, 1)
	for range 200 {
		s.mu.Lock()
		n := len(s.gave)
		s.mu.Unlock()
		if n == 1 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("not given up")
}

// What a killed server left running is due again and has not lost an attempt.
func TestBootSweep(t *testing.T) {
	s, add := setup(t)
	add(engine.Job{Step: engine.StepTranscribe, CallID: "c"})
	if _, err := s.db.Queue.Exec(`UPDATE river_job SET state = 'running', attempt = 5, attempted_at = created_at`); err != nil {
		t.Fatal(err)
	}
	if err := s.queue.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	s.wait(t, 1)
	if len(s.gave) != 0 {
		t.Error("the server's death used the last attempt up")
	}
}

func TestInterruptAndOneJobPerCall(t *testing.T) {
	s, add := setup(t)
	begun := make(chan struct{})
	s.do = func(ctx context.Context, j engine.Job) error {
		if j.Step == engine.StepTranscribe {
			close(begun)
			<-ctx.Done()
			return ctx.Err()
		}
		return s.complete(ctx)
	}
	add(engine.Job{Step: engine.StepTranscribe, CallID: "c"})
	if err := s.queue.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	<-begun
	add(engine.Job{Step: engine.StepDeliver, CallID: "c"}) // another lane, but the same call
	select {
	case j := <-s.seen:
		t.Fatalf("%s ran beside transcribe", j.Step)
	case <-time.After(600 * time.Millisecond):
	}
	s.queue.Interrupt("c")
	if got := s.wait(t, 2); len(got) != 2 {
		t.Error(got)
	}
}

func TestPauseKeepsJobs(t *testing.T) {
	s, add := setup(t)
	ctx := context.Background()
	if err := s.queue.Start(ctx); err != nil {
		t.Fatal(err)
	}
	time.Sleep(300 * time.Millisecond) // lanes register themselves
	if err := s.queue.Pause(ctx); err != nil {
		t.Fatal(err)
	}
	if paused, err := s.queue.Paused(ctx); err != nil || !paused {
		t.Fatalf("paused %v, %v", paused, err)
	}
	time.Sleep(300 * time.Millisecond)
	add(engine.Job{Step: engine.StepTranscribe, CallID: "c"})
	select {
	case <-s.seen:
		t.Fatal("ran while paused")
	case <-time.After(500 * time.Millisecond):
	}
	if err := s.queue.Resume(ctx); err != nil {
		t.Fatal(err)
	}
	s.wait(t, 1)
}
