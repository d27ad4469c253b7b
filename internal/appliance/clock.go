package appliance

import (
	"context"
	"database/sql"
	"time"

	"flysense/engine"
	"flysense/web"
)

// The clockwork: what the appliance does by itself, and how often.
const (
	anchorEvery = 5 * time.Second
	freshEvery  = time.Hour
	expireEvery = time.Hour
	verifyEvery = 10 * time.Minute
	lostEvery   = time.Minute
)

// every runs do now and then in each interval until ctx ends. An error is
// logged: the next turn tries again.
func (a *Appliance) every(ctx context.Context, name string, interval time.Duration, do func(context.Context) error) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		if err := do(ctx); err != nil && ctx.Err() == nil {
			a.log.Error(name, "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// poll lines up a detect job for every connection that is due.
func (a *Appliance) poll(ctx context.Context) error {
	due, err := a.Hub.Due(ctx)
	if err != nil {
		return err
	}
	for _, c := range due {
		if err := a.detect(ctx, engine.Job{ConnectionID: c.ID}); err != nil {
			return err
		}
	}
	return nil
}

func (a *Appliance) detect(ctx context.Context, j engine.Job) error {
	j.Step, j.Priority = engine.StepDetect, engine.ByHand // a look costs little and brings the work
	return a.Store.Tx(ctx, func(tx *sql.Tx) error { return a.Queue.Add(ctx, tx, j) })
}

// verify proves the ledger and the books that span ledger and calls.
func (a *Appliance) verify(ctx context.Context) error {
	report, err := a.Ledger.Verify(ctx)
	if err != nil {
		return err
	}
	if !report.OK() {
		a.log.Error("the ledger does not add up", "problems", report.Problems)
	}
	problems, err := a.CheckBooks(ctx)
	if err != nil {
		return err
	}
	for _, p := range problems {
		a.log.Error("calls and ledger disagree", "problem", p)
	}
	a.feed.Publish(web.Event{Topic: web.BalanceChanged})
	return nil
}
