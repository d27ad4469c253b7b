package models

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// mirror is a models' server that can misbehave.
type mirror struct {
	mu       sync.Mutex
	file     []byte
	tag      string
	noRange  bool
	noLength bool
	cuts     []int // bytes after which each request is cut; then none is
	statuses []int // answers before the file is served
	ranges   []string
	stuck    chan struct{} // when set, the first request sends half and waits
}

func (m *mirror) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	m.ranges = append(m.ranges, r.Header.Get("Range"))
	file, tag := m.file, m.tag
	cut, status := len(file)+1, 0
	if len(m.statuses) > 0 {
		status, m.statuses = m.statuses[0], m.statuses[1:]
	} else if len(m.cuts) > 0 {
		cut, m.cuts = m.cuts[0], m.cuts[1:]
	}
	stuck := m.stuck
	m.stuck = nil
	m.mu.Unlock()

	if r.URL.Path != "/base/ggml-x.bin" {
		http.NotFound(w, r)
		return
	}
	if status != 0 {
		w.WriteHeader(status)
		return
	}
	var from int
	if spec := r.Header.Get("Range"); spec != "" && !m.noRange {
		if match := r.Header.Get("If-Range"); match == "" || match == tag {
			if _, err := fmt.Sscanf(spec, "bytes=%d-", &from); err != nil {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
		}
	}
	if tag != "" {
		w.Header().Set("ETag", tag)
	}
	if from >= len(file) && from > 0 {
		w.Header().Set("Content-Range", fmt.Sprintf("bytes */%d", len(file)))
		w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
		return
	}
	if !m.noLength {
		w.Header().Set("Content-Length", fmt.Sprint(len(file)-from))
	}
	if from > 0 {
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(file)-1, len(file)))
		w.WriteHeader(http.StatusPartialContent)
	}
	body := file[from:]
	if stuck != nil {
		_, _ = w.Write(body[:len(body)/2])
		w.(http.Flusher).Flush()
		select {
		case <-stuck:
		case <-r.Context().Done():
		}
		return
	}
	if len(body) > cut {
		_, _ = w.Write(body[:cut])
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(body)
}

func serve(t *testing.T, m *mirror) Puller {
	t.Helper()
	s := httptest.NewServer(m)
	t.Cleanup(s.Close)
	return Puller{
		Folder: Folder{Dir: filepath.Join(t.TempDir(), "models")}, Base: s.URL + "/base/", Client: s.Client(),
		Pause: time.Microsecond, Room: func(string, int64) error { return nil },
	}
}

// x is a catalogue's entry for the mirror's file.
func x(file []byte) Model {
	return Model{Name: "x", File: "ggml-x.bin", SizeBytes: int64(len(file)), SHA1: sha1Of(file), Cited: "test"}
}

