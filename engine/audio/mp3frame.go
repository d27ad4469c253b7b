package audio

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// frameHeader is the first four bytes of an MPEG Layer III frame.
type frameHeader struct {
	version  int // 1, 2, 25 (MPEG-2.5: 8, 11.025 and 12 kHz)
	rate     int // Hz
	channels int
	bytes    int // of the whole frame
	samples  int // per channel
	crc      bool
}

const (
	headerBytes = 4
	sureFrames  = 4 // frames in a row that are no accident
)

var bitrates = map[bool][16]int{ // kbit/s by "is MPEG-1"; 0 is free format, which telephony does not write
	true:  {0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0},
	false: {0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0},
}

func parseHeader(b []byte) (frameHeader, bool) {
	if len(b) < headerBytes || b[0] != 0xff || b[1]&0xe6 != 0xe2 { // eleven sync bits, Layer III
		return frameHeader{}, false
	}
	h := frameHeader{crc: b[1]&1 == 0, channels: 2}
	divide := 1
	switch b[1] >> 3 & 3 {
	case 3:
		h.version, h.samples = 1, 1152
	case 2:
		h.version, h.samples, divide = 2, 576, 2
	case 0:
		h.version, h.samples, divide = 25, 576, 4
	default:
		return frameHeader{}, false
	}
	kbit, rate := bitrates[h.version == 1][b[2]>>4], b[2]>>2&3
	if kbit == 0 || rate == 3 {
		return frameHeader{}, false
	}
	h.rate = [3]int{44_100, 48_000, 32_000}[rate] / divide
	if b[3]>>6 == 3 {
		h.channels = 1
	}
	h.bytes = h.samples/8*kbit*1000/h.rate + int(b[2]>>1&1)
	return h, true
}

// fits reports whether two frames may stand in one stream.
func (h frameHeader) fits(o frameHeader) bool {
	return h.version == o.version && h.rate == o.rate && h.channels == o.channels
}

// sideInfo is where the frame's data begins: a Xing header stands there.
func (h frameHeader) sideInfo() int {
	at := headerBytes
	switch {
	case h.version == 1 && h.channels == 2:
		at += 32
	case h.version == 1 || h.channels == 2:
		at += 17
	default:
		at += 9
	}
	return at
}

// firstFrame finds where the frames begin, behind ID3v2 tags and a little junk.
func firstFrame(r io.ReaderAt, size int64) (at int64, h frameHeader, ok bool) {
	at = skipID3(r, size)
	head := make([]byte, max(0, min(headBytes, size-at)))
	n, err := r.ReadAt(head, at)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, h, false
	}
	head = head[:n]
	for i := range head {
		h, ok = parseHeader(head[i:])
		if !ok {
			continue
		}
		if follow(r, size, at+int64(i), h, i == 0) {
			return at + int64(i), h, true
		}
	}
	return 0, h, false
}

// follow reports whether frames of one stream stand one after another at an
// offset. At the start of the file the stream may be as short as it likes;
// behind junk only a full row of frames is believed.
func follow(r io.ReaderAt, size, at int64, first frameHeader, atStart bool) bool {
	h := first
	for range sureFrames - 1 {
		at += int64(h.bytes)
		var b [headerBytes]byte
		n, err := r.ReadAt(b[:], min(at, size))
		if err != nil && !errors.Is(err, io.EOF) {
			return false
		}
		if n < headerBytes || string(b[:3]) == "TAG" || string(b[:3]) == "APE" {
			return atStart
		}
		var ok bool
		if h, ok = parseHeader(b[:]); !ok || !h.fits(first) {
			return false
		}
	}
	return true
}

// skipID3 returns the offset behind the tags at the file's start. Their length
// is the file's own word, so it may point behind the end.
func skipID3(r io.ReaderAt, size int64) int64 {
	var at int64
	for range maxChunks {
		var b [10]byte
		if _, err := r.ReadAt(b[:], at); err != nil || string(b[:3]) != "ID3" {
			break
		}
		at += 10 + int64(b[6]&127)<<21 + int64(b[7]&127)<<14 + int64(b[8]&127)<<7 + int64(b[9]&127)
		if b[5]&0x10 != 0 {
			at += 10 // a footer repeats the header
		}
	}
	return min(at, size)
}

// frames reads the frames of one stream and steps over whatever stands between
// them.
type frames struct {
	r      *bufio.Reader
	first  frameHeader
	synced bool // the last frame ended where the reader stands
	cut    bool // the file ends inside a frame
}

func newFrames(r io.ReaderAt, size, at int64, first frameHeader) *frames {
	return &frames{r: bufio.NewReaderSize(io.NewSectionReader(r, at, size-at), headBytes), first: first, synced: true}
}

// next returns a frame, valid until the next call, or io.EOF.
func (f *frames) next() ([]byte, error) {
	for {
		head, err := f.r.Peek(headerBytes)
		if len(head) < headerBytes {
			return nil, err
		}
		if h, ok := parseHeader(head); ok && h.fits(f.first) {
			b, err := f.r.Peek(h.bytes + headerBytes)
			if err != nil && !errors.Is(err, io.EOF) {
				return nil, err
			}
			switch next, ok := parseHeader(b[min(len(b), h.bytes):]); {
			case len(b) < h.bytes && f.synced:
				f.cut = true
				return nil, io.EOF
			case len(b) < h.bytes:
			case f.synced, ok && next.fits(f.first), len(b) == h.bytes:
				f.synced = true
				_, err = f.r.Discard(h.bytes)
				return b[:h.bytes], err
			}
		}
		f.synced = false
		if err := f.toSync(); err != nil {
			return nil, err
		}
	}
}

// toSync moves at least one byte on, to where a header may begin.
func (f *frames) toSync() error {
	b, err := f.r.Peek(max(2, f.r.Buffered()))
	if len(b) < 2 {
		return err
	}
	skip := bytes.IndexByte(b[1:], 0xff)
	if skip < 0 {
		skip = len(b) - 1
	}
	_, err = f.r.Discard(skip + 1)
	return err
}
