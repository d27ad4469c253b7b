package engine_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"flysense/engine"
	"flysense/engine/enginetest"
	"flysense/engine/store"
	"flysense/internal/db"
)

// bench is an engine on a real store, with doubles of the outside and a queue
// that runs jobs one by one when the test says so.
type bench struct {
	*engine.Engine
	t      *testing.T
	ctx    context.Context
	store  *store.Store
	portal *enginetest.Portal
	voice  *enginetest.Transcriber
	decode *enginetest.Decoder
	till   *enginetest.Till
	jobs   *slips
	clock  time.Time
	ids    int
}

// slips are the jobs as rows of a list; a transaction that rolls back would
// leave them, so every test that fails a commit counts jobs itself.
type slips struct {
	mu       sync.Mutex
	waiting  []engine.Job
	finished int
}

func (s *slips) Add(_ context.Context, _ *sql.Tx, j engine.Job) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.waiting {
		if w.Step == j.Step && w.CallID == j.CallID && w.Run == j.Run && w.AudioOnly == j.AudioOnly && w.ConnectionID == j.ConnectionID {
			return nil
		}
	}
	s.waiting = append(s.waiting, j)
	return nil
}

func (s *slips) Complete(context.Context, *sql.Tx) error { s.finished++; return nil }

func (s *slips) Withdraw(_ context.Context, _ *sql.Tx, callID string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var rest []engine.Job
	for _, w := range s.waiting {
		if w.CallID != callID {
			rest = append(rest, w)
		}
	}
	s.waiting = rest
	return nil
}

func (s *slips) Interrupt(string) {}

type analyst struct{ charges bool }

func (a analyst) Charges() bool { return a.charges }

func (a analyst) Analyse(_ context.Context, t engine.Transcript) (engine.Analysis, error) {
	return engine.Analysis{By: engine.Lexicon, Summary: "итог: " + t.Turns[0].Text, Tone: engine.Neutral, Charged: a.charges}, nil
}

const link = "https://pbx.example.org/rec/1.mp3"

