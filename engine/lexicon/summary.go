package lexicon

import (
	"slices"
	"strings"
	"unicode/utf8"

	"flysense/engine"
)

var (
	// askPhrases show what the client came for.
	askPhrases = []phrase{
		{text: "=хочу|=хотим|=хотел|=хотела|=хотели", weight: 3}, {text: "=интересует|=интересуют", weight: 3}, {text: "=мне|=нам =нужен|=нужна|=нужно|=нужны", weight: 2},
		{text: "=сколько =стоит|=стоят", weight: 3}, {text: "=какая =цена", weight: 3}, {text: "=где|=когда ~ =заказ", weight: 3}, {text: "=когда =будет|=привезут|=приедет", weight: 2}, {text: "=есть =ли", weight: 2},
		{text: "=можно", weight: 1}, {text: "=подскажите|=помогите|=расскажите", weight: 2}, {text: "=по =поводу", weight: 3}, {text: "=звоню", weight: 2}, {text: "жаловаться|пожаловаться", weight: 4},
		{text: "сломал*", weight: 3}, {text: "сломан*", weight: 3}, {text: "=не =работает|=включается", weight: 2}, {text: "=верните|=вернуть", weight: 3}, {text: "=отмените|=отменить|=перенесите|=перенести", weight: 3},
		{text: "=заказать|=купить|=оформить|=записаться|=обменять", weight: 2}, {text: "=привезли =не", weight: 3}, {text: "=вам =удобно =говорить", weight: 1}, {text: "=пришлите|=отправьте", weight: 1},
	}
	// dealPhrases show how it ended: what the client decided, what was promised.
	dealPhrases = []phrase{
		{text: "=согласен|=согласна|=договорились", weight: 3}, {text: "=меня|=нас ~ =устраивает", weight: 3}, {text: "=давайте", weight: 2}, {text: "=оформим|=оформляем|=оформлен|=оформляйте", weight: 3},
		{text: "=подумаю|=посоветуюсь|=посоветоваться", weight: 3}, {text: "перезвон*", weight: 3}, {text: "=не =интересно|=подходит|=нужно", weight: 3}, {text: "=никогда ~ =не", weight: 3}, {text: "=в =суд", weight: 7},
		{text: "=верните|=вернуть ~ =деньги", weight: 5}, {text: "=хочу =обменять|=вернуть", weight: 2}, {text: "=вернем ~ =деньги|=рублей", weight: 3}, {text: "=заменим|=вернут|=исправим|=решим", weight: 2}, {text: "=беру|=возьму|=куплю|=оплачу", weight: 2}, {text: "=оплатил|=оплатила", weight: 2},
		{text: "=перенесли|=перенесем", weight: 3}, {text: "=свяжется|=свяжемся|=созвонимся|=встретимся", weight: 3}, {text: "=жду|=ждем ~ =звонка|=вас", weight: 2}, {text: "=подпишем|=подписать", weight: 3},
		{text: "=передам|=отправлю|=пришлю|=вышлю|=подготовлю", weight: 2}, {text: "=не =звоните", weight: 3},
	}
	// answerPhrases show what the agent offered or told.
	answerPhrases = []phrase{
		{text: "=стоит|=стоят|=цена|=стоимость|=итого|=сумма", weight: 2}, {text: "=рублей|=рубля|=рубль|=тысяч|=тысячи", weight: 2}, {text: "=процентов|=процента", weight: 2}, {text: "скидка", weight: 2}, {text: "рассрочка", weight: 1},
		{text: "=можем|=могу =предложить|=сделать", weight: 2}, {text: "=предложение", weight: 1}, {text: "гарантия", weight: 1}, {text: "бесплатн*", weight: 1},
		{text: "=доставка =будет|=займет|=занимает|=стоит", weight: 2}, {text: "=приедет|=привезут|=привезем", weight: 2}, {text: "=в =наличии", weight: 1}, {text: "=вернем|=заменим|=вернут", weight: 3}, {text: "=возврат", weight: 1},
		{text: "=понедельник|=вторник|=среду|=четверг|=пятницу|=субботу|=воскресенье|=завтра|=послезавтра|=сегодня", weight: 1},
		{text: "январ*|феврал*|март*|апрел*|июн*|июл*|август*|сентябр*|октябр*|ноябр*|декабр*", weight: 1}, {text: "=утром|=вечером|=днем|=обеда", weight: 0.5},
		{text: "=неудобно|=перезвоните", weight: 2}, {text: "=номер ~ =заказа|=договора", weight: 0.5}, {text: "=оформлен", weight: 2},
	}
)

const (
	summaryLength    = 350 // letters
	summarySentences = 4
	noSpeech         = "В записи нет разборчивой речи."
)

