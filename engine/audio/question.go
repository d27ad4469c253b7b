package audio

import (
	"time"

	"flysense/engine"
)

// File descriptors a worker inherits besides the standard three.
const (
	recordingFD = 3
	samplesFD   = 4
)

// question is the one line a worker reads from its standard input.
type question struct {
	Name   string        // the link's last part
	Bytes  int64         // limit
	Length time.Duration // limit
	Rate   int           // Hz of the samples to write; 0 = none
}

// answer is the one line it writes.
type answer struct {
	Recording engine.Recording
	Windows   []engine.Window
	Leak      []engine.Window
	Channels  int   // in the samples
	Frames    int64 // samples per channel
	Bad       *engine.BadAudio
	Error     string
}
