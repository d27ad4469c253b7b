package engine

import (
	"context"
	"database/sql"
	"fmt"
)

// Analyse understands the transcript and settles the bill: what was really
// done is captured, the rest of the hold goes back, in the transaction of the
// result.
func (e *Engine) Analyse(ctx context.Context, j Job) error {
	call, err := e.begin(ctx, j)
	if err != nil {
		return err
	}
	transcript, err := e.Store.Transcript(ctx, call.ID)
	if err != nil {
		return fmt.Errorf("load transcript: %w", err)
	}
	recording, err := e.Store.Recording(ctx, call.ID)
	if err != nil {
		return fmt.Errorf("load recording: %w", err)
	}
	analysis, err := e.Analyst.Analyse(ctx, transcript)
	if err != nil {
		return fmt.Errorf("analyse: %w", err)
	}
	analysis.CallID, analysis.MadeAt = call.ID, e.Now()
	return e.commit(ctx, j, func(tx *sql.Tx, call *Call) error {
		if err := e.Store.SaveAnalysis(ctx, tx, analysis); err != nil {
			return fmt.Errorf("save analysis: %w", err)
		}
		if err := e.Till.Capture(ctx, tx, call.moneyKey(), recording.Length, analysis.Charged); err != nil {
			return fmt.Errorf("capture: %w", err)
		}
		call.Revision++
		return e.next(ctx, tx, call, StepDeliver)
	})
}
