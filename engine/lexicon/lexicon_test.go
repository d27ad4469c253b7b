package lexicon_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"flysense/engine"
	"flysense/engine/enginetest"
	"flysense/engine/lexicon"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var compiled = sync.OnceValue(lexicon.New)

func analyse(t testing.TB, transcript engine.Transcript) engine.Analysis {
	t.Helper()
	a, err := compiled().Analyse(context.Background(), transcript)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Golden analyses of the six demo dialogues: read them as a sales manager
// would before accepting a change.
func TestDemoDialogues(t *testing.T) {
	paths, err := filepath.Glob("../../models/demo/calls/*.ref.json")
	if err != nil || len(paths) != 6 {
		t.Fatalf("%d demo calls, %v", len(paths), err)
	}
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".ref.json")
		t.Run(name, func(t *testing.T) {
			r, err := enginetest.ReadReference(path)
			if err != nil {
				t.Fatal(err)
			}
			got, err := json.MarshalIndent(analyse(t, r.Transcript(name)), "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", name+".json")
			if *update {
				if err := os.WriteFile(golden, append(got, '\n'), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if string(want) != string(got)+"\n" {
				t.Errorf("the analysis has changed (run with -update and read it):\n%s", got)
			}
		})
	}
}

// said makes a call of lines "a: …" (agent), "c: …" (client) and "u: …"
// (unknown), two seconds each, a second apart.
func said(lines ...string) engine.Transcript {
	var t engine.Transcript
	for i, line := range lines {
		side, text, _ := strings.Cut(line, ": ")
		start := time.Duration(i) * 3 * time.Second
		turn := engine.Turn{Start: start, End: start + 2*time.Second, Text: text}
		switch side {
		case "a":
			turn.Speaker = engine.Agent
		case "c":
			turn.Speaker, turn.Channel = engine.Client, 1
		default:
			turn.Speaker = engine.Unknown
		}
		for _, token := range enginetest.Say(text, turn.Start, turn.End).Tokens {
			turn.Words = append(turn.Words, engine.Word{Text: strings.TrimSpace(token.Text), Start: token.Start, End: token.End})
		}
		t.Turns = append(t.Turns, turn)
	}
	return t
}

func verdict(t *testing.T, a engine.Analysis, kind engine.Kind) engine.Verdict {
	t.Helper()
	if len(a.Verdicts) != len(engine.Kinds) {
		t.Fatalf("%d verdicts", len(a.Verdicts))
	}
	for i, v := range a.Verdicts {
		if v.Kind != engine.Kinds[i] {
			t.Fatalf("verdict %d is %s", i, v.Kind)
		}
		if v.Kind == kind {
			return v
		}
	}
	t.Fatalf("no verdict %s", kind)
	return engine.Verdict{}
}

func TestManners(t *testing.T) {
	for name, tt := range map[string]struct {
		lines    []string
		greeting string // quote; "" for none
		farewell string
	}{
		"both":                          {[]string{"a: Добрый день!", "c: Здравствуйте.", "a: До свидания."}, "Добрый день!", "До свидания."},
		"only the client is polite":     {[]string{"a: Да, слушаю.", "c: Здравствуйте!", "a: Хорошо.", "c: До свидания."}, "", ""},
		"the name first":                {[]string{"a: Компания Ромашка.", "a: Анна, приветствую вас.", "c: Добрый день.", "a: Всего вам самого доброго."}, "Анна, приветствую вас.", "Всего вам самого доброго."},
		"greeting far too late":         {[]string{"a: Да.", "a: Угу.", "a: Так.", "a: Секунду.", "a: Ой, здравствуйте.", "c: Да."}, "", ""},
		"good day as a farewell":        {[]string{"a: Алло.", "c: Это вы?", "a: Нет.", "a: Доброго дня."}, "", "Доброго дня."},
		"good day only as a greeting":   {[]string{"a: Доброго дня, слушаю.", "c: Ошибся номером."}, "Доброго дня, слушаю.", ""},
		"thanks for calling ends":       {[]string{"a: Алло.", "c: Да.", "a: Спасибо за звонок!"}, "", "Спасибо за звонок!"},
		"a discount until tomorrow":     {[]string{"a: Алло.", "c: Да.", "a: Скидка действует до завтра."}, "", ""},
		"until tomorrow":                {[]string{"a: Алло.", "c: Да.", "a: Ну, до завтра!"}, "", "Ну, до завтра!"},
		"bye":                           {[]string{"a: Привет.", "c: Да.", "a: Ну пока."}, "Привет.", "Ну пока."},
		"so far":                        {[]string{"a: Привет.", "c: Да.", "a: Пока не знаю, когда привезут."}, "Привет.", ""},
		"goodbye, then a long postlude": {[]string{"a: Алло.", "a: До свидания.", "c: Стойте, ещё вопрос.", "a: Да.", "a: Так.", "a: Нет.", "a: Секунду.", "a: Всё."}, "", ""},
		"unknown speakers":              {[]string{"u: Алло.", "u: Добрый вечер.", "u: Всего хорошего."}, "Добрый вечер.", "Всего хорошего."},
		"no capital letters":            {[]string{"a: здравствуйте вас беспокоит анна", "c: да", "a: спасибо до свидания"}, "здравствуйте вас беспокоит анна", "спасибо до свидания"},
		"nobody speaks":                 {nil, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			a := analyse(t, said(tt.lines...))
			for kind, want := range map[engine.Kind]string{engine.Greeting: tt.greeting, engine.Farewell: tt.farewell} {
				got := verdict(t, a, kind)
				if got.Quote != want || got.Found != (want != "") {
					t.Errorf("%s: %+v, want %q", kind, got, want)
				}
				if got.Found && got.Speaker == engine.Client {
					t.Errorf("%s was credited to the client", kind)
				}
			}
		})
	}
}

