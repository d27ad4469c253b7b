package appliance_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"flysense/engine"
	"flysense/engine/speech"
	"flysense/internal/appliance"
)

// The test binary plays the program's other roles too: it is what
// /proc/self/exe means to the appliance under test.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "worker" {
		var err error
		if os.Args[2] == "scripted" {
			err = speech.Main(func(context.Context) (speech.Recogniser, error) { return newScripted(), nil })
		} else {
			err = appliance.Worker(context.Background(), os.Args[2:])
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if os.Getenv(roleEnv) == "server" {
		if err := serve(); err != nil && !errors.Is(err, context.Canceled) {
			fmt.Fprintln(os.Stderr, "server under test:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

const (
	roleEnv = "FLYSENSE_TEST_ROLE"
	slowEnv = "FLYSENSE_TEST_WINDOW_MS" // how long the scripted engine takes for a window
)

// scripted is a speech engine without C: it writes down how long it listened.
type scripted struct{ takes time.Duration }

func newScripted() scripted {
	ms, _ := strconv.Atoi(os.Getenv(slowEnv))
	return scripted{time.Duration(ms) * time.Millisecond}
}

func (scripted) Model() engine.Model {
	return engine.Model{Name: "scripted", Rate: 16000, MaxWindow: 30 * time.Second, Languages: []string{"ru"}}
}

func (scripted) Device() (backend, name string) { return "CPU", "script" }

func (s scripted) Transcribe(ctx context.Context, samples engine.Samples, _ string) ([]engine.Segment, error) {
	select {
	case <-time.After(s.takes):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	length := time.Duration(len(samples.PCM)) * time.Second / time.Duration(samples.Rate)
	text := " слушал " + strconv.Itoa(int(length.Milliseconds()))
	return []engine.Segment{{End: length, Text: text, Tokens: []engine.Token{{Text: text, End: length, P: 1}}}}, nil
}

func (scripted) Close() error { return nil }
