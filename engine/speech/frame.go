package speech

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"

	"flysense/engine"
)

// Limits of one message between supervisor and worker.
const (
	maxHead = 1 << 20 // bytes of JSON: a window gives some hundred tokens
	maxBody = 8 << 20 // bytes of samples: 30 s at 48 kHz are 5.8 MB
)

var errFrame = errors.New("a message that breaks the protocol")

// request goes to the worker; the samples follow as the body.
type request struct {
	ID       uint64 `json:"id"`
	Cancel   bool   `json:"cancel,omitempty"` // give up the window ID; no samples
	Language string `json:"language,omitempty"`
	Rate     int    `json:"rate,omitempty"`
}

// The kinds of reply.
const (
	kindReady  = "ready"  // the model is loaded
	kindFailed = "failed" // it cannot be loaded
	kindBeat   = "beat"   // the worker lives
	kindDone   = "done"   // a window is finished, well or with Problem
)

// reply comes from the worker.
type reply struct {
	Kind       string           `json:"kind"`
	ID         uint64           `json:"id,omitempty"`
	Problem    string           `json:"problem,omitempty"`
	Segments   []engine.Segment `json:"segments,omitempty"`
	Model      *engine.Model    `json:"model,omitempty"`
	Backend    string           `json:"backend,omitempty"`
	Device     string           `json:"device,omitempty"`
	GPUs       []GPU            `json:"gpus,omitempty"`
	GPUProblem string           `json:"gpu_problem,omitempty"`
}

// writeFrame writes head as JSON and body behind their two lengths.
func writeFrame(w io.Writer, head any, body []byte) error {
	text, err := json.Marshal(head)
	if err != nil {
		return fmt.Errorf("write message: %w", err)
	}
	if len(text) > maxHead || len(body) > maxBody {
		return fmt.Errorf("write message: %w: %d and %d bytes", errFrame, len(text), len(body))
	}
	frame := make([]byte, 8, 8+len(text)+len(body))
	binary.LittleEndian.PutUint32(frame, uint32(len(text)))     //nolint:gosec // limited above
	binary.LittleEndian.PutUint32(frame[4:], uint32(len(body))) //nolint:gosec // limited above
	frame = append(append(frame, text...), body...)
	if _, err := w.Write(frame); err != nil {
		return fmt.Errorf("write message: %w", err)
	}
	return nil
}

// readFrame reads one message into head and returns its body. At the end of the
// stream, between messages, the error is io.EOF.
func readFrame(r io.Reader, head any) ([]byte, error) {
	var lengths [8]byte
	if _, err := io.ReadFull(r, lengths[:]); errors.Is(err, io.EOF) {
		return nil, io.EOF
	} else if err != nil {
		return nil, fmt.Errorf("read message: %w", err)
	}
	headBytes, bodyBytes := binary.LittleEndian.Uint32(lengths[:]), binary.LittleEndian.Uint32(lengths[4:])
	if headBytes > maxHead || bodyBytes > maxBody {
		return nil, fmt.Errorf("read message: %w: %d and %d bytes announced", errFrame, headBytes, bodyBytes)
	}
	frame := make([]byte, headBytes+bodyBytes)
	if _, err := io.ReadFull(r, frame); err != nil {
		return nil, fmt.Errorf("read message: %w", io.ErrUnexpectedEOF)
	}
	if err := json.Unmarshal(frame[:headBytes], head); err != nil {
		return nil, fmt.Errorf("read message: %w: %w", errFrame, err)
	}
	return frame[headBytes:], nil
}

func packSamples(pcm []float32) []byte {
	out := make([]byte, 4*len(pcm))
	for i, v := range pcm {
		binary.LittleEndian.PutUint32(out[4*i:], math.Float32bits(v))
	}
	return out
}

func unpackSamples(body []byte) ([]float32, error) {
	if len(body)%4 != 0 {
		return nil, fmt.Errorf("%w: %d bytes of samples", errFrame, len(body))
	}
	out := make([]float32, len(body)/4)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(body[4*i:]))
	}
	return out, nil
}
