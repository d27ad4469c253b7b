package crm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/oklog/ulid/v2"

	"flysense/crm/rest"
	"flysense/internal/db"
)

// Times of tokens.
const (
	renewEarly  = time.Hour          // before an access token ends
	renewAtMost = 7 * 24 * time.Hour // refresh tokens die unused, after three months at amoCRM
	renewWithin = 2 * time.Minute    // one renewal, both tries; then another may begin
	renewLook   = 100 * time.Millisecond
)

const otherKeyHint = "Сохранённый доступ к порталу не читается: сменился ключ шифрования устройства. " +
	"Подключите портал заново: «Подключения» → «Восстановить доступ» — или верните прежний файл ключа."

// keys are the tokens of one connection, read from the database each time: a
// renewal by anybody is seen by everybody.
type keys struct {
	hub *Hub
	id  string
}

func (k keys) Token(ctx context.Context) (string, error) {
	_, t, err := k.read(ctx)
	if err != nil {
		return "", err
	}
	if t.LongLived() || t.ExpiresAt.IsZero() || t.ExpiresAt.Sub(k.hub.options.Now()) > renewEarly {
		return t.Access, nil
	}
	token, err := k.Renew(ctx, t.Access)
	var access *AccessError
	if err != nil && !errors.As(err, &access) && t.ExpiresAt.After(k.hub.options.Now()) {
		return t.Access, nil // early was only prudent: the old one still opens
	}
	return token, err
}

// Renew follows contracts/amocrm.md 1.9: a lease in the database lets one
// process renew at a time, the new pair is durable before anybody uses it, and
// after a lost answer the old refresh token is tried once more.
func (k keys) Renew(ctx context.Context, refused string) (string, error) {
	for deadline := k.hub.options.Now().Add(renewWithin); ; {
		r, t, err := k.read(ctx)
		if err != nil {
			return "", err
		}
		if t.Access != refused {
			return t.Access, nil // somebody renewed it meanwhile
		}
		lease, err := k.take(ctx, r)
		if err != nil {
			return "", err
		}
		if lease != "" {
			return k.renew(ctx, r, t, lease)
		}
		if k.hub.options.Now().After(deadline) {
			return "", errors.New("another renewal of the tokens does not end")
		}
		if err := k.hub.options.Sleep(ctx, renewLook); err != nil {
			return "", err
		}
	}
}

func (k keys) read(ctx context.Context) (row, Tokens, error) {
	r, err := k.hub.load(ctx, k.id)
	if err != nil {
		return r, Tokens{}, err
	}
	t, err := k.hub.tokens(r)
	if errors.Is(err, errOtherKey) {
		err = &AccessError{Err: err, Hint: otherKeyHint}
	}
	return r, t, err
}

// take takes the lease of the tokens r has seen; "" if somebody else was faster.
func (k keys) take(ctx context.Context, r row) (string, error) {
	now := k.hub.options.Now()
	lease := ulid.Make().String()
	done, err := k.hub.db.Writer.ExecContext(ctx,
		`UPDATE connection SET lease = ?, lease_until = ? WHERE id = ? AND lease_until <= ? AND tokens = ?`,
		lease, db.Millis(now.Add(renewWithin)), k.id, db.Millis(now), r.Tokens)
	if err != nil {
		return "", fmt.Errorf("take the lease: %w", err)
	}
	if n, err := done.RowsAffected(); err != nil || n == 0 {
		return "", err
	}
	return lease, nil
}

func (k keys) renew(ctx context.Context, r row, old Tokens, lease string) (token string, err error) {
	// Once sent, the old pair may be dead: the answer must reach the disk even
	// if the one who asked has gone.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), renewWithin)
	defer cancel()
	defer func() {
		if err == nil {
			return // saved together with the tokens
		}
		_, free := k.hub.db.Writer.ExecContext(context.WithoutCancel(ctx), `UPDATE connection SET lease = '', lease_until = 0 WHERE id = ? AND lease = ?`, k.id, lease)
		if free != nil {
			k.hub.options.Log.Error("free the lease", "connection", k.id, "err", free)
		}
	}()
	authorizer, ok := k.hub.connectors[r.Vendor].(Authorizer)
	if !ok {
		return "", fmt.Errorf("%s renews no tokens", r.Vendor)
	}
	app, err := k.hub.app(r)
	if err != nil {
		return "", err
	}
	fresh, err := authorizer.Refresh(ctx, app, old)
	if errors.Is(err, rest.ErrUnknownOutcome) {
		fresh, err = authorizer.Refresh(ctx, app, old)
	}
	if err != nil {
		return "", fmt.Errorf("renew tokens: %w", err)
	}
	// No deadline any more, and no matter whose the lease is by now: as long as
	// the stored pair is the one just spent, the fresh one has to replace it.
	_, err = k.hub.change(context.WithoutCancel(ctx), appliance, k.id, func(now *row) (string, string, error) {
		if !bytes.Equal(now.Tokens, r.Tokens) {
			return "", "", errors.New("a person connected the portal anew meanwhile")
		}
		now.Lease, now.LeaseUntil = "", 0
		return "tokens_renewed", "", k.hub.setTokens(now, fresh)
	})
	if err != nil {
		return "", fmt.Errorf("save renewed tokens: %w", err)
	}
	return fresh.Access, nil
}

// KeepFresh renews tokens that end soon or were not renewed for a week, also of
// connections that are switched off, so that access never dies of disuse. Call
// it hourly.
func (h *Hub) KeepFresh(ctx context.Context) error {
	list, err := h.List(ctx)
	if err != nil {
		return err
	}
	var failed []error
	for _, c := range list {
		if c.State == NeedsOwner || h.options.Now().Before(c.PausedUntil) {
			continue
		}
		if err := h.keepFresh(ctx, c); err != nil {
			failed = append(failed, fmt.Errorf("connection %s: %w", c.ID, err))
		}
	}
	return errors.Join(failed...)
}

func (h *Hub) keepFresh(ctx context.Context, c Connection) error {
	k := keys{h, c.ID}
	r, t, err := k.read(ctx)
	if err == nil && !t.LongLived() {
		now := h.options.Now()
		if now.Sub(db.Time(r.RenewedAt)) >= renewAtMost || t.ExpiresAt.Sub(now) <= renewEarly {
			_, err = k.Renew(ctx, t.Access)
		}
	}
	return h.refused(ctx, c, err)
}

// given are tokens that are not stored yet: whose portal they open is asked first.
type given struct{ token string }

func (g given) Token(context.Context) (string, error) { return g.token, nil }

func (g given) Renew(context.Context, string) (string, error) {
	return "", &AccessError{Err: errors.New("the portal refuses a token it just gave"), Hint: "Портал не принимает этот доступ. Получите новый код или токен и попробуйте ещё раз."}
}
