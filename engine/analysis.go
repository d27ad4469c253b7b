package engine

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Tone is the mood of a conversation.
type Tone string

// The tones.
const (
	Positive Tone = "positive"
	Neutral  Tone = "neutral"
	Negative Tone = "negative"
)

// Kind names a classifier.
type Kind string

// The classifiers every call is put through.
const (
	Greeting   Kind = "greeting"
	Farewell   Kind = "farewell"
	Profanity  Kind = "profanity"
	Negativity Kind = "negativity"
)

// Kinds lists the classifiers in the order screens show them.
var Kinds = []Kind{Greeting, Farewell, Profanity, Negativity}

// Verdict is a classifier's answer with the words that prove it.
type Verdict struct {
	Kind    Kind          `json:"kind"`
	Found   bool          `json:"found"`
	Speaker Speaker       `json:"speaker,omitempty"`
	Quote   string        `json:"quote,omitempty"`
	At      time.Duration `json:"at"`
}

// Analysis is what was understood of a transcript.
type Analysis struct {
	CallID   string
	By       string // "lexicon", or the language model's name
	Summary  string
	Tone     Tone
	Verdicts []Verdict
	Tags     []string
	Charged  bool // the summary was made by a model and costs the tariff's summary price
	MadeAt   time.Time
}

// Lexicon is the value of Analysis.By for analysis without a language model.
const Lexicon = "lexicon"

// Field names a part of the analysis a person may correct.
type Field string

// The editable fields. Value of an Edit: the text, the tone, or the tags one
// per line; for a classifier "kind=true" or "kind=false".
const (
	FieldSummary Field = "summary"
	FieldTone    Field = "tone"
	FieldTags    Field = "tags"
	FieldVerdict Field = "verdict"
)

// Edit is a person's correction. The newest one of a field is what counts;
// what the model said is kept beside it.
type Edit struct {
	CallID string
	Field  Field
	Value  string
	Author string
	At     time.Time
}

// Limits of what a person may write.
const (
	maxSummary = 4000 // characters
	maxTags    = 30
	maxTag     = 60 // characters
)

// BadEdit says why a correction cannot be kept, in a person's words (Russian).
type BadEdit struct{ Reason string }

func (e *BadEdit) Error() string { return "bad edit: " + e.Reason }

func (e Edit) check() error {
	switch e.Field {
	case FieldSummary:
		if n := utf8.RuneCountInString(e.Value); n > maxSummary {
			return &BadEdit{fmt.Sprintf("Итог слишком длинный: %d знаков, можно до %d.", n, maxSummary)}
		}
	case FieldTone:
		if !slices.Contains([]Tone{Positive, Neutral, Negative}, Tone(e.Value)) {
			return &BadEdit{"Такой тональности нет: выберите позитивную, нейтральную или негативную."}
		}
	case FieldTags:
		tags := strings.Split(e.Value, "\n")
		if len(tags) > maxTags {
			return &BadEdit{fmt.Sprintf("Слишком много тегов: можно до %d.", maxTags)}
		}
		for _, t := range tags {
			if utf8.RuneCountInString(t) > maxTag {
				return &BadEdit{fmt.Sprintf("Тег длиннее %d знаков: сократите его.", maxTag)}
			}
		}
	case FieldVerdict:
		kind, value, ok := strings.Cut(e.Value, "=")
		if !ok || !slices.Contains(Kinds, Kind(kind)) || value != "true" && value != "false" {
			return &BadEdit{"Такого признака нет: обновите страницу."}
		}
	default:
		return &BadEdit{"Это поле нельзя изменить: обновите страницу."}
	}
	return nil
}
