package engine

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// maxCrashes is how many deaths of workers without a finished window
// in between a call may cause before it is put aside.
const maxCrashes = 3

// crashPause is the wait before a call is tried again after it cost a worker
// its life, times the number of deaths.
const crashPause = 2 * time.Second

// Transcribe holds the price and recognises the windows one by one. Each
// finished window is kept at once: whatever dies, the work goes on where it
// stopped.
func (e *Engine) Transcribe(ctx context.Context, j Job) error {
	call, err := e.begin(ctx, j)
	if err != nil {
		return err
	}
	recording, err := e.Store.Recording(ctx, call.ID)
	if err != nil {
		return fmt.Errorf("load recording: %w", err)
	}
	file, err := e.Audio.Path(ctx, call.ID)
	if errors.Is(err, ErrAudioGone) {
		return e.commit(ctx, j, func(tx *sql.Tx, call *Call) error { return e.anew(ctx, tx, call, StepFetch) })
	} else if err != nil {
		return fmt.Errorf("find audio: %w", err)
	}
	err = e.Store.Tx(ctx, func(tx *sql.Tx) error {
		if _, err := e.current(ctx, tx, j); err != nil {
			return err
		}
		return e.Till.Hold(ctx, tx, call.moneyKey(), recording.Length, e.Analyst.Charges())
	})
	if errors.Is(err, ErrHeldOtherwise) {
		return e.commit(ctx, j, func(tx *sql.Tx, call *Call) error { return e.anew(ctx, tx, call, StepTranscribe) })
	} else if err != nil {
		return fmt.Errorf("hold: %w", err)
	}
	settings, err := e.Finder.Settings(ctx, call.ConnectionID)
	if err != nil {
		return fmt.Errorf("load connection: %w", err)
	}
	model, err := e.Transcriber.Model(ctx)
	if err != nil {
		return fmt.Errorf("speech model: %w", err)
	}
	if err := e.hear(ctx, j, call, file, model, settings); err != nil {
		return err
	}
	heard, err := e.Store.Heard(ctx, call.ID)
	if err != nil {
		return fmt.Errorf("load windows: %w", err)
	}
	transcript := Transcript{
		CallID: call.ID, Model: model.Name, Language: settings.Language, MadeAt: e.Now(),
		Turns: Assemble(heard, recording.Channels, settings.AgentChannel[call.Direction]),
	}
	if len(transcript.Turns) == 0 {
		return NoSpeech()
	}
	return e.commit(ctx, j, func(tx *sql.Tx, call *Call) error {
		if err := e.Store.SaveTranscript(ctx, tx, transcript); err != nil {
			return fmt.Errorf("save transcript: %w", err)
		}
		return e.next(ctx, tx, call, StepAnalyse)
	})
}

// hear recognises the windows that are not finished yet.
func (e *Engine) hear(ctx context.Context, j Job, call Call, file string, model Model, settings Settings) error {
	rest, err := e.unheard(ctx, call.ID)
	if err != nil || len(rest) == 0 {
		return err
	}
	pcm, err := e.Decoder.Open(ctx, file, model.Rate)
	if err != nil {
		return fmt.Errorf("decode: %w", err)
	}
	defer pcm.Close() //nolint:errcheck // a temporary file
	for _, w := range rest {
		samples, err := pcm.Read(w)
		if err != nil {
			return fmt.Errorf("read window %d: %w", w.Index, err)
		}
		segments, err := e.recognise(ctx, call, samples, settings.Language)
		if err != nil {
			return fmt.Errorf("window %d: %w", w.Index, err)
		}
		call.Crashes = 0 // as in the store below: it may have company again
		err = e.Store.Tx(ctx, func(tx *sql.Tx) error {
			current, err := e.current(ctx, tx, j)
			if err != nil {
				return err
			}
			if current.Crashes > 0 {
				current.Crashes = 0
				if err := e.Store.SaveCall(ctx, tx, e.touched(current)); err != nil {
					return err
				}
			}
			return e.Store.SaveHeard(ctx, tx, call.ID, Heard{Window: w, Segments: segments})
		})
		if err != nil {
			return fmt.Errorf("save window %d: %w", w.Index, err)
		}
		e.Changed(call.ID)
	}
	return nil
}

func (e *Engine) recognise(ctx context.Context, call Call, s Samples, language string) ([]Segment, error) {
	leave, err := e.room.enter(ctx, call.Crashes > 0)
	if err != nil {
		return nil, err
	}
	defer leave()
	return e.Transcriber.Transcribe(ctx, s, language)
}

func (e *Engine) unheard(ctx context.Context, callID string) ([]Window, error) {
	all, err := e.Store.Windows(ctx, callID)
	if err != nil {
		return nil, fmt.Errorf("load windows: %w", err)
	}
	heard, err := e.Store.Heard(ctx, callID)
	if err != nil {
		return nil, fmt.Errorf("load windows: %w", err)
	}
	done := make(map[int]bool, len(heard))
	for _, h := range heard {
		done[h.Window.Index] = true
	}
	var rest []Window
	for _, w := range all {
		if !done[w.Index] {
			rest = append(rest, w)
		}
	}
	return rest, nil
}

// crashed counts the death of a worker, of decoding or of speech, against the
// call that was on it. The third
// one in a row puts the call aside and gives its hold back.
func (e *Engine) crashed(ctx context.Context, j Job, cause error) error {
	if j.AudioOnly { // the result stands; the file is asked for a few times more
		return cause
	}
	var crashes int
	err := e.Store.Tx(ctx, func(tx *sql.Tx) error {
		call, err := e.current(ctx, tx, j)
		if err != nil {
			return err
		}
		call.Crashes++
		crashes = call.Crashes
		call.State, call.Actor = Queued, Appliance
		if crashes >= maxCrashes {
			call.State = Quarantined
			call.Problem = "Распознавание упало на этой записи три раза подряд, она отложена, остальные звонки идут. Деньги не списаны. Сохраните запись для поставщика или нажмите «Повторить»."
			if err := e.Till.Release(ctx, tx, call.moneyKey(), string(Quarantined)); err != nil {
				return fmt.Errorf("release hold: %w", err)
			}
			if err := e.Jobs.Complete(ctx, tx); err != nil {
				return err
			}
		}
		return e.Store.SaveCall(ctx, tx, e.touched(call))
	})
	switch {
	case errors.Is(err, errStale):
		return e.stale(ctx, j)
	case err != nil:
		return err
	}
	e.Changed(j.CallID)
	e.Log.Error("worker died", "call", j.CallID, "deaths", crashes, "err", cause)
	if crashes >= maxCrashes {
		return nil
	}
	return Later(cause, time.Duration(crashes)*crashPause)
}
