package audio

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"time"

	"flysense/engine"
)

// blockSamples is how many samples per channel are in the works at a time.
const blockSamples = 8192

// decoded is what one pass over a recording found out.
type decoded struct {
	recording engine.Recording
	levels    [][]float32
	channels  int   // in the samples written: those of the file
	frames    int64 // samples per channel written
}

// decode reads a recording to its end, measures it, and writes its samples,
// resampled to rate, to pcm if that is not nil. Unusable audio is a BadAudio.
func decode(r io.ReaderAt, size int64, name string, limit Limits, rate int, pcm io.Writer) (decoded, error) {
	if size > limit.Bytes {
		return decoded{}, tooLarge(limit.Bytes)
	}
	s, err := open(r, size)
	if err != nil {
		return decoded{}, err
	}
	var out *pcmWriter
	if pcm != nil {
		out = newPCMWriter(pcm, s.channels, s.rate, rate)
	}
	m := newMeter(s.rate, s.channels)
	most := int64(limit.Length.Seconds() * float64(s.rate))
	block := planes(s.channels, blockSamples)
	for {
		n, err := s.read(block)
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return decoded{}, fmt.Errorf("read recording: %w", err)
		}
		part := make([][]float32, s.channels)
		for c := range part {
			part[c] = block[c][:n]
		}
		m.add(part)
		if m.samples > most {
			return decoded{}, tooLong(limit.Length)
		}
		if out != nil {
			if err := out.write(part); err != nil {
				return decoded{}, err
			}
		}
	}
	m.finish()
	truncated, err := verdict(s, m)
	if err != nil {
		return decoded{}, err
	}
	d := decoded{
		recording: engine.Recording{
			Bytes:     size,
			Format:    s.format,
			Rate:      s.rate,
			Channels:  len(m.heard()),
			Length:    m.length(),
			Truncated: truncated,
			Misnamed:  misnamed(name, s.family),
			Peaks:     m.peaks(),
		},
		levels:   m.levels(),
		channels: s.channels,
	}
	if out != nil {
		d.frames, err = out.close()
	}
	return d, err
}

// verdict says whether what was decoded is enough to work with, and whether it
// is less than the file promised.
func verdict(s *source, m *meter) (truncated bool, err error) {
	length := m.length()
	truncated = s.cut || m.samples < s.declared
	switch {
	case truncated && (m.samples*10 < s.declared*9 || length < minCut):
		return true, cutShort(length, max(length, durationOf(s.declared, s.rate)))
	case length < minLength:
		return false, tooShort()
	case m.broken():
		return false, damaged("в нём не звук, а бессмысленные числа")
	}
	return truncated, nil
}

func planes(channels, samples int) [][]float32 {
	all := make([][]float32, channels)
	for c := range all {
		all[c] = make([]float32, samples)
	}
	return all
}

// pcmWriter writes 16 bit little-endian samples of a given rate, interleaved.
type pcmWriter struct {
	to       *bufio.Writer
	channels []*resampler // nil where the rate stays
	ready    [][]float32
	frames   int64
}

func newPCMWriter(to io.Writer, channels, from, rate int) *pcmWriter {
	w := &pcmWriter{to: bufio.NewWriterSize(to, 256<<10), ready: make([][]float32, channels), channels: make([]*resampler, channels)}
	if from != rate {
		for c := range w.channels {
			w.channels[c] = newResampler(from, rate)
		}
	}
	return w
}

func (w *pcmWriter) write(block [][]float32) error {
	for c, samples := range block {
		if r := w.channels[c]; r != nil {
			w.ready[c] = r.push(w.ready[c][:0], samples)
		} else {
			w.ready[c] = append(w.ready[c][:0], samples...)
		}
	}
	return w.put()
}

func (w *pcmWriter) put() error {
	var b [2]byte
	for i := range w.ready[0] {
		for c := range w.ready {
			putPCM16(b[:], w.ready[c][i])
			if _, err := w.to.Write(b[:]); err != nil {
				return fmt.Errorf("write samples: %w", err)
			}
		}
	}
	w.frames += int64(len(w.ready[0]))
	return nil
}

// close writes what is left and returns how many samples each channel got.
func (w *pcmWriter) close() (int64, error) {
	for c, r := range w.channels {
		w.ready[c] = w.ready[c][:0]
		if r != nil {
			w.ready[c] = r.flush(w.ready[c])
		}
	}
	if err := w.put(); err != nil {
		return 0, err
	}
	if err := w.to.Flush(); err != nil {
		return 0, fmt.Errorf("write samples: %w", err)
	}
	return w.frames, nil
}

// samplesAt is the sample that stands at a time.
func samplesAt(t time.Duration, rate int) int64 {
	return int64(t/time.Second)*int64(rate) + int64(t%time.Second)*int64(rate)/int64(time.Second)
}
