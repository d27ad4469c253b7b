package amocrm_test

import (
	"bytes"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"flysense/crm/emulator/amocrm"
)

func audio() []byte { return bytes.Repeat([]byte("ID3\x04audio"), 1000) }

func TestRecordingHost(t *testing.T) {
	for name, tt := range map[string]struct {
		rec    amocrm.Recording
		status int
		kind   string
		body   []byte
	}{
		"mp3":        {amocrm.Recording{Name: "1.mp3", Data: audio()}, 200, "audio/mpeg", audio()},
		"wav":        {amocrm.Recording{Name: "1.wav", Data: audio()}, 200, "audio/wav", audio()},
		"wrong type": {amocrm.Recording{Name: "1.mp3", Data: audio(), ContentType: "text/plain"}, 200, "text/plain", audio()},
		"no ranges":  {amocrm.Recording{Name: "1.mp3", Data: audio(), NoRanges: true}, 200, "audio/mpeg", audio()},
		"not there":  {amocrm.Recording{Name: "1.mp3", Answer: amocrm.NotFound}, 404, "application/json", nil},
		"forbidden":  {amocrm.Recording{Name: "1.mp3", Answer: amocrm.Forbidden}, 403, "text/plain; charset=utf-8", nil},
		"login page": {amocrm.Recording{Name: "1.mp3", Answer: amocrm.LoginPage}, 200, "text/html; charset=utf-8", nil},
		"empty":      {amocrm.Recording{Name: "1.mp3", Answer: amocrm.Empty, Data: audio()}, 200, "audio/mpeg", []byte{}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, amocrm.Options{})
			w.AddRecording(tt.rec)
			a := w.must(tt.status, "GET", w.RecordingURL(tt.rec.Name), nil, "Authorization", "")
			equal(t, "Content-Type", a.header.Get("Content-Type"), tt.kind)
			if tt.body != nil && !bytes.Equal(a.body, tt.body) {
				t.Errorf("body of %d bytes, want %d", len(a.body), len(tt.body))
			}
		})
	}
}

func TestRecordingFromAFileWithRanges(t *testing.T) {
	w := newWorld(t, amocrm.Options{})
	file := filepath.Join(t.TempDir(), "a.mp3")
	if err := os.WriteFile(file, audio(), 0o600); err != nil {
		t.Fatal(err)
	}
	w.AddRecording(amocrm.Recording{Name: "1.mp3", File: file})
	a := w.must(206, "GET", w.RecordingURL("1.mp3"), nil, "Range", "bytes=3-6", "Authorization", "")
	equal(t, "part", string(a.body), "\x04aud")
	equal(t, "Accept-Ranges", a.header.Get("Accept-Ranges"), "bytes")
	w.AddRecording(amocrm.Recording{Name: "1.mp3", File: file, NoRanges: true})
	a = w.must(200, "GET", w.RecordingURL("1.mp3"), nil, "Range", "bytes=3-6", "Authorization", "")
	equal(t, "whole", len(a.body), len(audio()))
	equal(t, "Accept-Ranges", a.header.Get("Accept-Ranges"), "")
	w.AddRecording(amocrm.Recording{Name: "1.mp3", File: file + ".gone"})
	w.must(500, "GET", w.RecordingURL("1.mp3"), nil, "Authorization", "")
}

func TestRecordingNotYet(t *testing.T) {
	w := newWorld(t, amocrm.Options{})
	w.AddRecording(amocrm.Recording{Name: "1.mp3", Data: audio(), NotYet: 2})
	for _, status := range []int{404, 404, 200} {
		a := w.must(status, "GET", w.RecordingURL("1.mp3"), nil, "Authorization", "")
		equal(t, "a JSON 404", a.json["status"] == "error", status == 404)
	}
	w.HoldRecordings(true)
	w.must(404, "GET", w.RecordingURL("1.mp3"), nil, "Authorization", "")
	w.HoldRecordings(false)
	w.must(200, "GET", w.RecordingURL("1.mp3"), nil, "Authorization", "")
	w.must(404, "GET", w.RecordingURL("2.mp3"), nil, "Authorization", "")
	equal(t, "fetches", len(w.Fetches()), 6)
}

