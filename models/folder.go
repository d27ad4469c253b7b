package models

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Folder is where a site keeps its models: plain .bin files with a receipt
// beside each.
type Folder struct {
	Dir  string
	Demo string           // path of the demonstration model's file; "" where it is not shipped
	Now  func() time.Time // nil is time.Now
}

// State says how far a file on disk can be trusted.
type State string

// The states of a model's file.
const (
	Absent     State = "absent"     // in the catalogue only
	Verified   State = "verified"   // agrees with the catalogue's checksum
	Unverified State = "unverified" // whole, but there is no checksum to compare with
	Unchecked  State = "unchecked"  // nobody has looked at this file since it last changed
	Bad        State = "bad"        // damaged, cut short or not what its name says
)

// Russian names of the states, as lists show them.
var stateText = map[State]string{
	Absent: "не установлена", Verified: "проверена", Unverified: "не проверено",
	Unchecked: "изменена после проверки", Bad: "повреждена",
}

// String is the state in the words of the screen (Russian).
func (s State) String() string { return stateText[s] }

// Entry is a line of the list: a model of the catalogue, a file, or both.
type Entry struct {
	Model
	Path      string // "" when absent
	DiskBytes int64
	State     State
	SHA256    string // of the file when it was last checked; "" before
}

// Installed reports whether there is a file.
func (e Entry) Installed() bool { return e.Path != "" }

