package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"flysense/engine"
)

// Audio keeps the recordings' files in one folder, one file per call. A file
// is there whole or not at all.
type Audio struct {
	dir  string // absolute
	root *os.Root
}

// staging is where files grow before they are moved to their place.
const staging = "staging"

// callName is what a call's id may look like to become a file name.
var callName = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z-]{0,63}$`)

func openAudio(dir string) (*Audio, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("find the audio folder: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the audio folder: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open the audio folder: %w", err)
	}
	// What a crash left half-written is of no use to anybody.
	if err := errors.Join(root.RemoveAll(staging), root.Mkdir(staging, 0o700)); err != nil {
		return nil, errors.Join(fmt.Errorf("clear half-written audio: %w", err), root.Close())
	}
	return &Audio{dir: dir, root: root}, nil
}

// Save stores the recording of a call in place of an earlier one and returns
// its size in bytes and its SHA-256 in hex. More than limit bytes are a
// *engine.BadAudio too_large. When it returns, the file survives a power loss.
func (a *Audio) Save(ctx context.Context, callID string, from io.Reader, limit int64) (size int64, sha string, err error) {
	if err := checkName(callID); err != nil {
		return 0, "", err
	}
	grown := staging + "/" + callID + "-" + rand.Text()
	file, err := a.root.OpenFile(grown, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, "", fmt.Errorf("save the audio: %w", err)
	}
	defer func() {
		_ = file.Close()
		if err != nil {
			_ = a.root.Remove(grown)
		}
	}()
	sum := sha256.New()
	size, err = io.Copy(io.MultiWriter(file, sum), io.LimitReader(stopping{ctx, from}, limit+1))
	if err != nil {
		return 0, "", fmt.Errorf("save the audio: %w", err)
	}
	if size > limit {
		return 0, "", &engine.BadAudio{Code: "too_large", Reason: fmt.Sprintf(
			"Запись больше %d МБ, поэтому её не распознали. Сократите запись и загрузите её в карточку снова или увеличьте предел размера в настройках сервера.", limit>>20)}
	}
	if err := file.Sync(); err != nil {
		return 0, "", fmt.Errorf("save the audio: %w", err)
	}
	if err := file.Close(); err != nil {
		return 0, "", fmt.Errorf("save the audio: %w", err)
	}
	if err := a.root.Rename(grown, callID); err != nil {
		return 0, "", fmt.Errorf("save the audio: %w", err)
	}
	return size, hex.EncodeToString(sum.Sum(nil)), a.sync()
}

// Path returns the file of a call, or ErrAudioGone.
func (a *Audio) Path(_ context.Context, callID string) (string, error) {
	if err := checkName(callID); err != nil {
		return "", err
	}
	info, err := a.root.Lstat(callID)
	if errors.Is(err, fs.ErrNotExist) {
		return "", engine.ErrAudioGone
	} else if err != nil {
		return "", fmt.Errorf("find the audio: %w", err)
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("find the audio: %s is no file", callID)
	}
	return filepath.Join(a.dir, callID), nil
}

// Remove deletes the file of a call; without one it does nothing.
func (a *Audio) Remove(_ context.Context, callID string) error {
	if err := checkName(callID); err != nil {
		return err
	}
	if err := a.root.Remove(callID); errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return fmt.Errorf("remove the audio: %w", err)
	}
	return a.sync()
}

// sync makes a rename or a removal in the folder survive a power loss.
func (a *Audio) sync() error {
	folder, err := a.root.Open(".")
	if err != nil {
		return fmt.Errorf("sync the audio folder: %w", err)
	}
	defer folder.Close() //nolint:errcheck // only read
	if err := folder.Sync(); err != nil {
		return fmt.Errorf("sync the audio folder: %w", err)
	}
	return nil
}

func checkName(callID string) error {
	if !callName.MatchString(callID) || callID == staging {
		return fmt.Errorf("the call id %q is no file name", callID)
	}
	return nil
}

// stopping is a reader that ends with its context.
type stopping struct {
	ctx  context.Context
	from io.Reader
}

func (s stopping) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.from.Read(p)
}
