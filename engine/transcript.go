package engine

import (
	"slices"
	"strings"
	"time"
)

// Speaker is a side of the conversation.
type Speaker string

// The speakers.
const (
	Agent   Speaker = "agent"
	Client  Speaker = "client"
	Unknown Speaker = "unknown"
)

// Token is a piece of recognised text; a leading space begins a word. Times
// are relative to the window until [Assemble] places them in the call.
type Token struct {
	Text  string        `json:"text"`
	Start time.Duration `json:"start"`
	End   time.Duration `json:"end"`
	P     float32       `json:"p"` // probability 0..1 as the engine gives it
}

// Segment is a run of tokens the speech engine reports as one phrase.
type Segment struct {
	Start    time.Duration `json:"start"`
	End      time.Duration `json:"end"`
	Text     string        `json:"text"`
	Tokens   []Token       `json:"tokens"`
	NoSpeech float32       `json:"no_speech"` // probability 0..1 that nobody spoke
}

// Word is a word with its place in the call.
type Word struct {
	Text  string        `json:"text"`
	Start time.Duration `json:"start"`
	End   time.Duration `json:"end"`
}

// Turn is what one speaker said until the other one began.
type Turn struct {
	Speaker Speaker
	Channel int
	Start   time.Duration
	End     time.Duration
	Text    string
	Words   []Word
}

// Transcript is the text of a call.
type Transcript struct {
	CallID   string
	Model    string // name of the model file
	Language string
	Turns    []Turn
	MadeAt   time.Time
}

// Text is the whole dialogue as plain lines "speaker: text".
func (t Transcript) Text() string {
	var b strings.Builder
	for _, turn := range t.Turns {
		b.WriteString(string(turn.Speaker))
		b.WriteString(": ")
		b.WriteString(turn.Text)
		b.WriteString("\n")
	}
	return b.String()
}

// turnGap is the silence after which the same speaker begins a new turn even
// if nobody answered: a longer block is hard to follow while it plays.
const turnGap = 2 * time.Second

// Heard is a window with what the speech engine made of it.
type Heard struct {
	Window   Window
	Segments []Segment
}

// Assemble orders what was heard on all channels into turns. agent is the
// agent's channel; with a single channel every speaker is unknown, because a
// mixed recording does not say who spoke.
func Assemble(heard []Heard, channels, agent int) []Turn {
	var phrases []Turn
	for _, h := range heard {
		for _, s := range h.Segments {
			text := strings.TrimSpace(s.Text)
			if text == "" {
				continue
			}
			phrases = append(phrases, Turn{
				Speaker: speakerOf(h.Window.Channel, channels, agent),
				Channel: h.Window.Channel,
				Start:   h.Window.Start + s.Start,
				End:     min(h.Window.Start+s.End, h.Window.End),
				Text:    text,
				Words:   words(s.Tokens, h.Window.Start),
			})
		}
	}
	slices.SortStableFunc(phrases, func(a, b Turn) int {
		if a.Start != b.Start {
			return int(a.Start - b.Start)
		}
		return a.Channel - b.Channel
	})
	var turns []Turn
	for _, p := range phrases {
		if n := len(turns); n > 0 && turns[n-1].Channel == p.Channel && p.Start-turns[n-1].End < turnGap {
			last := &turns[n-1]
			last.Text += " " + p.Text
			last.End = max(last.End, p.End)
			last.Words = append(last.Words, p.Words...)
			continue
		}
		turns = append(turns, p)
	}
	return turns
}

func speakerOf(channel, channels, agent int) Speaker {
	switch {
	case channels != 2:
		return Unknown
	case channel == agent:
		return Agent
	}
	return Client
}

// words joins tokens into words: a token that begins with a space begins one.
func words(tokens []Token, offset time.Duration) []Word {
	var out []Word
	for _, t := range tokens {
		text := strings.TrimSpace(t.Text)
		if text == "" {
			continue
		}
		if n := len(out); n > 0 && !strings.HasPrefix(t.Text, " ") {
			out[n-1].Text += text
			out[n-1].End = offset + t.End
			continue
		}
		out = append(out, Word{Text: text, Start: offset + t.Start, End: offset + t.End})
	}
	return out
}
