// Package lexicon understands a call without a language model: Russian word
// lists by stems, a few rules about who speaks and when, and a summary made of
// sentences that were really said. It is always labelled as such
// ([engine.Lexicon]) and never charged.
//
//	turns ─► sentences of stemmed words ─┬─► greeting, farewell     the agent's manners
//	                                     ├─► profanity, negativity  with the words that prove it
//	                                     ├─► tone                   weights; the client and the end count more
//	                                     ├─► tags                   topics
//	                                     └─► summary                two to four quotes
//
// Read sentence.go and phrase.go first; each of the others is a list of
// phrases and what they mean.
package lexicon

import (
	"context"

	"flysense/engine"
)

// Analyst is the engine.Analyst without a model. Its work grows with the
// number of words and nothing else; it is safe for concurrent use.
type Analyst struct {
	greetings, farewells, briefFarewells phrases
	excuses                              phrases
	grievances, rudeness, praise, cold   phrases
	topics                               phrases
	asks, deals, answers                 phrases
}

// New compiles the word lists.
func New() *Analyst {
	return &Analyst{
		greetings:      compile(greetingPhrases),
		farewells:      compile(farewellPhrases),
		briefFarewells: compile(briefFarewellPhrases),
		excuses:        compile(excusePhrases),
		grievances:     compile(grievancePhrases),
		rudeness:       compile(rudePhrases),
		praise:         compile(praisePhrases),
		cold:           compile(coldPhrases),
		topics:         compile(topicPhrases),
		asks:           compile(askPhrases),
		deals:          compile(dealPhrases),
		answers:        compile(answerPhrases),
	}
}

// Charges is false: a summary without a model costs nothing.
func (a *Analyst) Charges() bool { return false }

// Analyse reads a transcript. It fails only if ctx ends. CallID and MadeAt of
// the result are left to the caller's clock.
func (a *Analyst) Analyse(ctx context.Context, t engine.Transcript) (engine.Analysis, error) {
	if err := ctx.Err(); err != nil {
		return engine.Analysis{}, err
	}
	talk := read(t)
	if err := ctx.Err(); err != nil {
		return engine.Analysis{}, err
	}
	return engine.Analysis{
		CallID:  t.CallID,
		By:      engine.Lexicon,
		Summary: a.summary(talk),
		Tone:    a.tone(talk),
		Verdicts: []engine.Verdict{
			a.greeting(talk),
			a.farewell(talk),
			profanity(talk),
			a.negativity(talk),
		},
		Tags: a.tags(talk),
	}, nil
}
