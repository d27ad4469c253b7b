package amocrm_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"flysense/crm"
	"flysense/crm/amocrm"
	"flysense/crm/crmtest"
	emulator "flysense/crm/emulator/amocrm"
	"flysense/crm/rest"
	"flysense/internal/db"
)

func TestConnector(t *testing.T) {
	crmtest.Run(t, func(t *testing.T) *crmtest.Bench {
		w := newWorld(t, emulator.Options{})
		c := w.connect(t, crm.Credentials{Code: w.portal.Code(clientID)})
		return &crmtest.Bench{Hub: w.hub, Connection: c.ID, Portal: w, Advance: w.clock.advance, Now: w.clock.Now}
	})
}

const (
	clientID = "5b0d6c1e-8f3a-4a35-9d0e-0a54c1f5b1aa"
	secret   = "s3cr3t-of-the-integration"
	redirect = "https://calls.example.org/amo/oauth"
)

// clock moves when somebody waits, or is told to.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func (c *clock) sleep(ctx context.Context, d time.Duration) error {
	c.advance(d)
	return ctx.Err()
}

// world is an amoCRM account, a Hub and everything between them, on one
// loopback address as in the demo.
type world struct {
	t         *testing.T
	clock     *clock
	portal    *emulator.Portal
	address   string // host:port of the account, its drive and the telephony
	db        *db.DB
	keyFile   string
	connector *amocrm.Connector
	hub       *crm.Hub
	restored  []string
}

func newWorld(t *testing.T, o emulator.Options) *world {
	t.Helper()
	w := &world{t: t, clock: &clock{now: time.Unix(1767600000, 0)}}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, "/rec/"):
			w.portal.Recordings().ServeHTTP(rw, r)
		case strings.HasPrefix(r.URL.Path, "/download/"):
			w.portal.Drive().ServeHTTP(rw, r)
		case strings.HasPrefix(r.URL.Path, "/json/"):
			rw.Header().Set("Content-Type", "application/json")
			_, _ = rw.Write([]byte(`{"status":"error","message":"no key"}`))
		default:
			w.portal.ServeHTTP(rw, r)
		}
	}))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	w.address = server.Listener.Addr().String()
	if o.DriveURL == "own" {
		o.DriveURL = "http://" + w.address
	}
	o.Now, o.Log, o.Limits = w.clock.Now, slog.New(slog.DiscardHandler), emulator.Limits{PerToken: -1, PerAccount: -1}
	w.portal = emulator.New(o)
	w.portal.ServeRecordingsAt("http://" + w.address)
	w.portal.RegisterIntegration(emulator.Integration{ID: clientID, Secret: secret, Redirect: redirect, Name: "FlySense"})
	server.Start()
	t.Cleanup(server.Close)

	guard := &rest.Guard{Loopback: w.address}
	w.connector = amocrm.New(amocrm.Options{
		Client: rest.New(rest.Options{
			Guard: guard, Agent: "FlySense/test", PerSecond: 10000,
			Now: w.clock.Now, Sleep: w.clock.sleep, Timeout: 4 * time.Second,
		}),
		Outside: &rest.Outside{Guard: guard, Agent: "FlySense/test"},
		Demo:    w.address, Now: w.clock.Now, Log: slog.New(slog.DiscardHandler),
	})
	var err error
	folder := t.TempDir()
	if w.db, err = db.Open(t.Context(), filepath.Join(folder, "flysense.db")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.db.Close() })
	w.keyFile = filepath.Join(folder, "keys", "master.key")
	w.hub = w.open(t)
	return w
}

