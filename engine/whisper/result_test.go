package whisper

import (
	"encoding/binary"
	"math"
	"slices"
	"testing"
	"time"

	"flysense/engine"
)

func TestJoin(t *testing.T) {
	ms := time.Millisecond
	for name, tt := range map[string]struct{ in, want []engine.Token }{
		"a letter in two tokens": {
			[]engine.Token{{Text: " п\xd1", Start: 10 * ms, End: 20 * ms, P: 0.9}, {Text: "\x80и", Start: 20 * ms, End: 30 * ms, P: 0.5}, {Text: "вет", Start: 30 * ms, End: 40 * ms, P: 0.8}},
			[]engine.Token{{Text: " при", Start: 10 * ms, End: 30 * ms, P: 0.5}, {Text: "вет", Start: 30 * ms, End: 40 * ms, P: 0.8}},
		},
		"four bytes in four tokens": {
			[]engine.Token{{Text: "\xf0"}, {Text: "\x9f"}, {Text: "\x98"}, {Text: "\x80"}},
			[]engine.Token{{Text: "😀"}},
		},
		"never finished": {
			[]engine.Token{{Text: "да"}, {Text: "\xd1"}},
			[]engine.Token{{Text: "да"}},
		},
		"never begun":   {[]engine.Token{{Text: "\x80нет"}}, []engine.Token{{Text: "нет"}}},
		"empty strings": {[]engine.Token{{Text: ""}, {Text: "а"}, {Text: ""}}, []engine.Token{{Text: "а"}}},
	} {
		if got := join(tt.in); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
		}
	}
}

// flat writes what bridge.c writes: one segment with one token.
func flat(t0, t1 int64, text string, k0, k1 int64, token string, p float32) []byte {
	var b []byte
	i32 := func(v int) { b = binary.NativeEndian.AppendUint32(b, uint32(v)) }
	i64 := func(v int64) { b = binary.NativeEndian.AppendUint64(b, uint64(v)) }
	str := func(s string) { i32(len(s)); b = append(b, s...) }
	i32(1)
	i64(t0)
	i64(t1)
	b = binary.NativeEndian.AppendUint32(b, math.Float32bits(0.25))
	str(text)
	i32(1)
	i64(k0)
	i64(k1)
	b = binary.NativeEndian.AppendUint32(b, math.Float32bits(p))
	str(token)
	return b
}

func TestDecode(t *testing.T) {
	got, err := decode(flat(50, 900, " да", -1, 5000, " да", 0.5), 2*time.Second)
	if err != nil || len(got) != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	s := got[0]
	if s.Start != 500*time.Millisecond || s.End != 2*time.Second || s.Text != " да" || s.NoSpeech != 0.25 {
		t.Errorf("%+v", s)
	}
	if len(s.Tokens) != 1 || s.Tokens[0] != (engine.Token{Text: " да", Start: 500 * time.Millisecond, End: 2 * time.Second, P: 0.5}) {
		t.Errorf("%+v", s.Tokens)
	}
	if got, err := decode(flat(0, 10, " ", 0, 10, " ", 0.5), time.Second); err != nil || len(got) != 0 {
		t.Errorf("blank text: %+v, %v", got, err)
	}
	if _, err := decode(nil, time.Second); err == nil {
		t.Error("an empty result was read")
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(flat(50, 900, " да", -1, 5000, " да", 0.5))
	f.Add([]byte{255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, raw []byte) {
		segments, err := decode(raw, time.Second)
		if err != nil {
			return
		}
		for _, s := range segments {
			if s.Start < 0 || s.End > time.Second || s.End < s.Start {
				t.Errorf("%+v", s)
			}
		}
	})
}
