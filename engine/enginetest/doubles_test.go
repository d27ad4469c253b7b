package enginetest_test

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"time"

	"flysense/engine"
	"flysense/engine/enginetest"
)

// The doubles stand where the real parts do.
var (
	_ engine.Transcriber = (*enginetest.Transcriber)(nil)
	_ engine.Decoder     = (*enginetest.Decoder)(nil)
	_ engine.Finder      = (*enginetest.Portal)(nil)
	_ engine.Source      = (*enginetest.Portal)(nil)
	_ engine.Sink        = (*enginetest.Portal)(nil)
	_ engine.Till        = (*enginetest.Till)(nil)
)

func TestScriptTravelsThroughSamples(t *testing.T) {
	ctx := context.Background()
	w := engine.Window{Index: 3, Channel: 1, Start: 4*time.Hour + 7*time.Millisecond, End: 4*time.Hour + 2500*time.Millisecond}
	d := &enginetest.Decoder{Windows: []engine.Window{w}}
	s := &enginetest.Transcriber{Said: map[engine.Window]string{w: "Да, слушаю вас."}}
	pcm, err := d.Open(ctx, "any", 16000)
	if err != nil {
		t.Fatal(err)
	}
	samples, err := pcm.Read(w)
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Transcribe(ctx, samples, "ru")
	if err != nil || len(got) != 1 || len(got[0].Tokens) != 3 || got[0].End != w.End-w.Start {
		t.Fatalf("%+v, %v", got, err)
	}
	if d.Unclosed() != 1 {
		t.Error("an open PCM is not counted")
	}
	for range 2 {
		if err := pcm.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if d.Unclosed() != 0 {
		t.Error("a closed PCM is counted as open")
	}
	if _, err := s.Transcribe(ctx, engine.Samples{Rate: 16000, PCM: make([]float32, 16000)}, "ru"); err == nil {
		t.Error("strange samples were transcribed")
	}
}

func TestFaultsComeInOrder(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	started := make(chan engine.Window, 4)
	s := &enginetest.Transcriber{Started: started}
	s.Faults.Add(engine.ErrWorkerDied, nil, enginetest.ErrHang)
	samples := enginetest.SamplesOf(engine.Window{End: time.Second}, 16000)
	if _, err := s.Transcribe(ctx, samples, "ru"); !errors.Is(err, engine.ErrWorkerDied) {
		t.Errorf("got %v", err)
	}
	if _, err := s.Transcribe(ctx, samples, "ru"); err != nil {
		t.Errorf("got %v", err)
	}
	done := make(chan error)
	go func() {
		_, err := s.Transcribe(ctx, samples, "ru")
		done <- err
	}()
	for range 3 {
		<-started
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("a hanging worker ended with %v", err)
	}
	if len(s.Calls()) != 3 {
		t.Errorf("%d calls", len(s.Calls()))
	}
}

func TestPortal(t *testing.T) {
	ctx := context.Background()
	p := &enginetest.Portal{}
	n := engine.Note{ConnectionID: "c", CardKind: "lead", CardID: "17"}
	if _, err := p.Settings(ctx, "c"); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("got %v", err)
	}

	p.Appear("c", engine.Sighting{OutsideID: "old", StartedAt: time.Unix(100, 0)})
	found, mark, err := p.Find(ctx, "c", "")
	if err != nil || len(found) != 0 {
		t.Fatalf("a new connection finds %v, %v", found, err)
	}
	p.Appear("c", engine.Sighting{OutsideID: "new", StartedAt: time.Unix(50, 0)})
	if found, _, err = p.Find(ctx, "c", mark); err != nil || len(found) != 1 || found[0].OutsideID != "new" {
		t.Errorf("found %v, %v", found, err)
	}
	if found, err = p.Archive(ctx, "c", time.Unix(0, 0), time.Unix(100, 0)); err != nil || len(found) != 1 || found[0].OutsideID != "new" {
		t.Errorf("archive %v, %v", found, err)
	}
	if _, _, err := p.Find(ctx, "c", "nonsense"); err == nil {
		t.Error("a strange mark was taken")
	}

	call := engine.Call{Link: "l"}
	if _, err := p.Open(ctx, call); !errors.Is(err, engine.ErrNoRecording) {
		t.Errorf("got %v", err)
	}
	p.Record("l", []byte("audio"))
	r, err := p.Open(ctx, call)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(r); err != nil || string(b) != "audio" || p.Unclosed() != 1 {
		t.Errorf("%q, %v, %d open", b, err, p.Unclosed())
	}
	if err := r.Close(); err != nil || p.Unclosed() != 0 {
		t.Errorf("%v, %d open", err, p.Unclosed())
	}

	p.NoteFaults.Add(io.ErrUnexpectedEOF, enginetest.ErrLostAnswer)
	for range 2 {
		if _, err := p.WriteNote(ctx, n, "итог #1"); err == nil {
			t.Error("a fault was forgotten")
		}
	}
	if len(p.Notes()) != 1 {
		t.Fatalf("%d notes after one refusal and one lost answer", len(p.Notes()))
	}
	if n.ResultID, err = p.FindNote(ctx, n, "#1"); err != nil {
		t.Fatal(err)
	}
	if err := p.UpdateNote(ctx, n, "итог #1, исправлен"); err != nil || p.Notes()[0].Updates != 1 {
		t.Errorf("%+v, %v", p.Notes(), err)
	}
	n.CardID = "18"
	if _, err := p.FindNote(ctx, n, "#1"); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("another card's note was found: %v", err)
	}
	if err := p.UpdateNote(ctx, n, "-"); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

