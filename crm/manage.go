package crm

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/mattn/go-sqlite3"

	"flysense/engine"
	"flysense/internal/db"
)

// consentTime is how long a consent page may stay open; codes live as long.
const consentTime = 20 * time.Minute

const maxName = 255 // characters

const waitsForConsent = "Осталось подтвердить доступ: нажмите «Подтвердить в портале» или вставьте код авторизации либо долгосрочный токен."

// Create connects a portal. New calls are those from now on. *Invalid says
// what to correct.
func (h *Hub) Create(ctx context.Context, actor string, a Application) (Connection, error) {
	connector, ok := h.connectors[a.Vendor]
	if !ok {
		return Connection{}, &Invalid{"vendor", "Такой портал не поддерживается."}
	}
	authorizer, ok := connector.(Authorizer)
	if !ok {
		return Connection{}, fmt.Errorf("%s gives no access by OAuth", a.Vendor)
	}
	host, err := authorizer.Host(a.Host)
	if err != nil {
		return Connection{}, err
	}
	now := h.options.Now()
	r := row{
		ID: newID(now), Vendor: a.Vendor, Name: strings.TrimSpace(a.Name), Host: host,
		State: NeedsOwner, Problem: waitsForConsent,
		Automatic: a.Automatic, Language: "ru",
		StartedAt: db.Millis(now), CreatedAt: db.Millis(now), UpdatedAt: db.Millis(now),
	}
	r.ChannelIncoming, r.ChannelOutgoing = 1, 0 // the caller is recorded on the left as a rule
	if err := errors.Join(r.setChannels(a.AgentChannel), r.setOnPrem(a.OnPremHosts)); err != nil {
		return Connection{}, err
	}
	account, err := h.give(ctx, connector, authorizer, &r, a.Credentials)
	if err != nil {
		return Connection{}, err
	}
	if r.Name == "" {
		r.Name = account.Name
	}
	if r.Name == "" {
		r.Name = host
	}
	if len([]rune(r.Name)) > maxName {
		return Connection{}, &Invalid{"name", fmt.Sprintf("Название длиннее %d знаков.", maxName)}
	}
	err = h.db.Tx(ctx, func(tx *sql.Tx) error {
		if _, err := h.bun.NewInsert().Conn(tx).Model(&r).Exec(ctx); err != nil {
			return taken(fmt.Errorf("save connection: %w", err))
		}
		return h.note(ctx, tx, r.ID, Event{At: now, Actor: actor, What: "created", Detail: r.Vendor + " " + r.Host})
	})
	if err != nil {
		return Connection{}, err
	}
	return r.connection()
}

// give puts credentials into r: without code and token only who we are, else
// also the tokens, after the portal said whose they are.
func (h *Hub) give(ctx context.Context, connector Connector, authorizer Authorizer, r *row, c Credentials) (Account, error) {
	secret := strings.TrimSpace(c.ClientSecret)
	if secret == "" && len(r.Secret) > 0 {
		var err error
		if secret, err = h.secret(*r); err != nil && !errors.Is(err, errOtherKey) {
			return Account{}, err
		}
	}
	if id := strings.TrimSpace(c.ClientID); id != "" {
		r.ClientID = id
	}
	if uri := strings.TrimSpace(c.RedirectURI); uri != "" {
		r.RedirectURI = uri
	}
	app := App{Host: r.Host, ClientID: r.ClientID, ClientSecret: secret, RedirectURI: r.RedirectURI}
	c.Code, c.Token = strings.TrimSpace(c.Code), strings.TrimSpace(c.Token)
	if c.Token == "" {
		for field, value := range map[string]string{"client_id": app.ClientID, "client_secret": app.ClientSecret, "redirect_uri": app.RedirectURI} {
			if value == "" {
				return Account{}, &Invalid{field, "Заполните это поле: оно есть на вкладке «Ключи и доступы» интеграции."}
			}
		}
	}
	var (
		tokens  Tokens
		account Account
		err     error
	)
	if c.Code != "" || c.Token != "" {
		if tokens, err = authorizer.Redeem(ctx, app, c); err != nil {
			return Account{}, err
		}
		if account, err = h.whose(ctx, connector, *r, tokens); err != nil {
			return Account{}, err
		}
		r.AccountID = account.ID
		r.State, r.Problem, r.PausedUntil = Active, "", 0
		r.Grants++
		r.Lease, r.LeaseUntil = "", 0
	} else if len(r.Tokens) > 0 {
		if tokens, err = h.tokens(*r); err != nil && !errors.Is(err, errOtherKey) {
			return Account{}, err
		}
	}
	h.setSecret(r, secret)
	return account, h.setTokens(r, tokens)
}

