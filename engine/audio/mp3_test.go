package audio

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/tosone/minimp3"
)

// TestMP3BlocksMatchWhole: a stream decoded in blocks is, to the bit, the one
// decoded at once.
func TestMP3BlocksMatchWhole(t *testing.T) {
	for _, name := range []string{"8k-long.mp3", "44k-long-vbr.mp3"} {
		file := readFile(t, "testdata/"+name)
		_, whole, err := minimp3.DecodeFull(file)
		if err != nil {
			t.Fatal(err)
		}
		s, pcm := samplesOf(t, file)
		first, _ := parseHeader(file[bytes.IndexByte(file, 0xff):])
		frames := len(whole) / 2 / s.channels / first.samples
		if frames < 2*blockFrames/3 {
			t.Fatalf("%s has only %d frames", name, frames)
		}
		// The whole begins with the silent information frame and the delay.
		skip := len(whole)/2/s.channels - len(pcm[0])
		for ; skip >= 0; skip-- {
			if sampleAt(whole, s.channels, skip+1000, 0) == pcm[0][1000] && same(whole, s.channels, skip, pcm) {
				break
			}
		}
		if skip < 0 {
			t.Errorf("%s: blocks differ from the whole", name)
		}
	}
}

func same(whole []byte, channels, skip int, pcm [][]float32) bool {
	for c := range pcm {
		for i, v := range pcm[c] {
			if v != sampleAt(whole, channels, skip+i, c) {
				return false
			}
		}
	}
	return true
}

func sampleAt(pcm []byte, channels, i, c int) float32 {
	return float32(int16(binary.NativeEndian.Uint16(pcm[2*(i*channels+c):]))) / (1 << 15)
}

// TestMP3DamageKeepsTime: noise in the middle costs its frames and shifts
// nothing by more than them.
func TestMP3DamageKeepsTime(t *testing.T) {
	file := append([]byte(nil), readFile(t, "testdata/8k-long.mp3")...)
	_, before := samplesOf(t, file)
	for i := 10_000; i < 11_000; i++ {
		file[i] = byte(i * 7)
	}
	d, err := decodeBytes(file, "a.mp3", Limits{})
	if err != nil {
		t.Fatal(err)
	}
	lost := int64(len(before[0])) - samplesAt(d.recording.Length, 8000)
	if lost < 10*576 || lost > 20*576 {
		t.Errorf("%d samples lost of 14 frames of 576", lost)
	}
	if !d.recording.Truncated {
		t.Error("a recording with a hole passes for whole")
	}
}
