package speech

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"time"

	"flysense/engine"
)

// Limits of a [Supervisor]; a zero field takes the default in the comment.
type Limits struct {
	Silence    time.Duration // 2 min without a heartbeat: killed
	Load       time.Duration // 15 min to load and calibrate: it reads gigabytes, and a GPU compiles its programs the first time
	Factor     float64       // 20: a window may take so many times the measured time
	Floor      time.Duration // 30 s on top
	BackoffMin time.Duration // 1 s pause after the first death, then doubled
	BackoffMax time.Duration // 5 min
	Patience   time.Duration // 10 s: callers wait through shorter pauses, and come back later for longer ones
	Grace      time.Duration // 5 s to end after the input is closed
	Recycle    int           // 20000 windows, then a fresh worker: foreign memory leaks stay small
}

func (l Limits) orDefault() Limits {
	set := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	set(&l.Silence, 2*time.Minute)
	set(&l.Load, 15*time.Minute)
	set(&l.Floor, 30*time.Second)
	set(&l.BackoffMin, time.Second)
	set(&l.BackoffMax, 5*time.Minute)
	set(&l.Patience, 10*time.Second)
	set(&l.Grace, 5*time.Second)
	if l.Factor == 0 {
		l.Factor = 20
	}
	if l.Recycle == 0 {
		l.Recycle = 20_000
	}
	return l
}

// Options of [New].
type Options struct {
	ModelPath  string
	States     int      // windows at a time, 1..64; 0 means 1
	StateDir   string   // where measured speeds are kept; empty: nowhere
	DemoHashes []string // SHA-256, hex, of model files that are for demonstration only
	// Command makes the worker's command; nil is this program with
	// "worker speech --model ModelPath --states States".
	Command func() *exec.Cmd
	Limits  Limits
	Now     func() time.Time
	Log     *slog.Logger
}

// State of the worker.
type State string

// The states of the worker; doc.go draws the ways between them.
const (
	Stopped  State = "stopped"
	Starting State = "starting"
	Ready    State = "ready"
	Busy     State = "busy"
	Down     State = "down"
)

// Status is what the operator's page shows.
type Status struct {
	State      State
	Since      time.Time // of the state; ready and busy count as one
	Problem    string    // why the worker is down or was started again
	RetryAt    time.Time // of a worker that is down
	Model      engine.Model
	Backend    string
	Device     string
	Realtime   float64 // seconds of audio per second, one window at a time; 0 if not measured
	InFlight   int     // windows in work
	Windows    int     // finished by this worker
	Restarts   int     // since the appliance started, recycling not counted
	PID        int
	LastLines  []string // of the worker's standard error, oldest first
	GPUs       []GPU
	GPUProblem string // why GPUs is empty
}

var errClosed = errors.New("speech recognition is shut down")

// Supervisor is an [engine.Transcriber] that keeps a worker running.
type Supervisor struct {
	o      Options
	limits Limits
	speeds speeds

	ctx   context.Context // ends with Close
	stop  context.CancelFunc
	start sync.Once
	done  chan struct{} // closed when nothing of it runs any more

	mu       sync.Mutex
	changed  chan struct{} // closed and replaced when callers should look again
	status   Status
	worker   *worker // takes windows; nil otherwise
	hopeless error   // the worker cannot load the model; waiting through a pause is of no use
	speed    speed
	key      string // of speed
	sha      string
	shaOf    string // size and time of the file that sha is of
}

var _ engine.Transcriber = (*Supervisor)(nil)

// New makes a supervisor. The worker starts with the first use or [Supervisor.Start].
func New(o Options) *Supervisor {
	if o.States == 0 {
		o.States = 1
	}
	o.States = min(max(o.States, 1), maxInFlight)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Command == nil {
		o.Command = func() *exec.Cmd {
			return exec.Command("/proc/self/exe", "worker", "speech", "--model", o.ModelPath, "--states", strconv.Itoa(o.States)) //nolint:noctx // Close ends it
		}
	}
	s := &Supervisor{
		o: o, limits: o.Limits.orDefault(), speeds: speeds{o.StateDir},
		done: make(chan struct{}), changed: make(chan struct{}),
		status: Status{State: Stopped, Since: o.Now()},
	}
	s.ctx, s.stop = context.WithCancel(context.Background())
	return s
}

// Start begins to load the model, so that the first call does not wait for it.
func (s *Supervisor) Start() {
	s.start.Do(func() { go s.run() })
}

// Close ends the worker and waits until it is gone. Windows in work come back
// with an error that asks to try later.
func (s *Supervisor) Close() error {
	s.stop()
	s.start.Do(func() { close(s.done) })
	<-s.done
	return nil
}

// Status tells how the worker is.
func (s *Supervisor) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.status
	if s.worker != nil {
		out.InFlight, out.Windows = len(s.worker.tasks), s.worker.finished
		if out.InFlight > 0 {
			out.State = Busy
		}
	}
	out.Realtime = s.speed.realtime()
	out.GPUs = slices.Clone(out.GPUs)
	return out
}

