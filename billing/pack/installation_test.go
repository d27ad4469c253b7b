package pack

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
)

func TestInstallationKeyIsMadeOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys", "installation.pem")
	ids := make([]string, 8)
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() {
			inst, err := OpenInstallation(path)
			if err != nil {
				t.Error(err)
				return
			}
			ids[i] = inst.ID()
		})
	}
	wg.Wait()
	for _, id := range ids {
		if id != ids[0] || len(id) != maxInst {
			t.Errorf("installations %v", ids)
			break
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	files, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(files) != 1 {
		t.Errorf("left over: %v, %v", files, err)
	}
}

func TestInstallationKeyFileIsGuarded(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "installation.pem")
	if _, err := OpenInstallation(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenInstallation(path); err == nil {
		t.Error("read a key that the group may read")
	}
	for name, content := range map[string]string{"empty": "", "text": "hello", "another key": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"} {
		broken := filepath.Join(folder, name)
		if err := os.WriteFile(broken, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenInstallation(broken); err == nil {
			t.Errorf("%s: took it for a key", name)
		}
		if kept, err := os.ReadFile(broken); err != nil || string(kept) != content {
			t.Errorf("%s: a damaged key file was overwritten", name)
		}
	}
}
