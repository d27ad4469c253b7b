package billing

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"flysense/billing/pack"
	"flysense/internal/db"
)

// history fills a ledger with some of everything: packs, a tariff of its own,
// captures in full and in part, releases, holds still open.
func history(t testing.TB, w *wallet) {
	t.Helper()
	ctx := context.Background()
	must(t, w.load(packToken(t, 1, 100, func(p *pack.Pack) { p.Kind = pack.Welcome })))
	for i := range 20 {
		w.clock = w.clock.Add(time.Minute)
		key := fmt.Sprint("call-", i, "#1")
		must(t, w.hold(key, Work{time.Minute, i%2 == 0}, fmt.Sprint("call-", i)))
		switch i % 4 {
		case 0:
			must(t, w.capture(key, Work{time.Minute, true}))
		case 1:
			must(t, w.capture(key, speech(40*time.Second)))
		case 2:
			must(t, w.release(key, "cancelled"))
		}
		if i == 10 {
			must(t, w.load(packToken(t, 2, 50, nil)))
			_, err := w.LoadTariff(ctx, tariffToken(t, 12_000, 20, 360_000, w.clock), "anna")
			must(t, err)
		}
	}
	must(t, w.Anchor(ctx))
	w.sound()
}

// base makes a ledger with a history and returns its folder, closed.
func base(t testing.TB) string {
	t.Helper()
	folder := t.TempDir()
	w := openWallet(t, folder, nil)
	history(t, w)
	must(t, w.db.Close())
	return folder
}

func copyFolder(t testing.TB, from string) string {
	t.Helper()
	to := memory(t)
	must(t, os.CopyFS(to, os.DirFS(from)))
	must(t, os.Chmod(filepath.Join(to, "flysense.db"), 0o600))
	return to
}

// rechain recomputes hashes, balances and the head as a forger with our
// source code would: only what is signed or remembered elsewhere can then tell.
func rechain(t testing.TB, d *db.DB) {
	t.Helper()
	ctx := context.Background()
	var entries []Entry
	must(t, eachEntry(ctx, d.Writer, func(e Entry) { entries = append(entries, e) }))
	var last Entry
	var balance [accounts + 1]Amount
	for _, e := range entries {
		e.prev = last.Hash
		e.Hash = e.digest()
		if e.Kind != Credit {
			e.input = e.inputDigest()
		}
		run(t, d, `UPDATE entry SET prev = ?, hash = ?, input_hash = ? WHERE seq = ?`, e.prev[:], e.Hash[:], e.input[:], e.Seq)
		balance[e.debit] -= e.Amount
		balance[e.credit] += e.Amount
		last = e
	}
	for id := issued; id <= spent; id++ {
		run(t, d, `UPDATE account SET balance = ? WHERE id = ?`, balance[id], id)
	}
	run(t, d, `UPDATE head SET seq = ?, hash = ?, clock_hw = ?`, last.Seq, last.Hash[:], last.ts)
}

