package engine

import "time"

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
