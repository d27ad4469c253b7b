package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"flysense/billing"
	"flysense/engine"
	"flysense/engine/captions"
	"flysense/engine/store"
	"flysense/internal/appliance"
)

// watch prints each call as it ends, until all of the demo's have.
func watch(ctx context.Context, a *appliance.Appliance, done chan error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	told := map[string]bool{}
	for len(told) < len(calls) {
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for the calls: %w", ctx.Err())
		case err := <-done:
			done <- err
			return fmt.Errorf("the appliance ended: %w", err)
		case <-tick.C:
		}
		page, err := a.Store.List(ctx, store.Filter{Limit: 2 * len(calls)})
		if err != nil {
			return err
		}
		for _, row := range page.Rows {
			ended := row.State.Terminal() || row.State == engine.NoFunds || row.State == engine.NeedsOwner
			if told[row.ID] || !ended {
				continue
			}
			told[row.ID] = true
			seconds := int(row.Length.Seconds())
			fmt.Printf("  %s  %d:%02d  %s %s\n", map[bool]string{true: "готово", false: "не вышло"}[row.State == engine.Done], seconds/60, seconds%60, row.Title, row.Problem)
		}
	}
	return nil
}

// show prints the first dialogue with its speakers and what it cost.
func show(ctx context.Context, w io.Writer, a *appliance.Appliance) error {
	page, err := a.Store.List(ctx, store.Filter{State: engine.Done, Limit: 2 * len(calls)})
	if err != nil {
		return err
	}
	for _, row := range page.Rows {
		if row.Title != calls[0].card && row.Title != calls[0].client {
			continue
		}
		t, err := a.Store.Transcript(ctx, row.ID)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "\n%s\n\n", row.Title)
		if err := captions.Text(w, t); err != nil {
			return err
		}
		fmt.Fprintf(w, "\nИтог: %s\n", row.Analysis.Summary)
		entries, err := a.Ledger.Entries(ctx, 0, 200)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if e.Kind == billing.Capture && e.Ref == row.ID {
				fmt.Fprintf(w, "Списано %s FC за %d с\n", strings.ReplaceAll(e.Amount.String(), ".", ","), e.Seconds)
			}
		}
		return nil
	}
	return fmt.Errorf("the call «%s» did not end well; see the log in build/demo", calls[0].card)
}
