package enginetest

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strings"
	"time"

	"flysense/engine"
)

// Reference is what is truly said in a synthesised call, and when. Times are
// of the decoded audio, with the MP3 encoder's delay taken off.
type Reference struct {
	Title     string
	Rate      int // Hz
	Length    time.Duration
	Sentences []Sentence // by start
}

// Sentence is one sentence of a [Reference].
type Sentence struct {
	Speaker engine.Speaker
	Channel int
	Turn    int // which turn of the dialogue it belongs to
	Start   time.Duration
	End     time.Duration
	Text    string
}

// ReadReference reads a .ref.json file of models/demo.
func ReadReference(path string) (Reference, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return Reference{}, fmt.Errorf("read reference: %w", err)
	}
	var file struct {
		Title    string  `json:"title"`
		Rate     int     `json:"rate"`
		Duration float64 `json:"duration"`
		Turns    []struct {
			Speaker   string `json:"speaker"`
			Channel   int    `json:"channel"`
			Sentences []struct {
				Start float64 `json:"start"`
				End   float64 `json:"end"`
				Text  string  `json:"text"`
			} `json:"sentences"`
		} `json:"turns"`
	}
	if err := json.Unmarshal(b, &file); err != nil {
		return Reference{}, fmt.Errorf("read reference %s: %w", path, err)
	}
	r := Reference{Title: file.Title, Rate: file.Rate, Length: seconds(file.Duration)}
	for i, t := range file.Turns {
		speaker := engine.Client
		switch t.Speaker {
		case "operator":
			speaker = engine.Agent
		case "client":
		default:
			return Reference{}, fmt.Errorf("read reference %s: speaker %q", path, t.Speaker)
		}
		for _, s := range t.Sentences {
			r.Sentences = append(r.Sentences, Sentence{speaker, t.Channel, i, seconds(s.Start), seconds(s.End), s.Text})
		}
	}
	if len(r.Sentences) == 0 {
		return Reference{}, fmt.Errorf("read reference %s: nothing is said", path)
	}
	return r, nil
}

func seconds(s float64) time.Duration { return time.Duration(math.Round(s*1e6)) * time.Microsecond }

// Text is all that one speaker says.
func (r Reference) Text(speaker engine.Speaker) string {
	var parts []string
	for _, s := range r.Sentences {
		if s.Speaker == speaker {
			parts = append(parts, s.Text)
		}
	}
	return strings.Join(parts, " ")
}

// Transcript is the call as a faultless engine would write it down. Words
// share the time of their sentence by their length.
func (r Reference) Transcript(callID string) engine.Transcript {
	heard := make([]engine.Heard, len(r.Sentences))
	for i, s := range r.Sentences {
		heard[i] = engine.Heard{
			Window:   engine.Window{Index: i, Channel: s.Channel, Start: s.Start, End: s.End},
			Segments: []engine.Segment{Say(s.Text, 0, s.End-s.Start)},
		}
	}
	return engine.Transcript{CallID: callID, Model: "reference", Language: "ru", Turns: engine.Assemble(heard, 2, 0)}
}

// Say makes a segment out of a text, with a token per word.
func Say(text string, start, end time.Duration) engine.Segment {
	words := strings.Fields(text)
	letters := 0
	for _, w := range words {
		letters += len([]rune(w))
	}
	s := engine.Segment{Start: start, End: end, Text: text}
	at, said := start, 0
	for _, w := range words {
		said += len([]rune(w))
		until := start + (end-start)*time.Duration(said)/time.Duration(letters)
		s.Tokens = append(s.Tokens, engine.Token{Text: " " + w, Start: at, End: until, P: 0.9})
		at = until
	}
	return s
}
