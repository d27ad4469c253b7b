package billing

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"flysense/internal/db"
)

// All SQL of the ledger stands in this file, written by hand.

// querier is a transaction, or a pool for reading.
type querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// row is what Scan reads from.
type row interface{ Scan(dest ...any) error }

func readHead(ctx context.Context, q querier) (head, error) {
	var h head
	var hash []byte
	err := q.QueryRowContext(ctx, `
		SELECT
			seq,
			hash,
			epoch,
			clock_hw
		FROM head
		WHERE id = 1`).Scan(&h.seq, &hash, &h.epoch, &h.clock)
	if err != nil {
		return head{}, fmt.Errorf("read the ledger's head: %w", err)
	}
	h.hash = toDigest(hash)
	return h, nil
}

// appendEntry writes an entry made by [Entry.after], moves the money and the head.
func appendEntry(ctx context.Context, q querier, e Entry) error {
	_, err := q.ExecContext(ctx, `
		INSERT INTO entry (
			seq,
			ts,
			epoch,
			kind,
			debit,
			credit,
			amount,
			pending,
			idem,
			input_hash,
			ref,
			reason,
			seconds,
			summary,
			tariff_hash,
			prev,
			hash
		) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		e.Seq,
		e.ts,
		e.epoch,
		e.Kind,
		e.debit,
		e.credit,
		e.Amount,
		sql.NullInt64{Int64: e.Pending, Valid: e.Pending != 0},
		e.idem(),
		e.input[:],
		e.Ref,
		e.Reason,
		e.Seconds,
		e.Summary,
		priced(e),
		e.prev[:],
		e.Hash[:],
	)
	if err != nil {
		return fmt.Errorf("write ledger entry %d: %w", e.Seq, err)
	}
	_, err = q.ExecContext(ctx, `
		UPDATE account
		SET balance = balance + CASE id WHEN ? THEN -? ELSE ? END
		WHERE id IN (?, ?)`, e.debit, e.Amount, e.Amount, e.debit, e.credit)
	if err != nil {
		return fmt.Errorf("move the money of ledger entry %d: %w", e.Seq, err)
	}
	_, err = q.ExecContext(ctx, `
		UPDATE head
		SET
			seq      = ?,
			hash     = ?,
			clock_hw = ?
		WHERE id = 1`, e.Seq, e.Hash[:], e.ts)
	if err != nil {
		return fmt.Errorf("move the ledger's head to %d: %w", e.Seq, err)
	}
	return nil
}

func priced(e Entry) []byte {
	if e.Kind == Hold || e.Kind == Capture {
		return e.tariff[:]
	}
	return nil
}

const entryColumns = `
	seq,
	ts,
	epoch,
	kind,
	debit,
	credit,
	amount,
	pending,
	idem,
	input_hash,
	ref,
	reason,
	seconds,
	summary,
	tariff_hash,
	prev,
	hash`

func scanEntry(r row) (Entry, error) {
	var e Entry
	var pending sql.NullInt64
	var idem string
	var input, tariff, prev, hash []byte
	err := r.Scan(
		&e.Seq,
		&e.ts,
		&e.epoch,
		&e.Kind,
		&e.debit,
		&e.credit,
		&e.Amount,
		&pending,
		&idem,
		&input,
		&e.Ref,
		&e.Reason,
		&e.Seconds,
		&e.Summary,
		&tariff,
		&prev,
		&hash,
	)
	if err != nil {
		return Entry{}, err
	}
	e.At = db.Time(e.ts)
	e.Pending = pending.Int64
	// A text without the prefix of its kind was not written by us: it stays
	// whole, so that the entry's digest cannot match.
	e.Key = strings.TrimPrefix(idem, e.Kind.prefix())
	e.input, e.tariff, e.prev, e.Hash = toDigest(input), toDigest(tariff), toDigest(prev), toDigest(hash)
	return e, nil
}

// toDigest reads a stored hash; one of another size is none.
func toDigest(b []byte) Digest {
	if len(b) != len(Digest{}) {
		return Digest{}
	}
	return Digest(b)
}

// errNoEntry: the ledger has no such entry.
var errNoEntry = errors.New("no such ledger entry")

// entryByKey finds the entry of a kind and key, or errNoEntry.
func entryByKey(ctx context.Context, q querier, kind Kind, key string) (Entry, error) {
	return one(fmt.Sprintf("find the %s of %s", kind, key), scanEntry, q.QueryRowContext(ctx, `
		SELECT`+entryColumns+`
		FROM entry
		WHERE idem = ?`, kind.prefix()+key))
}

func hashAt(ctx context.Context, q querier, seq int64) (Digest, error) {
	if seq == 0 {
		return Digest{}, nil
	}
	return one(fmt.Sprintf("read ledger entry %d", seq), scanDigest, q.QueryRowContext(ctx, `
		SELECT hash
		FROM entry
		WHERE seq = ?`, seq))
}

func scanDigest(r row) (Digest, error) {
	var hash []byte
	err := r.Scan(&hash)
	return toDigest(hash), err
}

// eachEntry calls fn for all entries from the first to the last.
func eachEntry(ctx context.Context, q querier, fn func(Entry)) error {
	return each(ctx, q, `
		SELECT`+entryColumns+`
		FROM entry
		ORDER BY seq`, nil, func(r row) error {
		e, err := scanEntry(r)
		if err == nil {
			fn(e)
		}
		return err
	})
}

// entriesBefore returns the newest entries with a smaller number, newest first.
func entriesBefore(ctx context.Context, q querier, before int64, limit int) ([]Entry, error) {
	return all(ctx, q, `
		SELECT`+entryColumns+`
		FROM entry
		WHERE seq < ?
		ORDER BY seq DESC
		LIMIT ?`, []any{before, limit}, scanEntry)
}

// openHolds returns the holds that neither a capture nor a release has ended.
func openHolds(ctx context.Context, q querier) ([]Entry, error) {
	return all(ctx, q, `
		SELECT`+entryColumns+`
		FROM entry
		WHERE kind = ?
			AND NOT EXISTS (
				SELECT 1
				FROM entry AS ending
				WHERE ending.pending = entry.seq
			)
		ORDER BY seq`, []any{Hold}, scanEntry)
}

// repeatedKeys counts keys that occur twice, in case somebody dropped the index.
func repeatedKeys(ctx context.Context, q querier) ([]string, error) {
	return all(ctx, q, `
		SELECT idem
		FROM entry
		GROUP BY +idem
		HAVING count(*) > 1
		LIMIT ?`, []any{maxProblems}, func(r row) (idem string, err error) {
		err = r.Scan(&idem)
		return idem, err
	})
}

func readBalances(ctx context.Context, q querier) (map[account]Amount, error) {
	balances := make(map[account]Amount, accounts)
	err := each(ctx, q, `
		SELECT
			id,
			balance
		FROM account`, nil, func(r row) error {
		var id account
		var b Amount
		err := r.Scan(&id, &b)
		balances[id] = b
		return err
	})
	return balances, err
}

// spentBetween sums the captures of [from, to).
func spentBetween(ctx context.Context, q querier, from, to time.Time) (Day, error) {
	d := Day{Date: from}
	err := q.QueryRowContext(ctx, `
		SELECT
			coalesce(sum(amount), 0),
			coalesce(sum(seconds), 0),
			coalesce(sum(summary), 0),
			count(*)
		FROM entry
		WHERE kind = 3
			AND ts >= ?
			AND ts < ?`, db.Millis(from), db.Millis(to)).Scan(&d.Spent, &d.Seconds, &d.Summaries, &d.Captures)
	if err != nil {
		return Day{}, fmt.Errorf("sum a day's spending: %w", err)
	}
	return d, nil
}

// loadedPack is a row of the table of packs.
type loadedPack struct {
	serial   string
	sha256   []byte
	entrySeq int64
	reqSeq   int64 // 0 for a pack that answers no request
	kind     string
	token    string
	at       time.Time
	by       string
}

const packColumns = `
	serial,
	sha256,
	entry_seq,
	coalesce(req_seq, 0),
	kind,
	token,
	loaded_at,
	loaded_by`

func scanPack(r row) (loadedPack, error) {
	var p loadedPack
	var at int64
	err := r.Scan(&p.serial, &p.sha256, &p.entrySeq, &p.reqSeq, &p.kind, &p.token, &at, &p.by)
	p.at = db.Time(at)
	return p, err
}

func insertPack(ctx context.Context, q querier, p loadedPack) error {
	_, err := q.ExecContext(ctx, `
		INSERT INTO pack (
			serial,
			sha256,
			entry_seq,
			req_seq,
			kind,
			token,
			loaded_at,
			loaded_by
		) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		p.serial,
		p.sha256,
		p.entrySeq,
		sql.NullInt64{Int64: p.reqSeq, Valid: p.reqSeq != 0},
		p.kind,
		p.token,
		db.Millis(p.at),
		p.by,
	)
	if err != nil {
		return fmt.Errorf("write pack %s: %w", p.serial, err)
	}
	return nil
}

