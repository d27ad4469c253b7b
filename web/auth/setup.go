package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"database/sql"
	"fmt"
	"strings"
	"sync"
)

// setup is the one-time code that lets the first user in. It lives in memory
// only: every start has another one.
type setup struct {
	mu   sync.Mutex
	code string // canonical form; "" until asked for
}

// setupAccount is the name under which attempts to guess the code are counted;
// no login can be like it.
const setupAccount = "\x00setup"

// codeGroup is how many signs of the code stand together for the eye.
const codeGroup = 4

// codeGroups times 20 bits are the code's strength.
const codeGroups = 4

// SetupNeeded reports whether there is no user yet.
func (a *Auth) SetupNeeded(ctx context.Context) (bool, error) {
	var users int
	if err := a.db.Reader.QueryRowContext(ctx, `SELECT count(*) FROM auth_user`).Scan(&users); err != nil {
		return false, fmt.Errorf("count users: %w", err)
	}
	return users == 0, nil
}

// SetupCode returns the code that makes the first user, for the console or the
// journal. Without need for one it is "".
func (a *Auth) SetupCode(ctx context.Context) (code string, needed bool, err error) {
	if needed, err = a.SetupNeeded(ctx); err != nil || !needed {
		return "", false, err
	}
	a.setup.mu.Lock()
	defer a.setup.mu.Unlock()
	if a.setup.code == "" {
		a.setup.code = rand.Text()[:codeGroup*codeGroups]
	}
	var groups []string
	for code := a.setup.code; code != ""; code = code[codeGroup:] {
		groups = append(groups, code[:codeGroup])
	}
	return strings.Join(groups, "-"), true, nil
}

// Setup makes the first user, the owner, for whoever knows the code. A wrong
// code is ErrCode, too many of them *Locked, a second time ErrSetupDone.
func (a *Auth) Setup(ctx context.Context, code, login, password, address string) (User, error) {
	if needed, err := a.SetupNeeded(ctx); err != nil {
		return User{}, err
	} else if !needed {
		return User{}, ErrSetupDone
	}
	byCode, byAddress, err := a.attempt(ctx, setupAccount, address)
	if err != nil {
		return User{}, err
	} else if wait := max(byCode, byAddress); wait > 0 {
		return User{}, &Locked{wait}
	}
	if !a.rightCode(code) {
		a.log.Warn("wrong setup code", "address", address)
		return User{}, ErrCode
	}
	if err := a.forgive(ctx, setupAccount); err != nil {
		return User{}, err
	}
	return a.create(ctx, login, password, Owner, func(tx *sql.Tx) error {
		var users int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM auth_user`).Scan(&users); err != nil {
			return fmt.Errorf("count users: %w", err)
		}
		if users > 0 { // somebody was faster with the same code
			return ErrSetupDone
		}
		return nil
	})
}

func (a *Auth) rightCode(typed string) bool {
	typed = strings.ToUpper(strings.NewReplacer("-", "", " ", "").Replace(strings.TrimSpace(typed)))
	a.setup.mu.Lock()
	defer a.setup.mu.Unlock()
	return a.setup.code != "" && subtle.ConstantTimeCompare([]byte(typed), []byte(a.setup.code)) == 1
}
