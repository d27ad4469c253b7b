package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// Limits of a stream of events.
const (
	pingEvery    = 15 * time.Second // proxies and browsers notice a dead stream by it
	eventTimeout = 10 * time.Second // for one event to leave
)

// events streams what changed until the client leaves, its session ends, or it
// lags too far behind. After a break the page loads everything anew.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	events, end, ok := s.Feed.Subscribe()
	if !ok {
		s.writeError(w, r, errStreams)
		return
	}
	defer end()
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	w.Header().Set("X-Accel-Buffering", "no") // a proxy in between must not gather
	control := http.NewResponseController(w)
	send := func(text string) bool {
		_ = control.SetWriteDeadline(time.Now().Add(eventTimeout)) // a recorder has none
		_, err := w.Write([]byte(text))
		return err == nil && control.Flush() == nil
	}
	if !send(": connected\n\n") {
		return
	}
	ping := time.NewTicker(s.ping)
	defer ping.Stop()
	for {
		select {
		case <-r.Context().Done():
			return
		case e, open := <-events:
			if !open || !send(eventText(e)) {
				return
			}
		case <-ping.C:
			if alive, err := s.sessions.Alive(r.Context()); err != nil || !alive || !send(": ping\n\n") {
				return
			}
		}
	}
}

func eventText(e Event) string {
	data := struct {
		ID string `json:"id,omitempty"`
	}{e.CallID}
	text, err := json.Marshal(data)
	if err != nil {
		panic(err) // a string always has JSON
	}
	return fmt.Sprintf("event: %s\ndata: %s\n\n", e.Topic, text)
}
