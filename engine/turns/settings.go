package turns

import "time"

// Settings of the search. Levels are dBFS of the sound's power without rumble.
type Settings struct {
	MinSpeech time.Duration // less of it in a row is a click
	MinWindow time.Duration // a shorter window is widened: speech engines misread crumbs
	MaxWindow time.Duration // a longer one is cut at its quietest place
	Pause     time.Duration // a shorter silence of one speaker does not end a window
	Pad       time.Duration // kept on both sides of what was found, for soft consonants

	NoiseMargin float32 // dB by which speech stands above the channel's noise
	SpeechRange float32 // dB below the channel's loud speech that still are speech
	Hysteresis  float32 // dB by which speech may fall below the level it began at
	LeakMargin  float32 // dB above the measured leak that a channel's own speech has
}

// Defaults are the settings the tests hold to the figures of the product.
func Defaults() Settings {
	return Settings{
		MinSpeech:   120 * time.Millisecond,
		MinWindow:   400 * time.Millisecond,
		MaxWindow:   28 * time.Second,
		Pause:       800 * time.Millisecond,
		Pad:         150 * time.Millisecond,
		NoiseMargin: 9,
		SpeechRange: 30,
		Hysteresis:  5,
		LeakMargin:  3,
	}
}
