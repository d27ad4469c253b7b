package audio

import (
	"encoding/binary"
	"math"
)

// Samples as integers, little-endian and in two's complement, and as -1..1.

func fromPCM16(b []byte) float32 {
	return float32(int16(binary.LittleEndian.Uint16(b))) / (1 << 15) //nolint:gosec // two's complement
}

func fromPCM24(b []byte) float32 {
	return fromPCM32([]byte{0, b[0], b[1], b[2]})
}

func fromPCM32(b []byte) float32 {
	return float32(int32(binary.LittleEndian.Uint32(b))) / (1 << 31) //nolint:gosec // two's complement
}

func putPCM16(b []byte, v float32) {
	n := math.Round(float64(v) * (1 << 15))
	binary.LittleEndian.PutUint16(b, uint16(int16(max(math.MinInt16, min(math.MaxInt16, n))))) //nolint:gosec // clamped
}
