package appliance_test

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"flysense/crm/emulator/amocrm"
	"flysense/engine"
	"flysense/engine/store"
	"flysense/internal/appliance"
)

// smallDisk is a file system of its own, full after the given number of bytes.
func smallDisk(t *testing.T, size int) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		t.Skipf("a small disk needs the right to mount: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return dir
}

// fill writes until nothing fits any more and returns the file to delete.
func fill(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "filler")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	for _, size := range []int{64 << 10, 4 << 10, 1} { // down to the last page
		for err = nil; err == nil; {
			_, err = file.Write(make([]byte, size))
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("the disk is not full: %v", err)
		}
	}
	return path
}

// The disk fills up while calls are in the works and is empty again a while
// later: no call fails, each is charged once and written once.
func TestFullDisk(t *testing.T) {
	if testing.Short() {
		t.Skip("waits minutes for jobs to come back")
	}
	dir := smallDisk(t, 48<<20)
	p := newPortal(t, amocrm.Options{Limits: amocrm.Limits{PerToken: -1, PerAccount: -1}})
	p.file("a.mp3", short)
	voice := scriptedSpeech(t.TempDir(), slowEnv+"=200")
	t.Cleanup(func() { _ = voice.Close() })
	s := newStage(t, p, func(o *appliance.Options) {
		o.Config.DataDir = filepath.Join(dir, "data")
		o.Transcriber = voice
	})
	s.topUp(1000)
	s.connect()
	const n = 12
	var cards []amocrm.Card
	for i := range n {
		card := p.AddLead(amocrm.Lead{Name: fmt.Sprint("Сделка ", i)})
		cards = append(cards, card)
		p.AddCall(card, amocrm.Call{Recording: "a.mp3", Duration: 10 * time.Second})
	}
	s.until("the first result", func(rows []store.Row) bool {
		for _, r := range rows {
			if r.State == engine.Done {
				return true
			}
		}
		return false
	})
	filler := fill(t, dir)
	time.Sleep(5 * time.Second) // whatever has to go wrong goes wrong
	page, err := s.Store.List(s.ctx, store.Filter{Limit: store.MaxLimit})
	if err != nil {
		t.Fatal(err)
	}
	waiting := 0
	for _, r := range page.Rows {
		switch r.State {
		case engine.Failed, engine.Quarantined:
			t.Errorf("%s: %s", r.State, r.Problem)
		case engine.Done:
		default:
			waiting++
		}
	}
	if waiting == 0 && len(page.Rows) == n {
		t.Error("the disk was full too late")
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(5 * time.Minute)
	for !s.allEnded(n) && time.Now().Before(deadline) {
		time.Sleep(100 * time.Millisecond)
	}
	rows := s.settled(n)
	captured := s.captured()
	for _, r := range rows {
		if r.State != engine.Done || captured[r.ID] != 1 {
			t.Errorf("call %s: %s at %s (%s), captured %d times", r.ID, r.State, r.Step, r.Problem, captured[r.ID])
		}
	}
	for _, c := range cards {
		if got := len(p.results(c)); got != 1 {
			t.Errorf("%s: %d notes", c, got)
		}
	}
	t.Logf("%d of %d calls stood still while the disk was full", waiting, n)
	s.sound()
	p.clean()
}

// The ledger's refusal of a second hold for other work is one the engine knows.
func TestHeldOtherwise(t *testing.T) {
	s := newStage(t, newPortal(t, amocrm.Options{}))
	s.topUp(100)
	err := s.Store.Tx(s.ctx, func(tx *sql.Tx) error {
		if err := s.Engine.Till.Hold(s.ctx, tx, "call/0", 20*time.Second, false); err != nil {
			return err
		}
		if err := s.Engine.Till.Hold(s.ctx, tx, "call/0", 30*time.Second, false); !errors.Is(err, engine.ErrHeldOtherwise) {
			t.Errorf("got %v", err)
		}
		return s.Engine.Till.Release(s.ctx, tx, "call/0", "test")
	})
	if err != nil {
		t.Fatal(err)
	}
}
