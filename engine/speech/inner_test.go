package speech

import (
	"bytes"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"flysense/engine"
)

func TestBackoff(t *testing.T) {
	l := Limits{}.orDefault()
	for deaths, want := range map[int]time.Duration{0: time.Second, 1: 2 * time.Second, 5: 32 * time.Second, 8: 256 * time.Second, 9: 5 * time.Minute, 1000: 5 * time.Minute} {
		if got := backoff(deaths, l); got != want {
			t.Errorf("after %d deaths %v, want %v", deaths, got, want)
		}
	}
}

// The deadline follows the model: a slow one gets hours, a fast one seconds.
func TestDeadline(t *testing.T) {
	l := Limits{}.orDefault()
	for name, tt := range map[string]struct {
		window float64 // seconds
		audio  time.Duration
		want   time.Duration
	}{
		"GPU":                  {0.2, 30 * time.Second, 34 * time.Second},
		"GPU, a short window":  {0.2, time.Second, 34 * time.Second},
		"large model on a CPU": {40, 30 * time.Second, 830 * time.Second},
		"two passes":           {40, 31 * time.Second, 1630 * time.Second},
	} {
		v := speed{Window: tt.window, Windows: 1}
		if got := v.deadline(tt.audio, 30*time.Second, l); got.Round(time.Millisecond) != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}

func TestLearn(t *testing.T) {
	now := time.Unix(1, 0)
	var v speed
	v.learn(30*time.Second, 3*time.Second, now) // the calibration
	if v.Window != 3 || v.realtime() != 10 || v.At != now {
		t.Errorf("%+v", v)
	}
	for range 200 {
		v.learn(10*time.Second, 2*time.Second, now)
	}
	if math.Abs(v.Window-2) > 0.05 || math.Abs(v.realtime()-5) > 0.05 {
		t.Errorf("after 200 others: %+v, %v", v, v.realtime())
	}
	if (&speed{}).realtime() != 0 {
		t.Error("an unmeasured speed")
	}
}

func TestSpeedsAreLimitedAndSurviveDamage(t *testing.T) {
	s := speeds{t.TempDir()}
	for i := range maxSpeeds + 5 {
		if err := s.save(string(rune('A'+i)), speed{Windows: i, At: time.Unix(int64(i), 0)}); err != nil {
			t.Fatal(err)
		}
	}
	all, err := s.all()
	if _, oldest := all["A"]; err != nil || len(all) != maxSpeeds || oldest {
		t.Errorf("%d kept, %v", len(all), err)
	}
	file := filepath.Join(s.dir, speedFile)
	if err := os.WriteFile(file, []byte(`{"half`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.all(); err == nil {
		t.Error("a damaged file was read")
	}
	if err := s.save("new", speed{Windows: 1}); err != nil {
		t.Fatal(err)
	}
	if all, err := s.all(); err != nil || len(all) != 1 {
		t.Errorf("%v, %v", all, err)
	}
}

func TestTail(t *testing.T) {
	var lines tail
	var text strings.Builder
	for range 3 * tailLines {
		text.WriteString("early\n")
	}
	text.WriteString(strings.Repeat("x", 1<<20) + "\nlast\nwithout an end")
	lines.read(strings.NewReader(text.String()))
	got := lines.last(1000)
	if len(got) != tailLines {
		t.Fatalf("%d lines", len(got))
	}
	if got[tailLines-1] != "without an end" || got[tailLines-2] != "last" || len(got[tailLines-3]) != tailWidth {
		t.Errorf("%.60q", got[tailLines-3:])
	}
}

func TestFrames(t *testing.T) {
	var wire bytes.Buffer
	in := engine.Samples{Rate: 16000, PCM: []float32{0, -1, 0.25}}
	if err := writeFrame(&wire, request{ID: 7, Language: "ru", Rate: in.Rate}, packSamples(in.PCM)); err != nil {
		t.Fatal(err)
	}
	whole := bytes.Clone(wire.Bytes())
	var r request
	body, err := readFrame(&wire, &r)
	if err != nil || r.ID != 7 || r.Language != "ru" || r.Rate != 16000 {
		t.Fatalf("%+v, %v", r, err)
	}
	pcm, err := unpackSamples(body)
	if err != nil || len(pcm) != 3 || pcm[1] != -1 || pcm[2] != 0.25 {
		t.Errorf("%v, %v", pcm, err)
	}
	if _, err := readFrame(&wire, &r); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}
	for n := 1; n < len(whole); n++ {
		if _, err := readFrame(bytes.NewReader(whole[:n]), &r); err == nil || errors.Is(err, io.EOF) {
			t.Fatalf("cut after %d bytes: %v", n, err)
		}
	}
	if err := writeFrame(io.Discard, request{}, make([]byte, maxBody+1)); !errors.Is(err, errFrame) {
		t.Errorf("too large: %v", err)
	}
}

func FuzzReadFrame(f *testing.F) {
	f.Add([]byte{2, 0, 0, 0, 0, 0, 0, 0, '{', '}'})
	f.Add([]byte{255, 255, 255, 255, 255, 255, 255, 255})
	f.Fuzz(func(_ *testing.T, raw []byte) {
		var r reply
		_, _ = readFrame(bytes.NewReader(raw), &r)
	})
}
