//go:build whisper

package whisper

// #cgo pkg-config: flysense-whisper
// #cgo CFLAGS: -O2 -Wall
// #include <stdlib.h>
// #include <whisper.h>
// #include "bridge.h"
import "C"

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"flysense/engine"
)

// Oldest library whose states, parameters and plug-ins were tried.
const (
	minMajor = 1
	minMinor = 9
)

// Model is a loaded model with its pool of states. Its methods may be called
// from several goroutines.
type Model struct {
	ctx       *C.struct_whisper_context
	about     engine.Model
	backend   string
	device    string
	languages map[string]bool
	states    int
	free      chan *state
	closing   chan struct{}
	closeOnce sync.Once
}

// state is a C state with the integer that stops it. c is nil when the library
// freed it after an error; the next user makes a new one.
type state struct {
	c    *C.struct_whisper_state
	stop *C.int32_t
}

var errClosed = errors.New("the speech model is closed")

// The library has one log and one set of plug-ins per process.
var (
	startOnce sync.Once
	logTo     atomic.Pointer[slog.Logger]
	gpuFailed atomic.Bool
)

//export fsLog
func fsLog(isError C.int, text *C.char) {
	line := strings.TrimSpace(C.GoString(text))
	if line == "" || strings.HasSuffix(line, "failed to encode") || strings.HasSuffix(line, "failed to decode") {
		return // every cancelled window says so; real failures are Transcribe's error
	}
	if strings.Contains(line, "failed to initialize") {
		gpuFailed.Store(true)
	}
	log := logTo.Load()
	if log == nil {
		return
	}
	if isError != 0 {
		log.Error("whisper.cpp", "line", line)
		return
	}
	log.Warn("whisper.cpp", "line", line)
}

// Load reads a model in whisper.cpp's format and makes all its states, so that
// memory that is missing is missing now. The error wraps [ErrLibrary] or
// [ErrLoad].
func Load(path string, o Options) (*Model, error) {
	if o.States == 0 {
		o.States = 1
	}
	if o.States < 1 || o.States > maxStates {
		return nil, fmt.Errorf("load speech model: %d states, allowed are 1..%d", o.States, maxStates)
	}
	if o.Log != nil {
		logTo.Store(o.Log)
	}
	if err := checkLibrary(); err != nil {
		return nil, err
	}
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrLoad, err)
	}
	startOnce.Do(func() {
		dir := o.Backends
		if dir == "" {
			dir = besideLibrary()
		}
		var c *C.char
		if dir != "" {
			c = C.CString(dir)
			defer C.free(unsafe.Pointer(c))
		}
		C.fs_start(c)
	})

	gpuFailed.Store(false)
	file := C.CString(path)
	defer C.free(unsafe.Pointer(file))
	ctx := C.fs_load(file, C.bool(o.GPU), C.int(o.Device), C.bool(o.FlashAttention))
	if ctx == nil {
		return nil, fmt.Errorf("%w: %s", ErrLoad, path)
	}
	m := &Model{
		ctx:       ctx,
		languages: make(map[string]bool),
		free:      make(chan *state, o.States),
		closing:   make(chan struct{}),
	}
	m.about = engine.Model{Name: filepath.Base(path), Rate: Rate, MaxWindow: MaxWindow, Languages: languagesOf(ctx)}
	for _, l := range m.about.Languages {
		m.languages[l] = true
	}
	for range o.States {
		s := &state{c: C.whisper_init_state(ctx), stop: (*C.int32_t)(C.calloc(1, C.sizeof_int32_t))}
		m.free <- s
		m.states++
		if s.c == nil || s.stop == nil {
			return nil, errors.Join(fmt.Errorf("%w: no memory for %d states", ErrLoad, o.States), m.Close())
		}
	}
	m.backend, m.device = deviceOf(o.GPU && !gpuFailed.Load(), o.Device)
	return m, nil
}

// checkLibrary refuses a library that is too old or laid out otherwise than
// the headers of this build.
func checkLibrary() error {
	version := C.GoString(C.whisper_version())
	if !newEnough(version, minMajor, minMinor) {
		return fmt.Errorf("%w: version %s is older than %d.%d", ErrLibrary, version, minMajor, minMinor)
	}
	if wrong := C.fs_check(); wrong != nil {
		return fmt.Errorf("%w: version %s, %s", ErrLibrary, version, C.GoString(wrong))
	}
	return nil
}

func newEnough(version string, major, minor int) bool {
	parts := strings.SplitN(strings.TrimPrefix(version, "v"), ".", 3)
	if len(parts) < 2 {
		return false
	}
	a, err := strconv.Atoi(parts[0])
	if err != nil {
		return false
	}
	digits := strings.IndexFunc(parts[1], func(r rune) bool { return r < '0' || r > '9' })
	if digits < 0 {
		digits = len(parts[1])
	}
	b, err := strconv.Atoi(parts[1][:digits])
	return err == nil && (a > major || a == major && b >= minor)
}

