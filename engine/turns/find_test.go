package turns

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"

	"flysense/engine"
)

// sketch draws levels: a bed of noise and stretches of speech on it.
type sketch struct {
	length time.Duration
	noise  float64 // dBFS
	jitter float64 // dB, of the noise
	speech []stroke
	seed   uint64
}

// stroke is a stretch of speech: syllables of 150 ms with softer joints.
type stroke struct {
	from, to time.Duration
	level    float64 // dBFS
}

func (s sketch) levels() []float32 {
	random := rand.New(rand.NewPCG(s.seed, 7))
	out := make([]float32, s.length/frame)
	for i := range out {
		at := time.Duration(i) * frame
		p := math.Pow(10, (s.noise+s.jitter*random.NormFloat64())/10)
		for _, v := range s.speech {
			if at >= v.from && at < v.to {
				syllable := 6 * math.Cos(2*math.Pi*(at-v.from).Seconds()/0.15)
				p += math.Pow(10, (v.level-6-syllable+2*random.NormFloat64())/10)
			}
		}
		out[i] = float32(10 * math.Log10(max(p, 1e-12)))
	}
	return out
}

const sec = time.Second

// every makes strokes of one length at a step.
func every(step, length, until time.Duration, level float64) []stroke {
	var all []stroke
	for at := step; at+length < until; at += step {
		all = append(all, stroke{at, at + length, level})
	}
	return all
}

func TestFind(t *testing.T) {
	quiet := sketch{length: 60 * sec, noise: -62, jitter: 1}
	with := func(s ...stroke) sketch { return sketch{length: 60 * sec, noise: -62, jitter: 1, speech: s} }
	type want struct {
		channel    int
		start, end time.Duration
	}
	for name, tt := range map[string]struct {
		channels []sketch
		want     []want
	}{
		"no channels":             {},
		"no frames":               {channels: []sketch{{}}},
		"digital silence":         {channels: []sketch{{length: 60 * sec, noise: -120}, {length: 60 * sec, noise: -120}}},
		"steady noise":            {channels: []sketch{{length: 60 * sec, noise: -40, jitter: 1}, {length: 60 * sec, noise: -25, jitter: 2}}},
		"noise begins":            {channels: []sketch{{length: 60 * sec, noise: -120, speech: nil}, {length: 60 * sec, noise: -45, jitter: 1.5}}},
		"one word in a minute":    {channels: []sketch{with(stroke{30 * sec, 30*sec + 400*time.Millisecond, -20})}, want: []want{{0, 30 * sec, 30*sec + 400*time.Millisecond}}},
		"a click":                 {channels: []sketch{with(stroke{30 * sec, 30*sec + 30*time.Millisecond, -6})}},
		"short pauses are joined": {channels: []sketch{with(stroke{10 * sec, 12 * sec, -20}, stroke{12*sec + 500*time.Millisecond, 14 * sec, -20})}, want: []want{{0, 10 * sec, 14 * sec}}},
		"long pauses are not":     {channels: []sketch{with(stroke{10 * sec, 12 * sec, -20}, stroke{14 * sec, 16 * sec, -20})}, want: []want{{0, 10 * sec, 12 * sec}, {0, 14 * sec, 16 * sec}}},
		"turn by turn": {
			channels: []sketch{with(stroke{1 * sec, 4 * sec, -20}, stroke{9 * sec, 12 * sec, -20}), with(stroke{5 * sec, 8 * sec, -26})},
			want:     []want{{0, 1 * sec, 4 * sec}, {1, 5 * sec, 8 * sec}, {0, 9 * sec, 12 * sec}},
		},
		"both at once, one 14 dB quieter": {
			channels: []sketch{with(stroke{1 * sec, 9 * sec, -20}), with(stroke{4 * sec, 8 * sec, -34}, stroke{20 * sec, 23 * sec, -34})},
			want:     []want{{0, 1 * sec, 9 * sec}, {1, 4 * sec, 8 * sec}, {1, 20 * sec, 23 * sec}},
		},
		"a shout after whispers":   {channels: []sketch{with(stroke{5 * sec, 10 * sec, -38}, stroke{20 * sec, 22 * sec, -14})}, want: []want{{0, 5 * sec, 10 * sec}, {0, 20 * sec, 22 * sec}}},
		"from the very beginning":  {channels: []sketch{with(stroke{0, 2 * sec, -20})}, want: []want{{0, 0, 2 * sec}}},
		"to the very end":          {channels: []sketch{with(stroke{58 * sec, 60 * sec, -20})}, want: []want{{0, 58 * sec, 60 * sec}}},
		"other channel only leaks": {channels: []sketch{with(stroke{10 * sec, 15 * sec, -20}, stroke{30 * sec, 40 * sec, -22}), leakOf(quiet, -20, stroke{10 * sec, 15 * sec, -20}, stroke{30 * sec, 40 * sec, -22})}, want: []want{{0, 10 * sec, 15 * sec}, {0, 30 * sec, 40 * sec}}},
	} {
		t.Run(name, func(t *testing.T) {
			var levels [][]float32
			for c, s := range tt.channels {
				s.seed = uint64(c)
				if s.seed == 1 && len(tt.want) > 0 && name == "other channel only leaks" {
					s.seed = 0 // the same sound, fainter
				}
				levels = append(levels, s.levels())
			}
			windows, _ := Find(levels, frame)
			if len(windows) != len(tt.want) {
				t.Fatalf("%v, want %v", windows, tt.want)
			}
			for i, w := range windows {
				const most = 250 * time.Millisecond
				if w.Index != i || w.Channel != tt.want[i].channel || w.Start > tt.want[i].start || w.End < tt.want[i].end ||
					tt.want[i].start-w.Start > most || w.End-tt.want[i].end > most {
					t.Errorf("window %d: channel %d %v-%v, want %v", i, w.Channel, w.Start, w.End, tt.want[i])
				}
			}
		})
	}
}

