// Package captions writes a transcript down for people and programs: plain
// text, JSON, SubRip (SRT) and WebVTT. Times count from the beginning of the
// call. Nothing is written unless the whole document could be made.
package captions

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"flysense/engine"
)

// label is what a person calls a speaker (Russian).
func label(s engine.Speaker) string {
	switch s {
	case engine.Agent:
		return "Менеджер"
	case engine.Client:
		return "Клиент"
	}
	return "Собеседник"
}

// Text writes a line per turn: "[1:05] Клиент: …".
func Text(w io.Writer, t engine.Transcript) error {
	var b bytes.Buffer
	for _, turn := range t.Turns {
		fmt.Fprintf(&b, "[%s] %s: %s\n", clock(turn.Start), label(turn.Speaker), line(turn.Text))
	}
	return flush(w, &b)
}

// JSON writes {"turns": [{"speaker", "start", "end", "text"}], "model", "language"}
// with times in seconds, to a millisecond. Speakers are agent, client and unknown.
func JSON(w io.Writer, t engine.Transcript) error {
	type turn struct {
		Speaker engine.Speaker `json:"speaker"`
		Start   json.Number    `json:"start"`
		End     json.Number    `json:"end"`
		Text    string         `json:"text"`
	}
	document := struct {
		Turns    []turn `json:"turns"`
		Model    string `json:"model"`
		Language string `json:"language"`
	}{make([]turn, 0, len(t.Turns)), t.Model, t.Language}
	for _, from := range t.Turns {
		document.Turns = append(document.Turns, turn{from.Speaker, seconds(from.Start), seconds(from.End), from.Text})
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(document); err != nil {
		return fmt.Errorf("write transcript as JSON: %w", err)
	}
	return flush(w, &b)
}

// SRT writes SubRip: numbered cues, and the speaker's name where a turn begins.
func SRT(w io.Writer, t engine.Transcript) error {
	var b bytes.Buffer
	for i, c := range cuesOf(t, named) {
		// An arrow in the text would read as a cue's time.
		text := strings.ReplaceAll(c.text(), "-->", "→")
		fmt.Fprintf(&b, "%d\n%s --> %s\n%s\n\n", i+1, stamp(c.start, ","), stamp(c.end, ","), text)
	}
	return flush(w, &b)
}

// VTT writes WebVTT with a voice tag in every cue.
func VTT(w io.Writer, t engine.Transcript) error {
	var b bytes.Buffer
	b.WriteString("WEBVTT\n\n")
	escape := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
	for _, c := range cuesOf(t, unnamed) {
		fmt.Fprintf(&b, "%s --> %s\n<v %s>%s\n\n", stamp(c.start, "."), stamp(c.end, "."), label(c.speaker), escape.Replace(c.text()))
	}
	return flush(w, &b)
}

func flush(w io.Writer, b *bytes.Buffer) error {
	if _, err := b.WriteTo(w); err != nil {
		return fmt.Errorf("write transcript: %w", err)
	}
	return nil
}

// line brings a text to one line: a line break inside would end a cue.
func line(s string) string { return strings.Join(strings.Fields(s), " ") }

func seconds(d time.Duration) json.Number {
	ms := max(d.Milliseconds(), 0)
	s := fmt.Sprintf("%d.%03d", ms/1000, ms%1000)
	return json.Number(strings.TrimSuffix(strings.TrimRight(s, "0"), "."))
}

// clock reads 0:05, 12:05, 1:02:03.
func clock(d time.Duration) string {
	s := int(max(d, 0).Seconds())
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}

// stamp reads 00:01:05,250.
func stamp(d time.Duration, point string) string {
	ms := max(d.Milliseconds(), 0)
	return fmt.Sprintf("%02d:%02d:%02d%s%03d", ms/3_600_000, ms/60_000%60, ms/1000%60, point, ms%1000)
}