func newBench(t *testing.T) *bench {
	t.Helper()
	ctx := context.Background()
	d, err := db.Open(ctx, filepath.Join(t.TempDir(), "e.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	b := &bench{t: t, ctx: ctx, clock: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC), jobs: &slips{}, portal: &enginetest.Portal{}, till: &enginetest.Till{Free: true}}
	if b.store, err = store.New(d, t.TempDir(), func() time.Time { return b.clock }); err != nil {
		t.Fatal(err)
	}
	windows := []engine.Window{{Index: 0, Channel: 0, Start: 0, End: 2 * second}, {Index: 1, Channel: 1, Start: 3 * second, End: 5 * second}}
	b.decode = &enginetest.Decoder{Recording: engine.Recording{Format: "mp3", Rate: 8000, Channels: 2, Length: 61 * second}, Windows: windows}
	b.voice = &enginetest.Transcriber{Said: map[engine.Window]string{windows[0]: "Добрый день", windows[1]: "Хочу стол"}}
	b.portal.Set("conn", engine.Settings{Automatic: true, Language: "ru", AgentChannel: map[engine.Direction]int{engine.Incoming: 0}})
	b.portal.Record(link, []byte("audio"))
	b.Engine = &engine.Engine{
		Store: b.store, Audio: b.store.Audio, Jobs: b.jobs, Finder: b.portal, Source: b.portal, Sink: b.portal,
		Decoder: b.decode, Transcriber: b.voice, Analyst: analyst{}, Till: b.till,
		Now:     func() time.Time { return b.clock },
		NewID:   func() string { b.ids++; return fmt.Sprintf("call-%d", b.ids) },
		Changed: func(string) {}, KeepAudio: 30 * 24 * time.Hour, Log: slog.New(slog.DiscardHandler),
	}
	b.detect() // a new connection starts from now
	return b
}

func sighting(outside string) engine.Sighting {
	return engine.Sighting{
		OutsideID: outside, Uniq: "17.1", Direction: engine.Incoming, Phone: "+79000000001", StartedAt: time.Date(2026, 11, 21, 11, 59, 0, 0, time.UTC),
		Reported: 61 * second, Link: link, CardKind: "lead", CardID: outside, CardTitle: "Кухня",
	}
}

// detect looks at the portal once.
func (b *bench) detect() {
	b.t.Helper()
	if err := b.Do(b.ctx, engine.Job{Step: engine.StepDetect, ConnectionID: "conn"}); err != nil {
		b.t.Fatal(err)
	}
}

// step runs the oldest waiting job and returns its error. A job that asks for
// another time goes back.
func (b *bench) step() error {
	b.t.Helper()
	if len(b.jobs.waiting) == 0 {
		b.t.Fatal("no job waits")
	}
	j := b.jobs.waiting[0]
	b.jobs.waiting = b.jobs.waiting[1:]
	err := b.Do(b.ctx, j)
	if err != nil {
		b.jobs.waiting = append([]engine.Job{j}, b.jobs.waiting...)
	}
	return err
}

func (b *bench) drain() {
	b.t.Helper()
	for range 20 {
		if len(b.jobs.waiting) == 0 {
			return
		}
		if err := b.step(); err != nil {
			b.t.Fatal(err)
		}
	}
	b.t.Fatal("jobs without end")
}

func (b *bench) call(id string) engine.Call {
	b.t.Helper()
	c, err := b.store.Call(b.ctx, id)
	if err != nil {
		b.t.Fatal(err)
	}
	return c
}

func (b *bench) want(id string, state engine.State) engine.Call {
	b.t.Helper()
	c := b.call(id)
	if c.State != state {
		b.t.Fatalf("call is %s at %s (%s), want %s", c.State, c.Step, c.Problem, state)
	}
	return c
}

func TestWayOfACall(t *testing.T) {
	b := newBench(t)
	b.portal.Appear("conn", sighting("1"))
	b.detect()
	b.drain()
	b.want("call-1", engine.Done)
	transcript, err := b.store.Transcript(b.ctx, "call-1")
	if err != nil {
		t.Fatal(err)
	}
	if got := transcript.Text(); got != "agent: Добрый день\nclient: Хочу стол\n" {
		t.Errorf("got %q", got)
	}
	notes := b.portal.Notes()
	if len(notes) != 1 || !strings.Contains(notes[0].Text, "итог: Добрый день") || !strings.Contains(notes[0].Text, "#fs:call-1") {
		t.Errorf("notes %+v", notes)
	}
	if held := b.till.OpenHolds(); len(held) != 0 {
		t.Errorf("holds stay open: %v", held)
	}
	b.detect() // the overlap of polls shows it again
	if len(b.jobs.waiting) != 0 {
		t.Errorf("seen twice: %v", b.jobs.waiting)
	}
}

// One conversation logged in two cards is heard and paid once, and its result
// stands in both.
func TestTwoCards(t *testing.T) {
	for name, late := range map[string]bool{"together": false, "the second after the result": true} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			other := sighting("2")
			other.CardKind = "contact"
			b.portal.Appear("conn", sighting("1"))
			if !late {
				b.portal.Appear("conn", other)
			}
			b.detect()
			b.drain()
			if late {
				b.portal.Appear("conn", other)
				b.detect()
				b.drain()
			}
			b.want("call-1", engine.Done)
			if n := len(b.portal.Notes()); n != 2 {
				t.Errorf("%d notes", n)
			}
			if n := len(b.till.Holds()); n != 1 {
				t.Errorf("%d holds", n)
			}
			if n := len(b.voice.Calls()); n != 2 {
				t.Errorf("%d windows heard", n)
			}
		})
	}
}

