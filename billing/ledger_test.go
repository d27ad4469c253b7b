package billing

import (
	"context"
	"crypto/ed25519"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mattn/go-sqlite3"

	"flysense/billing/pack"
	"flysense/internal/db"
)

// seed makes the 32 bytes first, first+1, … of the test vectors.
func seed(first byte) []byte {
	s := make([]byte, ed25519.SeedSize)
	for i := range s {
		s[i] = first + byte(i)
	}
	return s
}

var (
	packKey   = ed25519.NewKeyFromSeed(seed(0x20))
	tariffKey = ed25519.NewKeyFromSeed(seed(0x80))
	inst, _   = pack.NewInstallation(seed(0x40))
	newYear   = time.UnixMilli(1_767_225_600_000).UTC() // 2026-01-01, where the vectors begin
)

func vendorKeys() pack.Keyset {
	from, until := newYear.AddDate(-20, 0, 0), newYear.AddDate(20, 0, 0)
	return pack.Keyset{
		{Public: packKey.Public().(ed25519.PublicKey), Role: pack.RolePack, From: from, Until: until, MaxPack: int64(1_000_000 * FC)},
		{Public: tariffKey.Public().(ed25519.PublicKey), Role: pack.RoleTariff, From: from, Until: until},
	}
}

// serial makes the n-th ULID of the tests.
func serial(n int) string { return fmt.Sprintf("01JGFJJZ00%016d", n) }

