package models

import (
	"context"
	"crypto/sha1" //nolint:gosec // the publisher gives SHA-1 only; a SHA-256 is kept beside it
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
)

// Progress is told how much of a model is done, in bytes; total is 0 while
// unknown. It is called from one goroutine, about once per [step].
type Progress func(done, total int64)

// step is how many bytes pass between two calls of a Progress.
const step = 1 << 20

func (p Progress) tell(done, total int64) {
	if p != nil {
		p(done, total)
	}
}

type sums struct{ sha256, sha1 string }

// state of a whole file with these sums.
func (s sums) state(m Model) State {
	if m.SHA256 != "" && s.sha256 == m.SHA256 || m.SHA1 != "" && s.sha1 == m.SHA1 {
		return Verified
	}
	return Unverified
}

// check reads a file from end to end. A *[BadFile] says what is wrong with it;
// any other error says that it could not be read.
func check(ctx context.Context, m Model, path string, progress Progress) (sums, error) {
	s, err := sum(ctx, path, progress)
	if err != nil {
		return s, err
	}
	if m.SHA256 != "" && s.sha256 != m.SHA256 || m.SHA1 != "" && s.sha1 != m.SHA1 {
		return s, &BadFile{m.File, "контрольная сумма не совпадает с " + m.Cited + "; удалите файл и установите модель заново"}
	}
	if _, err := Inspect(path); err != nil {
		return s, err
	}
	return s, nil
}

func sum(ctx context.Context, path string, progress Progress) (sums, error) {
	file, err := os.Open(path)
	if err != nil {
		return sums{}, fmt.Errorf("check model: %w", err)
	}
	defer file.Close() //nolint:errcheck // only read
	info, err := file.Stat()
	if err != nil {
		return sums{}, fmt.Errorf("check model: %w", err)
	}
	strong, weak := sha256.New(), sha1.New() //nolint:gosec // see the import
	both := io.MultiWriter(strong, weak)
	for done := int64(0); ; {
		if err := ctx.Err(); err != nil {
			return sums{}, fmt.Errorf("check model: %w", err)
		}
		n, err := io.CopyN(both, file, step)
		done += n
		progress.tell(done, info.Size())
		if errors.Is(err, io.EOF) {
			return sums{hex.EncodeToString(strong.Sum(nil)), hex.EncodeToString(weak.Sum(nil))}, nil
		} else if err != nil {
			return sums{}, fmt.Errorf("check model: %w", err)
		}
	}
}
