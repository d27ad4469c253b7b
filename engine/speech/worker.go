package speech

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"flysense/engine"
)

// worker is one worker process. Its supervisor's mutex guards the fields below it.
type worker struct {
	s      *Supervisor
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	lines  tail
	loaded chan reply    // one kindReady or kindFailed
	eof    chan struct{} // closed when it says nothing more
	spent  chan struct{} // closed when it is to be recycled and has nothing in work
	sha    chan string   // of the model's file

	writing sync.Mutex

	tasks    map[uint64]*task
	nextID   uint64
	started  time.Time
	beat     time.Time // last sign of life
	ready    bool      // takes windows
	retiring bool
	finished int   // windows, the calibration not counted
	cause    error // why it was killed
	all      bool  // the cause concerns all its windows, not only those past their deadline
}

// task is a window in work.
type task struct {
	id       uint64
	began    time.Time
	limit    time.Duration
	length   time.Duration
	late     bool
	segments []engine.Segment
	err      error
	done     chan struct{}
}

// life starts a worker and returns when it is gone, with the number of windows
// it finished. The error is nil if it was recycled or the supervisor is closing.
func (s *Supervisor) life() (finished int, err error) {
	s.set(func(st *Status) { st.State, st.RetryAt = Starting, time.Time{} })
	w, err := s.launch()
	if err != nil {
		s.set(func(st *Status) { st.Problem = err.Error() })
		return 0, err
	}
	s.watch(w)
	return s.bury(w)
}

// launch starts the process.
func (s *Supervisor) launch() (*worker, error) {
	cmd := s.o.Command()
	if cmd.Env == nil {
		cmd.Env = os.Environ()
	}
	// One compute thread per state, and none that spins while it waits.
	cmd.Env = append(cmd.Env, "OMP_NUM_THREADS=1", "OMP_WAIT_POLICY=passive")
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true // an interrupt from the terminal is for the appliance alone
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	stdin, err1 := cmd.StdinPipe()
	stdout, err2 := cmd.StdoutPipe()
	stderr, err3 := cmd.StderrPipe()
	if err := errors.Join(err1, err2, err3, cmd.Start()); err != nil {
		return nil, fmt.Errorf("start speech worker: %w", err)
	}
	now := s.o.Now()
	w := &worker{
		s: s, cmd: cmd, stdin: stdin, tasks: make(map[uint64]*task), started: now, beat: now,
		loaded: make(chan reply, 1), eof: make(chan struct{}), spent: make(chan struct{}), sha: make(chan string, 1),
	}
	s.set(func(st *Status) { st.PID = cmd.Process.Pid })
	go func() { w.sha <- s.modelSHA() }()
	go func() {
		defer close(w.eof)
		var both sync.WaitGroup
		both.Go(func() { w.lines.read(stderr) })
		both.Go(func() { w.listen(stdout) })
		both.Wait()
	}()
	return w, nil
}

// watch looks after the worker until it says nothing more.
func (s *Supervisor) watch(w *worker) {
	tick := time.NewTicker(min(max(min(s.limits.Silence, s.limits.Floor)/20, 5*time.Millisecond), time.Second))
	defer tick.Stop()
	closing, spent := s.ctx.Done(), w.spent
	var grace <-chan time.Time
	for {
		select {
		case <-w.eof:
			return
		case r := <-w.loaded:
			go s.admit(w, r)
		case <-tick.C:
			s.checkUp(w)
		case <-closing:
			closing, grace = nil, time.After(s.limits.Grace)
			_ = w.stdin.Close()
		case <-spent:
			spent, grace = nil, time.After(s.limits.Grace)
			_ = w.stdin.Close()
		case <-grace:
			_ = w.cmd.Process.Kill()
		}
	}
}

// checkUp kills a worker that is silent, loads for too long or has a window
// past its deadline.
func (s *Supervisor) checkUp(w *worker) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w.cause != nil {
		return // it is dying; who else becomes late now is not to blame
	}
	now := s.o.Now()
	if silent := now.Sub(w.beat); silent > s.limits.Silence {
		w.kill(fmt.Errorf("no sign of life for %v", silent.Round(time.Millisecond)), true)
		return
	}
	if !w.ready && now.Sub(w.started) > s.limits.Load {
		w.kill(fmt.Errorf("the model was not loaded within %v", s.limits.Load), true)
		return
	}
	for _, t := range w.tasks {
		if now.Sub(t.began) > t.limit {
			t.late = true
			w.kill(fmt.Errorf("a window of %v took longer than %v", t.length.Round(time.Millisecond), t.limit.Round(time.Millisecond)), false)
		}
	}
}

