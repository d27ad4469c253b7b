//go:build !whisper

package whisper_test

import (
	"errors"
	"testing"

	"flysense/engine"
	"flysense/engine/whisper"
)

func TestStubSaysWhatIsMissing(t *testing.T) {
	if _, err := whisper.Load("model.bin", whisper.Options{}); !errors.Is(err, whisper.ErrNotBuilt) {
		t.Errorf("got %v", err)
	}
	var m whisper.Model
	if _, err := m.Transcribe(t.Context(), engine.Samples{}, "ru"); !errors.Is(err, whisper.ErrNotBuilt) {
		t.Errorf("got %v", err)
	}
}
