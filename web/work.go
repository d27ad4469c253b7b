package web

import (
	"context"
	"sync"
	"time"

	"flysense/engine"
	"flysense/engine/queue"
	"flysense/engine/store"
)

// work is the queue at one moment, with the lengths of its calls.
type work struct {
	at       time.Time
	jobs     []queue.Waiting // running ones first, then in the order they will be taken
	briefs   map[string]store.Brief
	progress map[string]store.Progress // of running jobs
	realtime float64                   // seconds of audio per second, 0 while unknown
	places   map[string]place
}

// place is where a call stands in the queue.
type place struct {
	position int // from 1
	ahead    time.Duration
}

// workFresh is how long one look at the queue serves all pages.
const workFresh = time.Second

// snapshots keep the latest look at the queue.
type snapshots struct {
	mu   sync.Mutex
	last *work
}

// work looks at the queue, or returns a look that is fresh enough.
func (s *Server) work(ctx context.Context) (*work, error) {
	s.snapshot.mu.Lock()
	defer s.snapshot.mu.Unlock()
	now := s.Now()
	if last := s.snapshot.last; last != nil && now.Sub(last.at) < workFresh && !now.Before(last.at) {
		return last, nil
	}
	w := &work{at: now, realtime: s.Workers.Speech().Realtime, places: map[string]place{}}
	var err error
	if w.jobs, err = s.Lanes.Work(ctx); err != nil {
		return nil, err
	}
	var all, running []string
	for _, j := range w.jobs {
		all = append(all, j.CallID)
		if j.Running {
			running = append(running, j.CallID)
		}
	}
	if w.briefs, err = s.Store.Briefs(ctx, all); err != nil {
		return nil, err
	}
	if w.progress, err = s.Store.Progress(ctx, running); err != nil {
		return nil, err
	}
	w.line()
	s.snapshot.last = w
	return w, nil
}

// forgetWork makes the next page look anew: somebody has just changed the queue.
func (s *Server) forgetWork() {
	s.snapshot.mu.Lock()
	defer s.snapshot.mu.Unlock()
	s.snapshot.last = nil
}

// line gives every waiting call its place.
func (w *work) line() {
	var ahead time.Duration
	position := 0
	for _, j := range w.jobs {
		ahead += w.left(j)
		if j.Running {
			continue
		}
		position++
		if _, there := w.places[j.CallID]; !there {
			w.places[j.CallID] = place{position, ahead}
		}
	}
}

// left is how much audio a job still has before the speech engine.
func (w *work) left(j queue.Waiting) time.Duration {
	if j.Step != engine.StepFetch && j.Step != engine.StepTranscribe {
		return 0
	}
	length := w.briefs[j.CallID].Length
	if p := w.progress[j.CallID]; j.Running && p.Total > 0 {
		length = length * time.Duration(p.Total-p.Done) / time.Duration(p.Total)
	}
	return length
}

// place returns the position of a waiting call and when its turn is over, nil
// where there is none or nothing is known of the engine's speed.
func (w *work) place(callID string) (position *int, etaSeconds *float64) {
	p, there := w.places[callID]
	if !there {
		for _, j := range w.jobs {
			if j.Running && j.CallID == callID {
				return nil, w.eta(w.left(j))
			}
		}
		return nil, nil
	}
	return &p.position, w.eta(p.ahead)
}

func (w *work) eta(audio time.Duration) *float64 {
	if w.realtime <= 0 {
		return nil
	}
	seconds := audio.Seconds() / w.realtime
	return &seconds
}
