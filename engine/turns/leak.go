package turns

import (
	"math"
)

const (
	// echoFrames is how long one side's sound takes at most to turn up on the
	// other channel.
	echoFrames = 6
	// loudRange is how far below loud speech the frames lie that the leak is
	// measured on, in dB: quieter ones drown in the other channel's noise.
	loudRange = 15
	// fade is how much weaker an echo is 10 ms before or after its delay, in dB.
	fade = 2
	// A leak lies between these, in dB. Above the highest it would be the same
	// sound on both channels, below the lowest nobody hears it.
	highestLeak = -6
	lowestLeak  = -60
	// heapWidth is the width of the heap of differences, in dB. The heap lies no
	// more than heapReach above the lowest tenth (one in lowShare) of them.
	heapWidth = 3
	heapReach = 4
	lowShare  = 10
)

// crosstalk is how one channel is heard on another.
type crosstalk struct {
	gain  float32 // dB
	delay int     // frames
}

// leakInto measures how much of one channel is heard on another. Where only
// the one speaks, the difference of the two, taken with the echo's delay, is
// always the same, so the leak is a heap in the differences. It is the lowest
// one, because nothing is quieter than the leak while its source sounds: an
// average, or the highest heap, would be drawn up by overlapping speech.
func leakInto(to, from activity) crosstalk {
	most, leak := 0, crosstalk{gain: lowestLeak}
	for delay := range echoFrames + 1 {
		if n, gain := heap(to, from, delay); n > most {
			most, leak = n, crosstalk{gain, delay}
		}
	}
	return leak
}

// heap is the highest heap among the lowest differences at one delay.
func heap(to, from activity, delay int) (frames int, at float32) {
	const bins = highestLeak - lowestLeak + 1 // the last one for everything above
	var histogram [bins]int
	total := 0
	for i, l := range from.level[:max(0, len(from.level)-delay)] {
		if !from.none && l >= from.speech-loudRange {
			d := int(math.Floor(float64(to.level[i+delay] - l)))
			histogram[min(bins-1, max(0, d-lowestLeak))]++
			total++
		}
	}
	top, seen := 0, 0
	for seen*lowShare < total {
		seen += histogram[top]
		top++
	}
	top = min(top+heapReach, bins-1)
	at = lowestLeak
	for b := 0; b+heapWidth <= top; b++ {
		n, sum := 0, float32(0)
		for i, c := range histogram[b : b+heapWidth] {
			n += c
			sum += float32(c) * (float32(lowestLeak+b+i) + 0.5)
		}
		if n > frames {
			frames, at = n, sum/float32(n)
		}
	}
	return frames, at
}

// of is the level the leak of a source cannot exceed by more than chance: the
// echo fades on both sides of its delay.
func (x crosstalk) of(level []float32) []float32 {
	out := make([]float32, len(level))
	for i := range level {
		loudest := float32(lowestLevel)
		for k := range min(echoFrames, i) + 1 {
			away := max(k-x.delay, x.delay-k)
			loudest = max(loudest, level[i-k]-fade*float32(away))
		}
		out[i] = loudest + x.gain
	}
	return out
}

// leaked marks the frames of a channel in which there is no more than the
// other side's leak.
func leaked(to, from activity, s Settings) []bool {
	out := make([]bool, len(to.level))
	if from.none {
		return out
	}
	x := leakInto(to, from)
	for i, l := range x.of(from.level) {
		out[i] = l-x.gain >= from.on-s.Hysteresis && to.level[i] < l+s.LeakMargin
	}
	return out
}
