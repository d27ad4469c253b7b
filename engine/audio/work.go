package audio

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"flysense/engine"
)

// Split finds, in the levels of a recording's channels (dBFS per frame), the
// windows to recognise and the stretches of a channel on which only the other
// side's leak is heard: those are muted before anybody listens.
type Split func(levels [][]float32, frame time.Duration) (windows, leak []engine.Window)

// exitOrphan is the status of a worker whose standard input was closed.
const exitOrphan = 3

// Work is the life of a decode worker: it gives up its rights, reads one
// question from stdin, decodes the recording in file descriptor 3, writes
// samples to file descriptor 4 if asked, answers on stdout and returns. It
// exits at once when stdin closes before that: nobody waits for the answer.
// The process runs nothing else; a bad recording is an answer, not an error.
func Work(ctx context.Context, stdin io.Reader, stdout io.Writer, split Split) error {
	if err := renounce(); err != nil {
		return fmt.Errorf("give up rights: %w", err)
	}
	// The decoder below reads past the line, so the watch for the end of the
	// input goes on from its buffer.
	asked := json.NewDecoder(io.LimitReader(stdin, maxQuestion))
	var q question
	if err := asked.Decode(&q); err != nil {
		return fmt.Errorf("read question: %w", err)
	}
	go exitWithParent(stdin)
	if err := confine(q); err != nil {
		return fmt.Errorf("set limits: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	a := reply(q, split)
	if err := json.NewEncoder(stdout).Encode(a); err != nil {
		return fmt.Errorf("write answer: %w", err)
	}
	return nil
}

func exitWithParent(stdin io.Reader) {
	_, _ = io.Copy(io.Discard, stdin)
	os.Exit(exitOrphan)
}

func reply(q question, split Split) answer {
	recording := os.NewFile(recordingFD, "recording")
	stat, err := recording.Stat()
	if err != nil {
		return answer{Error: err.Error()}
	}
	var samples io.Writer
	if q.Rate > 0 {
		samples = os.NewFile(samplesFD, "samples")
	}
	d, err := decode(recording, stat.Size(), q.Name, Limits{Bytes: q.Bytes, Length: q.Length}, q.Rate, samples)
	var refused *engine.BadAudio
	if errors.As(err, &refused) {
		return answer{Bad: refused}
	} else if err != nil {
		return answer{Error: err.Error()}
	}
	a := answer{Recording: d.recording, Channels: d.channels, Frames: d.frames}
	windows, leak := split(d.levels, frame)
	if q.Rate == 0 {
		a.Windows = windows
	} else {
		a.Leak = leak
	}
	return a
}
