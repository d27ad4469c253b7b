package billing

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// torture runs the long counts in full: make torture.
var torture = os.Getenv("FLYSENSE_TORTURE") == "1"

// A8: 64 goroutines deliver the same pack, hold and capture again and again;
// each takes effect once.
func TestDuplicatesInACrowd(t *testing.T) {
	deliveries := 20
	if torture {
		deliveries = 1000
	}
	w := newWallet(t)
	token := packToken(t, 1, 100, nil)
	work := Work{time.Minute, true}
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"pack", func() error { return w.load(token) }},
		{"hold", func() error { return w.hold("k", work, "call") }},
		{"capture", func() error { return w.capture("k", speech(time.Second)) }},
	} {
		var wg sync.WaitGroup
		for range 64 {
			wg.Go(func() {
				for range deliveries {
					if err := step.do(); err != nil {
						t.Errorf("%s: %v", step.name, err)
						return
					}
				}
			})
		}
		wg.Wait()
	}
	w.want(100*FC-225_000, 0, 225_000)
	if r := w.Checked(); r.Entries != 4 { // credit, hold, capture, release
		t.Errorf("%d entries", r.Entries)
	}
}

// P4: sixteen workers race for the last coins. There is money for 50 calls:
// exactly 50 are captured, the others are told so, whatever the order.
func TestRaceForTheLastCoins(t *testing.T) {
	const calls, paid = 200, 50
	w := newWallet(t)
	must(t, w.load(packToken(t, 1, 50, nil)))
	work := speech(24 * time.Second) // 1 FC
	var captured, refused atomic.Int64
	jobs := make(chan string)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for key := range jobs {
				err := w.hold(key, work, key)
				if errors.Is(err, ErrNoFunds) {
					refused.Add(1)
					continue
				}
				if err = errors.Join(err, w.capture(key, work)); err != nil {
					t.Error(err)
				}
				captured.Add(1)
			}
		})
	}
	// The books are read and proved while they are written.
	stop := make(chan struct{})
	var reader sync.WaitGroup
	reader.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if r, err := w.Verify(context.Background()); err != nil || !r.OK() {
				t.Errorf("verify: %v, %v", r.Problems, err)
				return
			}
		}
	})
	for i := range calls {
		jobs <- fmt.Sprint("job-", i)
	}
	close(jobs)
	wg.Wait()
	close(stop)
	reader.Wait()
	if captured.Load() != paid || refused.Load() != calls-paid {
		t.Errorf("%d captured, %d refused", captured.Load(), refused.Load())
	}
	w.want(0, 0, 50*FC)
}

// BenchmarkVerify proves a ledger of 3,000 entries. A million should take less than ten
// seconds.
func BenchmarkVerify(b *testing.B) {
	w := newWallet(b)
	must(b, w.load(packToken(b, 1, 100_000, nil)))
	must(b, w.tx(func(ctx context.Context, tx *sql.Tx) error {
		for i := range 1000 {
			key := fmt.Sprint("job-", i)
			if err := errors.Join(w.Hold(ctx, tx, key, speech(time.Minute), key), w.Capture(ctx, tx, key, speech(time.Second*50))); err != nil {
				return err
			}
		}
		return nil
	}))
	for b.Loop() {
		w.sound()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(w.Checked().Entries), "ns/entry")
}
