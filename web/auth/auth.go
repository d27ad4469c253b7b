// Package auth knows who may use the appliance's pages: users with their
// passwords and roles, the one-time code of the first start, sessions.
package auth

import (
	"context"
	"crypto/rand"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"flysense/internal/db"
)

//go:embed migration/sqlite/*.sql
var migrations embed.FS

// Errors of signing in.
var (
	ErrSetup     = errors.New("there is no user yet")
	ErrSetupDone = errors.New("there is a user already")
	ErrCode      = errors.New("wrong setup code")
	ErrLogin     = errors.New("wrong login or password")
	ErrTaken     = errors.New("the login is taken")
)

// Locked says that there were too many attempts.
type Locked struct{ Wait time.Duration }

func (e *Locked) Error() string { return fmt.Sprintf("too many attempts, wait %s", e.Wait) }

// Unfit says that a login or a password cannot be used, in a person's words.
type Unfit struct{ Reason string } // Russian, says what to do

func (e *Unfit) Error() string { return "unfit login or password" }

// User is a person who may sign in.
type User struct {
	ID    string
	Login string
	Role  Role
}

// Auth signs people in. It is safe for concurrent use.
type Auth struct {
	db     *db.DB
	now    func() time.Time
	log    *slog.Logger
	hasher hasher
	setup  setup
}

// New brings the tables up to date.
func New(d *db.DB, now func() time.Time, log *slog.Logger) (*Auth, error) {
	files, err := fs.Sub(migrations, "migration/sqlite")
	if err != nil {
		return nil, err
	}
	if err := d.Migrate(context.Background(), "auth", files); err != nil {
		return nil, err
	}
	return &Auth{db: d, now: now, log: log, hasher: newHasher()}, nil
}

// Login checks a password. A wrong login and a wrong password are the same
// ErrLogin after the same time; too many attempts are *Locked.
func (a *Auth) Login(ctx context.Context, login, password, address string) (User, error) {
	login = canonical(login)
	if needed, err := a.SetupNeeded(ctx); err != nil {
		return User{}, err
	} else if needed {
		return User{}, ErrSetup
	}
	locked, tooFast, err := a.attempt(ctx, login, address)
	if err != nil {
		return User{}, err
	} else if tooFast > 0 { // before the hash: it is what an attacker could wear us out with
		a.log.Warn("too many attempts to sign in", "address", address)
		return User{}, &Locked{tooFast}
	}
	user, hash, err := a.find(ctx, login)
	if errors.Is(err, sql.ErrNoRows) || locked > 0 {
		hash = a.hasher.decoy() // neither the reply nor its time tells which logins exist
	} else if err != nil {
		return User{}, fmt.Errorf("find the user: %w", err)
	}
	right, err := a.hasher.check(ctx, hash, password)
	switch {
	case err != nil:
		return User{}, err
	case locked > 0:
		a.log.Warn("sign-in to a locked account", "address", address)
		return User{}, &Locked{locked}
	case !right:
		a.log.Warn("sign-in with a wrong login or password", "address", address)
		return User{}, ErrLogin
	}
	if err := a.forgive(ctx, login); err != nil {
		return User{}, err
	}
	a.log.Info("signed in", "user", user.Login, "address", address)
	return user, nil
}

func (a *Auth) find(ctx context.Context, login string) (user User, hash string, err error) {
	err = a.db.Reader.QueryRowContext(ctx, `
		SELECT id, login, role, password
		FROM auth_user
		WHERE login = ?`, login).Scan(&user.ID, &user.Login, &user.Role, &hash)
	return user, hash, err
}

func (a *Auth) user(ctx context.Context, id string) (User, error) {
	user := User{ID: id}
	err := a.db.Reader.QueryRowContext(ctx, `
		SELECT login, role
		FROM auth_user
		WHERE id = ?`, id).Scan(&user.Login, &user.Role)
	return user, err
}

// CreateUser adds a user. A login that is taken is ErrTaken, an unusable login
// or password *Unfit.
func (a *Auth) CreateUser(ctx context.Context, login, password string, role Role) (User, error) {
	return a.create(ctx, login, password, role, func(*sql.Tx) error { return nil })
}

// create adds a user if allowed says so in the same transaction.
func (a *Auth) create(ctx context.Context, login, password string, role Role, allowed func(*sql.Tx) error) (User, error) {
	login = canonical(login)
	if err := fitLogin(login); err != nil {
		return User{}, err
	}
	if err := fitPassword(login, password); err != nil {
		return User{}, err
	}
	if !role.known() {
		return User{}, fmt.Errorf("no such role: %q", role)
	}
	hash, err := a.hasher.hash(ctx, password)
	if err != nil {
		return User{}, err
	}
	user := User{ID: rand.Text(), Login: login, Role: role}
	err = a.db.Tx(ctx, func(tx *sql.Tx) error {
		if err := allowed(tx); err != nil {
			return err
		}
		result, err := tx.ExecContext(ctx, `
			INSERT INTO auth_user (id, login, password, role, created_at)
			VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (login) DO NOTHING`, user.ID, user.Login, hash, string(user.Role), db.Millis(a.now()))
		if err != nil {
			return fmt.Errorf("add the user: %w", err)
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, ErrTaken)
		}
		return nil
	})
	if err != nil {
		return User{}, err
	}
	a.log.Info("user added", "user", user.Login, "role", user.Role)
	return user, nil
}

// canonical makes one login of what differs in case and in spaces around.
func canonical(login string) string { return strings.ToLower(strings.TrimSpace(login)) }

const maxLogin = 64 // characters

func fitLogin(login string) error {
	switch {
	case login == "":
		return &Unfit{"Введите логин."}
	case utf8.RuneCountInString(login) > maxLogin:
		return &Unfit{fmt.Sprintf("Логин длиннее %d знаков: сократите его.", maxLogin)}
	}
	for _, r := range login {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune(".-_@", r) {
			return &Unfit{"В логине могут быть буквы, цифры и знаки . - _ @"}
		}
	}
	return nil
}
