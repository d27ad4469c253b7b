package turns

import (
	"slices"
	"time"

	"flysense/engine"
)

// bridge is the longest hole, in frames, within one stretch of speech: a
// plosive, or a moment in which the other side was louder.
const bridge = 10

// guard is how many frames next to a channel's own speech are never called
// leak: the beginning of a word is quieter than the word.
const guard = 5

// shortestLeak is the shortest stretch worth muting, in frames.
const shortestLeak = 5

// span is a stretch of frames, the end not included.
type span struct{ from, to int }

// Find is [Settings.Find] with the defaults.
func Find(levels [][]float32, frame time.Duration) (windows, leak []engine.Window) {
	return Defaults().Find(levels, frame)
}

// Find returns the windows of speech on every channel, ordered by their start,
// and the stretches in which a channel holds nothing but the other side's leak,
// for muting. levels are dBFS per frame and channel. Silence and steady noise
// give no windows. Windows of one channel never overlap.
func (s Settings) Find(levels [][]float32, frame time.Duration) (windows, leak []engine.Window) {
	frames := func(d time.Duration) int { return int((d + frame - 1) / frame) }
	channels := make([]activity, len(levels))
	for c := range levels {
		channels[c] = measure(levels[c], s, frames(s.MinSpeech))
	}
	for c, a := range channels {
		foreign := make([]bool, len(a.level))
		if len(channels) == 2 {
			foreign = leaked(a, channels[1-c], s)
		}
		spoken := speech(a, foreign, s, frames(s.MinSpeech))
		for _, w := range shape(spoken, a.level, s, frames) {
			windows = append(windows, window(c, w, frame))
		}
		for _, l := range mute(foreign, spoken) {
			leak = append(leak, window(c, l, frame))
		}
	}
	order(windows)
	order(leak)
	return windows, leak
}

func window(channel int, s span, frame time.Duration) engine.Window {
	return engine.Window{Channel: channel, Start: time.Duration(s.from) * frame, End: time.Duration(s.to) * frame}
}

func order(all []engine.Window) {
	slices.SortStableFunc(all, func(a, b engine.Window) int {
		if a.Start != b.Start {
			return int(a.Start - b.Start)
		}
		return a.Channel - b.Channel
	})
	for i := range all {
		all[i].Index = i
	}
}

// speech finds the stretches in which the channel itself speaks.
func speech(a activity, foreign []bool, s Settings, minFrames int) []span {
	if a.none {
		return nil
	}
	own := make([]bool, len(a.level))
	speaking := false
	for i, l := range a.level {
		speaking = !foreign[i] && (l >= a.on || speaking && l >= a.on-s.Hysteresis)
		own[i] = speaking
	}
	for i := len(own) - 2; i >= 0; i-- { // the soft beginning of a word belongs to it
		own[i] = own[i] || own[i+1] && !foreign[i] && a.level[i] >= a.on-s.Hysteresis
	}
	var all []span
	for _, r := range runs(own) {
		if n := len(all); n > 0 && r.from-all[n-1].to <= bridge {
			all[n-1].to = r.to
			continue
		}
		all = append(all, r)
	}
	return slices.DeleteFunc(all, func(r span) bool {
		n := 0
		for _, o := range own[r.from:r.to] {
			if o {
				n++
			}
		}
		return n < minFrames
	})
}

// runs returns the stretches of true.
func runs(marks []bool) []span {
	var all []span
	for i, m := range marks {
		if !m {
			continue
		}
		if n := len(all); n > 0 && all[n-1].to == i {
			all[n-1].to++
		} else {
			all = append(all, span{i, i + 1})
		}
	}
	return all
}

// shape makes windows of stretches of speech.
func shape(spoken []span, level []float32, s Settings, frames func(time.Duration) int) []span {
	var joined []span
	for _, r := range spoken {
		if n := len(joined); n > 0 && r.from-joined[n-1].to < frames(s.Pause) {
			joined[n-1].to = r.to
			continue
		}
		joined = append(joined, r)
	}
	pad := frames(s.Pad)
	var out []span
	for _, r := range joined {
		out = append(out, cut(r, level, frames(s.MaxWindow)-2*pad)...)
	}
	padded := slices.Clone(out)
	for i, r := range out {
		grow := max(pad, (frames(s.MinWindow)-(r.to-r.from)+1)/2)
		low, high := 0, len(level)
		if i > 0 {
			low = (out[i-1].to + r.from) / 2
		}
		if i+1 < len(out) {
			high = (r.to + out[i+1].from) / 2
		}
		padded[i] = span{max(low, r.from-grow), min(high, r.to+grow)}
	}
	return padded
}

// cut divides a stretch longer than most frames at its quietest places, the
// pieces being at least half as long.
func cut(r span, level []float32, most int) []span {
	var out []span
	for r.to-r.from > most {
		at := r.from + most/2
		for i := at; i <= r.from+most; i++ {
			if level[i] < level[at] {
				at = i
			}
		}
		out = append(out, span{r.from, at})
		r.from = at
	}
	return append(out, r)
}

// mute returns the stretches of foreign sound outside the channel's own.
func mute(foreign []bool, spoken []span) []span {
	quiet := slices.Clone(foreign)
	for _, r := range spoken {
		for i := max(0, r.from-guard); i < min(len(quiet), r.to+guard); i++ {
			quiet[i] = false
		}
	}
	return slices.DeleteFunc(runs(quiet), func(r span) bool { return r.to-r.from < shortestLeak })
}
