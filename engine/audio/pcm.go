package audio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"flysense/engine"
)

// pcm gives out windows of a file of interleaved 16 bit samples.
type pcm struct {
	file     *os.File
	rate     int
	channels int
	frames   int64
}

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
		out[i] = float32(int16(binary.LittleEndian.Uint16(raw[int64(i)*step+int64(w.Channel)*2:]))) / (1 << 15)
	}
	return engine.Samples{Rate: p.rate, PCM: out}, nil
}

// Close gives the disk space back.
func (p *pcm) Close() error { return p.file.Close() }
