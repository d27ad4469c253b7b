package pack

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"
)

// clockSlack is how far in the future a document may be dated: clocks of
// closed networks differ, and a date is all that tells a clock set back.
const clockSlack = 24 * time.Hour

// seal signs a payload. what and inst make the implicit assertion.
func seal(key ed25519.PrivateKey, payload any, what, inst string) (string, error) {
	public, ok := key.Public().(ed25519.PublicKey)
	if !ok {
		return "", fmt.Errorf("sign a %s: not an Ed25519 key", what)
	}
	kid, err := KeyID(public)
	if err != nil {
		return "", fmt.Errorf("sign a %s: %w", what, err)
	}
	message, err := canonical(payload)
	if err != nil {
		return "", fmt.Errorf("sign a %s: %w", what, err)
	}
	foot, err := canonical(footer{KID: kid})
	if err != nil {
		return "", fmt.Errorf("sign a %s: %w", what, err)
	}
	return sign(key, message, foot, assertion(what, inst)), nil
}

// open verifies a token for the role, the kind of document and the
// installation, and reads its payload into dst.
func (s Keyset) open(token string, role Role, what, inst string, dst any) (Key, error) {
	message, signature, foot, err := split(token)
	if err != nil {
		return Key{}, err
	}
	var f footer
	if err := strict(foot, &f); err != nil {
		return Key{}, ErrMalformed
	}
	if err := f.check(); err != nil {
		return Key{}, err
	}
	key, err := s.find(f.KID)
	if err != nil {
		return Key{}, err
	}
	if key.Role != role {
		return Key{}, ErrRole
	}
	if !verify(key.Public, message, signature, foot, assertion(what, inst)) {
		return Key{}, ErrSignature
	}
	return key, strict(message, dst)
}

// timely checks when a document was made and when it is read. A key that is no
// longer valid signs nothing, whatever date the document bears.
func timely(k Key, issued, at time.Time) error {
	switch {
	case at.Add(clockSlack).Before(issued):
		return ErrFuture
	case issued.Before(k.From), issued.After(k.Until), at.After(k.Until):
		return ErrKeyTime
	}
	return nil
}

func assertion(what, inst string) []byte { return []byte("flysense/" + what + "/v1|" + inst) }

// strict reads data into dst and demands that dst would be written as data,
// which also leaves no room for a tail.
func strict(data []byte, dst any) error {
	if !utf8.Valid(data) {
		return ErrCanonical
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(dst); err != nil {
		return ErrCanonical
	}
	again, err := canonical(dst)
	if err != nil || !bytes.Equal(again, data) {
		return ErrCanonical
	}
	return nil
}

// canonical is the one way a payload is written: fields in the order of the
// struct, no spaces, HTML characters as they are.
func canonical(v any) ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}
