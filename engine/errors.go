package engine

import (
	"errors"
	"fmt"
	"time"
)

// Errors that ports return and steps understand.
var (
	ErrNotFound    = errors.New("not found")
	ErrNoRecording = errors.New("the recording is not there yet")
	ErrNoFunds     = errors.New("the wallet cannot hold the price")
	ErrWorkerDied  = errors.New("the worker died")
	ErrAudioGone   = errors.New("the audio file is no longer kept")

	ErrHeldOtherwise = errors.New("the price of other work is held by this key")
)

// BadAudio says that a recording cannot be recognised, in a person's words.
// It ends the call without a charge.
type BadAudio struct {
	Code   string // too_large, too_long, unsupported, empty, damaged, no_speech
	Reason string // Russian, says what to do next
}

func (e *BadAudio) Error() string { return "bad audio: " + e.Code }

// Shortfall is [ErrNoFunds] with the missing sum in the words of the screen (Russian).
type Shortfall struct{ Problem string }

func (e *Shortfall) Error() string { return ErrNoFunds.Error() }

// Is makes it an ErrNoFunds.
func (e *Shortfall) Is(target error) bool { return target == ErrNoFunds }

type later struct {
	err  error
	wait time.Duration
}

func (e *later) Error() string { return e.err.Error() }
func (e *later) Unwrap() error { return e.err }

// Later says "not yet": the job runs again after wait and loses no attempt.
func Later(err error, wait time.Duration) error { return &later{err, wait} }

// LaterWait tells how long a [Later] error asks to wait.
func LaterWait(err error) (time.Duration, bool) {
	var e *later
	if errors.As(err, &e) {
		return e.wait, true
	}
	return 0, false
}

type never struct {
	err     error
	problem string
}

func (e *never) Error() string { return e.err.Error() }
func (e *never) Unwrap() error { return e.err }

// Never gives a call up: its hold is released. problem is what the screen says.
func Never(err error, problem string) error { return &never{err, problem} }

type needsOwner struct {
	err  error
	hint string
}

func (e *needsOwner) Error() string { return fmt.Sprintf("%v (needs a person)", e.err) }
func (e *needsOwner) Unwrap() error { return e.err }

// NeedsOwnerError stops a call until a person acts; hint is what the admin page
// shows (Russian). The hold stays.
func NeedsOwnerError(err error, hint string) error { return &needsOwner{err, hint} }

// OwnerHint tells the hint of a [NeedsOwnerError].
func OwnerHint(err error) (string, bool) {
	var e *needsOwner
	if errors.As(err, &e) {
		return e.hint, true
	}
	return "", false
}