// A link that is late in both cards ends in one call.
func TestLateLinkInTwoCards(t *testing.T) {
	b := newBench(t)
	first, second := sighting("1"), sighting("2")
	first.Link, second.Link = "", ""
	b.portal.Appear("conn", first, second)
	b.detect()
	for range 2 {
		if wait, ok := engine.LaterWait(b.step()); !ok || wait <= 0 {
			t.Fatal("did not ask for more time")
		}
		b.jobs.waiting = append(b.jobs.waiting[1:], b.jobs.waiting[0])
	}
	b.want("call-1", engine.Waiting)
	b.want("call-2", engine.Waiting)
	first.Link, second.Link = link, link
	b.portal.Appear("conn", first, second)
	b.detect()
	b.drain()
	b.want("call-1", engine.Done)
	if _, err := b.store.Call(b.ctx, "call-2"); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("the twin is still a call: %v", err)
	}
	if len(b.portal.Notes()) != 2 || len(b.till.Holds()) != 1 {
		t.Errorf("%d notes, %d holds", len(b.portal.Notes()), len(b.till.Holds()))
	}
}

func TestRecordingNeverComes(t *testing.T) {
	b := newBench(t)
	s := sighting("1")
	s.Link = ""
	b.portal.Appear("conn", s)
	b.detect()
	tries := 0
	for b.call("call-1").State != engine.Failed {
		wait, ok := engine.LaterWait(b.step())
		if ok {
			b.clock = b.clock.Add(wait)
		}
		if tries++; tries > 200 {
			t.Fatal("waits for ever")
		}
	}
	if age := b.clock.Sub(s.StartedAt); age < 24*time.Hour || tries < 20 {
		t.Errorf("gave up after %v and %d looks", age, tries)
	}
	if history, err := b.store.History(b.ctx, "call-1"); err != nil || len(history) > 6 {
		t.Errorf("%d lines of history for one wait, %v", len(history), err)
	}
}

func TestNoFundsAndRecovery(t *testing.T) {
	b := newBench(t)
	b.till.Free = false
	b.portal.Appear("conn", sighting("1"))
	b.detect()
	b.drain()
	c := b.want("call-1", engine.NoFunds)
	if c.Problem == "" || len(b.voice.Calls()) != 0 {
		t.Errorf("problem %q, heard %d", c.Problem, len(b.voice.Calls()))
	}
	b.till.TopUp(time.Hour)
	if err := b.Start(b.ctx, "call-1", "anna"); err != nil {
		t.Fatal(err)
	}
	if got := b.call("call-1"); got.Priority != engine.ByHand || got.Actor != "anna" {
		t.Errorf("priority %d, actor %q", got.Priority, got.Actor)
	}
	b.drain()
	b.want("call-1", engine.Done)
}

// What a dead worker had finished is not heard again.
func TestCrashResumes(t *testing.T) {
	b := newBench(t)
	b.portal.Appear("conn", sighting("1"))
	b.detect()
	if err := b.step(); err != nil { // fetch
		t.Fatal(err)
	}
	b.voice.Faults.Add(nil, fmt.Errorf("killed: %w", engine.ErrWorkerDied))
	if wait, ok := engine.LaterWait(b.step()); !ok || wait <= 0 {
		t.Fatal("a dead worker cost an attempt")
	}
	if got := b.call("call-1").Crashes; got != 1 {
		t.Errorf("%d crashes", got)
	}
	b.drain()
	if c := b.want("call-1", engine.Done); c.Crashes != 0 {
		t.Errorf("progress did not clear %d crashes", c.Crashes)
	}
	if n := len(b.voice.Calls()); n != 3 { // first, the one that died, its repetition
		t.Errorf("%d windows heard", n)
	}
}

func TestQuarantine(t *testing.T) {
	b := newBench(t)
	b.portal.Appear("conn", sighting("1"))
	b.detect()
	if err := b.step(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		b.voice.Faults.Add(engine.ErrWorkerDied)
	}
	for range 2 {
		if _, ok := engine.LaterWait(b.step()); !ok {
			t.Fatal("not tried again")
		}
	}
	if err := b.step(); err != nil {
		t.Fatal(err)
	}
	b.want("call-1", engine.Quarantined)
	if len(b.jobs.waiting) != 0 || len(b.till.OpenHolds()) != 0 {
		t.Errorf("jobs %v, holds %v", b.jobs.waiting, b.till.OpenHolds())
	}
	if err := b.Start(b.ctx, "call-1", "anna"); err != nil { // a person may try again
		t.Fatal(err)
	}
	b.drain()
	b.want("call-1", engine.Done)
	if n := len(b.till.Holds()); n != 2 {
		t.Errorf("%d holds for two runs", n)
	}
}

