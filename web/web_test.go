package web

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"flysense/billing"
	"flysense/crm"
	"flysense/engine"
	"flysense/engine/queue"
	"flysense/engine/store"
	"flysense/internal/db"
	"flysense/web/auth"
)

const password = "три слона в лесу"

var start = time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)

// world is a server on a real store and real sign-in, with small doubles of
// what else it asks.
type world struct {
	*Server
	t     *testing.T
	clock *clock
	log   *bytes.Buffer

	desk    *desk
	lanes   *lanes
	purse   *purse
	portals *portals
	workers *workers
}

type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// newWorld starts a server without users; change may alter its options.
func newWorld(t *testing.T, change ...func(*Options)) *world {
	t.Helper()
	dir := t.TempDir()
	d, err := db.Open(t.Context(), filepath.Join(dir, "flysense.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	w := &world{
		t: t, clock: &clock{at: start}, log: &bytes.Buffer{},
		desk: &desk{}, lanes: &lanes{}, purse: &purse{}, portals: &portals{}, workers: &workers{},
	}
	log := slog.New(slog.NewTextHandler(w.log, nil))
	calls, err := store.New(d, filepath.Join(dir, "audio"), w.clock.now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = calls.Close() })
	w.desk.store = calls
	users, err := auth.New(d, w.clock.now, log)
	if err != nil {
		t.Fatal(err)
	}
	options := Options{
		Store: calls, Auth: users, Desk: w.desk, Lanes: w.lanes, Purse: w.purse, Receipts: w.purse, Portals: w.portals,
		Archive: w.portals, Workers: w.workers, Feed: &Feed{}, SummaryPaid: func() bool { return false },
		Version: "test", Now: w.clock.now, Log: log,
	}
	for _, c := range change {
		c(&options)
	}
	if w.Server, err = New(options); err != nil {
		t.Fatal(err)
	}
	return w
}

// signedIn starts a server and signs a user of the role in.
func signedIn(t *testing.T, role auth.Role, change ...func(*Options)) (*world, *client) {
	t.Helper()
	w := newWorld(t, change...)
	if _, err := w.Auth.CreateUser(t.Context(), "anna", password, role); err != nil {
		t.Fatal(err)
	}
	c := &client{t: t, handler: w}
	c.ask("POST", "/api/v1/login", `{"login":"anna","password":"`+password+`"}`).want(http.StatusOK)
	return w, c
}

// client is a browser: it keeps the cookie and sends what browsers send.
type client struct {
	t       *testing.T
	handler http.Handler
	cookie  *http.Cookie
	header  http.Header
	peer    string
}

type answer struct {
	t      *testing.T
	what   string
	status int
	header http.Header
	body   string
}

func (c *client) ask(method, path, body string) answer {
	c.t.Helper()
	r := httptest.NewRequestWithContext(c.t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for name, values := range c.header {
		r.Header[name] = values
	}
	if c.peer != "" {
		r.RemoteAddr = c.peer
	}
	if c.cookie != nil {
		r.AddCookie(c.cookie)
	}
	w := httptest.NewRecorder()
	c.handler.ServeHTTP(w, r)
	for _, cookie := range w.Result().Cookies() {
		c.cookie = cookie
	}
	return answer{c.t, method + " " + path, w.Code, w.Header(), w.Body.String()}
}

func (c *client) get(path string) answer { c.t.Helper(); return c.ask("GET", path, "") }

func (a answer) want(status int) answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("%s: %d, want %d: %s", a.what, a.status, status, a.body)
	}
	return a
}

// refused checks status and code, and that the message speaks Russian.
func (a answer) refused(status int, code string) {
	a.t.Helper()
	var r Refused
	if err := json.Unmarshal([]byte(a.body), &r); err != nil {
		a.t.Fatalf("%s: %d %s: %v", a.what, a.status, a.body, err)
	}
	if a.status != status || r.Error.Code != code {
		a.t.Errorf("%s: %d %s, want %d %s", a.what, a.status, a.body, status, code)
	}
	if !russian(r.Error.Message) {
		a.t.Errorf("%s: the message is not Russian: %q", a.what, r.Error.Message)
	}
	if !strings.HasPrefix(a.header.Get("Content-Type"), "application/json") {
		a.t.Errorf("%s: Content-Type %q", a.what, a.header.Get("Content-Type"))
	}
}

func russian(text string) bool {
	return strings.ContainsAny(text, "аеио") && strings.HasSuffix(strings.TrimSpace(text), ".")
}