// whose asks the portal whose tokens these are. A connection that knows its
// account takes no other: its calls and notes belong to that one.
func (h *Hub) whose(ctx context.Context, connector Connector, r row, t Tokens) (Account, error) {
	c, err := r.connection()
	if err != nil {
		return Account{}, err
	}
	account, err := connector.Account(ctx, Access{Connection: c, Keys: given{t.Access}})
	var access *AccessError
	if errors.As(err, &access) {
		return account, &Invalid{"token", access.Hint}
	} else if err != nil {
		return account, fmt.Errorf("ask for the account: %w", err)
	}
	if account.ID == "" {
		return account, errors.New("the portal does not tell its account")
	}
	if r.AccountID != "" && r.AccountID != account.ID {
		return account, &Invalid{"account", fmt.Sprintf("Это доступ к другому аккаунту (№ %s вместо № %s). Возьмите код или токен в аккаунте «%s», а другой портал подключите отдельно.", account.ID, r.AccountID, r.Name)}
	}
	return account, nil
}

// taken explains the breach of "one portal, one connection".
func taken(err error) error {
	var e sqlite3.Error
	if errors.As(err, &e) && e.ExtendedCode == sqlite3.ErrConstraintUnique {
		return &Invalid{"account", "Этот портал уже подключён. Откройте существующее подключение и восстановите доступ там."}
	}
	return err
}

// Update changes settings.
func (h *Hub) Update(ctx context.Context, actor, id string, c Change) (Connection, error) {
	return h.change(ctx, actor, id, func(r *row) (string, string, error) {
		what := "changed"
		if c.Name != nil {
			name := strings.TrimSpace(*c.Name)
			if name == "" || len([]rune(name)) > maxName {
				return "", "", &Invalid{"name", fmt.Sprintf("Название: от 1 до %d знаков.", maxName)}
			}
			r.Name = name
		}
		if c.Automatic != nil {
			r.Automatic = *c.Automatic
		}
		if err := r.setChannels(c.AgentChannel); err != nil {
			return "", "", err
		}
		if c.OnPremHosts != nil {
			if err := r.setOnPrem(*c.OnPremHosts); err != nil {
				return "", "", err
			}
		}
		if c.On != nil && *c.On != (r.State != Off) {
			what = "switched_off"
			r.State = Off
			if *c.On {
				// Problem still tells whether a person has to give access first.
				what, r.State = "switched_on", Active
				if r.Problem != "" && r.PausedUntil == 0 {
					r.State = NeedsOwner
				}
			}
		}
		return what, "", nil
	})
}

