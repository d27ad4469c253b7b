package audio

import (
	"errors"
	"fmt"
	"io"

	"github.com/tosone/minimp3"
)

// The library decodes only a whole buffer at once, so the stream is cut into
// blocks of frames. Every block begins with the last frames of the one before:
// a frame may borrow up to 511 bytes from its predecessors and overlaps with
// them, and what they decode to once more is thrown away. TestMP3BlocksMatchWhole
// holds this to the bit.
const (
	blockFrames = 512
	warmFrames  = 32
)

// decoderDelay is what every Layer III decoder adds in front, in samples.
const decoderDelay = 528 + 1

// mp3 decodes frames block by block.
type mp3 struct {
	frames *frames
	warm   [][]byte // copies of the frames before the next block
	pcm    []byte   // decoded, 16 bit, interleaved
	skip   int64    // samples to drop at the start: the encoder's and decoder's delay
	left   int64    // samples still to give out
}

// openMP3 walks over all frame headers once, which is quick, and so knows the
// exact length before the first sample is decoded.
func openMP3(r io.ReaderAt, size int64) (*source, error) {
	at, first, ok := firstFrame(r, size)
	if !ok {
		return nil, damaged("в файле нет ни одного кадра MP3")
	}
	all := newFrames(r, size, at, first)
	frame, err := all.next()
	if errors.Is(err, io.EOF) {
		return nil, damaged("в файле нет ни одного целого кадра MP3")
	} else if err != nil {
		return nil, err
	}
	info, isInfo := parseInfo(frame, first)
	start := at
	count := int64(1)
	if isInfo {
		start, count = at+int64(len(frame)), 0
	}
	for {
		if _, err := all.next(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		count++
	}
	spf := int64(first.samples)
	s := &source{
		format:   "mp3 " + map[int]string{1: "MPEG-1", 2: "MPEG-2", 25: "MPEG-2.5"}[first.version],
		rate:     first.rate,
		channels: first.channels,
		cut:      all.cut,
	}
	m := &mp3{frames: newFrames(r, size, start, first), left: count * spf}
	if info.gapless {
		m.skip = min(info.delay+decoderDelay, m.left)
		m.left -= m.skip
		if count == info.frames { // a file cut short or joined has no padding to take off
			m.left = max(0, m.left-max(0, info.padding-decoderDelay))
		}
	}
	// Some encoders count the information frame itself.
	if info.frames > count+1 {
		s.declared = m.left + (info.frames-count)*spf
	}
	s.stream = m
	return s, nil
}

// streamInfo is what a Xing, Info or VBRI frame tells of the whole stream.
type streamInfo struct {
	frames         int64
	gapless        bool
	delay, padding int64 // samples the encoder added at both ends
}

// parseInfo reads the information frame many encoders put first. It holds no
// sound.
func parseInfo(frame []byte, h frameHeader) (streamInfo, bool) {
	if at := headerBytes + 32; len(frame) >= at+18 && string(frame[at:at+4]) == "VBRI" {
		return streamInfo{frames: int64(be32(frame[at+14:]))}, true
	}
	at := h.sideInfo()
	if len(frame) < at+8 {
		return streamInfo{}, false
	}
	if name := string(frame[at : at+4]); name != "Xing" && name != "Info" {
		return streamInfo{}, false
	}
	var info streamInfo
	flags := be32(frame[at+4:])
	at += 8
	for bit, length := range []int{4, 4, 100, 4} { // frames, bytes, seek table, quality
		if flags>>bit&1 == 0 {
			continue
		}
		if bit == 0 && len(frame) >= at+4 {
			info.frames = int64(be32(frame[at:]))
		}
		at += length
	}
	if len(frame) >= at+24 {
		switch string(frame[at : at+4]) {
		case "LAME", "Lavf", "Lavc":
			gap := int64(frame[at+21])<<16 | int64(frame[at+22])<<8 | int64(frame[at+23])
			info.gapless, info.delay, info.padding = true, gap>>12, gap&0xfff
		}
	}
	return info, true
}

func (m *mp3) read(dst [][]float32) (int, error) {
	if m.left == 0 {
		return 0, io.EOF
	}
	channels := len(dst)
	for len(m.pcm) == 0 {
		if err := m.decodeBlock(channels); err != nil {
			return 0, err
		}
		drop := min(m.skip, int64(len(m.pcm)/2/channels))
		m.pcm = m.pcm[drop*2*int64(channels):]
		m.skip -= drop
	}
	n := int(min(int64(len(dst[0])), m.left, int64(len(m.pcm)/2/channels)))
	for i := range n {
		for c := range channels {
			dst[c][i] = fromPCM16(m.pcm[2*(i*channels+c):])
		}
	}
	m.pcm = m.pcm[2*n*channels:]
	m.left -= int64(n)
	return n, nil
}

// decodeBlock fills pcm with the samples of the next frames.
func (m *mp3) decodeBlock(channels int) error {
	var data []byte
	for _, w := range m.warm {
		data = append(data, w...)
	}
	count := 0
	for ; count < blockFrames; count++ {
		frame, err := m.frames.next()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
		data = append(data, frame...)
		m.warm = append(m.warm, append([]byte(nil), frame...))
	}
	if count == 0 {
		return io.EOF
	}
	m.warm = m.warm[max(0, len(m.warm)-warmFrames):]
	_, pcm, err := minimp3.DecodeFull(data)
	if err != nil {
		return fmt.Errorf("decode mp3: %w", err)
	}
	want := count * m.frames.first.samples * channels * 2
	if missing := want - len(pcm); missing > 0 {
		// Frames whose predecessors were lost decode to nothing. Silence in
		// their stead keeps everything behind them at its time.
		pcm = append(make([]byte, missing), pcm...)
	}
	m.pcm = pcm[len(pcm)-want:]
	return nil
}
