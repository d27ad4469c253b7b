package enginetest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"flysense/engine"
)

// ErrMoney marks a use of the Till that would lose or double money; whoever
// gets it has a bug.
var ErrMoney = errors.New("money would be wrong")

// Till keeps holds in memory, in seconds of speech rather than coins. Unlike the
// ledger it knows nothing of transactions: what a rolled-back step did stays
// done, so tests of rollback need the real ledger. What a second
// request asks again changes nothing; what contradicts the first is [ErrMoney].
type Till struct {
	Balance time.Duration // what can still be held; below a request's length it is engine.ErrNoFunds
	Free    bool          // Balance does not matter

	// Faults, one list per method.
	HoldFaults, CaptureFaults, ReleaseFaults Faults

	mu    sync.Mutex
	holds map[string]*Held
	order []string
}

// Held is the money of one run of a call.
type Held struct {
	Key      string
	Length   time.Duration // as held
	Summary  bool
	Spent    time.Duration // as captured
	Captured bool
	Released bool
	Reason   string
}

// Open reports whether the hold still waits for its end.
func (h Held) Open() bool { return !h.Captured && !h.Released }

// Hold reserves length.
func (t *Till) Hold(ctx context.Context, _ *sql.Tx, key string, length time.Duration, summary bool) error {
	if err := obey(ctx, &t.HoldFaults); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if h := t.holds[key]; h != nil {
		if h.Length != length || h.Summary != summary {
			return fmt.Errorf("%w: %s is held for %v, asked again for %v", ErrMoney, key, h.Length, length)
		}
		return nil
	}
	if !t.Free && t.Balance < length {
		return engine.ErrNoFunds
	}
	if !t.Free {
		t.Balance -= length
	}
	if t.holds == nil {
		t.holds = map[string]*Held{}
	}
	t.holds[key] = &Held{Key: key, Length: length, Summary: summary}
	t.order = append(t.order, key)
	return nil
}

// Capture spends length of the hold and gives the rest back.
func (t *Till) Capture(ctx context.Context, _ *sql.Tx, key string, length time.Duration, summary bool) error {
	if err := obey(ctx, &t.CaptureFaults); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	h := t.holds[key]
	switch {
	case h == nil:
		return fmt.Errorf("%w: capture of %s without a hold", ErrMoney, key)
	case h.Released:
		return fmt.Errorf("%w: capture of %s after its release", ErrMoney, key)
	case h.Captured && h.Spent == length:
		return nil
	case h.Captured:
		return fmt.Errorf("%w: %s captured twice, %v and %v", ErrMoney, key, h.Spent, length)
	case length > h.Length || summary && !h.Summary:
		return fmt.Errorf("%w: %s captures more than was held", ErrMoney, key)
	}
	h.Captured, h.Spent = true, length
	if !t.Free {
		t.Balance += h.Length - length
	}
	return nil
}

// Release gives an open hold back.
func (t *Till) Release(ctx context.Context, _ *sql.Tx, key, reason string) error {
	if err := obey(ctx, &t.ReleaseFaults); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	h := t.holds[key]
	if h == nil || !h.Open() {
		return nil
	}
	h.Released, h.Reason = true, reason
	if !t.Free {
		t.Balance += h.Length
	}
	return nil
}

// TopUp adds to the balance.
func (t *Till) TopUp(length time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.Balance += length
}

// Holds lists all holds ever made, in order.
func (t *Till) Holds() []Held {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make([]Held, 0, len(t.order))
	for _, key := range t.order {
		out = append(out, *t.holds[key])
	}
	return out
}

// OpenHolds lists the keys of holds nobody has ended yet.
func (t *Till) OpenHolds() []string {
	var out []string
	for _, h := range t.Holds() {
		if h.Open() {
			out = append(out, h.Key)
		}
	}
	slices.Sort(out)
	return out
}
