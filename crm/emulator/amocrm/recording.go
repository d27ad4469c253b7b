package amocrm

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"strconv"
	"strings"
	"time"
)

const maxFetches = 10_000 // requests to the recording host remembered, the newest

// Answer is what the recording host says instead of the audio.
type Answer string

// The answers (2.14).
const (
	Audio     Answer = ""
	NotFound  Answer = "404"   // application/json, as for an unanswered call
	Forbidden Answer = "403"   // plain text
	LoginPage Answer = "html"  // 200 with a page
	Empty     Answer = "empty" // 200 without a body
)

// Recording is a file on the telephony's own host, and how that host behaves.
type Recording struct {
	Name     string        // last part of its address: "101.mp3"
	Title    string        // for the page; "": the name
	Duration time.Duration // for the page; calls made there say it

	Data []byte // the audio, or
	File string // where it lies on disk

	ContentType string        // "": by the name
	NoRanges    bool          // no Accept-Ranges, a Range is ignored
	Answer      Answer        // instead of the audio
	NotYet      int           // so many requests are answered 404 before the file is there
	Hops        int           // so many redirects on the same host come first
	RedirectTo  string        // after the hops: a 302 to this address instead of the file
	Wait        time.Duration // before the first byte
	PerSecond   int           // bytes per second; 0: at once
	CutAfter    int64         // so many bytes, then the connection is dropped; 0: never
}

type recording struct {
	Recording
	tries int
}

// Fetch is one request to the recording host.
type Fetch struct {
	Method        string
	Path          string // with the query
	Authorization string // the header; must be empty
	At            time.Time
}

// AddRecording puts a file on the recording host; the same name replaces it.
func (p *Portal) AddRecording(r Recording) {
	defer p.lock()()
	orElse(&r.Title, r.Name)
	p.touch()
	for _, known := range p.recordings {
		if known.Name == r.Name {
			*known = recording{Recording: r}
			return
		}
	}
	p.recordings = append(p.recordings, &recording{Recording: r})
}

// ServeRecordingsAt tells under which address the handler of Recordings is
// reached: the links of calls start with it.
func (p *Portal) ServeRecordingsAt(base string) {
	defer p.lock()()
	p.recordsAt = strings.TrimSuffix(base, "/")
}

// RecordingURL is the address of a recording.
func (p *Portal) RecordingURL(name string) string {
	defer p.lock()()
	return p.recordingURL(name)
}

func (p *Portal) recordingURL(name string) string {
	if p.recordsAt == "" {
		panic("amocrm emulator: ServeRecordingsAt was not called")
	}
	return p.recordsAt + "/rec/" + name
}

// HoldRecordings lets the telephony answer 404 for every recording, as if it
// had not saved them yet, until it is called with false.
func (p *Portal) HoldRecordings(hold bool) {
	defer p.lock()()
	p.unsaved = hold
	p.touch()
}

// Fetches lists the requests to the recording host, oldest first.
func (p *Portal) Fetches() []Fetch {
	defer p.lock()()
	return append([]Fetch(nil), p.fetches...)
}

// Violations lists requests to the recording host that carried somebody's
// credentials. A test should fail when it is not empty.
func (p *Portal) Violations() []string {
	defer p.lock()()
	return p.violations()
}

func (p *Portal) violations() []string {
	var all []string
	for _, f := range p.fetches {
		if f.Authorization != "" {
			scheme, _, _ := strings.Cut(f.Authorization, " ")
			all = append(all, fmt.Sprintf("%s %s carried an Authorization header (%s …)", f.Method, f.Path, scheme))
		}
	}
	return all
}

// Recordings is the telephony's host: /rec/{name}. It is nobody's API and must
// never see the portal's token.
func (p *Portal) Recordings() http.Handler { return http.HandlerFunc(p.serveRecording) }