func packToken(t testing.TB, n int, fc int64, change func(*pack.Pack)) string {
	t.Helper()
	p := pack.Pack{
		Typ: "pack", V: 1, Serial: serial(n), Inst: inst.ID(), Epoch: 1,
		Amount: fc * pack.UnitsPerFC, FC: fc, IAT: newYear.AddDate(-10, 0, 0).Unix(), LoadBy: newYear.AddDate(15, 0, 0).Unix(), Order: "INV-1",
	}
	if change != nil {
		change(&p)
	}
	token, err := p.Sign(packKey)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func tariffToken(t testing.TB, rate, minimum, summary int64, from time.Time) string {
	t.Helper()
	token, err := pack.Tariff{Typ: "tariff", V: 1, Inst: inst.ID(), Rate: rate, MinS: minimum, Summary: summary, ValidFrom: from.Unix(), IAT: newYear.AddDate(-10, 0, 0).Unix()}.Sign(tariffKey)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// wallet is a ledger in a folder of its own, with a clock that the test moves.
type wallet struct {
	*Ledger
	t      testing.TB
	folder string
	clock  time.Time
	db     *db.DB
	change func(*Settings)
}

func openWallet(t testing.TB, folder string, change func(*Settings)) *wallet {
	t.Helper()
	w := &wallet{t: t, folder: folder, clock: newYear, change: change}
	w.open()
	t.Cleanup(func() { _ = w.db.Close() })
	return w
}

func newWallet(t testing.TB) *wallet { return openWallet(t, memory(t), nil) }

// memory makes a folder that no disk slows down, where the machine has one:
// most tests are about what is written, not about its surviving a crash.
func memory(t testing.TB) string {
	t.Helper()
	folder, err := os.MkdirTemp("/dev/shm", "billing-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	return folder
}

func (w *wallet) open() {
	w.t.Helper()
	var err error
	if w.db, err = db.Open(context.Background(), filepath.Join(w.folder, "flysense.db")); err != nil {
		w.t.Fatal(err)
	}
	s := Settings{Keys: vendorKeys(), Installation: inst, AnchorPath: filepath.Join(w.folder, "anchor", "ledger"), Now: func() time.Time { return w.clock }}
	if w.change != nil {
		w.change(&s)
	}
	if w.Ledger, err = Open(context.Background(), w.db, s); err != nil {
		w.t.Fatal(err)
	}
}

func (w *wallet) reopen() {
	w.t.Helper()
	if err := w.db.Close(); err != nil {
		w.t.Fatal(err)
	}
	w.open()
}

func (w *wallet) tx(fn func(ctx context.Context, tx *sql.Tx) error) error {
	return w.db.Tx(context.Background(), func(tx *sql.Tx) error { return fn(context.Background(), tx) })
}

func (w *wallet) hold(key string, work Work, ref string) error {
	return w.tx(func(ctx context.Context, tx *sql.Tx) error { return w.Hold(ctx, tx, key, work, ref) })
}

func (w *wallet) capture(key string, work Work) error {
	return w.tx(func(ctx context.Context, tx *sql.Tx) error { return w.Capture(ctx, tx, key, work) })
}

func (w *wallet) release(key, reason string) error {
	return w.tx(func(ctx context.Context, tx *sql.Tx) error { return w.Release(ctx, tx, key, reason) })
}

func (w *wallet) load(token string) error {
	_, err := w.LoadPack(context.Background(), token, "test")
	return err
}

func (w *wallet) want(available, held, spent Amount) {
	w.t.Helper()
	b, err := w.Balance(context.Background())
	if want := (Balance{available, held, spent, available + held + spent}); err != nil || b != want {
		w.t.Fatalf("balance %+v, %v, want %+v", b, err, want)
	}
	w.sound()
}

func (w *wallet) sound() {
	w.t.Helper()
	r, err := w.Verify(context.Background())
	if err != nil || !r.OK() {
		w.t.Fatalf("verify: %v, %v", r.Problems, err)
	}
}

func must(t testing.TB, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func speech(length time.Duration) Work { return Work{Length: length} }

// The chain of the published vectors comes out of the ledger itself, and the
// published pack, requested after it, loads into it and into no other.
func TestVectors(t *testing.T) {
	token := "v4.public.eyJ0eXAiOiJwYWNrIiwidiI6MSwic2VyaWFsIjoiMDFKR0ZLMDAwMDAwMDAwMDAwMDAwMDAwMDAiLCJpbnN0IjoiRlMtTFdKU0pZWVlWTDVFQTVGWiIsImVwb2NoIjoxLCJyZXFfc2VxIjoyLCJyZXFfaGFzaCI6IlNPM0d5QUR4QnJTdXg2eG9LbmZjQ1Z3S3c4OHRRQTJVVlZ0Z0RKSV9KRjgiLCJhZnRlciI6eyJzZXEiOjQsImhhc2giOiJRUkJFajR0VFBZbFJPXzlBTHlONTFFZklsWTZIck9kSnVldFd6Q0ZTWDdJIn0sImFtb3VudCI6IjEwODAwMDAwMDAwIiwiZmMiOiIzMDAwMCIsImlhdCI6MTc2NzIyOTIwMCwibG9hZF9ieSI6MTc2OTgyMTIwMCwib3JkZXIiOiJJTlYtMDAwMSJ97WuAGCJupuso3uq53pqvMgHzSEOxMSgt4mLSH6LdErv79wcyIuRnO_fIaBK4kOdceU2wtN_oz5wRvbrsaslECw.eyJraWQiOiJrNC5waWQuSDJuaV9KanM4MF9HT3E4NEFfbXgwZmpZcDBWYjdUa0tWb2g2Z240RzhZNEkifQ"
	request, err := hex.DecodeString("48edc6c800f106b4aec7ac682a77dc095c0ac3cf2d400d94555b600c923f245f")
	must(t, err)
	asked := toDigest(request)
	answering := func(s *Settings) {
		s.RequestHash = func(_ context.Context, _ *sql.Tx, seq int64) (Digest, error) {
			if seq != 2 {
				return Digest{}, ErrNoRequest
			}
			return asked, nil
		}
	}
	w := openWallet(t, memory(t), answering)
	must(t, w.load(packToken(t, 0, 1000, func(p *pack.Pack) { p.Serial, p.Kind = "01JGFJJZ00000000000000000A", pack.Welcome })))
	w.clock = w.clock.Add(time.Minute)
	must(t, w.hold("job-1", speech(75*time.Second), "job-1"))
	w.clock = w.clock.Add(time.Minute)
	must(t, w.capture("job-1", speech(61*time.Second)))
	entries, err := w.Entries(context.Background(), 0, 10)
	must(t, err)
	for i, want := range []string{
		"4110448f8b533d89513bff402f2379d447c8958e87ace749b9eb56cc21525fb2",
		"a52621efbde09eb51ccfd3f2fe894f2965080e98ab8f44105335298c0cef66b4",
		"8837798fe8b750c5cc091bd99b5388765d4b34246cc92d377e3f6bb019cd4389",
		"07cdf3eb29aee4c2b49249a3d2592cc463e0aa8d8b55527d31ea79d6543216f3",
	} {
		if i >= len(entries) || hex.EncodeToString(entries[i].Hash[:]) != want {
			t.Fatalf("entry %d: %+v, want hash %s", 4-i, entries[i], want)
		}
	}
	w.clock = time.Unix(1_767_229_300, 0)

	other := openWallet(t, memory(t), answering)
	other.clock = w.clock
	if err := other.load(token); !errors.Is(err, ErrHistory) {
		t.Errorf("a shorter history: %v", err)
	}
	must(t, other.load(packToken(t, 0, 1000, nil)), other.hold("job-1", speech(75*time.Second), "job-1"), other.capture("job-1", speech(61*time.Second)))
	if err := other.load(token); !errors.Is(err, ErrHistory) {
		t.Errorf("another history: %v", err)
	}
	unasked := newWallet(t)
	unasked.clock = w.clock
	if err := unasked.load(token); !errors.Is(err, ErrUnasked) {
		t.Errorf("without a request: %v", err)
	}
	asked[0] ^= 1
	if err := w.load(token); !errors.Is(err, ErrUnasked) {
		t.Errorf("another request: %v", err)
	}
	asked[0] ^= 1
	must(t, w.load(token), w.load(token))
	second := packToken(t, 7, 10, func(p *pack.Pack) {
		p.ReqSeq, p.ReqHash, p.After = 2, "SO3GyADxBrSux6xoKnfcCVwKw88tQA2UVVtgDJI_JF8", &pack.Point{Hash: strings.Repeat("A", 43)}
	})
	if err := w.load(second); !errors.Is(err, ErrAnswered) {
		t.Errorf("a second answer: %v", err)
	}
	w.want(31_000*FC-915_000, 0, 915_000)
}

func TestHoldEndsOnce(t *testing.T) {
	for name, tt := range map[string]struct {
		held, done Work
		spent      Amount
	}{
		"as held":              {speech(75 * time.Second), speech(75 * time.Second), 1_125_000},
		"shorter":              {speech(75 * time.Second), speech(61 * time.Second), 915_000},
		"nothing was said":     {speech(75 * time.Second), speech(0), 225_000},
		"without the summary":  {Work{time.Minute, true}, speech(time.Minute), 900_000},
		"with the summary":     {Work{time.Minute, true}, Work{time.Minute, true}, 900_000 + 720_000},
		"a part of a second":   {speech(time.Minute + time.Millisecond), speech(time.Minute + time.Nanosecond), 915_000},
		"below the minimum":    {speech(10 * time.Second), speech(2 * time.Second), 225_000},
		"summary for the rest": {speech(48*time.Second + 15*time.Second), Work{15 * time.Second, true}, 945_000},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWallet(t)
			must(t, w.load(packToken(t, 1, 10, nil)))
			for range 3 {
				must(t, w.hold("k", tt.held, "call"))
			}
			price := Base().Price(tt.held)
			w.want(10*FC-price, price, 0)
			for range 3 {
				must(t, w.capture("k", tt.done))
			}
			w.want(10*FC-tt.spent, 0, tt.spent)
			must(t, w.release("k", "too late"), w.hold("k", tt.held, "call"))
			w.want(10*FC-tt.spent, 0, tt.spent)
			if err := w.capture("k", speech(30*time.Second)); !errors.Is(err, ErrConflict) {
				t.Errorf("captured again, otherwise: %v", err)
			}
		})
	}
}

func TestHoldRefusals(t *testing.T) {
	w := newWallet(t)
	work := speech(24 * time.Second) // 1 FC
	if err := w.hold("k", work, "call"); !errors.Is(err, ErrNoFunds) {
		t.Errorf("empty wallet: %v", err)
	}
	must(t, w.load(packToken(t, 1, 1, nil)))
	must(t, w.hold("k", work, "call")) // after the top-up the same key works
	for _, tt := range []struct {
		name      string
		got, want error
	}{
		{"no money left", w.hold("k2", speech(0), "call"), ErrNoFunds},
		{"another length", w.hold("k", speech(25*time.Second), "call"), ErrConflict},
		{"another reference", w.hold("k", work, "other"), ErrConflict},
		{"a summary beside", w.hold("k", Work{work.Length, true}, "call"), ErrConflict},
		{"no key", w.hold("", work, "call"), ErrKey},
		{"no reference", w.hold("k3", work, ""), ErrKey},
		{"a huge key", w.hold(strings.Repeat("k", maxText+1), work, "call"), ErrKey},
		{"a week of speech", w.hold("k3", speech(7*24*time.Hour), "call"), ErrWork},
		{"capture of nothing", w.capture("k3", work), ErrNoHold},
		{"more than held", w.capture("k", speech(24*time.Second+1)), ErrOverHold},
		{"release of nothing", w.release("k3", "because"), nil},
		{"release without a reason", w.release("k", ""), ErrKey},
		{"release, a long reason", w.release("k", strings.Repeat("ж", maxText)), nil},
		{"release again", w.release("k", "because of something else"), nil},
		{"capture of what was released", w.capture("k", work), ErrReleased},
		{"hold of what was released", w.hold("k", work, "call"), nil}, // done once, as asked
	} {
		if !errors.Is(tt.got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, tt.got, tt.want)
		}
	}
	w.want(FC, 0, 0)
	last, err := w.Entries(context.Background(), 0, 1)
	if must(t, err); last[0].Reason != strings.Repeat("ж", maxText/2) {
		t.Errorf("kept the reason %q", last[0].Reason)
	}
}

// A pack changes the balance once, whoever loads it and however often.
func TestPackRefusals(t *testing.T) {
	w := newWallet(t)
	token := packToken(t, 1, 100, nil)
	first, err := w.LoadPack(context.Background(), token, "anna")
	must(t, err)
	if first.By != "anna" || first.Again || first.Amount != 100*FC || first.Seq != 1 || first.Kind != pack.TopUp || first.Order != "INV-1" {
		t.Errorf("loaded %+v", first)
	}
	again, err := w.LoadPack(context.Background(), token, "boris")
	must(t, err)
	if first.Again = true; again != first {
		t.Errorf("loaded again %+v", again)
	}
	must(t, w.load(packToken(t, 2, 5, func(p *pack.Pack) { p.Kind = pack.Welcome })))
	for name, tt := range map[string]struct {
		change func(*pack.Pack)
		want   *pack.Refusal
	}{
		"serial with another sum": {func(p *pack.Pack) { p.Serial = serial(1); p.Order = "INV-2" }, ErrSerial},
		"another epoch":           {func(p *pack.Pack) { p.Epoch = 2 }, ErrEpoch},
		"second welcome":          {func(p *pack.Pack) { p.Kind = pack.Welcome }, ErrWelcomed},
		"another installation":    {func(p *pack.Pack) { p.Inst = "FS-AAAAAAAAAAAAAAAA" }, pack.ErrSignature},
		"too late":                {func(p *pack.Pack) { p.LoadBy = newYear.Unix() - 1 }, pack.ErrLate},
		"not yet":                 {func(p *pack.Pack) { p.IAT = newYear.Unix() + 90_000 }, pack.ErrFuture},
	} {
		if err := w.load(packToken(t, 3, 10, tt.change)); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
		if tt.want.Hint() == "" {
			t.Errorf("%s: no hint", name)
		}
	}
	if _, err := w.LoadPack(context.Background(), packToken(t, 4, 10, nil), ""); !errors.Is(err, ErrKey) {
		t.Errorf("loaded by nobody: %v", err)
	}
	w.want(105*FC, 0, 0)
	packs, err := w.Packs(context.Background())
	if must(t, err); len(packs) != 2 || packs[0].By != "anna" || packs[1].Kind != pack.Welcome || packs[1].Seq != 2 {
		t.Errorf("packs %+v", packs)
	}
}

// After a disk error nobody knows what was written: no new paid work until the
// program has opened the database again. A full disk is no such doubt.
func TestDoubtfulDiskLocks(t *testing.T) {
	w := newWallet(t)
	_ = w.doubt(fmt.Errorf("commit: %w", sqlite3.Error{Code: sqlite3.ErrFull}))
	_ = w.doubt(ErrNoFunds)
	must(t, w.Locked())
	_ = w.doubt(fmt.Errorf("commit: %w", sqlite3.Error{Code: sqlite3.ErrIoErr}))
	locked(t, w)
}

// A hold is captured by the tariff it was made by.
func TestTariffOfTheHold(t *testing.T) {
	ctx := context.Background()
	w := newWallet(t)
	must(t, w.load(packToken(t, 1, 100, nil)))
	must(t, w.hold("old", Work{time.Minute, true}, "call"))
	dear := tariffToken(t, 30_000, 60, 360_000, newYear.Add(time.Hour))
	for range 2 {
		_, err := w.LoadTariff(ctx, dear, "anna")
		must(t, err)
	}
	if now, err := w.Tariff(ctx); err != nil || now != Base() {
		t.Errorf("before its time: %+v, %v", now, err)
	}
	w.clock = newYear.Add(2 * time.Hour)
	must(t, w.hold("new", Work{time.Second, true}, "call"))
	w.clock = newYear.Add(-time.Hour) // a clock set back brings no old price
	if now, err := w.Tariff(ctx); err != nil || now.Rate != 30_000 || now.Minimum != time.Minute || now.Summary != FC {
		t.Errorf("in force: %+v, %v", now, err)
	}
	must(t, w.capture("old", Work{time.Minute, true}), w.capture("new", Work{time.Second, true}))
	w.want(100*FC-(900_000+2*FC)-(1_800_000+FC), 0, 900_000+2*FC+1_800_000+FC)
	for name, token := range map[string]string{
		"an older list":   tariffToken(t, 1, 1, 0, newYear),
		"of the same day": tariffToken(t, 1, 1, 0, newYear.Add(time.Hour)),
	} {
		if _, err := w.LoadTariff(ctx, token, "anna"); !errors.Is(err, ErrOldTariff) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := w.LoadTariff(ctx, packToken(t, 9, 1, nil), "anna"); !errors.Is(err, pack.ErrRole) {
		t.Errorf("a pack as a tariff: %v", err)
	}
}

// What the caller rolls back never happened, and the key is free again.
func TestRollback(t *testing.T) {
	w := newWallet(t)
	must(t, w.load(packToken(t, 1, 10, nil)))
	crash := errors.New("crash")
	for range 3 {
		err := w.tx(func(ctx context.Context, tx *sql.Tx) error {
			return errors.Join(w.Hold(ctx, tx, "k", speech(time.Minute), "call"), w.Capture(ctx, tx, "k", speech(time.Minute)), crash)
		})
		if err == nil || errors.Is(err, ErrConflict) {
			t.Fatal(err)
		}
		w.want(10*FC, 0, 0)
	}
	must(t, w.hold("k", speech(time.Hour/60), "call"))
	w.want(10*FC-900_000, 900_000, 0)
}

func TestEntriesAndDays(t *testing.T) {
	ctx := context.Background()
	moscow := time.FixedZone("MSK", 3*3600)
	w := newWallet(t)
	w.clock = time.Date(2026, 3, 1, 23, 30, 0, 0, moscow)
	must(t, w.load(packToken(t, 1, 100, nil)))
	must(t, w.hold("a#1", Work{time.Minute, true}, "a"), w.capture("a#1", speech(30*time.Second)))
	w.clock = w.clock.Add(time.Hour) // the next day in Moscow, the same in UTC
	must(t, w.hold("b#1", Work{time.Minute, true}, "b"), w.capture("b#1", Work{time.Minute, true}))
	must(t, w.hold("c#1", speech(time.Minute), "c"), w.hold("d#1", speech(time.Minute), "d"), w.release("d#1", "cancelled"))

	days, err := w.Daily(ctx, 3)
	must(t, err)
	midnight := func(d int) time.Time { return time.Date(2026, 3, d, 0, 0, 0, 0, moscow) }
	for i, want := range []Day{
		{Date: midnight(0)},
		{Date: midnight(1), Spent: 450_000, Captures: 1, Seconds: 30},
		{Date: midnight(2), Spent: 900_000 + 2*FC, Captures: 1, Summaries: 1, Seconds: 60},
	} {
		if !days[i].Date.Equal(want.Date) {
			t.Errorf("day %d is %v, want %v", i, days[i].Date, want.Date)
		}
		if want.Date = days[i].Date; days[i] != want {
			t.Errorf("day %d: %+v, want %+v", i, days[i], want)
		}
	}

	open, err := w.OpenHolds(ctx)
	must(t, err)
	if len(open) != 1 || open[0].Key != "c#1" || open[0].Ref != "c" || open[0].Amount != 900_000 || open[0].Seconds != 60 {
		t.Errorf("open holds %+v", open)
	}

	var lines []string
	var sum Amount
	for before := int64(0); ; {
		page, err := w.Entries(ctx, before, 4)
		must(t, err)
		if len(page) == 0 {
			break
		}
		for _, e := range page {
			lines = append(lines, fmt.Sprintf("%d %s %s %s %s %d", e.Seq, e.Kind, e.Key, e.Ref, e.Reason, e.Pending))
			sum += e.Change()
		}
		before = page[len(page)-1].Seq
	}
	if got, want := strings.Join(lines, "\n"), strings.Join([]string{
		"9 release d#1 d cancelled 8",
		"8 hold d#1 d  0",
		"7 hold c#1 c  0",
		"6 capture b#1 b  5",
		"5 hold b#1 b  0",
		"4 release a#1 a  2",
		"3 capture a#1 a  2",
		"2 hold a#1 a  0",
		"1 credit " + serial(1) + " topup  0",
	}, "\n"); got != want {
		t.Errorf("entries\n%s\nwant\n%s", got, want)
	}
	b, err := w.Balance(ctx)
	if must(t, err); sum != b.Available+b.Held {
		t.Errorf("the changes sum up to %d, the wallet has %d", sum, b.Available+b.Held)
	}
}

// A11: clocks step anywhere; order and balances stay.
func TestClockSteps(t *testing.T) {
	w := newWallet(t)
	must(t, w.load(packToken(t, 1, 1000, nil)))
	var last time.Time
	for i, at := range []time.Time{
		newYear.AddDate(-10, 0, 0), newYear.AddDate(10, 0, 0), time.Unix(0, 0), newYear, time.Unix(1<<31, 0), time.Unix(-1, 0), newYear.AddDate(0, 0, 1),
	} {
		w.clock = at
		key := fmt.Sprint("k", i)
		must(t, w.hold(key, speech(time.Minute), key), w.capture(key, speech(time.Minute)))
		entries, err := w.Entries(context.Background(), 0, 1)
		must(t, err)
		if entries[0].At.Before(last) {
			t.Errorf("step %d: %v after %v", i, entries[0].At, last)
		}
		last = entries[0].At
	}
	w.want(1000*FC-7*900_000, 0, 7*900_000)
}

// Money is moved by the ledger alone: SQL cannot change an entry by mistake.
func TestEntriesNeverChange(t *testing.T) {
	w := newWallet(t)
	must(t, w.load(packToken(t, 1, 1, nil)))
	for _, query := range []string{
		`UPDATE entry SET amount = amount + 1`,
		`DELETE FROM entry`,
		`UPDATE account SET balance = -1 WHERE id = 2`,
		`INSERT INTO entry SELECT 2, ts, epoch, kind, debit, credit, amount, pending, idem, input_hash, ref, reason, seconds, summary, tariff_hash, prev, zeroblob(32) FROM entry`,
	} {
		if _, err := w.db.Writer.Exec(query); err == nil {
			t.Errorf("done: %s", query)
		}
	}
	w.want(FC, 0, 0)
}
