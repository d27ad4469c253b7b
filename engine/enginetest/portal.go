package enginetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"flysense/engine"
)

// ErrLostAnswer is for NoteFaults and UpdateFaults: the call does the work and
// then says that the connection was lost, so the caller cannot know.
var ErrLostAnswer = errors.New("connection lost after the work was done")

// Portal is a CRM in memory: it finds calls, opens recordings and takes
// notes, like the real connectors behind engine.Finder, Source and Sink.
type Portal struct {
	// Faults, one list per method.
	FindFaults, OpenFaults, NoteFaults, UpdateFaults Faults

	mu         sync.Mutex
	settings   map[string]engine.Settings
	sightings  map[string][]engine.Sighting // by connection, in order of appearance
	recordings map[string][]byte            // by link
	notes      []WrittenNote
	opened     int
	closed     int
}

// WrittenNote is a note that stands in a card.
type WrittenNote struct {
	ID      string
	Card    string // "lead/17"
	Text    string
	Updates int
}

// Set gives a connection its settings; without it Settings is ErrNotFound.
func (p *Portal) Set(connectionID string, s engine.Settings) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.settings == nil {
		p.settings = map[string]engine.Settings{}
	}
	p.settings[connectionID] = s
}

// Appear adds call records, or changed ones again, to a connection.
func (p *Portal) Appear(connectionID string, found ...engine.Sighting) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sightings == nil {
		p.sightings = map[string][]engine.Sighting{}
	}
	p.sightings[connectionID] = append(p.sightings[connectionID], found...)
}

// Record puts a recording under a link; until then Open is ErrNoRecording.
func (p *Portal) Record(link string, audio []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.recordings == nil {
		p.recordings = map[string][]byte{}
	}
	p.recordings[link] = bytes.Clone(audio)
}

// Find returns what appeared since mark; an empty mark means "from now".
func (p *Portal) Find(ctx context.Context, connectionID, mark string) ([]engine.Sighting, string, error) {
	if err := obey(ctx, &p.FindFaults); err != nil {
		return nil, "", err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	all := p.sightings[connectionID]
	next := strconv.Itoa(len(all))
	if mark == "" {
		return nil, next, nil
	}
	seen, err := strconv.Atoi(mark)
	if err != nil || seen < 0 || seen > len(all) {
		return nil, "", fmt.Errorf("mark %q is not one of ours", mark)
	}
	return slices.Clone(all[seen:]), next, nil
}

// Archive returns the records of calls that started between two times.
func (p *Portal) Archive(ctx context.Context, connectionID string, from, to time.Time) ([]engine.Sighting, error) {
	if err := obey(ctx, &p.FindFaults); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []engine.Sighting
	for _, s := range p.sightings[connectionID] {
		if !s.StartedAt.Before(from) && s.StartedAt.Before(to) {
			out = append(out, s)
		}
	}
	slices.SortStableFunc(out, func(a, b engine.Sighting) int { return a.StartedAt.Compare(b.StartedAt) })
	return out, nil
}

// Settings returns what Set gave.
func (p *Portal) Settings(_ context.Context, connectionID string) (engine.Settings, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, ok := p.settings[connectionID]
	if !ok {
		return engine.Settings{}, engine.ErrNotFound
	}
	s.AgentChannel = maps.Clone(s.AgentChannel)
	return s, nil
}

// Open returns the recording under the call's link.
func (p *Portal) Open(ctx context.Context, c engine.Call) (io.ReadCloser, error) {
	if err := obey(ctx, &p.OpenFaults); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	audio, ok := p.recordings[c.Link]
	if !ok || c.Link == "" {
		return nil, engine.ErrNoRecording
	}
	p.opened++
	return &stream{Reader: bytes.NewReader(audio), portal: p}, nil
}

// Unclosed counts the recordings that were opened and not closed.
func (p *Portal) Unclosed() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.opened - p.closed
}

type stream struct {
	*bytes.Reader
	portal *Portal
	once   sync.Once
}

func (s *stream) Close() error {
	s.once.Do(func() {
		s.portal.mu.Lock()
		defer s.portal.mu.Unlock()
		s.portal.closed++
	})
	return nil
}

// WriteNote adds a note to the card of n.
func (p *Portal) WriteNote(ctx context.Context, n engine.Note, text string) (string, error) {
	err := obey(ctx, &p.NoteFaults)
	if err != nil && !errors.Is(err, ErrLostAnswer) {
		return "", err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	id := "note-" + strconv.Itoa(len(p.notes)+1)
	p.notes = append(p.notes, WrittenNote{ID: id, Card: card(n), Text: text})
	if err != nil {
		return "", err
	}
	return id, nil
}

// UpdateNote changes a note's text; ErrNotFound if the card has no such note.
func (p *Portal) UpdateNote(ctx context.Context, n engine.Note, text string) error {
	err := obey(ctx, &p.UpdateFaults)
	if err != nil && !errors.Is(err, ErrLostAnswer) {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.IndexFunc(p.notes, func(w WrittenNote) bool { return w.ID == n.ResultID && w.Card == card(n) })
	if i < 0 {
		return engine.ErrNotFound
	}
	p.notes[i].Text = text
	p.notes[i].Updates++
	return err
}

// FindNote looks for the marker in the card's notes.
func (p *Portal) FindNote(ctx context.Context, n engine.Note, marker string) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, w := range p.notes {
		if w.Card == card(n) && strings.Contains(w.Text, marker) {
			return w.ID, nil
		}
	}
	return "", engine.ErrNotFound
}

// Notes lists what was written, oldest first.
func (p *Portal) Notes() []WrittenNote {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.notes)
}

func card(n engine.Note) string { return n.CardKind + "/" + n.CardID }
