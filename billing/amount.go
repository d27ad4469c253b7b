package billing

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"flysense/billing/pack"
)

// Amount is money in ledger units: 1 Flycoin is 360,000 of them, so that every
// price in whole kopecks per hour is a whole number of units per second.
type Amount int64

// FC is one Flycoin, which costs one rouble.
const FC Amount = pack.UnitsPerFC

const cent = FC / 100

// ErrAmount is what [ParseAmount] returns for text that is no amount.
var ErrAmount = errors.New("not an amount of Flycoins")

// String shows Flycoins with two digits, rounded down: a wallet never looks
// fuller than it is.
func (a Amount) String() string {
	cents := a / cent
	if a%cent < 0 {
		cents--
	}
	sign := ""
	if cents < 0 {
		sign, cents = "-", -cents
	}
	return fmt.Sprintf("%s%d.%02d", sign, cents/100, cents%100)
}

// ParseAmount reads Flycoins as [Amount.String] writes them, with at most two
// digits after the point.
func ParseAmount(text string) (Amount, error) {
	digits, negative := strings.CutPrefix(text, "-")
	whole, part, dotted := strings.Cut(digits, ".")
	if dotted && (len(part) == 0 || len(part) > 2) || !decimal(whole) || !decimal(part+"0") {
		return 0, ErrAmount
	}
	for len(part) < 2 {
		part += "0"
	}
	cents, err := strconv.ParseInt(whole+part, 10, 64)
	if err != nil || cents > math.MaxInt64/int64(cent) {
		return 0, ErrAmount
	}
	if negative {
		cents = -cents
	}
	return Amount(cents) * cent, nil
}

func decimal(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// MarshalText writes exact units, for JSON: a decimal string, because numbers
// there are exact only up to 2^53.
func (a Amount) MarshalText() ([]byte, error) { return strconv.AppendInt(nil, int64(a), 10), nil }

// UnmarshalText reads exact units.
func (a *Amount) UnmarshalText(text []byte) error {
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		return fmt.Errorf("read an amount in units: %w", err)
	}
	*a = Amount(n)
	return nil
}
