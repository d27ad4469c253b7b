package auth

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"

	"flysense/internal/db"
)

// Limits of a session.
const (
	DefaultIdle = 30 * time.Minute
	absolute    = 12 * time.Hour
)

// seenEvery is how exactly the last use of a session is known: a write for
// every request would make reading expensive.
const seenEvery = time.Minute

// Names of the cookie. The prefix makes browsers refuse one that is not bound
// to exactly this host over TLS.
const (
	cookieName    = "flysense"
	cookieNameTLS = "__Host-flysense"
)

// ErrNoSession says that nobody is signed in.
var ErrNoSession = errors.New("nobody is signed in")

// Sessions remembers who is signed in, by a cookie.
type Sessions struct {
	auth    *Auth
	manager *scs.SessionManager
	store   sessionStore
}

// Sessions returns the keeper of sessions. secure says that browsers reach the
// appliance over TLS only; idle is how long a session lives unused, DefaultIdle
// if 0.
func (a *Auth) Sessions(secure bool, idle time.Duration) *Sessions {
	if idle == 0 {
		idle = DefaultIdle
	}
	s := &Sessions{auth: a, manager: scs.New(), store: sessionStore{a.db, a.now, idle}}
	s.manager.Store = s.store
	s.manager.Lifetime = absolute
	s.manager.Cookie.Name = cookieName
	if secure {
		s.manager.Cookie.Name = cookieNameTLS
	}
	s.manager.Cookie.Secure = secure
	s.manager.Cookie.HttpOnly = true
	s.manager.Cookie.SameSite = http.SameSiteStrictMode
	s.manager.Cookie.Persist = false // gone with the browser
	return s
}

// Handler loads the request's session for next. fail answers when the database
// does not.
func (s *Sessions) Handler(next http.Handler, fail func(http.ResponseWriter, *http.Request, error)) http.Handler {
	s.manager.ErrorFunc = fail
	return s.manager.LoadAndSave(next)
}

const userKey = "user"

// Begin signs a user in under a new token.
func (s *Sessions) Begin(ctx context.Context, user User) error {
	if err := s.manager.RenewToken(ctx); err != nil {
		return fmt.Errorf("begin a session: %w", err)
	}
	s.manager.Put(ctx, userKey, user.ID)
	return nil
}

// End signs out.
func (s *Sessions) End(ctx context.Context) error {
	if err := s.manager.Destroy(ctx); err != nil {
		return fmt.Errorf("end a session: %w", err)
	}
	return nil
}

// User returns who is signed in, or ErrNoSession. A user who was deleted or
// whose role changed is noticed with the next request.
func (s *Sessions) User(ctx context.Context) (User, error) {
	id := s.manager.GetString(ctx, userKey)
	if id == "" {
		return User{}, ErrNoSession
	}
	user, err := s.auth.user(ctx, id)
	if errors.Is(err, sql.ErrNoRows) {
		return User{}, ErrNoSession
	} else if err != nil {
		return User{}, fmt.Errorf("find the user: %w", err)
	}
	return user, nil
}

// Touch notes that the session is in use. A stream that nobody may be looking
// at does not call it.
func (s *Sessions) Touch(ctx context.Context) error {
	return s.store.touch(ctx, s.manager.Token(ctx))
}

// Alive reports whether the session of a long request still stands.
func (s *Sessions) Alive(ctx context.Context) (bool, error) {
	_, found, err := s.store.FindCtx(ctx, s.manager.Token(ctx))
	if err != nil || !found {
		return false, err
	}
	if _, err := s.User(ctx); errors.Is(err, ErrNoSession) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	return true, nil
}

// sessionStore keeps sessions in the database under the SHA-256 of their
// tokens: who reads the file cannot sign in with it.
type sessionStore struct {
	db   *db.DB
	now  func() time.Time
	idle time.Duration
}

var _ scs.CtxStore = sessionStore{}

func hashed(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

// FindCtx returns the data of a session that has not ended.
func (s sessionStore) FindCtx(ctx context.Context, token string) ([]byte, bool, error) {
	var data []byte
	now := s.now()
	err := s.db.Reader.QueryRowContext(ctx, `
		SELECT data
		FROM auth_session
		WHERE token = ? AND started_at > ? AND seen_at > ?`,
		hashed(token), db.Millis(now.Add(-absolute)), db.Millis(now.Add(-s.idle))).Scan(&data)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, false, nil
	} else if err != nil {
		return nil, false, fmt.Errorf("find the session: %w", err)
	}
	return data, true, nil
}

// CommitCtx keeps a session and clears those that have ended.
func (s sessionStore) CommitCtx(ctx context.Context, token string, data []byte, _ time.Time) error {
	now := s.now()
	return s.db.Tx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `
			DELETE FROM auth_session
			WHERE started_at <= ? OR seen_at <= ?`, db.Millis(now.Add(-absolute)), db.Millis(now.Add(-s.idle))); err != nil {
			return fmt.Errorf("clear ended sessions: %w", err)
		}
		if _, err := tx.ExecContext(ctx, `
			INSERT INTO auth_session (token, data, started_at, seen_at)
			VALUES (?, ?, ?, ?)
			ON CONFLICT (token) DO UPDATE SET data = excluded.data, seen_at = excluded.seen_at`,
			hashed(token), data, db.Millis(now), db.Millis(now)); err != nil {
			return fmt.Errorf("keep the session: %w", err)
		}
		return nil
	})
}

// DeleteCtx forgets a session.
func (s sessionStore) DeleteCtx(ctx context.Context, token string) error {
	return s.db.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM auth_session WHERE token = ?`, hashed(token))
		return err
	})
}

func (s sessionStore) touch(ctx context.Context, token string) error {
	now := s.now()
	var due bool
	err := s.db.Reader.QueryRowContext(ctx, `
		SELECT seen_at <= ?
		FROM auth_session
		WHERE token = ?`, db.Millis(now.Add(-seenEvery)), hashed(token)).Scan(&due)
	if errors.Is(err, sql.ErrNoRows) || err == nil && !due {
		return nil
	} else if err != nil {
		return fmt.Errorf("find the session: %w", err)
	}
	return s.db.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE auth_session SET seen_at = ? WHERE token = ?`, db.Millis(now), hashed(token))
		return err
	})
}

// Find, Commit and Delete are what scs wants of any store; it does not call
// them where there are those with a context.
func (s sessionStore) Find(token string) ([]byte, bool, error) {
	return s.FindCtx(context.Background(), token)
}

// Commit is like Find.
func (s sessionStore) Commit(token string, data []byte, expiry time.Time) error {
	return s.CommitCtx(context.Background(), token, data, expiry)
}

// Delete is like Find.
func (s sessionStore) Delete(token string) error { return s.DeleteCtx(context.Background(), token) }
