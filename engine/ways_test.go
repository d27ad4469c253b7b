package engine_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"flysense/engine"
	"flysense/engine/enginetest"
)

// What a person does, or the portal says, while a step is at work.

// source runs a hook before it hands a recording over.
type source struct {
	engine.Source
	before func()
}

func (s source) Open(ctx context.Context, c engine.Call) (io.ReadCloser, error) {
	s.before()
	return s.Source.Open(ctx, c)
}

// sink runs a hook before it writes a note.
type sink struct {
	engine.Sink
	before func(engine.Note) error
}

func (s sink) WriteNote(ctx context.Context, n engine.Note, text string) (string, error) {
	if err := s.before(n); err != nil {
		return "", err
	}
	return s.Sink.WriteNote(ctx, n, text)
}

// steps runs n jobs that must go well.
func (b *bench) steps(n int) {
	b.t.Helper()
	for range n {
		if err := b.step(); err != nil {
			b.t.Fatal(err)
		}
	}
}

func (b *bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// once makes a hook that acts the first time only.
func once(do func()) func() {
	done := false
	return func() {
		if !done {
			done = true
			do()
		}
	}
}

func TestADeadDecoderLeavesAFinishedCallAlone(t *testing.T) {
	b := newBench(t)
	b.portal.Appear("conn", sighting("1"))
	b.detect()
	b.drain()
	b.must(b.Refetch(b.ctx, "call-1", "anna"))
	for range 3 {
		b.decode.InspectFaults.Add(engine.ErrWorkerDied)
		if err := b.step(); err == nil {
			t.Fatal("the fault went unnoticed")
		}
		b.want("call-1", engine.Done)
	}
	b.drain()
	b.want("call-1", engine.Done)
}

// While a job waits for its next attempt the call is not "at work", so a
// person can start it at once.
func TestACallThatWaitsForARetryCanBeStarted(t *testing.T) {
	for name, err := range map[string]error{"retry": errors.New("503"), "later": engine.Later(errors.New("paused"), time.Hour)} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.portal.Appear("conn", sighting("1"))
			b.detect()
			b.portal.OpenFaults.Add(err)
			if err := b.step(); err == nil {
				t.Fatal("the fault went unnoticed")
			}
			b.want("call-1", engine.Queued)
			b.must(b.Start(b.ctx, "call-1", "anna"))
			b.drain()
			b.want("call-1", engine.Done)
		})
	}
}

// The audio left while its call had money held, and comes back with another
// length: the hold of the old length must not stop the call.
func TestAnotherLengthAfterTheHold(t *testing.T) {
	b := newBench(t)
	b.portal.Appear("conn", sighting("1"))
	b.detect()
	b.steps(1)
	b.voice.Faults.Add(errors.New("not now"))
	if err := b.step(); err == nil {
		t.Fatal("the fault went unnoticed")
	}
	b.must(b.store.Audio.Remove(b.ctx, "call-1"))
	b.decode.Recording.Length = 90 * second
	b.drain()
	b.want("call-1", engine.Done)
	if open := b.till.OpenHolds(); len(open) > 0 {
		t.Errorf("holds stay open: %v", open)
	}
	holds := b.till.Holds()
	if last := holds[len(holds)-1]; last.Spent != 90*second {
		t.Errorf("spent %v", last.Spent)
	}
}

// A cancelled run that is still ending must not write into the next one.
func TestCancelledAndStartedWhileItIsHeard(t *testing.T) {
	b := newBench(t)
	b.portal.Appear("conn", sighting("1"))
	b.detect()
	b.steps(1)
	again := once(func() {
		b.must(b.Cancel(b.ctx, "call-1", "anna"))
		b.must(b.Start(b.ctx, "call-1", "anna"))
	})
	b.voice.Hear = func(w engine.Window) []engine.Segment {
		again()
		return []engine.Segment{enginetest.Say("да", 0, second)}
	}
	b.steps(1)
	if c := b.call("call-1"); c.Step != engine.StepTranscribe {
		t.Errorf("the old run led the new one to %s", c.Step)
	}
	b.drain()
	b.want("call-1", engine.Done)
	if open := b.till.OpenHolds(); len(open) > 0 {
		t.Errorf("holds stay open: %v", open)
	}
}