func read[T any](a answer) T {
	a.t.Helper()
	var v T
	decoder := json.NewDecoder(strings.NewReader(a.want(http.StatusOK).body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&v); err != nil {
		a.t.Fatalf("%s: %v: %s", a.what, err, a.body)
	}
	return v
}

// addCall puts a finished call into the store.
func (w *world) addCall(id string, change ...func(*engine.Call)) {
	w.t.Helper()
	c := engine.Call{
		ID: id, ConnectionID: "conn", Key: id, Direction: engine.Outgoing, Phone: "+7 916 123-45-67", Agent: "Анна Смирнова",
		Title: "Ремонт квартиры", StartedAt: start.Add(-time.Hour), Reported: 90 * time.Second, State: engine.Done, Step: engine.StepDeliver,
		Priority: engine.Automatic, Actor: engine.Appliance, Revision: 1,
	}
	for _, change := range change {
		change(&c)
	}
	windows := []engine.Window{{Index: 0, End: time.Second}, {Index: 1, Channel: 1, End: time.Second}}
	err := w.Store.Tx(w.t.Context(), func(tx *sql.Tx) error {
		ctx := w.t.Context()
		return errors.Join(
			w.Store.AddCall(ctx, tx, c),
			w.Store.SaveNote(ctx, tx, engine.Note{ConnectionID: "conn", OutsideID: "leads/" + id, CallID: id, CardKind: "lead", CardID: "7", CardTitle: "Ремонт", CardURL: "https://demo.amocrm.ru/leads/detail/7", ResultID: "9"}),
			w.Store.SaveRecording(ctx, tx, engine.Recording{
				CallID: id, Bytes: 10, SHA256: "abc", Format: "mp3 MPEG-2.5", Rate: 8000, Channels: 2, Length: 83500 * time.Millisecond,
				Peaks: [][]uint8{{0, 255}, {7}}, FetchedAt: start, KeptUntil: start.Add(time.Hour),
			}, windows),
			w.Store.SaveHeard(ctx, tx, id, engine.Heard{Window: windows[0]}),
			w.Store.SaveTranscript(ctx, tx, engine.Transcript{CallID: id, Model: "demo", Language: "ru", MadeAt: start, Turns: []engine.Turn{
				{Speaker: engine.Client, Channel: 0, Start: 500 * time.Millisecond, End: time.Second, Text: "Алло.", Words: []engine.Word{{Text: "Алло.", Start: 500 * time.Millisecond, End: time.Second}}},
				{Speaker: engine.Agent, Channel: 1, Start: 2 * time.Second, End: 3 * time.Second, Text: "Пришлю договор аренды."},
			}}),
			w.Store.SaveAnalysis(ctx, tx, engine.Analysis{CallID: id, By: engine.Lexicon, Summary: "Клиент просит договор.", Tone: engine.Neutral, Tags: []string{"договор"}, MadeAt: start,
				Verdicts: []engine.Verdict{{Kind: engine.Greeting, Found: true, Speaker: engine.Client, Quote: "Алло", At: 500 * time.Millisecond}}}),
		)
	})
	if err != nil {
		w.t.Fatal(err)
	}
	if _, _, err := w.Store.Audio.Save(w.t.Context(), id, strings.NewReader("0123456789"), 10); err != nil {
		w.t.Fatal(err)
	}
}

// desk does what the engine does to the store, and remembers what was asked.
type desk struct {
	store *store.Store
	asked []string
	err   error
}

func (d *desk) note(what, callID, actor string) error {
	d.asked = append(d.asked, what+" "+callID+" by "+actor)
	return d.err
}
func (d *desk) Start(_ context.Context, id, actor string) error  { return d.note("start", id, actor) }
func (d *desk) Cancel(_ context.Context, id, actor string) error { return d.note("cancel", id, actor) }
func (d *desk) Refetch(_ context.Context, id, actor string) error {
	return d.note("refetch", id, actor)
}
func (d *desk) Delete(ctx context.Context, id, actor string) error {
	return errors.Join(d.note("delete", id, actor), d.store.Tx(ctx, func(tx *sql.Tx) error { return d.store.DeleteCall(ctx, tx, id) }))
}
func (d *desk) Edit(ctx context.Context, e engine.Edit) error {
	if d.err != nil {
		return d.err
	}
	return d.store.Tx(ctx, func(tx *sql.Tx) error { return d.store.SaveEdit(ctx, tx, e) })
}

type lanes struct {
	work   []queue.Waiting
	paused bool
	looks  int
}

func (l *lanes) Work(context.Context) ([]queue.Waiting, error) { l.looks++; return l.work, nil }
func (l *lanes) Paused(context.Context) (bool, error)          { return l.paused, nil }
func (l *lanes) Pause(context.Context) error                   { l.paused = true; return nil }
func (l *lanes) Resume(context.Context) error                  { l.paused = false; return nil }

type purse struct {
	entries  []billing.Entry
	receipts map[string]billing.Receipt
	problems []billing.Problem
	err      error
}

func (p *purse) Balance(context.Context) (billing.Balance, error) {
	return billing.Balance{Available: 100 * billing.FC, Held: 2 * billing.FC, Spent: billing.FC, Credited: 103 * billing.FC}, nil
}
func (p *purse) Entries(_ context.Context, before int64, limit int) ([]billing.Entry, error) {
	var found []billing.Entry
	for _, e := range p.entries {
		if (before == 0 || e.Seq < before) && len(found) < limit {
			found = append(found, e)
		}
	}
	return found, nil
}
func (p *purse) OpenHolds(context.Context) ([]billing.Entry, error) {
	return make([]billing.Entry, 3), nil
}
func (p *purse) Daily(_ context.Context, days int) ([]billing.Day, error) {
	return []billing.Day{{Date: start, Spent: billing.FC}}, nil
}
func (p *purse) Tariff(context.Context) (billing.Tariff, error) { return billing.Base(), nil }
func (p *purse) Checked() billing.Report {
	return billing.Report{At: start, Entries: 42, Problems: p.problems}
}
func (p *purse) LoadPack(_ context.Context, token, by string) (billing.Loaded, error) {
	return billing.Loaded{Serial: token + " by " + by, Amount: 1000 * billing.FC, Again: true}, p.err
}
func (p *purse) InstallationID() string { return "FS-TEST" }
func (p *purse) Receipts(context.Context, []string) (map[string]billing.Receipt, error) {
	return p.receipts, nil
}

type portals struct {
	connections []crm.Connection
	asked       []any
	err         error
}

func (p *portals) one(what ...any) (crm.Connection, error) {
	p.asked = append(p.asked, what...)
	if p.err != nil || len(p.connections) == 0 {
		return crm.Connection{}, errors.Join(p.err, engine.ErrNotFound)
	}
	return p.connections[0], nil
}
func (p *portals) List(context.Context) ([]crm.Connection, error) { return p.connections, nil }
func (p *portals) Connection(context.Context, string) (crm.Connection, error) {
	return p.one()
}
func (p *portals) Create(_ context.Context, actor string, a crm.Application) (crm.Connection, error) {
	return p.one(actor, a)
}
func (p *portals) Update(_ context.Context, actor, id string, c crm.Change) (crm.Connection, error) {
	return p.one(actor, id, c)
}
func (p *portals) Reconnect(_ context.Context, actor, id string, c crm.Credentials) (crm.Connection, error) {
	return p.one(actor, id, c)
}
func (p *portals) Check(context.Context, string, string) (crm.Account, error) {
	_, err := p.one()
	return crm.Account{}, err
}
func (p *portals) Delete(_ context.Context, actor, id string) error {
	_, err := p.one(actor, id)
	return err
}
func (p *portals) AuthorizeURL(context.Context, string, string) (string, error) {
	return "https://www.amocrm.ru/oauth?state=x", p.err
}
func (p *portals) Redirected(_ context.Context, q url.Values) (crm.Connection, error) {
	return p.one(q)
}
func (p *portals) ArchivePreview(_ context.Context, id string, from, to time.Time) (crm.Preview, error) {
	_, err := p.one(id, from, to)
	return crm.Preview{Calls: 3, Lengths: []time.Duration{time.Second, time.Minute}, NoRecording: 1}, err
}
func (p *portals) StartArchive(_ context.Context, actor, id string, from, to time.Time) error {
	p.asked = append(p.asked, actor, id, from, to)
	return p.err
}

type workers struct{ realtime float64 }

func (w *workers) Speech() Speech {
	return Speech{State: "ready", Model: "demo", Demo: true, Backend: "CPU", Realtime: w.realtime, Since: start}
}
func (w *workers) GPUs() ([]GPU, string) { return nil, "Видеокарт NVIDIA нет." }
