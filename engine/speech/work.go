package speech

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"flysense/engine"
)

// Recogniser is a loaded speech model. engine/whisper has one.
type Recogniser interface {
	Model() engine.Model
	// Device names what computes: backend ("CPU", "CUDA0") and hardware.
	Device() (backend, name string)
	// Transcribe may be called from several goroutines.
	Transcribe(ctx context.Context, s engine.Samples, language string) ([]engine.Segment, error)
	Close() error
}

const (
	beatEvery   = time.Second
	maxInFlight = 64              // windows at a time; more is a mistake of the supervisor
	farewell    = 2 * time.Second // for windows in work when the input closes
)

// Main is the whole of a worker process: [Work] on the standard streams. What C
// code prints goes to standard error, so that it cannot get between the
// replies. Interrupts are for the supervisor, which closes the input: otherwise
// a service manager that signals all processes would cause a crash that was none.
func Main(load func(ctx context.Context) (Recogniser, error)) error {
	signal.Ignore(os.Interrupt, syscall.SIGTERM)
	fd, err := unix.FcntlInt(uintptr(syscall.Stdout), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return fmt.Errorf("keep standard output: %w", err)
	}
	if err := unix.Dup3(syscall.Stderr, syscall.Stdout, 0); err != nil {
		return fmt.Errorf("redirect standard output: %w", err)
	}
	return Work(context.Background(), os.Stdin, os.NewFile(uintptr(fd), "replies"), load)
}

// Work is a worker's main loop: it loads the model, then recognises the windows
// that come from in, several at a time, and answers on out. It returns when in
// ends, also while it loads or a window hangs; the process must end then.
func Work(ctx context.Context, in io.Reader, out io.Writer, load func(ctx context.Context) (Recogniser, error)) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	w := &work{out: out, fail: stop, running: make(map[uint64]context.CancelFunc)}

	requests := make(chan frame)
	go func() {
		for {
			var f frame
			var err error
			if f.body, err = readFrame(in, &f.request); err != nil {
				stop(err)
				return
			}
			select {
			case requests <- f:
			case <-ctx.Done():
				return
			}
		}
	}()
	go w.beat(ctx)

	type loaded struct {
		r   Recogniser
		err error
	}
	done := make(chan loaded, 1)
	go func() {
		r, err := load(ctx)
		done <- loaded{r, err}
	}()
	var model loaded
	select {
	case <-ctx.Done():
		return ended(ctx)
	case model = <-done:
	}
	if model.err != nil {
		w.send(reply{Kind: kindFailed, Problem: model.err.Error()})
		return fmt.Errorf("load model: %w", model.err)
	}
	about := model.r.Model()
	backend, device := model.r.Device()
	w.send(reply{Kind: kindReady, Model: &about, Backend: backend, Device: device})

	for {
		select {
		case f := <-requests:
			w.take(ctx, model.r, f)
		case <-ctx.Done():
			if w.idle(farewell) {
				return errors.Join(ended(ctx), model.r.Close())
			}
			return ended(ctx)
		}
	}
}

// ended tells a closed input, which is the good end, from a broken one.
func ended(ctx context.Context) error {
	if err := context.Cause(ctx); !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

type frame struct {
	request request
	body    []byte
}

// work is the state of [Work].
type work struct {
	fail    context.CancelCauseFunc
	windows sync.WaitGroup

	writing sync.Mutex
	out     io.Writer

	mu      sync.Mutex
	running map[uint64]context.CancelFunc
	cards   []GPU
	problem string
}

func (w *work) send(r reply) {
	w.writing.Lock()
	defer w.writing.Unlock()
	if err := writeFrame(w.out, r, nil); err != nil {
		w.fail(err)
	}
}

// beat says every second that the worker lives, and what its cards do.
func (w *work) beat(ctx context.Context) {
	go watchGPUs(ctx, func(cards []GPU, problem string) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.cards, w.problem = cards, problem
	})
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for {
		w.mu.Lock()
		r := reply{Kind: kindBeat, GPUs: w.cards, GPUProblem: w.problem}
		w.mu.Unlock()
		w.send(r)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// take starts a window, or gives one up.
func (w *work) take(ctx context.Context, r Recogniser, f frame) {
	w.mu.Lock()
	defer w.mu.Unlock()
	id := f.request.ID
	if f.request.Cancel {
		if cancel := w.running[id]; cancel != nil {
			cancel()
		}
		return
	}
	pcm, err := unpackSamples(f.body)
	if err == nil && len(w.running) >= maxInFlight {
		err = fmt.Errorf("%w: more than %d windows at a time", errFrame, maxInFlight)
	}
	if err != nil {
		w.fail(err)
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	w.running[id] = cancel
	w.windows.Go(func() {
		segments, err := r.Transcribe(ctx, engine.Samples{Rate: f.request.Rate, PCM: pcm}, f.request.Language)
		w.mu.Lock()
		delete(w.running, id)
		w.mu.Unlock()
		cancel()
		answer := reply{Kind: kindDone, ID: id, Segments: segments}
		if err != nil {
			answer.Problem = err.Error()
		}
		w.send(answer)
	})
}

// idle waits for the windows in work, at most limit.
func (w *work) idle(limit time.Duration) bool {
	done := make(chan struct{})
	go func() {
		w.windows.Wait()
		close(done)
	}()
	select {
	case <-done:
		return true
	case <-time.After(limit):
		return false
	}
}
