package web

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"

	"github.com/gorilla/mux"

	"flysense/engine"
	"flysense/engine/captions"
)

// audio serves the recording as it came, by ranges, so that a player may jump.
func (s *Server) audio(w http.ResponseWriter, r *http.Request) {
	id := mux.Vars(r)["id"]
	recording, err := s.Store.Recording(r.Context(), id)
	if err != nil {
		s.writeError(w, r, err)
		return
	}
	path, err := s.Store.Audio.Path(r.Context(), id)
	if err != nil {
		s.writeError(w, r, err)
		return
	}
	file, err := os.Open(path)          //nolint:gosec // Path lets only the name of a call through
	if errors.Is(err, os.ErrNotExist) { // its time was over just now
		err = engine.ErrAudioGone
	}
	if err != nil {
		s.writeError(w, r, err)
		return
	}
	defer file.Close() //nolint:errcheck // only read
	kind, suffix := audioKind(recording.Format)
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Disposition", mime.FormatMediaType("inline", map[string]string{"filename": id + suffix}))
	h.Set("Cache-Control", "private, no-cache") // jumping asks again and again for what did not change
	h.Set("ETag", `"`+recording.SHA256+`"`)
	http.ServeContent(w, r, "", recording.FetchedAt, file)
}

// audioKind tells the media type and the suffix of a format the decode worker
// named.
func audioKind(format string) (kind, suffix string) {
	switch {
	case strings.HasPrefix(strings.ToLower(format), "mp3"):
		return "audio/mpeg", ".mp3"
	case strings.HasPrefix(strings.ToLower(format), "wav"):
		return "audio/wav", ".wav"
	}
	return "application/octet-stream", ""
}

// captionFormat is a way to write a transcript down.
type captionFormat struct {
	kind  string
	write func(io.Writer, engine.Transcript) error
}

var captionFormats = map[string]captionFormat{
	"txt":  {"text/plain; charset=utf-8", captions.Text},
	"json": {"application/json; charset=utf-8", captions.JSON},
	"srt":  {"application/x-subrip; charset=utf-8", captions.SRT},
	"vtt":  {"text/vtt; charset=utf-8", captions.VTT},
}

// transcript serves the dialogue as a file.
func (s *Server) transcript(w http.ResponseWriter, r *http.Request) {
	id, suffix := mux.Vars(r)["id"], mux.Vars(r)["format"]
	format, known := captionFormats[suffix]
	if !known {
		s.writeError(w, r, errFormat)
		return
	}
	text, err := s.captions(r.Context(), id, format)
	if err != nil {
		s.writeError(w, r, err)
		return
	}
	w.Header().Set("Content-Type", format.kind)
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": id + "." + suffix}))
	_, _ = w.Write(text) //nolint:gosec // a file to save, of a kind that no browser runs, and never sniffed
}

func (s *Server) captions(ctx context.Context, id string, format captionFormat) ([]byte, error) {
	t, err := s.Store.Transcript(ctx, id)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	err = format.write(&text, t)
	return text.Bytes(), err
}
