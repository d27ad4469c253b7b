package speech_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"flysense/engine"
	"flysense/engine/speech"
)

// The test binary is its own worker: role says what the process plays.
const role = "FLYSENSE_TEST_ROLE"

var roles = map[string]func(){
	"worker": func() { // as the appliance starts it
		end(speech.Main(func(context.Context) (speech.Recogniser, error) { return scripted{}, nil }))
	},
	"raw worker": func() { // its standard output is open to everybody
		end(speech.Work(context.Background(), os.Stdin, os.Stdout, func(context.Context) (speech.Recogniser, error) { return scripted{}, nil }))
	},
	"no model": func() {
		end(speech.Main(func(context.Context) (speech.Recogniser, error) {
			return nil, errors.New("модель не найдена, выполните «flysense models pull»")
		}))
	},
	"never loads": func() {
		end(speech.Main(func(context.Context) (speech.Recogniser, error) { select {} }))
	},
	"dies loading": func() {
		fmt.Fprintln(os.Stderr, "out of memory")
		os.Exit(3)
	},
	"mumbles": func() { // and never says anything that makes sense
		fmt.Println("Loading model, please wait ... 12345678901234567890")
		select {}
	},
	"appliance":   appliance,
	"real worker": realWorker,
}

func TestMain(m *testing.M) {
	if play := roles[os.Getenv(role)]; play != nil {
		play()
	}
	os.Exit(m.Run())
}

func end(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func self(as string) func() *exec.Cmd {
	return func() *exec.Cmd {
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = append(os.Environ(), role+"="+as)
		return cmd
	}
}

// scripted does what the language says.
type scripted struct{}

func (scripted) Model() engine.Model {
	return engine.Model{Name: "scripted", Rate: 16000, MaxWindow: 2 * time.Second, Languages: []string{"ru"}}
}
func (scripted) Device() (string, string) { return "CPU", "a test" }
func (scripted) Close() error             { return nil }

func (scripted) Transcribe(ctx context.Context, s engine.Samples, language string) ([]engine.Segment, error) {
	switch language {
	case "ru":
		return said(fmt.Sprintf("%d samples at %d Hz, the last one %v", len(s.PCM), s.Rate, s.PCM[len(s.PCM)-1])), nil
	case "slow":
		time.Sleep(20 * time.Millisecond)
		return said("slow"), nil
	case "refuse":
		return nil, errors.New("no such language")
	case "exit":
		fmt.Fprintln(os.Stderr, "GGML_ASSERT failed")
		os.Exit(134)
	case "kill":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case "freeze":
		_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
	case "hang": // as C code does: it does not look at ctx
		select {}
	case "wait":
		<-ctx.Done()
		return nil, ctx.Err()
	case "print":
		fmt.Println("a library writes to standard output")
		return said("printed"), nil
	case "env":
		return said(os.Getenv("OMP_NUM_THREADS") + " " + os.Getenv("OMP_WAIT_POLICY")), nil
	case "pid":
		return said(fmt.Sprint(os.Getpid())), nil
	case "too long": // announces more than the limit
		_, _ = os.Stdout.Write([]byte{255, 255, 255, 255, 0, 0, 0, 0})
		select {}
	case "invented": // an answer to a window nobody asked for
		text := `{"kind":"done","id":99999}`
		_, _ = os.Stdout.Write(append([]byte{byte(len(text)), 0, 0, 0, 0, 0, 0, 0}, text...))
		select {}
	}
	select {}
}

func said(text string) []engine.Segment {
	return []engine.Segment{{
		Start: time.Millisecond, End: time.Second, Text: text, NoSpeech: 0.5,
		Tokens: []engine.Token{{Text: text, Start: time.Millisecond, End: time.Second, P: 0.25}},
	}}
}

// appliance plays the parent: it starts a worker that hangs and tells its pid.
func appliance() {
	s := speech.New(speech.Options{Command: self("worker")})
	if _, err := s.Model(context.Background()); err != nil {
		end(err)
	}
	go s.Transcribe(context.Background(), window(1), "hang") //nolint:errcheck // it never comes back
	for s.Status().InFlight == 0 {
		time.Sleep(time.Millisecond)
	}
	fmt.Println(s.Status().PID)
	select {}
}

func window(seconds float64) engine.Samples {
	return engine.Samples{Rate: 16000, PCM: make([]float32, int(seconds*16000))}
}