// packByHash finds a loaded pack by the SHA-256 of its token, or errNoEntry.
func packByHash(ctx context.Context, q querier, sum Digest) (loadedPack, error) {
	return one("find a pack", scanPack, q.QueryRowContext(ctx, `
		SELECT`+packColumns+`
		FROM pack
		WHERE sha256 = ?`, sum[:]))
}

func allPacks(ctx context.Context, q querier) ([]loadedPack, error) {
	return all(ctx, q, `
		SELECT`+packColumns+`
		FROM pack
		ORDER BY entry_seq`, nil, scanPack)
}

// packsOf counts the loaded packs of a kind, and tells the highest request
// answered by any.
func packsOf(ctx context.Context, q querier, kind string) (count, lastReq int64, err error) {
	err = q.QueryRowContext(ctx, `
		SELECT
			coalesce(sum(kind = ?), 0),
			coalesce(max(req_seq), 0)
		FROM pack`, kind).Scan(&count, &lastReq)
	if err != nil {
		return 0, 0, fmt.Errorf("count packs: %w", err)
	}
	return count, lastReq, nil
}

// loadedTariff is a row of the table of tariffs. The columns beside the token
// are for people with a database shell; the program believes the token alone
// and demands that they agree.
type loadedTariff struct {
	Tariff
	token string
	at    time.Time
	by    string
}

