package billing

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"
	"time"

	"flysense/billing/pack"
)

// line is an entry of a made-up ledger whose chain is perfect, so that only
// the rule under test can find fault with it.
type line struct {
	kind    Kind
	key     string
	amount  Amount
	pending int64
	seconds int64
	change  func(*Entry) // after chaining; the hash is made again
}

func auditOf(lines []line) audit {
	other := Tariff{Hash: Digest{1}, Rate: 15_000, Minimum: 15 * time.Second, Summary: 1}
	base := Base()
	a := audit{holds: map[int64]*Entry{}, credits: map[int64]Entry{}, anchored: -1, verdicts: map[Digest]*Tariff{base.Hash: &base, other.Hash: &other}}
	h := head{epoch: 1}
	for _, l := range lines {
		e := Entry{Kind: l.kind, Key: l.key, Ref: l.key, Amount: l.amount, Pending: l.pending, Seconds: l.seconds, tariff: base.Hash}
		e = e.after(h, newYear.Add(time.Duration(h.seq)*time.Second))
		if l.change != nil {
			l.change(&e)
		}
		e.input, e.Hash = e.inputDigest(), e.digest()
		a.entry(e)
		h.seq, h.hash = e.Seq, e.Hash
	}
	a.end()
	return a
}

// Each rule finds its own breach, and nothing else does.
func TestEachRule(t *testing.T) {
	const minute = 900_000
	credit := line{kind: Credit, key: "p", amount: 5 * minute}
	hold := line{kind: Hold, key: "a", amount: minute, seconds: 60}
	second := line{kind: Hold, key: "b", amount: minute, seconds: 60}
	half := line{kind: Capture, key: "a", amount: minute / 2, pending: 2, seconds: 30}
	rest := line{kind: Release, key: "a", amount: minute / 2, pending: 2}
	with := func(l line, change func(*Entry)) line {
		l.change = change
		return l
	}
	for name, tt := range map[string]struct {
		lines []line
		want  []string
	}{
		"sound":                         {[]line{credit, hold, half, rest, second}, nil},
		"captured in full":              {[]line{credit, hold, {kind: Capture, key: "a", amount: minute, pending: 2, seconds: 60}}, nil},
		"released in full":              {[]line{credit, hold, {kind: Release, key: "a", amount: minute, pending: 2}}, nil},
		"more held than there is":       {[]line{hold}, []string{"I3"}},
		"captured twice":                {[]line{credit, hold, half, half}, []string{"I4"}},
		"released twice":                {[]line{credit, hold, second, {kind: Release, key: "a", amount: minute, pending: 2}, {kind: Release, key: "a", amount: minute, pending: 2}}, []string{"I4"}},
		"captured after the release":    {[]line{credit, hold, second, {kind: Release, key: "a", amount: minute, pending: 2}, half}, []string{"I4"}},
		"capture without a hold":        {[]line{credit, second, {kind: Capture, key: "a", amount: minute, pending: 1, seconds: 60}}, []string{"I4"}},
		"rest never released":           {[]line{credit, hold, half}, []string{"I4"}},
		"released less than was left":   {[]line{credit, hold, half, {kind: Release, key: "a", amount: 1, pending: 2}}, []string{"I4"}},
		"ended under another name":      {[]line{credit, hold, {kind: Release, key: "b", amount: minute, pending: 2}}, []string{"I4"}},
		"ended with another reference":  {[]line{credit, hold, with(line{kind: Release, key: "a", amount: minute, pending: 2}, func(e *Entry) { e.Ref = "x" })}, []string{"I4"}},
		"captured more than held":       {[]line{credit, hold, second, {kind: Capture, key: "a", amount: minute + 15_000, pending: 2, seconds: 61}}, []string{"I7"}},
		"older than the one before":     {[]line{credit, with(hold, func(e *Entry) { e.ts = newYear.UnixMilli() - 1 })}, []string{"I9"}},
		"a number left out":             {[]line{credit, with(hold, func(e *Entry) { e.Seq++ })}, []string{"I9"}},
		"an epoch that goes back":       {[]line{with(credit, func(e *Entry) { e.epoch = 2 }), hold}, []string{"I9"}},
		"another chain":                 {[]line{credit, with(hold, func(e *Entry) { e.prev[0] ^= 1 })}, []string{"I10"}},
		"hold for another price":        {[]line{credit, {kind: Hold, key: "a", amount: minute - 1, seconds: 60}}, []string{"I12"}},
		"capture for another price":     {[]line{credit, hold, {kind: Capture, key: "a", amount: minute - 1, pending: 2, seconds: 60}, {kind: Release, key: "a", amount: 1, pending: 2}}, []string{"I12"}},
		"capture by another tariff":     {[]line{credit, hold, with(half, func(e *Entry) { e.tariff = Digest{1} }), rest}, []string{"I12"}},
		"hold by an unknown tariff":     {[]line{credit, with(hold, func(e *Entry) { e.tariff = Digest{2} })}, []string{"I12"}},
		"money that goes the other way": {[]line{credit, with(hold, func(e *Entry) { e.debit, e.credit = e.credit, e.debit })}, []string{"I2"}},
		"of an unknown kind":            {[]line{credit, with(hold, func(e *Entry) { e.Kind = 9 })}, []string{"I2"}},
	} {
		t.Run(name, func(t *testing.T) {
			a := auditOf(tt.lines)
			var got []string
			for _, p := range a.problems {
				got = append(got, p.Rule)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("found %v, want %v", a.problems, tt.want)
			}
		})
	}
}

