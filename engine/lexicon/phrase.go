package lexicon

import (
	"slices"
	"strings"

	"github.com/kljensen/snowball/russian"
)

// A phrase is written as words: "подать" matches any form with its stem,
// "=суд" this form only, "груб*" what begins so, "~" up to three words of any
// kind, and "а|б" one of several. weight and tag mean what the list says.
type phrase struct {
	text   string
	weight float64
	tag    string
}

// gap is how many words "~" may stand for.
const gap = 3

// phrases is a compiled list: patterns by the stem or form they begin with, so
// that a word is compared with the few that may begin there.
type phrases struct {
	byStem, byForm map[string][]pattern
	byPrefix       []pattern // begin with "груб*"
}

type pattern struct {
	phrase
	id    int         // place in its list
	parts [][]element // alternatives per place; an empty place is "~"
}

type element struct {
	text   string
	prefix bool
	exact  bool
}

func (e element) fits(w word) bool {
	switch {
	case e.prefix:
		return strings.HasPrefix(w.form, e.text)
	case e.exact:
		return w.form == e.text
	}
	return w.stem == e.text
}

func compile(list []phrase) phrases {
	out := phrases{byStem: map[string][]pattern{}, byForm: map[string][]pattern{}}
	for id, p := range list {
		made := pattern{phrase: p, id: id}
		for _, place := range strings.Fields(p.text) {
			if place == "~" {
				made.parts = append(made.parts, nil)
				continue
			}
			var any []element
			for _, alternative := range strings.Split(place, "|") {
				any = append(any, elementOf(alternative))
			}
			made.parts = append(made.parts, any)
		}
		for _, first := range made.parts[0] {
			switch {
			case first.prefix:
				out.byPrefix = append(out.byPrefix, made)
			case first.exact:
				out.byForm[first.text] = append(out.byForm[first.text], made)
			default:
				out.byStem[first.text] = append(out.byStem[first.text], made)
			}
		}
	}
	return out
}

func elementOf(s string) element {
	s = strings.ReplaceAll(s, "ё", "е")
	if exact, ok := strings.CutPrefix(s, "="); ok {
		return element{text: exact, exact: true}
	}
	if prefix, ok := strings.CutSuffix(s, "*"); ok {
		return element{text: prefix, prefix: true}
	}
	return element{text: russian.Stem(s, true)}
}

// match is a phrase found in a sentence.
type match struct {
	phrase
	id      int
	at      int // the word it begins with
	negated bool
}

// find returns all matches in the order of their words.
func (p phrases) find(s sentence) []match {
	var out []match
	for i, w := range s.words {
		here := len(out)
		for _, list := range [][]pattern{p.byForm[w.form], p.byStem[w.stem], p.byPrefix} {
			for _, candidate := range list {
				// A pattern stands in several lists when its first word has alternatives.
				known := slices.ContainsFunc(out[here:], func(m match) bool { return m.id == candidate.id })
				if !known && fitsFrom(candidate.parts, s.words, i) {
					out = append(out, match{candidate.phrase, candidate.id, i, negated(s.words, i)})
				}
			}
		}
	}
	return out
}

// has reports whether a phrase is there and not negated.
func (p phrases) has(s sentence) bool {
	for _, m := range p.find(s) {
		if !m.negated {
			return true
		}
	}
	return false
}

// fitsFrom reports whether the words from at on are what parts say.
func fitsFrom(parts [][]element, words []word, at int) bool {
	for i, place := range parts {
		if place == nil {
			for skip := 0; skip <= gap && at+skip < len(words); skip++ {
				if fitsFrom(parts[i+1:], words, at+skip) {
					return true
				}
			}
			return false
		}
		if at >= len(words) || !fitsAny(place, words[at]) {
			return false
		}
		at++
	}
	return true
}

func fitsAny(place []element, w word) bool {
	for _, e := range place {
		if e.fits(w) {
			return true
		}
	}
	return false
}

// negations turn the meaning of what follows within negationReach words,
// unless a comma stands between: "нет, я недоволен" is no denial.
var negations = map[string]bool{
	"не": true, "ни": true, "без": true, "нет": true, "нету": true,
	"никаких": true, "никакой": true, "никакого": true, "ничего": true,
}

const negationReach = 2

func negated(words []word, at int) bool {
	for i := at - 1; i >= max(at-negationReach, 0); i-- {
		if words[i].closed() {
			return false
		}
		if negations[words[i].form] {
			return true
		}
	}
	return false
}
