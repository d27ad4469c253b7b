package enginetest

import "sync"

// Faults hands out errors in order, one per call, then none. The zero value
// has none.
type Faults struct {
	mu   sync.Mutex
	next []error
}

// Add lines up errors; nil stands for a call that goes well.
func (f *Faults) Add(errs ...error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next = append(f.next, errs...)
}

func (f *Faults) take() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.next) == 0 {
		return nil
	}
	err := f.next[0]
	f.next = f.next[1:]
	return err
}
