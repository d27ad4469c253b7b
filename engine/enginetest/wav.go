package enginetest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
)

// WriteWAV writes channels of equal length, -1..1 at rate Hz, as 16-bit PCM.
func WriteWAV(path string, rate uint32, channels ...[]float32) error {
	if len(channels) == 0 || len(channels) > math.MaxUint16/2 {
		return errors.New("write WAV: no channels, or too many")
	}
	n := len(channels[0])
	for _, c := range channels {
		if len(c) != n {
			return fmt.Errorf("write WAV: channels of %d and %d samples", n, len(c))
		}
	}
	var data bytes.Buffer
	frame := make([]byte, 2*len(channels))
	for i := range n {
		for j, c := range channels {
			v := math.Round(float64(max(-1, min(1, c[i]))) * math.MaxInt16)
			binary.LittleEndian.PutUint16(frame[2*j:], uint16(int16(v))) //nolint:gosec // two's complement is the format
		}
		data.Write(frame)
	}
	if data.Len() > math.MaxUint32-36 {
		return errors.New("write WAV: longer than the format allows")
	}
	size, block := uint32(data.Len()), uint16(len(frame)) //nolint:gosec // checked above
	var b bytes.Buffer
	b.WriteString("RIFF")
	for _, v := range []any{
		36 + size, []byte("WAVEfmt "), uint32(16), uint16(1), block / 2, rate, rate * uint32(block), block, uint16(16), []byte("data"), size,
	} {
		if err := binary.Write(&b, binary.LittleEndian, v); err != nil {
			return fmt.Errorf("write WAV: %w", err)
		}
	}
	b.Write(data.Bytes())
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		return fmt.Errorf("write WAV: %w", err)
	}
	return nil
}

// Crosstalk makes a worse call of a good one: the client's level changes by
// clientDB, then each channel hears the other at leakDB (both negative, such
// as -14 and -20). Channels are of equal length; the originals stay as they are.
func Crosstalk(agent, client []float32, clientDB, leakDB float64) (worseAgent, worseClient []float32) {
	gain, leak := float32(math.Pow(10, clientDB/20)), float32(math.Pow(10, leakDB/20))
	worseAgent, worseClient = make([]float32, len(agent)), make([]float32, len(client))
	for i := range agent {
		c := client[i] * gain
		worseAgent[i], worseClient[i] = agent[i]+c*leak, c+agent[i]*leak
	}
	return worseAgent, worseClient
}