// The failure of a cancelled run is not one of the next run.
func TestTheFailureOfACancelledRun(t *testing.T) {
	b := newBench(t)
	b.portal.Appear("conn", sighting("1"))
	b.detect()
	b.steps(1)
	b.voice.Hear = func(engine.Window) []engine.Segment {
		b.voice.Hear = nil
		b.must(b.Cancel(b.ctx, "call-1", "anna"))
		b.must(b.Start(b.ctx, "call-1", "anna"))
		return nil
	}
	b.decode.ReadFaults.Add(nil, &engine.BadAudio{Code: "damaged", Reason: "Файл повреждён."})
	b.steps(1)
	b.want("call-1", engine.Queued)
}

func TestDeletedWhileItIsFetched(t *testing.T) {
	b := newBench(t)
	b.portal.Appear("conn", sighting("1"))
	b.detect()
	b.Engine.Source = source{b.portal, once(func() { b.must(b.Delete(b.ctx, "call-1", "anna")) })}
	b.steps(1)
	if _, err := b.store.Audio.Path(b.ctx, "call-1"); !errors.Is(err, engine.ErrAudioGone) {
		t.Errorf("the audio of a deleted call stays: %v", err)
	}
}

// A second card's record that comes while the first card is written gets its note.
func TestACardThatComesDuringTheDelivery(t *testing.T) {
	b := newBench(t)
	b.portal.Appear("conn", sighting("1"))
	b.detect()
	b.steps(3)
	appear := once(func() {
		b.portal.Appear("conn", sighting("2"))
		b.detect()
	})
	b.Engine.Sink = sink{b.portal, func(engine.Note) error { appear(); return nil }}
	b.drain()
	b.want("call-1", engine.Done)
	if n := len(b.portal.Notes()); n != 2 {
		t.Errorf("%d notes", n)
	}
}

// A card that refuses its note does not keep the others from theirs, and a
// refusal for ever is no failure of a call that is paid and readable.
func TestACardThatIsGone(t *testing.T) {
	b := newBench(t)
	b.portal.Appear("conn", sighting("1"), sighting("2"))
	b.detect()
	b.steps(3)
	gone := true
	b.Engine.Sink = sink{b.portal, func(n engine.Note) error {
		if n.CardID == "1" && gone {
			return engine.Never(errors.New("404"), "Карточка удалена.")
		}
		return nil
	}}
	b.drain()
	if c := b.want("call-1", engine.NeedsOwner); c.Problem != "Карточка удалена." {
		t.Errorf("problem %q", c.Problem)
	}
	if n := len(b.portal.Notes()); n != 1 {
		t.Errorf("%d notes", n)
	}
	gone = false
	b.must(b.Start(b.ctx, "call-1", "anna")) // costs nothing: only the delivery is tried again
	b.drain()
	b.want("call-1", engine.Done)
	if n := len(b.till.Holds()); n != 1 || len(b.portal.Notes()) != 2 {
		t.Errorf("%d holds, %d notes", n, len(b.portal.Notes()))
	}
}

func TestDeletedWhileItIsDelivered(t *testing.T) {
	b := newBench(t)
	b.portal.Appear("conn", sighting("1"))
	b.detect()
	b.steps(3)
	b.Engine.Sink = sink{b.portal, func(engine.Note) error { return b.Delete(b.ctx, "call-1", "anna") }}
	b.steps(1)
	notes, err := b.store.Notes(b.ctx, "call-1")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range notes {
		if n.CardTitle != "" || n.CardID != "" {
			t.Errorf("the card of a deleted call is back: %+v", n)
		}
	}
}

// A call that waits to be alone with the speech engine stops waiting when it
// is interrupted.
func TestWaitingToBeAloneEnds(t *testing.T) {
	b := newBench(t)
	other := sighting("2")
	other.Uniq = "17.2"
	b.portal.Appear("conn", sighting("1"), other)
	b.detect()
	b.steps(2) // both are fetched
	b.voice.Faults.Add(engine.ErrWorkerDied, enginetest.ErrHang)
	if _, ok := engine.LaterWait(b.Do(b.ctx, engine.Job{Step: engine.StepTranscribe, CallID: "call-1"})); !ok {
		t.Fatal("not tried again")
	}
	started := make(chan engine.Window, 1)
	b.voice.Started = started
	long, stop := context.WithCancel(b.ctx)
	ended := make(chan error, 2)
	go func() { ended <- b.Do(long, engine.Job{Step: engine.StepTranscribe, CallID: "call-2"}) }()
	<-started
	short, interrupt := context.WithTimeout(b.ctx, 200*time.Millisecond)
	defer interrupt()
	go func() { ended <- b.Do(short, engine.Job{Step: engine.StepTranscribe, CallID: "call-1"}) }()
	select {
	case err := <-ended:
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	case <-time.After(5 * time.Second):
		t.Error("it waits on")
		stop()
		<-ended
	}
	stop()
	<-ended
}

