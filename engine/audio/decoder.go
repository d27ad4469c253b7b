package audio

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"

	"flysense/engine"
)

// Decoder starts a worker per recording; it implements [engine.Decoder] and is
// safe for concurrent use.
type Decoder struct {
	// Command makes the worker's command with exec.CommandContext; its standard
	// streams and process group are the Decoder's. Default: this program with
	// the arguments "worker decode" and no environment.
	Command func(ctx context.Context) *exec.Cmd
	TempDir string // for samples, which are unlinked while open; default os.TempDir
	Limits  Limits
	Workers int // at work at the same time; default 2
	Log     *slog.Logger

	once  sync.Once
	slots chan struct{}
}

var _ engine.Decoder = (*Decoder)(nil)

// Inspect decodes the whole file for its facts and its windows and keeps no
// samples. A recording that cannot be used is a *engine.BadAudio; a worker that
// died or ran past its limits is engine.ErrWorkerDied. CallID, SHA256 and the
// times are left to the caller.
func (d *Decoder) Inspect(ctx context.Context, path, name string) (engine.Recording, []engine.Window, error) {
	a, err := d.ask(ctx, path, question{Name: name}, nil)
	return a.Recording, a.Windows, err
}

// Open decodes the file into an unlinked temporary one of 16 bit samples at
// rate Hz, which the returned PCM reads windows from. Errors as for Inspect.
func (d *Decoder) Open(ctx context.Context, path string, rate int) (engine.PCM, error) {
	samples, err := os.CreateTemp(d.TempDir, "samples-*.pcm")
	if err != nil {
		return nil, fmt.Errorf("make room for samples: %w", err)
	}
	if err := os.Remove(samples.Name()); err != nil {
		return nil, errors.Join(fmt.Errorf("unlink samples: %w", err), samples.Close())
	}
	a, err := d.ask(ctx, path, question{Rate: rate}, samples)
	if err != nil {
		return nil, errors.Join(err, samples.Close())
	}
	return &pcm{file: samples, rate: rate, channels: a.Channels, frames: a.Frames, leak: a.Leak}, nil
}

// ask runs one worker from its question to its end.
func (d *Decoder) ask(ctx context.Context, path string, q question, samples *os.File) (answer, error) {
	if err := d.enter(ctx); err != nil {
		return answer{}, err
	}
	defer d.leave()
	recording, err := os.Open(path)
	if err != nil {
		return answer{}, fmt.Errorf("open recording: %w", err)
	}
	defer recording.Close() //nolint:errcheck // it was only read

	limits := d.Limits.orDefault()
	q.Bytes, q.Length = limits.Bytes, limits.Length
	bounded, cancel := context.WithTimeout(ctx, limits.Wall)
	defer cancel()

	cmd := d.command(bounded)
	cmd.ExtraFiles = []*os.File{recording}
	if samples != nil {
		cmd.ExtraFiles = append(cmd.ExtraFiles, samples)
	}
	said, complained := &head{most: maxAnswer}, &edges{most: maxStderr}
	cmd.Stdout, cmd.Stderr = said, complained
	begun := time.Now()
	err = runWorker(cmd, q)
	d.log().Debug("decode worker ended", "took", time.Since(begun), "err", err)
	if ctx.Err() != nil {
		return answer{}, ctx.Err()
	}
	if bounded.Err() != nil {
		return answer{}, fmt.Errorf("decode worker needed more than %s: %w", limits.Wall, engine.ErrWorkerDied)
	}
	if err != nil {
		d.log().Warn("decode worker died", "err", err, "stderr", complained.String())
		return answer{}, fmt.Errorf("decode worker: %w: %w: %s", engine.ErrWorkerDied, err, complained)
	}
	var a answer
	if err := json.Unmarshal(said.Bytes(), &a); err != nil {
		return answer{}, fmt.Errorf("decode worker: %w: answer: %w", engine.ErrWorkerDied, err)
	}
	switch {
	case a.Bad != nil:
		return answer{}, a.Bad
	case a.Error != "":
		return answer{}, fmt.Errorf("decode worker: %s", a.Error)
	}
	return a, nil
}

// runWorker holds the worker's standard input open for as long as it runs: its
// end tells the worker that nobody waits. The kernel's own death signal is
// tied to the thread that started the process, hence the lock.
func runWorker(cmd *exec.Cmd, q question) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	asking := json.NewEncoder(stdin).Encode(q) // a worker dead by now says why in Wait
	if err := cmd.Wait(); err != nil {
		return err
	}
	return asking
}

// command prepares a worker in a process group of its own, which dies whole.
func (d *Decoder) command(ctx context.Context) *exec.Cmd {
	var cmd *exec.Cmd
	if d.Command != nil {
		cmd = d.Command(ctx)
	} else {
		cmd = exec.CommandContext(ctx, "/proc/self/exe", "worker", "decode")
		cmd.Env = []string{} // the appliance's secrets are no business of a decoder
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	return cmd
}

func (d *Decoder) enter(ctx context.Context) error {
	d.once.Do(func() {
		n := d.Workers
		if n == 0 {
			n = defaultWorkers
		}
		d.slots = make(chan struct{}, n)
	})
	select {
	case d.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (d *Decoder) leave() { <-d.slots }

func (d *Decoder) log() *slog.Logger {
	if d.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return d.Log
}

// head keeps what is written and refuses more than most bytes.
type head struct {
	bytes.Buffer
	most int
}

func (h *head) Write(p []byte) (int, error) {
	if h.Len()+len(p) > h.most {
		return 0, io.ErrShortBuffer
	}
	return h.Buffer.Write(p)
}

// edges keeps the first and the last most/2 bytes of what is written: a crash
// names its cause first and its place last.
type edges struct {
	first, last []byte
	most        int
	lost        bool
}

func (e *edges) Write(p []byte) (int, error) {
	n := min(len(p), e.most/2-len(e.first))
	e.first = append(e.first, p[:n]...)
	e.last = append(e.last, p[n:]...)
	over := max(0, len(e.last)-e.most/2)
	e.lost = e.lost || over > 0
	e.last = append(e.last[:0], e.last[over:]...)
	return len(p), nil
}

func (e *edges) String() string {
	between := ""
	if e.lost {
		between = "\n…\n"
	}
	return string(bytes.TrimSpace(e.first)) + between + string(bytes.TrimSpace(e.last))
}
