package turns

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"flysense/engine"
)

const frame = 10 * time.Millisecond

// call is a dialogue whose sentences' times are known.
type call struct {
	name      string
	sentences []engine.Window
	levels    [][]float32
}

// calls are the levels of synthesised dialogues, made by package audio's tests.
func calls(t *testing.T) []call {
	t.Helper()
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) < 6 {
		t.Fatalf("%d dialogues, %v", len(files), err)
	}
	var all []call
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var kept struct {
			Sentences [][3]float64
			Levels    [][]byte
		}
		if err := json.Unmarshal(b, &kept); err != nil {
			t.Fatal(err)
		}
		c := call{name: filepath.Base(file)}
		for _, s := range kept.Sentences {
			c.sentences = append(c.sentences, engine.Window{
				Channel: int(s[0]),
				Start:   time.Duration(s[1] * float64(time.Second)),
				End:     time.Duration(s[2] * float64(time.Second)),
			})
		}
		for _, row := range kept.Levels {
			var levels []float32
			for _, b := range row {
				levels = append(levels, float32(b)/2-120)
			}
			c.levels = append(c.levels, levels)
		}
		all = append(all, c)
	}
	return all
}

// line is what a telephone line does to the two sides.
type line struct {
	gain  [2]float64 // dB by channel
	leak  float64    // dB of the other side, 0 = none
	late  int        // frames by which the leak arrives later
	noise float64    // dBFS of steady noise, 0 = none
}

// through adds powers, as independent sounds do.
func (l line) through(levels [][]float32, random *rand.Rand) [][]float32 {
	power := func(c, i int) float64 {
		if i < 0 {
			return 0
		}
		return math.Pow(10, (float64(levels[c][i])+l.gain[c])/10)
	}
	out := make([][]float32, len(levels))
	for c := range levels {
		for i := range levels[c] {
			p := power(c, i)
			if l.leak != 0 && len(levels) == 2 {
				p += power(1-c, i-l.late) * math.Pow(10, l.leak/10)
			}
			if l.noise != 0 {
				p += math.Pow(10, (l.noise+0.7*random.NormFloat64())/10)
			}
			out[c] = append(out[c], float32(10*math.Log10(max(p, 1e-12))))
		}
	}
	return out
}

// figures say how well windows fit what was said.
type figures struct {
	windows         int
	spoken, missed  time.Duration // of the sentences
	listened, wrong time.Duration // of the windows; wrong lies far from every sentence of the channel
	muted           time.Duration // of the sentences
	worst           engine.Window // the sentence with the longest missing part
	worstMissed     time.Duration
}

const (
	edge  = 100 * time.Millisecond // by which the reference's own edges are uncertain
	slack = 300 * time.Millisecond // around a sentence that a window may take
)

func compare(c call, windows, leak []engine.Window) figures {
	f := figures{windows: len(windows)}
	within := func(all []engine.Window, channel int, at, margin time.Duration) bool {
		for _, w := range all {
			if w.Channel == channel && at >= w.Start-margin && at < w.End+margin {
				return true
			}
		}
		return false
	}
	for _, s := range c.sentences {
		var missed time.Duration
		for at := s.Start + edge; at < s.End-edge; at += frame {
			f.spoken += frame
			if !within(windows, s.Channel, at, 0) {
				missed += frame
			}
			if within(leak, s.Channel, at, 0) {
				f.muted += frame
			}
		}
		f.missed += missed
		if missed > f.worstMissed {
			f.worst, f.worstMissed = s, missed
		}
	}
	for _, w := range windows {
		for at := w.Start; at < w.End; at += frame {
			f.listened += frame
			// A pause of up to 0.8 s between two sentences is within 0.4 s of one.
			if !within(c.sentences, w.Channel, at, slack+edge) {
				f.wrong += frame
			}
		}
	}
	return f
}

// TestCalls: every sentence lies in a window of its speaker and next to nothing
// else does, on good lines and on bad ones.
func TestCalls(t *testing.T) {
	for name, l := range map[string]line{
		"clean":                       {},
		"noise":                       {noise: -55},
		"leak":                        {leak: -20},
		"late leak":                   {leak: -20, late: 4, noise: -65},
		"quiet client":                {gain: [2]float64{0, -14}},
		"quiet agent":                 {gain: [2]float64{-14, 0}},
		"quiet client and leak":       {gain: [2]float64{0, -14}, leak: -20},
		"quiet agent, leak and noise": {gain: [2]float64{-14, 0}, leak: -20, noise: -62},
		"weak leak":                   {leak: -32, noise: -62},
	} {
		t.Run(name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(1, 2))
			var sum figures
			for _, c := range calls(t) {
				windows, leak := Find(l.through(c.levels, random), frame)
				f := compare(c, windows, leak)
				t.Logf("%-24s %3d windows of %3d sentences, missed %v of %v, wrong %v of %v, muted %v",
					c.name, f.windows, len(c.sentences), f.missed, f.spoken, f.wrong, f.listened, f.muted)
				if f.worstMissed > 300*time.Millisecond {
					t.Errorf("%s: %v of the sentence at %v-%v of channel %d lie outside", c.name, f.worstMissed, f.worst.Start, f.worst.End, f.worst.Channel)
				}
				sum.spoken, sum.missed = sum.spoken+f.spoken, sum.missed+f.missed
				sum.listened, sum.wrong = sum.listened+f.listened, sum.wrong+f.wrong
				sum.muted += f.muted
			}
			share := func(a, b time.Duration) float64 { return 100 * a.Seconds() / b.Seconds() }
			missed, wrong, muted := share(sum.missed, sum.spoken), share(sum.wrong, sum.listened), share(sum.muted, sum.spoken)
			t.Logf("missed %.2f %%, wrong %.2f %%, muted %.2f %%", missed, wrong, muted)
			if missed > 0.3 || wrong > 0.5 || muted > 0.5 {
				t.Errorf("missed %.2f %%, wrong %.2f %%, muted %.2f %% of speech", missed, wrong, muted)
			}
		})
	}
}