func (p *Portal) serveRecording(w http.ResponseWriter, r *http.Request) {
	rec, missing := p.fetch(r)
	if missing {
		w.Header().Set("Content-Type", plainJSON)
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"status":"error","message":"record not found"}`)
		return
	}
	if rec.Wait > 0 {
		select {
		case <-time.After(rec.Wait):
		case <-r.Context().Done():
			return
		}
	}
	hop, _ := strconv.Atoi(r.URL.Query().Get("hop"))
	switch {
	case hop < rec.Hops:
		w.Header().Set("Location", path.Base(r.URL.Path)+"?hop="+strconv.Itoa(hop+1))
		w.WriteHeader(http.StatusFound)
	case rec.RedirectTo != "":
		w.Header().Set("Location", rec.RedirectTo)
		w.WriteHeader(http.StatusFound)
	case rec.Answer == Forbidden:
		http.Error(w, "forbidden", http.StatusForbidden)
	case rec.Answer == LoginPage:
		w.Header().Set("Content-Type", htmlPage)
		_, _ = io.WriteString(w, "<!doctype html><title>Вход</title><form><input name=login><input name=password type=password></form>")
	case rec.Answer == Empty:
		w.Header().Set("Content-Type", rec.contentType())
		w.Header().Set("Content-Length", "0")
	default:
		p.play(w, r, rec)
	}
}

// fetch writes the request down and decides whether the file is there.
func (p *Portal) fetch(r *http.Request) (_ Recording, missing bool) {
	defer p.lock()()
	p.fetches = keepNewest(append(p.fetches, Fetch{r.Method, r.URL.RequestURI(), r.Header.Get("Authorization"), p.now()}), maxFetches)
	p.touch()
	name, ok := strings.CutPrefix(r.URL.Path, "/rec/")
	if !ok || p.unsaved {
		return Recording{}, true
	}
	for _, rec := range p.recordings {
		if rec.Name != name {
			continue
		}
		if rec.tries < rec.NotYet {
			rec.tries++
			return Recording{}, true
		}
		return rec.Recording, rec.Answer == NotFound
	}
	return Recording{}, true
}

func (r Recording) contentType() string {
	switch {
	case r.ContentType != "":
		return r.ContentType
	case strings.HasSuffix(r.Name, ".mp3"):
		return "audio/mpeg"
	case strings.HasSuffix(r.Name, ".wav"):
		return "audio/wav"
	case strings.HasSuffix(r.Name, ".ogg"):
		return "audio/ogg"
	}
	return "application/octet-stream"
}

// play sends the audio.
func (p *Portal) play(w http.ResponseWriter, r *http.Request, rec Recording) {
	var audio io.ReadSeeker = bytes.NewReader(rec.Data)
	if rec.File != "" {
		file, err := os.Open(rec.File)
		if err != nil {
			p.log.Error("amocrm emulator: open recording", "name", rec.Name, "error", err)
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		defer func() { _ = file.Close() }() // it was only read
		audio = file
	}
	w.Header().Set("Content-Type", rec.contentType())
	slowed := &line{ResponseWriter: w, perSecond: rec.PerSecond, left: rec.CutAfter, cuts: rec.CutAfter > 0, gone: r.Context().Done()}
	if !rec.NoRanges {
		http.ServeContent(slowed, r, "", time.Time{}, audio)
		return
	}
	size, err := audio.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = audio.Seek(0, io.SeekStart)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
	if r.Method != http.MethodHead {
		_, _ = io.Copy(slowed, audio) // the client has gone; nobody is left to tell
	}
}

// line is a connection that may be slow and may break.
type line struct {
	http.ResponseWriter
	perSecond int
	cuts      bool
	left      int64
	gone      <-chan struct{}
}

// piecesPerSecond is how many pieces a second a slow line sends.
const piecesPerSecond = 10

func (l *line) Write(data []byte) (int, error) {
	sent := 0
	for len(data) > 0 {
		piece := data
		if l.perSecond > 0 {
			piece = data[:min(len(data), max(1, l.perSecond/piecesPerSecond))]
		}
		if l.cuts && int64(len(piece)) > l.left {
			piece = piece[:l.left]
		}
		n, err := l.ResponseWriter.Write(piece)
		sent += n
		l.left -= int64(n)
		if err != nil {
			return sent, err
		}
		if l.cuts && l.left == 0 {
			_ = http.NewResponseController(l.ResponseWriter).Flush() // what was sent arrives before the break
			panic(http.ErrAbortHandler)
		}
		data = data[n:]
		if l.perSecond > 0 && len(data) > 0 {
			if err := l.pause(); err != nil {
				return sent, err
			}
		}
	}
	return sent, nil
}

func (l *line) pause() error {
	_ = http.NewResponseController(l.ResponseWriter).Flush() // a slow line shows each piece at once
	select {
	case <-time.After(time.Second / piecesPerSecond):
		return nil
	case <-l.gone:
		return io.ErrClosedPipe
	}
}