// kill ends the process; the first cause counts. s.mu is held.
func (w *worker) kill(cause error, all bool) {
	if w.cause == nil {
		w.cause, w.all = cause, all
	}
	_ = w.cmd.Process.Kill()
}

// bury takes the worker out of use, collects the process and tells the callers
// whose windows it had.
func (s *Supervisor) bury(w *worker) (finished int, err error) {
	s.mu.Lock()
	s.worker = nil
	s.mu.Unlock()
	_ = w.stdin.Close()
	_ = w.cmd.Process.Kill() // it closed its output, so it is of no use even if it lives
	exit := w.cmd.Wait()

	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.wake()
	lines := w.lines.last(tailLines)
	if len(lines) > 0 {
		s.status.LastLines = lines
	}
	s.status.GPUs, s.status.GPUProblem = nil, ""
	s.keepSpeed()
	closing := s.ctx.Err() != nil
	if w.cause == nil && (closing || w.retiring && len(w.tasks) == 0) {
		for _, t := range w.tasks {
			t.finish(nil, engine.Later(errClosed, time.Second))
		}
		return w.finished, nil
	}
	cause := w.cause
	if cause == nil {
		cause = fmt.Errorf("it ended by itself: %w", endOf(exit))
	}
	s.status.Problem = cause.Error()
	died := fmt.Errorf("%w: %w%s", engine.ErrWorkerDied, cause, quote(lines))
	for _, t := range w.tasks {
		switch {
		case closing:
			t.finish(nil, engine.Later(errClosed, time.Second))
		case w.cause != nil && !w.all && !t.late:
			t.finish(nil, engine.Later(fmt.Errorf("the speech worker was stopped because of another window: %w", cause), time.Second))
		default:
			t.finish(nil, died)
		}
	}
	return w.finished, died
}

// endOf names the end of a process that reported success.
func endOf(exit error) error {
	if exit == nil {
		return errors.New("exit status 0")
	}
	return exit
}

// quoteLines is how many of the last lines an error carries; the status has more.
const quoteLines = 3

func quote(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return "; last lines: " + strings.Join(lines[max(0, len(lines)-quoteLines):], " | ")
}

// listen takes the worker's replies until its output ends.
func (w *worker) listen(stdout io.Reader) {
	for {
		var r reply
		_, err := readFrame(stdout, &r)
		if errors.Is(err, io.EOF) {
			return
		}
		w.s.mu.Lock()
		if err != nil {
			w.kill(err, true)
			w.s.mu.Unlock()
			return
		}
		w.hear(r)
		w.s.mu.Unlock()
	}
}

// hear acts on one reply. s.mu is held.
func (w *worker) hear(r reply) {
	s := w.s
	w.beat = s.o.Now()
	switch r.Kind {
	case kindBeat:
		s.status.GPUs, s.status.GPUProblem = r.GPUs, r.GPUProblem
		if lines := w.lines.last(tailLines); len(lines) > 0 { // until then those of the one before
			s.status.LastLines = lines
		}
	case kindReady, kindFailed:
		select {
		case w.loaded <- r:
		default:
			w.kill(fmt.Errorf("%w: loaded twice", errFrame), true)
		}
	case kindDone:
		t := w.tasks[r.ID]
		if t == nil {
			w.kill(fmt.Errorf("%w: an answer to window %d, which nobody asked for", errFrame, r.ID), true)
			return
		}
		delete(w.tasks, r.ID)
		var err error
		if r.Problem != "" {
			err = fmt.Errorf("speech worker: %s", r.Problem)
		} else {
			s.learn(w, t)
		}
		t.finish(r.Segments, err)
		if w.retiring && len(w.tasks) == 0 {
			close(w.spent)
		}
		s.wake()
	default:
		w.kill(fmt.Errorf("%w: kind %q", errFrame, r.Kind), true)
	}
}

// learn counts a finished window. s.mu is held.
func (s *Supervisor) learn(w *worker, t *task) {
	s.speed.learn(t.length, s.o.Now().Sub(t.began), s.o.Now())
	if !w.ready {
		return // the calibration
	}
	w.finished++
	w.retiring = w.retiring || w.finished >= s.limits.Recycle
	if w.finished%saveEvery == 0 {
		s.keepSpeed()
	}
}

