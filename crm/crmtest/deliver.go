package crmtest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"flysense/engine"
)

func recordings(t *testing.T, b *Bench) {
	audio := append([]byte("ID3\x03"), bytes.Repeat([]byte{0xff, 0xfb, 0x50}, 20000)...)
	for name, tt := range map[string]struct {
		recording Recording
		misses    int // ErrNoRecording before the audio; -1 for never
	}{
		"happy":                {recording: Recording{}},
		"wrong type":           {recording: Recording{Type: "text/html"}},
		"redirect on the host": {recording: Recording{Hops: 3}},
		"saved late":           {recording: Recording{NotYet: 2}, misses: 2},
		"not found":            {recording: Recording{Answer: "404"}, misses: -1},
		"forbidden":            {recording: Recording{Answer: "403"}, misses: -1},
		"login page":           {recording: Recording{Answer: "html"}, misses: -1},
		"error in JSON":        {recording: Recording{Answer: "json"}, misses: -1},
		"empty":                {recording: Recording{Answer: "empty"}, misses: -1},
	} {
		r := tt.recording
		r.Name, r.Data = strings.ReplaceAll(name, " ", "-")+".mp3", audio
		call := engine.Call{ConnectionID: b.Connection, Link: b.Portal.Record(r)}
		misses := 0
		for ; misses < 4; misses++ {
			body, err := b.Hub.Open(ctx(t), call)
			if errors.Is(err, engine.ErrNoRecording) {
				continue
			} else if err != nil {
				t.Errorf("%s: %v", name, err)
				break
			}
			got, err := io.ReadAll(body)
			if err := errors.Join(err, body.Close()); err != nil || !bytes.Equal(got, audio) {
				t.Errorf("%s: %d of %d bytes, %v", name, len(got), len(audio), err)
			}
			break
		}
		if tt.misses >= 0 && misses != tt.misses || tt.misses < 0 && misses != 4 {
			t.Errorf("%s: %d times not there", name, misses)
		}
	}
}

// forbiddenRecordings: a link is what somebody typed.
func forbiddenRecordings(t *testing.T, b *Bench) {
	var config net.ListenConfig
	l, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	connected := make(chan struct{}, 100)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			connected <- struct{}{}
			_ = c.Close()
		}
	}()
	own := "http://" + l.Addr().String() + "/admin"
	links := map[string]string{ // to whether a person may allow it
		own:                              "never",
		"http://169.254.169.254/latest/": "never",
		"file:///etc/passwd":             "never",
		"http://[::1]/":                  "never",
		"http://10.20.30.40/rec.mp3":     "ask",
		"не ссылка":                      "never",
		b.Portal.Record(Recording{Name: "to-own.mp3", Redirect: own}):                          "never",
		b.Portal.Record(Recording{Name: "to-lan.mp3", Redirect: "http://10.20.30.40/rec.mp3"}): "ask",
	}
	for link, want := range links {
		body, err := b.Hub.Open(ctx(t), engine.Call{ConnectionID: b.Connection, Link: link})
		if err == nil {
			_ = body.Close()
		}
		hint, person := engine.OwnerHint(err)
		if err == nil || errors.Is(err, engine.ErrNoRecording) || person != (want == "ask") || person && !strings.Contains(hint, "10.20.30.40") {
			t.Errorf("%s: %v, hint %q", link, err, hint)
		}
	}
	if c, err := b.Hub.Connection(ctx(t), b.Connection); err != nil || c.State != "active" {
		t.Errorf("one bad link stopped the connection: %+v, %v", c, err)
	}
	if n := len(connected); n > 0 {
		t.Errorf("%d connections to our own service", n)
	}
}

