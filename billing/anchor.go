package billing

import (
	"bytes"
	"context"
	"crypto/hmac"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"flysense/billing/pack"
)

// maxAnchor bounds what is read of an anchor file; ours has about 160 bytes.
const maxAnchor = 1 << 10

var errAnchor = errors.New("the anchor file is damaged or was made by another installation")

// anchor is a file beside the database that remembers how far the ledger came.
// An older copy of the database is consistent in itself; only the anchor shows
// that there was more.
type anchor struct {
	path string
	inst pack.Installation

	mu      sync.Mutex
	written head // last known content
}

func (a *anchor) text(h head) []byte {
	line := fmt.Appendf(nil, "flysense-anchor-v1 %d %d %x\n", h.epoch, h.seq, h.hash)
	return fmt.Appendf(line, "%x\n", a.inst.MAC("flysense-anchor-v1", line))
}

// read returns what the file remembers. A missing file is fs.ErrNotExist.
func (a *anchor) read() (head, error) {
	info, err := os.Stat(a.path)
	if err != nil {
		return head{}, err
	}
	if info.Size() > maxAnchor {
		return head{}, errAnchor
	}
	text, err := os.ReadFile(a.path)
	if err != nil {
		return head{}, err
	}
	var h head
	var sum string
	line, _, _ := bytes.Cut(text, []byte("\n"))
	if _, err := fmt.Sscanf(string(line), "flysense-anchor-v1 %d %d %s", &h.epoch, &h.seq, &sum); err != nil {
		return head{}, errAnchor
	}
	hash, err := hex.DecodeString(sum)
	if err != nil {
		return head{}, errAnchor
	}
	h.hash = toDigest(hash)
	if !hmac.Equal(text, a.text(h)) {
		return head{}, errAnchor
	}
	return h, nil
}

// move writes the head if it is further than what the file remembers.
func (a *anchor) move(h head) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if h.epoch == a.written.epoch && h.seq <= a.written.seq {
		return nil
	}
	folder := filepath.Dir(a.path)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	draft, err := os.CreateTemp(folder, ".anchor-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(draft.Name()) }()
	_, err = draft.Write(a.text(h))
	if err = errors.Join(err, draft.Sync(), draft.Close()); err != nil {
		return err
	}
	if err := os.Rename(draft.Name(), a.path); err != nil {
		return err
	}
	dir, err := os.Open(folder)
	if err != nil {
		return err
	}
	if err := errors.Join(dir.Sync(), dir.Close()); err != nil {
		return err
	}
	a.written = h
	return nil
}

// Anchor writes the end of the committed ledger into the anchor file, durably.
// Call it after commits that moved money and before the program ends; [Hold]
// and [LoadPack] do it by themselves, so the file lags by what was committed
// since. It does nothing if the ledger has not moved, is locked, or has no
// anchor.
func (l *Ledger) Anchor(ctx context.Context) error {
	if l.anchor == nil || l.Locked() != nil {
		return nil //nolint:nilerr // a locked ledger says so to whoever asks for paid work
	}
	// The reader sees only what is committed and synced.
	h, err := readHead(ctx, l.db.Reader)
	if err != nil {
		return err
	}
	if err := l.anchor.move(h); err != nil {
		return fmt.Errorf("write the anchor: %w", err)
	}
	return nil
}

// firstAnchor makes the file before the first entry exists, so that later a
// missing file means that somebody took it away.
func (l *Ledger) firstAnchor(ctx context.Context) error {
	h, err := readHead(ctx, l.db.Reader)
	if err != nil {
		return err
	}
	if _, err := os.Stat(l.anchor.path); h.seq > 0 || !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := l.anchor.move(h); err != nil {
		return fmt.Errorf("make the anchor: %w", err)
	}
	return nil
}
