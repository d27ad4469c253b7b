package pack

import (
	"crypto/ed25519"
	"time"
)

// Bounds of a tariff, far from any overflow of a day of speech.
const (
	maxRate    = 1_000_000_000          // units per second
	maxMinimum = 3600                   // seconds
	maxSummary = 1_000_000 * UnitsPerFC // units
)

// Tariff is the vendor's price list for one installation. The order of the
// fields is the order in the signed payload.
type Tariff struct {
	Typ       string `json:"typ"` // "tariff"
	V         int    `json:"v"`   // 1
	Inst      string `json:"inst"`
	Rate      int64  `json:"rate,string"`    // units per second of speech
	MinS      int64  `json:"min_s"`          // shortest billed length, seconds; 1 at least, so that no price is zero
	Summary   int64  `json:"summary,string"` // units per summary
	ValidFrom int64  `json:"valid_from"`     // Unix seconds
	IAT       int64  `json:"iat"`            // issued at, Unix seconds
}

// Sign checks the tariff and signs it for the installation it names.
func (t Tariff) Sign(key ed25519.PrivateKey) (string, error) {
	if err := t.check(); err != nil {
		return "", err
	}
	return seal(key, t, "tariff", t.Inst)
}

// OpenTariff verifies a tariff for the installation inst as it is loaded at
// the given time. Every error of a document that does not pass is a [*Refusal].
func (s Keyset) OpenTariff(token, inst string, at time.Time) (Tariff, error) {
	var t Tariff
	key, err := s.open(token, RoleTariff, "tariff", inst, &t)
	if err != nil {
		return Tariff{}, err
	}
	if err := t.check(); err != nil {
		return Tariff{}, err
	}
	if t.Inst != inst {
		return Tariff{}, ErrFields
	}
	if err := timely(key, time.Unix(t.IAT, 0), at); err != nil {
		return Tariff{}, err
	}
	return t, nil
}

func (t Tariff) check() error {
	switch {
	case t.Typ != "tariff", t.V != 1:
		return ErrKind
	case len(t.Inst) == 0, len(t.Inst) > maxInst, t.IAT < 0, t.ValidFrom < 0:
		return ErrFields
	case t.Rate < 1, t.Rate > maxRate, t.MinS < 1, t.MinS > maxMinimum, t.Summary < 0, t.Summary > maxSummary:
		return ErrFields
	}
	return nil
}
