package crm

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

const keySize = 32 // bytes: AES-256

// errOtherKey says that a row was sealed with a key this appliance has not.
var errOtherKey = errors.New("sealed with another master key")

// seal encrypts secrets at rest with AES-256-GCM.
type seal struct {
	id   string // names the key in each row, so that a change of keys is noticed
	aead cipher.AEAD
}

// openSeal reads the master key, or makes one if there is no file yet.
func openSeal(file string) (*seal, error) {
	key, err := readKey(file)
	if errors.Is(err, fs.ErrNotExist) {
		key, err = makeKey(file)
	}
	if err != nil {
		return nil, fmt.Errorf("master key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("master key: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("master key: %w", err)
	}
	sum := sha256.Sum256(key)
	return &seal{id: hex.EncodeToString(sum[:4]), aead: aead}, nil
}

func readKey(file string) ([]byte, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s may be read by others (%s); make it 0600", file, info.Mode().Perm())
	}
	key, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if len(key) != keySize {
		return nil, fmt.Errorf("%s has %d bytes instead of %d", file, len(key), keySize)
	}
	return key, nil
}

// makeKey writes a new key so that a crash leaves a whole file or none.
func makeKey(file string) ([]byte, error) {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, err
	}
	key := make([]byte, keySize)
	_, _ = rand.Read(key)                                    // never fails
	f, err := os.CreateTemp(filepath.Dir(file), ".master-*") // made 0600
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name()) //nolint:errcheck // gone after Link anyway
	_, err = f.Write(key)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, err
	}
	// Link fails if another process was faster; a key in use is never replaced.
	if err := os.Link(f.Name(), file); errors.Is(err, fs.ErrExist) {
		return readKey(file)
	} else if err != nil {
		return nil, err
	}
	return key, nil
}

// close encrypts; owner (table, column and row) must be the same when opening,
// so that a sealed value is worth nothing in another row.
func (s *seal) close(plain []byte, owner string) []byte {
	return s.aead.Seal(nil, nil, plain, []byte(owner))
}

func (s *seal) open(sealed []byte, keyID, owner string) ([]byte, error) {
	if keyID != s.id {
		return nil, fmt.Errorf("%w %s", errOtherKey, keyID)
	}
	plain, err := s.aead.Open(nil, nil, sealed, []byte(owner))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errOtherKey, err)
	}
	return plain, nil
}