// summary picks what was asked, what was answered, what was decided and how
// it ended, and tells it in the speakers' own words.
func (a *Analyst) summary(t talk) string {
	if len(t.sentences) == 0 {
		return noSpeech
	}
	picked := a.pick(t)
	for len(picked) > 1 && utf8.RuneCountInString(t.retell(picked)) > summaryLength {
		picked = drop(picked)
	}
	slices.SortFunc(picked, func(a, b pick) int { return a.index - b.index })
	return t.retell(picked)
}

// pick is a sentence chosen for the summary; the least important goes first when
// there is no room.
type pick struct {
	index      int
	length     int // sentences in a row, quoted together
	importance float64
}

func drop(picked []pick) []pick {
	least := 0
	for i, p := range picked {
		if p.importance < picked[least].importance {
			least = i
		}
	}
	return slices.Delete(picked, least, least+1)
}

// pick chooses by roles, so that a talkative middle does not crowd out the
// request and the outcome.
func (a *Analyst) pick(t talk) []pick {
	var picked []pick
	taken := map[int]bool{}
	best := func(importance float64, score func(s sentence) float64) int {
		at, top := -1, 0.0
		for i, s := range t.sentences {
			if v := score(s); !taken[i] && v > top {
				at, top = i, v
			}
		}
		if at >= 0 {
			taken[at] = true
			picked = append(picked, pick{at, 1, importance})
		}
		return at
	}
	byClient := func(s sentence) bool { return s.speaker != engine.Agent }
	byAgent := func(s sentence) bool { return s.speaker == engine.Agent || !t.sided }

	// The first real request: a later one must be much clearer to win.
	request := best(4, func(s sentence) float64 {
		if !byClient(s) {
			return 0
		}
		return sum(a.asks.find(s)) * (1.2 - s.late)
	})
	// A request often takes two sentences: "Я хочу пожаловаться. Вы привезли…"
	if next := request + 1; request >= 0 && next < len(t.sentences) && t.sentences[next].turn == t.sentences[request].turn &&
		(a.asks.has(t.sentences[next]) || a.grievances.has(t.sentences[next])) {
		taken[next] = true
		picked[0].length = 2
	}
	// What the client decided, towards the end; anger is a decision too.
	decision := best(3, func(s sentence) float64 {
		if !byClient(s) {
			return 0
		}
		anger, _ := a.anger(t, s)
		return (sum(a.deals.find(s)) + anger) * (0.6 + s.late)
	})
	// What the agent offered between the two.
	best(2, func(s sentence) float64 {
		if !byAgent(s) {
			return 0
		}
		near := 1.0
		if first, last := t.lateOf(request, 0), t.lateOf(decision, 1); s.late < first || s.late > last {
			near = 0.6
		}
		return sum(a.answers.find(s)) * near
	})
	// How it ended.
	best(2.5, func(s sentence) float64 {
		if !byAgent(s) {
			return 0
		}
		return sum(a.deals.find(s)) * s.late
	})
	if len(picked) < 2 { // a talk about nothing the lists know
		best(1, func(s sentence) float64 {
			if a.greetings.has(s) || a.farewells.has(s) {
				return 0
			}
			return float64(len(s.words))
		})
	}
	if len(picked) == 0 {
		best(1, func(s sentence) float64 { return float64(len(s.words)) })
	}
	return picked[:min(len(picked), summarySentences)]
}

func (t talk) lateOf(i int, otherwise float64) float64 {
	if i < 0 {
		return otherwise
	}
	return t.sentences[i].late
}

// sum is the weight of all phrases of a sentence, denied or not: a denied wish is news too.
func sum(found []match) float64 {
	total := 0.0
	for _, m := range found {
		total += m.weight
	}
	return total
}

// retell quotes sentences, naming the speaker whenever it changes.
func (t talk) retell(picked []pick) string {
	var b strings.Builder
	var last engine.Speaker
	for i, p := range picked {
		s := t.sentences[p.index]
		said := s.text()
		for _, more := range t.sentences[p.index+1 : p.index+p.length] {
			said += " " + more.text()
		}
		if i > 0 {
			b.WriteString("\n") // a line each reads as a small dialogue
		}
		if name := speakerName(s.speaker); i == 0 || s.speaker != last {
			b.WriteString(name + ": ")
		}
		b.WriteString("«" + clip(said) + "»")
		last = s.speaker
	}
	return b.String()
}

func speakerName(s engine.Speaker) string {
	switch s {
	case engine.Agent:
		return "Менеджер"
	case engine.Client:
		return "Клиент"
	}
	return "Из разговора"
}

// clip shortens a sentence to what a quote may have, at a word.
func clip(text string) string {
	text = strings.TrimRight(text, ".")
	if utf8.RuneCountInString(text) <= quoteLength {
		return text
	}
	runes := []rune(text)[:quoteLength]
	if i := strings.LastIndex(string(runes), " "); i > 0 {
		return string(runes)[:i] + "…"
	}
	return string(runes) + "…"
}
