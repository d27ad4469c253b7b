package billing

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"flysense/billing/pack"
)

// maxLength is the longest piece of work with a price; audio ends at 24 hours.
const maxLength = 48 * time.Hour

// ErrWork says that a piece of work cannot have a price.
var ErrWork = errors.New("the length of the work is out of range")

// Digest is a SHA-256.
type Digest [sha256.Size]byte

// Work is what is paid for.
type Work struct {
	Length  time.Duration // of the decoded recording
	Summary bool          // made by a language model
}

// seconds is the length as it is billed before the minimum: a begun second counts.
func (w Work) seconds() int64 {
	if w.Length <= 0 {
		return 0
	}
	return int64((w.Length-1)/time.Second) + 1
}

// Tariff is a price list.
type Tariff struct {
	Hash    Digest        // of the signed document; entries record it
	Rate    Amount        // per second of speech
	Minimum time.Duration // shortest billed length, whole seconds
	Summary Amount        // per summary
	From    time.Time     // zero for the base tariff
}

// Base is the tariff compiled in: 150 FC for an hour, 15 seconds at least, 2 FC
// for a summary. A signed tariff takes its place.
func Base() Tariff {
	t := Tariff{Rate: FC / 24, Minimum: 15 * time.Second, Summary: 2 * FC}
	data := []byte("flysense-tariff-base-v1\x00")
	for _, n := range []int64{int64(t.Rate), int64(t.Minimum / time.Second), int64(t.Summary)} {
		data = appendInt(data, n)
	}
	t.Hash = sha256.Sum256(data)
	return t
}

func signedTariff(token string, doc pack.Tariff) Tariff {
	return Tariff{
		Hash:    sha256.Sum256([]byte(token)),
		Rate:    Amount(doc.Rate),
		Minimum: time.Duration(doc.MinS) * time.Second,
		Summary: Amount(doc.Summary),
		From:    time.Unix(doc.ValidFrom, 0).UTC(),
	}
}

// Speech is the price of recognising a recording of this length: every begun
// second counts, and no fewer than the minimum.
func (t Tariff) Speech(length time.Duration) Amount {
	return t.speech(Work{Length: length}.seconds())
}

func (t Tariff) speech(seconds int64) Amount {
	return t.Rate * Amount(max(seconds, int64(t.Minimum/time.Second)))
}

// Price is what the work costs.
func (t Tariff) Price(w Work) Amount { return t.price(w.seconds(), w.Summary) }

func (t Tariff) price(seconds int64, summary bool) Amount {
	price := t.speech(seconds)
	if summary {
		price += t.Summary
	}
	return price
}

// Time is how much speech the amount pays for, without summaries, in whole
// seconds rounded down.
func (t Tariff) Time(a Amount) time.Duration {
	if a <= 0 {
		return 0
	}
	return time.Duration(a/t.Rate) * time.Second
}

// Hours shows a length of work for a person (Russian), rounded down to
// minutes: "6 ч 25 мин", "20 ч", "15 мин".
func Hours(d time.Duration) string {
	minutes := max(d, 0) / time.Minute
	switch h, m := minutes/60, minutes%60; {
	case h == 0:
		return fmt.Sprintf("%d мин", m)
	case m == 0:
		return fmt.Sprintf("%d ч", h)
	default:
		return fmt.Sprintf("%d ч %d мин", h, m)
	}
}
