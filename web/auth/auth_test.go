package auth_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"flysense/internal/db"
	"flysense/web/auth"
)

const password = "три слона в лесу"

type fixture struct {
	*auth.Auth
	t    *testing.T
	db   *db.DB
	path string
	mu   sync.Mutex
	at   time.Time
	log  bytes.Buffer
}

func (f *fixture) now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.at
}

func (f *fixture) pass(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at = f.at.Add(d)
}

func open(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{t: t, path: filepath.Join(t.TempDir(), "flysense.db"), at: time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)}
	var err error
	if f.db, err = db.Open(t.Context(), f.path); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.db.Close() })
	f.restart()
	f.Cheap()
	return f
}

func (f *fixture) restart() {
	f.t.Helper()
	var err error
	if f.Auth, err = auth.New(f.db, f.now, slog.New(slog.NewTextHandler(&f.log, nil))); err != nil {
		f.t.Fatal(err)
	}
}

func withUser(t *testing.T) *fixture {
	t.Helper()
	f := open(t)
	if _, err := f.CreateUser(t.Context(), "Anna", password, auth.Owner); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestSetupCodeMakesOneOwner(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	if _, err := f.Login(ctx, "anna", password, "a"); !errors.Is(err, auth.ErrSetup) {
		t.Errorf("sign-in before the set-up: %v", err)
	}
	if _, err := f.Setup(ctx, "", "anna", password, "a"); !errors.Is(err, auth.ErrCode) {
		t.Errorf("an empty code before anybody asked for one: %v", err)
	}
	old, needed, err := f.SetupCode(ctx)
	if err != nil || !needed || len(old) != 19 {
		t.Fatalf("%q, %v, %v", old, needed, err)
	}
	if same, _, _ := f.SetupCode(ctx); same != old {
		t.Error("the code changed while the appliance ran")
	}
	f.restart()
	code, _, err := f.SetupCode(ctx)
	if err != nil || code == old {
		t.Fatalf("the code survived a restart: %v", err)
	}
	if _, err := f.Setup(ctx, old, "anna", password, "a"); !errors.Is(err, auth.ErrCode) {
		t.Errorf("the old code: %v", err)
	}
	var unfit *auth.Unfit
	if _, err := f.Setup(ctx, code, "anna", "short", "a"); !errors.As(err, &unfit) {
		t.Errorf("a weak password: %v", err)
	}
	user, err := f.Setup(ctx, " "+strings.ToLower(code), " Anna ", password, "a")
	if err != nil || user.Login != "anna" || user.Role != auth.Owner {
		t.Fatalf("%+v, %v", user, err)
	}
	if _, err := f.Setup(ctx, code, "boris", password, "a"); !errors.Is(err, auth.ErrSetupDone) {
		t.Errorf("the code worked twice: %v", err)
	}
	if code, needed, err := f.SetupCode(ctx); code != "" || needed || err != nil {
		t.Errorf("a code with a user there: %q, %v, %v", code, needed, err)
	}
	if got, err := f.Login(ctx, "ANNA", password, "a"); err != nil || got != user {
		t.Errorf("%+v, %v", got, err)
	}
}

// Two who know the code at once make one owner.
func TestSetupRace(t *testing.T) {
	f := open(t)
	code, _, err := f.SetupCode(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	made := 0
	for _, login := range []string{"anna", "boris", "vera", "gleb"} {
		all.Go(func() {
			_, err := f.Setup(t.Context(), code, login, password, "a")
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				made++
			} else if !errors.Is(err, auth.ErrSetupDone) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if made != 1 {
		t.Errorf("%d owners", made)
	}
}

func TestSetupCodeCannotBeGuessed(t *testing.T) {
	f := open(t)
	code, _, err := f.SetupCode(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if _, err := f.Setup(t.Context(), "AAAA-AAAA-AAAA-AAAA", "anna", password, "a"); !errors.Is(err, auth.ErrCode) {
			t.Fatal(err)
		}
	}
	var locked *auth.Locked
	if _, err := f.Setup(t.Context(), code, "anna", password, "b"); !errors.As(err, &locked) || locked.Wait != 15*time.Minute {
		t.Fatalf("the sixth try: %v", err)
	}
	f.pass(15 * time.Minute)
	if _, err := f.Setup(t.Context(), code, "anna", password, "a"); err != nil {
		t.Errorf("after the wait: %v", err)
	}
}

func TestPasswordIsStoredAsPHC(t *testing.T) {
	f := open(t)
	f.restart() // at the full cost
	if _, err := f.CreateUser(t.Context(), "anna", password, auth.Owner); err != nil {
		t.Fatal(err)
	}
	var stored string
	if err := f.db.Reader.QueryRow(`SELECT password FROM auth_user`).Scan(&stored); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(stored, "$argon2id$v=19$m=65536,t=3,p=1$") || len(strings.Split(stored, "$")) != 6 {
		t.Errorf("stored as %q", stored)
	}
}

func TestUnfit(t *testing.T) {
	f := open(t)
	for name, tt := range map[string]struct{ login, password string }{
		"short":            {"anna", "одиннадцать"},
		"long":             {"anna", strings.Repeat("абвгд", 52)},
		"one sign":         {"anna", strings.Repeat("аб", 10)},
		"common":           {"anna", "Password1234"},
		"common, Russian":  {"anna", "йцукенГШЩЗХЪ"},
		"has the login":    {"anna", "я-это-Anna-2026"},
		"no login":         {" ", password},
		"login with space": {"anna maria", password},
		"login with tag":   {"<b>anna", password},
		"long login":       {strings.Repeat("a", 65), password},
	} {
		var unfit *auth.Unfit
		if _, err := f.CreateUser(t.Context(), tt.login, tt.password, auth.Owner); !errors.As(err, &unfit) || unfit.Reason == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := f.CreateUser(t.Context(), "anna", password, "king"); err == nil {
		t.Error("a role that is none")
	}
	if _, err := f.CreateUser(t.Context(), "anna", password, auth.Analyst); err != nil {
		t.Error(err)
	}
	if _, err := f.CreateUser(t.Context(), "ANNA", password, auth.Owner); !errors.Is(err, auth.ErrTaken) {
		t.Errorf("the same login: %v", err)
	}
}

// Five wrong passwords lock an account for a quarter of an hour, whether it
// exists or not, also for the right password; going on trying does not prolong it.
func TestAccountLock(t *testing.T) {
	for _, login := range []string{"anna", "nobody"} {
		f := withUser(t)
		for i := range 5 {
			if _, err := f.Login(t.Context(), login, "wrong password", string(rune('a'+i))); !errors.Is(err, auth.ErrLogin) {
				t.Fatalf("%s, try %d: %v", login, i, err)
			}
			f.pass(time.Minute)
		}
		var locked *auth.Locked
		if _, err := f.Login(t.Context(), login, password, "z"); !errors.As(err, &locked) || locked.Wait != 10*time.Minute {
			t.Errorf("%s, locked: %v", login, err)
		}
		f.pass(10 * time.Minute)
		want := error(nil)
		if login == "nobody" {
			want = auth.ErrLogin
		}
		if _, err := f.Login(t.Context(), login, password, "z"); !errors.Is(err, want) {
			t.Errorf("%s, after the wait: %v", login, err)
		}
	}
}

// A success forgets the failures before it.
func TestSuccessForgives(t *testing.T) {
	f := withUser(t)
	for range 3 {
		for range 4 {
			if _, err := f.Login(t.Context(), "anna", "wrong password", "a"); !errors.Is(err, auth.ErrLogin) {
				t.Fatal(err)
			}
		}
		if _, err := f.Login(t.Context(), "anna", password, "a"); err != nil {
			t.Fatal(err)
		}
	}
}

// Twenty attempts a minute from one address, whatever the logins; another
// address is not concerned. At once or one after another makes no difference.
func TestAddressLimit(t *testing.T) {
	f := withUser(t)
	var all sync.WaitGroup
	var mu sync.Mutex
	outcome := map[string]int{}
	for i := range 30 {
		all.Go(func() {
			_, err := f.Login(t.Context(), "guess"+string(rune('a'+i)), password, "attacker")
			var locked *auth.Locked
			mu.Lock()
			defer mu.Unlock()
			switch {
			case errors.Is(err, auth.ErrLogin):
				outcome["wrong"]++
			case errors.As(err, &locked) && locked.Wait == time.Minute:
				outcome["locked"]++
			default:
				t.Error(err)
			}
		})
	}
	all.Wait()
	if outcome["wrong"] != 20 || outcome["locked"] != 10 {
		t.Errorf("%v", outcome)
	}
	if _, err := f.Login(t.Context(), "anna", password, "elsewhere"); err != nil {
		t.Errorf("another address: %v", err)
	}
	f.pass(time.Minute)
	if _, err := f.Login(t.Context(), "anna", password, "attacker"); err != nil {
		t.Errorf("a minute later: %v", err)
	}
}

// The reply takes its time whether the login exists, is wrong or locked: one
// hash each, which is far more than all the rest.
func TestSameReplyTime(t *testing.T) {
	f := open(t)
	f.restart() // at the full cost
	if _, err := f.CreateUser(t.Context(), "anna", password, auth.Owner); err != nil {
		t.Fatal(err)
	}
	took := func(login string) time.Duration {
		begin := time.Now()
		_, _ = f.Login(t.Context(), login, "wrong password", login)
		return time.Since(begin)
	}
	known, unknown := took("anna"), took("nobody")
	for range 4 {
		took("anna")
	}
	locked := took("anna")
	for name, d := range map[string]time.Duration{"unknown": unknown, "locked": locked} {
		if d < known/4 || d > known*4 {
			t.Errorf("%s login answers in %v, a known one in %v", name, d, known)
		}
	}
}

// What people type into the login field may be a password.
func TestNothingTypedIsKept(t *testing.T) {
	f := withUser(t)
	_, _ = f.Login(t.Context(), "MySecretPassword", "TheSecretItself", "a")
	if _, err := f.db.Writer.Exec(`PRAGMA wal_checkpoint(TRUNCATE)`); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(f.path)
	if err != nil {
		t.Fatal(err)
	}
	for where, text := range map[string][]byte{"file": bytes.ToLower(file), "log": bytes.ToLower(f.log.Bytes())} {
		for _, secret := range []string{"mysecretpassword", "thesecretitself"} {
			if bytes.Contains(text, []byte(secret)) {
				t.Errorf("%s is in the %s", secret, where)
			}
		}
	}
}

func TestRoles(t *testing.T) {
	for _, tt := range []struct {
		role       auth.Role
		permission auth.Permission
		want       bool
	}{
		{auth.Owner, auth.ManageConnections, true},
		{auth.Admin, auth.LoadPacks, true},
		{auth.Operator, auth.RunQueue, true},
		{auth.Operator, auth.ReadCalls, false}, // no transcripts
		{auth.Auditor, auth.ReadLedger, true},
		{auth.Auditor, auth.LoadPacks, false},
		{auth.Analyst, auth.ReadCalls, true},
		{auth.Analyst, auth.RunCalls, false},
		{"king", auth.SeeSelf, false},
	} {
		if got := tt.role.May(tt.permission); got != tt.want {
			t.Errorf("%s may %s: %v", tt.role, tt.permission, got)
		}
	}
}

// browser sends one request through the sessions and keeps the cookie.
type browser struct {
	t       *testing.T
	handler http.Handler
	cookie  *http.Cookie
}

func (b *browser) get(path string) string {
	b.t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	if b.cookie != nil {
		r.AddCookie(b.cookie)
	}
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		b.cookie = c
	}
	return w.Body.String()
}

func (f *fixture) browser(secure bool) *browser {
	sessions := f.Sessions(secure, 0)
	handler := sessions.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		switch r.URL.Path {
		case "/login":
			user, err := f.Login(ctx, "anna", password, "a")
			if err = errors.Join(err, sessions.Begin(ctx, user)); err != nil {
				f.t.Error(err)
			}
		case "/logout":
			if err := sessions.End(ctx); err != nil {
				f.t.Error(err)
			}
		case "/touch":
			if err := sessions.Touch(ctx); err != nil {
				f.t.Error(err)
			}
		}
		user, err := sessions.User(ctx)
		if err != nil && !errors.Is(err, auth.ErrNoSession) {
			f.t.Error(err)
		}
		alive, err := sessions.Alive(ctx)
		if err != nil {
			f.t.Error(err)
		}
		if r.URL.Path != "/login" && r.URL.Path != "/logout" && alive != (user.Login != "") {
			f.t.Errorf("alive is %v for %q", alive, user.Login)
		}
		_, _ = w.Write([]byte(user.Login))
	}), func(_ http.ResponseWriter, _ *http.Request, err error) { f.t.Error(err) })
	return &browser{t: f.t, handler: handler}
}

func TestSession(t *testing.T) {
	f := withUser(t)
	b := f.browser(true)
	if got := b.get("/"); got != "" || b.cookie != nil {
		t.Fatalf("a stranger is %q with the cookie %v", got, b.cookie)
	}
	b.get("/login")
	first := *b.cookie
	if !first.HttpOnly || !first.Secure || first.SameSite != http.SameSiteStrictMode || first.Path != "/" || first.Domain != "" ||
		first.Name != "__Host-flysense" || first.MaxAge != 0 || len(first.Value) < 43 {
		t.Errorf("cookie: %v", first.String())
	}
	if got := b.get("/"); got != "anna" {
		t.Errorf("signed in as %q", got)
	}
	var stored []byte
	if err := f.db.Reader.QueryRow(`SELECT token FROM auth_session`).Scan(&stored); err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256([]byte(first.Value)); !bytes.Equal(stored, sum[:]) {
		t.Error("the table does not hold the SHA-256 of the token")
	}

	b.get("/login") // again: a new token, the old one is worth nothing
	second := *b.cookie
	if second.Value == first.Value {
		t.Error("the token was not rotated")
	}
	b.cookie = &first
	if got := b.get("/"); got != "" {
		t.Errorf("the old token is %q", got)
	}
	b.cookie = &second
	b.get("/logout")
	if b.cookie.MaxAge >= 0 {
		t.Errorf("sign-out leaves the cookie: %v", b.cookie)
	}
	b.cookie = &second
	if got := b.get("/"); got != "" {
		t.Errorf("after the sign-out the token is %q", got)
	}
	if plain := f.browser(false); plain.get("/login") == "" || plain.cookie.Name != "flysense" || plain.cookie.Secure {
		t.Errorf("without TLS: %v", plain.cookie)
	}
}

func TestSessionEnds(t *testing.T) {
	f := withUser(t)
	b := f.browser(false)
	b.get("/login")
	f.pass(29 * time.Minute)
	if got := b.get("/touch"); got != "anna" {
		t.Fatal("ended before its time")
	}
	f.pass(29 * time.Minute)
	if got := b.get("/"); got != "anna" {
		t.Fatal("use did not prolong the session")
	}
	f.pass(2 * time.Minute)
	if got := b.get("/"); got != "" {
		t.Error("31 minutes unused and still there")
	}

	b.get("/login")
	for range 12*3 - 1 {
		f.pass(20 * time.Minute)
		if got := b.get("/touch"); got != "anna" {
			t.Fatal("ended in use")
		}
	}
	f.pass(20 * time.Minute)
	if got := b.get("/touch"); got != "" {
		t.Error("12 hours and still there")
	}
}

// A user who is gone is out with the next request.
func TestDeletedUserIsOut(t *testing.T) {
	f := withUser(t)
	b := f.browser(false)
	b.get("/login")
	if _, err := f.db.Writer.Exec(`DELETE FROM auth_user`); err != nil {
		t.Fatal(err)
	}
	if got := b.get("/"); got != "" {
		t.Errorf("still %q", got)
	}
}
