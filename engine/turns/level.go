package turns

import "math"

const (
	// quietest is the noise, in dBFS, below which a channel is taken to have
	// none: digital silence between turns is no measure of speech.
	quietest = -65
	// weakest is how far below loud speech the threshold always lies: where
	// noise comes that close, half of the speech is lost but not all.
	weakest = 14
	// smoothing is the reach, in frames to each side, over which power is
	// averaged: one frame of 10 ms is shorter than a low voice's period.
	smoothing = 2
	// lowestLevel stands for digital silence, in dBFS.
	lowestLevel = -125
)

// activity is one channel measured against itself.
type activity struct {
	level  []float32 // smoothed
	speech float32   // loud speech
	on     float32   // level at which speech begins
	none   bool      // nothing stands out of the noise
}

func measure(levels []float32, s Settings, minFrames int) activity {
	a := activity{level: smooth(levels)}
	noise := max(quietest, percentile(a.level, 0.10, -math.MaxFloat32))
	above := noise + s.NoiseMargin
	if count(a.level, above) < minFrames {
		return activity{level: a.level, none: true}
	}
	a.speech = percentile(a.level, 0.90, above)
	a.on = max(a.speech-s.SpeechRange, min(above, a.speech-weakest))
	return a
}

// smooth averages power, not decibels.
func smooth(levels []float32) []float32 {
	power := make([]float64, len(levels))
	for i, l := range levels {
		power[i] = math.Pow(10, float64(l)/10)
	}
	out := make([]float32, len(levels))
	for i := range out {
		from, to := max(0, i-smoothing), min(len(levels), i+smoothing+1)
		var sum float64
		for _, p := range power[from:to] {
			sum += p
		}
		out[i] = float32(10 * math.Log10(max(sum/float64(to-from), 1e-12)))
	}
	return out
}

// percentile is the level below which a share of the frames above a floor lie.
// It counts in bins of half a decibel: a day has millions of frames.
func percentile(levels []float32, share float64, floor float32) float32 {
	const bins, perDB = 260, 2
	var histogram [bins]int
	total := 0
	for _, l := range levels {
		if l >= floor {
			histogram[min(bins-1, max(0, int((l-lowestLevel)*perDB)))]++
			total++
		}
	}
	need := int(math.Ceil(share * float64(total)))
	for b, n := range histogram {
		if need -= n; need <= 0 {
			return float32(b)/perDB + lowestLevel
		}
	}
	return lowestLevel
}

func count(levels []float32, above float32) int {
	n := 0
	for _, l := range levels {
		if l >= above {
			n++
		}
	}
	return n
}
