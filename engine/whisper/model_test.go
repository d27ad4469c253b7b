//go:build whisper

package whisper_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"flysense/engine"
	"flysense/engine/whisper"
)

const demo = "../../models/demo/ggml-demo-ru.bin"

// spoken are the words said in testdata's files, made with espeak-ng voices
// f2, m3 and m7 at 8 kHz and brought to 16 kHz.
var spoken = map[string]string{
	"order":  "отлично тогда оформляем заказ оформлен номер семь три один восемь",
	"client": "здравствуйте я хочу узнать цену сколько стоит холодильник",
	"bye":    "до свидания",
}

func load(t *testing.T, o whisper.Options) *whisper.Model {
	t.Helper()
	o.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	m, err := whisper.Load(demo, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

// window reads a 16 kHz mono WAV of testdata.
func window(t *testing.T, name string) engine.Samples {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name+".wav"))
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(raw, []byte("data"))
	if at < 0 || binary.LittleEndian.Uint32(raw[24:]) != whisper.Rate {
		t.Fatalf("%s is no 16 kHz WAV", name)
	}
	raw = raw[at+8:]
	s := engine.Samples{Rate: whisper.Rate, PCM: make([]float32, len(raw)/2)}
	for i := range s.PCM {
		s.PCM[i] = float32(int16(binary.LittleEndian.Uint16(raw[2*i:]))) / 32768
	}
	return s
}

func plain(text string) string {
	keep := func(r rune) rune {
		if strings.ContainsRune(".,!?-«»", r) {
			return -1
		}
		return r
	}
	return strings.Join(strings.Fields(strings.ReplaceAll(strings.ToLower(strings.Map(keep, text)), "ё", "е")), " ")
}

func textOf(segments []engine.Segment) string {
	var all []string
	for _, s := range segments {
		all = append(all, s.Text)
	}
	return strings.Join(all, " ")
}

func TestWordsAndTimes(t *testing.T) {
	m := load(t, whisper.Options{FlashAttention: true})
	if backend, device := m.Device(); backend != "CPU" || device == "" {
		t.Errorf("computes on %q, %q", backend, device)
	}
	if about := m.Model(); about.Name != "ggml-demo-ru.bin" || about.Rate != 16000 || about.MaxWindow != 30*time.Second {
		t.Errorf("model %+v", about)
	}
	for name, want := range spoken {
		s := window(t, name)
		length := time.Duration(len(s.PCM)) * time.Second / whisper.Rate
		segments, err := m.Transcribe(t.Context(), s, "ru")
		if err != nil {
			t.Fatal(err)
		}
		if got := plain(textOf(segments)); got != want {
			t.Errorf("%s: heard %q, said was %q", name, got, want)
		}
		var tokens strings.Builder
		var last time.Duration
		for _, s := range segments {
			if s.Start < last || s.End <= s.Start || s.End > length {
				t.Errorf("%s: segment %v-%v after %v of %v", name, s.Start, s.End, last, length)
			}
			last = s.Start
			if s.NoSpeech < 0 || s.NoSpeech > 1 {
				t.Errorf("%s: no_speech %v", name, s.NoSpeech)
			}
			for _, tok := range s.Tokens {
				tokens.WriteString(tok.Text)
				if !utf8.ValidString(tok.Text) || strings.HasPrefix(tok.Text, "[_") {
					t.Errorf("%s: token %q", name, tok.Text)
				}
				if tok.Start < s.Start || tok.End > s.End || tok.End < tok.Start || tok.P <= 0 || tok.P > 1 {
					t.Errorf("%s: token %+v outside %v-%v", name, tok, s.Start, s.End)
				}
			}
		}
		if got := plain(tokens.String()); got != want {
			t.Errorf("%s: tokens say %q", name, got)
		}
	}
}

