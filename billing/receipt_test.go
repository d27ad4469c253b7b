package billing

import (
	"context"
	"testing"
	"time"
)

func TestReceipts(t *testing.T) {
	w := newWallet(t)
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	minute := Work{Length: time.Minute}
	do(w.load(packToken(t, 1, 1000, nil)))
	do(w.hold("a/1", minute, "a")) // heard twice
	do(w.capture("a/1", minute))
	do(w.hold("a/2", minute, "a"))
	do(w.capture("a/2", Work{Length: 30 * time.Second}))
	do(w.hold("b/1", minute, "b")) // at work
	do(w.hold("c/1", minute, "c")) // given up
	do(w.release("c/1", "cancelled"))

	got, err := w.Receipts(context.Background(), []string{"a", "b", "c", "d"})
	do(err)
	price := Base().Price(minute)
	for ref, want := range map[string]Receipt{"a": {Charged: price + price/2}, "b": {Held: price}, "c": {}, "d": {}} {
		if got[ref] != want {
			t.Errorf("%s: %+v, want %+v", ref, got[ref], want)
		}
	}
	if got, err := w.Receipts(context.Background(), nil); err != nil || len(got) != 0 {
		t.Errorf("of nothing: %v, %v", got, err)
	}
}
