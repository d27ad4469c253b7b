package billing

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// model is the ledger as a child would keep it: a few numbers and one line for
// each piece of work.
type model struct {
	available, held, spent Amount
	tariff                 Tariff
	jobs                   map[string]*job
	entries                int64
	packs                  int
}

type job struct {
	state        string // held, captured, released
	asked, done  Work
	price, taken Amount
	tariff       Tariff
}

// TestLedgerMachine tries random histories (P1, P2, P3, P5, P6, P7, P13): every
// step may be delivered up to five times, the program may stop between any two,
// the clock may step anywhere. After each step the ledger verifies and agrees
// with the model.
func TestLedgerMachine(t *testing.T) {
	folder := memory(t)
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		home := filepath.Join(folder, fmt.Sprint(run))
		w := openWallet(t, home, nil)
		defer func() { _ = w.db.Close(); _ = os.RemoveAll(home) }()
		m := &model{tariff: Base(), jobs: map[string]*job{}}

		name := rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f"})
		length := rapid.Custom(func(t *rapid.T) time.Duration {
			return time.Duration(rapid.Int64Range(-1, int64(3*time.Minute)).Draw(t, "length"))
		})
		draw := func(t *rapid.T) Work {
			return Work{length.Draw(t, "work"), rapid.Bool().Draw(t, "summary")}
		}
		// often delivers a step one to five times; each answer must be as want.
		often := func(t *rapid.T, want error, step func() error) {
			for i := range rapid.IntRange(1, 5).Draw(t, "times") {
				if err := step(); !errors.Is(err, want) {
					t.Fatalf("delivery %d: %v, want %v", i+1, err, want)
				}
			}
		}

		rt.Repeat(map[string]func(*rapid.T){
			"pack": func(t *rapid.T) {
				fc := rapid.Int64Range(1, 20).Draw(t, "fc")
				m.packs++
				token := packToken(w.t, m.packs, fc, nil)
				often(t, nil, func() error { return w.load(token) })
				m.available += Amount(fc) * FC
				m.entries++
			},
			"hold": func(t *rapid.T) {
				key, work := name.Draw(t, "key"), draw(t)
				want := error(nil)
				price := m.tariff.Price(work)
				switch j := m.jobs[key]; {
				case j != nil && (j.asked.seconds() != work.seconds() || j.asked.Summary != work.Summary):
					want = ErrConflict
				case j != nil:
				case price > m.available:
					want = ErrNoFunds
				default:
					m.jobs[key] = &job{state: "held", asked: work, price: price, tariff: m.tariff}
					m.available -= price
					m.held += price
					m.entries++
				}
				often(t, want, func() error { return w.hold(key, work, "call "+key) })
			},
			"capture": func(t *rapid.T) {
				key, work := name.Draw(t, "key"), draw(t)
				want := error(nil)
				switch j := m.jobs[key]; {
				case j == nil:
					want = ErrNoHold
				case j.state == "released":
					want = ErrReleased
				case j.state == "captured" && (j.done.seconds() != work.seconds() || j.done.Summary != work.Summary):
					want = ErrConflict
				case j.state == "captured":
				case j.tariff.Price(work) > j.price:
					want = ErrOverHold
				default:
					j.state, j.done, j.taken = "captured", work, j.tariff.Price(work)
					m.held -= j.price
					m.spent += j.taken
					m.available += j.price - j.taken
					m.entries++
					if j.taken < j.price {
						m.entries++
					}
				}
				often(t, want, func() error { return w.capture(key, work) })
			},
			"release": func(t *rapid.T) {
				key := name.Draw(t, "key")
				if j := m.jobs[key]; j != nil && j.state == "held" {
					j.state = "released"
					m.held -= j.price
					m.available += j.price
					m.entries++
				}
				often(t, nil, func() error { return w.release(key, "cancelled") })
			},
			"crash before the commit": func(t *rapid.T) {
				key, work := name.Draw(t, "key"), draw(t)
				crash := errors.New("crash")
				err := w.tx(func(ctx context.Context, tx *sql.Tx) error {
					if err := w.Hold(ctx, tx, key, work, "call "+key); err == nil {
						_ = w.Capture(ctx, tx, key, work)
					}
					_ = w.Release(ctx, tx, key, "cancelled")
					return crash
				})
				if !errors.Is(err, crash) {
					t.Fatal(err)
				}
			},
			"restart": func(*rapid.T) { w.reopen() },
			"clock": func(t *rapid.T) {
				w.clock = newYear.Add(time.Duration(rapid.Int64Range(-9*365*24, 9*365*24).Draw(t, "hours")) * time.Hour)
			},
			"tariff": func(t *rapid.T) {
				rate := rapid.Int64Range(1, 40_000).Draw(t, "rate")
				from := time.Unix(m.tariff.From.Unix()+1, 0)
				if m.tariff.Hash == Base().Hash {
					from = newYear.AddDate(-9, 0, 0)
				}
				token := tariffToken(w.t, rate, rapid.Int64Range(1, 60).Draw(t, "minimum"), rapid.Int64Range(0, 1_000_000).Draw(t, "summary"), from)
				often(t, nil, func() error {
					_, err := w.LoadTariff(context.Background(), token, "test")
					return err
				})
				var err error
				if m.tariff, err = w.Tariff(context.Background()); err != nil || int64(m.tariff.Rate) != rate {
					t.Fatalf("%+v, %v", m.tariff, err)
				}
			},
			"": func(t *rapid.T) { m.agrees(t, w) },
		})
	})
}

func (m *model) agrees(t *rapid.T, w *wallet) {
	ctx := context.Background()
	r, err := w.Verify(ctx)
	if err != nil || !r.OK() {
		t.Fatalf("verify: %v, %v", r.Problems, err)
	}
	b, err := w.Balance(ctx)
	if want := (Balance{m.available, m.held, m.spent, m.available + m.held + m.spent}); err != nil || b != want || r.Balance != want {
		t.Fatalf("balance %+v, verified %+v, %v, want %+v", b, r.Balance, err, want)
	}
	if r.Entries != m.entries {
		t.Fatalf("%d entries, want %d", r.Entries, m.entries)
	}
	open, err := w.OpenHolds(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range open {
		if j := m.jobs[h.Key]; j == nil || j.state != "held" || j.price != h.Amount {
			t.Fatalf("an open hold %+v", h)
		}
	}
	waiting := 0
	for _, j := range m.jobs {
		if j.state == "held" {
			waiting++
		}
	}
	if len(open) != waiting || r.OpenHolds != waiting {
		t.Fatalf("%d open holds, verified %d, want %d", len(open), r.OpenHolds, waiting)
	}
}
