package speech_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"flysense/engine"
	"flysense/engine/speech"
)

// patience is how long a test waits for what should happen soon.
const patience = 20 * time.Second

func supervise(t *testing.T, as string, change func(*speech.Options)) *speech.Supervisor {
	t.Helper()
	o := speech.Options{
		Command: self(as), States: 2,
		Limits: speech.Limits{BackoffMin: 10 * time.Millisecond, BackoffMax: 50 * time.Millisecond, Grace: 3 * time.Second},
		Log:    slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&o)
	}
	s := speech.New(o)
	t.Cleanup(func() {
		pid := s.Status().PID
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if pid != 0 && alive(pid) {
			t.Errorf("worker %d is left behind", pid)
		}
	})
	return s
}

// alive reports whether a process runs; one that only waits to be collected does not.
func alive(pid int) bool {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(raw), ") ")
	return !strings.HasPrefix(rest, "Z") && !strings.HasPrefix(rest, "X")
}

func soon(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited %v: %s", patience, what)
		}
	}
}

func ask(t *testing.T, s *speech.Supervisor, language string) ([]engine.Segment, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	return s.Transcribe(ctx, window(0.5), language)
}

func answer(t *testing.T, s *speech.Supervisor, language string) string {
	t.Helper()
	segments, err := ask(t, s, language)
	if err != nil || len(segments) != 1 {
		t.Fatalf("%s: %+v, %v", language, segments, err)
	}
	return segments[0].Text
}

func TestWindowsGoThere(t *testing.T) {
	s := supervise(t, "worker", nil)
	if st := s.Status(); st.State != speech.Stopped || st.PID != 0 {
		t.Errorf("before the first use: %+v", st)
	}
	w := window(0.5)
	w.PCM[len(w.PCM)-1] = -0.125
	segments, err := s.Transcribe(t.Context(), w, "ru")
	if err != nil {
		t.Fatal(err)
	}
	want := said("8000 samples at 16000 Hz, the last one -0.125")
	if fmt.Sprint(segments) != fmt.Sprint(want) {
		t.Errorf("got %+v, want %+v", segments, want)
	}
	if _, err := s.Transcribe(t.Context(), w, "refuse"); err == nil || errors.Is(err, engine.ErrWorkerDied) || !strings.Contains(err.Error(), "no such language") {
		t.Errorf("a refusal: %v", err)
	}
	if got := answer(t, s, "env"); got != "1 passive" {
		t.Errorf("OpenMP is set to %q", got)
	}
	if got := answer(t, s, "print"); got != "printed" {
		t.Errorf("got %q", got)
	}
	if segments, err := s.Transcribe(t.Context(), engine.Samples{Rate: 16000}, "ru"); err != nil || segments != nil {
		t.Errorf("no samples: %v, %v", segments, err)
	}
	if _, err := s.Transcribe(t.Context(), window(200), "ru"); err == nil {
		t.Error("a window beyond the limit was taken")
	}
	st := s.Status()
	if st.State != speech.Ready || st.Model.Name != "scripted" || st.Backend != "CPU" || st.Device != "a test" || st.PID == 0 || st.Restarts != 0 {
		t.Errorf("status %+v", st)
	}
	if st.Realtime <= 0 {
		t.Errorf("speed %v", st.Realtime)
	}
	soon(t, "a word about the cards", func() bool {
		st := s.Status()
		return st.GPUProblem != "" || len(st.GPUs) > 0
	})
	soon(t, "the line printed by the library", func() bool {
		return strings.Contains(strings.Join(s.Status().LastLines, "\n"), "a library writes")
	})
}

func TestManyWindowsAtOnce(t *testing.T) {
	s := supervise(t, "worker", func(o *speech.Options) { o.States = 4 })
	var wait sync.WaitGroup
	for i := range 60 {
		wait.Go(func() {
			w := window(0.1 + float64(i)/100)
			segments, err := s.Transcribe(t.Context(), w, "ru")
			if err != nil || len(segments) != 1 || !strings.HasPrefix(segments[0].Text, strconv.Itoa(len(w.PCM))+" samples") {
				t.Errorf("window %d: %+v, %v", i, segments, err)
			}
			if n := s.Status().InFlight; n > 4 {
				t.Errorf("%d windows at a time", n)
			}
		})
	}
	wait.Wait()
	if st := s.Status(); st.Windows != 60 || st.InFlight != 0 {
		t.Errorf("%+v", st)
	}
}

