package appliance

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/oklog/ulid/v2"

	"flysense/billing"
	"flysense/billing/pack"
	"flysense/engine"
	"flysense/engine/audio"
	"flysense/internal/db"
)

// Files recognises single files for the command line, without queue and
// portals. With the demonstration model it is free and touches no database;
// with any other it holds and captures in the appliance's ledger as a call does.
type Files struct {
	config  Config
	keys    pack.Keyset
	decoder engine.Decoder
	speech  *speechRoom
	db      *db.DB
	ledger  *billing.Ledger
}

// OpenFiles prepares the speech worker; the ledger is opened when it is needed.
func OpenFiles(c Config, keys pack.Keyset, log *slog.Logger) (*Files, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	state := filepath.Join(cache, "flysense")
	if err := os.MkdirAll(state, 0o700); err != nil {
		return nil, fmt.Errorf("make folder: %w", err)
	}
	room, err := newSpeechRoomAt(c, state, log)
	if err != nil {
		return nil, err
	}
	return &Files{config: c, keys: keys, decoder: &audio.Decoder{Log: log}, speech: room}, nil
}

// Say tells which model works, for a person.
func (f *Files) Say() string { return f.speech.choice.Say }

// FileResult is a recognised file and what it cost.
type FileResult struct {
	Transcript engine.Transcript
	Recording  engine.Recording
	Charged    billing.Amount
	Free       bool // with the demonstration model
}

// Transcribe recognises one file. agent is the agent's channel; progress hears
// how many windows of how many are done. Unusable audio is a *engine.BadAudio,
// an empty wallet engine.ErrNoFunds.
func (f *Files) Transcribe(ctx context.Context, path string, agent int, language string, progress func(done, total int)) (FileResult, error) {
	recording, windows, err := f.decoder.Inspect(ctx, path, filepath.Base(path))
	if err != nil {
		return FileResult{}, err
	}
	if len(windows) == 0 {
		return FileResult{}, engine.NoSpeech()
	}
	model, err := f.speech.Model(ctx)
	if err != nil {
		return FileResult{}, err
	}
	result := FileResult{Recording: recording, Free: model.Demo}
	pay, err := f.hold(ctx, model, recording.Length)
	if err != nil {
		return FileResult{}, err
	}
	heard, err := f.hear(ctx, path, windows, model, language, progress)
	if err != nil {
		return FileResult{}, errors.Join(err, pay.release(err))
	}
	result.Transcript = engine.Transcript{
		Model: model.Name, Language: language, MadeAt: time.Now(),
		Turns: engine.Assemble(heard, recording.Channels, agent),
	}
	if len(result.Transcript.Turns) == 0 {
		return FileResult{}, errors.Join(engine.NoSpeech(), pay.release(engine.NoSpeech()))
	}
	result.Charged, err = pay.capture()
	return result, err
}

func (f *Files) hear(ctx context.Context, path string, windows []engine.Window, model engine.Model, language string, progress func(done, total int)) ([]engine.Heard, error) {
	pcm, err := f.decoder.Open(ctx, path, model.Rate)
	if err != nil {
		return nil, err
	}
	defer pcm.Close() //nolint:errcheck // a temporary file
	var heard []engine.Heard
	for i, w := range windows {
		progress(i, len(windows))
		samples, err := pcm.Read(w)
		if err != nil {
			return nil, fmt.Errorf("read window %d: %w", w.Index, err)
		}
		segments, err := f.speech.Transcribe(ctx, samples, language)
		if err != nil {
			return nil, fmt.Errorf("window %d: %w", w.Index, err)
		}
		heard = append(heard, engine.Heard{Window: w, Segments: segments})
	}
	progress(len(windows), len(windows))
	return heard, nil
}

// Recognise hears one window that the caller cut; it costs nothing and is for
// comparing ways of cutting.
func (f *Files) Recognise(ctx context.Context, s engine.Samples, language string) ([]engine.Segment, error) {
	return f.speech.Transcribe(ctx, s, language)
}

// payment is the hold of one file; a nil one is free.
type payment struct {
	files *Files
	key   string
	work  billing.Work
}

func (f *Files) hold(ctx context.Context, model engine.Model, length time.Duration) (*payment, error) {
	if model.Demo {
		return nil, nil //nolint:nilnil // free: nothing to pay
	}
	if err := f.openLedger(ctx); err != nil {
		return nil, err
	}
	p := &payment{files: f, key: "file-" + ulid.Make().String(), work: billing.Work{Length: length}}
	err := f.db.Tx(ctx, func(tx *sql.Tx) error {
		return f.ledger.Hold(ctx, tx, p.key, p.work, "command line")
	})
	if errors.Is(err, billing.ErrNoFunds) {
		return nil, engine.ErrNoFunds
	}
	return p, err
}

func (f *Files) openLedger(ctx context.Context) (err error) {
	if f.ledger != nil {
		return nil
	}
	if f.db, err = db.Open(ctx, filepath.Join(f.config.DataDir, "flysense.db")); err != nil {
		return err
	}
	if err := os.MkdirAll(f.config.KeysDir, 0o700); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	f.ledger, err = openLedger(ctx, f.db, f.config, f.keys, time.Now)
	return err
}

// capture and release end the payment even if the person pressed Ctrl+C
// meanwhile: an open hold without work would stay for ever.
func (p *payment) capture() (billing.Amount, error) {
	if p == nil {
		return 0, nil
	}
	ctx := context.Background()
	tariff, err := p.files.ledger.Tariff(ctx)
	if err != nil {
		return 0, err
	}
	return tariff.Price(p.work), p.files.db.Tx(ctx, func(tx *sql.Tx) error {
		return p.files.ledger.Capture(ctx, tx, p.key, p.work)
	})
}

func (p *payment) release(reason error) error {
	if p == nil {
		return nil
	}
	ctx := context.Background()
	return p.files.db.Tx(ctx, func(tx *sql.Tx) error {
		return p.files.ledger.Release(ctx, tx, p.key, reason.Error())
	})
}

// Close stops the speech worker and closes the ledger.
func (f *Files) Close() error {
	errs := []error{f.speech.Close()}
	if f.ledger != nil {
		errs = append(errs, f.ledger.Anchor(context.Background()))
	}
	if f.db != nil {
		errs = append(errs, f.db.Close())
	}
	return errors.Join(errs...)
}