// Coarse words and the innocent ones that look like them.
func TestProfanity(t *testing.T) {
	for want, words := range map[bool]string{
		true: `хуй хуйня хуёвый хуета нахуй похуй нихуя охуеть охуенно дохуя захуярить хули пизда пиздец спиздили распиздяй пиздёж
			ебать ебал ебаный ебут ебётся заебали наебали уебок уёбище выебывается проебал доебался долбоёб еблан ёбнутый съебался разъебали заебись
			блядь блять бля выблядок сука суки суку сукой сукин мудак мудаки мудила мудозвон манда мандавошка гандон гондон пидор пидорас пидарас пидры
			залупа дрочить шлюха ублюдок гнида мразь твари говно говняный жопа жопу дерьмо дерьмовый срать насрать обосрался сраный засранный
			ссать обоссал хер херня нахер похер херовый охеренно чмо епта х** б***ь п***ц бля-бля`,
		false: `страхуй страхую застрахуй подстрахуй психуй психую плохую сухую тихую глухую лихую худой художник хулиган хутор похудеть
			хуже худшего Чихуахуа Хуавей Шанхуй употреблять употребление потреблять истреблять злоупотребил ослаблять оскорблять усугублять
			хлебай хлеб расхлебать колебаться требовать потребовать ребёнок тебе себе небо мебель учебник учебный погреб лебедь дебет
			вебинар Ебург мандат мандарин команда командир Катманду Роман дама педаль педагог велосипед педиатр Педро
			сук сучок барсук рисунок посуда суккулент мудрый мудрость мудрено бляха оскорбляю корабля рубля рублями сабля дубляж
			сразу страна сравнить сражение собрать брать убрать посрамить срам устранить ссора ссуда ссылка рассада масса касса пассажир
			Херсон херувим херес шухер расчёсывать наждачный твердь товар отварь утварь отвар гондола Гондурас
			пиджак пиццу пирс пизанская`,
	} {
		if n := len(strings.Fields(words)); n < 60 {
			t.Fatalf("only %d words that should give %v", n, want)
		}
		for _, w := range strings.Fields(words) {
			got := verdict(t, analyse(t, said("a: Слушаю.", "c: Это "+w+", понимаете?")), engine.Profanity)
			if got.Found != want {
				t.Errorf("%q: %+v, want %v", w, got, want)
			}
			if got.Found && (got.Speaker != engine.Client || !strings.Contains(got.Quote, w) || got.At != 3*time.Second) {
				t.Errorf("%q: %+v", w, got)
			}
		}
	}
	// The agent's word counts first even if the client began.
	got := verdict(t, analyse(t, said("c: Вот блядь.", "a: Сам ты сука.")), engine.Profanity)
	if got.Speaker != engine.Agent || got.Quote != "Сам ты сука." {
		t.Errorf("%+v", got)
	}
}

