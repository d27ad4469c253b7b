package rest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// lane is the one way to a host: everybody who asks it waits in the same line.
type lane struct {
	host    string
	limiter *rate.Limiter

	mu      sync.Mutex
	paused  time.Time // the host said "too fast": nobody goes before
	blocked time.Time // the host locked us out: nobody goes before
}

// enter waits for a turn. It fails with *Blocked while the host is shut.
func (l *lane) enter(ctx context.Context, now func() time.Time, sleep Sleep) error {
	l.mu.Lock()
	blocked, wait := l.blocked, l.paused.Sub(now())
	l.mu.Unlock()
	if now().Before(blocked) {
		return &Blocked{Host: l.host, Until: blocked}
	}
	if wait > 0 {
		if err := sleep(ctx, wait); err != nil {
			return err
		}
	}
	if err := l.limiter.Wait(ctx); err != nil {
		return fmt.Errorf("wait for a turn: %w", err)
	}
	return nil
}

func (l *lane) pause(until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if until.After(l.paused) {
		l.paused = until
	}
}

func (l *lane) block(until time.Time) *Blocked {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.blocked = until
	return &Blocked{Host: l.host, Until: until}
}

func (l *lane) unblock() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.blocked = time.Time{}
}