// Model describes the model once a worker has loaded it. While the worker is
// down for longer, the error is an [engine.Later].
func (s *Supervisor) Model(ctx context.Context) (engine.Model, error) {
	s.Start()
	for {
		s.mu.Lock()
		m, changed, err := s.status.Model, s.changed, s.refusal()
		s.mu.Unlock()
		if m.Rate != 0 {
			return m, nil
		}
		if err != nil {
			return engine.Model{}, err
		}
		if err := s.wait(ctx, changed); err != nil {
			return engine.Model{}, err
		}
	}
}

// Transcribe recognises one window as soon as the worker has room. The error is
// an [engine.ErrWorkerDied] if the worker died on it, and an [engine.Later] if
// it was stopped for another reason or is down.
func (s *Supervisor) Transcribe(ctx context.Context, window engine.Samples, language string) ([]engine.Segment, error) {
	if len(window.PCM) == 0 {
		return nil, nil
	}
	if 4*len(window.PCM) > maxBody {
		return nil, fmt.Errorf("transcribe: a window of %d samples, at most %d", len(window.PCM), maxBody/4)
	}
	s.Start()
	for {
		s.mu.Lock()
		changed, err := s.changed, s.refusal()
		if w := s.worker; w != nil && !w.retiring && len(w.tasks) < s.o.States {
			length := time.Duration(float64(len(window.PCM)) / float64(max(window.Rate, 1)) * float64(time.Second))
			t := w.add(length, s.speed.deadline(length, s.status.Model.MaxWindow, s.limits))
			s.mu.Unlock()
			return w.recognise(ctx, t, window, language)
		}
		s.mu.Unlock()
		if err != nil {
			return nil, err
		}
		if err := s.wait(ctx, changed); err != nil {
			return nil, err
		}
	}
}

// refusal is the error for callers who need not wait here, or nil. s.mu is held.
func (s *Supervisor) refusal() error {
	if s.status.State != Down {
		return nil
	}
	pause := s.status.RetryAt.Sub(s.o.Now())
	if s.hopeless == nil && pause <= s.limits.Patience {
		return nil
	}
	return engine.Later(fmt.Errorf("speech worker is down: %s", s.status.Problem), max(pause, 0)+time.Second)
}

func (s *Supervisor) wait(ctx context.Context, changed <-chan struct{}) error {
	select {
	case <-changed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-s.ctx.Done():
		return engine.Later(errClosed, time.Second)
	}
}

// set changes the status and wakes who waits for it.
func (s *Supervisor) set(change func(*Status)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.status.State
	change(&s.status)
	if s.status.State != before {
		s.status.Since = s.o.Now()
	}
	s.wake()
}

// wake lets all waiting callers look again. s.mu is held.
func (s *Supervisor) wake() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// run keeps a worker alive until Close. The kernel sends a worker its death
// signal when the thread that started it ends, so this one is kept.
func (s *Supervisor) run() {
	defer close(s.done)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	deaths := 0 // without a finished window in between
	for s.ctx.Err() == nil {
		finished, err := s.life()
		if s.ctx.Err() != nil {
			break
		}
		if err == nil {
			continue // recycled
		}
		if finished > 0 {
			deaths = 0
		}
		pause := backoff(deaths, s.limits)
		deaths++
		s.o.Log.Error("speech worker ended", "err", err, "pause", pause)
		s.set(func(st *Status) {
			st.State, st.PID, st.Restarts = Down, 0, st.Restarts+1
			st.RetryAt = s.o.Now().Add(pause)
		})
		select {
		case <-time.After(pause):
		case <-s.ctx.Done():
		}
	}
	s.set(func(st *Status) { st.State, st.PID, st.RetryAt = Stopped, 0, time.Time{} })
}

// backoff is the pause after so many deaths in a row.
func backoff(deaths int, l Limits) time.Duration {
	pause := l.BackoffMin
	for range deaths {
		if pause *= 2; pause >= l.BackoffMax {
			return l.BackoffMax
		}
	}
	return pause
}

// modelSHA is the hash of the model's file, or "" if there is none to read. It
// is computed again only when the file changed.
func (s *Supervisor) modelSHA() string {
	file, err := os.Open(s.o.ModelPath)
	if err != nil {
		return ""
	}
	defer file.Close() //nolint:errcheck // only read
	info, err := file.Stat()
	if err != nil {
		return ""
	}
	version := fmt.Sprint(info.Size(), info.ModTime().UnixNano())
	s.mu.Lock()
	known, of := s.sha, s.shaOf
	s.mu.Unlock()
	if of == version {
		return known
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return ""
	}
	sha := hex.EncodeToString(sum.Sum(nil))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sha, s.shaOf = sha, version
	return sha
}
