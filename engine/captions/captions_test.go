package captions_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"flysense/engine"
	"flysense/engine/captions"
	"flysense/engine/enginetest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

type writer func(io.Writer, engine.Transcript) error

var formats = map[string]writer{"txt": captions.Text, "json": captions.JSON, "srt": captions.SRT, "vtt": captions.VTT}

// Golden files of three demo calls, one of them with people talking over each
// other, and of the hard cases.
func TestGolden(t *testing.T) {
	calls := map[string]engine.Transcript{"hard": hard()}
	for _, name := range []string{"01-sale-objection", "04-very-short", "05-overlap"} {
		paths, err := filepath.Glob("../../models/demo/calls/" + name + ".ref.json")
		if err != nil || len(paths) != 1 {
			t.Fatalf("%s: %v, %v", name, paths, err)
		}
		r, err := enginetest.ReadReference(paths[0])
		if err != nil {
			t.Fatal(err)
		}
		calls[name] = r.Transcript("c")
	}
	for name, call := range calls {
		for suffix, write := range formats {
			t.Run(name+"."+suffix, func(t *testing.T) {
				var b bytes.Buffer
				if err := write(&b, call); err != nil {
					t.Fatal(err)
				}
				path := filepath.Join("testdata", name+"."+suffix)
				if *update {
					if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(b.Bytes(), want) {
					t.Errorf("%s differs (run with -update and look at the change):\n%s", path, b.String())
				}
			})
		}
	}
	if left, err := filepath.Glob("testdata/*"); err != nil || len(left) != len(calls)*len(formats) {
		t.Errorf("%d golden files for %d documents, %v", len(left), len(calls)*len(formats), err)
	}
}

// hard is what does not come from a well-behaved engine.
func hard() engine.Transcript {
	say := func(speaker engine.Speaker, start, end time.Duration, text string, words ...engine.Word) engine.Turn {
		return engine.Turn{Speaker: speaker, Start: start, End: end, Text: text, Words: words}
	}
	return engine.Transcript{CallID: "c", Model: "m", Language: "ru", Turns: []engine.Turn{
		say(engine.Unknown, 0, 900*time.Millisecond, "Да."),
		say(engine.Client, time.Second, 2*time.Second, "Код <b>&amp;</b> --> \"7\"\nи ещё"),
		say(engine.Agent, 3*time.Second, 33*time.Second, strings.Repeat("Очень длинная речь без единой точки, ", 12)+"конец"),
		say(engine.Client, 34*time.Second, 36*time.Second, strings.Repeat("а", 60)),
		// times that run backwards and an end before the start
		say(engine.Agent, 40*time.Second, 39*time.Second, "раз два три",
			engine.Word{Text: "раз", Start: 41 * time.Second, End: 40 * time.Second},
			engine.Word{Text: "два", Start: 40 * time.Second, End: 40 * time.Second},
			engine.Word{Text: "три", Start: 43 * time.Second, End: 44 * time.Second}),
		say(engine.Client, time.Hour+2*time.Minute+3*time.Second, time.Hour+2*time.Minute+4*time.Second, "До свидания."),
	}}
}

func TestEmptyTranscript(t *testing.T) {
	for suffix, want := range map[string]string{"txt": "", "srt": "", "vtt": "WEBVTT\n\n", "json": "{\n  \"turns\": [],\n  \"model\": \"\",\n  \"language\": \"\"\n}\n"} {
		var b bytes.Buffer
		if err := formats[suffix](&b, engine.Transcript{}); err != nil || b.String() != want {
			t.Errorf("%s: %q, %v", suffix, b.String(), err)
		}
	}
}

// The shape that other programs rely on.
func TestJSONShape(t *testing.T) {
	var b bytes.Buffer
	err := captions.JSON(&b, engine.Transcript{Turns: []engine.Turn{
		{Speaker: engine.Agent, Start: 500 * time.Millisecond, End: 3200 * time.Millisecond, Text: "Да."},
		{Speaker: engine.Client, Start: 4 * time.Second, End: 10*time.Second + 50*time.Millisecond, Text: "a<b"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, b.Bytes()); err != nil {
		t.Fatal(err)
	}
	want := `{"turns":[{"speaker":"agent","start":0.5,"end":3.2,"text":"Да."},{"speaker":"client","start":4,"end":10.05,"text":"a<b"}]`
	if !strings.HasPrefix(compact.String(), want) {
		t.Errorf("got %s", compact.String())
	}
}

type full struct{}

var errFull = errors.New("disk full")

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestWriteErrorsAreTold(t *testing.T) {
	for suffix, write := range formats {
		if err := write(full{}, hard()); !errors.Is(err, errFull) {
			t.Errorf("%s: %v", suffix, err)
		}
	}
}

var timing = regexp.MustCompile(`(?m)^(\d+):(\d\d):(\d\d)[.,](\d{3}) --> (\d+):(\d\d):(\d\d)[.,](\d{3})$`)

// FuzzCaptions: whatever the engine says, every word stands in the subtitles in order,
// no cue ends before it begins, cues come by start, lines and cues keep their size.
func FuzzCaptions(f *testing.F) {
	f.Add("Добрый день, компания Тёплый дом. Чем могу помочь?", int64(500), int64(4000), true)
	f.Add("--> <v x> & \x00 \r\n\r\n1", int64(-5), int64(-900), false)
	f.Fuzz(func(t *testing.T, text string, start, end int64, timed bool) {
		from, to := time.Duration(start%1e7)*time.Millisecond, time.Duration(end%1e7)*time.Millisecond
		turn := engine.Turn{Speaker: engine.Agent, Start: from, End: to, Text: text}
		if timed {
			for _, token := range enginetest.Say(text, from, to).Tokens {
				turn.Words = append(turn.Words, engine.Word{Text: strings.TrimPrefix(token.Text, " "), Start: token.Start, End: token.End})
			}
		}
		var b bytes.Buffer
		if err := captions.VTT(&b, engine.Transcript{Turns: []engine.Turn{turn}}); err != nil {
			t.Fatal(err)
		}
		var words []string
		last := -1
		for _, block := range strings.Split(strings.TrimPrefix(b.String(), "WEBVTT\n\n"), "\n\n") {
			if block == "" {
				continue
			}
			m := timing.FindStringSubmatch(block)
			if m == nil {
				t.Fatalf("no times in %q", block)
			}
			begin, finish := millis(m[1:5]), millis(m[5:9])
			if finish <= begin || begin < last {
				t.Errorf("%q after %d", block, last)
			}
			last = begin
			_, said, _ := strings.Cut(block, "<v Менеджер>")
			lines := strings.Split(said, "\n")
			if len(lines) > 2 {
				t.Errorf("%d lines in %q", len(lines), block)
			}
			for _, l := range lines {
				l = strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(l)
				if utf8.RuneCountInString(l) > 42 && len(strings.Fields(l)) > 1 {
					t.Errorf("line of %d letters: %q", utf8.RuneCountInString(l), l)
				}
				words = append(words, strings.Fields(l)...)
			}
		}
		if got, want := strings.Join(words, " "), strings.Join(strings.Fields(text), " "); got != want {
			t.Errorf("subtitles say %q, the turn %q", got, want)
		}
	})
}

func millis(p []string) int {
	var h, m, s, ms int
	if _, err := fmt.Sscan(strings.Join(p, " "), &h, &m, &s, &ms); err != nil {
		panic(err)
	}
	return h*3_600_000 + m*60_000 + s*1000 + ms
}
