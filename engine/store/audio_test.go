package store_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"flysense/engine"
)

func TestAudio(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	if _, err := f.Audio.Path(ctx, "C1"); !errors.Is(err, engine.ErrAudioGone) {
		t.Fatalf("no file yet: %v", err)
	}
	for _, content := range []string{"first", "a second recording", ""} {
		size, sha, err := f.Audio.Save(ctx, "C1", strings.NewReader(content), int64(len(content)))
		sum := sha256.Sum256([]byte(content))
		if err != nil || size != int64(len(content)) || sha != hex.EncodeToString(sum[:]) {
			t.Fatalf("%q: %d, %s, %v", content, size, sha, err)
		}
		path, err := f.Audio.Path(ctx, "C1")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != content {
			t.Fatalf("read %q, %v", got, err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("others may read the recording: %v, %v", info.Mode(), err)
		}
	}
	for range 2 {
		if err := f.Audio.Remove(ctx, "C1"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.Audio.Path(ctx, "C1"); !errors.Is(err, engine.ErrAudioGone) {
		t.Errorf("after the removal: %v", err)
	}
}

// A save that does not end leaves the earlier file and nothing half-written.
func TestAudioIsWholeOrNotAtAll(t *testing.T) {
	f := open(t)
	if _, _, err := f.Audio.Save(t.Context(), "C1", strings.NewReader("kept"), 100); err != nil {
		t.Fatal(err)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	broken := errors.New("connection reset")
	for name, tt := range map[string]struct {
		ctx  context.Context
		from io.Reader
		want func(error) bool
	}{
		"too large": {t.Context(), strings.NewReader("12345678901"), func(err error) bool {
			var bad *engine.BadAudio
			return errors.As(err, &bad) && bad.Code == "too_large" && strings.Contains(bad.Reason, "больше")
		}},
		"cut off": {t.Context(), io.MultiReader(strings.NewReader("123"), iotest.ErrReader(broken)), func(err error) bool { return errors.Is(err, broken) }},
		"stopped": {stopped, strings.NewReader("123"), func(err error) bool { return errors.Is(err, context.Canceled) }},
	} {
		if _, _, err := f.Audio.Save(tt.ctx, "C1", tt.from, 10); !tt.want(err) {
			t.Errorf("%s: %v", name, err)
		}
		left, err := os.ReadDir(filepath.Join(f.dir, "audio", "staging"))
		if err != nil || len(left) != 0 {
			t.Errorf("%s: left %v, %v", name, left, err)
		}
		if got, err := os.ReadFile(filepath.Join(f.dir, "audio", "C1")); err != nil || string(got) != "kept" {
			t.Errorf("%s: the earlier file is %q, %v", name, got, err)
		}
	}
}

func TestAudioStaysInItsFolder(t *testing.T) {
	f := open(t)
	if err := os.Symlink("/etc/hostname", filepath.Join(f.dir, "audio", "LINK")); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"", ".", "..", "../x", "a/b", "/etc/passwd", "staging", "a\x00b", "LINK", strings.Repeat("a", 65)} {
		if _, err := f.Audio.Path(t.Context(), id); err == nil {
			t.Errorf("a path for %q", id)
		}
		if id == "LINK" {
			continue
		}
		if _, _, err := f.Audio.Save(t.Context(), id, strings.NewReader("x"), 10); err == nil {
			t.Errorf("saved %q", id)
		}
		if err := f.Audio.Remove(t.Context(), id); err == nil {
			t.Errorf("removed %q", id)
		}
	}
}
