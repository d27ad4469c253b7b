package engine

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path"
	"strings"
	"time"
)

// MaxRecording is the largest recording taken, in bytes. It is counted while
// the file streams in: a header may say anything.
const MaxRecording = 512 << 20

// recordingLate is how long after a call its recording may still appear; phone
// systems save within minutes, some within a day (contracts/amocrm.md 2.14).
const recordingLate = 24 * time.Hour

// Fetch brings the recording to the disk and lets the decode worker find its
// exact length and its speech. Nothing is charged and no speech engine runs
// before the audio has proved usable.
func (e *Engine) Fetch(ctx context.Context, j Job) error {
	call, err := e.begin(ctx, j)
	if err != nil {
		return err
	}
	body, err := e.Source.Open(ctx, call)
	if errors.Is(err, ErrNoRecording) {
		return e.wait(ctx, j, call, err)
	} else if err != nil {
		return fmt.Errorf("open recording: %w", err)
	}
	defer body.Close() //nolint:errcheck // it was only read

	size, sum, err := e.Audio.Save(ctx, call.ID, body, MaxRecording)
	if err != nil {
		return fmt.Errorf("save recording: %w", err)
	}
	file, err := e.Audio.Path(ctx, call.ID)
	if err != nil {
		return fmt.Errorf("save recording: %w", err)
	}
	recording, windows, err := e.Decoder.Inspect(ctx, file, linkName(call.Link))
	if err != nil {
		return fmt.Errorf("inspect recording: %w", err)
	}
	recording.CallID, recording.Bytes, recording.SHA256 = call.ID, size, sum
	recording.FetchedAt = e.Now()
	recording.KeptUntil = recording.FetchedAt.Add(e.KeepAudio)

	return e.commit(ctx, j, func(tx *sql.Tx, call *Call) error {
		if j.AudioOnly {
			call.Problem = ""
			return e.keep(ctx, tx, recording, windows)
		}
		if err := e.Store.SaveRecording(ctx, tx, recording, windows); err != nil {
			return fmt.Errorf("save facts: %w", err)
		}
		call.Remark = remark(recording)
		if len(windows) == 0 {
			call.State, call.Actor, call.Problem = Failed, Appliance, NoSpeech().Reason
			return nil
		}
		if call.Priority == Automatic && recording.Length < shortCall {
			call.Priority = Short
		}
		return e.next(ctx, tx, call, StepTranscribe)
	})
}

// keep takes a file in that was brought back. Only if it is the one there was,
// what was heard of it still counts.
func (e *Engine) keep(ctx context.Context, tx *sql.Tx, r Recording, windows []Window) error {
	before, err := e.Store.Recording(ctx, r.CallID)
	switch {
	case err == nil && before.SHA256 == r.SHA256:
		return e.Store.KeepRecording(ctx, tx, r)
	case err != nil && !errors.Is(err, ErrNotFound):
		return fmt.Errorf("load recording: %w", err)
	}
	return e.Store.SaveRecording(ctx, tx, r, windows)
}

// NoSpeech says that nobody spoke in a recording.
func NoSpeech() *BadAudio {
	return &BadAudio{
		Code:   "no_speech",
		Reason: "В записи нет речи. Проверьте, слышен ли разговор в плеере: возможно, телефония записала тишину. Деньги не списаны.",
	}
}

// wait lets a call stand until the telephony has saved its file, or gives up a
// day after the call.
func (e *Engine) wait(ctx context.Context, j Job, call Call, cause error) error {
	since := call.StartedAt
	if since.IsZero() || since.After(call.CreatedAt) {
		since = call.CreatedAt
	}
	age := e.Now().Sub(since)
	if age > recordingLate || j.AudioOnly {
		return Never(cause, "Записи нет: телефония не отдаёт её по ссылке. Если разговор был, проверьте хранение записей в АТС и нажмите «Повторить».")
	}
	pause := waitAt(age)
	err := e.Store.Tx(ctx, func(tx *sql.Tx) error {
		call, err := e.current(ctx, tx, j)
		if err != nil {
			return err
		}
		if call.State == Waiting {
			return nil
		}
		call.State, call.Actor = Waiting, Appliance
		call.Problem = "АТС ещё не сохранила запись. Проверим снова сами."
		return e.Store.SaveCall(ctx, tx, e.touched(call))
	})
	if err != nil {
		return err
	}
	e.Changed(j.CallID)
	return Later(cause, pause)
}

// waitAt grows with the age of the call: most recordings appear in a minute.
func waitAt(age time.Duration) time.Duration {
	switch {
	case age < 2*time.Minute:
		return 10 * time.Second
	case age < 15*time.Minute:
		return time.Minute
	case age < 2*time.Hour:
		return 10 * time.Minute
	}
	return time.Hour
}

// linkName is the file name a link promises.
func linkName(link string) string {
	u, err := url.Parse(link)
	if err != nil {
		return ""
	}
	return path.Base(u.Path)
}

// remark says what is worth knowing about audio that was good enough.
func remark(r Recording) string {
	var parts []string
	if r.Truncated {
		parts = append(parts, "Запись обрывается раньше, чем обещает её заголовок: распознано и списано то, что есть.")
	}
	if r.Misnamed {
		parts = append(parts, "Файл назван не своим расширением, на самом деле это "+r.Format+".")
	}
	return strings.Join(parts, " ")
}
