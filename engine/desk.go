package engine

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// What a person may do with a call. Each action names its actor and is one
// transaction.

// ErrBusy says that the call is being worked on, so the action has to wait.
var ErrBusy = errors.New("the call is being worked on")

// Start recognises a call now: one nobody asked for yet, one that waits for
// funds or for a person, or any finished one again (which costs again). A
// call already in the queue moves to its front.
func (e *Engine) Start(ctx context.Context, callID, actor string) error {
	return e.act(ctx, callID, actor, func(tx *sql.Tx, call *Call) error {
		step := call.Step
		switch call.State {
		case Running:
			return ErrBusy
		case Queued, Waiting, NoFunds, NeedsOwner:
		case Found:
			step = StepFetch
		default: // terminal: a new run with money of its own
			call.Run++
			call.Crashes = 0
			var err error
			if step, err = e.again(ctx, tx, *call); err != nil {
				return err
			}
		}
		call.Priority = ByHand
		return e.next(ctx, tx, call, step)
	})
}

// again tells where a finished call starts anew: at the speech engine if its
// audio is still here.
func (e *Engine) again(ctx context.Context, tx *sql.Tx, call Call) (Step, error) {
	recording, err := e.Store.Recording(ctx, call.ID)
	if errors.Is(err, ErrNotFound) {
		return StepFetch, nil
	} else if err != nil {
		return "", err
	}
	windows, err := e.Store.Windows(ctx, call.ID)
	if err != nil {
		return "", err
	}
	if recording.Gone || len(windows) == 0 {
		return StepFetch, nil
	}
	rest, err := e.unheard(ctx, call.ID)
	if err != nil {
		return "", err
	}
	// Recognise anew what was recognised, or in what nobody was heard to speak,
	// instead of finding every window finished.
	if call.State == Done || len(rest) == 0 && call.Step == StepTranscribe {
		if err := e.Store.SaveRecording(ctx, tx, recording, windows); err != nil {
			return "", err
		}
	}
	return StepTranscribe, nil
}

// Cancel takes a call out of the queue or interrupts it and gives its hold back.
func (e *Engine) Cancel(ctx context.Context, callID, actor string) error {
	err := e.act(ctx, callID, actor, func(tx *sql.Tx, call *Call) error {
		if call.State.Terminal() || call.State == Found {
			return nil
		}
		if call.Revision > 0 && call.Step == StepDeliver { // paid and readable: only the delivery stops
			call.State, call.Problem = Done, ""
		} else {
			call.State, call.Problem = Cancelled, ""
			if err := e.Till.Release(ctx, tx, call.moneyKey(), string(Cancelled)); err != nil {
				return fmt.Errorf("release hold: %w", err)
			}
		}
		return e.Jobs.Withdraw(ctx, tx, call.ID)
	})
	if err == nil {
		e.Jobs.Interrupt(callID)
	}
	return err
}

// Delete removes a call with its text and audio. What was paid stays paid, a
// hold goes back; the ledger knows only the call's id. The portal's notes stay.
func (e *Engine) Delete(ctx context.Context, callID, actor string) error {
	err := e.Store.Tx(ctx, func(tx *sql.Tx) error {
		call, err := e.Store.CallTx(ctx, tx, callID)
		if err != nil {
			return err
		}
		if err := e.Till.Release(ctx, tx, call.moneyKey(), "deleted by "+actor); err != nil {
			return fmt.Errorf("release hold: %w", err)
		}
		if err := e.Jobs.Withdraw(ctx, tx, call.ID); err != nil {
			return err
		}
		return e.Store.DeleteCall(ctx, tx, call.ID)
	})
	if err != nil {
		return err
	}
	e.Jobs.Interrupt(callID)
	e.Changed(callID)
	if err := e.Audio.Remove(ctx, callID); err != nil {
		return fmt.Errorf("remove audio: %w", err)
	}
	return nil
}

// Refetch brings the audio of a finished call back for the player.
func (e *Engine) Refetch(ctx context.Context, callID, actor string) error {
	return e.act(ctx, callID, actor, func(tx *sql.Tx, call *Call) error {
		if !call.State.Terminal() {
			return ErrBusy
		}
		call.Problem = ""
		return e.Jobs.Add(ctx, tx, Job{Step: StepFetch, CallID: call.ID, AudioOnly: true, Priority: ByHand})
	})
}

// Edit keeps a person's correction and updates the portal's notes.
func (e *Engine) Edit(ctx context.Context, edit Edit) error {
	if err := edit.check(); err != nil {
		return err
	}
	edit.At = e.Now()
	return e.act(ctx, edit.CallID, edit.Author, func(tx *sql.Tx, call *Call) error {
		if call.Revision == 0 {
			return ErrNotFound // nothing to correct yet
		}
		if err := e.Store.SaveEdit(ctx, tx, edit); err != nil {
			return err
		}
		call.Revision++
		if call.State == Done || call.Step == StepDeliver {
			return e.next(ctx, tx, call, StepDeliver)
		}
		return nil // an earlier step is under way and will end in a delivery
	})
}

func (e *Engine) act(ctx context.Context, callID, actor string, do func(tx *sql.Tx, call *Call) error) error {
	err := e.Store.Tx(ctx, func(tx *sql.Tx) error {
		call, err := e.Store.CallTx(ctx, tx, callID)
		if err != nil {
			return err
		}
		call.Actor = actor
		if err := do(tx, &call); err != nil {
			return err
		}
		return e.Store.SaveCall(ctx, tx, e.touched(call))
	})
	if err == nil {
		e.Changed(callID)
	}
	return err
}

// expireBatch is how many audio files one sweep removes before it lets others write.
const expireBatch = 100

// Expire deletes audio that was kept its time.
func (e *Engine) Expire(ctx context.Context) error {
	for {
		ids, err := e.Store.Expired(ctx, e.Now(), expireBatch)
		if err != nil {
			return fmt.Errorf("find expired audio: %w", err)
		}
		for _, id := range ids {
			if err := e.expire(ctx, id); err != nil {
				return err
			}
		}
		if len(ids) < expireBatch {
			return nil
		}
	}
}

// expire removes one file in the transaction that says so: nobody lines the
// call up or keeps a new file in between.
func (e *Engine) expire(ctx context.Context, callID string) error {
	err := e.Store.Tx(ctx, func(tx *sql.Tx) error {
		call, err := e.Store.CallTx(ctx, tx, callID)
		if errors.Is(err, ErrNotFound) || call.State == Queued || call.State == Running {
			return nil // deleted or started since it was found
		} else if err != nil {
			return fmt.Errorf("load call: %w", err)
		}
		if err := e.Store.SetGone(ctx, tx, callID); err != nil {
			return err
		}
		if err := e.Audio.Remove(ctx, callID); err != nil {
			return fmt.Errorf("remove audio: %w", err)
		}
		return nil
	})
	if err == nil {
		e.Changed(callID)
	}
	return err
}

// Revive gives a call that is under way a job again, should it have lost it.
func (e *Engine) Revive(ctx context.Context, callID string) error {
	return e.act(ctx, callID, Appliance, func(tx *sql.Tx, call *Call) error {
		if call.State.Terminal() {
			return nil
		}
		return e.next(ctx, tx, call, call.Step)
	})
}
