package captions

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"flysense/engine"
)

// What a reader can take in at once, by the usual rules of subtitling.
const (
	lineLength = 42 // letters
	cueLines   = 2
	cueLength  = 7 * time.Second
	cueShown   = 500 * time.Millisecond // shortest time a cue stands, if nothing follows earlier
	cuePause   = 700 * time.Millisecond // a silence that ends a cue
	// A sentence's end closes a cue once this much is in it; shorter ones
	// ("Да.") share a cue with what follows.
	cueEnough = lineLength / 2
)

// cue is what is shown at one time.
type cue struct {
	speaker engine.Speaker
	start   time.Duration
	end     time.Duration
	words   []string
}

// text is the cue's words in lines.
func (c cue) text() string { return strings.Join(wrap(c.words), "\n") }

// named puts the speaker's name before the first cue of a turn, for formats
// without voices.
const (
	named   = true
	unnamed = false
)

func cuesOf(t engine.Transcript, withName bool) []cue {
	var out []cue
	for _, turn := range t.Turns {
		out = append(out, split(turn, withName)...)
	}
	slices.SortStableFunc(out, func(a, b cue) int { return int(a.start - b.start) })
	return out
}

// split cuts a turn into cues: at a sentence's end, at a silence, and where a
// cue is full, there behind its last comma if that is not too far back.
func split(turn engine.Turn, withName bool) []cue {
	prefix := ""
	if withName {
		prefix = label(turn.Speaker) + ":"
	}
	var cues []cue
	var now []engine.Word
	show := func(words []engine.Word) {
		c := cue{speaker: turn.Speaker, start: words[0].Start, end: words[len(words)-1].End, words: textsOf(prefix, words)}
		cues, prefix = append(cues, c), ""
	}
	for _, w := range wordsOf(turn) {
		if len(now) > 0 {
			last := now[len(now)-1]
			full := len(wrap(append(textsOf(prefix, now), w.Text))) > cueLines || w.End-now[0].Start > cueLength
			switch {
			case w.Start-last.End > cuePause, closes(textsOf("", now)):
				show(now)
				now = nil
			case full:
				at := clause(now)
				show(now[:at])
				now = slices.Clone(now[at:])
			}
		}
		now = append(now, w)
	}
	if len(now) > 0 {
		show(now)
	}
	for i := range cues {
		end := max(cues[i].end, cues[i].start+cueShown)
		if i+1 < len(cues) {
			end = max(min(end, cues[i+1].start), cues[i].start+time.Millisecond)
		}
		cues[i].end = end
	}
	return cues
}

func textsOf(prefix string, words []engine.Word) []string {
	out := make([]string, 0, len(words)+2)
	if prefix != "" {
		out = append(out, prefix)
	}
	for _, w := range words {
		out = append(out, w.Text)
	}
	return out
}

// clause tells how many of the words end with a comma or more, looking back
// over half of them at most; all of them if there is none.
func clause(words []engine.Word) int {
	for i := len(words); i > len(words)/2; i-- {
		if strings.ContainsAny(words[i-1].Text[len(words[i-1].Text)-1:], ",;:.?!") {
			return i
		}
	}
	return len(words)
}

// closes reports whether these words make a cue of their own.
func closes(words []string) bool {
	letters := utf8.RuneCountInString(strings.Join(words, " "))
	return letters >= cueEnough && strings.HasSuffix(strings.TrimRight(words[len(words)-1], `»")`), ".") ||
		letters >= cueEnough && strings.ContainsAny(words[len(words)-1], "?!…")
}

// wordsOf returns the turn's words with increasing times. Where an engine gave none
// that make up the text (or a person changed it), the words share the turn's
// time by their length.
func wordsOf(turn engine.Turn) []engine.Word {
	text := strings.Fields(turn.Text)
	timed := make([]engine.Word, 0, len(turn.Words))
	for _, w := range turn.Words {
		for _, part := range strings.Fields(w.Text) { // a word with a space inside is two
			timed = append(timed, engine.Word{Text: part, Start: w.Start, End: w.End})
		}
	}
	if !slices.EqualFunc(timed, text, func(w engine.Word, s string) bool { return w.Text == s }) {
		timed = spread(text, turn.Start, turn.End)
	}
	at := max(turn.Start, 0)
	for i := range timed {
		timed[i].Start = max(timed[i].Start, at)
		timed[i].End = max(timed[i].End, timed[i].Start)
		at = timed[i].Start
	}
	return timed
}

func spread(text []string, start, end time.Duration) []engine.Word {
	letters := 0
	for _, w := range text {
		letters += utf8.RuneCountInString(w)
	}
	length := max(end-start, 0)
	out := make([]engine.Word, 0, len(text))
	at, said := start, 0
	for _, w := range text {
		said += utf8.RuneCountInString(w)
		until := start + time.Duration(float64(length)*float64(said)/float64(letters))
		out = append(out, engine.Word{Text: w, Start: at, End: until})
		at = until
	}
	return out
}

// wrap puts words into lines: one if they fit, two of about equal length if
// that is enough, else as many as it takes. A word longer than a line has one
// of its own.
func wrap(words []string) []string {
	if whole := strings.Join(words, " "); utf8.RuneCountInString(whole) <= lineLength {
		return []string{whole}
	}
	best, bestLength := 0, lineLength+1
	for i := 1; i < len(words); i++ {
		first := utf8.RuneCountInString(strings.Join(words[:i], " "))
		second := utf8.RuneCountInString(strings.Join(words[i:], " "))
		if longest := max(first, second); longest < bestLength {
			best, bestLength = i, longest
		}
	}
	if best > 0 {
		return []string{strings.Join(words[:best], " "), strings.Join(words[best:], " ")}
	}
	var lines []string
	for _, w := range words {
		if n := len(lines); n > 0 && utf8.RuneCountInString(lines[n-1])+1+utf8.RuneCountInString(w) <= lineLength {
			lines[n-1] += " " + w
			continue
		}
		lines = append(lines, w)
	}
	return lines
}
