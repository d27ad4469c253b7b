package models

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"syscall"
)

// Errors of a model that does not come in.
var (
	ErrTooLarge = errors.New("model is larger than it may be")
	ErrNoSpace  = errors.New("no room on the disk for the model")
)

// maxModel is the largest file taken for a model; the largest real one has
// 2.9 GiB.
const maxModel = 8 << 30

// spare is what must stay free on the disk after a model came in: the
// appliance lives on the same one more often than not.
const spare = 256 << 20

// Models hold nothing secret, and the service may run as another user than
// the administrator who loads them.
const (
	modelMode  = 0o644
	folderMode = 0o755
)

// install checks the finished part file and makes it the model: all or nothing.
func (f Folder) install(ctx context.Context, m Model, part string) (Entry, error) {
	s, err := check(ctx, m, part, nil)
	if err != nil {
		var bad *BadFile
		if errors.As(err, &bad) {
			_ = os.Remove(part) // resuming it would end the same way
			bad.File = m.File
		}
		return Entry{}, err
	}
	path := filepath.Join(f.Dir, m.File)
	if err := settle(part, path); err != nil {
		return Entry{}, fmt.Errorf("install %s: %w", m.Name, err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return Entry{}, fmt.Errorf("install %s: %w", m.Name, err)
	}
	e := Entry{Model: m, Path: path, DiskBytes: info.Size(), State: s.state(m), SHA256: s.sha256}
	return e, f.write(e)
}

// settle renames so that a power cut leaves the old file or the new one whole.
func settle(part, path string) error {
	file, err := os.OpenFile(part, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if err := errors.Join(file.Chmod(modelMode), file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Rename(part, path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// roomFor reports ErrNoSpace unless dir's disk takes size more bytes.
func roomFor(dir string, size int64) error {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return fmt.Errorf("look at the disk: %w", err)
	}
	blocks := int64(min(s.Bavail, math.MaxInt32)) //nolint:gosec // cut to 31 bits, which are room enough
	return room(blocks*s.Bsize, size)
}

func room(free, size int64) error {
	if free < size+spare {
		return fmt.Errorf("%w: %d MB free, %d MB needed", ErrNoSpace, free/mb, (size+spare)/mb)
	}
	return nil
}

// Hint tells a person what to do about an error of this package (Russian).
func Hint(err error) string {
	var bad *BadFile
	switch {
	case errors.As(err, &bad):
		return bad.File + ": " + bad.Reason + "."
	case errors.Is(err, ErrUnknown):
		return "Такой модели нет. Список: flysense models list."
	case errors.Is(err, ErrNotInstalled):
		return "Модель не установлена. Загрузите её (flysense models pull ИМЯ) или перенесите из папки (flysense models import ПАПКА)."
	case errors.Is(err, ErrNoSpace), errors.Is(err, syscall.ENOSPC):
		return "На диске не хватает места для модели. Освободите место и повторите: загрузка продолжится с того же места."
	case errors.Is(err, ErrTooLarge):
		return "Файл больше, чем бывает у этой модели: сервер отдаёт что-то другое. Проверьте адрес сервера моделей."
	case errors.Is(err, ErrServer):
		return "Сервер моделей не отдал файл. Проверьте сеть и адрес, повторите: загрузка продолжится с того же места."
	case errors.Is(err, ErrNothing):
		return "В папке нет файлов моделей (*.bin)."
	}
	return "Не удалось: " + err.Error()
}
