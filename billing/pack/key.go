package pack

import (
	"crypto/ed25519"
	"fmt"
	"strings"
	"time"

	"golang.org/x/crypto/blake2b"
)

// Role says what a vendor key may sign.
type Role string

// The roles of vendor keys.
const (
	RolePack   Role = "pack"
	RoleTariff Role = "tariff"
)

// Key is a vendor's public key and the bounds set for it.
type Key struct {
	Public  ed25519.PublicKey
	Role    Role
	From    time.Time // valid from, inclusive
	Until   time.Time // valid until, inclusive
	MaxPack int64     // largest amount of one pack, in ledger units; 0 for keys of other roles
}

// Keyset is the set of keys whose signatures count. The zero value trusts nobody.
type Keyset []Key

// Release returns the vendor keys that a released program trusts. It is the one
// place of that decision.
//
// The vendor's key ceremony has not been held yet, so there is none: a released
// program accepts no pack at all, least of all one of the demonstration's key,
// whose private half everybody can read in billing/pack/demo.
func Release() Keyset { return nil }

// find returns the key with the id kid.
func (s Keyset) find(kid string) (Key, error) {
	for _, k := range s {
		if id, err := KeyID(k.Public); err == nil && id == kid {
			return k, nil
		}
	}
	return Key{}, ErrUnknownKey
}

// KeyID is the PASERK k4.pid of a public key: a hash that names the key in the
// footer of a document.
func KeyID(public ed25519.PublicKey) (string, error) {
	const kind = "k4.pid."
	if len(public) != ed25519.PublicKeySize {
		return "", fmt.Errorf("name a key: %d bytes instead of %d", len(public), ed25519.PublicKeySize)
	}
	digest, err := blake2b.New(33, nil)
	if err != nil {
		return "", fmt.Errorf("name a key: %w", err)
	}
	digest.Write([]byte(kind + "k4.public." + encoding.EncodeToString(public)))
	return kind + encoding.EncodeToString(digest.Sum(nil)), nil
}

// footer is the signed but readable tail of a token.
type footer struct {
	KID string `json:"kid"`
}

func (f footer) check() error {
	if !strings.HasPrefix(f.KID, "k4.pid.") {
		return ErrMalformed
	}
	return nil
}
