package billing

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"flysense/billing/pack"
)

// Limits of a report and of what it reads into memory.
const (
	maxProblems = 100
	maxTariffs  = 1000
)

// Problem is one thing that does not add up.
type Problem struct {
	Rule string // the broken invariant: I1 … I14
	Seq  int64  // of the entry; 0 when it is about the whole
	Text string
}

func (p Problem) String() string {
	if p.Seq == 0 {
		return p.Rule + ": " + p.Text
	}
	return fmt.Sprintf("%s at entry %d: %s", p.Rule, p.Seq, p.Text)
}

// Report is the outcome of verifying the whole ledger.
type Report struct {
	At        time.Time
	Entries   int64
	Head      Digest
	OpenHolds int
	Balance   Balance
	Problems  []Problem // none if the ledger adds up; at most 100
}

// OK reports whether the ledger adds up.
func (r Report) OK() bool { return len(r.Problems) == 0 }

// Verify reads the whole ledger in one snapshot and proves it: the chain, the
// balances at every entry, holds and their ends, prices by signed tariffs,
// credits by signed packs, the anchor. One that does not add up locks the
// ledger until the next start. An error means that it could not be read.
func (l *Ledger) Verify(ctx context.Context) (Report, error) {
	a := audit{holds: map[int64]*Entry{}, credits: map[int64]Entry{}, anchored: -1, verdicts: map[Digest]*Tariff{}}
	// Before the snapshot: the anchor moves on while we read, the ledger does
	// not go back behind it.
	l.examineAnchor(&a)
	tx, err := l.db.Reader.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return Report{}, fmt.Errorf("verify the ledger: %w", err)
	}
	defer func() { _ = tx.Rollback() }()
	if err := l.examine(ctx, tx, &a); err != nil {
		return Report{}, l.doubt(fmt.Errorf("verify the ledger: %w", err))
	}
	r := Report{
		At:        l.now(),
		Entries:   a.last.Seq,
		Head:      a.last.Hash,
		OpenHolds: len(a.holds),
		Balance:   Balance{Available: a.balance[available], Held: a.balance[held], Spent: a.balance[spent], Credited: -a.balance[issued]},
		Problems:  a.problems,
	}
	l.mu.Lock()
	l.last = r
	l.mu.Unlock()
	if !r.OK() {
		l.lock(r.Problems[0].String())
	}
	return r, nil
}

func (l *Ledger) examine(ctx context.Context, tx *sql.Tx, a *audit) error {
	if err := l.examineTariffs(ctx, tx, a); err != nil {
		return err
	}
	if err := eachEntry(ctx, tx, a.entry); err != nil {
		return err
	}
	a.end()
	if a.anchored > a.last.Seq {
		a.problem("I14", 0, "the anchor remembers %d entries, the database has %d: it is an older copy", a.anchored, a.last.Seq)
	}
	h, err := readHead(ctx, tx)
	if err != nil {
		return err
	}
	if h.seq != a.last.Seq || h.hash != a.last.Hash || h.clock != a.last.ts || a.last.Seq > 0 && h.epoch != a.last.epoch {
		a.problem("I10", 0, "the head points at entry %d, the last is %d", h.seq, a.last.Seq)
	}
	balances, err := readBalances(ctx, tx)
	if err != nil {
		return err
	}
	a.balances(balances)
	repeated, err := repeatedKeys(ctx, tx)
	if err != nil {
		return err
	}
	for _, key := range repeated {
		a.problem("I8", 0, "the key %s was used twice", key)
	}
	packs, err := allPacks(ctx, tx)
	if err != nil {
		return err
	}
	l.examinePacks(packs, a)
	return nil
}

func (l *Ledger) examineTariffs(ctx context.Context, tx *sql.Tx, a *audit) error {
	base := Base()
	a.verdicts[base.Hash] = &base
	rows, err := allTariffs(ctx, tx)
	if err != nil {
		return err
	}
	for _, row := range rows {
		t, err := l.trust(row)
		if err != nil {
			a.problem("I12", 0, "the tariff of %s: %v", row.From.Format(time.DateOnly), err)
			continue
		}
		a.verdicts[t.Hash] = &t
	}
	return nil
}

func (l *Ledger) examineAnchor(a *audit) {
	if l.anchor == nil {
		return
	}
	h, err := l.anchor.read()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		a.problem("I14", 0, "the anchor file is missing")
	case err != nil:
		a.problem("I14", 0, "%v", err)
	default:
		a.anchored, a.anchor = h.seq, h.hash
	}
}

func (l *Ledger) examinePacks(packs []loadedPack, a *audit) {
	welcomes := 0
	for _, row := range packs {
		credit, ok := a.credits[row.entrySeq]
		if !ok {
			a.problem("I11", row.entrySeq, "pack %s has no credit", row.serial)
			continue
		}
		delete(a.credits, row.entrySeq)
		p, _, err := l.keys.OpenPack(row.token, l.inst.ID(), row.at)
		if err != nil {
			a.problem("I11", row.entrySeq, "pack %s: %v", row.serial, err)
			continue
		}
		sum := sha256.Sum256([]byte(row.token))
		if p.Serial != row.serial || !bytes.Equal(sum[:], row.sha256) || p.ReqSeq != row.reqSeq || string(p.Purpose()) != row.kind {
			a.problem("I11", row.entrySeq, "the row of pack %s says other than its token", row.serial)
		}
		if p.Serial != credit.Key || Amount(p.Amount) != credit.Amount || string(p.Purpose()) != credit.Ref || credit.input != Digest(sum) {
			a.problem("I11", row.entrySeq, "the credit says other than pack %s", row.serial)
		}
		if p.Purpose() == pack.Welcome {
			welcomes++
		}
	}
	for seq := range a.credits {
		a.problem("I11", seq, "a credit without a pack")
	}
	if welcomes > 1 {
		a.problem("I13", 0, "%d welcome packs", welcomes)
	}
}