func TestPull(t *testing.T) {
	file := tiny(t, 30_000) // about four megabytes
	half := len(file) / 2
	other := tiny(t, 29_000)
	nothing := Model{}
	for name, tt := range map[string]struct {
		mirror *mirror
		model  func(Model) Model
		part   []byte // already on disk
		tag    string
		ranges string
		want   State
		err    error // nil with want ""  is a *BadFile
	}{
		"at one go":                  {want: Verified, ranges: ""},
		"no checksum":                {model: func(m Model) Model { m.SHA1 = ""; return m }, want: Unverified, ranges: ""},
		"cut twice, resumed":         {mirror: &mirror{tag: `"a"`, cuts: []int{half, 1000}}, want: Verified, ranges: fmt.Sprintf("|bytes=%d-|bytes=%d-", half, half+1000)},
		"resumed without a tag":      {mirror: &mirror{cuts: []int{half}}, want: Verified, ranges: fmt.Sprintf("|bytes=%d-", half)},
		"cut, no tag, no checksum":   {mirror: &mirror{cuts: []int{half}}, model: func(m Model) Model { m.SHA1 = ""; return m }, want: Unverified, ranges: "|"},
		"cut, server without Range":  {mirror: &mirror{noRange: true, cuts: []int{half}}, want: Verified, ranges: fmt.Sprintf("|bytes=%d-", half)},
		"part of an earlier run":     {mirror: &mirror{tag: `"a"`}, part: file[:half], tag: `"a"`, want: Verified, ranges: fmt.Sprintf("bytes=%d-", half)},
		"the file changed meanwhile": {mirror: &mirror{tag: `"b"`}, part: other[:half], tag: `"a"`, want: Verified, ranges: fmt.Sprintf("bytes=%d-", half)},
		"everything was here":        {mirror: &mirror{tag: `"a"`}, part: file, tag: `"a"`, want: Verified, ranges: fmt.Sprintf("bytes=%d-", len(file))},
		"more than everything":       {part: append(append([]byte{}, file...), 0), want: Verified, ranges: fmt.Sprintf("bytes=%d-|", len(file)+1)},
		"server tired, then well":    {mirror: &mirror{statuses: []int{503, 429, 500}}, want: Verified, ranges: "|||"},
		"server without length":      {mirror: &mirror{noLength: true}, want: Verified, ranges: ""},
		"not there":                  {mirror: &mirror{statuses: []int{404}}, err: ErrServer, ranges: ""},
		"forbidden":                  {mirror: &mirror{statuses: []int{403}}, err: ErrServer, ranges: ""},
		"server never well":          {mirror: &mirror{statuses: []int{500, 500, 500, 500, 500, 500, 500}}, err: ErrServer, ranges: "|||||"},
		"another file":               {mirror: &mirror{file: other}},
		"a page instead":             {mirror: &mirror{file: []byte("<html>войдите</html>")}, model: func(m Model) Model { m.SHA1 = ""; return m }},
		"announced too large":        {model: func(m Model) Model { m.SizeBytes /= 2; return m }, err: ErrTooLarge, ranges: ""},
		"came too large":             {mirror: &mirror{noLength: true}, model: func(m Model) Model { m.SizeBytes /= 2; return m }, err: ErrTooLarge, ranges: ""},
	} {
		t.Run(name, func(t *testing.T) {
			m := tt.mirror
			if m == nil {
				m = &mirror{}
			}
			if m.file == nil {
				m.file = file
			}
			p := serve(t, m)
			model := x(file)
			if tt.model != nil {
				model = tt.model(model)
			}
			part := filepath.Join(p.Folder.Dir, "ggml-x.bin.part")
			if tt.part != nil {
				put(t, part, tt.part)
				put(t, part+".tag", []byte(tt.tag))
			}
			var last int64
			e, err := p.pull(context.Background(), model, func(done, _ int64) { last = done })
			if got := strings.Join(m.ranges, "|"); tt.err == nil && tt.want == "" {
				var bad *BadFile
				if !errors.As(err, &bad) {
					t.Fatalf("got %v", err)
				}
			} else if got != tt.ranges {
				t.Errorf("asked for %q, want %q", got, tt.ranges)
			}
			if tt.want == "" {
				if tt.err != nil && !errors.Is(err, tt.err) {
					t.Errorf("got %v, want %v", err, tt.err)
				}
				if e.Model != nothing {
					t.Errorf("installed %+v", e)
				}
				if _, err := os.Stat(filepath.Join(p.Folder.Dir, "ggml-x.bin")); !errors.Is(err, os.ErrNotExist) {
					t.Errorf("a bad model stands in the folder: %v", err)
				}
				return
			}
			if err != nil || e.State != tt.want || e.SHA256 != sha256Of(file) {
				t.Fatalf("%+v, %v", e, err)
			}
			if last != int64(len(file)) && len(tt.part) < len(file) {
				t.Errorf("progress ended at %d of %d", last, len(file))
			}
			entries, err := os.ReadDir(p.Folder.Dir)
			if err != nil || len(entries) != 2 {
				t.Errorf("left behind: %v, %v", entries, err)
			}
		})
	}
}

func TestPullStopsWhenAsked(t *testing.T) {
	m := &mirror{file: tiny(t, 30_000), tag: `"a"`, stuck: make(chan struct{})}
	p := serve(t, m)
	ctx, cancel := context.WithCancel(context.Background())
	_, err := p.pull(ctx, x(m.file), func(done, _ int64) {
		if done > 0 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	// What was loaded serves the next try.
	if e, err := p.pull(context.Background(), x(m.file), nil); err != nil || e.State != Verified {
		t.Fatalf("%+v, %v", e, err)
	}
	if last := m.ranges[len(m.ranges)-1]; last == "" {
		t.Error("the second try began from nothing")
	}
}

func TestPullGivesUpASilentConnection(t *testing.T) {
	m := &mirror{file: tiny(t, 30_000), tag: `"a"`, stuck: make(chan struct{})}
	p := serve(t, m)
	p.Stall = 50 * time.Millisecond
	if e, err := p.pull(context.Background(), x(m.file), nil); err != nil || e.State != Verified {
		t.Fatalf("%+v, %v", e, err)
	}
	if len(m.ranges) != 2 {
		t.Errorf("%d requests", len(m.ranges))
	}
}

func TestPullLooksAtTheDiskFirst(t *testing.T) {
	m := &mirror{file: tiny(t, 100)}
	p := serve(t, m)
	p.Room = func(_ string, size int64) error { return room(spare+size-1, size) }
	if _, err := p.pull(context.Background(), x(m.file), nil); !errors.Is(err, ErrNoSpace) {
		t.Fatalf("got %v", err)
	}
}

func TestPullTakesCatalogueNamesOnly(t *testing.T) {
	p := serve(t, &mirror{})
	for _, name := range []string{"../../etc/passwd", "", Demo, "ggml-x.bin"} {
		if _, err := p.Pull(context.Background(), name, nil); !errors.Is(err, ErrUnknown) {
			t.Errorf("%q: %v", name, err)
		}
	}
}
