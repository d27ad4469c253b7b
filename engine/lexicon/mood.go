package lexicon

import "flysense/engine"

// Grievances are a client's, with how heavy they weigh.
var grievancePhrases = []phrase{
	// a complaint, or the threat of one
	{text: "жаловаться|пожаловаться|=жалуюсь|=жалуемся|=жалуется|=пожалуюсь|=пожалуемся", weight: 4}, {text: "=жалоба|=жалобу|=жалобы|=жалобой", weight: 3},
	{text: "претензия", weight: 3}, {text: "рекламация", weight: 3},
	{text: "=в =суд", weight: 5}, {text: "=судиться|=засужу|=засудим", weight: 5}, {text: "роспотребнадзор", weight: 5}, {text: "прокуратура", weight: 5},
	{text: "=в =полицию", weight: 5}, {text: "юрист|адвокат", weight: 2},
	{text: "плохой|негативный|отрицательный|гневный отзыв*", weight: 4}, {text: "=соедините|=позовите|=позови|=дайте ~ руководител*|начальник*|директор*|старш*", weight: 3},
	// anger
	{text: "безобрази*", weight: 4}, {text: "возмут*", weight: 4}, {text: "возмущ*", weight: 4}, {text: "отвратительн*", weight: 4}, {text: "ужасн*", weight: 3},
	{text: "=это ~ =ужас|=кошмар|=позор", weight: 4}, {text: "=полный|=просто|=тихий =ужас|=кошмар|=бардак", weight: 4}, {text: "кошмар*", weight: 3},
	{text: "=бред|=бредятина", weight: 3}, {text: "=ерунда|=чушь", weight: 2}, {text: "=бардак", weight: 3},
	{text: "хам*", weight: 3}, {text: "нахам*", weight: 4}, {text: "нагруб*", weight: 4}, {text: "груби*", weight: 3},
	{text: "обману*", weight: 4}, {text: "обманыва*", weight: 4}, {text: "мошенн*", weight: 5}, {text: "=развод|=разводилово|=разводите", weight: 2}, {text: "=кинули", weight: 3},
	{text: "издева*", weight: 4}, {text: "надоел*", weight: 3}, {text: "=достали", weight: 3},
	{text: "идиот*", weight: 4}, {text: "дебил*", weight: 4}, {text: "=дурак|=дураки|=дура|=дураков", weight: 3}, {text: "дурацк*", weight: 3}, {text: "придур*", weight: 4}, {text: "=уроды|=урод", weight: 4},
	{text: "=чертов|=чертова|=чертовы", weight: 2}, {text: "=черт =знает|=возьми|=побери", weight: 3}, {text: "=черт", weight: 2}, {text: "=блин", weight: 1},
	{text: "=нахрен|=нафиг", weight: 3}, {text: "=ни =хрена|=фига", weight: 3}, {text: "=какого =хрена|=черта", weight: 4}, {text: "=хрен =знает", weight: 3},
	{text: "=сколько =можно", weight: 4}, {text: "разочаров*", weight: 3}, {text: "недовол*", weight: 4}, {text: "=не =доволен|=довольна|=довольны|=устраивает", weight: 3},
	{text: "=никогда ~ =не =куплю|=закажу|=обращусь|=приду", weight: 5}, {text: "=не =звоните|=звони|=пишите ~ =больше", weight: 4}, {text: "=хватит|=перестаньте|=прекратите ~ =звонить|=названивать", weight: 4},
	{text: "=отстаньте", weight: 4}, {text: "=не =умеете ~ =работать", weight: 4}, {text: "=плохое|=ужасное =обслуживание|=качество|=отношение", weight: 3},
	// something went wrong
	{text: "=никто ~ =не =перезвонил|=отвечает|=ответил|=позвонил|=приехал|=звонил", weight: 3}, {text: "=так =и =не =приехал|=привезли|=перезвонил|=позвонили|=перезвонили", weight: 3},
	{text: "=третий|=четвертый|=пятый|=десятый|=который =раз ~ звон*", weight: 3}, {text: "звон* ~ =третий|=четвертый|=пятый|=десятый|=который =раз", weight: 3},
	{text: "=не =работает|=работают|=включается|=включаются|=греет|=морозит", weight: 2}, {text: "сломал*", weight: 2}, {text: "сломан*", weight: 2}, {text: "бракован*", weight: 3}, {text: "=брак", weight: 2},
	{text: "опозда*", weight: 2}, {text: "=не =приехал|=приехали|=привезли", weight: 2}, {text: "=не =тот|=та|=то =холодильник|=товар|=размер|=цвет", weight: 2},
	{text: "списали ~ =дважды|=раза", weight: 2}, {text: "=не =вернули ~ =деньги", weight: 3}, {text: "=верните ~ =деньги", weight: 3},
	{text: "=жду =уже", weight: 2}, {text: "=уже ~ =жду", weight: 2}, {text: "=долго =ждать|=жду", weight: 2}, {text: "=проблема|=проблемы", weight: 1},
}

// Rude words of an agent. What a client says in anger an agent repeats to
// soothe ("понимаю ваше недовольство"), so the list above is not for agents.
var rudePhrases = []phrase{
	{text: "идиот*", weight: 5}, {text: "дебил*", weight: 5}, {text: "=дурак|=дураки|=дура", weight: 4}, {text: "придур*", weight: 5},
	{text: "=не =мои|=наши =проблемы", weight: 5}, {text: "=это =ваши =проблемы", weight: 5}, {text: "=мне =все =равно", weight: 4}, {text: "=мне =плевать", weight: 5},
	{text: "=отстаньте", weight: 5}, {text: "=не =кричите|=орите", weight: 3}, {text: "=не =морочьте", weight: 4}, {text: "=сами =виноваты", weight: 4}, {text: "=что =вам =надо", weight: 4},
	{text: "=читайте =договор|=внимательнее", weight: 2}, {text: "=замолчите|=заткнитесь", weight: 5},
}

