package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"flysense/internal/appliance"
)

var errSick = errors.New("есть неисправности")

func doctorCommand(s *settings) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Проверить установку: что не так и что делать",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := s.config()
			if err != nil {
				return err
			}
			findings := appliance.Doctor(cmd.Context(), config, trusted(), s.log(slog.LevelError))
			sick := false
			for _, f := range findings {
				sick = sick || f.Level == appliance.Broken
			}
			if asJSON {
				if err := json.NewEncoder(cmd.OutOrStdout()).Encode(findings); err != nil {
					return err
				}
			} else {
				for _, f := range findings {
					fmt.Fprintf(cmd.OutOrStdout(), "%-10s %s: %s\n", mark[f.Level], f.What, f.Text)
				}
			}
			if sick {
				return errSick
			}
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "вывести JSON")
	return c
}

var mark = map[appliance.Level]string{appliance.Well: "хорошо", appliance.Warning: "внимание", appliance.Broken: "неисправно"}
