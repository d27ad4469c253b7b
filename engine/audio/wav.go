package audio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// WAVE format tags.
const (
	tagPCM        = 0x0001
	tagFloat      = 0x0003
	tagALaw       = 0x0006
	tagMuLaw      = 0x0007
	tagMP3        = 0x0055
	tagExtensible = 0xfffe
)

// foreignTags are formats named in the refusal.
var foreignTags = map[int]string{
	0x0002: "WAV MS ADPCM", 0x0011: "WAV IMA ADPCM", 0x0031: "WAV GSM 6.10", 0x0040: "WAV G.721",
	0x0045: "WAV G.726", 0x0050: "WAV MPEG", 0x0064: "WAV G.726", 0x0083: "WAV G.729", 0x0161: "WAV WMA",
}

// guidTail ends every WAVE_FORMAT_EXTENSIBLE subformat that stands for a tag.
const guidTail = "\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71"

// maxChunks bounds the walk through a file that is nothing but headers.
const maxChunks = 256

// wav reads samples of a fixed width.
type wav struct {
	r        io.Reader
	channels int
	width    int // bytes per sample
	decode   func([]byte) float32
	buf      []byte
}

func openWAV(r io.ReaderAt, size int64) (*source, error) {
	var format []byte
	at := int64(12)
	for range maxChunks {
		var head [8]byte
		if at+8 > size {
			return nil, damaged("в файле нет звука")
		}
		if _, err := r.ReadAt(head[:], at); err != nil {
			return nil, err
		}
		at += 8
		id, length := string(head[:4]), int64(le32(head[4:]))
		switch id {
		case "fmt ":
			if length < 16 || at+16 > size {
				return nil, damaged("заголовок WAV неполон")
			}
			format = make([]byte, min(length, 40, size-at))
			if _, err := r.ReadAt(format, at); err != nil {
				return nil, err
			}
		case "data":
			if format == nil {
				return nil, damaged("данные WAV стоят раньше описания")
			}
			return openData(r, format, at, length, size)
		}
		at += length + length&1 // chunks begin at even offsets
	}
	return nil, damaged("в файле нет звука")
}

// openData reads the data chunk at an offset. Recorders that write as the call
// goes leave 0 or the largest number for its length: then it reaches to the end.
func openData(r io.ReaderAt, format []byte, at, length, size int64) (*source, error) {
	tag, channels, rate := le16(format), le16(format[2:]), le32(format[4:])
	align, bits := le16(format[12:]), le16(format[14:])
	if tag == tagExtensible {
		if len(format) < 40 || string(format[26:40]) != guidTail {
			return nil, unsupported("WAV extensible")
		}
		tag = le16(format[24:])
	}
	there := size - at
	if length == 0 || length >= math.MaxUint32-1 {
		length = there
	}
	if tag == tagMP3 {
		s, err := openMP3(io.NewSectionReader(r, at, min(length, there)), min(length, there))
		if err == nil {
			s.format = "wav " + s.format
		}
		return s, err
	}
	if channels < 1 || align%channels != 0 || rate == 0 {
		return nil, damaged("заголовок WAV противоречив")
	}
	width := align / channels
	decode, name := sampleDecoder(tag, width, bits)
	if name == "" {
		if known := foreignTags[tag]; known != "" {
			return nil, unsupported(known)
		}
		return nil, unsupported(fmt.Sprintf("WAV 0x%04x, %d бит", tag, bits))
	}
	frames := min(length, there) / int64(align)
	return &source{
		stream: &wav{
			r:        io.NewSectionReader(r, at, frames*int64(align)),
			channels: channels, width: width, decode: decode,
		},
		format: "wav " + name, rate: rate, channels: channels,
		declared: length / int64(align),
	}, nil
}

// sampleDecoder returns how a sample becomes -1..1 and the name of the format,
// "" for one that is not read here.
func sampleDecoder(tag, width, bits int) (func([]byte) float32, string) {
	switch {
	case tag == tagFloat && width == 4 && bits == 32:
		return func(b []byte) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(b)) }, "float 32"
	case tag == tagALaw && width == 1:
		return func(b []byte) float32 { return aLaw(b[0]) }, "A-law"
	case tag == tagMuLaw && width == 1:
		return func(b []byte) float32 { return muLaw(b[0]) }, "µ-law"
	case tag != tagPCM || bits > 8*width || bits <= 8*(width-1):
		return nil, ""
	}
	name := fmt.Sprintf("PCM %d", bits)
	switch width {
	case 1:
		return func(b []byte) float32 { return (float32(b[0]) - 128) / 128 }, name
	case 2:
		return fromPCM16, name
	case 3:
		return fromPCM24, name
	case 4:
		return fromPCM32, name
	}
	return nil, ""
}

func (w *wav) read(dst [][]float32) (int, error) {
	align := w.width * w.channels
	if need := len(dst[0]) * align; cap(w.buf) < need {
		w.buf = make([]byte, need)
	}
	n, err := io.ReadFull(w.r, w.buf[:len(dst[0])*align])
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	n /= align
	for c := range w.channels {
		for i := range n {
			dst[c][i] = w.decode(w.buf[i*align+c*w.width:])
		}
	}
	return n, err
}
