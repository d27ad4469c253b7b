package lexicon

import (
	"strings"
	"time"
	"unicode"

	"github.com/kljensen/snowball/russian"

	"flysense/engine"
)

// Where a recogniser wrote no full stops, a sentence ends at a silence or
// after so many words.
const (
	sentencePause = 1200 * time.Millisecond
	sentenceWords = 30
)

// longestStemmed bounds the words that are stemmed, in bytes: the work for one
// grows with the square of its length, and no Russian word is longer.
const longestStemmed = 80

// word is a word of the transcript, ready to be looked up.
type word struct {
	text string // as written, with punctuation
	form string // lower case, е for ё, without punctuation
	meaning
	at  time.Duration
	end time.Duration
}

// meaning is what does not depend on where a word stands.
type meaning struct {
	stem   string
	coarse bool
}

// closed reports whether punctuation follows the word.
func (w word) closed() bool {
	return strings.ContainsAny(w.text[len(w.text)-1:], ",.;:!?") || strings.HasSuffix(w.text, "…")
}

// sentence is what one speaker said in one piece.
type sentence struct {
	speaker engine.Speaker
	turn    int
	words   []word
	// late is how much of the talk was over when it began, 0..1, by sentences:
	// silence on hold does not make a sentence late.
	late float64
}

func (s sentence) text() string {
	parts := make([]string, len(s.words))
	for i, w := range s.words {
		parts[i] = w.text
	}
	return strings.Join(parts, " ")
}

func (s sentence) at() time.Duration { return s.words[0].at }

// talk is the whole conversation.
type talk struct {
	sentences []sentence
	sided     bool // it is known who spoke
}

// read splits a transcript into sentences. Every word form is looked up
// once.
func read(t engine.Transcript) talk {
	var out talk
	known := map[string]meaning{}
	for i, turn := range t.Turns {
		if turn.Speaker != engine.Unknown {
			out.sided = true
		}
		var now []word
		end := func() {
			if len(now) > 0 {
				out.sentences = append(out.sentences, sentence{speaker: turn.Speaker, turn: i, words: now})
				now = nil
			}
		}
		for _, w := range timed(turn) {
			if n := len(now); n > 0 && (w.at-now[n-1].end > sentencePause || n >= sentenceWords) {
				end()
			}
			w.form = normal(w.text)
			if w.form == "" { // a dash or the like: keeps its place in the text
				if n := len(now); n > 0 {
					now[n-1].text += " " + w.text
				}
				continue
			}
			m, ok := known[w.form]
			if !ok {
				m = meaning{stemOf(w.form), isCoarse(w.form)}
				known[w.form] = m
			}
			w.meaning = m
			now = append(now, w)
			if strings.ContainsAny(w.text, ".!?…") && w.closed() {
				end()
			}
		}
		end()
	}
	for i := range out.sentences {
		out.sentences[i].late = float64(i) / float64(max(len(out.sentences)-1, 1))
	}
	return out
}

// timed gives every word of the text its time: from the turn's words where
// they match, else an equal share of the turn.
func timed(turn engine.Turn) []word {
	fields := strings.Fields(turn.Text)
	exact := len(fields) == len(turn.Words)
	share := max(turn.End-turn.Start, 0) / time.Duration(max(len(fields), 1))
	out := make([]word, len(fields))
	for i, f := range fields {
		out[i] = word{text: f, at: turn.Start + time.Duration(i)*share, end: turn.Start + time.Duration(i+1)*share}
		if exact {
			out[i].at, out[i].end = turn.Words[i].Start, turn.Words[i].End
		}
	}
	return out
}

// normal is the form in which words are looked up. Asterisks stay: some engines
// mask coarse words with them.
func normal(s string) string {
	s = strings.ReplaceAll(strings.ToLower(s), "ё", "е")
	return strings.TrimFunc(s, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '*' && r != '%' && r != '№'
	})
}

func stemOf(form string) string {
	if len(form) > longestStemmed {
		return form
	}
	return russian.Stem(form, true)
}
