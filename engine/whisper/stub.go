//go:build !whisper

package whisper

import (
	"context"

	"flysense/engine"
)

// Model stands for the model that this build cannot load.
type Model struct{}

// Load returns [ErrNotBuilt]: the build tag whisper was not given.
func Load(string, Options) (*Model, error) { return nil, ErrNotBuilt }

// Transcribe returns [ErrNotBuilt].
func (*Model) Transcribe(context.Context, engine.Samples, string) ([]engine.Segment, error) {
	return nil, ErrNotBuilt
}

// Model describes nothing.
func (*Model) Model() engine.Model { return engine.Model{} }

// Device names nothing.
func (*Model) Device() (backend, name string) { return "", "" }

// Version is empty.
func (*Model) Version() string { return "" }

// Close does nothing.
func (*Model) Close() error { return nil }
