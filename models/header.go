package models

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"os"
)

// Magic begins every file in whisper.cpp's ggml format.
const Magic = 0x67676d6c

// Limits of what a model file may claim; the largest real model stays well
// below each of them.
const (
	maxWords   = 100_000
	maxWordLen = 1 << 10
	maxTensors = 10_000
	maxNameLen = 256
	maxSide    = 1 << 20 // of one tensor dimension
)

// BadFile says why a file is no usable speech model, in a person's words.
type BadFile struct {
	File   string
	Reason string // Russian
}

func (e *BadFile) Error() string { return fmt.Sprintf("bad model file %s: %s", e.File, e.Reason) }

// Header is what a model file says about itself.
type Header struct {
	Vocabulary   int32
	AudioContext int32
	AudioState   int32
	AudioHeads   int32
	AudioLayers  int32
	TextContext  int32
	TextState    int32
	TextHeads    int32
	TextLayers   int32
	Mels         int32
	Type         int32 // ggml's number of the weights' format
}

// Inspect reads a model file's structure from end to end, without its weights:
// header, vocabulary, and the place of every tensor. A file that is cut short,
// or is something else, is a *[BadFile]; so a model can be judged even where
// no checksum is known.
func Inspect(path string) (Header, error) {
	file, err := os.Open(path)
	if err != nil {
		return Header{}, fmt.Errorf("open model: %w", err)
	}
	defer file.Close() //nolint:errcheck // only read
	info, err := file.Stat()
	if err != nil {
		return Header{}, fmt.Errorf("open model: %w", err)
	}
	if !info.Mode().IsRegular() {
		return Header{}, &BadFile{info.Name(), "это не обычный файл"}
	}
	r := &reader{Reader: bufio.NewReaderSize(file, 64<<10), left: info.Size()}
	h, reason := inspect(r)
	if reason != "" {
		return h, &BadFile{info.Name(), reason}
	}
	return h, nil
}

const cutShort = "файл оборван; скопируйте или загрузите его заново"

// inspect returns the header and, for a bad file, the reason.
func inspect(r *reader) (Header, string) {
	var h Header
	var magic uint32
	if !r.read(&magic) || magic != Magic {
		return h, "это не модель whisper.cpp в формате ggml"
	}
	if !r.read(&h) {
		return h, cutShort
	}
	if reason := h.strange(); reason != "" {
		return h, reason
	}
	var mels, bins int32
	if !r.read(&mels) || !r.read(&bins) {
		return h, cutShort
	}
	if mels != h.Mels || bins < 1 || bins > 4096 {
		return h, "заголовок модели противоречит сам себе"
	}
	if !r.skip(int64(mels) * int64(bins) * 4) {
		return h, cutShort
	}
	if reason := vocabulary(r); reason != "" {
		return h, reason
	}
	return h, tensors(r)
}

func (h Header) strange() string {
	for _, f := range []struct {
		value, low, high int32
	}{
		{h.Vocabulary, 50_000, maxWords},
		{h.AudioContext, 1, 1500}, {h.AudioState, 32, 4096}, {h.AudioHeads, 1, 64}, {h.AudioLayers, 1, 128},
		{h.TextContext, 1, 4096}, {h.TextState, 32, 4096}, {h.TextHeads, 1, 64}, {h.TextLayers, 1, 128},
		{h.Mels, 40, 256},
	} {
		if f.value < f.low || f.value > f.high {
			return "заголовок модели испорчен"
		}
	}
	if h.AudioState%h.AudioHeads != 0 || h.TextState%h.TextHeads != 0 || h.AudioState != h.TextState {
		return "заголовок модели испорчен"
	}
	return ""
}

func vocabulary(r *reader) string {
	var words int32
	if !r.read(&words) {
		return cutShort
	}
	if words < 1 || words > maxWords {
		return "словарь модели испорчен"
	}
	for range words {
		var n uint32
		if !r.read(&n) {
			return cutShort
		}
		if n > maxWordLen {
			return "словарь модели испорчен"
		}
		if !r.skip(int64(n)) {
			return cutShort
		}
	}
	return ""
}

// tensors walks to the end of the file.
func tensors(r *reader) string {
	count := 0
	for ; r.left > 0; count++ {
		if count == maxTensors {
			return "в модели слишком много таблиц"
		}
		var head struct{ Dims, NameLen, Type int32 }
		if !r.read(&head) {
			return cutShort
		}
		format, known := formats[head.Type]
		if head.Dims < 1 || head.Dims > 4 || head.NameLen < 1 || head.NameLen > maxNameLen || !known {
			return "веса модели испорчены или в неизвестном формате"
		}
		elements := int64(1)
		for range head.Dims {
			var side int32
			if !r.read(&side) {
				return cutShort
			}
			if side < 1 || side > maxSide || elements > 1<<40/int64(side) {
				return "веса модели испорчены"
			}
			elements *= int64(side)
		}
		if elements%format.block != 0 {
			return "веса модели испорчены"
		}
		if !r.skip(int64(head.NameLen) + elements/format.block*format.bytes) {
			return cutShort
		}
	}
	if count == 0 {
		return "в файле нет весов: это заготовка для проверок, а не модель"
	}
	return ""
}

// formats are ggml's tensor types: bytes per block of elements.
var formats = map[int32]struct{ block, bytes int64 }{
	0: {1, 4}, 1: {1, 2}, // f32, f16
	2: {32, 18}, 3: {32, 20}, 6: {32, 22}, 7: {32, 24}, 8: {32, 34}, // q4_0 q4_1 q5_0 q5_1 q8_0
	10: {256, 84}, 11: {256, 110}, 12: {256, 144}, 13: {256, 176}, 14: {256, 210}, // q2_K ... q6_K
}

// reader counts what is left, so that a claim larger than the file is seen
// before anything is read.
type reader struct {
	*bufio.Reader
	left int64
}

func (r *reader) read(v any) bool {
	size := int64(binary.Size(v))
	if size > r.left {
		return false
	}
	r.left -= size
	return binary.Read(r.Reader, binary.LittleEndian, v) == nil
}

func (r *reader) skip(n int64) bool {
	if n > r.left {
		return false
	}
	r.left -= n
	_, err := io.CopyN(io.Discard, r.Reader, n)
	return err == nil
}
