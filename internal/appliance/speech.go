package appliance

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"

	"flysense/engine/speech"
	"flysense/models"
	"flysense/web"
)

// speechRoom is the supervised speech worker and the model chosen for it.
type speechRoom struct {
	*speech.Supervisor
	choice models.Choice
}

func newSpeechRoom(c Config, log *slog.Logger) (*speechRoom, error) {
	return newSpeechRoomAt(c, c.DataDir, log)
}

// newSpeechRoomAt keeps the measured speeds in the folder state.
func newSpeechRoomAt(c Config, state string, log *slog.Logger) (*speechRoom, error) {
	choice, err := chooseModel(c)
	if err != nil {
		return nil, fmt.Errorf("choose a speech model: %w", err)
	}
	log.Info("speech model", "model", choice.Name, "demo", choice.Demo)
	demo, err := models.Find(models.Demo)
	if err != nil {
		return nil, err
	}
	return &speechRoom{
		Supervisor: speech.New(speech.Options{
			ModelPath: choice.Path, States: c.SpeechStates, StateDir: state, DemoHashes: []string{demo.SHA256}, Log: log,
		}),
		choice: choice,
	}, nil
}

// Models is the folder of speech models the configuration names.
func Models(c Config) models.Folder { return models.Folder{Dir: c.ModelsDir, Demo: c.DemoModel} }

// chooseModel finds the model that was named, by file or by name, or picks one.
func chooseModel(c Config) (models.Choice, error) {
	folder := Models(c)
	if c.Model == "" {
		return folder.Default()
	}
	if strings.ContainsRune(c.Model, filepath.Separator) {
		file := models.Folder{Dir: filepath.Dir(c.Model), Demo: c.DemoModel}
		entry, err := file.Get(filepath.Base(c.Model))
		return models.Choice{Entry: entry}, err
	}
	entry, err := folder.Get(c.Model)
	if err == nil && !entry.Installed() {
		err = fmt.Errorf("%s: %w", c.Model, models.ErrNotInstalled)
	}
	return models.Choice{Entry: entry}, err
}

// Speech and GPUs are web.Workers.
func (r *speechRoom) Speech() web.Speech {
	s := r.Status()
	state := string(s.State)
	if s.State == speech.Stopped {
		state = string(speech.Starting) // it starts with the first window
	}
	lines := s.LastLines
	if s.Problem != "" {
		lines = append([]string{s.Problem}, lines...)
	}
	return web.Speech{
		State: state, Model: s.Model.Name, Demo: s.Model.Demo, Backend: s.Backend, Device: s.Device,
		Realtime: s.Realtime, Restarts: s.Restarts, Since: s.Since, LastLines: lines,
	}
}

func (r *speechRoom) GPUs() ([]web.GPU, string) {
	s := r.Status()
	cards := make([]web.GPU, 0, len(s.GPUs))
	for _, g := range s.GPUs {
		cards = append(cards, web.GPU{
			Name: g.Name, Utilisation: g.Utilisation, MemoryUsed: g.MemoryUsed, MemoryTotal: g.MemoryTotal, Temperature: g.Temperature,
		})
	}
	return cards, s.GPUProblem
}
