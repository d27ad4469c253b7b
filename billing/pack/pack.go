package pack

import (
	"crypto/ed25519"
	"crypto/sha256"
	"strings"
	"time"
)

// UnitsPerFC is how many ledger units make one Flycoin: with it a tariff of p
// kopecks per hour is exactly p units per second.
const UnitsPerFC = 360_000

// maxFC bounds one pack whatever its key allows, far below overflow.
const maxFC = 1_000_000_000

const (
	maxOrder  = 64 // bytes of an order number
	maxInst   = 19 // "FS-" and 16 characters
	serials   = 26 // characters of a ULID
	crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
)

// Kind says why coins are given.
type Kind string

// Kinds of packs. A pack without a kind is a top-up.
const (
	TopUp   Kind = "topup"
	Welcome Kind = "welcome"
	Refund  Kind = "refund"
	Adjust  Kind = "adjust"
)

// Pack adds coins to one installation's ledger. The order of the fields is the
// order in the signed payload.
//
// ReqSeq, ReqHash and After bind the pack to a request of the appliance. A pack
// bears all three or none; the ledger checks them whenever they are there.
type Pack struct {
	Typ     string `json:"typ"` // "pack"
	V       int    `json:"v"`   // 1
	Serial  string `json:"serial"`
	Inst    string `json:"inst"`
	Epoch   int64  `json:"epoch"`
	ReqSeq  int64  `json:"req_seq,omitempty"`
	ReqHash string `json:"req_hash,omitempty"` // SHA-256 of the request's token, base64url
	After   *Point `json:"after,omitempty"`    // the ledger's head that the request told
	Amount  int64  `json:"amount,string"`      // ledger units
	FC      int64  `json:"fc,string"`          // the same in Flycoins
	Kind    Kind   `json:"kind,omitempty"`
	IAT     int64  `json:"iat"`     // issued at, Unix seconds
	LoadBy  int64  `json:"load_by"` // Unix seconds
	Order   string `json:"order"`
}

// Point is a place in a ledger's chain.
type Point struct {
	Seq  int64  `json:"seq"`
	Hash string `json:"hash"` // base64url of the entry's hash
}

// Digest reads the hash of the point.
func (p Point) Digest() ([]byte, error) { return digest(p.Hash) }

// RequestDigest reads ReqHash.
func (p Pack) RequestDigest() ([]byte, error) { return digest(p.ReqHash) }

func digest(text string) ([]byte, error) {
	sum, err := encoding.DecodeString(text)
	if err != nil || len(sum) != sha256.Size {
		return nil, ErrFields
	}
	return sum, nil
}

// Purpose is the kind of the pack, with the default filled in.
func (p Pack) Purpose() Kind {
	if p.Kind == "" {
		return TopUp
	}
	return p.Kind
}

// Bound reports whether the pack answers a request.
func (p Pack) Bound() bool { return p.ReqSeq != 0 }

// Sign checks the pack and signs it for the installation it names.
func (p Pack) Sign(key ed25519.PrivateKey) (string, error) {
	if err := p.check(); err != nil {
		return "", err
	}
	return seal(key, p, "pack", p.Inst)
}

// OpenPack verifies a pack for the installation inst as it is loaded at the
// given time. Every error of a document that does not pass is a [*Refusal].
func (s Keyset) OpenPack(token, inst string, at time.Time) (Pack, Key, error) {
	var p Pack
	key, err := s.open(token, RolePack, "pack", inst, &p)
	if err != nil {
		return Pack{}, Key{}, err
	}
	if err := p.check(); err != nil {
		return Pack{}, Key{}, err
	}
	if p.Inst != inst {
		return Pack{}, Key{}, ErrFields // the assertion says one installation, the payload another
	}
	if p.Amount > key.MaxPack {
		return Pack{}, Key{}, ErrOverMax
	}
	if at.After(time.Unix(p.LoadBy, 0)) {
		return Pack{}, Key{}, ErrLate
	}
	if err := timely(key, time.Unix(p.IAT, 0), at); err != nil {
		return Pack{}, Key{}, err
	}
	return p, key, nil
}

func (p Pack) check() error {
	switch {
	case p.Typ != "pack", p.V != 1:
		return ErrKind
	case !ulid(p.Serial), len(p.Inst) == 0, len(p.Inst) > maxInst, p.Epoch < 1, len(p.Order) > maxOrder:
		return ErrFields
	case p.FC < 1, p.FC > maxFC, p.IAT < 0, p.LoadBy < p.IAT:
		return ErrFields
	case p.Amount != p.FC*UnitsPerFC:
		return ErrMismatch
	}
	switch p.Kind {
	case "", TopUp, Welcome, Refund, Adjust:
	default:
		return ErrFields
	}
	if p.ReqSeq == 0 && p.ReqHash == "" && p.After == nil {
		return nil
	}
	if p.ReqSeq < 1 || p.After == nil || p.After.Seq < 0 {
		return ErrFields
	}
	if _, err := p.RequestDigest(); err != nil {
		return err
	}
	_, err := p.After.Digest()
	return err
}

// ulid tells whether s is a ULID in its one spelling: upper case, 48 bits of time.
func ulid(s string) bool {
	if len(s) != serials || s[0] > '7' {
		return false
	}
	for _, c := range s {
		if !strings.ContainsRune(crockford, c) {
			return false
		}
	}
	return true
}