func leakOf(bed sketch, by float64, strokes ...stroke) sketch {
	for _, s := range strokes {
		bed.speech = append(bed.speech, stroke{s.from, s.to, s.level + by})
	}
	return bed
}

// TestMonologueIsCut: a speaker who never pauses is cut where he is quietest,
// nothing is lost between the pieces, and no piece is longer than allowed.
func TestMonologueIsCut(t *testing.T) {
	s := sketch{length: 200 * sec, noise: -62, jitter: 1, speech: every(5*sec+200*time.Millisecond, 5*sec, 190*sec, -20)}
	levels := s.levels()
	windows, _ := Find([][]float32{levels}, frame)
	if len(windows) < 6 {
		t.Fatalf("%d windows", len(windows))
	}
	for i, w := range windows {
		if w.End-w.Start > Defaults().MaxWindow {
			t.Errorf("window of %v", w.End-w.Start)
		}
		if i == 0 {
			continue
		}
		if w.Start != windows[i-1].End {
			t.Errorf("%v is followed by %v", windows[i-1].End, w.Start)
		}
		if l := levels[w.Start/frame]; l > -50 {
			t.Errorf("cut at %v within a word, %.0f dBFS", w.Start, l)
		}
	}
}

// TestHeavyOverlapKeepsBoth: where both talk most of the time, the commonest
// difference of levels must not pass for a leak.
func TestHeavyOverlapKeepsBoth(t *testing.T) {
	a := sketch{length: 120 * sec, noise: -62, jitter: 1, seed: 1, speech: every(5*sec, 4*sec, 120*sec, -20)}
	b := sketch{length: 120 * sec, noise: -62, jitter: 1, seed: 2, speech: every(5500*time.Millisecond, 4*sec, 120*sec, -28)}
	windows, leak := Find([][]float32{a.levels(), b.levels()}, frame)
	for c, s := range []sketch{a, b} {
		for _, v := range s.speech {
			for at := v.from + edge; at < v.to-edge; at += frame {
				if !inside(windows, c, at) {
					t.Fatalf("channel %d at %v is in no window", c, at)
				}
				if inside(leak, c, at) {
					t.Fatalf("channel %d at %v is muted", c, at)
				}
			}
		}
	}
}

