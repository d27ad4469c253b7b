package appliance

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"flysense/billing"
	"flysense/engine"
	"flysense/engine/store"
)

// booksPage is how many ledger entries are compared with calls at a time.
const booksPage = 500

// CheckBooks checks what neither the ledger nor the calls can prove alone
// (design: reliability 3.4, I5 and I6): an open hold belongs to a call that is
// not ended, and to its present run; a finished call was captured once; one
// that failed, not at all. It returns one sentence per disagreement.
func (a *Appliance) CheckBooks(ctx context.Context) ([]string, error) {
	var problems []string
	say := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }

	holds, err := a.Ledger.OpenHolds(ctx)
	if err != nil {
		return nil, err
	}
	for _, h := range holds {
		id, run, ok := parseKey(h.Key)
		if !ok {
			continue // of the command line
		}
		call, err := a.Store.Call(ctx, id)
		switch {
		case errors.Is(err, engine.ErrNotFound):
			say("hold %d: call %s does not exist", h.Seq, id)
		case err != nil:
			return nil, err
		case call.State.Terminal():
			say("hold %d: call %s is %s", h.Seq, id, call.State)
		case call.Run != run:
			say("hold %d: call %s is at run %d, the hold is of run %d", h.Seq, id, call.Run, run)
		}
	}

	captured := map[string]bool{} // by key of the hold
	for before := int64(0); ; {
		entries, err := a.Ledger.Entries(ctx, before, booksPage)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			before = e.Seq
			if e.Kind != billing.Capture {
				continue
			}
			if captured[e.Key] {
				say("entry %d: %s is captured twice", e.Seq, e.Key)
			}
			captured[e.Key] = true
		}
		if len(entries) < booksPage {
			break
		}
	}
	for cursor := ""; ; {
		page, err := a.Store.List(ctx, store.Filter{Cursor: cursor, Limit: store.MaxLimit})
		if err != nil {
			return nil, err
		}
		for _, row := range page.Rows {
			key := fmt.Sprintf("%s/%d", row.ID, row.Run)
			switch paid := captured[key]; {
			case row.State == engine.Done && !paid:
				say("call %s is done and not captured", row.ID)
			case (row.State == engine.Failed || row.State == engine.Quarantined || row.State == engine.Cancelled) && paid:
				say("call %s is %s and captured", row.ID, row.State)
			}
		}
		if cursor = page.Next; cursor == "" {
			return problems, nil
		}
	}
}

// parseKey splits a call's money key into the call and its run.
func parseKey(key string) (callID string, run int, ok bool) {
	callID, text, ok := strings.Cut(key, "/")
	if !ok {
		return "", 0, false
	}
	run, err := strconv.Atoi(text)
	return callID, run, err == nil
}
