package lexicon

import "flysense/engine"

// either marks what opens a call as well as it ends one: "доброго дня".
const either = "either"

// Both verdicts are about the agent: a client's "здравствуйте" does not excuse
// an agent who gave none. Where it is unknown who speaks, anybody's counts.
var (
	greetingPhrases = []phrase{
		{text: "здравств*"}, {text: "=здрасьте|=здрасте"},
		{text: "=добрый =день|=вечер"}, {text: "=доброе =утро|=утречко"}, {text: "=доброго ~ =дня|=утра|=вечера", tag: either},
		{text: "=доброго =времени =суток"}, {text: "=день|=вечер =добрый"}, {text: "=утро =доброе"},
		{text: "приветств*"}, {text: "=привет"}, {text: "=доброй =ночи"},
	}
	farewellPhrases = []phrase{
		{text: "=до =свидания|=свиданья"}, {text: "=всего ~ =доброго|=хорошего|=наилучшего"},
		{text: "=доброго ~ =дня|=утра|=вечера", tag: either}, {text: "=хорошего|=приятного|=удачного|=отличного|=прекрасного|=чудесного ~ =дня|=вечера|=настроения|=утра"},
		{text: "=хороших|=приятных|=удачных ~ =выходных"}, {text: "=хорошей|=доброй|=спокойной ~ =ночи|=недели"},
		{text: "=спасибо|=благодарю|=благодарим =за =звонок|=обращение"},
		{text: "=до =скорой =встречи"}, {text: "=всех =благ"}, {text: "=будьте =здоровы"},
	}
	// These end a call only where they are nearly all that is said: "скидка
	// действует до завтра" and "пока не знаю" end nothing.
	briefFarewellPhrases = []phrase{
		{text: "=до =встречи|=завтра|=связи|=скорого|=понедельника"}, {text: "=пока"}, {text: "=пока-пока"},
		{text: "=счастливо"}, {text: "=удачи"}, {text: "=прощайте"}, {text: "=созвонимся"},
	}
)

const (
	greetingSentences = 4 // of the agent, from the first on
	openingSentences  = 2 // of them, in which "доброго дня" is a greeting; later it is a farewell
	farewellSentences = 5 // of the agent, from the last back
	briefWords        = 3
)

// manners are the sentences the agent's politeness is judged by.
func (t talk) manners() []sentence {
	var out []sentence
	for _, s := range t.sentences {
		if s.speaker == engine.Agent || !t.sided {
			out = append(out, s)
		}
	}
	return out
}

func (a *Analyst) greeting(t talk) engine.Verdict {
	said := t.manners()
	for i, s := range said[:min(greetingSentences, len(said))] {
		for _, m := range a.greetings.find(s) {
			if m.tag != either || i < openingSentences {
				return s.verdict(engine.Greeting, m.at)
			}
		}
	}
	return engine.Verdict{Kind: engine.Greeting}
}

func (a *Analyst) farewell(t talk) engine.Verdict {
	said := t.manners()
	for i := len(said) - 1; i >= max(len(said)-farewellSentences, 0); i-- {
		s := said[i]
		for _, m := range a.farewells.find(s) {
			if m.tag != either || i >= openingSentences {
				return s.verdict(engine.Farewell, m.at)
			}
		}
		if found := a.briefFarewells.find(s); len(found) > 0 && len(s.words) <= briefWords && !found[0].negated {
			return s.verdict(engine.Farewell, found[0].at)
		}
	}
	return engine.Verdict{Kind: engine.Farewell}
}