const tariffColumns = `
	hash,
	token,
	rate_u,
	min_s,
	summary_u,
	valid_from,
	loaded_at,
	loaded_by`

func scanTariff(r row) (loadedTariff, error) {
	var t loadedTariff
	var hash []byte
	var minimum, from, at int64
	err := r.Scan(&hash, &t.token, &t.Rate, &minimum, &t.Summary, &from, &at, &t.by)
	t.Hash = toDigest(hash)
	t.Minimum = time.Duration(minimum) * time.Second
	t.From = time.Unix(from, 0).UTC()
	t.at = db.Time(at)
	return t, err
}

func insertTariff(ctx context.Context, q querier, t loadedTariff) error {
	_, err := q.ExecContext(ctx, `
		INSERT INTO tariff (
			hash,
			token,
			rate_u,
			min_s,
			summary_u,
			valid_from,
			loaded_at,
			loaded_by
		) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		t.Hash[:],
		t.token,
		t.Rate,
		int64(t.Minimum/time.Second),
		t.Summary,
		t.From.Unix(),
		db.Millis(t.at),
		t.by,
	)
	if err != nil {
		return fmt.Errorf("write a tariff: %w", err)
	}
	return nil
}

// tariffAt finds the newest tariff that is valid at the time, or errNoEntry.
func tariffAt(ctx context.Context, q querier, at time.Time) (loadedTariff, error) {
	return one("read the tariff", scanTariff, q.QueryRowContext(ctx, `
		SELECT`+tariffColumns+`
		FROM tariff
		WHERE valid_from <= ?
		ORDER BY valid_from DESC
		LIMIT 1`, at.Unix()))
}

func tariffByHash(ctx context.Context, q querier, hash Digest) (loadedTariff, error) {
	return one("read the tariff of a hold", scanTariff, q.QueryRowContext(ctx, `
		SELECT`+tariffColumns+`
		FROM tariff
		WHERE hash = ?`, hash[:]))
}

func allTariffs(ctx context.Context, q querier) ([]loadedTariff, error) {
	return all(ctx, q, `
		SELECT`+tariffColumns+`
		FROM tariff
		ORDER BY valid_from`, nil, scanTariff)
}

// one reads the only row of an answer; where there is none it is errNoEntry. act
// is what the reader was at, for its error.
func one[T any](act string, scan func(row) (T, error), r row) (T, error) {
	var none T
	v, err := scan(r)
	if errors.Is(err, sql.ErrNoRows) {
		return none, errNoEntry
	} else if err != nil {
		return none, fmt.Errorf("%s: %w", act, err)
	}
	return v, nil
}

// all runs a query and scans every row.
func all[T any](ctx context.Context, q querier, query string, args []any, scan func(row) (T, error)) ([]T, error) {
	var found []T
	err := each(ctx, q, query, args, func(r row) error {
		v, err := scan(r)
		found = append(found, v)
		return err
	})
	return found, err
}

// each runs a query and hands every row to fn.
func each(ctx context.Context, q querier, query string, args []any, fn func(row) error) error {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("read the ledger: %w", err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := fn(rows); err != nil {
			return fmt.Errorf("read the ledger: %w", err)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read the ledger: %w", err)
	}
	return nil
}

// receipts sums the captures of each ref, and the holds that nothing has ended.
func receipts(ctx context.Context, q querier, refs []string) (map[string]Receipt, error) {
	found := make(map[string]Receipt, len(refs))
	if len(refs) == 0 {
		return found, nil
	}
	args := []any{Capture, Hold}
	for _, ref := range refs {
		args = append(args, ref)
	}
	args = append(args, Capture, Hold)
	err := each(ctx, q, `
		SELECT
			ref,
			sum(CASE WHEN kind = ? THEN amount ELSE 0 END),
			sum(CASE WHEN kind = ? AND NOT EXISTS (
				SELECT 1
				FROM entry AS ending
				WHERE ending.pending = entry.seq
			) THEN amount ELSE 0 END)
		FROM entry
		WHERE ref IN (?`+strings.Repeat(", ?", len(refs)-1)+`)
			AND kind IN (?, ?)
		GROUP BY ref`, args, func(r row) error {
		var ref string
		var one Receipt
		err := r.Scan(&ref, &one.Charged, &one.Held)
		found[ref] = one
		return err
	})
	return found, err
}
