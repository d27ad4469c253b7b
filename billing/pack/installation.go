package pack

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base32"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// maxKeyFile bounds what is read of a key file; ours has 119 bytes.
const maxKeyFile = 4 << 10

// Installation is this appliance: an Ed25519 key made at its first start.
type Installation struct{ key ed25519.PrivateKey }

// NewInstallation makes an installation of a 32-byte seed.
func NewInstallation(seed []byte) (Installation, error) {
	if len(seed) != ed25519.SeedSize {
		return Installation{}, fmt.Errorf("make an installation: a seed of %d bytes instead of %d", len(seed), ed25519.SeedSize)
	}
	return Installation{ed25519.NewKeyFromSeed(seed)}, nil
}

// OpenInstallation reads the key file at path (PKCS #8 in PEM) and makes it on
// the first start. A file that others may read is refused.
func OpenInstallation(path string) (Installation, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := makeKeyFile(path); err != nil {
			return Installation{}, fmt.Errorf("make the installation key: %w", err)
		}
	case err != nil:
		return Installation{}, fmt.Errorf("open the installation key: %w", err)
	case info.Mode().Perm()&0o077 != 0:
		return Installation{}, fmt.Errorf("open the installation key: others may read %s (mode %04o): chmod 600", path, info.Mode().Perm())
	case info.Size() > maxKeyFile:
		return Installation{}, fmt.Errorf("open the installation key: %s is no key file", path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return Installation{}, fmt.Errorf("open the installation key: %w", err)
	}
	block, rest := pem.Decode(text)
	if block == nil || block.Type != "PRIVATE KEY" || len(rest) > 0 {
		return Installation{}, fmt.Errorf("open the installation key: %s holds no PEM private key", path)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return Installation{}, fmt.Errorf("open the installation key: %w", err)
	}
	key, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return Installation{}, fmt.Errorf("open the installation key: %s is not an Ed25519 key", path)
	}
	return Installation{key}, nil
}

// makeKeyFile writes a new key so that a file at path is always a whole one,
// even when the power fails or two processes start at once.
func makeKeyFile(path string) error {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	folder := filepath.Dir(path)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	draft, err := os.CreateTemp(folder, ".installation-*") // 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(draft.Name()) }()
	err = errors.Join(pem.Encode(draft, &pem.Block{Type: "PRIVATE KEY", Bytes: der}), draft.Sync(), draft.Close())
	if err != nil {
		return err
	}
	if err := os.Link(draft.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	dir, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// ID names the installation: "FS-" and base32 of the first 10 bytes of
// SHA-256("flysense-inst-v1" NUL public key).
func (i Installation) ID() string {
	sum := sha256.Sum256(append([]byte("flysense-inst-v1\x00"), i.Public()...))
	return "FS-" + base32.StdEncoding.EncodeToString(sum[:10])
}

// Public is the half of the key that the vendor knows.
func (i Installation) Public() ed25519.PublicKey {
	return i.key.Public().(ed25519.PublicKey) //nolint:forcetypeassert // the only type it returns
}

// MAC authenticates data as this installation's own. purpose separates uses.
func (i Installation) MAC(purpose string, data []byte) []byte {
	derive := hmac.New(sha256.New, i.key.Seed())
	derive.Write([]byte(purpose))
	m := hmac.New(sha256.New, derive.Sum(nil))
	m.Write(data)
	return m.Sum(nil)
}