// besideLibrary finds the folder of plug-ins next to the library in use, or "".
func besideLibrary() string {
	file := C.fs_library_path()
	if file == nil {
		return ""
	}
	found, err := filepath.Glob(filepath.Join(filepath.Dir(C.GoString(file)), "ggml", "backends*"))
	if err != nil || len(found) == 0 {
		return ""
	}
	return found[len(found)-1]
}

func languagesOf(ctx *C.struct_whisper_context) []string {
	if C.whisper_is_multilingual(ctx) == 0 {
		return []string{"en"}
	}
	var out []string
	for id := range C.whisper_lang_max_id() + 1 {
		if s := C.whisper_lang_str(id); s != nil {
			out = append(out, C.GoString(s))
		}
	}
	return out
}

func deviceOf(gpu bool, device int) (backend, name string) {
	var n, d *C.char
	C.fs_device(C.bool(gpu), C.int(device), &n, &d) //nolint:gocritic // it looks at generated code
	return C.GoString(n), C.GoString(d)
}

// Model describes the model. Whether it is the demonstration model is not
// known here.
func (m *Model) Model() engine.Model { return m.about }

// Device names the backend that computes ("CPU", "Vulkan0", "CUDA0") and the
// hardware under it.
func (m *Model) Device() (backend, name string) { return m.backend, m.device }

// Version is that of the library.
func (m *Model) Version() string { return C.GoString(C.whisper_version()) }

// Transcribe returns what was said in one window, times relative to it. It
// waits for a free state. When ctx ends it returns ctx's error after the pass of
// the encoder or the token it is at. Silence gives nothing.
func (m *Model) Transcribe(ctx context.Context, s engine.Samples, language string) ([]engine.Segment, error) {
	if len(s.PCM) == 0 {
		return nil, nil
	}
	length := time.Duration(len(s.PCM)) * time.Second / Rate
	switch {
	case s.Rate != Rate:
		return nil, fmt.Errorf("transcribe: %d Hz, the model wants %d", s.Rate, Rate)
	case length > MaxWindow:
		return nil, fmt.Errorf("transcribe: a window of %v, the longest is %v", length, MaxWindow)
	case !m.languages[language]:
		return nil, fmt.Errorf("transcribe: the model knows no language %q", language)
	}
	pcm := s.PCM
	if len(pcm) < minSamples {
		pcm = make([]float32, minSamples)
		copy(pcm, s.PCM)
	}
	st, err := m.take(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { m.free <- st }()
	raw, err := m.run(ctx, st, pcm, language)
	if err != nil {
		return nil, err
	}
	segments, err := decode(raw, length)
	if err != nil {
		return nil, fmt.Errorf("transcribe: %w", err)
	}
	return segments, nil
}

func (m *Model) take(ctx context.Context) (*state, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case <-m.closing:
		return nil, errClosed
	default:
	}
	select {
	case st := <-m.free:
		return st, nil
	case <-m.closing:
		return nil, errClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (m *Model) run(ctx context.Context, st *state, pcm []float32, language string) ([]byte, error) {
	if st.c == nil {
		if st.c = C.whisper_init_state(m.ctx); st.c == nil {
			return nil, errors.New("transcribe: no memory for a state")
		}
	}
	lang := C.CString(language)
	defer C.free(unsafe.Pointer(lang))
	flag := (*int32)(unsafe.Pointer(st.stop))
	atomic.StoreInt32(flag, 0)
	set := make(chan struct{})
	undo := context.AfterFunc(ctx, func() {
		atomic.StoreInt32(flag, 1)
		close(set)
	})
	var out *C.uchar
	var size C.size_t
	rc := C.fs_run(m.ctx, st.c, (*C.float)(&pcm[0]), C.int(len(pcm)), lang, st.stop, &out, &size) //nolint:gocritic // it looks at generated code
	if !undo() {
		<-set // a late flag must not stop the state's next window
	}
	if rc == C.FS_STATE_LOST {
		st.c = nil
	}
	switch {
	case rc == 0 && size > 1<<30:
		C.free(unsafe.Pointer(out))
		return nil, errResult
	case rc == 0:
		defer C.free(unsafe.Pointer(out))
		return C.GoBytes(unsafe.Pointer(out), C.int(size)), nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	}
	return nil, fmt.Errorf("transcribe: whisper.cpp gave up with code %d", int(rc))
}

// Close waits for the windows in work and frees the model.
func (m *Model) Close() error {
	m.closeOnce.Do(func() {
		close(m.closing)
		for range m.states {
			st := <-m.free
			if st.c != nil {
				C.whisper_free_state(st.c)
			}
			C.free(unsafe.Pointer(st.stop))
		}
		C.whisper_free(m.ctx)
	})
	return nil
}
