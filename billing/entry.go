package billing

import (
	"crypto/sha256"
	"encoding/binary"
	"time"

	"flysense/internal/db"
)

// Kind says what an entry does with money.
type Kind int64

// The kinds of entries.
const (
	Credit  Kind = 1 // a pack came in
	Hold    Kind = 2 // a price was reserved
	Capture Kind = 3 // work was done and paid
	Release Kind = 4 // a reservation, or what was left of it, came back
)

func (k Kind) String() string {
	switch k {
	case Credit:
		return "credit"
	case Hold:
		return "hold"
	case Capture:
		return "capture"
	case Release:
		return "release"
	}
	return "unknown"
}

// MarshalText writes the kind's word.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// account is one of the four places where money stands.
type account int64

const (
	issued    account = 1
	available account = 2
	held      account = 3
	spent     account = 4
	accounts          = 4
)

// way is the pair of accounts between which a kind moves money.
func (k Kind) way() (debit, credit account) {
	switch k {
	case Credit:
		return issued, available
	case Hold:
		return available, held
	case Capture:
		return held, spent
	case Release:
		return held, available
	}
	return 0, 0
}

// prefix begins the idempotency key of a kind, so that the hold, the capture
// and the release of one piece of work have keys of their own.
func (k Kind) prefix() string {
	if k == Credit {
		return "pack:"
	}
	return k.String() + ":"
}

// Entry is one line of the ledger.
type Entry struct {
	Seq     int64     // 1, 2, 3 … without gaps
	At      time.Time // never before the entry above, whatever the clock did
	Kind    Kind
	Amount  Amount
	Pending int64  // the hold that a capture or release ends; 0 otherwise
	Key     string // of the work, or the serial of the pack
	Ref     string // what the caller calls the work; a pack's kind
	Reason  string // why a hold was released; empty for what a capture left over
	Seconds int64  // heard, begun seconds counted, before the tariff's minimum
	Summary bool   // the amount includes a summary
	Hash    Digest

	ts, epoch     int64
	debit, credit account
	input         Digest
	tariff        Digest // of holds and captures
	prev          Digest
}

// Change is what the entry does to the wallet, open holds included: packs add,
// captures take.
func (e Entry) Change() Amount {
	switch e.Kind {
	case Credit:
		return e.Amount
	case Capture:
		return -e.Amount
	}
	return 0
}

func (e Entry) idem() string { return e.Kind.prefix() + e.Key }

// digest is the hash of the entry in the chain. The layout is fixed and
// binary: what is hashed must not depend on how some encoder writes it.
func (e Entry) digest() Digest {
	data := append([]byte("flysense-ledger-v1\x00"), e.prev[:]...)
	for _, n := range []int64{e.Seq, e.ts, int64(e.Kind), int64(e.debit), int64(e.credit), int64(e.Amount), e.Pending} {
		data = appendInt(data, n)
	}
	return sha256.Sum256(appendTexts(data, e.idem(), e.Ref))
}

// inputDigest is the hash of what the caller asked for. Whoever repeats a key
// must repeat its input. A credit's input is its signed token instead.
func (e Entry) inputDigest() Digest {
	summary := uint64(0)
	if e.Summary {
		summary = 1
	}
	data := []byte("flysense-input-v1\x00")
	data = appendInt(data, int64(e.Kind))
	data = appendInt(data, e.Seconds)
	data = binary.BigEndian.AppendUint64(data, summary)
	return sha256.Sum256(appendTexts(data, e.Key, e.Ref, e.Reason))
}

// appendInt writes eight bytes; a negative number keeps every bit.
func appendInt(data []byte, n int64) []byte {
	return binary.BigEndian.AppendUint64(data, uint64(n)) //nolint:gosec // two's complement is meant: hashed, never read as a number
}

func appendTexts(data []byte, texts ...string) []byte {
	for _, s := range texts {
		data = binary.BigEndian.AppendUint64(data, uint64(len(s)))
		data = append(data, s...)
	}
	return data
}

// after chains the entry to the head and gives it its number and its time:
// the later of now and the entry before, because clocks go back.
func (e Entry) after(h head, now time.Time) Entry {
	e.Seq = h.seq + 1
	e.ts = max(db.Millis(now), h.clock)
	e.At = db.Time(e.ts)
	e.epoch = h.epoch
	e.debit, e.credit = e.Kind.way()
	e.prev = h.hash
	e.Hash = e.digest()
	return e
}

// head is the end of the chain.
type head struct {
	seq   int64
	hash  Digest
	epoch int64
	clock int64 // Unix ms of the latest entry
}
