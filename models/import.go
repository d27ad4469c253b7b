package models

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// ErrNothing means that a folder to import from holds no model file.
var ErrNothing = errors.New("no model files in the folder")

// Imported is what became of one file of an import.
type Imported struct {
	File  string
	Entry Entry // of the installed model, when Err is nil
	Err   error // why it was refused; the others are taken all the same
}

// maxImport bounds the files looked at in one import.
const maxImport = 100

// sumsFile may lie beside the models with lines "sha256  file", as sha256sum
// writes them: what a site carries through its own gate should prove itself.
const sumsFile = "SHA256SUMS"

// Import copies the models of a folder, or one file, into f. Each is checked
// whole before it is installed: structure, the catalogue's checksum where there
// is one, and the folder's SHA256SUMS where it names the file.
func (f Folder) Import(ctx context.Context, from string, progress Progress) ([]Imported, error) {
	paths, err := importable(from)
	if err != nil {
		return nil, err
	}
	listed, err := readSums(filepath.Join(filepath.Dir(paths[0]), sumsFile))
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(f.Dir, folderMode); err != nil {
		return nil, fmt.Errorf("import: %w", err)
	}
	var out []Imported
	for _, path := range paths {
		name := filepath.Base(path)
		e, err := f.importFile(ctx, path, listed[name], progress)
		if ctx.Err() != nil {
			return out, fmt.Errorf("import %s: %w", name, ctx.Err())
		}
		out = append(out, Imported{name, e, err})
	}
	return out, nil
}

func importable(from string) ([]string, error) {
	info, err := os.Stat(from)
	if err != nil {
		return nil, fmt.Errorf("import: %w", err)
	}
	if !info.IsDir() {
		return []string{from}, nil
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		return nil, fmt.Errorf("import: %w", err)
	}
	var out []string
	for _, e := range entries {
		if filepath.Ext(e.Name()) == ".bin" && len(out) < maxImport {
			out = append(out, filepath.Join(from, e.Name()))
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%w: %s", ErrNothing, from)
	}
	return out, nil
}

func (f Folder) importFile(ctx context.Context, path, listed string, progress Progress) (Entry, error) {
	name := filepath.Base(path)
	m, err := Find(name)
	if errors.Is(err, ErrUnknown) {
		m = strange(name)
	} else if err != nil {
		return Entry{}, err
	}
	// Looking before copying: a wrong file of gigabytes is refused at once.
	if _, err := Inspect(path); err != nil {
		return Entry{}, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return Entry{}, fmt.Errorf("import: %w", err)
	}
	if info.Size() > maxModel {
		return Entry{}, fmt.Errorf("import %s: %w", name, ErrTooLarge)
	}
	if err := roomFor(f.Dir, info.Size()); err != nil {
		return Entry{}, err
	}
	part := filepath.Join(f.Dir, name+".import")
	defer func() { _ = os.Remove(part) }() // nothing is left of a copy that did not become the model
	if err := copyFile(ctx, path, part, info.Size(), progress); err != nil {
		return Entry{}, fmt.Errorf("import %s: %w", name, err)
	}
	if listed != "" {
		s, err := sum(ctx, part, nil)
		if err != nil {
			return Entry{}, err
		}
		if !strings.EqualFold(s.sha256, listed) {
			return Entry{}, &BadFile{name, "контрольная сумма не совпадает с файлом " + sumsFile + "; скопируйте модель заново"}
		}
	}
	return f.install(ctx, m, part)
}

func copyFile(ctx context.Context, from, to string, size int64, progress Progress) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close() //nolint:errcheck // only read
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, modelMode)
	if err != nil {
		return err
	}
	for done := int64(0); ; {
		if err := ctx.Err(); err != nil {
			return errors.Join(err, out.Close())
		}
		n, err := io.CopyN(out, in, step)
		done += n
		progress.tell(done, size)
		if errors.Is(err, io.EOF) {
			return out.Close()
		} else if err != nil {
			return errors.Join(err, out.Close())
		}
	}
}

// readSums reads a SHA256SUMS file; none is an empty map.
func readSums(path string) (map[string]string, error) {
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("read checksums: %w", err)
	}
	defer file.Close() //nolint:errcheck // only read
	out := map[string]string{}
	lines := bufio.NewScanner(io.LimitReader(file, 1<<20))
	for lines.Scan() {
		sum, name, ok := strings.Cut(strings.TrimSpace(lines.Text()), " ")
		if ok && len(sum) == 64 {
			out[filepath.Base(strings.TrimLeft(name, " *"))] = sum
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read checksums: %w", err)
	}
	return out, nil
}
