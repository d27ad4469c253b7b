package engine

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Engine leads calls through the five steps. All fields must be set.
type Engine struct {
	Store       Store
	Audio       Audio
	Jobs        Jobs
	Finder      Finder
	Source      Source
	Sink        Sink
	Decoder     Decoder
	Transcriber Transcriber
	Analyst     Analyst
	Till        Till

	Now       func() time.Time
	NewID     func() string
	Changed   func(callID string) // a screen may want to look again
	KeepAudio time.Duration       // after this the file goes, the text stays
	Log       *slog.Logger

	// room keeps calls that already cost a worker its life apart: while one
	// of them is recognised nobody else is, so the next death is surely its own.
	room room
}

// Appliance is the actor of what happens by itself.
const Appliance = "appliance"

// errStale says that the call was cancelled, deleted or started anew while the
// step worked: its result is of no use.
var errStale = errors.New("the call went another way meanwhile")

// Do runs the job's step. It returns nil when the job is finished, well or
// badly: then its end is already committed together with what it left. A
// [Later] error asks to run it again and uses no attempt up; any other error
// asks for a retry with a longer pause, and for [Engine.GiveUp] after the last.
func (e *Engine) Do(ctx context.Context, j Job) error {
	var err error
	switch j.Step {
	case StepDetect:
		err = e.Detect(ctx, j)
	case StepFetch:
		err = e.Fetch(ctx, j)
	case StepTranscribe:
		err = e.Transcribe(ctx, j)
	case StepAnalyse:
		err = e.Analyse(ctx, j)
	case StepDeliver:
		err = e.Deliver(ctx, j)
	default:
		panic(fmt.Sprintf("engine: no step %q", j.Step))
	}
	var (
		bad    *BadAudio
		lost   *never
		person *needsOwner
		short  *Shortfall
	)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errStale):
		return e.stale(ctx, j)
	case ctx.Err() != nil:
		return err // shut down or interrupted; the job itself did not fail
	case errors.As(err, &bad):
		return e.end(ctx, j, Failed, bad.Reason, err)
	case errors.As(err, &lost):
		return e.end(ctx, j, Failed, lost.problem, err)
	case errors.As(err, &person):
		return e.end(ctx, j, NeedsOwner, person.hint, err)
	case errors.As(err, &short):
		return e.end(ctx, j, NoFunds, short.Problem, err)
	case errors.Is(err, ErrNoFunds):
		return e.end(ctx, j, NoFunds, "Не хватает средств. Пополните баланс и запустите звонок вручную.", err)
	case errors.Is(err, ErrWorkerDied):
		return e.crashed(ctx, j, err)
	}
	return e.rest(ctx, j, err)
}

// rest shows that a call whose job runs again later is not at work meanwhile,
// so that a person may start or cancel it.
func (e *Engine) rest(ctx context.Context, j Job, cause error) error {
	if j.CallID == "" || j.AudioOnly {
		return cause
	}
	err := e.Store.Tx(ctx, func(tx *sql.Tx) error {
		call, err := e.current(ctx, tx, j)
		if err != nil || call.State != Running {
			return err
		}
		call.State, call.Actor = Queued, Appliance
		return e.Store.SaveCall(ctx, tx, e.touched(call))
	})
	if errors.Is(err, errStale) {
		return e.stale(ctx, j)
	} else if err != nil { // what went wrong first says more
		e.Log.Warn("show that the call waits", "call", j.CallID, "err", err)
		return cause
	}
	e.Changed(j.CallID)
	return cause
}

// GiveUp ends a job whose attempts are used up. err is that of the last one.
func (e *Engine) GiveUp(ctx context.Context, j Job, err error) error {
	switch j.Step {
	case StepDetect: // the next poll tries again by itself
		if !j.To.IsZero() {
			e.Log.Error("archive search given up", "connection", j.ConnectionID, "from", j.From, "to", j.To, "err", err)
		}
		return e.drop(ctx)
	case StepDeliver: // paid and readable; only the card lacks it
		return e.end(ctx, j, NeedsOwner, "Итог готов, но записать его в CRM не удалось. Проверьте подключение и нажмите «Повторить».", err)
	case StepFetch:
		return e.end(ctx, j, Failed, "Запись не скачивается: сервер телефонии не отвечает. Проверьте его и нажмите «Повторить».", err)
	}
	return e.end(ctx, j, Failed, "Распознать не удалось из-за внутренней ошибки. Нажмите «Повторить»; если повторится, пришлите журнал поставщику.", err)
}

// begin takes a call up for a step and shows that it runs.
func (e *Engine) begin(ctx context.Context, j Job) (Call, error) {
	var call Call
	err := e.Store.Tx(ctx, func(tx *sql.Tx) error {
		var err error
		if call, err = e.current(ctx, tx, j); err != nil {
			return err
		}
		if j.AudioOnly || call.State != Queued { // one more look at a late recording is no news
			return nil
		}
		call.State, call.Problem, call.Actor = Running, "", Appliance
		return e.Store.SaveCall(ctx, tx, e.touched(call))
	})
	if err != nil {
		return Call{}, err
	}
	e.Changed(call.ID)
	return call, nil
}

