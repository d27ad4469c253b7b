package audio

import (
	"bytes"
	"encoding/binary"
	"io"
	"strings"
	"unicode/utf8"
)

// family is what the bytes of a file are, whatever its name says.
type family string

const (
	familyWAV family = "wav"
	familyMP3 family = "mp3"
)

// headBytes is how much of a file's beginning names its format; an MP3 may
// have that much junk before its first frame.
const headBytes = 64 << 10

// containers are formats known by their first bytes and not read yet.
var containers = []struct {
	offset int
	magic  string
	name   string
}{
	{0, "OggS", "Ogg (Opus, Vorbis)"},
	{0, "fLaC", "FLAC"},
	{4, "ftyp", "M4A/MP4"},
	{0, "#!AMR", "AMR"},
	{0, "#!SILK", "SILK"},
	{0, "\x1aE\xdf\xa3", "WebM"},
	{0, "0&\xb2u\x8ef\xcf\x11", "WMA"},
	{0, "FORM", "AIFF"},
	{0, "caff", "CAF"},
	{0, ".snd", "AU"},
	{0, "RF64", "RF64"},
	{0, "RIFX", "RIFX"},
	{0, "ADIF", "AAC"},
}

// sniff tells WAV and MP3 from everything else by the bytes alone. What is
// neither is a BadAudio that says what it is.
func sniff(r io.ReaderAt, size int64) (family, error) {
	if size == 0 {
		return "", emptyFile()
	}
	head := make([]byte, min(headBytes, size))
	if _, err := io.ReadFull(io.NewSectionReader(r, 0, size), head); err != nil {
		return "", err
	}
	if len(head) >= 12 && string(head[:4]) == "RIFF" && string(head[8:12]) == "WAVE" {
		return familyWAV, nil
	}
	for _, c := range containers {
		if len(head) >= c.offset+len(c.magic) && string(head[c.offset:c.offset+len(c.magic)]) == c.magic {
			return "", unsupported(c.name)
		}
	}
	if what := text(head); what != "" {
		return "", notAudio(what)
	}
	if isMP3(r, size) {
		return familyMP3, nil
	}
	if len(head) >= 2 && head[0] == 0xff {
		switch {
		case head[1]&0xf6 == 0xf0:
			return "", unsupported("AAC")
		case head[1]&0xe0 == 0xe0 && head[1]&0x18 != 0x08 && (head[1]&0x06 == 0x04 || head[1]&0x06 == 0x06):
			return "", unsupported("MPEG Layer I/II")
		}
	}
	return "", notAudio("неизвестные данные")
}

// text names the text a server sends instead of a recording, "" if the bytes
// are none. A page may be in any encoding, so its first sign decides.
func text(head []byte) string {
	start := bytes.TrimSpace(bytes.TrimPrefix(head[:min(len(head), 512)], []byte("\ufeff")))
	switch {
	case len(start) == 0:
		return "пустой текст"
	case len(start) > 1 && start[0] == '<' && (isLetter(start[1]) || start[1] == '!' || start[1] == '?'):
		return "веб-страница"
	case bytes.ContainsFunc(start, isControl):
		return ""
	case start[0] == '{', start[0] == '[':
		return "ответ сервера (JSON)"
	case utf8.Valid(start[:len(start)/2]) || utf8.Valid(start[:len(start)/2+1]): // the sample's end may cut a letter
		return "текст"
	}
	return ""
}

func isLetter(b byte) bool  { return b|0x20 >= 'a' && b|0x20 <= 'z' }
func isControl(r rune) bool { return r < ' ' && r != '\t' && r != '\n' && r != '\r' }

// isMP3 looks for frames that follow one another: the eleven bits a frame
// begins with stand in any noise.
func isMP3(r io.ReaderAt, size int64) bool {
	_, _, ok := firstFrame(r, size)
	return ok
}

// suffixes are file names' endings that promise a format.
var suffixes = map[string]family{
	".wav": familyWAV, ".wave": familyWAV, ".mp3": familyMP3,
	".ogg": "ogg", ".oga": "ogg", ".opus": "ogg", ".flac": "flac", ".m4a": "mp4", ".mp4": "mp4", ".aac": "aac",
	".amr": "amr", ".wma": "wma", ".gsm": "gsm", ".webm": "webm", ".aiff": "aiff", ".aif": "aiff",
}

// misnamed reports whether the name promises another format. A name without a
// known ending promises nothing.
func misnamed(name string, is family) bool {
	if i := strings.IndexAny(name, "?#"); i >= 0 {
		name = name[:i]
	}
	dot := strings.LastIndexByte(name, '.')
	if dot < 0 {
		return false
	}
	promised, known := suffixes[strings.ToLower(name[dot:])]
	return known && promised != is
}

func le16(b []byte) int { return int(binary.LittleEndian.Uint16(b)) }
func le32(b []byte) int { return int(binary.LittleEndian.Uint32(b)) }
func be32(b []byte) int { return int(binary.BigEndian.Uint32(b)) }