func run(t testing.TB, d *db.DB, query string, args ...any) {
	t.Helper()
	result, err := d.Writer.Exec(query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	if n, err := result.RowsAffected(); err == nil && n == 0 && !strings.HasPrefix(query, "DROP") && !strings.HasPrefix(query, "PRAGMA") {
		t.Fatalf("%s %v: changed nothing", query, args)
	}
}

// A9: every kind of edit is found, with the entry it was made at, and locks the
// ledger: no new paid work, no packs; reading goes on.
func TestTampering(t *testing.T) {
	from := base(t)
	rounds := 4
	if torture {
		rounds = 100
	}
	const seed = 7
	random := rand.New(rand.NewPCG(seed, seed))
	t.Logf("seed %d", seed)
	var all []Entry
	w := openWallet(t, copyFolder(t, from), nil)
	must(t, eachEntry(context.Background(), w.db.Reader, func(e Entry) { all = append(all, e) }))
	must(t, w.db.Close())
	pick := func(kinds ...Kind) Entry {
		for {
			e := all[random.IntN(len(all)-1)] // the last one is cut off by its own test
			for _, k := range kinds {
				if e.Kind == k {
					return e
				}
			}
		}
	}
	any := []Kind{Credit, Hold, Capture, Release}

	for name, tt := range map[string]struct {
		kinds []Kind
		edit  func(t *testing.T, d *db.DB, e Entry)
		rule  string // one that must be among the broken
		at    bool   // the report names the entry
	}{
		"amount": {any, func(t *testing.T, d *db.DB, e Entry) {
			run(t, d, `UPDATE entry SET amount = amount + 1 WHERE seq = ?`, e.Seq)
		}, "I10", true},
		"time": {any, func(t *testing.T, d *db.DB, e Entry) { run(t, d, `UPDATE entry SET ts = ts - 1 WHERE seq = ?`, e.Seq) }, "I10", true},
		"kind": {[]Kind{Credit, Hold}, func(t *testing.T, d *db.DB, e Entry) {
			run(t, d, `UPDATE entry SET kind = 3 - kind, tariff_hash = CASE kind WHEN 1 THEN zeroblob(32) END WHERE seq = ?`, e.Seq)
		}, "I10", true},
		"accounts swapped": {any, func(t *testing.T, d *db.DB, e Entry) {
			run(t, d, `UPDATE entry SET debit = credit, credit = debit WHERE seq = ?`, e.Seq)
		}, "I2", true},
		"key": {any, func(t *testing.T, d *db.DB, e Entry) {
			run(t, d, `UPDATE entry SET idem = idem || 'x' WHERE seq = ?`, e.Seq)
		}, "I10", true},
		"prefix of the key": {any, func(t *testing.T, d *db.DB, e Entry) {
			run(t, d, `UPDATE entry SET idem = 'X' || substr(idem, 2) WHERE seq = ?`, e.Seq)
		}, "I10", true},
		"reference": {any, func(t *testing.T, d *db.DB, e Entry) {
			run(t, d, `UPDATE entry SET ref = 'another call' WHERE seq = ?`, e.Seq)
		}, "I10", true},
		"reason": {any, func(t *testing.T, d *db.DB, e Entry) {
			run(t, d, `UPDATE entry SET reason = 'another', input_hash = zeroblob(32) WHERE seq = ?`, e.Seq)
		}, "", true},
		"length": {[]Kind{Hold, Capture}, func(t *testing.T, d *db.DB, e Entry) {
			run(t, d, `UPDATE entry SET seconds = seconds + 1 WHERE seq = ?`, e.Seq)
		}, "I12", true},
		"summary": {[]Kind{Hold, Capture}, func(t *testing.T, d *db.DB, e Entry) {
			run(t, d, `UPDATE entry SET summary = 1 - summary WHERE seq = ?`, e.Seq)
		}, "I12", true},
		"tariff of an entry": {[]Kind{Hold, Capture}, func(t *testing.T, d *db.DB, e Entry) {
			run(t, d, `UPDATE entry SET tariff_hash = zeroblob(32) WHERE seq = ?`, e.Seq)
		}, "I12", true},
		"epoch": {any, func(t *testing.T, d *db.DB, e Entry) { run(t, d, `UPDATE entry SET epoch = 0 WHERE seq = ?`, e.Seq) }, "I9", true},
		"hash": {any, func(t *testing.T, d *db.DB, e Entry) {
			run(t, d, `UPDATE entry SET hash = randomblob(32) WHERE seq = ?`, e.Seq)
		}, "I10", true},
		"entry deleted": {[]Kind{Release}, func(t *testing.T, d *db.DB, e Entry) { run(t, d, `DELETE FROM entry WHERE seq = ?`, e.Seq) }, "I9", false},
		"two entries exchanged": {[]Kind{Hold}, func(t *testing.T, d *db.DB, e Entry) {
			run(t, d, `UPDATE entry SET seq = -1 WHERE seq = ?`, e.Seq)
			run(t, d, `UPDATE entry SET seq = ? WHERE seq = ?`, e.Seq, e.Seq+1)
			run(t, d, `UPDATE entry SET seq = ? WHERE seq = -1`, e.Seq+1)
		}, "I10", true},
		"balance": {any, func(t *testing.T, d *db.DB, _ Entry) {
			run(t, d, `UPDATE account SET balance = balance + 360000 WHERE id = 2`)
		}, "I2", false},
		"coins from nowhere": {any, func(t *testing.T, d *db.DB, _ Entry) {
			run(t, d, `UPDATE account SET balance = balance + CASE id WHEN 1 THEN -360000 ELSE 360000 END WHERE id IN (1, 2)`)
		}, "I2", false},
		"head": {any, func(t *testing.T, d *db.DB, _ Entry) { run(t, d, `UPDATE head SET hash = randomblob(32)`) }, "I10", false},
		"clock": {any, func(t *testing.T, d *db.DB, _ Entry) {
			run(t, d, `UPDATE head SET clock_hw = clock_hw - 1`)
		}, "I10", false},
		"pack deleted":  {any, func(t *testing.T, d *db.DB, _ Entry) { run(t, d, `DELETE FROM pack WHERE kind = 'topup'`) }, "I11", false},
		"pack's serial": {any, func(t *testing.T, d *db.DB, _ Entry) { run(t, d, `UPDATE pack SET serial = 'x' WHERE kind = 'topup'`) }, "I11", false},
		"pack's kind":   {any, func(t *testing.T, d *db.DB, _ Entry) { run(t, d, `UPDATE pack SET kind = 'topup'`) }, "I11", false},
		"pack's content": {any, func(t *testing.T, d *db.DB, _ Entry) {
			run(t, d, `UPDATE pack SET token = substr(token, 1, 40) || 'A' || substr(token, 42)`)
		}, "I11", false},
		"price":          {any, func(t *testing.T, d *db.DB, _ Entry) { run(t, d, `UPDATE tariff SET rate_u = 1`) }, "I12", false},
		"tariff deleted": {any, func(t *testing.T, d *db.DB, _ Entry) { run(t, d, `DELETE FROM tariff`) }, "I12", false},
		"cheaper call, rechained": {[]Kind{Capture}, func(t *testing.T, d *db.DB, e Entry) {
			run(t, d, `UPDATE entry SET amount = amount - 1 WHERE seq = ?`, e.Seq)
			rechain(t, d)
		}, "I12", true},
		"shorter call, rechained": {[]Kind{Capture}, func(t *testing.T, d *db.DB, e Entry) {
			run(t, d, `UPDATE entry SET amount = amount - 12000, seconds = seconds - 1 WHERE seq = ?`, e.Seq)
			rechain(t, d)
		}, "I14", false},
		"larger pack, rechained": {[]Kind{Credit}, func(t *testing.T, d *db.DB, e Entry) {
			run(t, d, `UPDATE entry SET amount = amount * 2 WHERE seq = ?`, e.Seq)
			rechain(t, d)
		}, "I11", true},
		"last entry cut off, rechained": {any, func(t *testing.T, d *db.DB, _ Entry) {
			run(t, d, `DELETE FROM entry WHERE seq = ?`, all[len(all)-1].Seq)
			rechain(t, d)
		}, "I14", false},
		"rest never released, rechained": {any, func(t *testing.T, d *db.DB, _ Entry) {
			run(t, d, `DELETE FROM entry WHERE seq > (SELECT max(seq) FROM entry WHERE kind = 3)`)
			rechain(t, d)
		}, "I4", false},
		"forged pack, rechained": {any, func(t *testing.T, d *db.DB, _ Entry) {
			run(t, d, `INSERT INTO entry SELECT seq + 1, ts, epoch, 1, 1, 2, 360000000, NULL, 'pack:`+serial(9)+`', zeroblob(32), 'topup', '', 0, 0, NULL, zeroblob(32), randomblob(32) FROM entry ORDER BY seq DESC LIMIT 1`)
			rechain(t, d)
		}, "I11", false},
		"pack loaded twice, rechained": {any, func(t *testing.T, d *db.DB, _ Entry) {
			run(t, d, `INSERT INTO entry SELECT (SELECT max(seq) + 1 FROM entry), ts, epoch, kind, debit, credit, amount, pending, 'pack:`+serial(9)+`', input_hash, ref, reason, seconds, summary, tariff_hash, zeroblob(32), randomblob(32) FROM entry WHERE kind = 1 ORDER BY seq LIMIT 1`)
			run(t, d, `INSERT INTO pack SELECT '`+serial(9)+`', zeroblob(32), (SELECT max(seq) FROM entry), NULL, 'topup', token, loaded_at, loaded_by FROM pack LIMIT 1`)
			rechain(t, d)
		}, "I11", false},
	} {
		t.Run(name, func(t *testing.T) {
			for range rounds {
				folder := copyFolder(t, from)
				w := openWallet(t, folder, nil)
				conn := w.db.Writer
				for _, prepare := range []string{`DROP TRIGGER entry_never_changes`, `DROP TRIGGER entry_never_goes`, `PRAGMA foreign_keys = 0`, `PRAGMA ignore_check_constraints = 1`} {
					if _, err := conn.Exec(prepare); err != nil {
						t.Fatal(err)
					}
				}
				e := pick(tt.kinds...)
				tt.edit(t, w.db, e)
				w.reopen()
				found(t, w, e, tt.rule, tt.at)
				must(t, w.db.Close())
			}
		})
	}
}

func found(t *testing.T, w *wallet, e Entry, rule string, at bool) {
	t.Helper()
	named, ruled := !at, rule == ""
	for _, p := range w.Checked().Problems {
		named = named || p.Seq == e.Seq
		ruled = ruled || p.Rule == rule
	}
	if !named || !ruled {
		t.Fatalf("an edit of entry %d, rule %s: found %v", e.Seq, rule, w.Checked().Problems)
	}
	locked(t, w)
}

// locked: no new paid work and no packs; what was begun may end, all can be read.
func locked(t *testing.T, w *wallet) {
	t.Helper()
	if err := w.Locked(); !errors.Is(err, ErrLocked) {
		t.Fatalf("not locked: %v", err)
	}
	if err := w.hold("new", speech(0), "new"); !errors.Is(err, ErrLocked) {
		t.Errorf("hold: %v", err)
	}
	if err := w.load(packToken(t, 5, 1, nil)); !errors.Is(err, ErrLocked) {
		t.Errorf("pack: %v", err)
	}
	if _, err := w.Balance(context.Background()); err != nil {
		t.Errorf("balance: %v", err)
	}
	if _, err := w.Entries(context.Background(), 0, 10); err != nil {
		t.Errorf("entries: %v", err)
	}
}

// An older copy of the database adds up in itself. The anchor knows better.
func TestOlderCopyIsFound(t *testing.T) {
	folder := t.TempDir()
	w := openWallet(t, folder, nil)
	history(t, w)
	must(t, w.db.Close())
	copied, err := os.ReadFile(filepath.Join(folder, "flysense.db"))
	must(t, err)
	w.open()
	must(t, w.hold("later", speech(time.Minute), "later"), w.capture("later", speech(time.Minute)), w.Anchor(context.Background()), w.db.Close())

	must(t, os.WriteFile(filepath.Join(folder, "flysense.db"), copied, 0o600))
	w.open()
	found(t, w, Entry{}, "I14", false)
	must(t, w.db.Close())

	// Nor does a new, empty database pass for this installation's.
	must(t, os.Remove(filepath.Join(folder, "flysense.db")))
	w.open()
	found(t, w, Entry{}, "I14", false)
}

func TestAnchorFileIsGuarded(t *testing.T) {
	for name, change := range map[string]func(path string) error{
		"missing": os.Remove,
		"emptied": func(path string) error { return os.Truncate(path, 0) },
		"edited": func(path string) error {
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return os.WriteFile(path, []byte(strings.Replace(string(text), "v1 1 ", "v1 1 0", 1)), 0o600)
		},
		"of another installation": func(path string) error {
			other, err := pack.NewInstallation(seed(0x70))
			if err != nil {
				return err
			}
			return os.WriteFile(path, (&anchor{inst: other}).text(head{epoch: 1}), 0o600)
		},
		"huge": func(path string) error { return os.Truncate(path, 1<<30) },
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			w := openWallet(t, folder, nil)
			history(t, w)
			must(t, w.db.Close(), change(filepath.Join(folder, "anchor", "ledger")))
			w.open()
			found(t, w, Entry{}, "I14", false)
		})
	}
	w := openWallet(t, t.TempDir(), func(s *Settings) { s.AnchorPath = "" })
	history(t, w) // without an anchor everything else works
}

