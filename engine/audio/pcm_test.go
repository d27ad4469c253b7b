package audio

import (
	"math"
	"os"
	"testing"
	"time"

	"flysense/engine"
)

// TestLeakIsMuted: the other side's leak is turned down where it lies, without
// a click, and nowhere else.
func TestLeakIsMuted(t *testing.T) {
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	raw := make([]byte, 16_000*4)
	for i := 0; i < len(raw); i += 2 {
		raw[i+1] = 0x40 // half of full scale
	}
	if _, err := file.Write(raw); err != nil {
		t.Fatal(err)
	}
	p := &pcm{file: file, rate: 16_000, channels: 2, frames: 16_000, leak: []engine.Window{
		{Channel: 1, Start: 300 * time.Millisecond, End: 500 * time.Millisecond},
	}}
	defer p.Close() //nolint:errcheck // a test's file
	for channel, inLeak := range []float32{0.5, 0.5 * muted} {
		for _, tt := range []struct {
			at, from time.Duration
			want     float32
		}{
			{at: 299 * time.Millisecond, want: 0.5},
			{at: 400 * time.Millisecond, want: inLeak},
			{at: 400 * time.Millisecond, from: 350 * time.Millisecond, want: inLeak},
			{at: 501 * time.Millisecond, want: 0.5},
		} {
			s, err := p.Read(engine.Window{Channel: channel, Start: tt.from, End: time.Second})
			if err != nil {
				t.Fatal(err)
			}
			if got := s.PCM[samplesAt(tt.at-tt.from, 16_000)]; math.Abs(float64(got-tt.want)) > 1e-4 {
				t.Errorf("channel %d at %s from %s: %v, want %v", channel, tt.at, tt.from, got, tt.want)
			}
			for i := 1; i < len(s.PCM); i++ {
				if d := s.PCM[i] - s.PCM[i-1]; d > 0.005 || d < -0.005 {
					t.Fatalf("channel %d: a step of %v at sample %d", channel, d, i)
				}
			}
		}
	}
}
