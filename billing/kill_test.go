package billing

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const childFolder = "FLYSENSE_LEDGER_CHILD"

// results is a table of the caller's: a result and its charge are one commit.
const results = `CREATE TABLE IF NOT EXISTS result (key TEXT PRIMARY KEY) STRICT`

// step is one thing the child does; the n-th piece of work has several.
type step struct {
	name string // as it acknowledges it
	do   func(w *wallet) error
}

// stepsOf is what happens to the n-th piece of work: some are captured with
// their result, some released, and now and then a pack comes in.
func stepsOf(t testing.TB, n int) []step {
	key := fmt.Sprint("job-", n)
	steps := []step{{"hold " + key, func(w *wallet) error { return w.hold(key, Work{time.Minute, n%2 == 0}, key) }}}
	if n%3 == 0 {
		steps = append(steps, step{"release " + key, func(w *wallet) error { return w.release(key, "cancelled") }})
	} else {
		steps = append(steps, step{"capture " + key, func(w *wallet) error {
			return w.tx(func(ctx context.Context, tx *sql.Tx) error {
				if _, err := tx.ExecContext(ctx, `INSERT OR IGNORE INTO result (key) VALUES (?)`, key); err != nil {
					return err
				}
				return w.Capture(ctx, tx, key, speech(time.Duration(n%60)*time.Second))
			})
		}})
	}
	if n%10 == 0 {
		token := packToken(t, n/10+1, 100, nil)
		steps = append([]step{{"pack " + serial(n/10+1), func(w *wallet) error { return w.load(token) }}}, steps...)
	}
	return steps
}

// TestKilledChild is the child of [TestKill]: it works until it is killed and
// acknowledges each commit on its standard output.
func TestKilledChild(t *testing.T) {
	folder := os.Getenv(childFolder)
	if folder == "" {
		t.Skip("runs as a child of TestKill")
	}
	w := openWallet(t, folder, nil)
	if err := w.Locked(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.db.Writer.Exec(results); err != nil {
		t.Fatal(err)
	}
	var started int
	must(t, w.db.Writer.QueryRow(`SELECT count(*) FROM entry WHERE kind = 2`).Scan(&started))
	// What was under way when the last child died is simply asked again.
	for n := max(0, started-3); ; n++ {
		for _, s := range stepsOf(t, n) {
			if err := s.do(w); err != nil {
				t.Fatal(err)
			}
			if _, err := fmt.Println("ack", s.name); err != nil {
				return
			}
		}
	}
}

// A1: kill -9 at random moments while packs, holds, captures and releases run.
// Nothing acknowledged is lost, nothing happens twice, the ledger verifies.
func TestKill(t *testing.T) {
	if testing.Short() {
		t.Skip("takes ten seconds")
	}
	cycles, deadline := 1000, time.Now().Add(10*time.Second)
	if torture {
		deadline = deadline.Add(time.Hour)
	}
	folder := t.TempDir()
	acked := map[string]bool{}
	const seed = 3
	random := rand.New(rand.NewPCG(seed, seed))
	done := 0
	for ; done < cycles && time.Now().Before(deadline); done++ {
		killAfter(t, folder, time.Duration(5+random.IntN(95))*time.Millisecond, acked)
		w := openWallet(t, folder, nil)
		if r := w.Checked(); !r.OK() {
			t.Fatalf("cycle %d, seed %d: %v", done, seed, r.Problems)
		}
		if done%10 == 9 || done == cycles-1 {
			inBooks(t, w, acked)
		}
		must(t, w.db.Close())
	}
	w := openWallet(t, folder, nil)
	inBooks(t, w, acked)
	if done < 5 || len(acked) < done {
		t.Errorf("only %d acknowledged commits in %d cycles", len(acked), done)
	}
	t.Logf("%d kills, seed %d, %d acknowledged commits, %d entries, 0 lost", done, seed, len(acked), w.Checked().Entries)
}

// killAfter lets a child work for a while after its first commit, kills it and
// notes what it acknowledged.
func killAfter(t *testing.T, folder string, wait time.Duration, acked map[string]bool) {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run=^TestKilledChild$")
	child.Env = append(os.Environ(), childFolder+"="+folder)
	var complaints strings.Builder
	child.Stderr = &complaints
	out, err := child.StdoutPipe()
	must(t, err, child.Start())
	var timer *time.Timer
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		name, ok := strings.CutPrefix(lines.Text(), "ack ")
		if !ok {
			complaints.WriteString(lines.Text() + "\n")
			continue
		}
		acked[name] = true
		if timer == nil {
			timer = time.AfterFunc(wait, func() { _ = child.Process.Kill() })
		}
	}
	var exit *exec.ExitError
	if err := child.Wait(); !errors.As(err, &exit) || exit.Exited() {
		t.Fatalf("the child was not killed: %v\n%s", err, complaints.String())
	}
	timer.Stop()
}

// inBooks checks that all that was acknowledged is there, and that a result
// stands for every capture and for nothing else.
func inBooks(t *testing.T, w *wallet, acked map[string]bool) {
	t.Helper()
	booked := map[string]bool{}
	captures := 0
	must(t, eachEntry(context.Background(), w.db.Reader, func(e Entry) {
		name := e.Kind.String() + " " + e.Key
		if e.Kind == Credit {
			name = "pack " + e.Key
		}
		if booked[name] {
			t.Errorf("%s happened twice", name)
		}
		booked[name] = true
		if e.Kind == Capture {
			captures++
		}
	}))
	for name := range acked {
		if !booked[name] {
			t.Errorf("%s was acknowledged and is lost", name)
		}
	}
	var kept, paid int
	must(t, w.db.Reader.QueryRow(`SELECT count(*) FROM result`).Scan(&kept),
		w.db.Reader.QueryRow(`SELECT count(*) FROM result JOIN entry ON idem = 'capture:' || key`).Scan(&paid))
	if kept != captures || paid != captures {
		t.Errorf("%d results, %d of them paid, %d captures", kept, paid, captures)
	}
	if _, err := os.Stat(filepath.Join(w.folder, "anchor", "ledger")); err != nil {
		t.Error(err)
	}
}
