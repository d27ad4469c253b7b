package store

import (
	"slices"
	"strings"
	"unicode"

	"github.com/kljensen/snowball/russian"
	"golang.org/x/text/unicode/norm"
)

// Limits of a search, in runes and words: what a person types, with room.
const (
	maxQuery      = 300
	maxQueryWords = 16
)

// minPhoneSuffix is the shortest end of a phone number that is indexed, and so
// the shortest part of one that finds it.
const minPhoneSuffix = 3

// minPhone is the number of digits from which a run of figures with spaces,
// brackets and dashes between is read as one phone number.
const minPhone = 7

// stems brings text into the form that is compared: words in lower case
// without their endings, divided by spaces. «договоров» and «договор» are one.
func stems(text string) string {
	all := words(text)
	for i, w := range all {
		all[i] = stem(w)
	}
	return strings.Join(all, " ")
}

func stem(word string) string { return russian.Stem(word, true) }

func words(text string) []string {
	text = strings.ToLower(norm.NFC.String(text))
	text = strings.ReplaceAll(text, "ё", "е")
	return strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// phoneStems are the ends of a phone number, so that any part of it is the
// beginning of a word in the index.
func phoneStems(phone string) string {
	number := national(digits(phone))
	var ends []string
	for len(number) >= minPhoneSuffix {
		ends = append(ends, number)
		number = number[1:]
	}
	return strings.Join(ends, " ")
}

func digits(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, text)
}

// national takes the Russian country code off: +7 and 8 begin the same number.
func national(number string) string {
	if len(number) == 11 && (number[0] == '7' || number[0] == '8') {
		return number[1:]
	}
	return number
}

// match turns what a person typed into a query of the index: every word must
// be there, figures and the last word may be the beginning of one. It is ""
// if nothing of it can be searched for.
func match(query string) string {
	if r := []rune(query); len(r) > maxQuery {
		query = string(r[:maxQuery])
	}
	all := words(joinPhones(query))
	all = all[:min(maxQueryWords, len(all))]
	terms := make([]string, len(all))
	for i, w := range all {
		number := digits(w) == w
		if number {
			w = national(w)
		} else {
			w = stem(w)
		}
		terms[i] = `"` + w + `"`
		if number || i == len(all)-1 {
			terms[i] += "*"
		}
	}
	return strings.Join(terms, " ")
}

// joinPhones writes "+7 (916) 123-45-67" as one run of digits.
func joinPhones(query string) string {
	phone := func(r rune) bool { return r >= '0' && r <= '9' || strings.ContainsRune("+-() ", r) }
	var out strings.Builder
	for r := []rune(query); len(r) > 0; {
		n := slices.IndexFunc(r, func(r rune) bool { return !phone(r) })
		if n < 0 {
			n = len(r)
		}
		if run := digits(string(r[:n])); len(run) >= minPhone {
			out.WriteString(" " + run + " ")
		} else {
			out.WriteString(string(r[:n]))
		}
		for r = r[n:]; len(r) > 0 && !phone(r[0]); r = r[1:] {
			out.WriteRune(r[0])
		}
	}
	return out.String()
}
