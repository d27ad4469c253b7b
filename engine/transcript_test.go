package engine_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"flysense/engine"
)

const second = time.Second

func phrase(start, end time.Duration, text string) engine.Segment {
	var tokens []engine.Token
	for i, w := range strings.Fields(text) {
		at := start + time.Duration(i)*100*time.Millisecond
		tokens = append(tokens, engine.Token{Text: " " + w, Start: at, End: at + 90*time.Millisecond})
	}
	return engine.Segment{Start: start, End: end, Text: text, Tokens: tokens}
}

func shape(turns []engine.Turn) string {
	var lines []string
	for _, t := range turns {
		lines = append(lines, fmt.Sprintf("%s %v-%v %s", t.Speaker, t.Start, t.End, t.Text))
	}
	return strings.Join(lines, "\n")
}

func TestAssemble(t *testing.T) {
	left := engine.Heard{
		Window:   engine.Window{Channel: 0, Start: 0, End: 12 * second},
		Segments: []engine.Segment{phrase(0, 2*second, "Добрый день."), phrase(2*second, 3*second, "Слушаю вас."), phrase(10*second, 11*second, "Понятно.")},
	}
	right := engine.Heard{
		Window:   engine.Window{Channel: 1, Start: 4 * second, End: 9 * second},
		Segments: []engine.Segment{phrase(0, 4*second, "Мне нужен стол."), {Start: 4 * second, End: 5 * second, Text: "  "}},
	}
	dialogue := "agent 0s-3s Добрый день. Слушаю вас.\nclient 4s-8s Мне нужен стол.\nagent 10s-11s Понятно."
	for name, tt := range map[string]struct {
		heard           []engine.Heard
		channels, agent int
		want            string
	}{
		"two channels":           {[]engine.Heard{left, right}, 2, 0, dialogue},
		"windows in other order": {[]engine.Heard{right, left}, 2, 0, dialogue},
		"agent on the right":     {[]engine.Heard{left, right}, 2, 1, strings.NewReplacer("agent", "client", "client", "agent").Replace(dialogue)},
		"one channel":            {[]engine.Heard{left}, 1, 0, "unknown 0s-3s Добрый день. Слушаю вас.\nunknown 10s-11s Понятно."},
		"nothing":                {nil, 2, 0, ""},
		"overlap keeps both": {
			[]engine.Heard{
				{Window: engine.Window{Channel: 0, End: 9 * second}, Segments: []engine.Segment{phrase(0, 6*second, "Я говорю долго")}},
				{Window: engine.Window{Channel: 1, Start: second, End: 3 * second}, Segments: []engine.Segment{phrase(0, 2*second, "угу")}},
			}, 2, 0, "agent 0s-6s Я говорю долго\nclient 1s-3s угу",
		},
		"a phrase does not outlive its window": {
			[]engine.Heard{{Window: engine.Window{Channel: 0, Start: second, End: 2 * second}, Segments: []engine.Segment{phrase(0, 30*second, "да")}}},
			2, 0, "agent 1s-2s да",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := shape(engine.Assemble(tt.heard, tt.channels, tt.agent)); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestWordsArePlacedInTheCall(t *testing.T) {
	s := engine.Segment{Start: 0, End: second, Text: "по-русски", Tokens: []engine.Token{
		{Text: " по", Start: 0, End: 100 * time.Millisecond},
		{Text: "-русски", Start: 100 * time.Millisecond, End: 400 * time.Millisecond},
		{Text: " да", Start: 500 * time.Millisecond, End: 600 * time.Millisecond},
	}}
	turns := engine.Assemble([]engine.Heard{{Window: engine.Window{Start: 5 * second, End: 7 * second}, Segments: []engine.Segment{s}}}, 2, 0)
	want := []engine.Word{
		{Text: "по-русски", Start: 5 * second, End: 5400 * time.Millisecond},
		{Text: "да", Start: 5500 * time.Millisecond, End: 5600 * time.Millisecond},
	}
	if fmt.Sprint(turns[0].Words) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", turns[0].Words, want)
	}
}

// The same call logged in two cards is one recording; anything less certain is not.
func TestKey(t *testing.T) {
	base := engine.Sighting{OutsideID: "leads/1", Uniq: "17.1", Reported: 73 * second, Link: "https://pbx/1.mp3"}
	twin := base
	twin.OutsideID, twin.CardTitle = "contacts/2", "Иванов"
	if base.Key() != twin.Key() || base.Key() == "" {
		t.Errorf("%q and %q", base.Key(), twin.Key())
	}
	for name, change := range map[string]func(*engine.Sighting){
		"other id":     func(s *engine.Sighting) { s.Uniq = "17.2" },
		"other length": func(s *engine.Sighting) { s.Reported++ },
		"other link":   func(s *engine.Sighting) { s.Link += "?" },
		"no id":        func(s *engine.Sighting) { s.Uniq = "" },
		"no link yet":  func(s *engine.Sighting) { s.Link = "" },
	} {
		other := twin
		change(&other)
		if other.Key() == base.Key() {
			t.Errorf("%s: still the same call", name)
		}
	}
	a, b := base, twin
	a.Uniq, b.Uniq = "", ""
	if a.Key() == b.Key() {
		t.Error("two records without a telephony id are one call")
	}
}
