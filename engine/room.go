package engine

import (
	"context"
	"sync"
)

// room is where windows are recognised: by many calls together, or by one that
// wants to be alone. Who wants to be alone goes before those who come later,
// and nobody waits longer than its context.
type room struct {
	mu     sync.Mutex
	inside int           // calls in it
	taken  bool          // by one that is alone
	lonely int           // calls that wait to be alone
	moved  chan struct{} // closed at the next change, nil if nobody waits
}

// enter returns the way out, to be called once.
func (r *room) enter(ctx context.Context, alone bool) (leave func(), err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if alone {
		r.lonely++
		defer func() {
			r.lonely--
			r.wake()
		}()
	}
	for r.taken || alone && r.inside > 0 || !alone && r.lonely > 0 {
		if err := r.wait(ctx); err != nil {
			return nil, err
		}
	}
	r.inside++
	r.taken = alone
	return r.leave, nil
}

// wait lets go of the lock until something has changed.
func (r *room) wait(ctx context.Context) error {
	if r.moved == nil {
		r.moved = make(chan struct{})
	}
	moved := r.moved
	r.mu.Unlock()
	defer r.mu.Lock()
	select {
	case <-moved:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *room) leave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.inside--
	r.taken = false
	r.wake()
}

func (r *room) wake() {
	if r.moved != nil {
		close(r.moved)
		r.moved = nil
	}
}
