package web

import "sync"

// Topic says what a screen may want to look at again.
type Topic string

// The topics, as the stream of events names them.
const (
	CallChanged    Topic = "call"
	BalanceChanged Topic = "balance"
	QueueChanged   Topic = "queue"
)

// Event says that something changed, not how: the screen asks for it anew.
type Event struct {
	Topic  Topic
	CallID string // of CallChanged
}

// Limits of the feed.
const (
	feedBuffer      = 256 // events a slow screen may lag behind
	feedSubscribers = 200
)

// Feed hands events to the screens that are open. The zero value is ready.
type Feed struct {
	mu          sync.Mutex
	subscribers map[chan Event]struct{}
	closed      bool
}

// Publish tells all screens and never waits. One that lags too far behind is
// cut off; it connects again and loads everything anew.
func (f *Feed) Publish(e Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for events := range f.subscribers {
		select {
		case events <- e:
		default:
			f.drop(events)
		}
	}
}

// Changed is Publish for a call and the lanes it may have moved in: what
// engine.Engine.Changed wants.
func (f *Feed) Changed(callID string) {
	f.Publish(Event{CallChanged, callID})
	f.Publish(Event{Topic: QueueChanged})
}

// Subscribe returns a channel of events, which is closed when the screen lags
// too far behind or the appliance stops, and a function that ends it. Without
// room for another screen ok is false.
func (f *Feed) Subscribe() (events <-chan Event, end func(), ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed || len(f.subscribers) >= feedSubscribers {
		return nil, nil, false
	}
	if f.subscribers == nil {
		f.subscribers = map[chan Event]struct{}{}
	}
	channel := make(chan Event, feedBuffer)
	f.subscribers[channel] = struct{}{}
	return channel, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.drop(channel)
	}, true
}

func (f *Feed) drop(events chan Event) {
	if _, there := f.subscribers[events]; there {
		delete(f.subscribers, events)
		close(events)
	}
}

// Close ends all screens' streams and takes no new ones.
func (f *Feed) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	for events := range f.subscribers {
		f.drop(events)
	}
}
