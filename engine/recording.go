package engine

import "time"

// Recording is what the decode worker found out about a call's audio. Lengths
// are those of decoded samples, never of a header.
type Recording struct {
	CallID    string
	Bytes     int64
	SHA256    string
	Format    string // "mp3 MPEG-2.5", "wav PCM 16"
	Rate      int    // Hz, of the source
	Channels  int
	Length    time.Duration
	Truncated bool      // the file ends before its header says it would; what was decoded is used
	Misnamed  bool      // the link's suffix promises another format
	Peaks     [][]uint8 // per channel, at most PeakBuckets values 0..255 for the player's waveform
	FetchedAt time.Time
	KeptUntil time.Time // the audio file is deleted after this; the text stays
	Gone      bool      // the audio file has been deleted
}

// PeakBuckets is the largest number of waveform values kept per channel.
const PeakBuckets = 2000

// Window is a stretch of one channel that goes to the speech engine in one
// piece. Start and End are times of the call.
type Window struct {
	Index   int // position in the call's list of windows
	Channel int
	Start   time.Duration
	End     time.Duration
}

// Samples are mono samples of one window, -1..1, at Rate Hz.
type Samples struct {
	Rate int
	PCM  []float32
}
