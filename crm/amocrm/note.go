package amocrm

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"flysense/crm"
	"flysense/crm/rest"
	"flysense/engine"
)

// Our notes (contracts/amocrm.md 2.11).
const (
	ourType    = "extended_service_message" // collapses in the feed
	ourService = "FlySense"

	maxNote   = 20000 // characters; the vendor names no limit, this is our caution
	notePages = 40    // of one card's notes, when looking for ours
)

const cutRemark = "\n… Текст сокращён, полностью он виден в FlySense.\n"

// WriteNote is [crm.Sink]. An error leaves open whether the note was made.
func (c *Connector) WriteNote(ctx context.Context, a crm.Access, n engine.Note, text string) (string, error) {
	path, err := notesPath(n)
	if err != nil {
		return "", err
	}
	off := false // a note of ours must not start the customer's robots
	answer, err := c.do(ctx, a, rest.Request{
		Method: http.MethodPost,
		Body: []newNote{{
			NoteType:  ourType,
			Params:    newNoteParams{Service: ourService, Text: fit(text)},
			RequestID: n.OutsideID,
			Robots:    &off,
		}},
	}, path, nil)
	if err != nil {
		return "", cardGone(noRight(err, "писать примечания в карточки"))
	}
	var got page
	if err := answer.Decode(&got); err != nil {
		return "", err
	}
	if len(got.Embedded.Notes) != 1 || got.Embedded.Notes[0].ID == 0 {
		return "", errors.New("write note: the answer names no note")
	}
	return got.Embedded.Notes[0].ID.String(), nil
}

// UpdateNote is [crm.Sink]. engine.ErrNotFound if the note is gone.
func (c *Connector) UpdateNote(ctx context.Context, a crm.Access, n engine.Note, text string) error {
	path, err := notesPath(n)
	if err != nil {
		return err
	}
	if _, err := strconv.ParseUint(n.ResultID, 10, 63); err != nil {
		return fmt.Errorf("update note: id %q is no number", n.ResultID)
	}
	answer, err := c.do(ctx, a, rest.Request{
		Method: http.MethodPatch,
		Body:   newNote{NoteType: ourType, Params: newNoteParams{Service: ourService, Text: fit(text)}},
		Repeat: true, // it sets the text, twice is once
	}, path+"/"+n.ResultID, nil)
	if rest.Status(err) == http.StatusNotFound {
		return fmt.Errorf("update note: %w: %w", engine.ErrNotFound, err)
	}
	if err != nil {
		return cardGone(noRight(err, "менять примечания в карточках"))
	}
	var changed note
	if err := answer.Decode(&changed); err != nil {
		return err
	}
	if changed.ID.String() != n.ResultID { // 204 would be "no such note"
		return fmt.Errorf("update note: the answer names note %s", changed.ID)
	}
	return nil
}

// FindNote is [crm.Sink].
func (c *Connector) FindNote(ctx context.Context, a crm.Access, n engine.Note, marker string) (string, error) {
	path, err := notesPath(n)
	if err != nil {
		return "", err
	}
	for number := 1; number <= notePages; number++ {
		query := url.Values{
			"filter[note_type][]": {ourType},
			"order[id]":           {"desc"}, // the one we look for is among the newest
			"limit":               {strconv.Itoa(pageSize)},
			"page":                {strconv.Itoa(number)},
		}
		var got page
		if err := c.get(ctx, a, path, query, &got); err != nil {
			return "", fmt.Errorf("read notes of the card: %w", noRight(err, "читать примечания карточек"))
		}
		for _, found := range got.Embedded.Notes {
			if found.NoteType == ourType && hasLine(string(found.Params.Text), marker) {
				return found.ID.String(), nil
			}
		}
		if !got.more() || len(got.Embedded.Notes) == 0 {
			return "", fmt.Errorf("note with %s: %w", marker, engine.ErrNotFound)
		}
	}
	return "", fmt.Errorf("more than %d notes of ours in one card", notePages*pageSize)
}

func notesPath(n engine.Note) (string, error) {
	route, err := route(n.CardKind)
	if err != nil {
		return "", err
	}
	if _, err := strconv.ParseUint(n.CardID, 10, 63); err != nil {
		return "", fmt.Errorf("card id %q is no number", n.CardID)
	}
	return "/api/v4/" + route + "/" + n.CardID + "/notes", nil
}

// cardGone ends what can never succeed: the card was deleted or takes no notes.
func cardGone(err error) error {
	switch rest.Status(err) {
	case http.StatusBadRequest, http.StatusNotFound, http.StatusUnprocessableEntity:
		return engine.Never(err, "amoCRM не принимает примечание к этой карточке: возможно, её удалили. Итог виден здесь, в карточку он не записан.")
	}
	return err
}

// fit shortens a text that may be too long and keeps its last line, by which
// the note is found again.
func fit(text string) string {
	runes := []rune(text)
	if len(runes) <= maxNote {
		return text
	}
	last := []rune(cutRemark + text[strings.LastIndexByte(text, '\n')+1:])
	if len(last) > maxNote/2 { // one line without end: it carries no marker
		last = []rune(cutRemark)
	}
	return string(runes[:maxNote-len(last)]) + string(last)
}

func hasLine(text, line string) bool {
	for l := range strings.Lines(text) {
		if strings.TrimSpace(l) == line {
			return true
		}
	}
	return false
}
