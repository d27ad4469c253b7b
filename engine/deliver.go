package engine

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
)

// Deliver writes the result into every card that shows the call. The portal
// knows no idempotency key, so a write is announced in the store first; if its
// answer is lost, the card's notes are searched before another one is written.
func (e *Engine) Deliver(ctx context.Context, j Job) error {
	call, err := e.begin(ctx, j)
	if err != nil {
		return err
	}
	analysis, err := e.Store.Analysis(ctx, call.ID)
	if err != nil {
		return fmt.Errorf("load analysis: %w", err)
	}
	recording, err := e.Store.Recording(ctx, call.ID)
	if err != nil {
		return fmt.Errorf("load recording: %w", err)
	}
	notes, err := e.Store.Notes(ctx, call.ID)
	if err != nil {
		return fmt.Errorf("load notes: %w", err)
	}
	text := NoteText(call, recording, analysis)
	var refused error // one card does not keep the others from theirs
	for _, n := range notes {
		if n.shows(call.Revision) {
			continue
		}
		err := e.write(ctx, n, text, call.Revision)
		if errors.Is(err, errStale) || ctx.Err() != nil {
			return err
		} else if err != nil && refused == nil {
			refused = fmt.Errorf("note in %s %s: %w", n.CardKind, n.CardID, err)
		}
	}
	if refused != nil {
		return refused
	}
	return e.commit(ctx, j, func(tx *sql.Tx, now *Call) error {
		if now.Revision != call.Revision { // edited meanwhile; the edit lined its own job up
			now.State = Queued
			return nil
		}
		// The transaction has the store to itself, so this is the last word.
		notes, err := e.Store.Notes(ctx, now.ID)
		if err != nil {
			return fmt.Errorf("load notes: %w", err)
		}
		for _, n := range notes {
			if !n.shows(now.Revision) { // a card that came meanwhile
				return e.next(ctx, tx, now, StepDeliver)
			}
		}
		now.State, now.Actor, now.Problem = Done, Appliance, ""
		return nil
	})
}

// write puts the text into one card, once.
func (e *Engine) write(ctx context.Context, n Note, text string, revision int) error {
	if n.ResultID == "" && n.Tried {
		found, err := e.Sink.FindNote(ctx, n, marker(n.CallID))
		if err != nil && !errors.Is(err, ErrNotFound) {
			return fmt.Errorf("look for it: %w", err)
		}
		n.ResultID = found
	}
	if n.ResultID != "" {
		err := e.Sink.UpdateNote(ctx, n, text)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return fmt.Errorf("update: %w", err)
		} else if err != nil { // a person removed it; what is written now is a new one
			n.ResultID = ""
		}
	}
	if n.ResultID == "" {
		n.Tried = true
		if err := e.saveNote(ctx, n); err != nil {
			return err
		}
		id, err := e.Sink.WriteNote(ctx, n, text)
		if err != nil {
			return fmt.Errorf("write: %w", err)
		}
		n.ResultID = id
	}
	n.Revision = revision
	return e.saveNote(ctx, n)
}

// saveNote keeps how far a write is, and only that: the record may have been
// deleted with its call meanwhile, or may belong to another one.
func (e *Engine) saveNote(ctx context.Context, n Note) error {
	return e.Store.Tx(ctx, func(tx *sql.Tx) error {
		if _, err := e.Store.CallTx(ctx, tx, n.CallID); errors.Is(err, ErrNotFound) {
			return errStale
		} else if err != nil {
			return fmt.Errorf("load call: %w", err)
		}
		now, err := e.Store.NoteTx(ctx, tx, n.ConnectionID, n.OutsideID)
		if err != nil {
			return fmt.Errorf("load note: %w", err)
		}
		if now.CallID != n.CallID {
			return errStale
		}
		now.ResultID, now.Revision, now.Tried = n.ResultID, n.Revision, n.Tried
		return e.Store.SaveNote(ctx, tx, now)
	})
}

// shows reports whether the card has the result of a revision.
func (n Note) shows(revision int) bool { return n.ResultID != "" && n.Revision >= revision }

// marker ends our notes, so that one whose answer was lost can be found.
func marker(callID string) string { return "#fs:" + callID }

var (
	toneNames = map[Tone]string{Positive: "позитивная", Neutral: "нейтральная", Negative: "негативная"}
	kindNames = map[Kind]string{Greeting: "Приветствие", Farewell: "Прощание", Profanity: "Мат", Negativity: "Негатив"}
)

// NoteText is what a manager reads in the card: the point of the call first.
func NoteText(call Call, r Recording, a Analysis) string {
	var b strings.Builder
	what := "Звонок"
	switch call.Direction {
	case Incoming:
		what = "Входящий звонок"
	case Outgoing:
		what = "Исходящий звонок"
	}
	seconds := int(r.Length.Seconds())
	fmt.Fprintf(&b, "%s, %d:%02d\n\n", what, seconds/60, seconds%60)
	if a.Summary != "" {
		b.WriteString(a.Summary + "\n\n")
	}
	fmt.Fprintf(&b, "Тональность: %s\n", toneNames[a.Tone])
	for _, v := range a.Verdicts {
		answer := "нет"
		if v.Found {
			answer = "да"
			if v.Quote != "" {
				answer += " («" + v.Quote + "»)"
			}
		}
		fmt.Fprintf(&b, "%s: %s\n", cmp.Or(kindNames[v.Kind], string(v.Kind)), answer)
	}
	if len(a.Tags) > 0 {
		fmt.Fprintf(&b, "Теги: %s\n", strings.Join(a.Tags, ", "))
	}
	if a.By == Lexicon {
		b.WriteString("\nИтог составлен по словам разговора, без языковой модели.\n")
	}
	b.WriteString(marker(call.ID))
	return b.String()
}
