package appliance

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"

	"flysense/engine/audio"
	"flysense/engine/speech"
	"flysense/engine/turns"
	"flysense/engine/whisper"
)

// Worker is the program in one of its other two roles: args are what follows
// "worker" on the command line. The same binary is started anew, so that a
// damaged file or a crash in C never meets the server.
func Worker(ctx context.Context, args []string) error {
	switch {
	case len(args) == 0:
	case args[0] == "decode":
		return decodeWorker(ctx)
	case args[0] == "speech":
		return speechWorker(args[1:])
	}
	return errors.New("worker: decode or speech")
}

// decodeWorker reads one recording and ends.
func decodeWorker(ctx context.Context) error {
	if err := audio.Work(ctx, os.Stdin, os.Stdout, turns.Find); err != nil {
		return fmt.Errorf("decode worker: %w", err)
	}
	return nil
}

// speechWorker loads the model and recognises windows until its input closes.
func speechWorker(args []string) error {
	flags := flag.NewFlagSet("worker speech", flag.ContinueOnError)
	model := flags.String("model", "", "model file")
	states := flags.Int("states", 1, "windows at a time")
	if err := flags.Parse(args); err != nil {
		return err
	}
	return speech.Main(func(context.Context) (speech.Recogniser, error) {
		return whisper.Load(*model, whisper.Options{
			States: *states, GPU: true, FlashAttention: true,
			Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
		})
	})
}
