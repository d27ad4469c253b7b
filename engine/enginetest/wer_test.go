package enginetest_test

import (
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"flysense/engine"
	"flysense/engine/enginetest"
)

func TestWordErrors(t *testing.T) {
	for name, tt := range map[string]struct {
		want, got string
		errors    enginetest.Errors
		rate      float64
	}{
		"the same":                   {"да нет", "да нет", enginetest.Errors{Words: 2}, 0},
		"case, dots and punctuation": {"Ещё раз, пожалуйста!", "еще РАЗ пожалуйста", enginetest.Errors{Words: 3}, 0},
		"a hyphen in a word counts":  {"чем-то помочь", "чем то помочь", enginetest.Errors{Words: 2, Wrong: 1, Invented: 1}, 1},
		"a lone dash does not":       {"цена - сто", "цена сто", enginetest.Errors{Words: 2}, 0},
		"a quarter wrong":            {"раз два три четыре", "раз два пять четыре", enginetest.Errors{Words: 4, Wrong: 1}, 0.25},
		"missing":                    {"раз два три четыре", "раз четыре", enginetest.Errors{Words: 4, Missing: 2}, 0.5},
		"invented":                   {"раз два", "раз и два три", enginetest.Errors{Words: 2, Invented: 2}, 1},
		"shifted, not all wrong":     {"а б в г д", "б в г д е", enginetest.Errors{Words: 5, Missing: 1, Invented: 1}, 0.4},
		"nothing heard":              {"а б", "", enginetest.Errors{Words: 2, Missing: 2}, 1},
		"nothing said, nothing":      {"", "...", enginetest.Errors{}, 0},
		"nothing said, something":    {"", "спасибо за просмотр", enginetest.Errors{Invented: 3}, 1},
		"more than everything":       {"а", "б в г", enginetest.Errors{Words: 1, Wrong: 1, Invented: 2}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			got := enginetest.WordErrors(tt.want, tt.got)
			if got != tt.errors || got.Rate() != tt.rate {
				t.Errorf("got %+v, rate %v", got, got.Rate())
			}
		})
	}
	if got := enginetest.LostWords("раз два три", "раз пять три да"); !reflect.DeepEqual(got, []string{"два→пять", "∅→да"}) {
		t.Errorf("got %v", got)
	}
}

// The pooled rate is that of all words, not the mean of the calls.
func TestErrorsPool(t *testing.T) {
	sum := enginetest.Errors{Words: 90, Missing: 0}.Add(enginetest.Errors{Words: 10, Wrong: 5})
	if sum.Rate() != 0.05 || !strings.Contains(sum.String(), "5.00 % of 100 words") {
		t.Errorf("got %s", sum)
	}
}

func FuzzWordErrors(f *testing.F) {
	f.Add("раз два", "два раз")
	f.Fuzz(func(t *testing.T, a, b string) {
		ab, ba := enginetest.WordErrors(a, b), enginetest.WordErrors(b, a)
		if n := ab.Wrong + ab.Missing + ab.Invented; n != ba.Wrong+ba.Missing+ba.Invented || n > max(ab.Words, ba.Words) {
			t.Errorf("%+v one way, %+v the other", ab, ba)
		}
		if ab.Words-ab.Missing+ab.Invented != ba.Words {
			t.Errorf("%+v does not lead to %d words", ab, ba.Words)
		}
		if same := enginetest.WordErrors(a, a); same.Rate() != 0 {
			t.Errorf("a text differs from itself: %+v", same)
		}
	})
}

func TestReferencesOfTheDemo(t *testing.T) {
	for _, folder := range []struct {
		glob     string
		atLeast  int // words
		overlaps bool
	}{{"calls/*.ref.json", 1082, true}, {"eval/*.ref.json", 3900, true}} {
		paths, err := filepath.Glob("../../models/demo/" + folder.glob)
		if err != nil || len(paths) == 0 {
			t.Fatalf("no references in %s: %v", folder.glob, err)
		}
		words, overlaps := 0, 0
		for _, path := range paths {
			r, err := enginetest.ReadReference(path)
			if err != nil {
				t.Fatal(err)
			}
			last := map[engine.Speaker]time.Duration{}
			for i, s := range r.Sentences {
				words += len(enginetest.Words(s.Text))
				if s.End <= s.Start || s.End > r.Length || s.Start < last[s.Speaker] {
					t.Errorf("%s: %+v", path, s)
				}
				last[s.Speaker] = s.End
				if i > 0 && s.Start < r.Sentences[i-1].End {
					overlaps++
				}
			}
			// What a faultless engine writes down has no errors.
			made := r.Transcript("c")
			if e := enginetest.SpeakerErrors(r, made); e.Rate() != 0 || e.Words == 0 {
				t.Errorf("%s: %s", path, e)
			}
			if bad := enginetest.Misattributed(r, made, 0); len(bad) > 0 {
				t.Errorf("%s: %v", path, bad)
			}
			// With the speakers exchanged nearly everything is wrong.
			for i := range made.Turns {
				made.Turns[i].Speaker = map[engine.Speaker]engine.Speaker{engine.Agent: engine.Client, engine.Client: engine.Agent}[made.Turns[i].Speaker]
			}
			if e := enginetest.SpeakerErrors(r, made); e.Rate() < 0.5 {
				t.Errorf("%s: exchanged speakers give %s", path, e)
			}
			if bad := enginetest.Misattributed(r, made, 0); len(bad) < len(enginetest.Words(r.Text(engine.Agent)))/2 {
				t.Errorf("%s: only %d words are misattributed", path, len(bad))
			}
		}
		if words < folder.atLeast || folder.overlaps && overlaps == 0 {
			t.Errorf("%s: %d words, %d overlaps", folder.glob, words, overlaps)
		}
	}
	if _, err := enginetest.ReadReference("wer.go"); err == nil {
		t.Error("a Go file is a reference")
	}
}