// A6: a log torn or garbled by a power failure opens as a shorter, sound
// ledger; the anchor tells whenever something that it knew of is gone.
func TestTornLog(t *testing.T) {
	images := 60
	if torture {
		images = 2000
	}
	folder := t.TempDir()
	w := openWallet(t, folder, nil)
	history(t, w)
	want := w.Checked().Entries
	log, err := os.ReadFile(filepath.Join(folder, "flysense.db-wal"))
	must(t, err)
	file, err := os.ReadFile(filepath.Join(folder, "flysense.db"))
	must(t, err)
	mark, err := os.ReadFile(filepath.Join(folder, "anchor", "ledger"))
	must(t, err)
	const seed = 11
	random := rand.New(rand.NewPCG(seed, seed))
	t.Logf("seed %d, a log of %d bytes", seed, len(log))
	shorter := 0
	for i := range images {
		image := t.TempDir()
		torn := append([]byte(nil), log...)
		offset := random.IntN(len(torn))
		if i%2 == 0 {
			torn = torn[:offset]
		} else {
			for j := offset; j < len(torn); j++ {
				torn[j] = byte(random.Uint32())
			}
		}
		must(t, os.WriteFile(filepath.Join(image, "flysense.db"), file, 0o600),
			os.WriteFile(filepath.Join(image, "flysense.db-wal"), torn, 0o600),
			os.Mkdir(filepath.Join(image, "anchor"), 0o700),
			os.WriteFile(filepath.Join(image, "anchor", "ledger"), mark, 0o600))
		reopened := openWallet(t, image, nil)
		r := reopened.Checked()
		for _, p := range r.Problems {
			if p.Rule != "I14" {
				t.Fatalf("cut at %d: %v", offset, p)
			}
		}
		if r.OK() != (r.Entries == want) {
			t.Fatalf("cut at %d: %d of %d entries, problems %v", offset, r.Entries, want, r.Problems)
		}
		if !r.OK() {
			shorter++
		}
		must(t, reopened.db.Close())
	}
	if shorter == 0 {
		t.Error("no image was shorter: nothing was tried")
	}
	t.Logf("%d of %d images were shorter, all noticed", shorter, images)
}

// An edited price list is refused while the program runs, too.
func TestEditedTariffIsRefused(t *testing.T) {
	w := newWallet(t)
	history(t, w)
	run(t, w.db, `UPDATE tariff SET rate_u = 1`)
	if _, err := w.Tariff(context.Background()); !errors.Is(err, ErrLocked) {
		t.Errorf("tariff: %v", err)
	}
	if err := w.hold("cheap", speech(time.Hour), "cheap"); !errors.Is(err, ErrLocked) {
		t.Errorf("hold: %v", err)
	}
}

// Coins of a key that is not trusted are no coins, even when they are already
// in the database: a demonstration's data does not become a customer's.
func TestForeignPacksInTheDatabase(t *testing.T) {
	folder := base(t)
	w := openWallet(t, folder, func(s *Settings) { s.Keys = pack.Release() })
	r := w.Checked()
	if w.Locked() == nil || len(r.Problems) == 0 || r.Problems[len(r.Problems)-1].Rule != "I11" {
		t.Errorf("opened with %v", r.Problems)
	}
	if err := w.hold("new", speech(0), "new"); !errors.Is(err, ErrLocked) {
		t.Errorf("hold: %v", err)
	}
}
