package audio

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// seeds are the recordings of testdata, whole and short of their ends.
func seeds(f *testing.F) {
	files, err := filepath.Glob("testdata/*.*")
	if err != nil || len(files) < 20 {
		f.Fatalf("%d recordings, %v", len(files), err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b[:min(len(b), 4000)])
	}
	data := sine(2, 8000, 16, 200*time.Millisecond)
	f.Add(wavFile(tagPCM, 2, 8000, 16, data, len(data)))
	f.Add(extensible(wavFile(tagPCM, 2, 8000, 24, data, 0)))
	f.Add([]byte("ID3\x03\x00\x10\x7f\x7f\x7f\x7f"))
}

func FuzzSniff(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, file []byte) {
		kind, err := sniff(bytes.NewReader(file), int64(len(file)))
		if (kind == "") == (err == nil) {
			t.Errorf("%q and %v", kind, err)
		}
	})
}

// FuzzDecode: whatever the bytes, decoding ends with facts that hold together
// or with a refusal, and gives out no more than the file can hold.
func FuzzDecode(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, file []byte) {
		var pcm bytes.Buffer
		d, err := decode(bytes.NewReader(file), int64(len(file)), "a.wav", Limits{Length: time.Minute}.orDefault(), 16_000, &pcm)
		if err != nil {
			if _, ok := err.(interface{ Unwrap() error }); ok {
				t.Errorf("no refusal: %v", err)
			}
			return
		}
		r := d.recording
		if r.Channels < 1 || r.Channels > d.channels || d.channels > maxChannel || r.Length < minLength || r.Length > time.Minute {
			t.Errorf("%+v of %d channels", r, d.channels)
		}
		if int64(pcm.Len()) != d.frames*int64(d.channels)*2 {
			t.Errorf("%d bytes for %d samples of %d channels", pcm.Len(), d.frames, d.channels)
		}
		if diff := d.frames - samplesAt(r.Length, 16_000); diff < -1 || diff > 1 {
			t.Errorf("%d samples at 16 kHz for %s", d.frames, r.Length)
		}
		// The lowest MP3 bit rate of all, 8 kbit/s, and the lowest of WAV,
		// 8000 bytes a second, with a frame to spare.
		if most := time.Duration(len(file)+2000) * time.Millisecond; r.Length > most {
			t.Errorf("%s out of %d bytes", r.Length, len(file))
		}
	})
}
