package enginetest_test

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"testing"

	"flysense/engine/enginetest"
)

func TestWriteWAV(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.wav")
	if err := enginetest.WriteWAV(path, 8000, []float32{0, 1, -1}, []float32{0.5, 9, -9}); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	u16 := func(at int) uint16 { return binary.LittleEndian.Uint16(b[at:]) }
	u32 := func(at int) uint32 { return binary.LittleEndian.Uint32(b[at:]) }
	if len(b) != 44+12 || string(b[:4]) != "RIFF" || u32(4) != 36+12 || string(b[8:16]) != "WAVEfmt " || u16(20) != 1 ||
		u16(22) != 2 || u32(24) != 8000 || u32(28) != 32000 || u16(32) != 4 || u16(34) != 16 || string(b[36:40]) != "data" || u32(40) != 12 {
		t.Errorf("header % x", b[:44])
	}
	for i, want := range []int16{0, 16384, 32767, 32767, -32767, -32767} {
		if got := int16(u16(44 + 2*i)); got != want {
			t.Errorf("sample %d is %d, want %d", i, got, want)
		}
	}
	if err := enginetest.WriteWAV(path, 8000, []float32{0}, nil); err == nil {
		t.Error("channels of different length were written")
	}
	if err := enginetest.WriteWAV(path, 8000); err == nil {
		t.Error("a file without channels was written")
	}
}

func TestCrosstalk(t *testing.T) {
	a, c := enginetest.Crosstalk([]float32{1, 0}, []float32{0, 1}, -20, -40)
	want := [][]float32{{1, 0.001}, {0.01, 0.1}}
	for i, got := range [][]float32{a, c} {
		for j := range got {
			if math.Abs(float64(got[j]-want[i][j])) > 1e-6 {
				t.Errorf("channel %d: %v, want %v", i, got, want[i])
			}
		}
	}
}