// The answer of a write is lost: the note is found instead of written twice.
func TestLostAnswerOfANote(t *testing.T) {
	for name, made := range map[string]bool{"it was made": true, "it was not made": false} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.portal.Appear("conn", sighting("1"))
			b.detect()
			for range 3 {
				if err := b.step(); err != nil {
					t.Fatal(err)
				}
			}
			lost := errors.New("connection reset")
			if made {
				lost = enginetest.ErrLostAnswer
			}
			b.portal.NoteFaults.Add(lost)
			if err := b.step(); err == nil {
				t.Fatal("the lost answer went unnoticed")
			}
			b.drain()
			b.want("call-1", engine.Done)
			if n := len(b.portal.Notes()); n != 1 {
				t.Errorf("%d notes", n)
			}
		})
	}
}

func TestEditGoesToTheCard(t *testing.T) {
	b := newBench(t)
	b.portal.Appear("conn", sighting("1"))
	b.detect()
	b.drain()
	if err := b.Edit(b.ctx, engine.Edit{CallID: "call-1", Field: engine.FieldSummary, Value: "клиент ждёт стол", Author: "anna"}); err != nil {
		t.Fatal(err)
	}
	b.drain()
	b.want("call-1", engine.Done)
	notes := b.portal.Notes()
	if len(notes) != 1 || !strings.Contains(notes[0].Text, "клиент ждёт стол") {
		t.Errorf("notes %+v", notes)
	}
	for _, bad := range []engine.Edit{
		{Field: "mood", Value: "x"}, {Field: engine.FieldTone, Value: "angry"}, {Field: engine.FieldVerdict, Value: "greeting=maybe"},
		{Field: engine.FieldSummary, Value: strings.Repeat("я", 4001)}, {Field: engine.FieldTags, Value: strings.Repeat("т\n", 40)},
	} {
		bad.CallID = "call-1"
		var refused *engine.BadEdit
		if err := b.Edit(b.ctx, bad); !errors.As(err, &refused) || refused.Reason == "" {
			t.Errorf("%s %.20q: %v", bad.Field, bad.Value, err)
		}
	}
}