func notes(t *testing.T, b *Bench) {
	for _, kind := range b.Portal.Kinds() {
		card := b.Portal.Card(kind, "Карточка")
		n := engine.Note{ConnectionID: b.Connection, OutsideID: "90817263", CallID: "01A", CardKind: kind, CardID: card}
		for i := range 3 {
			b.Portal.Clutter(kind, card, fmt.Sprintf("Чужая запись %d\n#fs:01A", i))
		}
		if _, err := b.Hub.FindNote(ctx(t), n, "#fs:01A"); !errors.Is(err, engine.ErrNotFound) {
			t.Errorf("%s: found before it was written: %v", kind, err)
		}
		id, err := b.Hub.WriteNote(ctx(t), n, "Итог «первый» <b>\n\nТональность: нейтральная\n#fs:01A")
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		other, err := b.Hub.WriteNote(ctx(t), n, "Другой звонок\n#fs:01AB") // a marker that begins alike
		if err != nil || other == id {
			t.Fatalf("%s: %q %v", kind, other, err)
		}
		for marker, want := range map[string]string{"#fs:01A": id, "#fs:01AB": other} {
			if got, err := b.Hub.FindNote(ctx(t), n, marker); err != nil || got != want {
				t.Errorf("%s: %s is %q, want %q, %v", kind, marker, got, want, err)
			}
		}
		n.ResultID = id
		if err := b.Hub.UpdateNote(ctx(t), n, "Итог второй\n#fs:01A"); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		want := []string{"Итог второй\n#fs:01A", "Другой звонок\n#fs:01AB"}
		if got := b.Portal.Notes(kind, card); len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
			t.Errorf("%s: notes %q", kind, got)
		}
	}
}

func longNotes(t *testing.T, b *Bench) {
	kind := b.Portal.Kinds()[0]
	n := engine.Note{ConnectionID: b.Connection, CallID: "01L", CardKind: kind, CardID: b.Portal.Card(kind, "Длинный разговор")}
	id, err := b.Hub.WriteNote(ctx(t), n, strings.Repeat("Очень длинный разговор. ", 5000)+"\n#fs:01L")
	if err != nil {
		t.Fatal(err)
	}
	got := b.Portal.Notes(kind, n.CardID)
	if len(got) != 1 || len([]rune(got[0])) > 20000 || !strings.HasSuffix(got[0], "\n#fs:01L") || !strings.Contains(got[0], "окращён") {
		t.Errorf("%d notes, %d characters", len(got), len([]rune(got[0])))
	}
	if found, err := b.Hub.FindNote(ctx(t), n, "#fs:01L"); err != nil || found != id {
		t.Errorf("found %q, %v", found, err)
	}
}

// writeFaults does what the engine does: after an error the card is searched
// before a note is written again. One note stands in the card at the end.
func writeFaults(t *testing.T, b *Bench) {
	kind := b.Portal.Kinds()[0]
	for i, f := range []Fault{Unauthorized, TooMany, Broken, NoContent, Slow, Cut, CutAfterWork, LockedOut, Unpaid} {
		card := b.Portal.Card(kind, string(f))
		call := fmt.Sprintf("01W%d", i)
		marker := "#fs:" + call
		n := engine.Note{ConnectionID: b.Connection, CallID: call, CardKind: kind, CardID: card}
		b.Portal.Fail(f, 1)
		id, err := b.Hub.WriteNote(ctx(t), n, "Итог\n"+marker)
		tries := 1
		for ; err != nil && tries < 5; tries++ {
			if _, later := engine.LaterWait(err); later {
				b.Advance(61 * time.Minute)
			}
			if id, err = b.Hub.FindNote(ctx(t), n, marker); errors.Is(err, engine.ErrNotFound) {
				id, err = b.Hub.WriteNote(ctx(t), n, "Итог\n"+marker)
			}
		}
		if got := b.Portal.Notes(kind, card); err != nil || len(got) != 1 || id == "" {
			t.Errorf("%s: after %d tries notes %q, id %q, %v", f, tries, got, id, err)
		}
		if (f == Cut || f == CutAfterWork || f == Broken || f == NoContent) && tries < 2 {
			t.Errorf("%s: a lost answer was taken for a success", f)
		}
		n.ResultID = id
		b.Portal.Fail(NoContent, 1)
		if err := b.Hub.UpdateNote(ctx(t), n, "Правка\n"+marker); err == nil {
			t.Errorf("%s: an update that was not done is a success", f)
		}
		b.Portal.Fail(CutAfterWork, 1)
		for try := 0; ; try++ {
			if err := b.Hub.UpdateNote(ctx(t), n, "Правка\n"+marker); err == nil || try == 2 {
				break
			}
		}
		if got := b.Portal.Notes(kind, card); len(got) != 1 || got[0] != "Правка\n"+marker {
			t.Errorf("%s: after the update %q", f, got)
		}
		b.Portal.Heal()
	}
}
