package engine

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// detectBatch is how many call records go into one transaction.
const detectBatch = 200

// Detect asks a portal for new call records and lines up what is to be fetched.
// Seeing a record twice changes nothing, so a lost mark or a crash between
// batches costs only a second look.
func (e *Engine) Detect(ctx context.Context, j Job) error {
	settings, err := e.Finder.Settings(ctx, j.ConnectionID)
	if errors.Is(err, ErrNotFound) {
		return e.drop(ctx)
	} else if err != nil {
		return fmt.Errorf("load connection: %w", err)
	}
	archive := !j.To.IsZero()
	var (
		found []Sighting
		mark  string
	)
	if archive {
		found, err = e.Finder.Archive(ctx, j.ConnectionID, j.From, j.To)
	} else {
		if mark, err = e.Store.Mark(ctx, j.ConnectionID); err != nil {
			return fmt.Errorf("load mark: %w", err)
		}
		found, mark, err = e.Finder.Find(ctx, j.ConnectionID, mark)
	}
	if _, person := OwnerHint(err); person {
		return e.drop(ctx) // the connection shows the hint; the next poll comes anyway
	} else if err != nil {
		return fmt.Errorf("find calls: %w", err)
	}

	var changed []string
	for start := 0; start == 0 || start < len(found); start += detectBatch {
		end := min(start+detectBatch, len(found))
		last := end == len(found)
		err := e.Store.Tx(ctx, func(tx *sql.Tx) error {
			for _, s := range found[start:end] {
				id, err := e.sight(ctx, tx, j.ConnectionID, s, settings, archive)
				if err != nil {
					return fmt.Errorf("record %s: %w", s.OutsideID, err)
				}
				if id != "" {
					changed = append(changed, id)
				}
			}
			if !last {
				return nil
			}
			if !archive {
				if err := e.Store.SaveMark(ctx, tx, j.ConnectionID, mark); err != nil {
					return fmt.Errorf("save mark: %w", err)
				}
			}
			return e.Jobs.Complete(ctx, tx)
		})
		if err != nil {
			return err
		}
	}
	for _, id := range changed {
		e.Changed(id)
	}
	return nil
}

// sight takes one record in and returns the call it changed, "" if none.
func (e *Engine) sight(ctx context.Context, tx *sql.Tx, connectionID string, s Sighting, settings Settings, archive bool) (string, error) {
	note, err := e.Store.NoteTx(ctx, tx, connectionID, s.OutsideID)
	switch {
	case err == nil:
		return e.sightAgain(ctx, tx, note, s, archive)
	case !errors.Is(err, ErrNotFound):
		return "", err
	}
	note = Note{
		ConnectionID: connectionID, OutsideID: s.OutsideID,
		CardKind: s.CardKind, CardID: s.CardID, CardTitle: s.CardTitle, CardURL: s.CardURL,
	}
	twin, err := e.twin(ctx, tx, connectionID, s.Key())
	switch {
	case err == nil:
		note.CallID = twin.ID
		return twin.ID, e.join(ctx, tx, twin, note)
	case !errors.Is(err, ErrNotFound):
		return "", err
	}

	now := e.Now()
	call := Call{
		ID: e.NewID(), ConnectionID: connectionID, Key: s.Key(),
		Direction: s.Direction, Phone: s.Phone, Agent: s.Agent, Title: s.CardTitle,
		StartedAt: s.StartedAt, Reported: s.Reported, Link: s.Link,
		State: Found, Step: StepDetect, Priority: Automatic, Actor: Appliance,
		CreatedAt: now, UpdatedAt: now,
	}
	if call.Title == "" {
		call.Title = s.Phone
	}
	switch {
	case archive:
		call.Priority = Archive
	case s.Reported > 0 && s.Reported < shortCall:
		call.Priority = Short
	}
	if settings.Automatic || archive {
		call.State, call.Step = Queued, StepFetch
	}
	if err := e.Store.AddCall(ctx, tx, call); err != nil {
		return "", err
	}
	note.CallID = call.ID
	if err := e.Store.SaveNote(ctx, tx, note); err != nil {
		return "", err
	}
	if call.State == Queued {
		return call.ID, e.Jobs.Add(ctx, tx, Job{Step: StepFetch, CallID: call.ID, Run: call.Run, Priority: call.Priority})
	}
	return call.ID, nil
}

// twin is the call that has this recording already.
func (e *Engine) twin(ctx context.Context, tx *sql.Tx, connectionID, key string) (Call, error) {
	if key == "" {
		return Call{}, ErrNotFound
	}
	return e.Store.CallByKey(ctx, tx, connectionID, key)
}

// join shows a call in one more card; a result that exists goes there too.
func (e *Engine) join(ctx context.Context, tx *sql.Tx, call Call, note Note) error {
	if err := e.Store.SaveNote(ctx, tx, note); err != nil {
		return err
	}
	if call.State != Done {
		return nil
	}
	if err := e.next(ctx, tx, &call, StepDeliver); err != nil {
		return err
	}
	return e.Store.SaveCall(ctx, tx, e.touched(call))
}

// sightAgain looks what is new in a record we know: a link that was late, or
// the archive asked for now.
func (e *Engine) sightAgain(ctx context.Context, tx *sql.Tx, note Note, s Sighting, archive bool) (string, error) {
	call, err := e.Store.CallTx(ctx, tx, note.CallID)
	if errors.Is(err, ErrNotFound) {
		return "", nil // deleted by a person; it does not come back by itself
	} else if err != nil {
		return "", err
	}
	linked := call.Link == "" && s.Link != ""
	if linked {
		twin, err := e.twin(ctx, tx, note.ConnectionID, s.Key())
		switch {
		case err == nil: // the other card's record had the link first
			if err := e.Jobs.Withdraw(ctx, tx, call.ID); err != nil {
				return "", err
			}
			note.CallID = twin.ID
			if err := e.join(ctx, tx, twin, note); err != nil {
				return "", err
			}
			return twin.ID, e.Store.DeleteCall(ctx, tx, call.ID)
		case !errors.Is(err, ErrNotFound):
			return "", err
		}
		call.Link, call.Key, call.Reported = s.Link, s.Key(), s.Reported
	}
	switch {
	case call.State == Found && archive:
		call.Priority, call.Run = Archive, call.Run+1
		if err := e.next(ctx, tx, &call, StepFetch); err != nil {
			return "", err
		}
	case linked && call.State == Waiting:
		if err := e.next(ctx, tx, &call, StepFetch); err != nil {
			return "", err
		}
	case !linked:
		return "", nil
	}
	return call.ID, e.Store.SaveCall(ctx, tx, e.touched(call))
}