func TestCancelAndDelete(t *testing.T) {
	b := newBench(t)
	b.portal.Appear("conn", sighting("1"))
	b.detect()
	if err := b.step(); err != nil {
		t.Fatal(err)
	}
	b.voice.Faults.Add(errors.New("not now"))
	if err := b.step(); err == nil {
		t.Fatal("no fault")
	}
	if n := len(b.till.OpenHolds()); n != 1 {
		t.Fatalf("%d open holds", n)
	}
	if err := b.Cancel(b.ctx, "call-1", "anna"); err != nil {
		t.Fatal(err)
	}
	b.want("call-1", engine.Cancelled)
	if len(b.till.OpenHolds()) != 0 || len(b.jobs.waiting) != 0 {
		t.Errorf("holds %v, jobs %v", b.till.OpenHolds(), b.jobs.waiting)
	}
	// A step that was still under way finds that the call went another way.
	if err := b.Do(b.ctx, engine.Job{Step: engine.StepTranscribe, CallID: "call-1"}); err != nil {
		t.Fatal(err)
	}
	b.want("call-1", engine.Cancelled)

	if err := b.Delete(b.ctx, "call-1", "anna"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.store.Audio.Path(b.ctx, "call-1"); !errors.Is(err, engine.ErrAudioGone) {
		t.Errorf("audio: %v", err)
	}
	b.detect() // the portal still shows the record; the person deleted it
	if len(b.jobs.waiting) != 0 {
		t.Errorf("came back: %v", b.jobs.waiting)
	}
}

func TestBadAudioCostsNothing(t *testing.T) {
	b := newBench(t)
	b.decode.InspectFaults.Add(&engine.BadAudio{Code: "damaged", Reason: "Файл повреждён."})
	b.portal.Appear("conn", sighting("1"))
	b.detect()
	b.drain()
	if c := b.want("call-1", engine.Failed); c.Problem != "Файл повреждён." {
		t.Errorf("problem %q", c.Problem)
	}
	if n := len(b.till.Holds()); n != 0 {
		t.Errorf("%d holds", n)
	}
}

func TestSilenceCostsNothing(t *testing.T) {
	t.Run("no windows", func(t *testing.T) {
		b := newBench(t)
		b.decode.Windows = nil
		b.portal.Appear("conn", sighting("1"))
		b.detect()
		b.drain()
		b.want("call-1", engine.Failed)
		if len(b.till.Holds()) != 0 {
			t.Error("held")
		}
	})
	t.Run("windows without words", func(t *testing.T) {
		b := newBench(t)
		b.voice.Said = nil
		b.portal.Appear("conn", sighting("1"))
		b.detect()
		b.drain()
		b.want("call-1", engine.Failed)
		if len(b.till.OpenHolds()) != 0 {
			t.Error("the hold stays")
		}
	})
}

// Audio leaves after its time and comes back on request; the text stays.
func TestExpireAndRefetch(t *testing.T) {
	b := newBench(t)
	b.portal.Appear("conn", sighting("1"))
	b.detect()
	b.drain()
	b.clock = b.clock.Add(31 * 24 * time.Hour)
	if err := b.Expire(b.ctx); err != nil {
		t.Fatal(err)
	}
	if r, err := b.store.Recording(b.ctx, "call-1"); err != nil || !r.Gone {
		t.Fatalf("gone %v, %v", r.Gone, err)
	}
	if err := b.Refetch(b.ctx, "call-1", "anna"); err != nil {
		t.Fatal(err)
	}
	b.drain()
	b.want("call-1", engine.Done)
	if r, err := b.store.Recording(b.ctx, "call-1"); err != nil || r.Gone {
		t.Errorf("gone %v, %v", r.Gone, err)
	}
	if transcript, err := b.store.Transcript(b.ctx, "call-1"); err != nil || len(transcript.Turns) != 2 {
		t.Errorf("%d turns, %v", len(transcript.Turns), err)
	}
	if n := len(b.voice.Calls()); n != 2 {
		t.Errorf("heard %d windows", n)
	}
	if err := b.Start(b.ctx, "call-1", "anna"); err != nil { // once more, and paid once more
		t.Fatal(err)
	}
	b.drain()
	b.want("call-1", engine.Done)
	if len(b.till.Holds()) != 2 || len(b.portal.Notes()) != 1 {
		t.Errorf("%d holds, %d notes", len(b.till.Holds()), len(b.portal.Notes()))
	}
}

func TestManualConnection(t *testing.T) {
	b := newBench(t)
	b.portal.Set("conn", engine.Settings{Language: "ru"})
	b.portal.Appear("conn", sighting("1"))
	b.detect()
	if len(b.jobs.waiting) != 0 {
		t.Fatalf("started by itself: %v", b.jobs.waiting)
	}
	b.want("call-1", engine.Found)
	if err := b.Start(b.ctx, "call-1", "anna"); err != nil {
		t.Fatal(err)
	}
	b.drain()
	b.want("call-1", engine.Done)
}

func TestLostAccessWaitsForAPerson(t *testing.T) {
	b := newBench(t)
	b.portal.Appear("conn", sighting("1"))
	b.detect()
	b.portal.OpenFaults.Add(engine.NeedsOwnerError(errors.New("401"), "Подключите портал заново."))
	b.drain()
	if c := b.want("call-1", engine.NeedsOwner); c.Problem != "Подключите портал заново." {
		t.Errorf("problem %q", c.Problem)
	}
	if err := b.Start(b.ctx, "call-1", "anna"); err != nil {
		t.Fatal(err)
	}
	b.drain()
	b.want("call-1", engine.Done)
}
