package enginetest

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"flysense/engine"
)

// Errors counts how a text differs from its reference, in words.
type Errors struct {
	Words    int // of the reference
	Wrong    int // one word for another
	Missing  int
	Invented int
}

// Rate is the word error rate, 0.04 for four errors in a hundred words. An
// empty reference has rate 0 if nothing was invented, else 1.
func (e Errors) Rate() float64 {
	n := e.Wrong + e.Missing + e.Invented
	if e.Words == 0 {
		return float64(min(n, 1))
	}
	return float64(n) / float64(e.Words)
}

// Add pools the counts of several texts.
func (e Errors) Add(o Errors) Errors {
	return Errors{e.Words + o.Words, e.Wrong + o.Wrong, e.Missing + o.Missing, e.Invented + o.Invented}
}

// String reads "2.10 % of 1082 words (15 wrong, 6 missing, 2 invented)".
func (e Errors) String() string {
	return fmt.Sprintf("%.2f %% of %d words (%d wrong, %d missing, %d invented)", 100*e.Rate(), e.Words, e.Wrong, e.Missing, e.Invented)
}

// WordErrors compares two texts word by word, with the fewest errors that
// explain the difference. Case, punctuation and the dots of ё do not count.
//
// It keeps a table of words times words: compare call by call and pool the
// counts with Add.
func WordErrors(want, got string) Errors {
	return align(Words(want), Words(got), func(string, string) {})
}

// Words splits a text into the words that [WordErrors] compares.
func Words(text string) []string {
	text = strings.ReplaceAll(strings.ToLower(text), "ё", "е")
	// A hyphen belongs to the word it stands in, not when it stands alone.
	words := strings.FieldsFunc(text, func(r rune) bool {
		return r != '-' && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
	out := words[:0]
	for _, w := range words {
		if w = strings.Trim(w, "-"); w != "" {
			out = append(out, w)
		}
	}
	return out
}

// SpeakerErrors compares a transcript with its reference speaker by speaker,
// so a word under the wrong speaker is an error even if it was heard well.
func SpeakerErrors(want Reference, got engine.Transcript) Errors {
	var total Errors
	for _, speaker := range []engine.Speaker{engine.Agent, engine.Client, engine.Unknown} {
		total = total.Add(WordErrors(want.Text(speaker), textOf(got, speaker)))
	}
	return total
}

func textOf(t engine.Transcript, speaker engine.Speaker) string {
	var parts []string
	for _, turn := range t.Turns {
		if turn.Speaker == speaker {
			parts = append(parts, turn.Text)
		}
	}
	return strings.Join(parts, " ")
}

// Misattributed lists the words of a transcript that stand with a speaker who
// was silent then while the other one spoke: leak between the channels taken
// for speech, or channels swapped. slack widens every sentence on both sides.
func Misattributed(want Reference, got engine.Transcript, slack time.Duration) []string {
	var out []string
	for _, turn := range got.Turns {
		for _, w := range turn.Words {
			middle := (w.Start + w.End) / 2
			own, other := false, false
			for _, s := range want.Sentences {
				if middle >= s.Start-slack && middle <= s.End+slack {
					own = own || s.Speaker == turn.Speaker
					other = other || s.Speaker != turn.Speaker
				}
			}
			if other && !own {
				out = append(out, fmt.Sprintf("%s %q at %s", turn.Speaker, w.Text, middle.Round(time.Millisecond)))
			}
		}
	}
	return out
}

// align counts the errors of a cheapest alignment and tells each one as
// (want, got); "" on the side that has no word.
func align(want, got []string, tell func(want, got string)) Errors {
	cost := make([][]int, len(want)+1)
	for i := range cost {
		cost[i] = make([]int, len(got)+1)
		cost[i][0] = i
	}
	for j := range cost[0] {
		cost[0][j] = j
	}
	for i, w := range want {
		for j, g := range got {
			same := cost[i][j]
			if w != g {
				same++
			}
			cost[i+1][j+1] = min(same, cost[i][j+1]+1, cost[i+1][j]+1)
		}
	}
	e := Errors{Words: len(want)}
	for i, j := len(want), len(got); i > 0 || j > 0; {
		switch {
		case i > 0 && j > 0 && want[i-1] == got[j-1] && cost[i][j] == cost[i-1][j-1]:
			i, j = i-1, j-1
		case i > 0 && j > 0 && cost[i][j] == cost[i-1][j-1]+1:
			i, j = i-1, j-1
			e.Wrong++
			tell(want[i], got[j])
		case i > 0 && cost[i][j] == cost[i-1][j]+1:
			i--
			e.Missing++
			tell(want[i], "")
		default:
			j--
			e.Invented++
			tell("", got[j])
		}
	}
	return e
}

// LostWords lists the words of the reference that were not heard, for a
// test's failure message: "холодильник→телефон, пять→∅".
func LostWords(want, got string) []string {
	var out []string
	align(Words(want), Words(got), func(w, g string) {
		out = append(out, orNothing(w)+"→"+orNothing(g))
	})
	slices.Reverse(out)
	return out
}

func orNothing(s string) string {
	if s == "" {
		return "∅"
	}
	return s
}
