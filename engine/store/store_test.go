package store_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"flysense/engine"
	"flysense/engine/store"
	"flysense/internal/db"
)

var start = time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)

// fixture is a store in a folder of its own with a clock that is set by hand.
type fixture struct {
	*store.Store
	t   testing.TB
	db  *db.DB
	dir string
	now time.Time
}

func open(t *testing.T) *fixture { return openFor(t) }

func openFor(t testing.TB) *fixture {
	t.Helper()
	f := &fixture{t: t, dir: t.TempDir(), now: start}
	var err error
	if f.db, err = db.Open(t.Context(), filepath.Join(f.dir, "flysense.db")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.db.Close() })
	if f.Store, err = store.New(f.db, filepath.Join(f.dir, "audio"), func() time.Time { return f.now }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// do runs fn in a transaction that must succeed.
func (f *fixture) do(fn func(ctx context.Context, tx *sql.Tx) error) {
	f.t.Helper()
	if err := f.Tx(f.t.Context(), func(tx *sql.Tx) error { return fn(f.t.Context(), tx) }); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) add(c engine.Call) {
	f.t.Helper()
	f.do(func(ctx context.Context, tx *sql.Tx) error { return f.AddCall(ctx, tx, c) })
}

// aCall is a call with every field set.
func aCall(id string) engine.Call {
	return engine.Call{
		ID: id, ConnectionID: "conn", Key: "key " + id, Direction: engine.Incoming,
		Phone: "+7 916 123-45-67", Agent: "Анна Смирнова", Title: "Ремонт квартиры", StartedAt: start.Add(-time.Hour),
		Reported: 83 * time.Second, Link: "https://tel.example/rec/" + id, State: engine.Queued, Step: engine.StepFetch,
		Priority: engine.Short, Problem: "задача", Remark: "заметка", Actor: "anna", Run: 2, Crashes: 1, Revision: 3,
		CreatedAt: start,
	}
}

func aTranscript(id, text string) engine.Transcript {
	return engine.Transcript{
		CallID: id, Model: "ggml-demo-ru.bin", Language: "ru", MadeAt: start,
		Turns: []engine.Turn{
			{Speaker: engine.Agent, Channel: 0, Start: 500 * time.Millisecond, End: 3 * time.Second, Text: "Добрый день.",
				Words: []engine.Word{{Text: "Добрый", Start: 500 * time.Millisecond, End: time.Second}}},
			{Speaker: engine.Client, Channel: 1, Start: 3100 * time.Millisecond, End: 6 * time.Second, Text: text},
		},
	}
}

func anAnalysis(id string) engine.Analysis {
	return engine.Analysis{
		CallID: id, By: engine.Lexicon, Summary: "Клиент спрашивает цену.", Tone: engine.Neutral, MadeAt: start,
		Verdicts: []engine.Verdict{
			{Kind: engine.Greeting, Found: true, Speaker: engine.Agent, Quote: "Добрый день", At: 500 * time.Millisecond},
			{Kind: engine.Profanity, Found: false},
		},
		Tags: []string{"цена"},
	}
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}

// What is saved comes back to the last field.
func TestRoundTrips(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	call := aCall("C1")
	f.add(call)
	call.UpdatedAt = start
	got, err := f.Call(ctx, "C1")
	if err != nil {
		t.Fatal(err)
	}
	same(t, "call", got, call)

	note := engine.Note{
		ConnectionID: "conn", OutsideID: "leads/7", CallID: "C1", CardKind: "lead", CardID: "42", CardTitle: "Ремонт",
		CardURL: "https://demo.amocrm.ru/leads/detail/42", ResultID: "99", Revision: 2, Tried: true,
	}
	recording := engine.Recording{
		CallID: "C1", Bytes: 12345, SHA256: "ab", Format: "mp3 MPEG-2.5", Rate: 8000, Channels: 2, Length: 83*time.Second + 125*time.Microsecond,
		Truncated: true, Misnamed: true, Peaks: [][]uint8{{0, 127, 255}, {1}}, FetchedAt: start, KeptUntil: start.Add(time.Hour), Gone: true,
	}
	windows := []engine.Window{{Index: 0, Channel: 0, Start: time.Nanosecond, End: time.Second}, {Index: 1, Channel: 1, Start: time.Second, End: 2 * time.Second}}
	f.do(func(ctx context.Context, tx *sql.Tx) error {
		return errors.Join(
			f.SaveNote(ctx, tx, engine.Note{ConnectionID: "conn", OutsideID: "leads/7", CallID: "C1"}),
			f.SaveNote(ctx, tx, note),
			f.SaveRecording(ctx, tx, recording, windows),
			f.SaveTranscript(ctx, tx, aTranscript("C1", "старое")),
			f.SaveTranscript(ctx, tx, aTranscript("C1", "Сколько стоит?")),
			f.SaveAnalysis(ctx, tx, anAnalysis("C1")),
			f.SaveMark(ctx, tx, "conn", "first"),
			f.SaveMark(ctx, tx, "conn", "second"),
		)
	})
	notes, err := f.Notes(ctx, "C1")
	same(t, "notes", []any{notes, err}, []any{[]engine.Note{note}, nil})
	r, err := f.Recording(ctx, "C1")
	same(t, "recording", []any{r, err}, []any{recording, nil})
	w, err := f.Windows(ctx, "C1")
	same(t, "windows", []any{w, err}, []any{windows, nil})
	tr, err := f.Transcript(ctx, "C1")
	same(t, "transcript", []any{tr, err}, []any{aTranscript("C1", "Сколько стоит?"), nil})
	a, err := f.Analysis(ctx, "C1")
	same(t, "analysis", []any{a, err}, []any{anAnalysis("C1"), nil})
	mark, err := f.Mark(ctx, "conn")
	same(t, "mark", []any{mark, err}, []any{"second", nil})
	mark, err = f.Mark(ctx, "another")
	same(t, "mark of a new connection", []any{mark, err}, []any{"", nil})
}

func TestNotFound(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	read := map[string]func() error{
		"call":       func() error { _, err := f.Call(ctx, "no"); return err },
		"row":        func() error { _, err := f.Row(ctx, "no"); return err },
		"recording":  func() error { _, err := f.Recording(ctx, "no"); return err },
		"transcript": func() error { _, err := f.Transcript(ctx, "no"); return err },
		"analysis":   func() error { _, err := f.Analysis(ctx, "no"); return err },
		"original":   func() error { _, err := f.OriginalAnalysis(ctx, "no"); return err },
	}
	write := map[string]func(tx *sql.Tx) error{
		"call in tx":       func(tx *sql.Tx) error { _, err := f.CallTx(ctx, tx, "no"); return err },
		"call by key":      func(tx *sql.Tx) error { _, err := f.CallByKey(ctx, tx, "conn", "no"); return err },
		"call without key": func(tx *sql.Tx) error { _, err := f.CallByKey(ctx, tx, "conn", ""); return err },
		"note":             func(tx *sql.Tx) error { _, err := f.NoteTx(ctx, tx, "conn", "no"); return err },
		"save call":        func(tx *sql.Tx) error { return f.SaveCall(ctx, tx, aCall("no")) },
		"delete call":      func(tx *sql.Tx) error { return f.DeleteCall(ctx, tx, "no") },
		"keep recording":   func(tx *sql.Tx) error { return f.KeepRecording(ctx, tx, engine.Recording{CallID: "no"}) },
		"save heard":       func(tx *sql.Tx) error { return f.SaveHeard(ctx, tx, "no", engine.Heard{}) },
		"set gone":         func(tx *sql.Tx) error { return f.SetGone(ctx, tx, "no") },
		"edit nothing": func(tx *sql.Tx) error {
			return f.SaveEdit(ctx, tx, engine.Edit{CallID: "no", Field: engine.FieldSummary, Author: "anna"})
		},
	}
	for name, fn := range write {
		read[name] = func() error { return f.Tx(ctx, fn) }
	}
	for name, fn := range read {
		if err := fn(); !errors.Is(err, engine.ErrNotFound) {
			t.Errorf("%s: got %v, want ErrNotFound", name, err)
		}
	}
}

// A call found without a key twice is two calls; with one it is refused, and
// another connection may use the same key.
func TestKeyIsUniqueWithinConnection(t *testing.T) {
	f := open(t)
	late, late2, first, other := aCall("L1"), aCall("L2"), aCall("K1"), aCall("K2")
	late.Key, late2.Key, first.Key, other.Key = "", "", "k", "k"
	other.ConnectionID = "another"
	for _, c := range []engine.Call{late, late2, first, other} {
		f.add(c)
	}
	twin := aCall("K3")
	twin.Key = "k"
	if err := f.Tx(t.Context(), func(tx *sql.Tx) error { return f.AddCall(t.Context(), tx, twin) }); err == nil {
		t.Error("a second call with the same key was added")
	}
	f.do(func(ctx context.Context, tx *sql.Tx) error {
		got, err := f.CallByKey(ctx, tx, "another", "k")
		if got.ID != "K2" {
			t.Errorf("got %q, want K2", got.ID)
		}
		return err
	})
}

func TestHistoryHasEveryChangeOfStateStepOrProblem(t *testing.T) {
	f := open(t)
	c := aCall("C1")
	f.add(c)
	for _, change := range []func(){
		func() { c.State = engine.Running; c.Actor = "appliance" },
		func() { c.Remark = "cut short"; c.Title = "Другая" }, // no event
		func() { c.Step = engine.StepTranscribe },
		func() { c.Problem = "Пополните баланс." },
	} {
		f.now = f.now.Add(time.Second)
		change()
		f.do(func(ctx context.Context, tx *sql.Tx) error { return f.SaveCall(ctx, tx, c) })
	}
	got, err := f.History(t.Context(), "C1")
	if err != nil {
		t.Fatal(err)
	}
	same(t, "history", got, []store.Event{
		{At: start, Actor: "anna", State: engine.Queued, Step: engine.StepFetch, Problem: "задача"},
		{At: start.Add(1 * time.Second), Actor: "appliance", State: engine.Running, Step: engine.StepFetch, Problem: "задача"},
		{At: start.Add(3 * time.Second), Actor: "appliance", State: engine.Running, Step: engine.StepTranscribe, Problem: "задача"},
		{At: start.Add(4 * time.Second), Actor: "appliance", State: engine.Running, Step: engine.StepTranscribe, Problem: "Пополните баланс."},
	})
	saved, err := f.Call(t.Context(), "C1")
	c.UpdatedAt = f.now
	same(t, "call", []any{saved, err}, []any{c, nil})
}

// SaveCall does not let a call become another one.
func TestIdentityStays(t *testing.T) {
	f := open(t)
	f.add(aCall("C1"))
	c := aCall("C1")
	c.ConnectionID, c.CreatedAt = "stolen", start.Add(time.Hour)
	f.do(func(ctx context.Context, tx *sql.Tx) error { return f.SaveCall(ctx, tx, c) })
	got, err := f.Call(t.Context(), "C1")
	if err != nil || got.ConnectionID != "conn" || !got.CreatedAt.Equal(start) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestWindowsAndWhatWasHeard(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	f.add(aCall("C1"))
	var windows []engine.Window
	for i := range 1203 { // more than one batch
		windows = append(windows, engine.Window{Index: i, Channel: i % 2, Start: time.Duration(i) * time.Second, End: time.Duration(i+1) * time.Second})
	}
	heard := engine.Heard{Window: windows[7], Segments: []engine.Segment{{Start: 1, End: 2, Text: "да", Tokens: []engine.Token{{Text: " да", Start: 1, End: 2, P: 0.5}}, NoSpeech: 0.25}}}
	silence := engine.Heard{Window: windows[3]}
	recording := engine.Recording{CallID: "C1", Length: time.Minute}
	f.do(func(ctx context.Context, tx *sql.Tx) error {
		return errors.Join(f.SaveRecording(ctx, tx, recording, windows), f.SaveHeard(ctx, tx, "C1", heard), f.SaveHeard(ctx, tx, "C1", silence))
	})
	all, err := f.Windows(ctx, "C1")
	same(t, "windows", []any{all, err}, []any{windows, nil})
	silence.Segments = []engine.Segment{}
	got, err := f.Heard(ctx, "C1")
	same(t, "heard", []any{got, err}, []any{[]engine.Heard{silence, heard}, nil})
	progress, err := f.Progress(ctx, []string{"C1", "none"})
	same(t, "progress", []any{progress, err}, []any{map[string]store.Progress{"C1": {Done: 2, Total: 1203}}, nil})

	recording.Bytes = 5
	f.do(func(ctx context.Context, tx *sql.Tx) error { return f.KeepRecording(ctx, tx, recording) })
	if got, err := f.Heard(ctx, "C1"); err != nil || len(got) != 2 {
		t.Errorf("a file brought back: %d windows heard, %v", len(got), err)
	}

	// The recording is fetched again and cut otherwise: what comes late from
	// the old one is refused.
	f.do(func(ctx context.Context, tx *sql.Tx) error {
		return f.SaveRecording(ctx, tx, recording, []engine.Window{{Index: 7, Channel: 1, Start: 0, End: time.Second}})
	})
	if got, err := f.Heard(ctx, "C1"); err != nil || len(got) != 0 {
		t.Errorf("after a new recording: %v, %v", got, err)
	}
	err = f.Tx(ctx, func(tx *sql.Tx) error { return f.SaveHeard(ctx, tx, "C1", heard) })
	if !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("a late window of the old recording: %v", err)
	}
}

func TestNewestEditOfEachFieldCounts(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	f.add(aCall("C1"))
	f.do(func(ctx context.Context, tx *sql.Tx) error { return f.SaveAnalysis(ctx, tx, anAnalysis("C1")) })
	for _, e := range []engine.Edit{
		{Field: engine.FieldSummary, Value: "Первая правка"},
		{Field: engine.FieldVerdict, Value: "greeting=false"},
		{Field: engine.FieldVerdict, Value: "farewell=true"},
		{Field: engine.FieldTone, Value: "positive"},
		{Field: engine.FieldTags, Value: " ремонт \n\nремонт\nцена"},
		{Field: engine.FieldSummary, Value: "Клиент согласен на договор"},
	} {
		e.CallID, e.Author = "C1", "anna"
		f.now = f.now.Add(time.Second)
		f.do(func(ctx context.Context, tx *sql.Tx) error { return f.SaveEdit(ctx, tx, e) })
	}
	want := anAnalysis("C1")
	want.Summary, want.Tone, want.Tags = "Клиент согласен на договор", engine.Positive, []string{"ремонт", "цена"}
	want.Verdicts = []engine.Verdict{{Kind: engine.Greeting}, {Kind: engine.Profanity}, {Kind: engine.Farewell, Found: true}}
	got, err := f.Analysis(ctx, "C1")
	same(t, "analysis", []any{got, err}, []any{want, nil})

	original, err := f.OriginalAnalysis(ctx, "C1")
	same(t, "original", []any{original, err}, []any{anAnalysis("C1"), nil})
	edits, err := f.Edits(ctx, "C1")
	if err != nil || len(edits) != 6 || edits[5].Value != want.Summary || edits[5].Author != "anna" || !edits[5].At.Equal(start.Add(6*time.Second)) {
		t.Errorf("edits: %+v, %v", edits, err)
	}

	// A new answer does not undo what a person corrected.
	again := anAnalysis("C1")
	again.Summary, again.By = "Новый ответ", "qwen"
	f.do(func(ctx context.Context, tx *sql.Tx) error { return f.SaveAnalysis(ctx, tx, again) })
	got, err = f.Analysis(ctx, "C1")
	want.By = "qwen"
	same(t, "analysis after a new answer", []any{got, err}, []any{want, nil})

	for name, e := range map[string]engine.Edit{
		"tone":    {CallID: "C1", Field: engine.FieldTone, Value: "angry", Author: "anna"},
		"verdict": {CallID: "C1", Field: engine.FieldVerdict, Value: "magic=true", Author: "anna"},
		"author":  {CallID: "C1", Field: engine.FieldSummary, Value: "x"},
		"field":   {CallID: "C1", Field: "phone", Value: "x", Author: "anna"},
	} {
		if err := f.Tx(ctx, func(tx *sql.Tx) error { return f.SaveEdit(ctx, tx, e) }); err == nil {
			t.Errorf("an edit with a wrong %s was kept", name)
		}
	}
}

func TestExpiredAudio(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	for id, tt := range map[string]struct {
		state engine.State
		kept  time.Duration
		gone  bool
	}{
		"OLD":     {state: engine.Done, kept: -time.Hour},
		"OLDER":   {state: engine.Failed, kept: -2 * time.Hour},
		"GONE":    {state: engine.Done, kept: -time.Hour, gone: true},
		"FRESH":   {state: engine.Done, kept: time.Millisecond},
		"WORKING": {state: engine.Running, kept: -time.Hour},
	} {
		c := aCall(id)
		c.State = tt.state
		f.add(c)
		f.do(func(ctx context.Context, tx *sql.Tx) error {
			return f.SaveRecording(ctx, tx, engine.Recording{CallID: id, KeptUntil: start.Add(tt.kept), Gone: tt.gone}, nil)
		})
	}
	got, err := f.Expired(ctx, start, 10)
	same(t, "expired", []any{got, err}, []any{[]string{"OLDER", "OLD"}, nil})
	got, err = f.Expired(ctx, start, 1)
	same(t, "limited", []any{got, err}, []any{[]string{"OLDER"}, nil})
	f.do(func(ctx context.Context, tx *sql.Tx) error { return f.SetGone(ctx, tx, "OLDER") })
	got, err = f.Expired(ctx, start, 10)
	same(t, "after one is gone", []any{got, err}, []any{[]string{"OLD"}, nil})

	unfinished, err := f.Unfinished(ctx)
	if err != nil || len(unfinished) != 1 || unfinished[0].ID != "WORKING" || unfinished[0].Step != engine.StepFetch {
		t.Errorf("unfinished: %+v, %v", unfinished, err)
	}
}

// Every write of the schema that must not be possible is refused.
func TestChecks(t *testing.T) {
	f := open(t)
	f.add(aCall("C1"))
	for _, q := range []string{
		`UPDATE call SET state = 'dreaming'`,
		`UPDATE call SET step = 'think'`,
		`UPDATE call SET direction = 'up'`,
		`UPDATE call SET priority = 0`,
		`UPDATE call SET reported_ns = -1`,
		`UPDATE call SET started_at = 'yesterday'`,
		`INSERT INTO transcript (call_id, model, language, turns, made_at) VALUES ('C1', '', '', 'not json', 1)`,
		`INSERT INTO transcript (call_id, model, language, turns, made_at) VALUES ('NONE', '', '', '[]', 1)`,
		`INSERT INTO note VALUES ('conn', '', 'C1', '', '', '', '', '', 0, 0)`,
		`INSERT INTO call_window VALUES ('C1', 0, 0, 2, 1, NULL)`,
	} {
		if _, err := f.db.Writer.Exec(q); err == nil {
			t.Errorf("accepted: %s", q)
		}
	}
}

// Deleting a call leaves nothing of a person: not in a table, not in the
// search, and not in the bytes of the file.
func TestDeleteLeavesNothing(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	secrets := []string{"9161234567", "916 123-45-67", "Ксенофонтов", "ксенофонт", "синхрофазотрон", "Эклампсия", "эклампс", "rec/C1", "Тайная карточка"}
	keep := aCall("KEEP")
	keep.Phone, keep.Agent = "+7 495 000-11-22", "Пётр"
	f.add(keep)
	c := aCall("C1")
	c.Agent = "Ксенофонтов"
	f.add(c)
	if _, _, err := f.Audio.Save(ctx, "C1", strings.NewReader("voice"), 100); err != nil {
		t.Fatal(err)
	}
	fill := func(ctx context.Context, tx *sql.Tx, id, word, summary string) error {
		a := anAnalysis(id)
		a.Summary = summary
		windows := []engine.Window{{Index: 0, End: time.Second}}
		return errors.Join(
			f.SaveNote(ctx, tx, engine.Note{ConnectionID: "conn", OutsideID: "leads/" + id, CallID: id, CardTitle: "Тайная карточка", CardURL: "https://x/" + id, ResultID: "5"}),
			f.SaveRecording(ctx, tx, engine.Recording{CallID: id}, windows),
			f.SaveHeard(ctx, tx, id, engine.Heard{Window: windows[0], Segments: []engine.Segment{{Text: word}}}),
			f.SaveTranscript(ctx, tx, aTranscript(id, word)),
			f.SaveAnalysis(ctx, tx, a),
			f.SaveEdit(ctx, tx, engine.Edit{CallID: id, Field: engine.FieldSummary, Value: summary + "!", Author: "anna"}),
		)
	}
	f.do(func(ctx context.Context, tx *sql.Tx) error {
		return fill(ctx, tx, "C1", "синхрофазотрон", "Эклампсия")
	})
	if _, err := f.db.Writer.Exec(`PRAGMA wal_checkpoint(TRUNCATE)`); err != nil {
		t.Fatal(err)
	}
	for _, s := range secrets { // the search below must be able to find them
		if !onDisk(t, f.dir, s) {
			t.Fatalf("%q is not in the file before the deletion: the test proves nothing", s)
		}
	}
	f.do(func(ctx context.Context, tx *sql.Tx) error { return f.DeleteCall(ctx, tx, "C1") })
	if err := f.Audio.Remove(ctx, "C1"); err != nil {
		t.Fatal(err)
	}
	if _, err := f.db.Writer.Exec(`PRAGMA wal_checkpoint(TRUNCATE)`); err != nil {
		t.Fatal(err)
	}
	for _, s := range secrets {
		if onDisk(t, f.dir, s) {
			t.Errorf("%q is still in the folder", s)
		}
	}
	for _, table := range []string{"call_history", "recording", "call_window", "transcript", "analysis", "edit"} {
		var n int
		if err := f.db.Reader.QueryRow(`SELECT count(*) FROM ` + table + ` WHERE call_id = 'C1'`).Scan(&n); err != nil || n != 0 {
			t.Errorf("%s: %d rows, %v", table, n, err)
		}
	}
	var indexed int
	if err := f.db.Reader.QueryRow(`SELECT count(*) FROM call_text`).Scan(&indexed); err != nil || indexed != 1 {
		t.Errorf("%d calls are searchable, %v", indexed, err)
	}
	f.do(func(ctx context.Context, tx *sql.Tx) error { // the poll knows it, and that it is gone
		n, err := f.NoteTx(ctx, tx, "conn", "leads/C1")
		same(t, "what stays of the note", n, engine.Note{ConnectionID: "conn", OutsideID: "leads/C1", CallID: "C1"})
		return err
	})
}

func onDisk(t *testing.T, dir, text string) bool {
	t.Helper()
	found := false
	if err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		found = found || bytes.Contains(data, []byte(text))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return found
}

// Readers see whole transactions while a writer is at work.
func TestReadersSeeWholeTransactions(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	c := aCall("C1")
	f.add(c)
	var work sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		work.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				got, err := f.Call(ctx, "C1")
				if err != nil {
					t.Error(err)
					return
				}
				if got.Title != "Ремонт квартиры" && got.Title != fmt.Sprint("Правка ", got.Run) {
					t.Errorf("title %q with run %d", got.Title, got.Run)
					return
				}
				if _, err := f.List(ctx, store.Filter{Query: "ремонт"}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	var writers sync.WaitGroup
	for range 4 {
		writers.Go(func() {
			for range 25 {
				if err := f.Tx(ctx, func(tx *sql.Tx) error {
					c, err := f.CallTx(ctx, tx, "C1")
					if err != nil {
						return err
					}
					c.Run++
					c.Title = fmt.Sprint("Правка ", c.Run)
					return f.SaveCall(ctx, tx, c)
				}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	close(stop)
	work.Wait()
	if got, err := f.Call(ctx, "C1"); err != nil || got.Run != 2+100 {
		t.Errorf("run %d, %v: a write was lost", got.Run, err)
	}
}

// Text from a portal may hold anything.
func TestForeignText(t *testing.T) {
	f := open(t)
	for i, text := range []string{`O'Брайен "; DROP TABLE call; --`, `\' ?0 ?? $1 :a {} %s`, "тёмный\nлес\r\t", "🎧 \u202e \xff", "нуль\x00внутри"} {
		c := aCall(fmt.Sprint("C", i))
		c.Title, c.Key = text, fmt.Sprint(i, text)
		f.add(c)
		f.do(func(ctx context.Context, tx *sql.Tx) error {
			if err := f.SaveNote(ctx, tx, engine.Note{ConnectionID: "conn", OutsideID: c.Key, CallID: c.ID, CardTitle: text}); err != nil {
				return err
			}
			if _, err := f.CallByKey(ctx, tx, "conn", c.Key); err != nil {
				return err
			}
			_, err := f.NoteTx(ctx, tx, "conn", c.Key)
			return err
		})
		if _, err := f.Call(t.Context(), text); !errors.Is(err, engine.ErrNotFound) {
			t.Errorf("call %q: %v", text, err)
		}
		c.Agent = text
		f.do(func(ctx context.Context, tx *sql.Tx) error { return f.SaveCall(ctx, tx, c) })
		got, err := f.Call(t.Context(), c.ID)
		if want := strings.NewReplacer("\x00", "", "\xff", "\uFFFD").Replace(text); err != nil || got.Title != want || got.Agent != want {
			t.Errorf("got %q, %q, want %q (%v)", got.Title, got.Agent, want, err)
		}
	}
}
