package enginetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"flysense/engine"
)

// ErrHang is for a Transcriber's or Decoder's Faults: the call waits until its
// context ends.
var ErrHang = errors.New("hang until the context ends")

// Transcriber is a speech engine that reads from a script. The samples it gets
// from this package's [Decoder] name their window; other samples are nothing to it.
type Transcriber struct {
	About engine.Model                         // what Model returns; the zero value is a plain 16 kHz engine
	Said  map[engine.Window]string             // by window
	Hear  func(engine.Window) []engine.Segment // when set, instead of Said
	// Faults go to Transcribe: engine.ErrWorkerDied, ErrHang, any other.
	Faults Faults
	// Started, when set, is told of each window before it is worked on.
	Started chan<- engine.Window

	mu    sync.Mutex
	calls []engine.Window
}

// Model tells what recognises.
func (t *Transcriber) Model(ctx context.Context) (engine.Model, error) {
	if err := ctx.Err(); err != nil {
		return engine.Model{}, err
	}
	if t.About.Name == "" {
		return engine.Model{Name: "scripted", Rate: 16000, MaxWindow: 30 * time.Second, Languages: []string{"ru"}}, nil
	}
	return t.About, nil
}

// Transcribe returns the script's text for the window the samples came from.
// A window that is not in the script is silence.
func (t *Transcriber) Transcribe(ctx context.Context, s engine.Samples, _ string) ([]engine.Segment, error) {
	w, err := windowOf(s)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	t.calls = append(t.calls, w)
	t.mu.Unlock()
	if t.Started != nil {
		select {
		case t.Started <- w:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if err := obey(ctx, &t.Faults); err != nil {
		return nil, err
	}
	if t.Hear != nil {
		return t.Hear(w), nil
	}
	if text := t.Said[w]; text != "" {
		return []engine.Segment{Say(text, 0, w.End-w.Start)}, nil
	}
	return nil, nil
}

// Calls lists the windows asked for, failed ones too, in order.
func (t *Transcriber) Calls() []engine.Window {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]engine.Window(nil), t.calls...)
}

func obey(ctx context.Context, f *Faults) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := f.take()
	if errors.Is(err, ErrHang) {
		<-ctx.Done()
		return ctx.Err()
	}
	return err
}

// Decoder pretends that every file is the one of its script.
type Decoder struct {
	Recording engine.Recording
	Windows   []engine.Window
	// InspectFaults and OpenFaults go to the methods of that name, ReadFaults
	// to PCM.Read.
	InspectFaults, OpenFaults, ReadFaults Faults

	mu     sync.Mutex
	opened int
	closed int
}

// Inspect returns the script's recording and windows.
func (d *Decoder) Inspect(ctx context.Context, _, _ string) (engine.Recording, []engine.Window, error) {
	if err := obey(ctx, &d.InspectFaults); err != nil {
		return engine.Recording{}, nil, err
	}
	return d.Recording, append([]engine.Window(nil), d.Windows...), nil
}

// Open returns PCM whose samples name the window they were read for.
func (d *Decoder) Open(ctx context.Context, _ string, rate int) (engine.PCM, error) {
	if err := obey(ctx, &d.OpenFaults); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.opened++
	return &pcm{decoder: d, rate: rate}, nil
}

// Unclosed counts the PCM that nobody closed.
func (d *Decoder) Unclosed() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.opened - d.closed
}

type pcm struct {
	decoder *Decoder
	rate    int
	once    sync.Once
}

func (p *pcm) Read(w engine.Window) (engine.Samples, error) {
	if err := p.decoder.ReadFaults.take(); err != nil {
		return engine.Samples{}, err
	}
	return SamplesOf(w, p.rate), nil
}

func (p *pcm) Close() error {
	p.once.Do(func() {
		p.decoder.mu.Lock()
		defer p.decoder.mu.Unlock()
		p.decoder.closed++
	})
	return nil
}

// A window travels to the Transcriber inside samples: mark, index, channel,
// start and end in milliseconds, all of which a float32 holds exactly up to
// four and a half hours.
const (
	mark       = 12345
	markLength = 5
)

// SamplesOf makes samples from which the Transcriber knows the window. Times
// are kept to a millisecond.
func SamplesOf(w engine.Window, rate int) engine.Samples {
	return engine.Samples{Rate: rate, PCM: []float32{
		mark, float32(w.Index), float32(w.Channel), float32(w.Start.Milliseconds()), float32(w.End.Milliseconds()),
	}}
}

func windowOf(s engine.Samples) (engine.Window, error) {
	if len(s.PCM) != markLength || s.PCM[0] != mark {
		return engine.Window{}, fmt.Errorf("%d samples that do not come from enginetest.Decoder", len(s.PCM))
	}
	return engine.Window{
		Index: int(s.PCM[1]), Channel: int(s.PCM[2]),
		Start: time.Duration(s.PCM[3]) * time.Millisecond, End: time.Duration(s.PCM[4]) * time.Millisecond,
	}, nil
}
