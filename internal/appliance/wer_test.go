//go:build whisper

package appliance_test

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"flysense/engine"
	"flysense/engine/audio"
	"flysense/engine/enginetest"
	"flysense/internal/appliance"
)

// Figures the whole product (decode, split, recognise) has to keep on the
// synthesised calls. The bare model has 1.5 % on the dialogues.
const (
	maxRate      = 0.04 // word error rate, pooled over the clean calls
	maxCutRate   = 0.01 // above the same model on the same audio cut at the reference's turns
	minWords     = 1500
	speakerSlack = 300 * time.Millisecond
)

// room recognises files as `flysense transcribe` does, two at a time.
func room(t *testing.T) *appliance.Files {
	t.Helper()
	if testing.Short() {
		t.Skip("the race detector has nothing to see in a worker's C code")
	}
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	o, err := options(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	files, err := appliance.OpenFiles(o.Config, o.Keys, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = files.Close() })
	return files
}

// spoken is a synthesised call with its reference.
type spoken struct {
	name string
	file string
	ref  enginetest.Reference
}

func spokenCalls(t *testing.T, folders ...string) []spoken {
	t.Helper()
	var all []spoken
	for _, folder := range folders {
		refs, err := filepath.Glob(filepath.Join(folder, "*.ref.json"))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range refs {
			ref, err := enginetest.ReadReference(r)
			if err != nil {
				t.Fatal(err)
			}
			base := strings.TrimSuffix(r, ".ref.json")
			all = append(all, spoken{filepath.Base(base), base + ".mp3", ref})
		}
	}
	if len(all) == 0 {
		t.Fatalf("no calls in %v", folders)
	}
	return all
}

// TestWordErrors measures the word error rate through the whole product, every
// word counted under its speaker, and beside it the model's own on the same
// audio cut at the turns of the reference.
func TestWordErrors(t *testing.T) {
	files := room(t)
	set := spokenCalls(t, assets+"/calls", assets+"/eval")
	if os.Getenv(torture) == "" { // the first are enough for 1,500 words
		set = set[:len(spokenCalls(t, assets+"/calls"))+4]
	}
	t.Log("demo model, greedy, no text context, language ru; ё=е, case and punctuation do not count")
	ours, cut := pooled(t, files, set, true)
	t.Logf("whole product: %s", ours)
	t.Logf("cut at turns:  %s", cut)
	if ours.Words < minWords {
		t.Errorf("only %d words", ours.Words)
	}
	if ours.Rate() > maxRate {
		t.Errorf("%.2f %% of words are wrong, at most %.0f %% may be", 100*ours.Rate(), 100*maxRate)
	}
	if ours.Rate()-cut.Rate() > maxCutRate {
		t.Errorf("%.2f points above the audio cut at the turns", 100*(ours.Rate()-cut.Rate()))
	}
}

// Who said what survives a client 14 dB quieter and each side heard on the
// other's channel 20 dB down.
func TestSpeakersWithLeakAndQuietClient(t *testing.T) {
	files := room(t)
	for name, mix := range map[string]struct{ leak, client float64 }{
		"leak -20 dB":   {-20, 0},
		"client -14 dB": {math.Inf(-1), -14},
		"client -14 dB, leak of the agent -34 dB": {-34, -14},
	} {
		t.Run(name, func(t *testing.T) {
			calls := spokenCalls(t, assets+"/calls")[:5]
			for i := range calls {
				calls[i].file = remix(t, calls[i].file, mix.leak, mix.client)
			}
			ours, _ := pooled(t, files, calls, false)
			t.Logf("%s", ours)
			if ours.Rate() > maxRate {
				t.Errorf("%.2f %% of words are wrong", 100*ours.Rate())
			}
		})
	}
}

