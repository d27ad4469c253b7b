package engine

import (
	"context"
	"database/sql"
	"io"
	"time"
)

// Store keeps calls. Methods that take a transaction belong to the step's one
// commit; the others read. Not found is [ErrNotFound].
type Store interface {
	// Tx runs fn in one immediate transaction and commits if it returns nil.
	Tx(ctx context.Context, fn func(tx *sql.Tx) error) error

	Call(ctx context.Context, id string) (Call, error)
	Recording(ctx context.Context, callID string) (Recording, error)
	Transcript(ctx context.Context, callID string) (Transcript, error)
	Analysis(ctx context.Context, callID string) (Analysis, error) // with the edits applied
	Notes(ctx context.Context, callID string) ([]Note, error)
	Windows(ctx context.Context, callID string) ([]Window, error)
	Heard(ctx context.Context, callID string) ([]Heard, error) // finished windows only
	Mark(ctx context.Context, connectionID string) (string, error)

	CallTx(ctx context.Context, tx *sql.Tx, id string) (Call, error)
	NoteTx(ctx context.Context, tx *sql.Tx, connectionID, outsideID string) (Note, error)
	CallByKey(ctx context.Context, tx *sql.Tx, connectionID, key string) (Call, error)
	AddCall(ctx context.Context, tx *sql.Tx, c Call) error
	SaveCall(ctx context.Context, tx *sql.Tx, c Call) error // everything but identity; writes the history when State, Step or Problem changed
	DeleteCall(ctx context.Context, tx *sql.Tx, id string) error
	SaveNote(ctx context.Context, tx *sql.Tx, n Note) error
	SaveMark(ctx context.Context, tx *sql.Tx, connectionID, mark string) error
	SaveRecording(ctx context.Context, tx *sql.Tx, r Recording, windows []Window) error // forgets what was heard before
	KeepRecording(ctx context.Context, tx *sql.Tx, r Recording) error                   // a file brought back: size, times, not gone; what was heard stays
	SaveHeard(ctx context.Context, tx *sql.Tx, callID string, h Heard) error
	SaveTranscript(ctx context.Context, tx *sql.Tx, t Transcript) error
	SaveAnalysis(ctx context.Context, tx *sql.Tx, a Analysis) error
	SaveEdit(ctx context.Context, tx *sql.Tx, e Edit) error

	// Expired names at most limit calls whose audio is kept past its time.
	Expired(ctx context.Context, now time.Time, limit int) ([]string, error)
	SetGone(ctx context.Context, tx *sql.Tx, callID string) error
}

// Audio keeps the recordings' files.
type Audio interface {
	// Save stores the recording of a call, at most limit bytes, and returns
	// its size and SHA-256 in hex. A longer one is a *BadAudio.
	Save(ctx context.Context, callID string, from io.Reader, limit int64) (size int64, sha string, err error)
	// Path returns the file, or ErrAudioGone.
	Path(ctx context.Context, callID string) (string, error)
	Remove(ctx context.Context, callID string) error
}

// Job is one piece of work in a lane. A detect job names a connection and may
// carry a span of the archive; the others name a call.
type Job struct {
	Step         Step
	CallID       string
	ConnectionID string
	From, To     time.Time // of an archive search; zero for the newest calls
	Run          int       // of the call; a job of an earlier run has nothing to do any more
	AudioOnly    bool      // of a fetch: bring the file back for the player, leave the rest as it is
	Priority     Priority
}

// Jobs lines up work.
type Jobs interface {
	// Add lines a job up in tx; a job of the same step and run of the call
	// that still waits is due now instead, and moves forward if the new one is
	// more urgent.
	Add(ctx context.Context, tx *sql.Tx, j Job) error
	// Complete ends the job that ctx belongs to in the transaction of its
	// result; outside a job it does nothing.
	Complete(ctx context.Context, tx *sql.Tx) error
	// Withdraw takes the waiting jobs of a call back in tx.
	Withdraw(ctx context.Context, tx *sql.Tx, callID string) error
	// Interrupt cancels the context of the call's running job, if there is one.
	Interrupt(callID string)
}

// Finder reads call records of a connection. An empty mark means "from now".
type Finder interface {
	// Find returns the records changed since mark and the mark for next time.
	// Access that a person must renew is a NeedsOwnerError.
	Find(ctx context.Context, connectionID, mark string) (found []Sighting, next string, err error)
	// Archive returns the records of calls between two times, oldest first.
	Archive(ctx context.Context, connectionID string, from, to time.Time) ([]Sighting, error)
	Settings(ctx context.Context, connectionID string) (Settings, error)
}

// Source hands over the recording of a call.
type Source interface {
	// Open returns ErrNoRecording while the phone system is still saving the
	// file; the engine asks again later.
	Open(ctx context.Context, c Call) (io.ReadCloser, error)
}

// Sink writes results into the card a note stands in.
type Sink interface {
	// WriteNote makes a new note and returns its id. An error leaves open
	// whether it was made; FindNote tells.
	WriteNote(ctx context.Context, n Note, text string) (resultID string, err error)
	// UpdateNote changes the text of a note written before.
	UpdateNote(ctx context.Context, n Note, text string) error
	// FindNote looks through the card's notes for one of ours with the marker;
	// ErrNotFound if there is none.
	FindNote(ctx context.Context, n Note, marker string) (resultID string, err error)
}

// Decoder turns a file into samples, in a process of its own.
type Decoder interface {
	// Inspect decodes the whole file for its exact length, peaks and speech
	// windows, and keeps no samples. name is the link's last part, for the
	// remark that a file is not what its suffix says. Unusable audio is a *BadAudio.
	Inspect(ctx context.Context, path, name string) (Recording, []Window, error)
	// Open decodes the file for reading windows out of it, resampled to rate.
	Open(ctx context.Context, path string, rate int) (PCM, error)
}

// PCM is decoded audio that gives out windows.
type PCM interface {
	Read(w Window) (Samples, error)
	Close() error
}

// Transcriber is a speech engine: windows in, timed text out.
type Transcriber interface {
	// Model tells what recognises. It waits for a worker that is starting.
	Model(ctx context.Context) (Model, error)
	// Transcribe returns what was said in one window, times relative to it.
	// ErrWorkerDied if the process that did it died or was killed.
	Transcribe(ctx context.Context, s Samples, language string) ([]Segment, error)
}

// Model describes a loaded speech model.
type Model struct {
	Name      string
	Rate      int           // Hz the engine wants
	MaxWindow time.Duration // longest window it takes
	Languages []string      // ISO 639-1
	Demo      bool          // the demonstration model: not for real calls
}

// Analyst understands a transcript.
type Analyst interface {
	Analyse(ctx context.Context, t Transcript) (Analysis, error)
	// Charges reports whether its summary costs the tariff's summary price.
	Charges() bool
}

// Till is the money of a call. Key names the run of a call; asking twice with
// one key changes nothing.
type Till interface {
	// Hold reserves the full price; ErrNoFunds if the wallet has less,
	// ErrHeldOtherwise if key holds the price of other work.
	Hold(ctx context.Context, tx *sql.Tx, key string, length time.Duration, summary bool) error
	// Capture spends what was really done and releases the rest.
	Capture(ctx context.Context, tx *sql.Tx, key string, length time.Duration, summary bool) error
	// Release gives an open hold back; without one it does nothing.
	Release(ctx context.Context, tx *sql.Tx, key, reason string) error
}