// open starts a Hub on the database, as a restart does.
func (w *world) open(t *testing.T) *crm.Hub {
	t.Helper()
	hub, err := crm.Open(t.Context(), crm.Options{
		DB: w.db, Connectors: []crm.Connector{w.connector}, KeyFile: w.keyFile,
		Now: w.clock.Now, Sleep: w.wait, Log: slog.New(slog.DiscardHandler),
		Restored: func(_ context.Context, id string) { w.restored = append(w.restored, id) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return hub
}

// wait lets another renewal go on; its own time is real.
func (w *world) wait(ctx context.Context, _ time.Duration) error {
	return rest.Wait(ctx, time.Millisecond)
}

func (w *world) application(c crm.Credentials) crm.Application {
	c.ClientID, c.ClientSecret, c.RedirectURI = clientID, secret, redirect
	return crm.Application{Vendor: amocrm.Vendor, Host: w.address, Credentials: c, Automatic: true}
}

func (w *world) connect(t *testing.T, c crm.Credentials) crm.Connection {
	t.Helper()
	made, err := w.hub.Create(t.Context(), "owner", w.application(c))
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// The world is the vendor's side of the suite.

func (w *world) Kinds() []string { return []string{"lead", "contact", "company"} }

var routes = map[string]emulator.Kind{"lead": emulator.Leads, "contact": emulator.Contacts, "company": emulator.Companies}

func (w *world) Card(kind, name string) string {
	var c emulator.Card
	switch kind {
	case "lead":
		c = w.portal.AddLead(emulator.Lead{Name: name})
	case "contact":
		c = w.portal.AddContact(emulator.Contact{Name: name})
	default:
		c = w.portal.AddCompany(emulator.Company{Name: name})
	}
	return strconv.FormatInt(c.ID, 10)
}

func (w *world) card(kind, id string) emulator.Card {
	return emulator.Card{Kind: routes[kind], ID: w.number(id)}
}

func (w *world) number(id string) int64 {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		w.t.Fatalf("id %q", id)
	}
	return n
}

func (w *world) Call(kind, cardID string, c crmtest.Call) string {
	call := emulator.Call{Outgoing: c.Outgoing, At: c.At, Duration: c.Duration, Phone: c.Phone, Uniq: c.Uniq, Link: c.Link}
	if c.Agent != "" {
		call.Responsible = w.portal.AddUser(emulator.User{Name: c.Agent})
	}
	return strconv.FormatInt(w.portal.AddCall(w.card(kind, cardID), call), 10)
}

func (w *world) SetLink(outsideID, link string) { w.portal.SetLink(w.number(outsideID), link) }

func (w *world) Touch(outsideID string) { w.portal.SetParam(w.number(outsideID), "call_result", "x") }

func (w *world) Record(r crmtest.Recording) string {
	if r.Answer == "json" {
		return "http://" + w.address + "/json/" + r.Name
	}
	w.portal.AddRecording(emulator.Recording{
		Name: r.Name, Data: r.Data, ContentType: r.Type, Answer: emulator.Answer(r.Answer), NotYet: r.NotYet, Hops: r.Hops, RedirectTo: r.Redirect,
	})
	return w.portal.RecordingURL(r.Name)
}

func (w *world) Notes(kind, cardID string) []string {
	var texts []string
	for _, n := range w.portal.Notes(w.card(kind, cardID)) {
		if n.Type == emulator.ExtendedMessage {
			texts = append(texts, n.Text)
			if n.Robots {
				w.t.Errorf("note %d starts the customer's robots", n.ID)
			}
		}
	}
	return texts
}

func (w *world) Clutter(kind, cardID, text string) {
	w.portal.AddNote(w.card(kind, cardID), emulator.Common, map[string]any{"text": text})
}

func (w *world) Fail(f crmtest.Fault, times int) {
	fault := emulator.Fault{Route: "/api/**", Count: times, Kind: map[crmtest.Fault]emulator.FaultKind{
		crmtest.Unauthorized: emulator.Unauthorized, crmtest.Unpaid: emulator.Unpaid, crmtest.LockedOut: emulator.ForbiddenHTML,
		crmtest.TooMany: emulator.TooMany, crmtest.Broken: emulator.Broken, crmtest.Slow: emulator.Slow, crmtest.NoContent: emulator.NoContent,
		crmtest.Cut: emulator.Cut, crmtest.CutAfterWork: emulator.Cut,
	}[f]}
	switch f {
	case crmtest.Slow:
		fault.Wait = 5 * time.Second
	case crmtest.CutAfterWork:
		fault.Route, fault.WorkDone = "/api/v4/*/*/notes", true
		w.portal.Fault(fault)
		fault.Route = "/api/v4/*/*/notes/*"
	}
	w.portal.Fault(fault)
}

func (w *world) Heal() { w.portal.ClearFaults() }

func (w *world) Requests() int { return len(w.portal.Requests()) }

func (w *world) Complaints() []string { return append(w.portal.Unknown(), w.portal.Violations()...) }
