// Package demo signs packs for demonstrations. Its private key stands in this
// file for everybody to read, so its coins are worth nothing: a released
// program trusts [pack.Release], which does not know the key.
package demo

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/oklog/ulid/v2"

	"flysense/billing/pack"
)

// maxPackFC is the largest pack of the demonstration, in Flycoins.
const maxPackFC = 50_000

// loadWithin is how long a demonstration's pack may be loaded.
const loadWithin = 30 * 24 * time.Hour

func key() ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("flysense demonstration key: its coins buy nothing"))
	return ed25519.NewKeyFromSeed(seed[:])
}

// Keyset trusts the demonstration's key, for packs only.
func Keyset() pack.Keyset {
	return pack.Keyset{{
		Public:  key().Public().(ed25519.PublicKey), //nolint:forcetypeassert // the only type it returns
		Role:    pack.RolePack,
		From:    time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		Until:   time.Date(2126, 1, 1, 0, 0, 0, 0, time.UTC),
		MaxPack: maxPackFC * pack.UnitsPerFC,
	}}
}

// Pack signs coins for the installation inst. Each call makes a pack of its
// own, with a new serial.
func Pack(inst string, fc int64, kind pack.Kind, at time.Time) (string, error) {
	serial, err := ulid.New(ulid.Timestamp(at), rand.Reader)
	if err != nil {
		return "", fmt.Errorf("number a demonstration pack: %w", err)
	}
	return pack.Pack{
		Typ:    "pack",
		V:      1,
		Serial: serial.String(),
		Inst:   inst,
		Epoch:  1,
		Amount: fc * pack.UnitsPerFC,
		FC:     fc,
		Kind:   kind,
		IAT:    at.Unix(),
		LoadBy: at.Add(loadWithin).Unix(),
		Order:  "DEMO",
	}.Sign(key())
}
