package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"embed"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"
)

// Cost of a hash (design: 130 ms on the reference machine).
const (
	hashMemory  = 64 << 10 // KiB
	hashTime    = 3
	hashThreads = 1
	hashSalt    = 16 // bytes
	hashKey     = 32 // bytes
)

// hashesAtOnce bounds the memory that people signing in can take.
const hashesAtOnce = 2

// hasher turns passwords into PHC strings, few at a time.
type hasher struct {
	slots  chan struct{}
	memory uint32 // KiB
}

func newHasher() hasher { return hasher{make(chan struct{}, hashesAtOnce), hashMemory} }

func (h hasher) hash(ctx context.Context, password string) (string, error) {
	salt := make([]byte, hashSalt)
	_, _ = rand.Read(salt) // never fails
	key, err := h.key(ctx, password, salt, h.memory, hashTime, hashThreads)
	if err != nil {
		return "", err
	}
	return h.phc(salt, key), nil
}

func (h hasher) phc(salt, key []byte) string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.memory, hashTime, hashThreads,
		b64.EncodeToString(salt), b64.EncodeToString(key))
}

// decoy is what an unknown login is compared with: no password has this hash,
// and checking it takes as long as any other.
func (h hasher) decoy() string { return h.phc(make([]byte, hashSalt), make([]byte, hashKey)) }

// check reports whether the password is that of the PHC string.
func (h hasher) check(ctx context.Context, phc, password string) (bool, error) {
	var version, memory, time uint32
	var threads uint8
	parts := strings.Split(phc, "$")
	if len(parts) != 6 || parts[1] != "argon2id" {
		return false, errors.New("a stored password is no argon2id PHC string")
	}
	if _, err := fmt.Sscanf(parts[2]+" "+parts[3], "v=%d m=%d,t=%d,p=%d", &version, &memory, &time, &threads); err != nil || version != argon2.Version {
		return false, errors.New("a stored password has unknown parameters")
	}
	salt, saltErr := base64.RawStdEncoding.DecodeString(parts[4])
	want, wantErr := base64.RawStdEncoding.DecodeString(parts[5])
	if saltErr != nil || wantErr != nil || len(want) != hashKey {
		return false, errors.New("a stored password is damaged")
	}
	got, err := h.key(ctx, password, salt, memory, time, threads)
	return err == nil && subtle.ConstantTimeCompare(got, want) == 1, err
}

// key waits for a free slot. A password longer than allowed is cut: it cannot
// be right, and hashing it must not take longer.
func (h hasher) key(ctx context.Context, password string, salt []byte, memory, time uint32, threads uint8) ([]byte, error) {
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	password = password[:min(len(password), 4*maxPassword+1)]
	return argon2.IDKey([]byte(norm.NFC.String(password)), salt, time, memory, threads, hashKey), nil
}

// Limits of a password, in characters.
const (
	minPassword  = 12
	maxPassword  = 256
	minDifferent = 5 // different characters
)

//go:embed common.txt
var commonFile embed.FS

// fitPassword refuses what is guessed first.
func fitPassword(login, password string) error {
	length := utf8.RuneCountInString(password)
	switch {
	case length < minPassword:
		return &Unfit{fmt.Sprintf("Пароль короче %d знаков: придумайте длиннее, например из нескольких слов.", minPassword)}
	case length > maxPassword:
		return &Unfit{fmt.Sprintf("Пароль длиннее %d знаков: сократите его.", maxPassword)}
	}
	plain := strings.ToLower(norm.NFC.String(password))
	different := map[rune]bool{}
	for _, r := range plain {
		different[r] = true
	}
	if len(different) < minDifferent {
		return &Unfit{"В пароле слишком мало разных знаков: придумайте другой."}
	}
	if utf8.RuneCountInString(login) >= 4 && strings.Contains(plain, login) {
		return &Unfit{"В пароле есть логин: придумайте другой."}
	}
	common, err := commonFile.ReadFile("common.txt")
	if err != nil {
		return err
	}
	for word := range strings.Lines(string(common)) {
		if plain == strings.TrimSpace(word) {
			return &Unfit{"Этот пароль подбирают одним из первых: придумайте другой."}
		}
	}
	return nil
}
