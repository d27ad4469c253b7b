package web

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"flysense/web/auth"
)

// stream opens the events on a real connection.
func stream(t *testing.T, w *world, c *client) (lines *bufio.Scanner, closed func() error) {
	t.Helper()
	server := httptest.NewUnstartedServer(w)
	server.Config = w.HTTP()
	server.Start()
	t.Cleanup(server.Close)
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/api/v1/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.AddCookie(c.cookie)
	response, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	if response.StatusCode != http.StatusOK || !strings.HasPrefix(response.Header.Get("Content-Type"), "text/event-stream") {
		t.Fatalf("%d %v", response.StatusCode, response.Header)
	}
	lines = bufio.NewScanner(response.Body)
	if !lines.Scan() || lines.Text() != ": connected" {
		t.Fatalf("first line %q", lines.Text())
	}
	return lines, func() error { return server.Config.Shutdown(context.WithoutCancel(ctx)) }
}

// next returns the next lines up to an empty one, pings left out.
func next(t *testing.T, lines *bufio.Scanner) string {
	t.Helper()
	var event []string
	for lines.Scan() {
		switch line := lines.Text(); {
		case line == "" && len(event) > 0:
			return strings.Join(event, "|")
		case line == "", strings.HasPrefix(line, ":"):
		default:
			event = append(event, line)
		}
	}
	return "closed"
}

func TestEvents(t *testing.T) {
	w, c := signedIn(t, auth.Owner)
	lines, shutdown := stream(t, w, c)
	w.Feed.Changed("C1")
	w.Feed.Publish(Event{Topic: BalanceChanged})
	for _, want := range []string{`event: call|data: {"id":"C1"}`, `event: queue|data: {}`, `event: balance|data: {}`} {
		if got := next(t, lines); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if err := shutdown(); err != nil { // would wait for ever if the stream stayed
		t.Error(err)
	}
	if got := next(t, lines); got != "closed" {
		t.Errorf("after the shutdown: %s", got)
	}
}

func TestEventsPing(t *testing.T) {
	w, c := signedIn(t, auth.Owner)
	w.ping = time.Millisecond
	lines, _ := stream(t, w, c)
	for lines.Scan() && lines.Text() != ": ping" {
	}
	if lines.Text() != ": ping" {
		t.Error("no sign of life")
	}
}

// Who signs out, or whose session ends, hears nothing more.
func TestEventsEndWithTheSession(t *testing.T) {
	w, c := signedIn(t, auth.Owner)
	w.ping = time.Millisecond
	lines, _ := stream(t, w, c)
	c.ask("POST", "/api/v1/logout", "").want(http.StatusNoContent)
	if got := next(t, lines); got != "closed" {
		t.Errorf("after signing out: %s", got)
	}
}

func TestFeedCutsOffWhoLags(t *testing.T) {
	var f Feed
	slow, _, ok := f.Subscribe()
	if !ok {
		t.Fatal("no room")
	}
	quick, end, _ := f.Subscribe()
	for i := range feedBuffer + 1 {
		f.Publish(Event{CallChanged, fmt.Sprint(i)})
		if e := <-quick; e.CallID != fmt.Sprint(i) {
			t.Fatalf("%v at %d", e, i)
		}
	}
	got := 0
	for range slow { // ends because it was closed
		got++
	}
	if got != feedBuffer {
		t.Errorf("the slow one got %d", got)
	}
	end()
	end() // twice is harmless
	if _, open := <-quick; open {
		t.Error("ended, but open")
	}
}

func TestFeedHasLimits(t *testing.T) {
	var f Feed
	for range feedSubscribers {
		if _, _, ok := f.Subscribe(); !ok {
			t.Fatal("no room")
		}
	}
	if _, _, ok := f.Subscribe(); ok {
		t.Error("no limit")
	}
	f.Close()
	if _, _, ok := f.Subscribe(); ok {
		t.Error("closed, but takes new ones")
	}
	f.Publish(Event{}) // to nobody
}

func TestFeedIsSafe(t *testing.T) {
	var f Feed
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 200 {
				events, end, ok := f.Subscribe()
				if !ok {
					return
				}
				f.Changed("C1")
				<-events
				end()
			}
		})
	}
	all.Wait()
	if len(f.subscribers) != 0 {
		t.Errorf("%d stay", len(f.subscribers))
	}
}