func inside(all []engine.Window, channel int, at time.Duration) bool {
	for _, w := range all {
		if w.Channel == channel && at >= w.Start && at < w.End {
			return true
		}
	}
	return false
}

// TestWithoutLeakGateCallsFail shows that the figures of TestCalls depend on it.
func TestWithoutLeakGateCallsFail(t *testing.T) {
	s := Defaults()
	s.LeakMargin = -100
	l := line{gain: [2]float64{0, -14}, leak: -20}
	var wrong, listened time.Duration
	for _, c := range calls(t) {
		windows, leak := s.Find(l.through(c.levels, nil), frame)
		f := compare(c, windows, leak)
		wrong, listened = wrong+f.wrong, listened+f.listened
	}
	if wrong < listened/5 {
		t.Errorf("only %v of %v are wrong without the gate", wrong, listened)
	}
}

// TestLeakIsMeasured: per direction, also when the sides differ in level.
func TestLeakIsMeasured(t *testing.T) {
	s := Defaults()
	for _, tt := range []line{{leak: -20}, {leak: -26, gain: [2]float64{0, -14}}, {leak: -14, gain: [2]float64{-10, 0}}, {leak: -20, late: 4}} {
		for _, c := range calls(t)[:3] {
			levels := tt.through(c.levels, nil)
			a, b := measure(levels[0], s, 12), measure(levels[1], s, 12)
			for _, got := range []float32{leakInto(a, b).gain, leakInto(b, a).gain} {
				if math.Abs(float64(got)-tt.leak) > 1.5 {
					t.Errorf("%s %+v: measured %.1f dB", c.name, tt, got)
				}
			}
		}
	}
}

// TestWindowsAreSound: whatever the levels, windows lie within the call, in
// order, apart from each other on their channel, and within the lengths set.
func TestWindowsAreSound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		length := time.Duration(rapid.IntRange(0, 90).Draw(t, "seconds")) * sec
		var levels [][]float32
		for c := range rapid.IntRange(1, 2).Draw(t, "channels") {
			s := sketch{
				length: length, seed: uint64(c),
				noise:  float64(rapid.IntRange(-120, -20).Draw(t, "noise")),
				jitter: float64(rapid.IntRange(0, 8).Draw(t, "jitter")),
			}
			for range rapid.IntRange(0, 12).Draw(t, "strokes") {
				from := time.Duration(rapid.IntRange(0, 90_000).Draw(t, "from")) * time.Millisecond
				s.speech = append(s.speech, stroke{from, from + time.Duration(rapid.IntRange(10, 60_000).Draw(t, "ms"))*time.Millisecond, float64(rapid.IntRange(-80, 0).Draw(t, "level"))})
			}
			levels = append(levels, s.levels())
		}
		s := Defaults()
		windows, leak := Find(levels, frame)
		for _, all := range [][]engine.Window{windows, leak} {
			last := []time.Duration{0, 0}
			for i, w := range all {
				if w.Index != i || w.Channel < 0 || w.Channel >= len(levels) || w.Start < 0 || w.End > length || w.Start >= w.End {
					t.Fatalf("window %d of a call of %v: %+v", i, length, w)
				}
				if i > 0 && w.Start < all[i-1].Start {
					t.Fatalf("%+v after %+v", w, all[i-1])
				}
				if w.Start < last[w.Channel] {
					t.Fatalf("%+v begins before %v", w, last[w.Channel])
				}
				last[w.Channel] = w.End
			}
		}
		for _, w := range windows {
			if w.End-w.Start > s.MaxWindow {
				t.Fatalf("window of %v", w.End-w.Start)
			}
		}
	})
}