// Words that turn a grievance into an agent's soothing. They matter where
// it is unknown who speaks.
var excusePhrases = []phrase{
	{text: "=понимаю ~ ваш*"}, {text: "=передам|=передадим ~ ваш*"}, {text: "=приношу|=приносим ~ извинен*"}, {text: "=примем =меры"}, {text: "=пожалуйста ~ =ругайтесь|=успокойтесь"},
}

// Praise is goodwill, cold is its opposite without anger. Both only move the tone.
var (
	praisePhrases = []phrase{
		{text: "=спасибо", weight: 0.4}, {text: "=большое|=огромное =спасибо", weight: 1}, {text: "=спасибо =большое|=огромное", weight: 1}, {text: "=благодарю|=благодарна|=благодарен", weight: 1},
		{text: "=отлично|=замечательно|=прекрасно|=супер|=здорово|=великолепно|=чудесно", weight: 1.2}, {text: "=устраивает|=подходит", weight: 1.5},
		{text: "=согласен|=согласна", weight: 1.5}, {text: "=договорились", weight: 1.2}, {text: "=доволен|=довольна|=довольны", weight: 2}, {text: "нравит*", weight: 1.5}, {text: "понравил*", weight: 2},
		{text: "=очень =помогли|=рад|=рада|=приятно", weight: 1.5}, {text: "рекоменд*", weight: 1.5}, {text: "=выручили", weight: 2}, {text: "=молодцы", weight: 2}, {text: "=проблема =решена", weight: 2}, {text: "=беру|=оформляйте|=оформляем", weight: 1.2},
	}
	coldPhrases = []phrase{
		{text: "=дорого|=дороговато", weight: 0.5}, {text: "=не =интересно|=интересует|=подходит|=нужно|=надо|=нравится", weight: 1}, {text: "=ничего =не =нужно|=надо", weight: 1},
		{text: "=к =сожалению", weight: 0.3}, {text: "=не =слышу|=слышно", weight: 0.3}, {text: "=нет =денег", weight: 0.5}, {text: "=нет ~ =таких =денег", weight: 0.5},
	}
)

const (
	// A single grievance this heavy is negativity; so are several lighter ones.
	heavyGrievance = 3
	heavySum       = 5

	agentShare = 0.3  // an agent is polite by profession
	lateBonus  = 0.8  // a word at the end weighs 1.8 times one at the beginning
	moodFloor  = 1.5  // less feeling than this is neutral
	angerFloor = 3    // and so is a little coldness
	gladShare  = 0.33 // (praise-anger)/(praise+anger) from here on is positive
	angryShare = -0.3 // and down to here negative
)

// anger is the weight of a sentence's grievances and where the heaviest stands.
func (a *Analyst) anger(t talk, s sentence) (weight float64, at int) {
	var found []match
	switch {
	case s.speaker == engine.Agent:
		found = a.rudeness.find(s)
	case !t.sided && a.excuses.has(s):
		return 0, 0
	default:
		found = a.grievances.find(s)
	}
	heaviest := 0.0
	for i, m := range found {
		if m.negated || i > 0 && found[i-1].at == m.at && found[i-1].weight >= m.weight { // one word, two lists
			continue
		}
		weight += m.weight
		if m.weight > heaviest {
			heaviest, at = m.weight, m.at
		}
	}
	for i, w := range s.words {
		if w.coarse {
			weight += 4
			if heaviest < 4 {
				heaviest, at = 4, i
			}
		}
	}
	return weight, at
}

// negativity finds complaint, anger and threat, and quotes the heaviest sentence.
func (a *Analyst) negativity(t talk) engine.Verdict {
	var worst sentence
	heaviest, sum, place := 0.0, 0.0, 0
	for _, s := range t.sentences {
		weight, at := a.anger(t, s)
		sum += weight
		if weight > heaviest {
			worst, heaviest, place = s, weight, at
		}
	}
	if heaviest < heavyGrievance && sum < heavySum {
		return engine.Verdict{Kind: engine.Negativity}
	}
	return worst.verdict(engine.Negativity, place)
}

// tone weighs praise against anger. The client counts more than the agent,
// and the end of the call more than its beginning.
func (a *Analyst) tone(t talk) engine.Tone {
	var glad, angry float64
	for _, s := range t.sentences {
		share := 1 + lateBonus*s.late
		if s.speaker == engine.Agent {
			share *= agentShare
		}
		weight, _ := a.anger(t, s)
		angry += share * weight
		if s.speaker != engine.Agent {
			angry += share * strongest(a.cold.find(s))
		}
		glad += share * strongest(a.praise.find(s))
	}
	mood := glad + angry
	switch {
	case mood < moodFloor:
		return engine.Neutral
	case (glad-angry)/mood >= gladShare:
		return engine.Positive
	case angry >= angerFloor && (glad-angry)/mood <= angryShare:
		return engine.Negative
	}
	return engine.Neutral
}

// strongest is the weight of the heaviest phrase that is not denied: "большое
// спасибо" is not thanks twice.
func strongest(found []match) float64 {
	weight := 0.0
	for _, m := range found {
		if !m.negated {
			weight = max(weight, m.weight)
		}
	}
	return weight
}
