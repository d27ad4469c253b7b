package audio

import (
	"time"

	"flysense/engine"
)

// What a recording may be (design/reliability.md, section 4).
const (
	DefaultLength = 4 * time.Hour
	HardLength    = 24 * time.Hour // beyond it the speech engine's own counters end

	minLength  = 100 * time.Millisecond // shorter is nobody's speech
	minCut     = time.Second            // of a recording that ends too early
	minRate    = 8_000                  // Hz
	maxRate    = 96_000                 // Hz
	maxChannel = 2
)

// What the worker may use.
const (
	defaultWall    = 20 * time.Minute // a busy machine; loops end by processor time
	defaultWorkers = 2

	// allowance is address space beyond what the process has when it starts:
	// Go reserves a good part of a gigabyte it never touches.
	allowance = 1 << 30
	// cpuFloor and cpuShare bound processor time: slow hardware decodes and
	// resamples stereo two hundred times faster than it plays.
	cpuFloor = 60 * time.Second
	cpuShare = 60

	maxOpenFiles = 16
	maxQuestion  = 64 << 10
	maxAnswer    = 32 << 20 // windows of 24 hours of short turns
	maxStderr    = 4 << 10
)

// Limits of one recording and of the process that reads it. Zero values mean
// the defaults.
type Limits struct {
	Bytes  int64         // size of the file; default engine.MaxRecording
	Length time.Duration // decoded; default DefaultLength, at most HardLength
	Wall   time.Duration // life of the worker; default 20 minutes
}

func (l Limits) orDefault() Limits {
	if l.Bytes == 0 {
		l.Bytes = engine.MaxRecording
	}
	if l.Length == 0 {
		l.Length = DefaultLength
	}
	l.Length = min(l.Length, HardLength)
	if l.Wall == 0 {
		l.Wall = defaultWall
	}
	return l
}