func TestNegativity(t *testing.T) {
	for name, tt := range map[string]struct {
		lines []string
		quote string // "" for none
		tone  engine.Tone
	}{
		"a complaint":                   {[]string{"c: Я хочу пожаловаться на курьера."}, "Я хочу пожаловаться на курьера.", engine.Negative},
		"no complaint":                  {[]string{"c: Я не жалуюсь, просто спрашиваю."}, "", engine.Neutral},
		"no claims":                     {[]string{"c: Никаких претензий у меня нет."}, "", engine.Neutral},
		"without claims":                {[]string{"c: Работаем без претензий."}, "", engine.Neutral},
		"a no before the comma":         {[]string{"c: Нет, я недоволен."}, "Нет, я недоволен.", engine.Negative},
		"not displeased":                {[]string{"c: Я не недоволен."}, "", engine.Neutral},
		"not pleased":                   {[]string{"c: Я не доволен сервисом."}, "Я не доволен сервисом.", engine.Negative},
		"a threat":                      {[]string{"c: Я подам на вас в суд."}, "Я подам на вас в суд.", engine.Negative},
		"a pity is no complaint":        {[]string{"c: Жаль, очень жаль."}, "", engine.Neutral},
		"a court in another sense":      {[]string{"c: Наше судно придёт в субботу."}, "", engine.Neutral},
		"the agent soothes":             {[]string{"c: Так.", "a: Я понимаю ваше недовольство и передам вашу жалобу."}, "", engine.Neutral},
		"soothing on one channel":       {[]string{"u: Я понимаю ваше недовольство.", "u: Передам вашу жалобу руководителю."}, "", engine.Neutral},
		"anger on one channel":          {[]string{"u: Это безобразие!"}, "Это безобразие!", engine.Negative},
		"the agent is rude":             {[]string{"c: Где заказ?", "a: Это не мои проблемы."}, "Это не мои проблемы.", engine.Neutral},
		"closed on Sunday":              {[]string{"a: В воскресенье магазин не работает.", "c: Понятно."}, "", engine.Neutral},
		"something broke":               {[]string{"c: Телевизор не работает."}, "", engine.Neutral},
		"several things broke":          {[]string{"c: Телевизор не работает.", "c: Чайник сломался.", "c: Курьер опоздал."}, "Телевизор не работает.", engine.Negative},
		"too expensive is no quarrel":   {[]string{"c: Это очень дорого.", "c: Почему так дорого?"}, "", engine.Neutral},
		"a demand for money":            {[]string{"c: Верните мне деньги!"}, "Верните мне деньги!", engine.Negative},
		"calling for the third time":    {[]string{"c: Я звоню вам уже третий раз."}, "Я звоню вам уже третий раз.", engine.Negative},
		"coarse":                        {[]string{"c: Да вы там охуели."}, "Да вы там охуели.", engine.Negative},
		"a good end after a bad start":  {[]string{"c: Это безобразие!", "a: Заменим.", "c: Отлично, меня это устраивает.", "c: Большое спасибо, вы очень помогли.", "c: Я очень доволен."}, "Это безобразие!", engine.Positive},
		"a bad end after a good start":  {[]string{"c: Отлично.", "c: Спасибо.", "a: Нет в наличии.", "c: Это безобразие, я буду жаловаться."}, "Это безобразие, я буду жаловаться.", engine.Negative},
		"pleased":                       {[]string{"c: Спасибо большое, вы мне очень помогли.", "c: Буду рекомендовать вас."}, "", engine.Positive},
		"polite only":                   {[]string{"c: Спасибо.", "a: Отлично, отлично."}, "", engine.Neutral},
		"a matter-of-fact conversation": {[]string{"a: Доставка в четверг.", "c: Хорошо.", "a: Адрес верный?", "c: Да."}, "", engine.Neutral},
	} {
		t.Run(name, func(t *testing.T) {
			a := analyse(t, said(tt.lines...))
			if got := verdict(t, a, engine.Negativity); got.Quote != tt.quote || got.Found != (tt.quote != "") {
				t.Errorf("%+v, want %q", got, tt.quote)
			}
			if a.Tone != tt.tone {
				t.Errorf("tone %s, want %s", a.Tone, tt.tone)
			}
		})
	}
}

