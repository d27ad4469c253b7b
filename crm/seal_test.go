package crm

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

func TestSeal(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys", "master.key")
	s, err := openSeal(file)
	if err != nil {
		t.Fatal(err)
	}
	sealed := s.close([]byte("token"), "connection.tokens/01A")
	if bytes.Contains(sealed, []byte("token")) || bytes.Equal(sealed, s.close([]byte("token"), "connection.tokens/01A")) {
		t.Error("sealed without a nonce, or not at all")
	}
	again, err := openSeal(file)
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := again.open(sealed, s.id, "connection.tokens/01A"); err != nil || string(plain) != "token" {
		t.Errorf("after a restart %q, %v", plain, err)
	}
	broken := bytes.Clone(sealed)
	broken[len(broken)/2] ^= 1
	for name, try := range map[string]struct {
		sealed    []byte
		id, owner string
	}{
		"of another row":    {sealed, s.id, "connection.tokens/01B"},
		"of another column": {sealed, s.id, "connection.secret/01A"},
		"of another key":    {sealed, "00000000", "connection.tokens/01A"},
		"changed":           {broken, s.id, "connection.tokens/01A"},
		"empty":             {nil, s.id, "connection.tokens/01A"},
	} {
		if _, err := s.open(try.sealed, try.id, try.owner); !errors.Is(err, errOtherKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Two processes that start first at the same time agree on one key.
func TestOneMasterKey(t *testing.T) {
	file := filepath.Join(t.TempDir(), "master.key")
	var ids sync.Map
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			s, err := openSeal(file)
			if err != nil {
				t.Error(err)
				return
			}
			ids.Store(s.id, true)
		})
	}
	wait.Wait()
	n := 0
	ids.Range(func(any, any) bool { n++; return true })
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(file), ".master-*")); n != 1 || len(left) != 0 {
		t.Errorf("%d keys, left behind %v", n, left)
	}
}

func TestBadKeyFiles(t *testing.T) {
	for name, tt := range map[string]struct {
		size int
		mode os.FileMode
	}{"short": {31, 0o600}, "long": {33, 0o600}, "read by the group": {32, 0o640}, "read by all": {32, 0o604}} {
		file := filepath.Join(t.TempDir(), "master.key")
		if err := os.WriteFile(file, make([]byte, tt.size), tt.mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(file, tt.mode); err != nil {
			t.Fatal(err)
		}
		if _, err := openSeal(file); err == nil {
			t.Errorf("a key file that is %s was taken", name)
		}
	}
}
