package audio

import (
	"context"
	"errors"
	"fmt"
	"math"
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
)

// roleVar makes this test binary a worker instead of a test.
const roleVar = "FLYSENSE_AUDIO_TEST_ROLE"

func TestMain(m *testing.M) {
	switch role := os.Getenv(roleVar); role {
	case "":
		os.Exit(m.Run())
	default:
		if err := roles[role](); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

// roles are the worker as it should be and the ways it may go wrong.
var roles = map[string]func() error{
	"decode": func() error { return Work(context.Background(), os.Stdin, os.Stdout, wholeChannels) },
	"crash": func() error {
		return Work(context.Background(), os.Stdin, os.Stdout, func([][]float32, time.Duration) ([]engine.Window, []engine.Window) {
			fmt.Fprintln(os.Stderr, "last words")
			return []engine.Window{{Index: *(*int)(nil)}}, nil
		})
	},
	"hang": func() error {
		return Work(context.Background(), os.Stdin, os.Stdout, func([][]float32, time.Duration) ([]engine.Window, []engine.Window) { select {} })
	},
	"spin": func() error {
		return Work(context.Background(), os.Stdin, os.Stdout, func([][]float32, time.Duration) ([]engine.Window, []engine.Window) {
			_ = syscall.Setrlimit(syscall.RLIMIT_CPU, &syscall.Rlimit{Cur: 1, Max: 1}) // a test has no minute
			for n := 0; ; n++ {                                                        // burns time until it is killed
				if n < 0 {
					return nil, nil
				}
			}
		})
	},
	"gorge": func() error {
		return Work(context.Background(), os.Stdin, os.Stdout, func([][]float32, time.Duration) ([]engine.Window, []engine.Window) {
			var kept [][]byte
			for range 64 {
				b := make([]byte, 128<<20)
				for i := 0; i < len(b); i += 4096 {
					b[i] = 1
				}
				kept = append(kept, b)
			}
			return []engine.Window{{Index: len(kept)}}, nil
		})
	},
	"babble": func() error {
		for range maxAnswer / 1000 {
			if _, err := fmt.Println(strings.Repeat("x", 2000)); err != nil {
				return nil //nolint:nilerr // refused, as it should be
			}
		}
		return nil
	},
	"confess": func() error {
		return Work(context.Background(), os.Stdin, os.Stdout, func([][]float32, time.Duration) ([]engine.Window, []engine.Window) { return confession(), nil })
	},
	"parent": parentRole,
}

// wholeChannels is a split that makes every channel one window.
func wholeChannels(levels [][]float32, frame time.Duration) (all, leak []engine.Window) {
	for c := range levels {
		all = append(all, engine.Window{Index: c, Channel: c, End: time.Duration(len(levels[c])) * frame})
	}
	return all, nil
}

func decoderAs(t testing.TB, role string) *Decoder {
	t.Helper()
	return &Decoder{TempDir: t.TempDir(), Command: func(ctx context.Context) *exec.Cmd {
		cmd := exec.CommandContext(ctx, "/proc/self/exe")
		cmd.Env = append(os.Environ(), roleVar+"="+role)
		return cmd
	}}
}

func TestInspectAndOpen(t *testing.T) {
	d := decoderAs(t, "decode")
	ctx := context.Background()
	for _, name := range []string{"8k-stereo.mp3", "44k-joint.mp3", "48k-stereo.mp3", "8k-alaw.wav"} {
		path := filepath.Join("testdata", name)
		r, windows, err := d.Inspect(ctx, path, name)
		if err != nil {
			t.Fatal(err)
		}
		if r.Length != 2*time.Second || r.Channels != 2 || len(windows) != 2 || r.Bytes == 0 || len(r.Peaks) != 2 || len(r.Peaks[1]) != 200 {
			t.Errorf("%s: %s, %d channels, windows %v", name, r.Length, r.Channels, windows)
		}
		p, err := d.Open(ctx, path, 16_000)
		if err != nil {
			t.Fatal(err)
		}
		for c, hz := range []float64{440, 1000} {
			s, err := p.Read(engine.Window{Channel: c, Start: 500 * time.Millisecond, End: 1500 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			if s.Rate != 16_000 || len(s.PCM) != 16_000 || toneShare(s.PCM, 16_000, hz) < 0.98 {
				t.Errorf("%s channel %d: %d samples, %.3f at %.0f Hz", name, c, len(s.PCM), toneShare(s.PCM, 16_000, hz), hz)
			}
		}
		if s, err := p.Read(engine.Window{Start: 1900 * time.Millisecond, End: time.Hour}); err != nil || len(s.PCM) != 1600 {
			t.Errorf("window behind the end: %d samples, %v", len(s.PCM), err)
		}
		if _, err := p.Read(engine.Window{Channel: 2, End: time.Second}); !errors.Is(err, errNoChannel) {
			t.Errorf("third channel: %v", err)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
	left, err := os.ReadDir(d.TempDir)
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestRefusalCrossesTheProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "call.mp3")
	if err := os.WriteFile(path, []byte("<html>gone</html>"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := decoderAs(t, "decode")
	_, _, err := d.Inspect(context.Background(), path, "call.mp3")
	wantBad(t, err, "unsupported", "веб-страница")
	_, err = d.Open(context.Background(), path, 16_000)
	if b := new(engine.BadAudio); !errors.As(err, &b) || b.Code != "unsupported" {
		t.Errorf("open: %v", err)
	}
	if _, _, err := d.Inspect(context.Background(), path+".none", "x"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

// TestFourHoursOfSilence: hours of stereo pass through a worker whose memory
// does not grow with them.
func TestFourHoursOfSilence(t *testing.T) {
	if testing.Short() {
		t.Skip("reads 450 MB")
	}
	const seconds = 4 * 3600
	path := filepath.Join(t.TempDir(), "silence.wav")
	header := wavFile(tagPCM, 2, 8000, 16, nil, seconds*8000*4)
	if err := os.WriteFile(path, header, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, int64(len(header))+seconds*8000*4); err != nil {
		t.Fatal(err)
	}
	d := decoderAs(t, "confess")
	r, windows, err := d.Inspect(context.Background(), path, "silence.wav")
	if err != nil {
		t.Fatal(err)
	}
	if r.Length != seconds*time.Second || len(r.Peaks[0]) != engine.PeakBuckets || r.Channels != 1 {
		t.Errorf("%s, %d peaks, %d channels", r.Length, len(r.Peaks[0]), r.Channels)
	}
	if peak := windows[confessPeak].Index; peak > 96<<10 {
		t.Errorf("the worker took %d KB", peak)
	}
}

// What a confession tells, by index.
const (
	confessPeak   = iota // memory at its highest, KB
	confessGuards        // threads that may gain rights
	confessFiles         // limit of open files
	confessCore          // limit of a core dump
	confessWrite         // 1 if a new file could be written to
)

// confession tells what the worker may do, in the one form an answer has.
func confession() []engine.Window {
	facts := make([]engine.Window, confessWrite+1)
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			facts[confessPeak].Index, _ = strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")))
		}
	}
	tasks, _ := filepath.Glob("/proc/self/task/*/status")
	if len(tasks) == 0 {
		facts[confessGuards].Index = -1
	}
	for _, task := range tasks {
		if b, err := os.ReadFile(task); err != nil || !strings.Contains(string(b), "NoNewPrivs:\t1") {
			facts[confessGuards].Index++
		}
	}
	var l syscall.Rlimit
	_ = syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l)
	facts[confessFiles].Index = int(l.Cur)
	_ = syscall.Getrlimit(syscall.RLIMIT_CORE, &l)
	facts[confessCore].Index = int(l.Cur)
	if f, err := os.CreateTemp("", "confess"); err == nil {
		if _, err := f.WriteString("x"); err == nil {
			facts[confessWrite].Index = 1
		}
		_ = os.Remove(f.Name())
	}
	return facts
}

func TestWorkerIsConfined(t *testing.T) {
	_, facts, err := decoderAs(t, "confess").Inspect(context.Background(), "testdata/8k-mono.mp3", "a.mp3")
	if err != nil {
		t.Fatal(err)
	}
	if facts[confessGuards].Index != 0 {
		t.Errorf("%d threads may gain rights", facts[confessGuards].Index)
	}
	if facts[confessFiles].Index != maxOpenFiles || facts[confessCore].Index != 0 || facts[confessWrite].Index != 0 {
		t.Errorf("files %d, core %d, writes %d", facts[confessFiles].Index, facts[confessCore].Index, facts[confessWrite].Index)
	}
}

func TestWorkerGoesWrong(t *testing.T) {
	for role, tt := range map[string]struct {
		wall time.Duration
		says string
	}{
		"crash":  {says: "last words"},
		"hang":   {wall: 500 * time.Millisecond, says: "needed more than"},
		"spin":   {says: "signal"},
		"gorge":  {says: "out of memory"},
		"babble": {says: "decode worker"},
	} {
		t.Run(role, func(t *testing.T) {
			if role == "gorge" && testing.Short() {
				t.Skip("the race detector's own address space is not to be limited")
			}
			d := decoderAs(t, role)
			d.Limits.Wall = tt.wall
			_, _, err := d.Inspect(context.Background(), "testdata/8k-mono.mp3", "a.mp3")
			if !errors.Is(err, engine.ErrWorkerDied) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%v, want a dead worker and %q", err, tt.says)
			}
			if len(err.Error()) > maxStderr+500 {
				t.Errorf("the error has %d bytes", len(err.Error()))
			}
		})
	}
}

func TestCancelEndsTheWorker(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	_, _, err := decoderAs(t, "hang").Inspect(ctx, "testdata/8k-mono.mp3", "a.mp3")
	if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, engine.ErrWorkerDied) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestNoMoreWorkersThanAllowed: with two at work a third is not begun.
func TestNoMoreWorkersThanAllowed(t *testing.T) {
	d := decoderAs(t, "hang")
	d.Workers = 2
	started := make(chan struct{}, 3)
	start := d.Command
	d.Command = func(ctx context.Context) *exec.Cmd {
		started <- struct{}{}
		return start(ctx)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for range d.Workers {
		all.Go(func() {
			if _, _, err := d.Inspect(ctx, "testdata/8k-mono.mp3", "a.mp3"); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	}
	<-started
	<-started
	soon, cancelSoon := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancelSoon()
	if _, _, err := d.Inspect(soon, "testdata/8k-mono.mp3", "a.mp3"); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if len(started) > 0 {
		t.Error("a third worker was begun")
	}
	cancel()
	all.Wait()
	single := decoderAs(t, "decode")
	single.Workers = 1
	for range 2 { // the place is given back
		if _, _, err := single.Inspect(context.Background(), "testdata/8k-mono.mp3", "a.mp3"); err != nil {
			t.Error(err)
		}
	}
}

// parentRole starts a hanging worker, tells its process id and dies without a
// word to it.
func parentRole() error {
	d := &Decoder{Command: func(ctx context.Context) *exec.Cmd {
		cmd := exec.CommandContext(ctx, "/proc/self/exe")
		cmd.Env = append(os.Environ(), roleVar+"=hang")
		go func() {
			for cmd.Process == nil {
				time.Sleep(10 * time.Millisecond)
			}
			time.Sleep(300 * time.Millisecond)
			fmt.Println(cmd.Process.Pid)
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}()
		return cmd
	}}
	_, _, err := d.Inspect(context.Background(), "testdata/8k-mono.mp3", "a.mp3")
	return err
}

// TestNoOrphans: a worker does not outlive the appliance.
func TestNoOrphans(t *testing.T) {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), roleVar+"=parent")
	out, err := cmd.Output()
	if err == nil {
		t.Fatal("the parent ended in peace")
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil {
		t.Fatalf("%q: %v", out, err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err != nil || strings.Contains(string(stat), ") Z ") {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("worker %d is still there", pid)
		}
	}
}

// TestStdinEndsTheWorker: also where the kernel sends no death signal.
func TestStdinEndsTheWorker(t *testing.T) {
	file, err := os.Open("testdata/8k-mono.mp3")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close() //nolint:errcheck // it was only read
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), roleVar+"=hang")
	cmd.ExtraFiles = []*os.File{file}
	cmd.Stdin = strings.NewReader(`{"Bytes":1000000,"Length":1000000000000}` + "\n")
	done := make(chan error, 1)
	go func() { done <- cmd.Run() }()
	select {
	case <-done:
		if code := cmd.ProcessState.ExitCode(); code != exitOrphan {
			t.Errorf("status %d", code)
		}
	case <-time.After(10 * time.Second):
		_ = cmd.Process.Kill()
		t.Fatal("the worker works on for nobody")
	}
}

// TestOddRates: the costliest rate to convert stays in the worker's limits.
func TestOddRates(t *testing.T) {
	if testing.Short() {
		t.Skip("builds large filters")
	}
	for _, rate := range []int{8001, 95_999} {
		path := filepath.Join(t.TempDir(), "odd.wav")
		data := sine(1, rate, 16, time.Second)
		if err := os.WriteFile(path, wavFile(tagPCM, 1, rate, 16, data, len(data)), 0o600); err != nil {
			t.Fatal(err)
		}
		p, err := decoderAs(t, "decode").Open(context.Background(), path, 16_000)
		if err != nil {
			t.Fatal(err)
		}
		s, err := p.Read(engine.Window{Start: 250 * time.Millisecond, End: 750 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		if level := rms(s.PCM); math.Abs(level-0.5/math.Sqrt2) > 1e-3 {
			t.Errorf("%d Hz: level %.4f", rate, level)
		}
		_ = p.Close()
	}
}