// audit walks the entries and remembers what the next one must fit.
type audit struct {
	last     Entry
	balance  [accounts + 1]Amount
	holds    map[int64]*Entry // open, or captured in part with the rest to come
	credits  map[int64]Entry  // not yet matched with a pack
	verdicts map[Digest]*Tariff
	anchored int64 // entry the anchor stands at; -1 for none
	anchor   Digest
	problems []Problem
}

func (a *audit) problem(rule string, seq int64, format string, args ...any) {
	if len(a.problems) < maxProblems {
		a.problems = append(a.problems, Problem{rule, seq, fmt.Sprintf(format, args...)})
	}
}

func (a *audit) entry(e Entry) {
	if e.Seq != a.last.Seq+1 {
		a.problem("I9", e.Seq, "comes after entry %d", a.last.Seq)
	}
	if e.ts < a.last.ts {
		a.problem("I9", e.Seq, "is older than the entry before")
	}
	if e.epoch < max(a.last.epoch, 1) {
		a.problem("I9", e.Seq, "epoch %d after %d", e.epoch, a.last.epoch)
	}
	if e.prev != a.last.Hash {
		a.problem("I10", e.Seq, "does not continue the entry before")
	}
	if e.Hash != e.digest() {
		a.problem("I10", e.Seq, "its hash does not match its content")
	}
	if e.Kind != Credit && e.input != e.inputDigest() {
		a.problem("I8", e.Seq, "its input does not match its content")
	}
	if e.Seq == a.anchored && e.Hash != a.anchor {
		a.problem("I14", e.Seq, "the anchor remembers another entry here")
	}
	a.move(e)
	switch e.Kind {
	case Credit:
		a.credits[e.Seq] = e
	case Hold:
		a.price(e)
		a.holds[e.Seq] = &e
	case Capture, Release:
		a.settle(e)
	}
	a.last = e
}

// move keeps the running balances. Nothing but "issued" is ever below zero.
func (a *audit) move(e Entry) {
	debit, credit := e.Kind.way()
	if debit == 0 || e.debit != debit || e.credit != credit || e.Amount <= 0 {
		a.problem("I2", e.Seq, "a %s of %d units from account %d to %d", e.Kind, e.Amount, e.debit, e.credit)
		return
	}
	a.balance[debit] -= e.Amount
	a.balance[credit] += e.Amount
	if a.balance[available] < 0 || a.balance[held] < 0 {
		a.problem("I3", e.Seq, "leaves %d units available and %d held", a.balance[available], a.balance[held])
	}
}

func (a *audit) price(e Entry) {
	t := a.verdicts[e.tariff]
	if t == nil {
		a.problem("I12", e.Seq, "by an unknown tariff")
	} else if e.Amount != t.price(e.Seconds, e.Summary) {
		a.problem("I12", e.Seq, "%d units are not the price of %d s by its tariff", e.Amount, e.Seconds)
	}
}

// settle takes a capture or a release from its hold: in Amount is kept what is
// still to come back.
func (a *audit) settle(e Entry) {
	hold := a.holds[e.Pending]
	if hold == nil {
		a.problem("I4", e.Seq, "ends hold %d, which is not open", e.Pending)
		return
	}
	if e.Key != hold.Key || e.Ref != hold.Ref {
		a.problem("I4", e.Seq, "ends hold %d under another name", e.Pending)
	}
	captured := hold.Kind == Capture
	switch {
	case e.Kind == Capture && captured:
		a.problem("I4", e.Seq, "captures hold %d again", e.Pending)
	case e.Amount > hold.Amount:
		a.problem("I7", e.Seq, "%d units of %d held", e.Amount, hold.Amount)
	case e.Kind == Release && e.Amount != hold.Amount:
		a.problem("I4", e.Seq, "releases %d units of %d", e.Amount, hold.Amount)
	}
	if e.Kind == Capture {
		if e.tariff != hold.tariff {
			a.problem("I12", e.Seq, "by another tariff than its hold")
		}
		a.price(e)
	}
	if e.Kind == Release || e.Amount >= hold.Amount {
		delete(a.holds, e.Pending)
		return
	}
	rest := *hold
	rest.Kind = Capture
	rest.Amount -= e.Amount
	a.holds[e.Pending] = &rest
}

// end: a partial capture and the release of its rest are one transaction.
func (a *audit) end() {
	for seq, h := range a.holds {
		if h.Kind == Capture {
			a.problem("I4", seq, "was captured in part and the rest never released")
		}
	}
}

func (a *audit) balances(stored map[account]Amount) {
	var sum Amount
	for id, b := range stored {
		sum += b
		if id < 1 || id > accounts || b != a.balance[id] {
			a.problem("I2", 0, "account %d says %d units", id, b)
		}
	}
	if len(stored) != accounts {
		a.problem("I2", 0, "%d accounts", len(stored))
	}
	if sum != 0 {
		a.problem("I1", 0, "the balances sum up to %d units", sum)
	}
}
