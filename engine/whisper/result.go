package whisper

import (
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"flysense/engine"
)

// Limits of a result: the decoder makes at most 220 tokens per pass, and a
// window takes a few passes.
const (
	maxSegments = 10_000
	maxTokens   = 10_000
	maxText     = 1 << 16 // bytes
)

var errResult = errors.New("the result from the library makes no sense")

// decode reads the flat result of bridge.c. Times are cut to the window's
// length: the library may place an end in the silence it was filled up with.
func decode(raw []byte, length time.Duration) ([]engine.Segment, error) {
	r := reader{rest: raw}
	var segments []engine.Segment
	for range r.count(maxSegments) {
		var s engine.Segment
		s.Start, s.End = r.span(0, length)
		s.NoSpeech = probability(r.float())
		s.Text = strings.ToValidUTF8(r.text(), "")
		var pieces []engine.Token
		for range r.count(maxTokens) {
			var t engine.Token
			t.Start, t.End = r.span(s.Start, s.End)
			t.P = probability(r.float())
			t.Text = r.text()
			pieces = append(pieces, t)
		}
		if r.bad {
			return nil, errResult
		}
		s.Tokens = join(pieces)
		if strings.TrimSpace(s.Text) != "" {
			segments = append(segments, s)
		}
	}
	if r.bad || len(r.rest) != 0 {
		return nil, errResult
	}
	return segments, nil
}

// join makes valid text of the decoder's tokens, which are pieces of bytes: a
// Cyrillic letter may be split between two of them. A joined token spans its
// pieces and is as sure as the least sure one.
func join(pieces []engine.Token) []engine.Token {
	var out []engine.Token
	var open *engine.Token // waits for the rest of a letter
	for _, p := range pieces {
		if p.Text == "" {
			continue
		}
		if open != nil {
			open.Text += p.Text
			open.End = max(open.End, p.End)
			open.P = min(open.P, p.P)
		} else {
			out = append(out, p)
			open = &out[len(out)-1]
		}
		if !endsInside(open.Text) {
			open = nil
		}
	}
	kept := out[:0]
	for _, t := range out {
		if t.Text = strings.ToValidUTF8(t.Text, ""); t.Text != "" {
			kept = append(kept, t)
		}
	}
	return kept
}

// endsInside reports whether text ends in the middle of a character.
func endsInside(text string) bool {
	for i := len(text) - 1; i >= max(0, len(text)-utf8.UTFMax); i-- {
		if utf8.RuneStart(text[i]) {
			return !utf8.FullRuneInString(text[i:])
		}
	}
	return false
}

func probability(p float32) float32 {
	if math.IsNaN(float64(p)) {
		return 0
	}
	return min(max(p, 0), 1)
}

// reader takes values off the front of a result, in the machine's byte order.
type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) take(n int) []byte {
	if r.bad || n < 0 || n > len(r.rest) {
		r.bad = true
		return make([]byte, min(max(n, 0), 8))
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) float() float32 {
	return math.Float32frombits(binary.NativeEndian.Uint32(r.take(4)))
}

func (r *reader) count(limit int) int {
	n := int(int32(binary.NativeEndian.Uint32(r.take(4)))) //nolint:gosec // the sign is wanted
	if r.bad || n < 0 || n > limit {
		r.bad = true
		return 0
	}
	return n
}

func (r *reader) text() string { return string(r.take(r.count(maxText))) }

// span reads start and end in hundredths of a second and keeps them between
// from and to; -1 stands for an unknown time.
func (r *reader) span(from, to time.Duration) (start, end time.Duration) {
	read := func() time.Duration {
		cs := int64(binary.NativeEndian.Uint64(r.take(8))) //nolint:gosec // the sign is wanted
		cs = min(max(cs, -1), int64(24*time.Hour/(10*time.Millisecond)))
		return min(max(time.Duration(cs)*10*time.Millisecond, from), to)
	}
	start, end = read(), read()
	return start, max(start, end)
}