// pooled recognises the calls and prints each one's figures.
func pooled(t *testing.T, files *appliance.Files, calls []spoken, cutToo bool) (ours, cut enginetest.Errors) {
	t.Helper()
	var (
		mu    sync.Mutex
		group sync.WaitGroup
		slots = make(chan struct{}, 2)
	)
	for _, c := range calls {
		group.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			result, err := files.Transcribe(context.Background(), c.file, 0, "ru", func(int, int) {})
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
				return
			}
			product := enginetest.SpeakerErrors(c.ref, result.Transcript)
			line := fmt.Sprintf("%-22s %s", c.name, product)
			var turns enginetest.Errors
			if cutToo {
				turns = enginetest.SpeakerErrors(c.ref, cutAtTurns(t, files, c))
				line += fmt.Sprintf("; cut at turns %.2f %%", 100*turns.Rate())
			}
			strays := enginetest.Misattributed(c.ref, result.Transcript, speakerSlack)
			mu.Lock()
			defer mu.Unlock()
			t.Log(line)
			if len(strays) > 0 {
				t.Errorf("%s: words under the wrong speaker: %v", c.name, strays)
			}
			ours, cut = ours.Add(product), cut.Add(turns)
		})
	}
	group.Wait()
	return ours, cut
}

// cutAtTurns recognises the reference's turns one by one.
func cutAtTurns(t *testing.T, files *appliance.Files, c spoken) engine.Transcript {
	decoder := &audio.Decoder{}
	ctx := context.Background()
	pcm, err := decoder.Open(ctx, c.file, 16000)
	if err != nil {
		t.Error(err)
		return engine.Transcript{}
	}
	defer pcm.Close()
	var heard []engine.Heard
	for i, w := range turnsOf(c.ref) {
		w.Index = i
		samples, err := pcm.Read(w)
		if err != nil {
			t.Error(err)
			return engine.Transcript{}
		}
		segments, err := files.Recognise(ctx, samples, "ru")
		if err != nil {
			t.Error(err)
			return engine.Transcript{}
		}
		heard = append(heard, engine.Heard{Window: w, Segments: segments})
	}
	return engine.Transcript{Turns: engine.Assemble(heard, 2, 0)}
}

func turnsOf(ref enginetest.Reference) []engine.Window {
	const pad = 150 * time.Millisecond
	var windows []engine.Window
	last := -1
	for _, s := range ref.Sentences {
		w := engine.Window{Channel: s.Channel, Start: max(0, s.Start-pad), End: min(ref.Length, s.End+pad)}
		if n := len(windows); n > 0 && s.Turn == last && w.End-windows[n-1].Start < 28*time.Second {
			windows[n-1].End = w.End
			continue
		}
		windows, last = append(windows, w), s.Turn
	}
	return windows
}

// remix decodes a call and writes it as a WAV with each channel leaking into
// the other, and the client quieter. Levels in dB.
func remix(t *testing.T, file string, leak, client float64) string {
	t.Helper()
	const rate = 8000
	pcm, err := (&audio.Decoder{}).Open(context.Background(), file, rate)
	if err != nil {
		t.Fatal(err)
	}
	defer pcm.Close()
	recording, _, err := (&audio.Decoder{}).Inspect(context.Background(), file, file)
	if err != nil {
		t.Fatal(err)
	}
	channels := make([][]float32, 2)
	for c := range channels {
		s, err := pcm.Read(engine.Window{Channel: c, End: recording.Length})
		if err != nil {
			t.Fatal(err)
		}
		channels[c] = s.PCM
	}
	l, g := math.Pow(10, leak/20), math.Pow(10, client/20)
	n := min(len(channels[0]), len(channels[1]))
	samples := make([]int16, 0, 2*n)
	for i := range n {
		agent, other := float64(channels[0][i]), g*float64(channels[1][i])
		for _, v := range []float64{agent + l*other, other + l*agent} {
			samples = append(samples, int16(math.Round(32767*min(1, max(-1, v)))))
		}
	}
	path := filepath.Join(t.TempDir(), strings.TrimSuffix(filepath.Base(file), ".mp3")+".wav")
	if err := os.WriteFile(path, wav(rate, 2, samples), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
