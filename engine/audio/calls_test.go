package audio

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var calls = flag.String("calls", "", "folder of recordings NAME.wav and references NAME.ref.json whose levels go to ../turns/testdata")

// TestKeepLevelsOfCalls writes what package turns is tested with; without
// -calls it does nothing.
func TestKeepLevelsOfCalls(t *testing.T) {
	if *calls == "" {
		t.Skip("no -calls")
	}
	references, err := filepath.Glob(filepath.Join(*calls, "*.ref.json"))
	if err != nil || len(references) == 0 {
		t.Fatalf("no references: %v", err)
	}
	for _, reference := range references {
		var said struct {
			Turns []struct {
				Channel   int
				Sentences []struct{ Start, End float64 }
			}
		}
		if err := json.Unmarshal(readFile(t, reference), &said); err != nil {
			t.Fatal(err)
		}
		base := strings.TrimSuffix(reference, ".ref.json")
		d, err := decodeBytes(readFile(t, base+".wav"), "", Limits{})
		if err != nil {
			t.Fatal(err)
		}
		var kept struct {
			Sentences [][3]float64 // channel, start, end in seconds
			Levels    [][]byte     // per channel and 10 ms: half decibels above -120 dBFS
		}
		for _, turn := range said.Turns {
			for _, s := range turn.Sentences {
				kept.Sentences = append(kept.Sentences, [3]float64{float64(turn.Channel), s.Start, s.End})
			}
		}
		for _, channel := range d.levels {
			var row []byte
			for _, l := range channel {
				row = append(row, byte((l+120)*2))
			}
			kept.Levels = append(kept.Levels, row)
		}
		b, err := json.Marshal(kept)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join("..", "turns", "testdata", filepath.Base(base)+".json")
		if err := os.WriteFile(name, append(b, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
