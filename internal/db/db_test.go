package db_test

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"testing"
	"testing/fstest"
	"time"

	"flysense/internal/db"
)

func open(t *testing.T) *db.DB {
	t.Helper()
	d, err := db.Open(context.Background(), filepath.Join(t.TempDir(), "flysense.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

var things = fstest.MapFS{"0001_thing.sql": {Data: []byte("-- +goose Up\nCREATE TABLE thing (id INTEGER PRIMARY KEY) STRICT;\n")}}

// Every connection of every pool carries the pragmas durability rests on.
func TestPragmas(t *testing.T) {
	d := open(t)
	for name, pool := range map[string]*sql.DB{"writer": d.Writer, "queue": d.Queue, "reader": d.Reader} {
		for pragma, want := range map[string]string{
			"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "trusted_schema": "0",
			"secure_delete": "1", "busy_timeout": "5000", "journal_size_limit": "67108864",
		} {
			var got string
			if err := pool.QueryRow("PRAGMA " + pragma).Scan(&got); err != nil {
				t.Fatal(err)
			}
			if got != want {
				t.Errorf("%s: %s = %s, want %s", name, pragma, got, want)
			}
		}
	}
}

func TestTransactionIsWholeOrNothing(t *testing.T) {
	d, ctx := open(t), context.Background()
	for range 2 { // the second run finds everything done
		if err := d.Migrate(ctx, "thing", things); err != nil {
			t.Fatal(err)
		}
	}
	boom := errors.New("boom")
	err := d.Tx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.Exec(`INSERT INTO thing (id) VALUES (1)`); err != nil {
			return err
		}
		return boom
	})
	if !errors.Is(err, boom) {
		t.Fatalf("got %v", err)
	}
	var n int
	if err := d.Reader.QueryRow(`SELECT count(*) FROM thing`).Scan(&n); err != nil || n != 0 {
		t.Fatalf("%d rows after a rollback, %v", n, err)
	}
	if _, err := d.Reader.Exec(`INSERT INTO thing (id) VALUES (2)`); err == nil {
		t.Error("the reader wrote")
	}
}

func TestMillis(t *testing.T) {
	now := time.Now().UTC().Truncate(time.Millisecond)
	if got := db.Time(db.Millis(now)); !got.Equal(now) {
		t.Errorf("got %v, want %v", got, now)
	}
	if !db.Time(db.Millis(time.Time{})).IsZero() {
		t.Error("no time became a time")
	}
}
