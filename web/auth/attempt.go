package auth

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"time"

	"flysense/internal/db"
)

// Limits of attempts to sign in.
const (
	accountAttempts = 5
	accountWindow   = 15 * time.Minute
	addressAttempts = 20
	addressWindow   = time.Minute
)

// attempt counts an attempt before it is made, so that many at once are not
// one. It returns how long the account and the address have to wait. What is
// refused because of the account counts for the address only: the account's
// wait ends even if somebody goes on trying.
func (a *Auth) attempt(ctx context.Context, account, address string) (byAccount, byAddress time.Duration, err error) {
	name := sha256.Sum256([]byte(account))
	now := a.now()
	err = a.db.Tx(ctx, func(tx *sql.Tx) (err error) {
		if _, err := tx.ExecContext(ctx, `DELETE FROM auth_attempt WHERE at <= ?`, db.Millis(now.Add(-accountWindow))); err != nil {
			return err
		}
		if byAccount, err = wait(ctx, tx, `account = ?`, name[:], now, accountAttempts, accountWindow); err != nil {
			return err
		}
		if byAddress, err = wait(ctx, tx, `address = ?`, address, now, addressAttempts, addressWindow); err != nil || byAddress > 0 {
			return err
		}
		counted := name[:]
		if byAccount > 0 {
			counted = nil
		}
		_, err = tx.ExecContext(ctx, `
			INSERT INTO auth_attempt (account, address, at)
			VALUES (?, ?, ?)`, counted, address, db.Millis(now))
		return err
	})
	if err != nil {
		return 0, 0, fmt.Errorf("count the attempt: %w", err)
	}
	return byAccount, byAddress, nil
}

// wait tells how long until fewer than limit attempts lie within the window.
func wait(ctx context.Context, tx *sql.Tx, where string, who any, now time.Time, limit int, window time.Duration) (time.Duration, error) {
	var count int
	var oldest int64 // of the newest limit ones
	if err := tx.QueryRowContext(ctx, `
		SELECT count(*), coalesce(min(at), 0)
		FROM (SELECT at FROM auth_attempt WHERE `+where+` AND at > ? ORDER BY at DESC LIMIT ?)`,
		who, db.Millis(now.Add(-window)), limit).Scan(&count, &oldest); err != nil {
		return 0, err
	}
	if count < limit {
		return 0, nil
	}
	return db.Time(oldest).Add(window).Sub(now), nil
}

// forgive forgets the attempts on an account after a success.
func (a *Auth) forgive(ctx context.Context, account string) error {
	name := sha256.Sum256([]byte(account))
	return a.db.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM auth_attempt WHERE account = ?`, name[:])
		return err
	})
}
