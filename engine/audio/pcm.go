package audio

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"flysense/engine"
)

// pcm gives out windows of a file of interleaved 16 bit samples.
type pcm struct {
	file     *os.File
	rate     int
	channels int
	frames   int64
	leak     []engine.Window // ordered by start
}

// What is muted stays as faint as muted, with slopes of ramp at both ends: a
// hard edge is a click.
const (
	muted = 0.01
	ramp  = 10 * time.Millisecond
)

var errNoChannel = errors.New("the recording has no such channel")

// Read returns exactly the samples from the window's start to its end, less
// what lies behind the end of the recording.
func (p *pcm) Read(w engine.Window) (engine.Samples, error) {
	if w.Channel < 0 || w.Channel >= p.channels {
		return engine.Samples{}, fmt.Errorf("channel %d of %d: %w", w.Channel, p.channels, errNoChannel)
	}
	from := min(max(0, samplesAt(w.Start, p.rate)), p.frames)
	to := min(max(from, samplesAt(w.End, p.rate)), p.frames)
	step := int64(p.channels) * 2
	raw := make([]byte, (to-from)*step)
	if _, err := io.ReadFull(io.NewSectionReader(p.file, from*step, int64(len(raw))), raw); err != nil && len(raw) > 0 {
		return engine.Samples{}, fmt.Errorf("read samples: %w", err)
	}
	out := make([]float32, to-from)
	for i := range out {
		out[i] = fromPCM16(raw[int64(i)*step+int64(w.Channel)*2:])
	}
	p.mute(w.Channel, from, out)
	return engine.Samples{Rate: p.rate, PCM: out}, nil
}

// mute turns the other side's leak down in the samples of a channel that begin
// at a sample of the call.
func (p *pcm) mute(channel int, from int64, out []float32) {
	slope := float32(samplesAt(ramp, p.rate))
	for _, l := range p.leak {
		start, end := samplesAt(l.Start, p.rate)-from, samplesAt(l.End, p.rate)-from
		if l.Channel != channel || end <= 0 || start >= int64(len(out)) {
			continue
		}
		for i := max(0, start); i < min(end, int64(len(out))); i++ {
			depth := min(1, float32(min(i-start, end-1-i)+1)/slope)
			out[i] *= 1 - depth*(1-muted)
		}
	}
}

// Close gives the disk space back.
func (p *pcm) Close() error { return p.file.Close() }
