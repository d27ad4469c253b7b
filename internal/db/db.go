// Package db is the one door to the database: pragmas on every connection, one
// writer, migrations per owner, one timestamp per transaction.
package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/mattn/go-sqlite3"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
)

// MinSQLite is the oldest SQLite without the WAL-reset corruption bug
// (design: versions 3.7.0 to 3.51.2 can lose committed pages with two
// connections, which we have).
const MinSQLite = 3051003

// DB is an open database. Writer has one connection, so writes never wait for
// each other inside SQLite; Reader cannot write; Queue is the job queue's own
// connection to the same file.
type DB struct {
	Writer *sql.DB
	Reader *sql.DB
	Queue  *sql.DB
	Path   string

	failed chan error
}

// Open opens or creates the file at path. It refuses an SQLite with the
// WAL-reset bug and a build without full-text search.
func Open(ctx context.Context, path string) (*DB, error) {
	if _, number, _ := sqlite3.Version(); number < MinSQLite {
		return nil, fmt.Errorf("SQLite %d is older than %d and may corrupt its log", number, MinSQLite)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make the database's folder: %w", err)
	}
	// The file holds personal data: nobody but the service reads it.
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the database file: %w", err)
	}
	_ = file.Close()

	d := &DB{
		Writer: pool(path, false, 1),
		Reader: pool(path, true, max(4, runtime.NumCPU())),
		Queue:  pool(path, false, 1),
		Path:   path,
		failed: make(chan error, 1),
	}
	var fts int
	if err := d.Writer.QueryRowContext(ctx, `SELECT sqlite_compileoption_used('ENABLE_FTS5')`).Scan(&fts); err != nil {
		return nil, errors.Join(fmt.Errorf("open the database: %w", err), d.Close())
	}
	if fts == 0 {
		return nil, errors.Join(errors.New("built without full-text search: use the build tag sqlite_fts5"), d.Close())
	}
	return d, nil
}

func pool(path string, readOnly bool, connections int) *sql.DB {
	q := url.Values{}
	for k, v := range map[string]string{
		"_journal_mode":  "WAL",
		"_synchronous":   "FULL",
		"_busy_timeout":  "5000",
		"_foreign_keys":  "1",
		"_secure_delete": "on",
	} {
		q.Set(k, v)
	}
	if readOnly {
		q.Set("mode", "ro")
		q.Set("_query_only", "1")
	} else {
		// A deferred transaction that upgrades gets SQLITE_BUSY without waiting.
		q.Set("_txlock", "immediate")
	}
	p := sql.OpenDB(connector{dsn: "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode()})
	p.SetMaxOpenConns(connections)
	p.SetMaxIdleConns(connections)
	return p
}

// connector sets what the driver's address cannot carry on each connection.
type connector struct{ dsn string }

func (c connector) Driver() sqlDriver { return &sqlite3.SQLiteDriver{} }

// Close closes all connections after moving the log into the file.
func (d *DB) Close() error {
	err := errors.Join(d.Reader.Close(), d.Queue.Close())
	_, _ = d.Writer.ExecContext(context.Background(), `PRAGMA wal_checkpoint(TRUNCATE)`)
	return errors.Join(err, d.Writer.Close())
}

// Tx runs fn in one immediate transaction of the writer and commits if it
// returns nil. No network call belongs inside.
func (d *DB) Tx(ctx context.Context, fn func(tx *sql.Tx) error) error {
	tx, err := d.Writer.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // also when fn panics
	if err := fn(tx); err != nil {
		return d.watch(err)
	}
	if err := tx.Commit(); err != nil {
		return d.watch(fmt.Errorf("commit: %w", err))
	}
	return nil
}

// Failed gives out the first error after which the file can no longer be
// trusted, see [Fatal]. The program must end then.
func (d *DB) Failed() <-chan error { return d.failed }

func (d *DB) watch(err error) error {
	if Fatal(err) {
		select {
		case d.failed <- err:
		default: // the first one says enough
		}
	}
	return err
}

// Migrate brings the owner's tables to the newest version in files (goose SQL
// files at its root). Each owner counts its versions in a table of its own.
func (d *DB) Migrate(ctx context.Context, owner string, files fs.FS) error {
	versions, err := database.NewStore(database.DialectSQLite3, "migration_"+owner)
	if err != nil {
		return fmt.Errorf("migrate %s: %w", owner, err)
	}
	p, err := goose.NewProvider("", d.Writer, files, goose.WithStore(versions), goose.WithSlog(slog.New(slog.DiscardHandler)))
	if err != nil {
		return fmt.Errorf("migrate %s: %w", owner, err)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrate %s: %w", owner, err)
	}
	return nil
}

// Millis is how times are stored: Unix milliseconds, 0 for no time.
func Millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// Time reads what [Millis] wrote.
func Time(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// Fatal reports whether err means that the file or the disk under it can no
// longer be trusted: the process must stop, reopen and verify, never try the
// same write as a new one (a commit reported as failed may be durable).
func Fatal(err error) bool {
	var e sqlite3.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code {
	case sqlite3.ErrIoErr, sqlite3.ErrCorrupt, sqlite3.ErrNotADB:
		return true
	}
	return false
}

// Full reports whether err means that the disk has no room: the transaction
// was rolled back and may be tried again once there is some.
func Full(err error) bool {
	var e sqlite3.Error
	return errors.As(err, &e) && e.Code == sqlite3.ErrFull
}
