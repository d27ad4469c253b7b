package lexicon

import "flysense/engine"

// Both verdicts are about the agent: a client's "здравствуйте" does not excuse
// an agent who gave none. Where it is unknown who speaks, anybody's counts.
var (
	greetingPhrases = []phrase{
		{text: "здравств*"}, {text: "=здрасьте|=здрасте"},
		{text: "=добрый =день|=вечер"}, {text: "=доброе =утро|=утречко"}, {text: "=доброго =дня|=утра|=вечера"},
		{text: "=доброго =времени =суток"}, {text: "=день|=вечер =добрый"}, {text: "=утро =доброе"},
		{text: "приветств*"}, {text: "=привет"}, {text: "=доброй =ночи"},
	}
	farewellPhrases = []phrase{
		{text: "=до =свидания|=свиданья|=свиданья"}, {text: "=всего ~ =доброго|=хорошего|=наилучшего"},
		{text: "=хорошего|=доброго|=приятного|=удачного|=отличного|=прекрасного|=чудесного ~ =дня|=вечера|=настроения|=утра"},
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
	for _, s := range said[:min(greetingSentences, len(said))] {
		if found := a.greetings.find(s); len(found) > 0 {
			return s.verdict(engine.Greeting, found[0].at)
		}
	}
	return engine.Verdict{Kind: engine.Greeting}
}

func (a *Analyst) farewell(t talk) engine.Verdict {
	said := t.manners()
	for i := len(said) - 1; i >= max(len(said)-farewellSentences, 0); i-- {
		s := said[i]
		// "Доброго дня" as the very first words is a greeting.
		first := i == 0 && len(said) > 1
		if found := a.farewells.find(s); len(found) > 0 && !first {
			return s.verdict(engine.Farewell, found[0].at)
		}
		if found := a.briefFarewells.find(s); len(found) > 0 && len(s.words) <= briefWords && !found[0].negated {
			return s.verdict(engine.Farewell, found[0].at)
		}
	}
	return engine.Verdict{Kind: engine.Farewell}
}