// commit ends a step: in one transaction it looks whether the call still is at
// that step, lets leave write the result, the money and the next job, and ends
// the job.
func (e *Engine) commit(ctx context.Context, j Job, leave func(tx *sql.Tx, call *Call) error) error {
	err := e.Store.Tx(ctx, func(tx *sql.Tx) error {
		call, err := e.current(ctx, tx, j)
		if err != nil {
			return err
		}
		if err := leave(tx, &call); err != nil {
			return err
		}
		if err := e.Store.SaveCall(ctx, tx, e.touched(call)); err != nil {
			return fmt.Errorf("save call: %w", err)
		}
		return e.Jobs.Complete(ctx, tx)
	})
	if err == nil {
		e.Changed(j.CallID)
	}
	return err
}

// current reads the call in tx and refuses one that is no longer at the job's
// step or run. A file for the player is nobody's business while a step works
// on the call's audio: that step has it, or brings it.
func (e *Engine) current(ctx context.Context, tx *sql.Tx, j Job) (Call, error) {
	call, err := e.Store.CallTx(ctx, tx, j.CallID)
	if errors.Is(err, ErrNotFound) {
		return Call{}, errStale
	} else if err != nil {
		return Call{}, fmt.Errorf("load call: %w", err)
	}
	if j.AudioOnly {
		if call.State.Terminal() || call.Step == StepDeliver {
			return call, nil
		}
		return Call{}, errStale
	}
	if call.Run != j.Run {
		return Call{}, errStale
	}
	switch call.State {
	case Queued, Running, Waiting:
		if call.Step == j.Step {
			return call, nil
		}
	}
	return Call{}, errStale
}

// next puts the call into the lane of a step, in tx.
func (e *Engine) next(ctx context.Context, tx *sql.Tx, call *Call, step Step) error {
	call.State, call.Step, call.Problem = Queued, step, ""
	if err := e.Jobs.Add(ctx, tx, Job{Step: step, CallID: call.ID, Run: call.Run, Priority: call.Priority}); err != nil {
		return fmt.Errorf("line up %s: %w", step, err)
	}
	return nil
}

// end stops a call at a step and ends the job. In a terminal state the hold
// goes back in the same transaction.
func (e *Engine) end(ctx context.Context, j Job, state State, problem string, cause error) error {
	e.Log.Warn("call stopped", "call", j.CallID, "step", j.Step, "state", state, "err", cause)
	err := e.commit(ctx, j, func(tx *sql.Tx, call *Call) error {
		call.Problem, call.Actor = problem, Appliance
		if j.AudioOnly { // the result stands, only the file could not be brought back
			return nil
		}
		if j.Step == StepDeliver { // paid and readable: a card may lack it, but the call has not failed
			state = NeedsOwner
		}
		call.State = state
		if !state.Terminal() {
			return nil
		}
		if err := e.Till.Release(ctx, tx, call.moneyKey(), string(state)); err != nil {
			return fmt.Errorf("release hold: %w", err)
		}
		return nil
	})
	if errors.Is(err, errStale) {
		return e.stale(ctx, j)
	}
	return err
}

// stale ends a job whose call went another way. Of a deleted call no file
// stays, which a fetch may have finished after the deletion.
func (e *Engine) stale(ctx context.Context, j Job) error {
	if j.Step == StepFetch {
		if _, err := e.Store.Call(ctx, j.CallID); errors.Is(err, ErrNotFound) {
			if err := e.Audio.Remove(ctx, j.CallID); err != nil {
				return fmt.Errorf("remove audio: %w", err)
			}
		} else if err != nil {
			return fmt.Errorf("load call: %w", err)
		}
	}
	return e.drop(ctx)
}

// anew begins another run at a step, because the hold of this one is for other
// work than there is now; it is commit's last part.
func (e *Engine) anew(ctx context.Context, tx *sql.Tx, call *Call, step Step) error {
	if err := e.Till.Release(ctx, tx, call.moneyKey(), "the recording or the price changed"); err != nil {
		return fmt.Errorf("release hold: %w", err)
	}
	call.Run++
	return e.next(ctx, tx, call, step)
}

// drop ends a job that has nothing left to do.
func (e *Engine) drop(ctx context.Context) error {
	return e.Store.Tx(ctx, func(tx *sql.Tx) error { return e.Jobs.Complete(ctx, tx) })
}

func (e *Engine) touched(c Call) Call {
	c.UpdatedAt = e.Now()
	return c
}

// moneyKey names the hold of this run of the call.
func (c Call) moneyKey() string { return fmt.Sprintf("%s/%d", c.ID, c.Run) }
