package billing

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

// maxText bounds keys, references and reasons, in bytes.
const maxText = 500

// Hold reserves the full price of the work by the tariff of this moment, which
// the hold remembers. ref is what the caller calls the work, for people and
// for joining. Asking again with the same key, work and ref does nothing;
// with others it is [ErrConflict]. [ErrNoFunds] and [ErrLocked] leave the
// transaction usable.
func (l *Ledger) Hold(ctx context.Context, tx *sql.Tx, key string, work Work, ref string) error {
	return l.doubt(l.hold(ctx, tx, key, work, ref))
}

func (l *Ledger) hold(ctx context.Context, tx *sql.Tx, key string, work Work, ref string) error {
	if err := checkTexts(key, ref); err != nil {
		return fmt.Errorf("hold: %w", err)
	}
	if work.Length > maxLength {
		return fmt.Errorf("hold for %s: %w", key, ErrWork)
	}
	e := Entry{Kind: Hold, Key: key, Ref: ref, Seconds: work.seconds(), Summary: work.Summary}
	e.input = e.inputDigest()
	if done, err := repeated(ctx, tx, e); done || err != nil {
		return err
	}
	if err := l.Locked(); err != nil {
		return fmt.Errorf("hold for %s: %w", key, err)
	}
	// No new paid work without an anchor that can follow.
	if err := l.Anchor(ctx); err != nil {
		return fmt.Errorf("hold for %s: %w", key, err)
	}
	h, err := readHead(ctx, tx)
	if err != nil {
		return err
	}
	tariff, err := l.tariff(ctx, tx, h)
	if err != nil {
		return fmt.Errorf("hold for %s: %w", key, err)
	}
	e.Amount, e.tariff = tariff.Price(work), tariff.Hash
	balances, err := readBalances(ctx, tx)
	if err != nil {
		return err
	}
	if balances[available] < e.Amount {
		return fmt.Errorf("hold %s FC of %s FC for %s: %w", e.Amount, balances[available], key, ErrNoFunds)
	}
	return appendEntry(ctx, tx, e.after(h, l.now()))
}

// Capture spends what was really done, priced by the hold's tariff, and
// releases the rest of the hold, once. Repeating it does nothing; with other
// work it is [ErrConflict]. It goes on while the ledger is locked: the work
// was begun before.
func (l *Ledger) Capture(ctx context.Context, tx *sql.Tx, key string, work Work) error {
	return l.doubt(l.capture(ctx, tx, key, work))
}

func (l *Ledger) capture(ctx context.Context, tx *sql.Tx, key string, work Work) error {
	hold, err := entryByKey(ctx, tx, Hold, key)
	if errors.Is(err, errNoEntry) {
		return fmt.Errorf("capture %s: %w", key, ErrNoHold)
	} else if err != nil {
		return err
	}
	e := Entry{Kind: Capture, Key: key, Ref: hold.Ref, Pending: hold.Seq, Seconds: work.seconds(), Summary: work.Summary, tariff: hold.tariff}
	e.input = e.inputDigest()
	if done, err := repeated(ctx, tx, e); done || err != nil {
		return err
	}
	if _, err := entryByKey(ctx, tx, Release, key); err == nil {
		return fmt.Errorf("capture %s: %w", key, ErrReleased)
	} else if !errors.Is(err, errNoEntry) {
		return err
	}
	tariff, err := l.tariffOf(ctx, tx, hold.tariff)
	if err != nil {
		return fmt.Errorf("capture %s: %w", key, err)
	}
	e.Amount = tariff.Price(work)
	if work.Length > maxLength || e.Amount > hold.Amount {
		return fmt.Errorf("capture %s FC of %s FC held for %s: %w", e.Amount, hold.Amount, key, ErrOverHold)
	}
	now := l.now()
	if err := l.add(ctx, tx, e, now); err != nil {
		return err
	}
	if e.Amount == hold.Amount {
		return nil
	}
	return l.add(ctx, tx, releaseOf(hold, hold.Amount-e.Amount, ""), now)
}

// Release gives an open hold back. Without an open hold it does nothing. A
// long reason is cut: money must not stay held because of it.
func (l *Ledger) Release(ctx context.Context, tx *sql.Tx, key, reason string) error {
	return l.doubt(l.release(ctx, tx, key, reason))
}

func (l *Ledger) release(ctx context.Context, tx *sql.Tx, key, reason string) error {
	hold, err := entryByKey(ctx, tx, Hold, key)
	if errors.Is(err, errNoEntry) {
		return nil
	} else if err != nil {
		return err
	}
	for _, ending := range []Kind{Capture, Release} {
		if _, err := entryByKey(ctx, tx, ending, key); err == nil {
			return nil
		} else if !errors.Is(err, errNoEntry) {
			return err
		}
	}
	if len(reason) > maxText {
		reason = strings.ToValidUTF8(reason[:maxText], "")
	}
	if err := checkTexts(reason); err != nil {
		return fmt.Errorf("release %s: the reason: %w", key, err)
	}
	return l.add(ctx, tx, releaseOf(hold, hold.Amount, reason), l.now())
}

func releaseOf(hold Entry, amount Amount, reason string) Entry {
	e := Entry{Kind: Release, Key: hold.Key, Ref: hold.Ref, Pending: hold.Seq, Amount: amount, Reason: reason}
	e.input = e.inputDigest()
	return e
}

// repeated reports whether the entry was made before, by the same input.
func repeated(ctx context.Context, tx *sql.Tx, e Entry) (bool, error) {
	before, err := entryByKey(ctx, tx, e.Kind, e.Key)
	switch {
	case errors.Is(err, errNoEntry):
		return false, nil
	case err != nil:
		return false, err
	case before.input != e.input:
		return false, fmt.Errorf("%s %s: %w", e.Kind, e.Key, ErrConflict)
	}
	return true, nil
}

// add chains the entry to the end of the ledger.
func (l *Ledger) add(ctx context.Context, tx *sql.Tx, e Entry, now time.Time) error {
	h, err := readHead(ctx, tx)
	if err != nil {
		return err
	}
	return appendEntry(ctx, tx, e.after(h, now))
}

func checkTexts(texts ...string) error {
	for _, s := range texts {
		if s == "" || len(s) > maxText {
			return ErrKey
		}
	}
	return nil
}
