package appliance_test

import (
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"flysense/crm/emulator/amocrm"
	"flysense/engine"
	"flysense/engine/store"
	"flysense/internal/appliance"
)

// The speech worker is killed in the middle of calls, again and again: the
// windows it had finished stay, every call ends and is paid once.
func TestKilledSpeechWorker(t *testing.T) {
	kills := 12
	if os.Getenv(torture) != "" {
		kills = 50
	}
	p := newPortal(t, amocrm.Options{Limits: amocrm.Limits{PerToken: -1, PerAccount: -1}})
	p.file("a.mp3", short)
	voice := scriptedSpeech(t.TempDir(), slowEnv+"=40")
	t.Cleanup(func() { _ = voice.Close() })
	s := newStage(t, p, func(o *appliance.Options) { o.Transcriber = voice })
	s.topUp(1000)
	s.connect()
	var cards []amocrm.Card
	for i := range calls {
		card := p.AddLead(amocrm.Lead{Name: "Сделка " + strconv.Itoa(i)})
		cards = append(cards, card)
		p.AddCall(card, amocrm.Call{Recording: "a.mp3", Duration: 10 * time.Second})
	}
	killed := 0
	for deadline := time.Now().Add(3 * time.Minute); killed < kills && time.Now().Before(deadline); {
		status := voice.Status()
		if status.InFlight == 0 || status.Windows == 0 { // let it get something done between two deaths
			time.Sleep(5 * time.Millisecond)
			if killed > 0 && s.allEnded(calls) {
				break
			}
			continue
		}
		if syscall.Kill(status.PID, syscall.SIGKILL) == nil {
			killed++
		}
		for voice.Status().PID == status.PID {
			time.Sleep(time.Millisecond)
		}
	}
	rows := s.settled(calls)
	quarantined := 0
	for _, r := range rows {
		if r.State == engine.Quarantined { // three deaths in a row fell on it; a person tries again
			quarantined++
			if err := s.Engine.Start(s.ctx, r.ID, "anna"); err != nil {
				t.Fatal(err)
			}
		}
	}
	rows = s.until("all calls", func(rows []store.Row) bool {
		for _, r := range rows {
			if r.State != engine.Done {
				return false
			}
		}
		return len(rows) == calls
	})
	t.Logf("%d kills, %d calls, %d of them were put aside for a while", killed, len(rows), quarantined)
	if killed < kills/2 {
		t.Errorf("only %d kills", killed)
	}
	captured := s.captured()
	for _, r := range rows {
		if captured[r.ID] != 1 {
			t.Errorf("%s captured %d times", r.ID, captured[r.ID])
		}
	}
	for _, c := range cards {
		if n := len(p.results(c)); n != 1 {
			t.Errorf("%s: %d notes", c, n)
		}
	}
	s.sound()
	p.clean()
}

func (s *stage) allEnded(n int) bool {
	page, err := s.Store.List(s.ctx, store.Filter{Limit: store.MaxLimit})
	if err != nil || len(page.Rows) < n {
		return false
	}
	for _, r := range page.Rows {
		if !r.State.Terminal() {
			return false
		}
	}
	return true
}
