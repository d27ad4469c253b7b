package lexicon

import (
	"strings"
	"testing"

	"flysense/engine"
)

// A phrase that cannot be found in its own words is dead weight.
func TestEveryPhraseFindsItself(t *testing.T) {
	for name, list := range map[string][]phrase{
		"greetings": greetingPhrases, "farewells": farewellPhrases, "brief farewells": briefFarewellPhrases,
		"grievances": grievancePhrases, "rudeness": rudePhrases, "excuses": excusePhrases, "praise": praisePhrases, "cold": coldPhrases,
		"topics": topicPhrases, "asks": askPhrases, "deals": dealPhrases, "answers": answerPhrases,
	} {
		seen := map[string]bool{}
		for _, p := range list {
			if seen[p.text] {
				t.Errorf("%s: %q stands twice", name, p.text)
			}
			seen[p.text] = true
			made := compile([]phrase{p})
			for _, text := range spellings(p.text) {
				s := read(engine.Transcript{Turns: []engine.Turn{{Text: text}}}).sentences[0]
				if len(made.find(s)) == 0 {
					t.Errorf("%s: %q is not found in %q", name, p.text, text)
				}
			}
		}
	}
}

// spellings writes a phrase out, once with each alternative.
func spellings(text string) []string {
	longest := 1
	places := strings.Fields(text)
	for _, p := range places {
		longest = max(longest, strings.Count(p, "|")+1)
	}
	var out []string
	for i := range longest {
		var words []string
		for _, p := range places {
			if p == "~" {
				words = append(words, "вот", "тут")
				continue
			}
			alternatives := strings.Split(p, "|")
			words = append(words, strings.TrimSuffix(strings.TrimPrefix(alternatives[i%len(alternatives)], "="), "*"))
		}
		out = append(out, strings.Join(words, " "))
	}
	return out
}

func TestPhrases(t *testing.T) {
	for name, tt := range map[string]struct {
		phrase, text   string
		found, negated bool
	}{
		"another form":                {"доставка", "нет Доставки.", true, true},
		"this form only":              {"=суд", "много судов", false, false},
		"a beginning":                 {"груб*", "он грубил", true, false},
		"a gap of three":              {"=верните ~ =деньги", "верните мне все мои деньги", true, false},
		"a gap of four":               {"=верните ~ =деньги", "верните мне все мои честные деньги", false, false},
		"no gap":                      {"=верните ~ =деньги", "верните деньги", true, false},
		"a gap at the end":            {"=верните ~ =деньги", "верните мне", false, false},
		"an alternative":              {"=третий|=пятый =раз", "в пятый раз", true, false},
		"denied":                      {"жаловаться", "не хочу жаловаться", true, true},
		"denied too far off":          {"жаловаться", "не буду сейчас больше жаловаться", true, false},
		"a no of its own":             {"жаловаться", "нет, жаловаться", true, false},
		"dots of ё and capitals":      {"счёт", "СЧЕТА", true, false},
		"across the end of sentences": {"=до =свидания", "подождите до. Свидания", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			list := compile([]phrase{{text: tt.phrase}})
			s := read(engine.Transcript{Turns: []engine.Turn{{Text: tt.text}}}).sentences[0]
			got := list.find(s)
			if (len(got) == 1) != tt.found || tt.found && got[0].negated != tt.negated {
				t.Errorf("%+v", got)
			}
		})
	}
}