func TestTags(t *testing.T) {
	for name, tt := range map[string]struct {
		lines []string
		want  string
	}{
		"one clear mention":        {[]string{"c: Хочу оформить возврат."}, "возврат"},
		"a passing word":           {[]string{"c: Курьер был."}, ""},
		"the most discussed":       {[]string{"c: Доставка платная?", "a: Доставка бесплатная.", "c: А рассрочка?", "c: Когда доставка?"}, "доставка, рассрочка"},
		"many topics, eight named": {[]string{"c: Рассрочка, кредит, ипотека, гарантия, договор, замер, самовывоз, обмен, возврат."}, "рассрочка, кредит, ипотека, гарантия, договор, замер, самовывоз, обмен"},
		"asked to call back":       {[]string{"c: Перезвоните мне завтра."}, "перезвонить"},
		"agreed is no contract":    {[]string{"c: Договорились, ценный вы человек. Договорились."}, ""},
		"it broke":                 {[]string{"c: У меня сломался чайник."}, "рекламация"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := strings.Join(analyse(t, said(tt.lines...)).Tags, ", "); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestSummary(t *testing.T) {
	for name, tt := range map[string]struct {
		lines []string
		want  string
	}{
		"nothing was said": {nil, "В записи нет разборчивой речи."},
		"only punctuation": {[]string{"c: ... — !"}, "В записи нет разборчивой речи."},
		"one word":         {[]string{"c: Алло."}, "Клиент: «Алло»"},
		"unknown speakers": {[]string{"u: Здравствуйте, хочу заказать диван.", "u: Диван стоит десять тысяч рублей.", "u: Хорошо, договорились."},
			"Из разговора: «Здравствуйте, хочу заказать диван» «Диван стоит десять тысяч рублей» «Хорошо, договорились»"},
		"the request is the first one": {[]string{"a: Слушаю.", "c: Хочу заказать шкаф.", "a: Шкаф стоит девять тысяч рублей.", "c: И ещё хочу узнать про стол.", "a: Стола нет.", "c: Я подумаю."},
			"Клиент: «Хочу заказать шкаф» Менеджер: «Шкаф стоит девять тысяч рублей» Клиент: «Я подумаю»"},
		"refusal": {[]string{"a: Добрый день, это отдел продаж, есть предложение.", "c: Мне это не интересно. Не звоните мне больше."},
			"Менеджер: «Добрый день, это отдел продаж, есть предложение» Клиент: «Не звоните мне больше»"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := strings.ReplaceAll(analyse(t, said(tt.lines...)).Summary, "\n", " "); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// What a recogniser may hand over when it goes wrong.
func TestStrangeTranscripts(t *testing.T) {
	for name, transcript := range map[string]engine.Transcript{
		"no turns":      {},
		"empty turns":   {Turns: []engine.Turn{{}, {Speaker: engine.Agent}, {Text: "   "}}},
		"words missing": {Turns: []engine.Turn{{Speaker: engine.Agent, Text: "Добрый день", Start: time.Second, End: 2 * time.Second}}},
		"times turned":  {Turns: []engine.Turn{{Speaker: engine.Agent, Text: "Добрый день", Start: time.Hour, End: time.Second}}},
		"one endless sentence": {Turns: []engine.Turn{{Speaker: engine.Client, End: time.Hour,
			Text: strings.Repeat("это безобразие я хочу заказать ", 2000)}}},
		"one endless word": {Turns: []engine.Turn{{Speaker: engine.Client, End: time.Hour, Text: strings.Repeat("безобразие", 10000)}}},
	} {
		t.Run(name, func(t *testing.T) {
			check(t, transcript, analyse(t, transcript))
		})
	}
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := lexicon.New().Analyse(cancelled, said("a: Да.")); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if lexicon.New().Charges() {
		t.Error("an analysis without a model is charged")
	}
}

// check says what holds for every analysis.
func check(t *testing.T, from engine.Transcript, a engine.Analysis) {
	t.Helper()
	if a.By != engine.Lexicon || a.Charged {
		t.Errorf("by %q, charged %v", a.By, a.Charged)
	}
	if n := utf8.RuneCountInString(a.Summary); n == 0 || n > 400 {
		t.Errorf("a summary of %d letters", n)
	}
	if a.Tone != engine.Positive && a.Tone != engine.Neutral && a.Tone != engine.Negative {
		t.Errorf("tone %q", a.Tone)
	}
	if len(a.Tags) > 8 {
		t.Errorf("tags %v", a.Tags)
	}
	var words strings.Builder
	for _, turn := range from.Turns {
		words.WriteString(" " + strings.Join(strings.Fields(turn.Text), " "))
	}
	for i, v := range a.Verdicts {
		if v.Kind != engine.Kinds[i] {
			t.Errorf("verdict %d is %s", i, v.Kind)
		}
		if !v.Found && v != (engine.Verdict{Kind: v.Kind}) {
			t.Errorf("%+v proves nothing", v)
		}
		quote := strings.TrimSuffix(strings.TrimPrefix(v.Quote, "…"), "…")
		if v.Found && (quote == "" || !strings.Contains(words.String(), quote)) {
			t.Errorf("%q was never said", v.Quote)
		}
	}
}

func FuzzAnalyse(f *testing.F) {
	f.Add("Добрый день. Я хочу пожаловаться, блядь!", "Не жалуюсь… до свидания", true)
	f.Add("нет никаких претензий", "х** *** \x00 -- №7", false)
	f.Fuzz(func(t *testing.T, a, b string, sided bool) {
		transcript := said("u: "+a, "u: "+b, "u: "+a)
		if sided {
			transcript = said("a: "+a, "c: "+b, "a: "+b)
		}
		check(t, transcript, analyse(t, transcript))
	})
}

// A call of four hours costs as much per word as one of an hour: counted in
// allocations, which do not depend on the machine's mood.
func TestWorkGrowsWithTheWordsOnly(t *testing.T) {
	hours := func(n int) engine.Transcript {
		var lines []string
		for range n * 500 {
			lines = append(lines, "a: Я могу сделать вам скидку десять процентов, доставка будет в четверг утром.",
				"c: Это безобразие, я хочу вернуть деньги и поговорить с руководителем.")
		}
		return said(lines...)
	}
	one, four := hours(1), hours(4)
	a := lexicon.New()
	count := func(transcript engine.Transcript) float64 {
		return testing.AllocsPerRun(1, func() {
			if _, err := a.Analyse(context.Background(), transcript); err != nil {
				t.Error(err)
			}
		})
	}
	if x, y := count(one), count(four); y > 4.5*x {
		t.Errorf("%.0f allocations for an hour, %.0f for four", x, y)
	}
}

func BenchmarkAnalyse(b *testing.B) {
	r, err := enginetest.ReadReference("../../models/demo/calls/06-long-call.ref.json")
	if err != nil {
		b.Fatal(err)
	}
	transcript, a := r.Transcript("c"), lexicon.New()
	for b.Loop() {
		if _, err := a.Analyse(context.Background(), transcript); err != nil {
			b.Fatal(err)
		}
	}
}
