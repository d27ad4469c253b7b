package audio

import (
	"math"
	"time"

	"flysense/engine"
)

// frame is the step of the levels handed to the split into windows.
const frame = 10 * time.Millisecond

const (
	framesPerSecond = int64(time.Second / frame)
	silence         = -120 // dBFS of a frame of zeros
	// rumble is where a first-order high-pass takes direct current and mains
	// hum off before levels are measured, in Hz.
	rumble = 120
	// sameChannels is the share of the sound's energy by which two channels of
	// one recording may differ and still be copies.
	sameChannels = 1e-3
	// badSamples is the share of samples that are no numbers, in percent, from
	// which on a file is damaged.
	badSamples = 1
)

// meter listens to decoded audio as it streams by and keeps levels and peaks.
type meter struct {
	rate     int64
	samples  int64 // per channel so far
	frameEnd int64 // sample at which the running frame ends
	nan      int64
	channels []channelMeter

	energy, difference float64 // of two channels together, of one minus the other
}

type channelMeter struct {
	lastIn, lastOut float64 // of the high-pass
	sum             float64
	count           int
	peak            float32

	levels []float32 // dBFS
	peaks  []uint8
}

func newMeter(rate, channels int) *meter {
	m := &meter{rate: int64(rate), channels: make([]channelMeter, channels)}
	m.frameEnd = m.edge(1)
	return m
}

// edge is the sample before which the n-th frame ends.
func (m *meter) edge(n int64) int64 { return n * m.rate / framesPerSecond }

// add takes one block of samples per channel and puts right, in place, what is
// not a number from -1 to 1.
func (m *meter) add(block [][]float32) {
	keep := math.Exp(-2 * math.Pi * rumble / float64(m.rate))
	for i := range block[0] {
		for c := range block {
			v := block[c][i]
			switch {
			case v != v || v > math.MaxFloat32 || v < -math.MaxFloat32:
				m.nan++
				v = 0
			case v > 1:
				v = 1
			case v < -1:
				v = -1
			}
			block[c][i] = v
			m.channels[c].take(v, keep)
		}
		if len(block) == 2 {
			a, b := float64(block[0][i]), float64(block[1][i])
			m.energy += a*a + b*b
			m.difference += (a - b) * (a - b)
		}
		m.samples++
		if m.samples == m.frameEnd {
			m.closeFrame()
		}
	}
}

func (c *channelMeter) take(v float32, keep float64) {
	c.lastOut = keep * (c.lastOut + float64(v) - c.lastIn)
	c.lastIn = float64(v)
	c.sum += c.lastOut * c.lastOut
	c.count++
	c.peak = max(c.peak, v, -v)
}

func (m *meter) closeFrame() {
	for i := range m.channels {
		m.channels[i].closeFrame()
	}
	m.frameEnd = m.edge(int64(len(m.channels[0].levels)) + 1)
}

func (c *channelMeter) closeFrame() {
	level := float32(silence)
	if mean := c.sum / float64(c.count); mean > 1e-12 {
		level = float32(10 * math.Log10(mean))
	}
	c.levels = append(c.levels, level)
	c.peaks = append(c.peaks, uint8(math.Round(float64(c.peak)*255)))
	c.sum, c.count, c.peak = 0, 0, 0
}

// finish closes the last, shorter frame.
func (m *meter) finish() {
	if m.channels[0].count > 0 {
		m.closeFrame()
	}
}

// fake reports two channels that carry one sound: a mixed recording stored as
// stereo does not say who spoke.
func (m *meter) fake() bool {
	return len(m.channels) == 2 && m.difference <= sameChannels*m.energy
}

// heard returns the channels worth listening to.
func (m *meter) heard() []channelMeter {
	if m.fake() {
		return m.channels[:1]
	}
	return m.channels
}

func (m *meter) levels() [][]float32 {
	var all [][]float32
	for _, c := range m.heard() {
		all = append(all, c.levels)
	}
	return all
}

// peaks draws each channel in at most engine.PeakBuckets values.
func (m *meter) peaks() [][]uint8 {
	var all [][]uint8
	for _, c := range m.heard() {
		all = append(all, buckets(c.peaks, engine.PeakBuckets))
	}
	return all
}

func buckets(peaks []uint8, most int) []uint8 {
	n := min(len(peaks), most)
	out := make([]uint8, n)
	for i, p := range peaks {
		b := i * n / len(peaks)
		out[b] = max(out[b], p)
	}
	return out
}

func (m *meter) length() time.Duration { return durationOf(m.samples, int(m.rate)) }

// broken reports more samples that are no numbers than a glitch explains.
func (m *meter) broken() bool {
	return m.nan*100 > badSamples*m.samples*int64(len(m.channels))
}

// durationOf is the playing time of samples, exact to the nanosecond.
func durationOf(samples int64, rate int) time.Duration {
	whole, rest := samples/int64(rate), samples%int64(rate)
	return time.Duration(whole)*time.Second + time.Duration(rest)*time.Second/time.Duration(rate)
}
