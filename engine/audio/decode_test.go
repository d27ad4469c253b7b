package audio

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"flysense/engine"
)

// decodeBytes decodes a file held in memory, in this process.
func decodeBytes(file []byte, name string, limits Limits) (decoded, error) {
	return decode(bytes.NewReader(file), int64(len(file)), name, limits.orDefault(), 0, nil)
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// samplesOf reads a whole recording into one slice per channel.
func samplesOf(t testing.TB, file []byte) (*source, [][]float32) {
	t.Helper()
	s, err := open(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	all := make([][]float32, s.channels)
	block := planes(s.channels, 1000)
	for {
		n, err := s.read(block)
		if err != nil {
			return s, all
		}
		for c := range all {
			all[c] = append(all[c], block[c][:n]...)
		}
	}
}

// TestLengthsAsFFmpeg: to the sample the length another decoder finds, and on
// each channel the tone that was put there.
func TestLengthsAsFFmpeg(t *testing.T) {
	table := readFile(t, "testdata/lengths.txt")
	rows := strings.Split(strings.TrimSpace(string(table)), "\n")
	if len(rows) < 20 {
		t.Fatalf("%d recordings listed", len(rows))
	}
	for _, row := range rows {
		var name string
		var channels int
		var samples int64
		if _, err := fmt.Sscan(row, &name, &channels, &samples); err != nil {
			t.Fatal(err)
		}
		t.Run(name, func(t *testing.T) {
			file := readFile(t, filepath.Join("testdata", name))
			if name == "8k-adpcm.wav" {
				_, err := decodeBytes(file, name, Limits{})
				wantBad(t, err, "unsupported", "WAV IMA ADPCM")
				return
			}
			s, pcm := samplesOf(t, file)
			if s.channels != channels || int64(len(pcm[0])) != samples {
				t.Errorf("%s: %d channels of %d samples, want %d of %d", s.format, s.channels, len(pcm[0]), channels, samples)
			}
			for c, hz := range []float64{440, 1000}[:channels] {
				if share := toneShare(pcm[c][s.rate/4:s.rate], s.rate, hz); share < 0.98 {
					t.Errorf("channel %d: %.3f of the energy at %.0f Hz", c, share, hz)
				}
			}
			d, err := decodeBytes(file, name, Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if want := durationOf(samples, s.rate); d.recording.Length != want || d.recording.Truncated || d.recording.Misnamed {
				t.Errorf("%+v, want %s, whole and well named", d.recording, want)
			}
			for c, p := range d.recording.Peaks {
				if len(p) > engine.PeakBuckets || p[len(p)/2] < 120 || p[len(p)/2] > 136 {
					t.Errorf("channel %d: %d peaks, middle %d, want 128", c, len(p), p[len(p)/2])
				}
			}
		})
	}
}

// toneShare is the part of a signal's energy that lies at one frequency.
func toneShare(pcm []float32, rate int, hz float64) float64 {
	var re, im, energy float64
	for i, v := range pcm {
		sin, cos := math.Sincos(2 * math.Pi * hz * float64(i) / float64(rate))
		re += float64(v) * cos
		im += float64(v) * sin
		energy += float64(v) * float64(v)
	}
	return 2 * (re*re + im*im) / float64(len(pcm)) / energy
}

func wantBad(t *testing.T, err error, code, says string) {
	t.Helper()
	var b *engine.BadAudio
	if !errors.As(err, &b) {
		t.Fatalf("error %v, want %s", err, code)
	}
	if b.Code != code || !strings.Contains(b.Reason, says) || !strings.HasSuffix(b.Reason, "Деньги не списаны.") {
		t.Errorf("%s: %s; want %s with %q", b.Code, b.Reason, code, says)
	}
}

// wavFile builds a WAV file: header fields as given, data as given.
func wavFile(tag, channels, rate, bits int, data []byte, declared int) []byte {
	align := channels * ((bits + 7) / 8)
	var b bytes.Buffer
	u16 := func(v int) { b.Write([]byte{byte(v), byte(v >> 8)}) }
	u32 := func(v int) { u16(v); u16(v >> 16) }
	b.WriteString("RIFF")
	u32(declared + 36)
	b.WriteString("WAVEfmt ")
	u32(16)
	u16(tag)
	u16(channels)
	u32(rate)
	u32(rate * align)
	u16(align)
	u16(bits)
	b.WriteString("data")
	u32(declared)
	b.Write(data)
	return b.Bytes()
}

// extensible turns a plain WAV header into WAVE_FORMAT_EXTENSIBLE.
func extensible(file []byte) []byte {
	fmtChunk := append([]byte(nil), file[20:36]...)
	tail := []byte{22, 0, fmtChunk[14], fmtChunk[15], 3, 0, 0, 0, fmtChunk[0], fmtChunk[1]}
	tail = append(tail, guidTail...)
	fmtChunk[0], fmtChunk[1] = 0xfe, 0xff
	out := append([]byte(nil), file[:16]...)
	out = append(out, 40, 0, 0, 0)
	out = append(append(out, fmtChunk...), tail...)
	return append(out, file[36:]...)
}

// sine is interleaved PCM, the channels an octave apart.
func sine(channels, rate, bits int, length time.Duration) []byte {
	var out []byte
	for i := range samplesAt(length, rate) {
		for c := range channels {
			v := 0.5 * math.Sin(2*math.Pi*300*float64(c+1)*float64(i)/float64(rate))
			n := int64(math.Round(v * float64(int64(1)<<(bits-1))))
			if bits == 8 {
				n += 128
			}
			for s := 0; s < bits; s += 8 {
				out = append(out, byte(n>>s))
			}
		}
	}
	return out
}

func TestWAVWidths(t *testing.T) {
	for _, bits := range []int{8, 16, 24, 32} {
		for _, channels := range []int{1, 2} {
			data := sine(channels, 8000, bits, 300*time.Millisecond)
			plain := wavFile(tagPCM, channels, 8000, bits, data, len(data))
			for name, file := range map[string][]byte{"plain": plain, "extensible": extensible(plain)} {
				s, pcm := samplesOf(t, file)
				if want := fmt.Sprintf("wav PCM %d", bits); s.format != want || len(pcm) != channels || len(pcm[0]) != 2400 {
					t.Fatalf("%s: %s, %d channels of %d, want %s, %d of 2400", name, s.format, len(pcm), len(pcm[0]), want, channels)
				}
				for c := range pcm {
					for i, v := range pcm[c] {
						want := 0.5 * math.Sin(2*math.Pi*300*float64(c+1)*float64(i)/8000)
						if math.Abs(float64(v)-want) > 1/math.Exp2(float64(min(bits, 24)-1)) {
							t.Fatalf("%s %d bit channel %d sample %d: %v, want %v", name, bits, c, i, v, want)
						}
					}
				}
			}
		}
	}
}

func TestHostileAndBroken(t *testing.T) {
	second := sine(1, 8000, 16, time.Second)
	mp3 := readFile(t, "testdata/8k-stereo.mp3")
	bare := readFile(t, "testdata/8k-lame-bare.mp3")
	noise := make([]byte, 100_000)
	state := uint32(1)
	for i := range noise {
		state = state*1664525 + 1013904223
		noise[i] = byte(state >> 24)
	}
	nan := bytes.Repeat([]byte{0, 0, 0xc0, 0x7f}, 8000)
	manyChunks := append([]byte("RIFF\x00\x00\x00\x00WAVE"), bytes.Repeat([]byte("junk\x00\x00\x00\x00"), 1000)...)
	hugeChunk := append([]byte("RIFF\xff\xff\xff\xffWAVEfmt \xff\xff\xff\xff"), second...)

	for name, tt := range map[string]struct {
		file   []byte
		limits Limits
		code   string
		says   string
	}{
		"no bytes":              {file: nil, code: "empty", says: "пуст"},
		"web page":              {file: []byte("\n<!DOCTYPE html><html><body>Войдите</body></html>"), code: "unsupported", says: "веб-страница"},
		"web page in cp1251":    {file: []byte("<html>\xc2\xee\xe9\xe4\xe8\xf2\xe5</html>"), code: "unsupported", says: "веб-страница"},
		"json":                  {file: []byte(`{"error":"доступ запрещён"}`), code: "unsupported", says: "JSON"},
		"text":                  {file: []byte("Запись удалена по сроку хранения"), code: "unsupported", says: "текст"},
		"random bytes":          {file: noise, code: "unsupported", says: "неизвестные данные"},
		"few random bytes":      {file: noise[:200], code: "unsupported", says: "неизвестные данные"},
		"zeros":                 {file: make([]byte, 4000), code: "unsupported", says: "неизвестные данные"},
		"ogg":                   {file: append([]byte("OggS\x00\x02"), noise...), code: "unsupported", says: "Ogg"},
		"m4a":                   {file: append([]byte("\x00\x00\x00\x20ftypM4A "), noise...), code: "unsupported", says: "M4A"},
		"flac":                  {file: append([]byte("fLaC"), noise...), code: "unsupported", says: "FLAC"},
		"amr":                   {file: append([]byte("#!AMR\n"), noise...), code: "unsupported", says: "AMR"},
		"gsm in wav":            {file: wavFile(0x31, 1, 8000, 16, second, len(second)), code: "unsupported", says: "GSM"},
		"0.05 s":                {file: wavFile(tagPCM, 1, 8000, 16, second[:800], 800), code: "empty", says: "короче 0,1"},
		"header only":           {file: wavFile(tagPCM, 1, 8000, 16, nil, 0), code: "empty", says: "короче 0,1"},
		"four hours promised":   {file: wavFile(tagPCM, 1, 8000, 16, second, 4*3600*16000), code: "damaged", says: "0:01 из обещанных 4:00:00"},
		"half of it":            {file: wavFile(tagPCM, 1, 8000, 16, second, 2*len(second)), code: "damaged", says: "0:01 из обещанных 0:02"},
		"half of an mp3":        {file: mp3[:len(mp3)/2], code: "damaged", says: "из обещанных 0:02"},
		"first frame of an mp3": {file: bare[:100], code: "damaged", says: "целого кадра"},
		"cut, under a second":   {file: bare[:216*10+100], code: "damaged", says: "повреждён"},
		"four channels":         {file: wavFile(tagPCM, 4, 8000, 16, second, len(second)), code: "unsupported", says: "4 каналов"},
		"no channels":           {file: wavFile(tagPCM, 0, 8000, 16, second, len(second)), code: "damaged", says: "противоречив"},
		"4 kHz":                 {file: wavFile(tagPCM, 1, 4000, 16, second, len(second)), code: "unsupported", says: "4000 Гц"},
		"192 kHz":               {file: wavFile(tagPCM, 1, 192000, 16, second, len(second)), code: "unsupported", says: "192000 Гц"},
		"64 bit":                {file: wavFile(tagPCM, 1, 8000, 64, second, len(second)), code: "unsupported", says: "64 бит"},
		"not numbers":           {file: wavFile(tagFloat, 1, 8000, 32, nan, len(nan)), code: "damaged", says: "бессмысленные"},
		"nothing but headers":   {file: manyChunks, code: "damaged", says: "нет звука"},
		"huge chunk":            {file: hugeChunk, code: "damaged", says: "нет звука"},
		"data without format":   {file: []byte("RIFF\x00\x00\x00\x00WAVEdata\xff\xff\xff\xff    "), code: "damaged", says: "раньше описания"},
		"cut header":            {file: wavFile(tagPCM, 1, 8000, 16, nil, 0)[:30], code: "damaged", says: "неполон"},
		"too many bytes":        {file: mp3, limits: Limits{Bytes: 1 << 10}, code: "too_large", says: "МБ"},
		"too many minutes":      {file: mp3, limits: Limits{Length: time.Second}, code: "too_long", says: "длиннее"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := decodeBytes(tt.file, "call.mp3", tt.limits)
			wantBad(t, err, tt.code, tt.says)
		})
	}
}

// TestUsable: not as they should be, but good enough.
func TestUsable(t *testing.T) {
	data := sine(2, 8000, 16, 2*time.Second)
	whole := wavFile(tagPCM, 2, 8000, 16, data, len(data))
	mp3 := readFile(t, "testdata/8k-stereo.mp3")
	long := readFile(t, "testdata/8k-long.mp3")
	mono := wavFile(tagPCM, 1, 8000, 16, data, len(data))
	glitch := sine(1, 8000, 32, time.Second)
	copy(glitch[400:], []byte{0, 0, 0xc0, 0x7f})
	var twice []byte
	for i := 0; i < len(data); i += 2 {
		twice = append(twice, data[i], data[i+1], data[i], data[i+1])
	}
	for name, tt := range map[string]struct {
		file      []byte
		name      string
		length    time.Duration
		channels  int
		truncated bool
		misnamed  bool
	}{
		"wav called mp3":       {file: whole, name: "a.mp3?token=x.wav", length: 2 * time.Second, channels: 2, misnamed: true},
		"mp3 called wav":       {file: mp3, name: "a.WAV", length: 2 * time.Second, channels: 2, misnamed: true},
		"no suffix":            {file: mp3, name: "record", length: 2 * time.Second, channels: 2},
		"unknown suffix":       {file: mp3, name: "record.php", length: 2 * time.Second, channels: 2},
		"95 % of a wav":        {file: whole[:44+len(data)*95/100], length: 1900 * time.Millisecond, channels: 2, truncated: true},
		"length still 0":       {file: wavFile(tagPCM, 2, 8000, 16, data, 0), length: 2 * time.Second, channels: 2},
		"length never written": {file: wavFile(tagPCM, 2, 8000, 16, data, 0xffffffff), length: 2 * time.Second, channels: 2},
		"tags behind":          {file: append(append([]byte(nil), whole...), "LIST\x04\x00\x00\x00INFO"...), length: 2 * time.Second, channels: 2},
		"mono":                 {file: mono, length: 4 * time.Second, channels: 1},
		"one sound twice":      {file: wavFile(tagPCM, 2, 8000, 16, twice, len(twice)), length: 4 * time.Second, channels: 1},
		"95 % of an mp3":       {file: long[:len(long)*95/100], length: 28_446 * time.Millisecond, channels: 2, truncated: true},
		"mp3 within wav":       {file: wavFile(tagMP3, 2, 8000, 16, mp3, len(mp3)), length: 2 * time.Second, channels: 2},
		"junk before an mp3":   {file: append(make([]byte, 3000), mp3...), length: 2 * time.Second, channels: 2},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.name == "" {
				tt.name = "call"
			}
			d, err := decodeBytes(tt.file, tt.name, Limits{})
			if err != nil {
				t.Fatal(err)
			}
			r := d.recording
			if diff := (r.Length - tt.length).Abs(); diff > time.Millisecond {
				t.Errorf("length %s, want %s", r.Length, tt.length)
			}
			if r.Channels != tt.channels || len(r.Peaks) != tt.channels || len(d.levels) != tt.channels {
				t.Errorf("%d channels, %d rows of peaks, %d of levels, want %d", r.Channels, len(r.Peaks), len(d.levels), tt.channels)
			}
			if r.Truncated != tt.truncated || r.Misnamed != tt.misnamed {
				t.Errorf("truncated %v, misnamed %v, want %v, %v", r.Truncated, r.Misnamed, tt.truncated, tt.misnamed)
			}
		})
	}
}

// TestLevels: a sine of amplitude 0.5 has -9 dBFS, silence has the floor, and
// direct current is not heard.
func TestLevels(t *testing.T) {
	m := newMeter(11025, 1)
	tone := make([]float32, 11025)
	for i := range tone {
		tone[i] = float32(0.5 * math.Sin(2*math.Pi*1000*float64(i)/11025))
	}
	m.add([][]float32{tone})
	m.add([][]float32{make([]float32, 11025)})
	direct := make([]float32, 11025)
	for i := range direct {
		direct[i] = 0.25
	}
	m.add([][]float32{direct})
	m.finish()
	levels := m.levels()[0]
	if len(levels) != 300 {
		t.Fatalf("%d frames of 3 s", len(levels))
	}
	for _, tt := range []struct {
		frame    int
		from, to float32
	}{{50, -9.5, -8.8}, {150, silence, -119}, {250, silence, -80}} {
		if l := levels[tt.frame]; l < tt.from || l > tt.to {
			t.Errorf("frame %d: %.1f dBFS, want %.1f to %.1f", tt.frame, l, tt.from, tt.to)
		}
	}
}