// Delete forgets a connection with its secrets; its history stays.
func (h *Hub) Delete(ctx context.Context, actor, id string) error {
	return h.db.Tx(ctx, func(tx *sql.Tx) error {
		r, err := h.one(ctx, tx, id)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM connection WHERE id = ?`, id); err != nil {
			return fmt.Errorf("delete connection: %w", err)
		}
		return h.note(ctx, tx, id, Event{At: h.options.Now(), Actor: actor, What: "deleted", Detail: r.Name})
	})
}

// Check asks the portal whether the access still works. A pause ends early,
// because a person asked; a connection without access stays silent and answers
// with its hint.
func (h *Hub) Check(ctx context.Context, actor, id string) (Account, error) {
	c, connector, err := h.open(ctx, id)
	if err != nil {
		return Account{}, err
	}
	if c.State == NeedsOwner {
		return Account{}, engine.NeedsOwnerError(errors.New("the connection has no access"), c.Problem)
	}
	if p, ok := connector.(Unblocker); ok {
		p.Unblock(c.Host)
	}
	account, err := connector.Account(ctx, Access{Connection: c, Keys: keys{h, id}})
	if err == nil && account.ID != c.AccountID {
		hint := fmt.Sprintf("Адрес %s теперь ведёт в другой аккаунт (№ %s вместо № %s). Проверьте адрес портала и восстановите доступ.", c.Host, account.ID, c.AccountID)
		err = &AccessError{Err: errors.New("the host belongs to another account"), Hint: hint}
	}
	if err != nil {
		return account, h.refused(ctx, c, err)
	}
	_, err = h.change(ctx, actor, id, func(r *row) (string, string, error) {
		if r.State != Active || r.Problem == "" {
			return "", "", nil
		}
		r.Problem, r.PausedUntil = "", 0
		return "resumed", "", nil
	})
	return account, err
}

// Reconnect gives a connection new credentials. The portal must be the same
// account as before. Calls logged meanwhile are found by the next search.
func (h *Hub) Reconnect(ctx context.Context, actor, id string, c Credentials) (Connection, error) {
	return h.reconnect(ctx, actor, id, "", c)
}

func (h *Hub) reconnect(ctx context.Context, actor, id, host string, c Credentials) (Connection, error) {
	before, err := h.load(ctx, id)
	if err != nil {
		return Connection{}, err
	}
	connector := h.connectors[before.Vendor]
	authorizer, ok := connector.(Authorizer)
	if !ok {
		return Connection{}, fmt.Errorf("%s gives no access by OAuth", before.Vendor)
	}
	r := before
	if host != "" {
		r.Host = host
	}
	if p, ok := connector.(Unblocker); ok {
		p.Unblock(r.Host)
	}
	if _, err := h.give(ctx, connector, authorizer, &r, c); err != nil {
		return Connection{}, err
	}
	what := "changed"
	if r.Grants != before.Grants {
		what = "access_given"
	}
	changed, err := h.change(ctx, actor, id, func(now *row) (string, string, error) {
		if now.Grants != before.Grants {
			return "", "", &Invalid{"state", "Доступ только что восстановил кто-то другой. Обновите страницу."}
		}
		now.Host, now.AccountID, now.ClientID, now.RedirectURI = r.Host, r.AccountID, r.ClientID, r.RedirectURI
		now.KeyID, now.Secret, now.Grants = r.KeyID, r.Secret, r.Grants
		if what == "access_given" {
			now.State, now.Problem, now.PausedUntil = r.State, r.Problem, r.PausedUntil
			now.Tokens, now.AccessUntil, now.RenewedAt = r.Tokens, r.AccessUntil, r.RenewedAt
			now.Lease, now.LeaseUntil = "", 0
		}
		return what, "", nil
	})
	if err == nil && what == "access_given" && h.options.Restored != nil {
		h.options.Restored(ctx, id)
	}
	return changed, err
}

// AuthorizeURL returns the consent page for a connection. Its answer comes to
// the redirect URI, see [Hub.Redirected]; it is good once, for 20 minutes.
func (h *Hub) AuthorizeURL(ctx context.Context, actor, id string) (string, error) {
	r, err := h.load(ctx, id)
	if err != nil {
		return "", err
	}
	authorizer, ok := h.connectors[r.Vendor].(Authorizer)
	if !ok {
		return "", fmt.Errorf("%s gives no access by OAuth", r.Vendor)
	}
	app, err := h.app(r)
	if err != nil && !errors.Is(err, errOtherKey) {
		return "", err
	}
	state := rand.Text()
	hash := sha256.Sum256([]byte(state))
	_, err = h.db.Writer.ExecContext(ctx,
		`UPDATE connection SET state_hash = ?, state_until = ?, state_actor = ? WHERE id = ?`,
		hash[:], db.Millis(h.options.Now().Add(consentTime)), actor, id)
	if err != nil {
		return "", fmt.Errorf("save state: %w", err)
	}
	return authorizer.AuthorizeURL(app, state), nil
}

// Redirected takes the answer of the consent page: the query of the redirect
// URI. The state must be one we gave out; the actor is who asked for it.
func (h *Hub) Redirected(ctx context.Context, query url.Values) (Connection, error) {
	id, actor, err := h.consume(ctx, query.Get("state"))
	if err != nil {
		return Connection{}, err
	}
	r, err := h.load(ctx, id)
	if err != nil {
		return Connection{}, err
	}
	host, code, err := h.connectors[r.Vendor].(Authorizer).Returned(query)
	if err != nil {
		return Connection{}, err
	}
	return h.reconnect(ctx, actor, id, host, Credentials{Code: code})
}

// consume looks up a state and makes it worthless.
func (h *Hub) consume(ctx context.Context, state string) (id, actor string, err error) {
	stale := &Invalid{"state", "Ссылка подтверждения устарела или уже использована. Откройте подключение и нажмите «Подтвердить в портале» ещё раз."}
	if state == "" {
		return "", "", stale
	}
	hash := sha256.Sum256([]byte(state))
	var until int64
	err = h.db.Tx(ctx, func(tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx, `SELECT id, state_actor, state_until FROM connection WHERE state_hash = ?`, hash[:]).Scan(&id, &actor, &until)
		if errors.Is(err, sql.ErrNoRows) {
			return stale
		} else if err != nil {
			return fmt.Errorf("look up state: %w", err)
		}
		_, err = tx.ExecContext(ctx, `UPDATE connection SET state_hash = NULL, state_until = 0, state_actor = '' WHERE id = ?`, id)
		return err
	})
	if err == nil && h.options.Now().After(db.Time(until)) {
		err = stale
	}
	return id, actor, err
}

// Preview counts what a search of the archive would bring.
type Preview struct {
	Calls       int             // different calls
	Lengths     []time.Duration // as the telephony says, one for each call with a recording: the price is made of them
	NoRecording int             // calls without a link
}

// ArchivePreview looks what lies in the archive without taking anything in.
func (h *Hub) ArchivePreview(ctx context.Context, id string, from, to time.Time) (Preview, error) {
	if !from.Before(to) {
		return Preview{}, &Invalid{"span", "Начало периода должно быть раньше конца."}
	}
	found, err := h.archive(ctx, id, Span{From: from, To: to, Bare: true})
	if err != nil {
		return Preview{}, err
	}
	var p Preview
	seen := map[string]bool{}
	for _, s := range found {
		key := s.Key()
		if key == "" {
			p.Calls++
			p.NoRecording++
			continue
		}
		if !seen[key] {
			seen[key] = true
			p.Calls++
			p.Lengths = append(p.Lengths, s.Reported)
		}
	}
	return p, nil
}