// List returns the catalogue in its order, then the other models in the
// folder by name. It opens no model: states come from the receipts.
func (f Folder) List() ([]Entry, error) {
	files, err := f.files()
	if err != nil {
		return nil, err
	}
	var out []Entry
	for _, m := range Catalogue() {
		path, here := files[m.File]
		if m.Demo && !here && f.Demo != "" {
			path, here = f.Demo, true
		}
		if !here {
			out = append(out, Entry{Model: m, State: Absent})
			continue
		}
		delete(files, m.File)
		e, err := f.entry(m, path)
		if errors.Is(err, os.ErrNotExist) { // the demo model was not shipped after all
			out = append(out, Entry{Model: m, State: Absent})
			continue
		} else if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	own := make([]string, 0, len(files))
	for name := range files {
		own = append(own, name)
	}
	slices.Sort(own)
	for _, name := range own {
		e, err := f.entry(strange(name), files[name])
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

// strange describes a file the catalogue does not know.
func strange(file string) Model {
	return Model{
		Name: strings.TrimPrefix(strings.TrimSuffix(file, ".bin"), "ggml-"), File: file,
		Licence: "неизвестна", Source: "установлена вручную",
	}
}

func (f Folder) files() (map[string]string, error) {
	entries, err := os.ReadDir(f.Dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("list models: %w", err)
	}
	out := map[string]string{}
	for _, e := range entries {
		if e.Type().IsRegular() && filepath.Ext(e.Name()) == ".bin" {
			out[e.Name()] = filepath.Join(f.Dir, e.Name())
		}
	}
	return out, nil
}

func (f Folder) entry(m Model, path string) (Entry, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Entry{}, fmt.Errorf("look at model: %w", err)
	}
	e := Entry{Model: m, Path: path, DiskBytes: info.Size(), State: Unchecked}
	if r, ok := readReceipt(f.receipt(m.File)); ok && r.fits(info) {
		e.State, e.SHA256 = r.State, r.SHA256
	}
	return e, nil
}

// Get returns one model by name or file name; [ErrUnknown] if neither the
// catalogue nor the folder has it.
func (f Folder) Get(name string) (Entry, error) {
	all, err := f.List()
	if err != nil {
		return Entry{}, err
	}
	i := slices.IndexFunc(all, func(e Entry) bool { return e.Name == name || e.File == name })
	if i < 0 {
		return Entry{}, fmt.Errorf("%w: %q", ErrUnknown, name)
	}
	return all[i], nil
}

// Verify reads a whole installed model: its structure and its checksum. The
// verdict is kept in a receipt and holds until the file changes. A file that
// fails is reported as [Bad] with the *[BadFile] that says why.
func (f Folder) Verify(ctx context.Context, name string, progress Progress) (Entry, error) {
	e, err := f.Get(name)
	if err != nil {
		return Entry{}, err
	}
	if !e.Installed() {
		return e, fmt.Errorf("verify %s: %w", e.Name, ErrNotInstalled)
	}
	sums, bad := check(ctx, e.Model, e.Path, progress)
	var file *BadFile
	switch {
	case errors.As(bad, &file):
		e.State = Bad
	case bad != nil:
		return e, bad
	default:
		e.State = sums.state(e.Model)
	}
	e.SHA256 = sums.sha256
	if err := f.write(e); err != nil {
		return e, err
	}
	return e, bad
}

// ErrNotInstalled means that the catalogue has the model but the folder does not.
var ErrNotInstalled = errors.New("model is not installed")

// Choice is the model the appliance works with when nobody named one.
type Choice struct {
	Entry
	Say string // for a person, Russian; tells when it is only the demonstration model
}

// Default picks the installed model that stands first in the catalogue, then
// any other of the site's own, and the demonstration model when there is
// none. English-only and bad files are passed over. [ErrNotInstalled] if
// there is nothing at all.
func (f Folder) Default() (Choice, error) {
	all, err := f.List()
	if err != nil {
		return Choice{}, err
	}
	usable := func(demo bool) int {
		return slices.IndexFunc(all, func(e Entry) bool {
			return e.Installed() && e.Demo == demo && !e.English && e.State != Bad
		})
	}
	if i := usable(false); i >= 0 {
		return Choice{all[i], "Модель распознавания: " + all[i].Name + "."}, nil
	}
	if i := usable(true); i >= 0 {
		return Choice{all[i], "Используется демонстрационная модель: она понимает только синтезированные примеры. " +
			"Для настоящих звонков установите модель: flysense models pull large-v3-turbo-q5_0."}, nil
	}
	return Choice{}, ErrNotInstalled
}

// receipt remembers a check, so that a list need not read gigabytes.
type receipt struct {
	Bytes   int64     `json:"bytes"`
	Changed time.Time `json:"changed"` // modification time of the file that was checked
	SHA256  string    `json:"sha256"`
	State   State     `json:"state"`
	At      time.Time `json:"at"`
}

// maxReceipt bounds a receipt that something else may have written.
const maxReceipt = 4 << 10

func (r receipt) fits(info os.FileInfo) bool {
	return r.Bytes == info.Size() && r.Changed.Equal(info.ModTime())
}

func (f Folder) receipt(file string) string { return filepath.Join(f.Dir, file+".json") }

func readReceipt(path string) (receipt, bool) {
	info, err := os.Stat(path)
	if err != nil || info.Size() > maxReceipt {
		return receipt{}, false
	}
	var r receipt
	b, err := os.ReadFile(path)
	if err != nil || json.Unmarshal(b, &r) != nil || stateText[r.State] == "" {
		return receipt{}, false // unreadable is the same as never checked
	}
	return r, true
}

func (f Folder) write(e Entry) error {
	info, err := os.Stat(e.Path)
	if err != nil {
		return fmt.Errorf("write receipt: %w", err)
	}
	now := time.Now
	if f.Now != nil {
		now = f.Now
	}
	b, err := json.Marshal(receipt{info.Size(), info.ModTime(), e.SHA256, e.State, now().UTC()})
	if err != nil {
		return fmt.Errorf("write receipt: %w", err)
	}
	if err := os.MkdirAll(f.Dir, folderMode); err != nil {
		return fmt.Errorf("write receipt: %w", err)
	}
	if err := os.WriteFile(f.receipt(e.File), b, modelMode); err != nil {
		return fmt.Errorf("write receipt: %w", err)
	}
	return nil
}
