//go:build whisper

package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

// One file through the real decoder and the real engine, in every format.
func TestTranscribe(t *testing.T) {
	call := filepath.Join(assets, "calls", "04-very-short.mp3")
	out, errs, err := flysense(t, "transcribe", call, "--format", "json")
	if err != nil {
		t.Fatal(err, errs)
	}
	var got struct {
		Turns []struct {
			Speaker    string
			Start, End float64
			Text       string
		}
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	if len(got.Turns) != 4 || got.Turns[0].Speaker != "agent" || got.Turns[1].Speaker != "client" ||
		!strings.Contains(got.Turns[1].Text, "удобно говорить") || got.Turns[1].Start < 2 || got.Turns[1].End > 5 {
		t.Errorf("got %+v", got.Turns)
	}
	if !strings.Contains(errs, "бесплатно") || !strings.Contains(errs, "демонстрационн") {
		t.Errorf("does not say that it is the demo model, and free: %q", errs)
	}
	for format, want := range map[string]string{"text": "Клиент: Здравствуйте", "srt": "00:00:02,", "vtt": "WEBVTT"} {
		out, errs, err := flysense(t, "transcribe", call, "--format", format)
		if err != nil || !strings.Contains(out, want) {
			t.Errorf("%s: %v %s\n%s", format, err, errs, out)
		}
	}
	// The agent on the other channel.
	out, _, err = flysense(t, "transcribe", call, "--agent-channel", "1")
	if err != nil || !strings.Contains(out, "Менеджер: Здравствуйте") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestDoctor(t *testing.T) {
	out, errs, err := flysense(t, "doctor")
	if err != nil {
		t.Fatalf("%v\n%s%s", err, out, errs)
	}
	for _, want := range []string{"Диск", "Распознавание", "вычисления CPU", "Веб-сервер"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}
