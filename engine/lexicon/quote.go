package lexicon

import (
	"unicode/utf8"

	"flysense/engine"
)

// quoteLength bounds a verdict's quote, in letters: enough to judge by, short
// enough to read in a list.
const quoteLength = 160

// verdict quotes the sentence around the words that prove it.
func (s sentence) verdict(kind engine.Kind, at int) engine.Verdict {
	from, to, letters := at, at+1, utf8.RuneCountInString(s.words[at].text)
	for grown := true; grown; {
		grown = false
		if from > 0 {
			if n := utf8.RuneCountInString(s.words[from-1].text) + 1; letters+n <= quoteLength {
				from, letters, grown = from-1, letters+n, true
			}
		}
		if to < len(s.words) {
			if n := utf8.RuneCountInString(s.words[to].text) + 1; letters+n <= quoteLength {
				to, letters, grown = to+1, letters+n, true
			}
		}
	}
	part := s
	part.words = s.words[from:to]
	quote := part.text()
	if from > 0 {
		quote = "…" + quote
	}
	if to < len(s.words) {
		quote += "…"
	}
	return engine.Verdict{Kind: kind, Found: true, Speaker: s.speaker, Quote: quote, At: part.at()}
}
