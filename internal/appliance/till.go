package appliance

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"flysense/billing"
	"flysense/engine"
)

// till is the ledger as the engine asks it: the engine knows calls and
// lengths, the ledger knows keys and money.
type till struct{ ledger *billing.Ledger }

func (t till) Hold(ctx context.Context, tx *sql.Tx, key string, length time.Duration, summary bool) error {
	call, _, _ := strings.Cut(key, "/")
	err := t.ledger.Hold(ctx, tx, key, billing.Work{Length: length, Summary: summary}, call)
	switch {
	case errors.Is(err, billing.ErrNoFunds):
		return t.short(ctx, billing.Work{Length: length, Summary: summary})
	case errors.Is(err, billing.ErrConflict):
		return engine.ErrHeldOtherwise
	case errors.Is(err, billing.ErrLocked):
		return engine.NeedsOwnerError(err, "Журнал баланса не сходится и закрыт для новых списаний. Откройте «Баланс»: там сказано, что передать поставщику.")
	}
	return err
}

func (t till) Capture(ctx context.Context, tx *sql.Tx, key string, length time.Duration, summary bool) error {
	return t.ledger.Capture(ctx, tx, key, billing.Work{Length: length, Summary: summary})
}

func (t till) Release(ctx context.Context, tx *sql.Tx, key, reason string) error {
	return t.ledger.Release(ctx, tx, key, reason)
}

// cent is the smallest sum a screen shows.
const cent = billing.FC / 100

// short says how much is missing, rounded up: a top-up of that sum suffices.
func (t till) short(ctx context.Context, work billing.Work) error {
	tariff, err := t.ledger.Tariff(ctx)
	if err != nil {
		return err
	}
	balance, err := t.ledger.Balance(ctx)
	if err != nil {
		return err
	}
	missing := (tariff.Price(work) - balance.Available + cent - 1) / cent * cent
	sum := strings.ReplaceAll(missing.String(), ".", ",")
	return &engine.Shortfall{Problem: "Не хватает " + strings.TrimSuffix(sum, ",00") + " FC. Пополните баланс и запустите звонок вручную."}
}
