package db

import (
	"context"
	"database/sql/driver"
	"fmt"
)

type sqlDriver = driver.Driver

// pragmas the driver's address has no key for.
var pragmas = []string{
	`PRAGMA trusted_schema = 0`,
	`PRAGMA mmap_size = 0`, // an I/O error under a map is a SIGBUS
	`PRAGMA wal_autocheckpoint = 1000`,
	`PRAGMA journal_size_limit = 67108864`,
}

func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Driver().Open(c.dsn)
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	for _, p := range pragmas {
		if _, err := conn.(driver.ExecerContext).ExecContext(ctx, p, nil); err != nil {
			_ = conn.Close()
			return nil, fmt.Errorf("%s: %w", p, err)
		}
	}
	return conn, nil
}