// The telephony gives another file than the first time: what was heard of the
// old one is not mixed with windows of the new one.
func TestTheRecordingWasReplaced(t *testing.T) {
	b := newBench(t)
	b.portal.Appear("conn", sighting("1"))
	b.detect()
	b.drain()
	b.portal.Record(link, []byte("another"))
	b.decode.Windows = b.decode.Windows[:1]
	b.must(b.Refetch(b.ctx, "call-1", "anna"))
	b.drain()
	b.want("call-1", engine.Done)
	if windows, err := b.store.Windows(b.ctx, "call-1"); err != nil || len(windows) != 1 {
		t.Errorf("%d windows of a file with one, %v", len(windows), err)
	}
	if transcript, err := b.store.Transcript(b.ctx, "call-1"); err != nil || len(transcript.Turns) != 2 {
		t.Errorf("%d turns, %v", len(transcript.Turns), err)
	}
}

// Audio can be brought back for a call whose first fetch failed.
func TestRefetchOfACallWithoutARecording(t *testing.T) {
	b := newBench(t)
	b.decode.InspectFaults.Add(&engine.BadAudio{Code: "damaged", Reason: "Файл повреждён."})
	b.portal.Appear("conn", sighting("1"))
	b.detect()
	b.drain()
	b.must(b.Refetch(b.ctx, "call-1", "anna"))
	b.drain()
	b.want("call-1", engine.Failed)
}

// A file asked for by the player does not come between the steps of a new run.
func TestRefetchAndStart(t *testing.T) {
	b := newBench(t)
	b.portal.Appear("conn", sighting("1"))
	b.detect()
	b.drain()
	b.must(b.Refetch(b.ctx, "call-1", "anna"))
	b.must(b.Start(b.ctx, "call-1", "anna"))
	b.jobs.waiting[0], b.jobs.waiting[1] = b.jobs.waiting[1], b.jobs.waiting[0]
	b.steps(1) // heard and held
	b.portal.Record(link, []byte("another and longer"))
	b.decode.Recording.Length = 2 * time.Hour
	b.drain()
	b.want("call-1", engine.Done)
	if open := b.till.OpenHolds(); len(open) > 0 {
		t.Errorf("holds stay open: %v", open)
	}
}

// Speech that was not found the first time is looked for again when a person
// asks: the model may be another one.
func TestSilenceIsHeardAgainByHand(t *testing.T) {
	b := newBench(t)
	said := b.voice.Said
	b.voice.Said = nil
	b.portal.Appear("conn", sighting("1"))
	b.detect()
	b.drain()
	if c := b.want("call-1", engine.Failed); !strings.Contains(c.Problem, "нет речи") {
		t.Errorf("problem %q", c.Problem)
	}
	b.voice.Said = said
	b.must(b.Start(b.ctx, "call-1", "anna"))
	b.drain()
	b.want("call-1", engine.Done)
}

// The price changed between two attempts: the old hold goes back and the call
// goes on with a new one.
func TestHeldOtherwise(t *testing.T) {
	b := newBench(t)
	b.portal.Appear("conn", sighting("1"))
	b.detect()
	b.steps(1)
	b.voice.Faults.Add(errors.New("not now"))
	if err := b.step(); err == nil {
		t.Fatal("the fault went unnoticed")
	}
	b.till.HoldFaults.Add(engine.ErrHeldOtherwise)
	b.drain()
	b.want("call-1", engine.Done)
	if open := b.till.OpenHolds(); len(open) > 0 || len(b.till.Holds()) != 2 {
		t.Errorf("holds %+v, open %v", b.till.Holds(), open)
	}
}