// Whatever ends a worker, its window comes back as ErrWorkerDied with the
// reason, and the next window is recognised.
func TestDeaths(t *testing.T) {
	for name, tt := range map[string]struct{ as, script, reason string }{
		"exits":              {"worker", "exit", "GGML_ASSERT failed"},
		"is killed":          {"worker", "kill", "signal: killed"},
		"is silent":          {"worker", "freeze", "no sign of life"},
		"window takes long":  {"worker", "hang", "took longer than"},
		"announces too much": {"raw worker", "too long", "breaks the protocol"},
		"prints":             {"raw worker", "print", "breaks the protocol"},
		"invents an answer":  {"raw worker", "invented", "nobody asked for"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := supervise(t, tt.as, func(o *speech.Options) {
				switch tt.script { // the others must not die of a busy machine
				case "freeze":
					o.Limits.Silence = 4 * time.Second
				case "hang":
					o.Limits.Floor = 2 * time.Second
				}
			})
			before := answer(t, s, "pid")
			_, err := ask(t, s, tt.script)
			if !errors.Is(err, engine.ErrWorkerDied) || !strings.Contains(err.Error(), tt.reason) {
				t.Fatalf("got %v", err)
			}
			if after := answer(t, s, "pid"); after == before {
				t.Error("the same process answers")
			}
			if st := s.Status(); st.Restarts != 1 || st.State != speech.Ready {
				t.Errorf("%+v", st)
			}
		})
	}
}

// A window that hangs costs the others on the worker nothing but time.
func TestOnlyTheLateWindowIsBlamed(t *testing.T) {
	s := supervise(t, "worker", func(o *speech.Options) { o.Limits.Floor = 3 * time.Second })
	answer(t, s, "ru")
	late := make(chan error, 1)
	go func() {
		_, err := s.Transcribe(t.Context(), window(0.5), "hang")
		late <- err
	}()
	soon(t, "the window hangs", func() bool { return s.Status().InFlight == 1 })
	time.Sleep(1500 * time.Millisecond) // so that the second window's deadline is clearly later
	_, err := ask(t, s, "wait")
	if wait, ok := engine.LaterWait(err); !ok || wait <= 0 || errors.Is(err, engine.ErrWorkerDied) {
		t.Errorf("the innocent window: %v", err)
	}
	if err := <-late; !errors.Is(err, engine.ErrWorkerDied) {
		t.Errorf("the late window: %v", err)
	}
}

func TestBackoffGrowsAndEnds(t *testing.T) {
	s := supervise(t, "dies loading", func(o *speech.Options) {
		o.Limits.BackoffMin, o.Limits.BackoffMax = 20*time.Millisecond, 80*time.Millisecond
		o.Limits.Patience = 30 * time.Millisecond
	})
	began := time.Now()
	_, err := ask(t, s, "ru")
	if wait, ok := engine.LaterWait(err); !ok || wait < time.Second || !strings.Contains(err.Error(), "exit status 3") {
		t.Fatalf("got %v", err)
	}
	soon(t, "five deaths", func() bool { return s.Status().Restarts >= 5 })
	if took := time.Since(began); took < 220*time.Millisecond { // 20+40+80+80
		t.Errorf("five deaths within %v", took)
	}
	st := s.Status()
	if strings.Join(st.LastLines, "") != "out of memory" {
		t.Errorf("last lines %q", st.LastLines)
	}
}

func TestNoModel(t *testing.T) {
	s := supervise(t, "no model", func(o *speech.Options) { o.Limits.BackoffMin = time.Hour; o.Limits.BackoffMax = time.Hour })
	_, err := s.Model(t.Context())
	if _, ok := engine.LaterWait(err); !ok || !strings.Contains(err.Error(), "flysense models pull") {
		t.Fatalf("got %v", err)
	}
	if st := s.Status(); st.State != speech.Down || !strings.Contains(st.Problem, "flysense models pull") || st.RetryAt.IsZero() {
		t.Errorf("%+v", st)
	}
}

func TestNeverLoads(t *testing.T) {
	for name, as := range map[string]string{"hangs": "never loads", "mumbles": "mumbles"} {
		s := supervise(t, as, func(o *speech.Options) { o.Limits.Load = 300 * time.Millisecond })
		soon(t, name+": started again", func() bool { s.Start(); return s.Status().Restarts >= 2 })
		if st := s.Status(); st.Problem == "" {
			t.Errorf("%s: %+v", name, st)
		}
	}
}

func TestRecycled(t *testing.T) {
	s := supervise(t, "worker", func(o *speech.Options) { o.Limits.Recycle = 5 })
	seen := make(map[string]int)
	for range 15 {
		seen[answer(t, s, "pid")]++
	}
	if len(seen) != 3 {
		t.Errorf("windows per process: %v", seen)
	}
	if st := s.Status(); st.Restarts != 0 {
		t.Errorf("recycling counts as %d deaths", st.Restarts)
	}
}

func TestCancelledWindow(t *testing.T) {
	s := supervise(t, "worker", func(o *speech.Options) { o.States = 1 })
	before := answer(t, s, "pid")
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, err := s.Transcribe(ctx, window(1), "wait"); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	if after := answer(t, s, "pid"); after != before {
		t.Error("a cancelled window cost the worker its life")
	}
}

// The service manager and the terminal signal everybody; the worker still ends
// only when the appliance says so.
func TestSignalsForTheGroup(t *testing.T) {
	s := supervise(t, "worker", nil)
	before := answer(t, s, "pid")
	pid := s.Status().PID
	if group, err := syscall.Getpgid(pid); err != nil || group != pid {
		t.Errorf("the worker is in group %d, %v", group, err)
	}
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		if err := syscall.Kill(pid, sig); err != nil {
			t.Fatal(err)
		}
	}
	if after := answer(t, s, "pid"); after != before {
		t.Error("the worker went away")
	}
}

