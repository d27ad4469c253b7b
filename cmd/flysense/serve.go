package main

import (
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"flysense/internal/appliance"
)

func serveCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Запустить сервер",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := s.config()
			if err != nil {
				return err
			}
			a, err := appliance.New(cmd.Context(), appliance.Options{Config: config, Keys: trusted(), Version: version, Log: s.log(slog.LevelInfo)})
			if err != nil {
				return err
			}
			defer a.Close() //nolint:errcheck // nothing can be done about it at the end
			code, needed, err := a.Auth.SetupCode(cmd.Context())
			if err != nil {
				return err
			}
			if needed {
				fmt.Fprintf(cmd.OutOrStdout(), "Первый запуск: откройте http://%s/ и введите код %s\n", config.Listen, code)
			}
			return a.Run(cmd.Context(), nil)
		},
	}
}

// workerCommand is how the server starts its own subprocesses.
func workerCommand() *cobra.Command {
	return &cobra.Command{
		Use:                "worker",
		Hidden:             true,
		DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			return appliance.Worker(cmd.Context(), args)
		},
	}
}
