package amocrm

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"time"

	"flysense/crm"
	"flysense/engine"
)

// Limits of a search.
const (
	pageSize     = 250              // the API's largest
	overlap      = 10 * time.Minute // looked at again each time: rows may become visible late
	findPages    = 40               // of one kind of card in one search; the next goes on
	archivePages = 400              // of one kind of card: 100,000 notes
)

// mark says how far each kind of card was read.
type mark map[string]place // by route

// place is a position in notes ordered by updated_at.
type place struct {
	Updated int64 `json:"updated"`        // Unix seconds: everything before was seen
	Page    int   `json:"page,omitempty"` // go on exactly here: a search ended at its limit
}

// Find is [crm.Finder]: contracts/amocrm.md 2.10.
func (c *Connector) Find(ctx context.Context, a crm.Access, last string) ([]engine.Sighting, string, error) {
	at := mark{}
	if last != "" {
		if err := json.Unmarshal([]byte(last), &at); err != nil {
			return nil, "", fmt.Errorf("read mark: %w", err)
		}
	}
	var found []call
	for _, card := range cards {
		from, known := at[card.route]
		switch {
		case !known:
			from.Updated = a.StartedAt.Unix()
		case from.Page == 0:
			from.Updated = max(from.Updated-int64(overlap/time.Second), a.StartedAt.Unix())
		}
		notes, next, err := c.read(ctx, a, card.route, from, findPages)
		if err != nil {
			return nil, "", fmt.Errorf("read notes of %s: %w", card.route, err)
		}
		if next.Page == 0 { // at the end; a note of ours or a quiet day must not move the mark back
			next.Updated = max(next.Updated, at[card.route].Updated, a.StartedAt.Unix())
		}
		at[card.route] = next
		for _, n := range notes {
			if int64(n.CreatedAt) >= a.StartedAt.Unix() { // older calls are the archive, also when somebody touches them
				found = append(found, call{n, card.kind, card.route})
			}
		}
	}
	next, err := json.Marshal(at)
	if err != nil {
		return nil, "", err
	}
	sightings, err := c.sightings(ctx, a, found, false)
	return sightings, string(next), err
}

// Archive is [crm.Finder]. The API filters by the time of change only, so
// everything changed since From is looked at.
func (c *Connector) Archive(ctx context.Context, a crm.Access, s crm.Span) ([]engine.Sighting, error) {
	var found []call
	for _, card := range cards {
		notes, next, err := c.read(ctx, a, card.route, place{Updated: s.From.Unix()}, archivePages)
		if err != nil {
			return nil, fmt.Errorf("read notes of %s: %w", card.route, err)
		}
		if next.Page > 0 {
			return nil, &crm.Invalid{Field: "span", Message: fmt.Sprintf("С начала этого периода в портале больше %d звонков. Выберите начало позже.", archivePages*pageSize)}
		}
		for _, n := range notes {
			at := time.Unix(int64(n.CreatedAt), 0)
			if !at.Before(s.From) && at.Before(s.To) {
				found = append(found, call{n, card.kind, card.route})
			}
		}
	}
	return c.sightings(ctx, a, found, s.Bare)
}

// read collects call notes from a place on, at most pages pages. The place it
// returns has Page > 0 if there is more.
//
// Page numbers shift when a note is changed while we read, so after each page
// the question starts anew at the last time seen; only a page full of one
// moment is followed by its number. Links to the next page say that there is
// one; they are not followed, for the token must not go where an answer points.
func (c *Connector) read(ctx context.Context, a crm.Access, route string, at place, pages int) ([]note, place, error) {
	var found []note
	seen := map[number]int{}
	highest := at.Updated
	at.Page = max(at.Page, 1)
	for range pages {
		var got page
		query := url.Values{
			"filter[note_type][]":      {callIn, callOut},
			"filter[updated_at][from]": {strconv.FormatInt(at.Updated, 10)},
			"order[updated_at]":        {"asc"},
			"limit":                    {strconv.Itoa(pageSize)},
			"page":                     {strconv.Itoa(at.Page)},
		}
		if err := c.get(ctx, a, "/api/v4/"+route+"/notes", query, &got); err != nil {
			return nil, at, mayNotSearch(err, a.Name)
		}
		last := at.Updated
		for _, n := range got.Embedded.Notes {
			last = max(last, int64(n.UpdatedAt))
			if n.ID == 0 || n.NoteType != callIn && n.NoteType != callOut {
				continue
			}
			if i, again := seen[n.ID]; again {
				found[i] = n
				continue
			}
			seen[n.ID] = len(found)
			found = append(found, n)
		}
		highest = max(highest, last)
		if !got.more() || len(got.Embedded.Notes) == 0 {
			return found, place{Updated: highest}, nil
		}
		// One second back: whether the filter includes its bound is not documented.
		if last-1 > at.Updated {
			at = place{Updated: last - 1, Page: 1}
		} else {
			at.Page++
		}
	}
	return found, at, nil
}

// call is a call note with the kind of card it stands in.
type call struct {
	note
	kind, route string
}

// sightings turns notes into what the engine knows, oldest first.
func (c *Connector) sightings(ctx context.Context, a crm.Access, found []call, bare bool) ([]engine.Sighting, error) {
	slices.SortStableFunc(found, func(x, y call) int {
		return cmp.Or(cmp.Compare(x.CreatedAt, y.CreatedAt), cmp.Compare(x.ID, y.ID))
	})
	title := func(call) string { return "" }
	agent := func(note) string { return "" }
	if !bare && len(found) > 0 {
		p, err := c.portal(ctx, a)
		if err != nil {
			return nil, err
		}
		if err := c.readUsers(ctx, a, p); err != nil {
			return nil, err
		}
		if err := c.readTitles(ctx, a, p, found); err != nil {
			return nil, err
		}
		title, agent = p.title, p.agent
	}
	sightings := make([]engine.Sighting, 0, len(found))
	for _, n := range found {
		direction := engine.Incoming
		if n.NoteType == callOut {
			direction = engine.Outgoing
		}
		sightings = append(sightings, engine.Sighting{
			OutsideID: n.ID.String(),
			Uniq:      string(n.Params.Uniq),
			Direction: direction,
			Phone:     string(n.Params.Phone),
			Agent:     agent(n.note),
			StartedAt: time.Unix(int64(n.CreatedAt), 0).UTC(),
			Reported:  time.Duration(max(n.Params.Duration, 0)) * time.Second,
			Link:      string(n.Params.Link),
			CardKind:  n.kind,
			CardID:    n.EntityID.String(),
			CardTitle: title(n),
			CardURL:   c.cardURL(a.Host, n.route, n.EntityID),
		})
	}
	return sightings, nil
}