// The stored balances are checked one by one and together.
func TestStoredBalances(t *testing.T) {
	for name, tt := range map[string]struct {
		stored map[account]Amount
		want   []string
	}{
		"right":              {map[account]Amount{issued: -5, available: 5, held: 0, spent: 0}, nil},
		"one too high":       {map[account]Amount{issued: -5, available: 6, held: 0, spent: 0}, []string{"I2", "I1"}},
		"both sides higher":  {map[account]Amount{issued: -6, available: 6, held: 0, spent: 0}, []string{"I2", "I2"}},
		"an account missing": {map[account]Amount{issued: -5, available: 5, held: 0}, []string{"I2"}},
		"a fifth account":    {map[account]Amount{issued: -5, available: 5, held: 0, spent: 0, 5: 0}, []string{"I2", "I2"}},
	} {
		a := audit{balance: [accounts + 1]Amount{issued: -5, available: 5}}
		a.balances(tt.stored)
		var got []string
		for _, p := range a.problems {
			got = append(got, p.Rule)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: found %v, want %v", name, a.problems, tt.want)
		}
	}
}

// I13: even the vendor's own signature does not make a second welcome right.
func TestSecondWelcomeIsFound(t *testing.T) {
	w := newWallet(t)
	a := audit{credits: map[int64]Entry{}}
	var rows []loadedPack
	for n := range 2 {
		token := packToken(t, n, 10, func(p *pack.Pack) { p.Kind = pack.Welcome })
		sum := sha256.Sum256([]byte(token))
		rows = append(rows, loadedPack{serial: serial(n), sha256: sum[:], entrySeq: int64(n + 1), kind: "welcome", token: token, at: newYear})
		a.credits[int64(n+1)] = Entry{Key: serial(n), Amount: 10 * FC, Ref: "welcome", input: sum}
	}
	w.examinePacks(rows, &a)
	if len(a.problems) != 1 || a.problems[0].Rule != "I13" {
		t.Errorf("found %v", a.problems)
	}
}

// A damaged ledger does not fill the memory with complaints.
func TestReportIsBounded(t *testing.T) {
	var lines []line
	for n := range 3 * maxProblems {
		lines = append(lines, line{kind: Release, key: fmt.Sprint(n), amount: 1, pending: 1})
	}
	if a := auditOf(lines); len(a.problems) != maxProblems {
		t.Errorf("%d problems", len(a.problems))
	}
	if r, err := newWallet(t).Verify(context.Background()); err != nil || !r.OK() || r.Entries != 0 {
		t.Errorf("an empty ledger: %+v, %v", r, err)
	}
}
