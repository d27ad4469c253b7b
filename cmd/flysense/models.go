package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"text/tabwriter"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"flysense/internal/appliance"
	"flysense/models"
)

func modelsCommand(s *settings) *cobra.Command {
	c := &cobra.Command{Use: "models", Short: "Модели речи: список, установка, проверка"}
	c.AddCommand(
		&cobra.Command{Use: "list", Short: "Что есть и что установлено", Args: cobra.NoArgs, RunE: s.withModels(listModels)},
		&cobra.Command{Use: "import ПАПКА", Short: "Установить модели из папки или файла (без сети)", Args: cobra.ExactArgs(1), RunE: s.withModels(importModels)},
		&cobra.Command{Use: "verify ИМЯ", Short: "Проверить установленную модель", Args: cobra.ExactArgs(1), RunE: s.withModels(verifyModel)},
	)
	var base string
	pull := &cobra.Command{Use: "pull ИМЯ", Short: "Скачать модель; прерванная загрузка продолжится", Args: cobra.ExactArgs(1)}
	pull.Flags().StringVar(&base, "from", models.DefaultBase, "адрес папки с моделями")
	pull.RunE = s.withModels(func(cmd *cobra.Command, folder models.Folder, args []string) error {
		puller := models.Puller{Folder: folder, Base: base, Client: downloadClient()}
		entry, err := puller.Pull(cmd.Context(), args[0], byteProgress(args[0]))
		return said(cmd, entry, err)
	})
	c.AddCommand(pull)
	return c
}

// withModels opens the models' folder of the configuration.
func (s *settings) withModels(do func(cmd *cobra.Command, folder models.Folder, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		config, err := s.config()
		if err != nil {
			return err
		}
		return do(cmd, appliance.Models(config), args)
	}
}

func listModels(cmd *cobra.Command, folder models.Folder, _ []string) error {
	entries, err := folder.List()
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "МОДЕЛЬ\tРАЗМЕР\tПАМЯТЬ\tСОСТОЯНИЕ\tЛИЦЕНЗИЯ")
	for _, e := range entries {
		size := e.SizeBytes
		if e.Installed() {
			size = e.DiskBytes
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", e.Name, megabytes(size), megabytes(e.MemoryBytes), e.State, e.Licence)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	choice, err := folder.Default()
	if errors.Is(err, models.ErrNotInstalled) {
		_, err = fmt.Fprintln(cmd.OutOrStdout(), "\n"+models.Hint(err))
		return err
	} else if err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "\nРаботает: %s. %s\n", choice.Name, choice.Say)
	return err
}

func importModels(cmd *cobra.Command, folder models.Folder, args []string) error {
	imported, err := folder.Import(cmd.Context(), args[0], byteProgress(args[0]))
	if err != nil {
		return hinted(err)
	}
	failed := 0
	for _, i := range imported {
		if i.Err != nil {
			failed++
			fmt.Fprintf(cmd.ErrOrStderr(), "%s: %v\n", i.File, hinted(i.Err))
			continue
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", i.Entry.Name, i.Entry.State)
	}
	if failed > 0 {
		return fmt.Errorf("не установлено файлов: %d из %d", failed, len(imported))
	}
	return nil
}

func verifyModel(cmd *cobra.Command, folder models.Folder, args []string) error {
	entry, err := folder.Verify(cmd.Context(), args[0], byteProgress(args[0]))
	return said(cmd, entry, err)
}

func said(cmd *cobra.Command, e models.Entry, err error) error {
	if err != nil {
		return hinted(err)
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %s, %s\n", e.Name, megabytes(e.DiskBytes), e.State)
	return err
}

// hinted adds what to do to an error.
func hinted(err error) error {
	if hint := models.Hint(err); hint != "" {
		return fmt.Errorf("%s (%w)", hint, err)
	}
	return err
}

func megabytes(n int64) string {
	switch {
	case n == 0:
		return "–"
	case n >= 1<<30:
		return fmt.Sprintf("%.1f ГБ", float64(n)/(1<<30))
	}
	return fmt.Sprintf("%.0f МБ", float64(n)/(1<<20))
}

func byteProgress(name string) models.Progress {
	if !term.IsTerminal(int(os.Stderr.Fd())) {
		return func(int64, int64) {}
	}
	bar := progressbar.DefaultBytes(-1, name)
	return func(done, total int64) {
		if total > 0 {
			bar.ChangeMax64(total)
		}
		_ = bar.Set64(done)
	}
}

// downloadClient has no overall time limit: a model is gigabytes. The Puller
// notices a connection that stopped.
func downloadClient() *http.Client {
	return &http.Client{Transport: &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout:   15 * time.Second,
		ResponseHeaderTimeout: 30 * time.Second,
	}}
}
