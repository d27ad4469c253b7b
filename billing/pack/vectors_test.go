package pack

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"testing"
	"time"
)

// The official vectors of PASETO v4.public and of PASERK k4.pid
// (paseto-standard/test-vectors: v4.json, PASERK/k4.pid.json).

const officialSecret = "b4cbfb43df4ce210727d953e4a713307fa19bb7d9f85041438d9e11b942a37741eb9dbbbbc047c03fd70604e0071f0987e16b28b757225c11f00415d0e20b1a2"

func TestOfficialSignatures(t *testing.T) {
	const message = `{"data":"this is a signed message","exp":"2022-01-01T00:00:00+00:00"}`
	const kid = `{"kid":"zVhMiPBP9fRf2snEcT7gFTioeA9COcNy9DfgL1W60haN"}`
	key := ed25519.PrivateKey(fromHex(t, officialSecret))
	for name, tt := range map[string]struct{ footer, implicit, token string }{
		"4-S-1": {token: "v4.public.eyJkYXRhIjoidGhpcyBpcyBhIHNpZ25lZCBtZXNzYWdlIiwiZXhwIjoiMjAyMi0wMS0wMVQwMDowMDowMCswMDowMCJ9bg_XBBzds8lTZShVlwwKSgeKpLT3yukTw6JUz3W4h_ExsQV-P0V54zemZDcAxFaSeef1QlXEFtkqxT1ciiQEDA"},
		"4-S-2": {footer: kid, token: "v4.public.eyJkYXRhIjoidGhpcyBpcyBhIHNpZ25lZCBtZXNzYWdlIiwiZXhwIjoiMjAyMi0wMS0wMVQwMDowMDowMCswMDowMCJ9v3Jt8mx_TdM2ceTGoqwrh4yDFn0XsHvvV_D0DtwQxVrJEBMl0F2caAdgnpKlt4p7xBnx1HcO-SPo8FPp214HDw.eyJraWQiOiJ6VmhNaVBCUDlmUmYyc25FY1Q3Z0ZUaW9lQTlDT2NOeTlEZmdMMVc2MGhhTiJ9"},
		"4-S-3": {footer: kid, implicit: `{"test-vector":"4-S-3"}`, token: "v4.public.eyJkYXRhIjoidGhpcyBpcyBhIHNpZ25lZCBtZXNzYWdlIiwiZXhwIjoiMjAyMi0wMS0wMVQwMDowMDowMCswMDowMCJ9NPWciuD3d0o5eXJXG5pJy-DiVEoyPYWs1YSTwWHNJq6DZD3je5gf-0M4JR9ipdUSJbIovzmBECeaWmaqcaP0DQ.eyJraWQiOiJ6VmhNaVBCUDlmUmYyc25FY1Q3Z0ZUaW9lQTlDT2NOeTlEZmdMMVc2MGhhTiJ9"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := sign(key, []byte(message), []byte(tt.footer), []byte(tt.implicit)); got != tt.token {
				t.Errorf("signed\n%s, want\n%s", got, tt.token)
			}
			m, s, f, err := split(tt.token)
			if err != nil || string(m) != message || string(f) != tt.footer {
				t.Fatalf("split into %q and %q, %v", m, f, err)
			}
			public := ed25519.PublicKey(key[32:])
			if !verify(public, m, s, f, []byte(tt.implicit)) {
				t.Error("the signature does not verify")
			}
			if verify(public, m, s, f, []byte(tt.implicit+" ")) {
				t.Error("verifies with another assertion")
			}
		})
	}
}

func TestOfficialKeyIDs(t *testing.T) {
	for key, want := range map[string]string{
		"0000000000000000000000000000000000000000000000000000000000000000": "k4.pid.S_XQmeEwHbbvRmiyfXfHYpLGjXGzjTRSDoT1YtTakWFE",
		"707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f": "k4.pid.9ShR3xc8-qVJ_di0tc9nx0IDIqbatdeM2mqLFBJsKRHs",
		"707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e90": "k4.pid.-nyvbaTz8U6TQz7OZWW-iB3va31iAxIpUgzUcVQVmW9A",
	} {
		if got, err := KeyID(fromHex(t, key)); err != nil || got != want {
			t.Errorf("%s: got %s, %v, want %s", key, got, err, want)
		}
	}
	if _, err := KeyID(fromHex(t, "707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e")); err == nil {
		t.Error("named a key that is too short")
	}
}

// Our own vectors: seeds are root 00..1f, pack 20..3f, installation 40..5f.

