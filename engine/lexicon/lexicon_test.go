package lexicon_test

import (
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"flysense/engine"
	"flysense/engine/enginetest"
	"flysense/engine/lexicon"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func analyse(t testing.TB, transcript engine.Transcript) engine.Analysis {
	t.Helper()
	a, err := lexicon.New().Analyse(context.Background(), transcript)
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
