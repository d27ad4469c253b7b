package queue_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/mattn/go-sqlite3"

	"flysense/engine"
)

func (s *steps) givenUp() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.gave)
}

// until waits for a signal that has no channel.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 1000 {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("waited in vain for: " + what)
}

// state is how River sees the only job of a call.
func (s *steps) state(t *testing.T, call string) (state string, attempt int) {
	t.Helper()
	err := s.db.Reader.QueryRow(`SELECT state, attempt FROM river_job WHERE json_extract(CAST(args AS TEXT), '$.call') = ?`, call).Scan(&state, &attempt)
	if err != nil {
		t.Fatal(err)
	}
	return state, attempt
}

// A broken invariant parks its job at once and lets the others go on, even if
// the end of the call breaks too.
func TestPanicParksTheJob(t *testing.T) {
	s, add := setup(t)
	s.do = func(ctx context.Context, j engine.Job) error {
		if j.CallID == "bad" {
			panic("7 of 6 windows")
		}
		return s.complete(ctx)
	}
	add(engine.Job{Step: engine.StepTranscribe, CallID: "bad"}, engine.Job{Step: engine.StepTranscribe, CallID: "good"})
	if err := s.queue.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	s.wait(t, 2)
	until(t, "the end of the call", func() bool { return s.givenUp() == 1 })
	if state, _ := s.state(t, "bad"); state != "completed" {
		until(t, "the end of the job", func() bool { state, _ := s.state(t, "bad"); return state == "completed" })
	}
}

// An interruption that comes late hits the job of the next start: that one must
// not be lost.
func TestLateInterruption(t *testing.T) {
	s, add := setup(t)
	begun := make(chan struct{}, 1)
	first := true
	s.do = func(ctx context.Context, _ engine.Job) error {
		if !first {
			return s.complete(ctx)
		}
		first = false
		begun <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	}
	add(engine.Job{Step: engine.StepTranscribe, CallID: "c"})
	if err := s.queue.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	<-begun
	s.queue.Interrupt("c")
	s.wait(t, 2)
}

// A full disk uses up no attempt, whoever says it.
func TestFullDisk(t *testing.T) {
	for name, full := range map[string]error{
		"database": fmt.Errorf("save: %w", sqlite3.Error{Code: sqlite3.ErrFull}),
		"file":     fmt.Errorf("save the audio: %w", syscall.ENOSPC),
		"worker":   errors.New("decode worker: write samples: " + syscall.ENOSPC.Error()),
	} {
		t.Run(name, func(t *testing.T) {
			s, add := setup(t)
			s.do = func(context.Context, engine.Job) error { return full }
			add(engine.Job{Step: engine.StepFetch, CallID: "c"})
			if _, err := s.db.Queue.Exec(`UPDATE river_job SET attempt = 4`); err != nil { // this is the last one
				t.Fatal(err)
			}
			if err := s.queue.Start(context.Background()); err != nil {
				t.Fatal(err)
			}
			s.wait(t, 1)
			until(t, "the job to wait", func() bool { state, _ := s.state(t, "c"); return state != "running" })
			if state, attempt := s.state(t, "c"); state != "scheduled" || attempt != 4 || s.givenUp() != 0 {
				t.Errorf("%s after %d attempts, given up %d times", state, attempt, s.givenUp())
			}
		})
	}
}

// A job whose end could not be written is taken up again.
func TestReclaim(t *testing.T) {
	s, _ := setup(t)
	ctx := context.Background()
	if err := s.queue.Start(ctx); err != nil {
		t.Fatal(err)
	}
	err := s.db.Tx(ctx, func(tx *sql.Tx) error {
		if err := s.queue.Add(ctx, tx, engine.Job{Step: engine.StepFetch, CallID: "c"}); err != nil {
			return err
		}
		_, err := tx.Exec(`UPDATE river_job SET state = 'running', attempt = 5, attempted_at = created_at`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if state, _ := s.state(t, "c"); state != "running" {
			t.Fatalf("it is %s", state)
		}
		if err := s.queue.Reclaim(ctx); err != nil {
			t.Fatal(err)
		}
	}
	s.wait(t, 1)
	if s.givenUp() != 0 {
		t.Error("given up")
	}
}

// A job at work is not lost, however often somebody looks.
func TestReclaimLeavesWorkAlone(t *testing.T) {
	s, add := setup(t)
	ctx := context.Background()
	begun, onward := make(chan struct{}), make(chan struct{})
	s.do = func(ctx context.Context, _ engine.Job) error {
		close(begun) // a second time would panic
		<-onward
		return s.complete(ctx)
	}
	add(engine.Job{Step: engine.StepFetch, CallID: "c"})
	if err := s.queue.Start(ctx); err != nil {
		t.Fatal(err)
	}
	<-begun
	for range 3 {
		if err := s.queue.Reclaim(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if state, _ := s.state(t, "c"); state != "running" {
		t.Errorf("it is %s", state)
	}
	close(onward)
	s.wait(t, 1)
}

// Jobs of another run and of another span of the archive are jobs of their own.
func TestJobsOfTheirOwn(t *testing.T) {
	s, add := setup(t)
	day := func(n int) time.Time { return time.Date(2026, 11, n, 0, 0, 0, 0, time.UTC) }
	add(
		engine.Job{Step: engine.StepTranscribe, CallID: "c"},
		engine.Job{Step: engine.StepTranscribe, CallID: "c", Run: 1},
		engine.Job{Step: engine.StepTranscribe, CallID: "c", Run: 1},
		engine.Job{Step: engine.StepDetect, ConnectionID: "p", From: day(1), To: day(20)},
		engine.Job{Step: engine.StepDetect, ConnectionID: "p", From: day(5), To: day(20)},
		engine.Job{Step: engine.StepDetect, ConnectionID: "p", From: day(5), To: day(20)},
	)
	if err := s.queue.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	s.wait(t, 4)
	runs := map[int]int{}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, j := range s.log {
		if j.CallID != "" {
			runs[j.Run]++
		}
	}
	if len(s.log) != 4 || runs[0] != 1 || runs[1] != 1 {
		t.Errorf("ran %+v", s.log)
	}
}

// Every call that has a job is named, however many there are.
func TestPending(t *testing.T) {
	s, add := setup(t)
	const many = 10_500
	jobs := make([]engine.Job, many)
	for i := range jobs {
		jobs[i] = engine.Job{Step: engine.StepFetch, CallID: fmt.Sprint("c", i)}
	}
	jobs = append(jobs, engine.Job{Step: engine.StepDetect, ConnectionID: "p"})
	add(jobs...)
	if calls, err := s.queue.Pending(context.Background()); err != nil || len(calls) != many {
		t.Errorf("%d calls, %v", len(calls), err)
	}
}
