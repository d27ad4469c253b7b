package amocrm

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"
)

const (
	codeLife   = 20 * time.Minute
	accessLife = 24 * time.Hour
)

// refreshMonths is how long a refresh token waits to be used.
const refreshMonths = 3

// code is an authorization code.
type code struct {
	client  string
	user    int64
	expires time.Time
	spent   bool
}

// token opens the API: an access token of a pair, or a long-lived one.
type token struct {
	text    string
	client  string
	user    int64
	expires time.Time
	revoked bool
}

// refresh is the second half of a pair.
type refresh struct {
	client  string
	user    int64
	access  string
	expires time.Time
	spent   bool
}

// newToken makes and remembers an access token: a JWT to be read, not
// verified (1.4).
func (p *Portal) newToken(client string, user int64, life time.Duration) *token {
	now := p.now()
	expires := now.Add(life)
	text := p.sign(object{
		"aud": client, "jti": hex.EncodeToString(randomBytes(32)),
		"iat": now.Unix(), "nbf": now.Unix(), "exp": expires.Unix(),
		"sub": fmt.Sprint(user), "grant_type": "", "account_id": p.opt.AccountID, "base_domain": p.opt.TopDomain,
		"version": 2, "scopes": []string{"crm", "files"}, "hash_uuid": newUUID(), "api_domain": p.apiHost(),
	})
	t := &token{text: text, client: client, user: user, expires: expires}
	p.tokens[text] = t
	return t
}

func (p *Portal) newRefresh(t *token) string {
	text := "def50200" + hex.EncodeToString(randomBytes(300))
	p.refreshes[text] = &refresh{client: t.client, user: t.user, access: t.text, expires: p.now().AddDate(0, refreshMonths, 0)}
	return text
}

func (p *Portal) newCode(client string) string {
	text := "def50200" + hex.EncodeToString(randomBytes(300))
	p.codes[text] = &code{client: client, user: p.me, expires: p.now().Add(codeLife)}
	return text
}

// bearer finds a token that still opens the API.
func (p *Portal) bearer(text string) *token {
	t := p.tokens[text]
	if t == nil || t.revoked || !p.now().Before(t.expires) {
		return nil
	}
	return t
}

func (p *Portal) sign(claims object) string {
	part := func(v any) string {
		data, err := json.Marshal(v)
		if err != nil {
			panic(fmt.Sprintf("amocrm emulator: marshal own claims: %v", err))
		}
		return base64.RawURLEncoding.EncodeToString(data)
	}
	body := part(object{"typ": "JWT", "alg": "HS256"}) + "." + part(claims)
	mac := hmac.New(sha256.New, p.tokenSecret)
	mac.Write([]byte(body))
	return body + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// IssueLongLivedToken makes a token without a refresh token, as the keys tab
// of the integration does: valid for life, 1 day to 5 years at the vendor.
func (p *Portal) IssueLongLivedToken(clientID string, life time.Duration) string {
	defer p.lock()()
	p.mustKnow(clientID)
	p.touch()
	return p.newToken(clientID, p.me, life).text
}

// Revoke makes one access or long-lived token worthless.
func (p *Portal) Revoke(text string) {
	defer p.lock()()
	if t := p.tokens[text]; t != nil {
		t.revoked = true
	}
	p.touch()
}

// ExpireAccess ends every short-lived access token before its time; their
// refresh tokens stay good.
func (p *Portal) ExpireAccess() {
	defer p.lock()()
	for _, r := range p.refreshes {
		if t := p.tokens[r.access]; t != nil {
			t.revoked = true
		}
	}
	p.touch()
}

// RevokeAll withdraws every token, refresh token and code of every
// integration.
func (p *Portal) RevokeAll() {
	defer p.lock()()
	p.revoke(func(string) bool { return true })
}

func (p *Portal) revoke(ofClient func(id string) bool) {
	for _, t := range p.tokens {
		t.revoked = t.revoked || ofClient(t.client)
	}
	for _, r := range p.refreshes {
		r.spent = r.spent || ofClient(r.client)
	}
	for _, c := range p.codes {
		c.spent = c.spent || ofClient(c.client)
	}
	p.touch()
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails, see crypto/rand
	return b
}

func newUUID() string {
	b := randomBytes(16)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