// keepSpeed writes the measured speed down. s.mu is held.
func (s *Supervisor) keepSpeed() {
	if s.key == "" || s.speed.Windows == 0 {
		return
	}
	if err := s.speeds.save(s.key, s.speed); err != nil {
		s.o.Log.Warn("measured speed is not kept", "err", err)
	}
}

// admit takes a loaded worker into use, after measuring its speed if that is
// not known.
func (s *Supervisor) admit(w *worker, r reply) {
	if r.Kind == kindFailed || r.Model == nil || r.Model.Rate <= 0 || r.Model.MaxWindow <= 0 {
		problem := errors.New(r.Problem)
		if r.Problem == "" {
			problem = fmt.Errorf("%w: it does not describe its model", errFrame)
		}
		s.mu.Lock()
		s.hopeless = problem
		w.kill(problem, true)
		s.mu.Unlock()
		return
	}
	var sha string
	select {
	case sha = <-w.sha:
	case <-w.eof:
		return
	}
	m := *r.Model
	m.Demo = slices.Contains(s.o.DemoHashes, sha)

	known, err := s.speeds.all()
	if err != nil {
		s.o.Log.Warn("measured speeds are not readable, measuring again", "err", err)
	}
	s.mu.Lock()
	key := speedKey(sha, r.Backend, r.Device)
	if sha == "" {
		key = "" // of a model that is not a file nothing is kept
	}
	if s.key != key || s.speed.Windows == 0 {
		s.key, s.speed = key, known[key]
	}
	s.hopeless = nil
	s.status.Backend, s.status.Device = r.Backend, r.Device
	measured := s.speed.Windows > 0
	s.mu.Unlock()

	if !measured {
		if err := s.calibrate(w, m); err != nil {
			s.mu.Lock()
			w.kill(fmt.Errorf("calibration: %w", err), true)
			s.mu.Unlock()
			return
		}
	}
	s.set(func(st *Status) {
		select {
		case <-w.eof:
			return // it died meanwhile
		default:
		}
		w.ready = true
		s.worker = w
		s.keepSpeed()
		st.State, st.Model, st.Problem = Ready, m, ""
		s.o.Log.Info("speech worker is ready", "model", m.Name, "backend", r.Backend, "device", r.Device,
			"demo", m.Demo, "realtime", fmt.Sprintf("%.1f", s.speed.realtime()))
	})
}

// calibrate measures a first window. Its own limit is that of loading: nothing
// is known yet.
func (s *Supervisor) calibrate(w *worker, m engine.Model) error {
	language := "ru"
	if len(m.Languages) > 0 && !slices.Contains(m.Languages, language) {
		language = m.Languages[0]
	}
	s.mu.Lock()
	t := w.add(m.MaxWindow, s.limits.Load)
	s.mu.Unlock()
	_, err := w.recognise(s.ctx, t, calibration(m), language)
	return err
}

// add makes a task for a window about to be sent. s.mu is held.
func (w *worker) add(length, limit time.Duration) *task {
	w.nextID++
	t := &task{id: w.nextID, began: w.s.o.Now(), limit: limit, length: length, done: make(chan struct{})}
	w.tasks[t.id] = t
	return t
}

// recognise sends the window and waits for its answer. When ctx ends first, the
// worker is told to give it up; until it has, the place stays taken.
func (w *worker) recognise(ctx context.Context, t *task, window engine.Samples, language string) ([]engine.Segment, error) {
	w.send(request{ID: t.id, Language: language, Rate: window.Rate}, packSamples(window.PCM))
	select {
	case <-t.done:
		return t.segments, t.err
	case <-ctx.Done():
		go w.send(request{ID: t.id, Cancel: true}, nil)
		return nil, ctx.Err()
	}
}

// send writes to the worker. A worker that does not read is dead or will be
// found silent, so the task's end tells the rest.
func (w *worker) send(r request, body []byte) {
	w.writing.Lock()
	defer w.writing.Unlock()
	if err := writeFrame(w.stdin, r, body); err != nil {
		w.s.o.Log.Debug("speech worker does not listen", "err", err)
	}
}

func (t *task) finish(segments []engine.Segment, err error) {
	t.segments, t.err = segments, err
	close(t.done)
}
