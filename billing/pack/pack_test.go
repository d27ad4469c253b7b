package pack

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
)

// signedPack signs any payload with the pack key, as a vendor gone wrong would.
func signedPack(t *testing.T, payload string) string {
	t.Helper()
	return sign(packKey(), []byte(payload), []byte(`{"kid":"`+vectorKID+`"}`), assertion("pack", vectorInst))
}

// Even the vendor's own signature does not make these a pack.
func TestPayloadIsReadStrictly(t *testing.T) {
	good, err := canonical(vectorPack())
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := vectorKeys().OpenPack(signedPack(t, string(good)), vectorInst, vectorTime); err != nil {
		t.Fatalf("the unchanged payload: %v", err)
	}
	for name, tt := range map[string]struct {
		old, changed string
		want         error
	}{
		"key in another case":     {`"amount":"10800000000"`, `"AMOUNT":"10800000000"`, ErrCanonical},
		"key twice":               {`"amount":"10800000000"`, `"amount":"1","amount":"10800000000"`, ErrCanonical},
		"key twice in two cases":  {`"amount":"10800000000"`, `"amount":"10800000000","AMOUNT":"10800000000"`, ErrCanonical},
		"unknown field":           {`"v":1,`, `"v":1,"x":1,`, ErrCanonical},
		"fields in another order": {`"typ":"pack","v":1`, `"v":1,"typ":"pack"`, ErrCanonical},
		"a space":                 {`"v":1,`, `"v": 1,`, ErrCanonical},
		"a tail":                  {`"INV-0001"}`, `"INV-0001"}{}`, ErrCanonical},
		"a newline":               {`"INV-0001"}`, "\"INV-0001\"}\n", ErrCanonical},
		"number without quotes":   {`"amount":"10800000000"`, `"amount":10800000000`, ErrCanonical},
		"number with a plus":      {`"amount":"10800000000"`, `"amount":"+10800000000"`, ErrCanonical},
		"number with zeros":       {`"amount":"10800000000"`, `"amount":"010800000000"`, ErrCanonical},
		"number with an exponent": {`"amount":"10800000000"`, `"amount":"108e8"`, ErrCanonical},
		"fraction":                {`"iat":1767229200`, `"iat":1767229200.0`, ErrCanonical},
		"null":                    {`"order":"INV-0001"`, `"order":null`, ErrCanonical},
		"escaped letter":          {`INV-0001`, `\u0049NV-0001`, ErrCanonical},
		"not UTF-8":               {`INV-0001`, "INV-\xff", ErrCanonical},
		"missing field":           {`,"order":"INV-0001"`, ``, ErrCanonical},
		"default written out":     {`"fc":"30000",`, `"fc":"30000","kind":"",`, ErrCanonical},
		"amount is not fc":        {`"fc":"30000"`, `"fc":"30001"`, ErrMismatch},
		"nothing":                 {`"amount":"10800000000","fc":"30000"`, `"amount":"0","fc":"0"`, ErrFields},
		"less than nothing":       {`"amount":"10800000000","fc":"30000"`, `"amount":"-360000","fc":"-1"`, ErrFields},
		"overflow":                {`"amount":"10800000000","fc":"30000"`, `"amount":"0","fc":"51240955760304"`, ErrFields},
		"above the key's limit":   {`"amount":"10800000000","fc":"30000"`, `"amount":"18000360000","fc":"50001"`, ErrOverMax},
		"another document":        {`"typ":"pack"`, `"typ":"tariff"`, ErrKind},
		"newer version":           {`"v":1`, `"v":2`, ErrKind},
		"serial in lower case":    {`01JGFK00`, `01jgfk00`, ErrFields},
		"serial too large":        {`"01JGFK00`, `"81JGFK00`, ErrFields},
		"unknown kind":            {`"fc":"30000",`, `"fc":"30000","kind":"gift",`, ErrFields},
		"epoch zero":              {`"epoch":1`, `"epoch":0`, ErrFields},
		"half a binding":          {`"req_seq":2,`, ``, ErrFields},
		"binding without a head":  {`"after":{"seq":4,"hash":"QRBEj4tTPYlRO_9ALyN51EfIlY6HrOdJuetWzCFSX7I"},`, ``, ErrFields},
		"short request hash":      {`"SO3GyADxBrSux6xoKnfcCVwKw88tQA2UVVtgDJI_JF8"`, `"SO3G"`, ErrFields},
		"other in the payload":    {`"inst":"FS-LWJSJYYYVL5EA5FZ"`, `"inst":"FS-AAAAAAAAAAAAAAAA"`, ErrFields},
		"load_by before iat":      {`"load_by":1769821200`, `"load_by":1767229199`, ErrFields},
		"issued in the future":    {`"iat":1767229200`, `"iat":1767317000`, ErrFuture},
		"too late":                {`"load_by":1769821200`, `"load_by":1767229300`, ErrLate},
		"issued before the key":   {`"iat":1767229200`, `"iat":1766999999`, ErrKeyTime},
	} {
		t.Run(name, func(t *testing.T) {
			payload := strings.Replace(string(good), tt.old, tt.changed, 1)
			if payload == string(good) {
				t.Fatal("nothing was changed")
			}
			if _, _, err := vectorKeys().OpenPack(signedPack(t, payload), vectorInst, vectorTime); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

func TestWhoSignedAndForWhom(t *testing.T) {
	stranger := ed25519.NewKeyFromSeed(seed(0x60))
	foreign, err := vectorPack().Sign(stranger)
	if err != nil {
		t.Fatal(err)
	}
	good, err := canonical(vectorPack())
	if err != nil {
		t.Fatal(err)
	}
	foot := []byte(`{"kid":"` + vectorKID + `"}`)
	with := func(change func(*Key)) Keyset {
		keys := vectorKeys()
		change(&keys[0])
		return keys
	}
	for name, tt := range map[string]struct {
		keys  Keyset
		token string
		inst  string
		at    time.Time
		want  error
	}{
		"nobody is trusted":           {token: vectorToken, want: ErrUnknownKey},
		"stranger":                    {keys: vectorKeys(), token: foreign, want: ErrUnknownKey},
		"stranger with our key id":    {keys: vectorKeys(), token: sign(stranger, good, foot, assertion("pack", vectorInst)), want: ErrSignature},
		"another installation":        {keys: vectorKeys(), token: vectorToken, inst: "FS-AAAAAAAAAAAAAAAA", want: ErrSignature},
		"another kind of document":    {keys: vectorKeys(), token: sign(packKey(), good, foot, assertion("pack-request", vectorInst)), want: ErrSignature},
		"no assertion":                {keys: vectorKeys(), token: sign(packKey(), good, foot, nil), want: ErrSignature},
		"no footer":                   {keys: vectorKeys(), token: sign(packKey(), good, nil, assertion("pack", vectorInst)), want: ErrMalformed},
		"footer with more":            {keys: vectorKeys(), token: sign(packKey(), good, []byte(`{"kid":"`+vectorKID+`","x":1}`), assertion("pack", vectorInst)), want: ErrMalformed},
		"long footer":                 {keys: vectorKeys(), token: sign(packKey(), good, []byte(strings.Repeat("x", maxFooter+1)), assertion("pack", vectorInst)), want: ErrMalformed},
		"key of another role":         {keys: with(func(k *Key) { k.Role = RoleTariff }), token: vectorToken, want: ErrRole},
		"key not valid yet":           {keys: with(func(k *Key) { k.From = vectorTime.Add(time.Hour) }), token: vectorToken, want: ErrKeyTime},
		"key expired":                 {keys: with(func(k *Key) { k.Until = vectorTime.Add(-time.Second) }), token: vectorToken, want: ErrKeyTime},
		"key with a smaller limit":    {keys: with(func(k *Key) { k.MaxPack = 10_799_999_999 }), token: vectorToken, want: ErrOverMax},
		"clock of 1970":               {keys: vectorKeys(), token: vectorToken, at: time.Unix(0, 0), want: ErrFuture},
		"clock a day slow is allowed": {keys: vectorKeys(), token: vectorToken, at: time.Unix(1_767_229_200, 0).Add(-clockSlack)},
		"clock more than a day slow":  {keys: vectorKeys(), token: vectorToken, at: time.Unix(1_767_229_199, 0).Add(-clockSlack), want: ErrFuture},
		"last second":                 {keys: vectorKeys(), token: vectorToken, at: time.Unix(1_769_821_200, 0)},
		"a second too late":           {keys: vectorKeys(), token: vectorToken, at: time.Unix(1_769_821_201, 0), want: ErrLate},
		"too large":                   {keys: vectorKeys(), token: vectorToken + strings.Repeat("A", maxToken), want: ErrTooLarge},
		"local token":                 {keys: vectorKeys(), token: "v4.local." + vectorToken[len(header):], want: ErrMalformed},
		"empty":                       {keys: vectorKeys(), want: ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			inst, at := tt.inst, tt.at
			if inst == "" {
				inst = vectorInst
			}
			if at.IsZero() {
				at = vectorTime
			}
			if _, _, err := tt.keys.OpenPack(tt.token, inst, at); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

func TestTariff(t *testing.T) {
	key := ed25519.NewKeyFromSeed(seed(0x80))
	keys := append(vectorKeys(), Key{Public: key.Public().(ed25519.PublicKey), Role: RoleTariff, From: time.Unix(0, 0), Until: vectorTime.AddDate(1, 0, 0)})
	doc := Tariff{Typ: "tariff", V: 1, Inst: vectorInst, Rate: 12_000, MinS: 10, Summary: 360_000, ValidFrom: vectorTime.Unix(), IAT: vectorTime.Unix()}
	token, err := doc.Sign(key)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := keys.OpenTariff(token, vectorInst, vectorTime); err != nil || got != doc {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, _, err := keys.OpenPack(token, vectorInst, vectorTime); !errors.Is(err, ErrRole) {
		t.Errorf("a tariff as a pack: %v", err)
	}
	byPackKey, err := doc.Sign(packKey())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := keys.OpenTariff(byPackKey, vectorInst, vectorTime); !errors.Is(err, ErrRole) {
		t.Errorf("a tariff by the pack key: %v", err)
	}
	if _, err := keys.OpenTariff(token, "FS-AAAAAAAAAAAAAAAA", vectorTime); !errors.Is(err, ErrSignature) {
		t.Errorf("somebody else's tariff: %v", err)
	}
	for name, change := range map[string]func(*Tariff){
		"free speech":  func(d *Tariff) { d.Rate = 0 },
		"huge rate":    func(d *Tariff) { d.Rate = maxRate + 1 },
		"no minimum":   func(d *Tariff) { d.MinS = 0 },
		"huge minimum": func(d *Tariff) { d.MinS = maxMinimum + 1 },
		"paid back":    func(d *Tariff) { d.Summary = -1 },
		"for nobody":   func(d *Tariff) { d.Inst = "" },
		"other type":   func(d *Tariff) { d.Typ = "pack" },
	} {
		wrong := doc
		change(&wrong)
		if _, err := wrong.Sign(key); err == nil {
			t.Errorf("signed: %s", name)
		}
	}
}

// Every refusal says in Russian what to do, and no two say the same.
func TestRefusalsAreDistinct(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range []*Refusal{
		ErrTooLarge, ErrMalformed, ErrUnknownKey, ErrSignature, ErrRole, ErrKeyTime, ErrKind,
		ErrCanonical, ErrFields, ErrMismatch, ErrOverMax, ErrFuture, ErrLate,
	} {
		if r.Hint() == "" || seen[r.Hint()] || seen[r.Error()] {
			t.Errorf("%q: %q", r.Error(), r.Hint())
		}
		seen[r.Hint()], seen[r.Error()] = true, true
	}
}

// FuzzOpenPack signs what the fuzzer makes up, so that the reader behind the
// signature is tried too: what is accepted must be what would be written.
func FuzzOpenPack(f *testing.F) {
	good, err := canonical(vectorPack())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(vectorToken, good)
	f.Add("v4.public.", []byte(`{}`))
	f.Add("", []byte(`{"typ":"pack","v":1}`))
	f.Fuzz(func(t *testing.T, token string, payload []byte) {
		if _, _, err := vectorKeys().OpenPack(token, vectorInst, vectorTime); err == nil && token != vectorToken {
			t.Fatalf("accepted %q", token)
		}
		signed := sign(packKey(), payload, []byte(`{"kid":"`+vectorKID+`"}`), assertion("pack", vectorInst))
		p, _, err := vectorKeys().OpenPack(signed, vectorInst, vectorTime)
		if err != nil {
			var r *Refusal
			if !errors.As(err, &r) {
				t.Fatalf("an error that is no refusal: %v", err)
			}
			return
		}
		if again, err := p.Sign(packKey()); err != nil || again != signed {
			t.Fatalf("accepted %s, would write %s (%v)", payload, again, err)
		}
		if !json.Valid(payload) {
			t.Fatalf("accepted %q", payload)
		}
	})
}

func FuzzOpenTariff(f *testing.F) {
	key := ed25519.NewKeyFromSeed(seed(0x80))
	keys := Keyset{{Public: key.Public().(ed25519.PublicKey), Role: RoleTariff, From: time.Unix(0, 0), Until: vectorTime.AddDate(1, 0, 0)}}
	kid, err := KeyID(keys[0].Public)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(`{"typ":"tariff","v":1,"inst":"FS-LWJSJYYYVL5EA5FZ","rate":"15000","min_s":15,"summary":"720000","valid_from":0,"iat":0}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		signed := sign(key, payload, []byte(`{"kid":"`+kid+`"}`), assertion("tariff", vectorInst))
		doc, err := keys.OpenTariff(signed, vectorInst, vectorTime)
		if err != nil {
			return
		}
		if again, err := doc.Sign(key); err != nil || again != signed {
			t.Fatalf("accepted %s, would write %s (%v)", payload, again, err)
		}
	})
}
