// Command flysense is the appliance: server, workers and the tools of its
// administrator.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"flysense/billing/pack"
	"flysense/internal/appliance"
)

// version is set by the linker.
var version = "dev"

func main() { os.Exit(execute()) }

// execute returns the code the process ends with.
func execute() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := root().ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, "flysense:", err)
	if errors.Is(err, appliance.ErrDatabase) {
		return appliance.ExitDatabase
	}
	return 1
}

// trusted are the vendor's keys this program takes coins from. The demo's key
// is not among them, and nothing can add it.
func trusted() pack.Keyset { return pack.Release() }

// settings are the flags every command shares.
type settings struct {
	file    string
	flags   map[string]any
	verbose bool
}

func (s *settings) config() (appliance.Config, error) { return appliance.LoadConfig(s.file, s.flags) }

// log writes from the given level on; the tools of the command line say only
// what went wrong.
func (s *settings) log(level slog.Level) *slog.Logger {
	if s.verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
}

func root() *cobra.Command {
	s := &settings{flags: map[string]any{}}
	c := &cobra.Command{
		Use:           "flysense",
		Short:         "Распознаёт и разбирает записи звонков внутри вашей сети",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	c.PersistentFlags().StringVar(&s.file, "config", "", "файл настроек (YAML)")
	c.PersistentFlags().BoolVar(&s.verbose, "verbose", false, "подробный журнал")
	for flag, key := range map[string]string{
		"listen": "listen", "data-dir": "data_dir", "keys-dir": "keys_dir", "models-dir": "models_dir", "model": "model", "demo-model": "demo_model",
	} {
		c.PersistentFlags().Func(flag, usage[key], func(value string) error {
			s.flags[key] = value
			return nil
		})
	}
	c.AddCommand(serveCommand(s), workerCommand(), transcribeCommand(s), modelsCommand(s), doctorCommand(s), versionCommand())
	return c
}

var usage = map[string]string{
	"listen":     "адрес и порт веб-сервера",
	"data_dir":   "папка с базой и записями",
	"keys_dir":   "папка с ключами",
	"models_dir": "папка с моделями речи",
	"model":      "модель речи: имя из каталога или файл",
	"demo_model": "модель для демонстрации, если другой нет",
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Показать версию",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "flysense", version)
			return err
		},
	}
}
