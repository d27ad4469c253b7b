//go:build whisper

package speech_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"

	"flysense/engine"
	"flysense/engine/speech"
	"flysense/engine/whisper"
)

const (
	demoModel = "../../models/demo/ggml-demo-ru.bin"
	demoHash  = "d60cd32600bc814ef2fd3b71acdf2cb6b931dd68ff13bf17ecc54be0f36ca411"
)

// realWorker is what the command "worker speech" does.
func realWorker() {
	end(speech.Main(func(context.Context) (speech.Recogniser, error) {
		return whisper.Load(demoModel, whisper.Options{States: 2, FlashAttention: true, Log: slog.New(slog.NewTextHandler(os.Stderr, nil))})
	}))
}

func spoken(t *testing.T, name string) engine.Samples {
	t.Helper()
	raw, err := os.ReadFile("../whisper/testdata/" + name + ".wav")
	if err != nil {
		t.Fatal(err)
	}
	raw = raw[bytes.Index(raw, []byte("data"))+8:]
	s := engine.Samples{Rate: 16000}
	for ; len(raw) >= 2; raw = raw[2:] {
		s.PCM = append(s.PCM, float32(int16(binary.LittleEndian.Uint16(raw)))/32768)
	}
	return s
}

func words(segments []engine.Segment) string {
	var all strings.Builder
	for _, s := range segments {
		all.WriteString(" " + s.Text)
	}
	clean := strings.NewReplacer(".", "", ",", "", "?", "", "ё", "е").Replace(strings.ToLower(all.String()))
	return strings.Join(strings.Fields(clean), " ")
}

// The whole way with the real library: load, calibrate, several windows at a
// time, a killed worker in between, the end.
func TestRealModel(t *testing.T) {
	s := supervise(t, "real worker", func(o *speech.Options) {
		o.ModelPath, o.StateDir, o.DemoHashes = demoModel, t.TempDir(), []string{demoHash}
	})
	m, err := s.Model(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if m.Name != "ggml-demo-ru.bin" || !m.Demo || m.Rate != 16000 {
		t.Errorf("model %+v", m)
	}
	want := map[string]string{
		"order":  "отлично тогда оформляем заказ оформлен номер семь три один восемь",
		"client": "здравствуйте я хочу узнать цену сколько стоит холодильник",
		"bye":    "до свидания",
	}
	for round := range 2 {
		var wait sync.WaitGroup
		for name, want := range want {
			wait.Go(func() {
				segments, err := s.Transcribe(t.Context(), spoken(t, name), "ru")
				if err != nil || words(segments) != want {
					t.Errorf("%s: %q, %v", name, words(segments), err)
				}
			})
		}
		wait.Wait()
		if round > 0 {
			break
		}
		died := make(chan error, 1)
		long := engine.Samples{Rate: 16000, PCM: make([]float32, 480_000)}
		go func() {
			_, err := s.Transcribe(t.Context(), long, "ru")
			died <- err
		}()
		soon(t, "the window is in work", func() bool { return s.Status().InFlight == 1 })
		worker, err := os.FindProcess(s.Status().PID)
		if err != nil {
			t.Fatal(err)
		}
		if err := worker.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := <-died; !errors.Is(err, engine.ErrWorkerDied) {
			t.Errorf("got %v", err)
		}
	}
	st := s.Status()
	if st.Backend != "CPU" || st.Device == "" || st.Realtime <= 0 || st.Restarts != 1 {
		t.Errorf("%+v", st)
	}
	t.Logf("%s on %s, %.1f s of audio per second", st.Backend, st.Device, st.Realtime)
}