func TestTill(t *testing.T) {
	ctx := context.Background()
	till := &enginetest.Till{Balance: time.Minute}
	hold := func(key string, d time.Duration) error { return till.Hold(ctx, nil, key, d, false) }
	capture := func(key string, d time.Duration) error { return till.Capture(ctx, nil, key, d, false) }

	for range 2 { // asking twice changes nothing
		if err := hold("a", 40*time.Second); err != nil {
			t.Fatal(err)
		}
	}
	if err := hold("b", 30*time.Second); !errors.Is(err, engine.ErrNoFunds) {
		t.Errorf("got %v", err)
	}
	for range 2 {
		if err := capture("a", 10*time.Second); err != nil {
			t.Fatal(err)
		}
	}
	if till.Balance != 50*time.Second {
		t.Errorf("balance %v", till.Balance)
	}
	if err := hold("b", 30*time.Second); err != nil {
		t.Fatal(err)
	}
	if got := till.OpenHolds(); len(got) != 1 || got[0] != "b" {
		t.Errorf("open: %v", got)
	}
	for range 2 {
		if err := till.Release(ctx, nil, "b", "cancelled"); err != nil {
			t.Fatal(err)
		}
	}
	if err := till.Release(ctx, nil, "unknown", "-"); err != nil || till.Balance != 50*time.Second {
		t.Errorf("%v, balance %v", err, till.Balance)
	}
	for name, err := range map[string]error{
		"hold changes":           hold("a", time.Second),
		"captured twice":         capture("a", 11*time.Second),
		"captured after release": capture("b", time.Second),
		"captured without hold":  capture("c", time.Second),
	} {
		if !errors.Is(err, enginetest.ErrMoney) {
			t.Errorf("%s: %v", name, err)
		}
	}
	till.TopUp(time.Hour)
	if err := hold("d", time.Second); err != nil {
		t.Fatal(err)
	}
	if err := capture("d", 2*time.Second); !errors.Is(err, enginetest.ErrMoney) {
		t.Errorf("more than held: %v", err)
	}
}

func TestDoublesTogether(t *testing.T) {
	ctx := context.Background()
	till, portal, decoder := &enginetest.Till{Free: true}, &enginetest.Portal{}, &enginetest.Decoder{}
	speech := &enginetest.Transcriber{}
	portal.Record("l", []byte("audio"))
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			key := string(rune('a' + i%4))
			if err := till.Hold(ctx, nil, key, time.Second, true); err != nil {
				t.Error(err)
			}
			if err := till.Capture(ctx, nil, key, time.Second, true); err != nil {
				t.Error(err)
			}
			r, err := portal.Open(ctx, engine.Call{Link: "l"})
			if err != nil {
				t.Error(err)
				return
			}
			_ = r.Close()
			if _, err := portal.WriteNote(ctx, engine.Note{}, key); err != nil {
				t.Error(err)
			}
			pcm, err := decoder.Open(ctx, "", 16000)
			if err != nil {
				t.Error(err)
				return
			}
			s, _ := pcm.Read(engine.Window{Index: i})
			if _, err := speech.Transcribe(ctx, s, "ru"); err != nil {
				t.Error(err)
			}
			_ = pcm.Close()
		})
	}
	wg.Wait()
	if len(till.Holds()) != 4 || len(portal.Notes()) != 8 || len(speech.Calls()) != 8 || decoder.Unclosed() != 0 || portal.Unclosed() != 0 {
		t.Errorf("%d holds, %d notes, %d windows", len(till.Holds()), len(portal.Notes()), len(speech.Calls()))
	}
}
