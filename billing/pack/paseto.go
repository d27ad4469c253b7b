package pack

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"strings"
)

const (
	header = "v4.public."

	maxToken  = 64 << 10 // bytes of a whole token
	maxFooter = 256      // bytes of a decoded footer; ours has about 60
)

// Strict: the unused bits of the last character must be zero. The decoder
// skips line breaks even so, which is why split refuses them itself.
var encoding = base64.RawURLEncoding.Strict()

// sign makes a PASETO v4.public token (PASETO version 4, section "Sign").
func sign(key ed25519.PrivateKey, message, footer, implicit []byte) string {
	signature := ed25519.Sign(key, authenticated(message, footer, implicit))
	token := header + encoding.EncodeToString(append(message[:len(message):len(message)], signature...))
	if len(footer) > 0 {
		token += "." + encoding.EncodeToString(footer)
	}
	return token
}

// split takes a token apart without believing any of it.
func split(token string) (message, signature, footer []byte, err error) {
	if len(token) > maxToken {
		return nil, nil, nil, ErrTooLarge
	}
	rest, ok := strings.CutPrefix(token, header)
	if !ok || strings.ContainsAny(rest, "\r\n") {
		return nil, nil, nil, ErrMalformed
	}
	body, foot, hasFooter := strings.Cut(rest, ".")
	signed, err := encoding.DecodeString(body)
	if err != nil || len(signed) < ed25519.SignatureSize {
		return nil, nil, nil, ErrMalformed
	}
	if hasFooter {
		footer, err = encoding.DecodeString(foot)
		if err != nil || len(footer) == 0 || len(footer) > maxFooter {
			return nil, nil, nil, ErrMalformed
		}
	}
	cut := len(signed) - ed25519.SignatureSize
	return signed[:cut], signed[cut:], footer, nil
}

func verify(key ed25519.PublicKey, message, signature, footer, implicit []byte) bool {
	return ed25519.Verify(key, authenticated(message, footer, implicit), signature)
}

// authenticated is PASETO's pre-authentication encoding of the four pieces.
// Every piece carries its length, so no byte can move from one to the next.
func authenticated(message, footer, implicit []byte) []byte {
	pieces := [][]byte{[]byte(header), message, footer, implicit}
	out := binary.LittleEndian.AppendUint64(nil, uint64(len(pieces)))
	for _, p := range pieces {
		out = binary.LittleEndian.AppendUint64(out, uint64(len(p)))
		out = append(out, p...)
	}
	return out
}
