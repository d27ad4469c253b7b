package whisper

import (
	"errors"
	"log/slog"
	"time"
)

// Rate is the sample rate of the windows, in Hz.
const Rate = 16000

// MaxWindow is the longest window: what the encoder hears at once.
const MaxWindow = 30 * time.Second

// minSamples is the shortest input the library is given; shorter windows are
// filled up with silence, because below one second it may decode nothing.
const minSamples = Rate + Rate/10

// Limits of [Options].
const maxStates = 64

// Errors of [Load] and [Model.Transcribe]. The Russian text is for the owner's
// screen.
var (
	ErrNotBuilt = errors.New("программа собрана без распознавания речи: выполните «make whisper» и «make build» (метка сборки whisper) или установите готовый пакет")
	ErrLoad     = errors.New("модель речи не загрузилась: проверьте файл командой «flysense models verify» и хватает ли памяти")
	ErrLibrary  = errors.New("библиотека whisper.cpp не подходит этой сборке: выполните «make clean-native whisper build»")
)

// Options of [Load]. The zero value recognises on the CPU with one state.
type Options struct {
	States         int    // windows at a time, 1..64; 0 means 1
	GPU            bool   // use a GPU if a plug-in finds one
	Device         int    // which one, counted from 0
	FlashAttention bool   // faster on CPU and GPU alike
	Backends       string // folder of ggml's plug-ins; empty: beside the library

	// Log gets the library's warnings. The library has one log for the whole
	// process, so it belongs to the newest model.
	Log *slog.Logger
}