func TestRedirects(t *testing.T) {
	w := newWorld(t, amocrm.Options{})
	w.AddRecording(amocrm.Recording{Name: "1.mp3", Data: audio(), Hops: 2})
	w.AddRecording(amocrm.Recording{Name: "2.mp3", Hops: 1, RedirectTo: "http://10.0.0.5/secret"})
	follow := func(name string) (hops int, last answer, to string) {
		at := w.RecordingURL(name)
		for {
			a, err := w.do("GET", at, nil, "Authorization", "")
			if err != nil {
				t.Fatal(err)
			}
			to := a.header.Get("Location")
			if a.status != 302 || strings.HasPrefix(to, "http://10.") {
				return hops, a, to
			}
			hops++
			base, err := url.Parse(at)
			if err != nil {
				t.Fatal(err)
			}
			next, err := base.Parse(to)
			if err != nil {
				t.Fatal(err)
			}
			at = next.String()
		}
	}
	hops, a, _ := follow("1.mp3")
	equal(t, "hops", hops, 2)
	equal(t, "audio", len(a.body), len(audio()))
	hops, _, to := follow("2.mp3")
	equal(t, "hops before the private address", hops, 1)
	equal(t, "private address", to, "http://10.0.0.5/secret")
}

func TestBadLines(t *testing.T) {
	w := newWorld(t, amocrm.Options{})
	for name, rec := range map[string]amocrm.Recording{
		"with ranges":    {Name: "1.mp3", Data: audio(), CutAfter: 4000},
		"without ranges": {Name: "1.mp3", Data: audio(), CutAfter: 4000, NoRanges: true},
		"slow as well":   {Name: "1.mp3", Data: audio(), CutAfter: 4000, PerSecond: 20000},
	} {
		t.Run("cut "+name, func(t *testing.T) {
			w.AddRecording(rec)
			a, err := w.do("GET", w.RecordingURL("1.mp3"), nil, "Authorization", "")
			if err == nil {
				t.Fatal("nobody noticed the cut")
			}
			equal(t, "bytes before the cut", len(a.body), 4000)
		})
	}
	t.Run("slow", func(t *testing.T) {
		w.AddRecording(amocrm.Recording{Name: "1.mp3", Data: audio(), PerSecond: len(audio()) * 2, Wait: 100 * time.Millisecond})
		began := time.Now()
		a := w.must(200, "GET", w.RecordingURL("1.mp3"), nil, "Authorization", "")
		equal(t, "whole", len(a.body), len(audio()))
		if took := time.Since(began); took < 450*time.Millisecond {
			t.Errorf("sent in %v", took)
		}
	})
}

func TestATokenAtTheTelephonyIsAViolation(t *testing.T) {
	w := newWorld(t, amocrm.Options{})
	w.AddRecording(amocrm.Recording{Name: "1.mp3", Data: audio(), NotYet: 1})
	w.must(404, "GET", w.RecordingURL("1.mp3"), nil, "Authorization", "")
	if v := w.Violations(); len(v) != 0 {
		t.Fatalf("violations of a good client: %v", v)
	}
	w.must(200, "GET", w.RecordingURL("1.mp3")+"?x=1", nil) // with the portal's token
	v := w.Violations()
	if len(v) != 1 || !strings.HasPrefix(v[0], "GET /rec/1.mp3?x=1 ") || strings.Contains(v[0], w.token) {
		t.Errorf("violations: %v", v)
	}
}

func TestDriveWantsTheToken(t *testing.T) {
	w := newWorld(t, amocrm.Options{})
	drive := newServer(t, w.Drive())
	path := w.AddDriveFile("zvonok.mp3", audio())
	w.must(401, "GET", drive+path, nil, "Authorization", "")
	equal(t, "file", len(w.must(200, "GET", drive+path, nil).body), len(audio()))
	w.must(404, "GET", drive+path+"x", nil)
	w.must(501, "GET", drive+"/v1.0/files", nil)
	equal(t, "violations", len(w.Violations()), 0)
	equal(t, "unknown", len(w.Unknown()), 1)
}