// A window says the same whatever is recognised at the same time or was before.
func TestStatesAreAlone(t *testing.T) {
	m := load(t, whisper.Options{States: 2, FlashAttention: true})
	names := []string{"order", "client", "bye"}
	samples := make(map[string]engine.Samples)
	for _, n := range names {
		samples[n] = window(t, n)
	}
	var wait sync.WaitGroup
	for i := range 9 {
		name := names[i%len(names)]
		wait.Go(func() {
			segments, err := m.Transcribe(t.Context(), samples[name], "ru")
			if err != nil {
				t.Error(err)
			} else if got := plain(textOf(segments)); got != spoken[name] {
				t.Errorf("%s: %q", name, got)
			}
		})
	}
	wait.Wait()
}

func TestNothingSaidNothingHeard(t *testing.T) {
	m := load(t, whisper.Options{})
	for name, n := range map[string]int{"no samples": 0, "one sample": 1, "0.05 s": 800, "10 s": 160_000, "longest": 480_000} {
		segments, err := m.Transcribe(t.Context(), engine.Samples{Rate: whisper.Rate, PCM: make([]float32, n)}, "ru")
		if err != nil || len(segments) != 0 {
			t.Errorf("%s: %+v, %v", name, segments, err)
		}
	}
}

func TestRefusals(t *testing.T) {
	m := load(t, whisper.Options{})
	for name, tt := range map[string]struct {
		s        engine.Samples
		language string
	}{
		"other rate":       {engine.Samples{Rate: 8000, PCM: make([]float32, 8000)}, "ru"},
		"too long":         {engine.Samples{Rate: 16000, PCM: make([]float32, 480_001)}, "ru"},
		"unknown language": {engine.Samples{Rate: 16000, PCM: make([]float32, 16000)}, "xx"},
	} {
		if _, err := m.Transcribe(t.Context(), tt.s, tt.language); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	if _, err := whisper.Load("testdata/bye.wav", whisper.Options{}); !errors.Is(err, whisper.ErrLoad) {
		t.Errorf("a WAV as a model: %v", err)
	}
	if _, err := whisper.Load("testdata/absent.bin", whisper.Options{}); !errors.Is(err, whisper.ErrLoad) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if _, err := whisper.Load(demo, whisper.Options{States: 1000}); err == nil {
		t.Error("1000 states were made")
	}
}

// Cancelled work stops at the next token or layer, and its state is good for
// the next window.
func TestCancel(t *testing.T) {
	m := load(t, whisper.Options{})
	s := window(t, "order")
	long := engine.Samples{Rate: whisper.Rate}
	for len(long.PCM)+len(s.PCM) < 480_000 {
		long.PCM = append(long.PCM, s.PCM...)
	}
	// The best of three: other programs share the machine.
	whole, stopped := time.Hour, time.Hour
	for range 3 {
		began := time.Now()
		if _, err := m.Transcribe(t.Context(), long, "ru"); err != nil {
			t.Fatal(err)
		}
		whole = min(whole, time.Since(began))
	}
	for range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), whole/10)
		began := time.Now()
		_, err := m.Transcribe(ctx, long, "ru")
		stopped = min(stopped, time.Since(began))
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("got %v", err)
		}
	}
	t.Logf("whole window %v, stopped after %v", whole, stopped)
	if stopped > whole*9/10 { // it stops after the encoder's pass or the next token
		t.Errorf("a cancelled window took %v of %v", stopped, whole)
	}
	segments, err := m.Transcribe(t.Context(), s, "ru")
	if err != nil || plain(textOf(segments)) != spoken["order"] {
		t.Errorf("after a cancelled window: %q, %v", textOf(segments), err)
	}

	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := m.Transcribe(cancelled, s, "ru"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestClosed(t *testing.T) {
	m := load(t, whisper.Options{States: 2})
	for range 2 {
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := m.Transcribe(t.Context(), window(t, "bye"), "ru"); err == nil {
		t.Error("a closed model recognised something")
	}
}
