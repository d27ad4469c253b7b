package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"flysense/engine"
	"flysense/engine/captions"
	"flysense/internal/appliance"
)

// formats of a transcript on the command line.
var formats = map[string]func(io.Writer, engine.Transcript) error{
	"text": captions.Text, "json": captions.JSON, "srt": captions.SRT, "vtt": captions.VTT,
}

func transcribeCommand(s *settings) *cobra.Command {
	var (
		format, language string
		agent            int
	)
	c := &cobra.Command{
		Use:   "transcribe ФАЙЛ...",
		Short: "Распознать записи из командной строки",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, files []string) error {
			write := formats[format]
			if write == nil {
				return fmt.Errorf("формата %q нет: есть text, json, srt, vtt", format)
			}
			if agent != 0 && agent != 1 {
				return fmt.Errorf("--agent-channel: 0 — левый канал, 1 — правый")
			}
			config, err := s.config()
			if err != nil {
				return err
			}
			room, err := appliance.OpenFiles(config, trusted(), s.log(slog.LevelWarn))
			if err != nil {
				return err
			}
			defer room.Close() //nolint:errcheck // the text is out already
			if say := room.Say(); say != "" {
				fmt.Fprintln(cmd.ErrOrStderr(), say)
			}
			failed := 0
			for _, file := range files {
				bar := newBar(file)
				result, err := room.Transcribe(cmd.Context(), file, agent, language, bar.set)
				bar.clear()
				if err != nil {
					failed++
					fmt.Fprintf(cmd.ErrOrStderr(), "%s: %s\n", file, sentence(err))
					continue
				}
				if len(files) > 1 && format == "text" {
					fmt.Fprintf(cmd.OutOrStdout(), "== %s\n", file)
				}
				if err := write(cmd.OutOrStdout(), result.Transcript); err != nil {
					return err
				}
				report(cmd.ErrOrStderr(), file, result)
			}
			if failed > 0 {
				return fmt.Errorf("не распознано файлов: %d из %d", failed, len(files))
			}
			return nil
		},
	}
	c.Flags().StringVar(&format, "format", "text", "text, json, srt или vtt")
	c.Flags().StringVar(&language, "language", "ru", "язык разговора")
	c.Flags().IntVar(&agent, "agent-channel", 0, "канал менеджера: 0 — левый, 1 — правый")
	return c
}

// sentence says an error in a person's words.
func sentence(err error) string {
	var bad *engine.BadAudio
	switch {
	case errors.As(err, &bad):
		return bad.Reason
	case errors.Is(err, engine.ErrNoFunds):
		return "не хватает средств: загрузите пакет на странице «Баланс» и повторите"
	case errors.Is(err, os.ErrNotExist):
		return "такого файла нет"
	}
	return err.Error()
}

func report(w io.Writer, file string, r appliance.FileResult) {
	cost := "бесплатно: демонстрационная модель"
	if !r.Free {
		cost = "списано " + r.Charged.String() + " FC"
	}
	var notes []string
	if r.Recording.Truncated {
		notes = append(notes, "запись обрывается раньше, чем обещает её заголовок")
	}
	if r.Recording.Misnamed {
		notes = append(notes, "файл назван не своим расширением")
	}
	fmt.Fprintln(w, strings.Join(append([]string{fmt.Sprintf("%s: %s, %s, %s", file, r.Recording.Length.Round(time.Second/10), r.Recording.Format, cost)}, notes...), "; "))
}

// bar is a progress bar on a terminal and nothing elsewhere.
type bar struct{ on *progressbar.ProgressBar }

func newBar(file string) bar {
	if !term.IsTerminal(int(os.Stderr.Fd())) {
		return bar{}
	}
	return bar{progressbar.NewOptions(1, progressbar.OptionSetWriter(os.Stderr), progressbar.OptionSetDescription(file),
		progressbar.OptionShowCount(), progressbar.OptionSetPredictTime(true), progressbar.OptionClearOnFinish())}
}

func (b bar) set(done, total int) {
	if b.on != nil {
		b.on.ChangeMax(total)
		_ = b.on.Set(done)
	}
}

func (b bar) clear() {
	if b.on != nil {
		_ = b.on.Clear()
	}
}