func TestClose(t *testing.T) {
	s := supervise(t, "worker", func(o *speech.Options) { o.Limits.Grace = 100 * time.Millisecond })
	answer(t, s, "ru")
	pid := s.Status().PID
	result := make(chan error, 1)
	go func() {
		_, err := s.Transcribe(t.Context(), window(0.5), "hang")
		result <- err
	}()
	soon(t, "the window is in work", func() bool { return s.Status().InFlight == 1 })
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if alive(pid) {
		t.Error("the worker lives")
	}
	err := <-result
	if _, ok := engine.LaterWait(err); !ok || errors.Is(err, engine.ErrWorkerDied) {
		t.Errorf("a shut-down counts as a crash: %v", err)
	}
	if _, err := s.Transcribe(t.Context(), window(0.5), "ru"); err == nil {
		t.Error("a closed supervisor recognised something")
	}
	if st := s.Status(); st.State != speech.Stopped || st.PID != 0 {
		t.Errorf("%+v", st)
	}
	if err := speech.New(speech.Options{Command: self("worker")}).Close(); err != nil {
		t.Error(err)
	}
}

// kill -9 of the appliance leaves no worker, even one that hangs in C.
func TestParentKilled(t *testing.T) {
	for range 3 {
		parent := self("appliance")()
		out, err := parent.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := parent.Start(); err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReader(out).ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		pid, err := strconv.Atoi(strings.TrimSpace(line))
		if err != nil || !alive(pid) {
			t.Fatalf("no worker: %q", line)
		}
		if err := parent.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = parent.Wait()
		soon(t, "the worker is gone", func() bool { return !alive(pid) })
	}
}

// Without the kernel's death signal the closed input alone ends a worker.
func TestInputCloses(t *testing.T) {
	for name, script := range map[string]string{"idle": "", "at work": "wait", "hanging": "hang", "loading": "never loads"} {
		as := "worker"
		if script == "never loads" {
			as = script
		}
		cmd := self(as)()
		stdin, err1 := cmd.StdinPipe()
		stdout, err2 := cmd.StdoutPipe()
		if err := errors.Join(err1, err2, cmd.Start()); err != nil {
			t.Fatal(err)
		}
		go io.Copy(io.Discard, stdout) //nolint:errcheck // ends with the process
		if name == "at work" || name == "hanging" {
			text := fmt.Sprintf(`{"id":1,"language":%q,"rate":16000}`, script)
			frame := append([]byte{byte(len(text)), 0, 0, 0, 4, 0, 0, 0}, text+"\x00\x00\x00\x00"...)
			if _, err := stdin.Write(frame); err != nil {
				t.Fatal(err)
			}
		}
		if err := stdin.Close(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		case <-time.After(patience):
			_ = cmd.Process.Kill()
			t.Errorf("%s: the worker does not end", name)
		}
	}
}

func TestSpeedIsKept(t *testing.T) {
	dir := t.TempDir()
	model := filepath.Join(dir, "model.bin")
	if err := os.WriteFile(model, []byte("weights"), 0o600); err != nil {
		t.Fatal(err)
	}
	kept := func() map[string]struct{ Windows int } {
		raw, err := os.ReadFile(filepath.Join(dir, "state", "speech-speed.json"))
		if err != nil {
			t.Fatal(err)
		}
		var all map[string]struct{ Windows int }
		if err := json.Unmarshal(raw, &all); err != nil {
			t.Fatal(err)
		}
		return all
	}
	var key string
	for life := range 3 {
		s := supervise(t, "worker", func(o *speech.Options) {
			o.ModelPath, o.StateDir = model, filepath.Join(dir, "state")
			o.DemoHashes = []string{sumOf(t, model)}
		})
		m, err := s.Model(t.Context())
		if err != nil || !m.Demo {
			t.Fatalf("%+v, %v", m, err)
		}
		for range 2 {
			answer(t, s, "slow")
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		all := kept()
		if len(all) != 1 {
			t.Fatalf("%+v", all)
		}
		for k, v := range all {
			if key == "" {
				key = k
			}
			// One calibration in the first life, two windows in each.
			if want := 1 + 2*(life+1); k != key || v.Windows != want || !strings.HasPrefix(k, sumOf(t, model)) || !strings.Contains(k, "CPU") {
				t.Errorf("life %d: %q has %d windows, want %d", life, k, v.Windows, want)
			}
		}
	}
	left, err := filepath.Glob(filepath.Join(dir, "state", "*"))
	if err != nil || len(left) != 1 {
		t.Errorf("left in the folder: %v, %v", left, err)
	}
}

func sumOf(t *testing.T, file string) string {
	t.Helper()
	out, err := exec.Command("sha256sum", file).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(out))[0]
}
