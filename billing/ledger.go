package billing

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"flysense/billing/pack"
	"flysense/internal/db"
)

//go:embed migration
var migrations embed.FS

// Limits of what one question returns.
const (
	maxEntries = 500
	maxDays    = 400
)

// Errors that callers tell apart.
var (
	ErrNoFunds  = errors.New("the wallet has less than the price")
	ErrConflict = errors.New("the key was used with another input")
	ErrNoHold   = errors.New("there is no such hold")
	ErrReleased = errors.New("the hold was released")
	ErrOverHold = errors.New("more than was held")
	ErrKey      = errors.New("a key or a reference is empty or too long")
	// ErrLocked: the ledger does not add up, so it takes no new paid work and
	// no packs; everything else goes on until the vendor has looked at it.
	ErrLocked = errors.New("the ledger is locked")
)

// Settings are what a ledger is opened with.
type Settings struct {
	Keys         pack.Keyset // whose packs and tariffs count
	Installation pack.Installation
	// AnchorPath is the file that remembers the end of the ledger outside the
	// database, in a folder that backups of the database do not contain. Empty
	// for none: an older copy of the database then passes for the truth.
	AnchorPath string
	Now        func() time.Time
	// RequestHash returns the SHA-256 of the pack request with this number, or
	// [ErrNoRequest]. Without it no request was ever made, and a pack that
	// answers one is refused.
	RequestHash func(ctx context.Context, tx *sql.Tx, seq int64) (Digest, error)
}

// Ledger is the wallet of this installation. Its methods may be called from
// many goroutines; those that take a transaction become true with its commit.
type Ledger struct {
	db     *db.DB
	keys   pack.Keyset
	inst   pack.Installation
	anchor *anchor
	now    func() time.Time
	asked  func(ctx context.Context, tx *sql.Tx, seq int64) (Digest, error)

	mu     sync.Mutex
	last   Report
	locked error
}

// Open brings the ledger's tables up to date and verifies all of it. A ledger
// that does not add up opens locked: [Ledger.Locked] and [Ledger.Checked] say
// why. An error means that it could not be read at all.
func Open(ctx context.Context, d *db.DB, s Settings) (*Ledger, error) {
	files, err := fs.Sub(migrations, "migration/sqlite")
	if err != nil {
		return nil, fmt.Errorf("open the ledger: %w", err)
	}
	if err := d.Migrate(ctx, "billing", files); err != nil {
		return nil, fmt.Errorf("open the ledger: %w", err)
	}
	l := &Ledger{db: d, keys: s.Keys, inst: s.Installation, now: s.Now, asked: s.RequestHash}
	if s.AnchorPath != "" {
		l.anchor = &anchor{path: s.AnchorPath, inst: s.Installation}
		if err := l.firstAnchor(ctx); err != nil {
			return nil, err
		}
	}
	if _, err := l.Verify(ctx); err != nil {
		return nil, err
	}
	return l, nil
}

// Locked tells why the ledger takes no new paid work: nil, or an error that is
// [ErrLocked].
func (l *Ledger) Locked() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.locked
}

// Checked is the outcome of the latest [Ledger.Verify].
func (l *Ledger) Checked() Report {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

// lock stays until the program starts again and finds the ledger sound.
func (l *Ledger) lock(why string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.locked == nil {
		l.locked = fmt.Errorf("%w: %s", ErrLocked, why)
	}
}

// doubt locks the ledger when err says that the disk can no longer be trusted:
// a commit reported as failed may be durable. The process must then stop, open
// the database again and settle by key ([db.Fatal]).
func (l *Ledger) doubt(err error) error {
	if db.Fatal(err) {
		l.lock(err.Error())
	}
	return err
}

// InstallationID is the number that packs for this ledger bear.
func (l *Ledger) InstallationID() string { return l.inst.ID() }

// Balance is what stands where.
type Balance struct {
	Available Amount // free for new work
	Held      Amount // reserved by open holds
	Spent     Amount // captured so far
	Credited  Amount // all packs so far
}

// Balance reads the wallet.
func (l *Ledger) Balance(ctx context.Context) (Balance, error) {
	b, err := readBalances(ctx, l.db.Reader)
	if err != nil {
		return Balance{}, err
	}
	return Balance{Available: b[available], Held: b[held], Spent: b[spent], Credited: -b[issued]}, nil
}

// Entries returns the newest entries with a number below before, newest first,
// at most 500. before = 0 starts at the end.
func (l *Ledger) Entries(ctx context.Context, before int64, limit int) ([]Entry, error) {
	if before <= 0 {
		before = 1<<63 - 1
	}
	return entriesBefore(ctx, l.db.Reader, before, min(max(limit, 0), maxEntries))
}

// OpenHolds returns the holds that nothing has ended yet, oldest first.
func (l *Ledger) OpenHolds(ctx context.Context) ([]Entry, error) {
	return openHolds(ctx, l.db.Reader)
}

// Day is the spending of one day.
type Day struct {
	Date      time.Time // its midnight, in the location of the ledger's clock
	Spent     Amount
	Captures  int
	Summaries int
	Seconds   int64 // heard
}

// Daily returns the spending of the last days, today last, at most 400.
func (l *Ledger) Daily(ctx context.Context, days int) ([]Day, error) {
	days = min(max(days, 0), maxDays)
	found := make([]Day, 0, days)
	y, m, d := l.now().Date()
	for back := days - 1; back >= 0; back-- {
		from := time.Date(y, m, d-back, 0, 0, 0, 0, l.now().Location())
		to := time.Date(y, m, d-back+1, 0, 0, 0, 0, l.now().Location())
		day, err := spentBetween(ctx, l.db.Reader, from, to)
		if err != nil {
			return nil, err
		}
		found = append(found, day)
	}
	return found, nil
}

// Tariff is the price list of this moment: the newest signed one, or [Base].
func (l *Ledger) Tariff(ctx context.Context) (Tariff, error) {
	h, err := readHead(ctx, l.db.Reader)
	if err != nil {
		return Tariff{}, err
	}
	return l.tariff(ctx, l.db.Reader, h)
}

func (l *Ledger) tariff(ctx context.Context, q querier, h head) (Tariff, error) {
	// A clock set back must not bring an old price list back.
	now := db.Time(max(db.Millis(l.now()), h.clock))
	row, err := tariffAt(ctx, q, now)
	if errors.Is(err, errNoEntry) {
		return Base(), nil
	} else if err != nil {
		return Tariff{}, err
	}
	return l.trust(row)
}

// tariffOf returns the tariff that a hold was priced by.
func (l *Ledger) tariffOf(ctx context.Context, q querier, hash Digest) (Tariff, error) {
	if base := Base(); hash == base.Hash {
		return base, nil
	}
	row, err := tariffByHash(ctx, q, hash)
	if err != nil {
		return Tariff{}, err
	}
	return l.trust(row)
}

// trust believes a stored tariff only if its signature does and its columns
// say the same: somebody may have edited the row.
func (l *Ledger) trust(row loadedTariff) (Tariff, error) {
	doc, err := l.keys.OpenTariff(row.token, l.inst.ID(), row.at)
	if err != nil {
		return Tariff{}, fmt.Errorf("%w: the stored tariff: %w", ErrLocked, err)
	}
	if t := signedTariff(row.token, doc); t != row.Tariff {
		return Tariff{}, fmt.Errorf("%w: the stored tariff was edited", ErrLocked)
	}
	return row.Tariff, nil
}