const (
	vectorInst   = "FS-LWJSJYYYVL5EA5FZ"
	vectorKID    = "k4.pid.H2ni_Jjs80_GOq84A_mx0fjYp0Vb7TkKVoh6gn4G8Y4I"
	vectorDigest = "331abe3dcf7d3c31be1fc25037f2d5bbee8799993f2b5bd10e2a5ebb73b0c73d"
	vectorToken  = "v4.public.eyJ0eXAiOiJwYWNrIiwidiI6MSwic2VyaWFsIjoiMDFKR0ZLMDAwMDAwMDAwMDAwMDAwMDAwMDAiLCJpbnN0IjoiRlMtTFdKU0pZWVlWTDVFQTVGWiIsImVwb2NoIjoxLCJyZXFfc2VxIjoyLCJyZXFfaGFzaCI6IlNPM0d5QUR4QnJTdXg2eG9LbmZjQ1Z3S3c4OHRRQTJVVlZ0Z0RKSV9KRjgiLCJhZnRlciI6eyJzZXEiOjQsImhhc2giOiJRUkJFajR0VFBZbFJPXzlBTHlONTFFZklsWTZIck9kSnVldFd6Q0ZTWDdJIn0sImFtb3VudCI6IjEwODAwMDAwMDAwIiwiZmMiOiIzMDAwMCIsImlhdCI6MTc2NzIyOTIwMCwibG9hZF9ieSI6MTc2OTgyMTIwMCwib3JkZXIiOiJJTlYtMDAwMSJ97WuAGCJupuso3uq53pqvMgHzSEOxMSgt4mLSH6LdErv79wcyIuRnO_fIaBK4kOdceU2wtN_oz5wRvbrsaslECw.eyJraWQiOiJrNC5waWQuSDJuaV9KanM4MF9HT3E4NEFfbXgwZmpZcDBWYjdUa0tWb2g2Z240RzhZNEkifQ"
)

func vectorPack() Pack {
	return Pack{
		Typ: "pack", V: 1, Serial: "01JGFK00000000000000000000", Inst: vectorInst, Epoch: 1,
		ReqSeq: 2, ReqHash: "SO3GyADxBrSux6xoKnfcCVwKw88tQA2UVVtgDJI_JF8",
		After:  &Point{Seq: 4, Hash: "QRBEj4tTPYlRO_9ALyN51EfIlY6HrOdJuetWzCFSX7I"},
		Amount: 10_800_000_000, FC: 30_000, IAT: 1_767_229_200, LoadBy: 1_769_821_200, Order: "INV-0001",
	}
}

func seed(first byte) []byte {
	s := make([]byte, ed25519.SeedSize)
	for i := range s {
		s[i] = first + byte(i)
	}
	return s
}

func packKey() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(seed(0x20)) }

func vectorKeys() Keyset {
	return Keyset{{
		Public: packKey().Public().(ed25519.PublicKey), Role: RolePack,
		From: time.Unix(1_767_000_000, 0), Until: time.Unix(1_790_000_000, 0), MaxPack: 50_000 * UnitsPerFC,
	}}
}

var vectorTime = time.Unix(1_767_230_000, 0)

func TestOurVectors(t *testing.T) {
	for first, want := range map[byte]string{
		0x00: "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8",
		0x20: "29acbae141bccaf0b22e1a94d34d0bc7361e526d0bfe12c89794bc9322966dd7",
		0x40: "2543b92ff1095511476adc8369db6ddc933665a11978dda1404ee1066ca9559d",
	} {
		inst, err := NewInstallation(seed(first))
		if err != nil || !bytes.Equal(inst.Public(), fromHex(t, want)) {
			t.Errorf("seed %x: public key %x, %v", first, inst.Public(), err)
		}
		if first == 0x40 && inst.ID() != vectorInst {
			t.Errorf("installation %s, want %s", inst.ID(), vectorInst)
		}
	}
	if kid, err := KeyID(packKey().Public().(ed25519.PublicKey)); err != nil || kid != vectorKID {
		t.Errorf("key id %s, %v", kid, err)
	}
	token, err := vectorPack().Sign(packKey())
	if err != nil || token != vectorToken {
		t.Errorf("signed\n%s\n%v, want\n%s", token, err, vectorToken)
	}
	sum := sha256.Sum256([]byte(token))
	if got := hex.EncodeToString(sum[:]); got != vectorDigest {
		t.Errorf("sha256 %s", got)
	}
	p, _, err := vectorKeys().OpenPack(vectorToken, vectorInst, vectorTime)
	if err != nil || p.Serial != "01JGFK00000000000000000000" || p.Amount != 10_800_000_000 || !p.Bound() || p.Purpose() != TopUp {
		t.Errorf("read %+v, %v", p, err)
	}
}

// B2: no change of any kind to a genuine pack is accepted.
func TestMutantsAreRefused(t *testing.T) {
	tried := 0
	refused := func(what, token string) {
		if token == vectorToken {
			return
		}
		tried++
		var r *Refusal
		if _, _, err := vectorKeys().OpenPack(token, vectorInst, vectorTime); !errors.As(err, &r) {
			t.Fatalf("%s: %v", what, err)
		}
	}
	v := []byte(vectorToken)
	for i := range v {
		for bit := range 8 {
			m := bytes.Clone(v)
			m[i] ^= 1 << bit
			refused("a flipped bit", string(m))
		}
		refused("cut short", vectorToken[:i])
		refused("cut off the front", vectorToken[i+1:])
		refused("a lost byte", vectorToken[:i]+vectorToken[i+1:])
		refused("a doubled byte", vectorToken[:i+1]+vectorToken[i:])
		for _, extra := range []string{"A", "=", ".", "\n", "\r", " ", "\x00", "я"} {
			refused("an inserted byte", vectorToken[:i]+extra+vectorToken[i:])
		}
		for _, other := range []byte("AQgw09-_.") {
			m := bytes.Clone(v)
			m[i] = other
			refused("another character", string(m))
		}
	}
	for _, tail := range []string{"\n", "\r\n", "=", "==", ".", ".e30", " ", "\t"} {
		refused("a tail", vectorToken+tail)
		refused("a head", tail+vectorToken)
	}
	if tried <= 10_000 {
		t.Fatalf("only %d mutants", tried)
	}
	t.Logf("%d mutants, none accepted", tried)
}

func fromHex(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
