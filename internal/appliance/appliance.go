// Package appliance joins the parts: it is the one place that builds all of
// them. Read New from top to bottom to see what depends on what, then the
// package engine for the way a call takes.
//
//	New   opens database, ledger, portals, queue, speech and pages; nothing runs yet
//	Run   starts the queue, the clockwork and the web server; returns when ctx ends
//	Close stops what is left and closes the database
//
// A test starts the real thing on port 0 in a temporary folder.
package appliance

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/oklog/ulid/v2"

	"flysense/billing"
	"flysense/billing/pack"
	"flysense/crm"
	"flysense/crm/amocrm"
	"flysense/crm/rest"
	"flysense/engine"
	"flysense/engine/audio"
	"flysense/engine/lexicon"
	"flysense/engine/queue"
	"flysense/engine/store"
	"flysense/internal/db"
	"flysense/web"
	"flysense/web/auth"
)

// ErrDatabase ends Run when the database file can no longer be trusted. The
// program should exit with ExitDatabase and be started again: the start proves
// the ledger and settles what was in doubt.
var ErrDatabase = errors.New("the database failed")

// ExitDatabase is the exit status for [ErrDatabase].
const ExitDatabase = 70

// Lane widths. Speech is as wide as the engine has states.
const (
	netWidth = 4
	llmWidth = 1
)

// Options are what the program decides and a configuration file cannot.
type Options struct {
	Config  Config
	Keys    pack.Keyset // whose packs count
	Portal  string      // host:port of the emulated portal on this machine, "" for none
	Demo    bool        // pages say that this is a demonstration
	Version string
	Log     *slog.Logger

	// Doubles for tests; nil builds the real part.
	Now         func() time.Time
	Transcriber engine.Transcriber
	Analyst     engine.Analyst
	Store       func(engine.Store) engine.Store
	Runner      func(queue.Runner) queue.Runner
	Pace        float64 // requests a second to one portal
}

// Appliance is the whole server.
type Appliance struct {
	Store  *store.Store
	Engine *engine.Engine
	Queue  *queue.Queue
	Ledger *billing.Ledger
	Hub    *crm.Hub
	Auth   *auth.Auth

	options Options
	speech  *speechRoom
	feed    *web.Feed
	pages   *web.Server
	db      *db.DB
	lock    *os.File
	log     *slog.Logger
	now     func() time.Time
}

// New builds every part. What it opened is closed again if it fails.
func New(ctx context.Context, o Options) (_ *Appliance, err error) {
	a := &Appliance{options: o, log: o.Log, now: o.Now, feed: &web.Feed{}}
	if a.now == nil {
		a.now = time.Now
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close())
		}
	}()
	c := o.Config
	for _, dir := range []string{c.DataDir, c.KeysDir, filepath.Join(c.DataDir, "tmp")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("make folder: %w", err)
		}
	}
	if a.lock, err = lockDir(c.DataDir); err != nil {
		return nil, err
	}
	if a.db, err = db.Open(ctx, filepath.Join(c.DataDir, "flysense.db")); err != nil {
		return nil, err
	}
	if a.Store, err = store.New(a.db, filepath.Join(c.DataDir, "audio"), a.now); err != nil {
		return nil, err
	}
	if a.Ledger, err = openLedger(ctx, a.db, c, o.Keys, a.now); err != nil {
		return nil, err
	}
	if a.Auth, err = auth.New(a.db, a.now, a.log); err != nil {
		return nil, err
	}
	if a.Hub, err = a.openHub(ctx); err != nil {
		return nil, err
	}
	if a.Queue, err = queue.New(ctx, a.db, queue.Width{Net: netWidth, Speech: c.SpeechStates, LLM: llmWidth}, a.now, a.log); err != nil {
		return nil, err
	}
	transcriber := o.Transcriber
	if transcriber == nil {
		if a.speech, err = newSpeechRoom(c, a.log); err != nil {
			return nil, err
		}
		transcriber = a.speech
	}
	a.Engine = &engine.Engine{
		Store:       a.Store,
		Audio:       a.Store.Audio,
		Jobs:        a.Queue,
		Finder:      a.Hub,
		Source:      a.Hub,
		Sink:        a.Hub,
		Decoder:     newDecoder(c, a.log),
		Transcriber: transcriber,
		Analyst:     lexicon.New(),
		Till:        till{a.Ledger},
		Now:         a.now,
		NewID:       func() string { return ulid.Make().String() },
		Changed:     a.changed,
		KeepAudio:   c.KeepAudio,
		Log:         a.log,
	}
	if o.Analyst != nil {
		a.Engine.Analyst = o.Analyst
	}
	if o.Store != nil {
		a.Engine.Store = o.Store(a.Store)
	}
	a.Queue.Runner = a.Engine
	if o.Runner != nil {
		a.Queue.Runner = o.Runner(a.Engine)
	}
	if a.pages, err = a.openPages(); err != nil {
		return nil, err
	}
	return a, nil
}

// lockDir keeps a second server off the same data: two would run every job twice.
func lockDir(dir string) (*os.File, error) {
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the data folder: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("the data folder %s is in use by another server: %w", dir, err), lock.Close())
	}
	return lock, nil
}

func openLedger(ctx context.Context, d *db.DB, c Config, keys pack.Keyset, now func() time.Time) (*billing.Ledger, error) {
	installation, err := pack.OpenInstallation(filepath.Join(c.KeysDir, "installation.key"))
	if err != nil {
		return nil, err
	}
	return billing.Open(ctx, d, billing.Settings{
		Keys: keys, Installation: installation, AnchorPath: filepath.Join(c.KeysDir, "ledger.anchor"), Now: now,
	})
}

func (a *Appliance) openHub(ctx context.Context) (*crm.Hub, error) {
	agent := "FlySense/" + a.options.Version
	guard := &rest.Guard{Loopback: a.options.Portal}
	vendor := amocrm.New(amocrm.Options{
		Client:  rest.New(rest.Options{Guard: guard, Agent: agent, PerSecond: cmp.Or(a.options.Pace, amocrm.PerSecond), Now: a.now}),
		Outside: &rest.Outside{Guard: guard, Agent: agent, Limit: engine.MaxRecording + 1},
		Demo:    a.options.Portal,
		Now:     a.now,
		Log:     a.log,
	})
	return crm.Open(ctx, crm.Options{
		DB:         a.db,
		Connectors: []crm.Connector{vendor},
		KeyFile:    filepath.Join(a.options.Config.KeysDir, "master.key"),
		Poll:       a.options.Config.Poll,
		Now:        a.now,
		Log:        a.log,
		Restored:   a.restored,
	})
}

func newDecoder(c Config, log *slog.Logger) *audio.Decoder {
	return &audio.Decoder{TempDir: filepath.Join(c.DataDir, "tmp"), Log: log}
}

// changed tells the screens about a call, and about the money it may have moved.
func (a *Appliance) changed(callID string) {
	a.feed.Changed(callID)
	a.feed.Publish(web.Event{Topic: web.BalanceChanged})
}

// restored lets the calls of a connection go on that waited for its access.
func (a *Appliance) restored(ctx context.Context, connectionID string) {
	waiting, err := a.Store.CallsIn(ctx, restoreLimit, engine.NeedsOwner)
	if err != nil {
		a.log.Error("find calls that waited for the connection", "connection", connectionID, "err", err)
		return
	}
	for _, c := range waiting {
		if c.ConnectionID != connectionID {
			continue
		}
		if err := a.Engine.Start(ctx, c.ID, engine.Appliance); err != nil {
			a.log.Error("start a call that waited for the connection", "call", c.ID, "err", err)
		}
	}
}

// restoreLimit is how many calls one reconnection starts; the rest have their button.
const restoreLimit = 10_000

// Run works until ctx ends or the database fails. listener may be nil; then
// the configured address is used.
func (a *Appliance) Run(ctx context.Context, listener net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var err error
	if listener == nil {
		if listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", a.options.Config.Listen); err != nil {
			return fmt.Errorf("listen: %w", err)
		}
	}
	if err := a.revive(ctx); err != nil {
		return err
	}
	// The queue gets a context of its own: it is stopped in order below.
	if err := a.Queue.Start(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	var clock sync.WaitGroup
	for _, t := range []struct {
		name     string
		interval time.Duration
		do       func(context.Context) error
	}{
		{"ask portals", max(a.options.Config.Poll/2, time.Second/2), a.poll},
		{"write the anchor", anchorEvery, a.Ledger.Anchor},
		{"renew tokens", freshEvery, a.Hub.KeepFresh},
		{"remove expired audio", expireEvery, a.Engine.Expire},
		{"verify the ledger", verifyEvery, a.verify},
		{"take lost jobs up", lostEvery, a.Queue.Reclaim},
	} {
		clock.Go(func() { a.every(ctx, t.name, t.interval, t.do) })
	}
	server := a.pages.HTTP()
	served := make(chan error, 1)
	go func() { served <- a.serve(server, listener) }()
	a.log.Info("ready", "address", listener.Addr().String())

	select {
	case <-ctx.Done():
	case err = <-served:
		err = fmt.Errorf("web server: %w", err)
	case failed := <-a.db.Failed():
		err = fmt.Errorf("%w: %w", ErrDatabase, failed)
	}
	cancel()
	ending, release := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
	defer release()
	clock.Wait()
	_ = server.Shutdown(ending)
	return errors.Join(err, a.Queue.Stop(ending))
}

// stopTime is how long a stop may take; what is not finished then runs again
// at the next start.
const stopTime = 20 * time.Second

func (a *Appliance) serve(server *http.Server, listener net.Listener) error {
	if c := a.options.Config; c.TLSCert != "" {
		return server.ServeTLS(listener, c.TLSCert, c.TLSKey)
	}
	return server.Serve(listener)
}

// revive shows that nothing runs yet, and makes sure that every call that is
// not ended has its job. Both are written in one transaction, so none is
// missing; if one ever is, nobody has to wait for a person.
func (a *Appliance) revive(ctx context.Context) error {
	unfinished, err := a.Store.Unfinished(ctx)
	if err != nil {
		return err
	}
	has, err := a.Queue.Pending(ctx)
	if err != nil {
		return err
	}
	for _, c := range unfinished {
		if has[c.ID] && c.State == engine.Queued {
			continue
		}
		if !has[c.ID] {
			a.log.Error("a call had no job", "call", c.ID, "step", c.Step)
		}
		if err := a.Engine.Revive(ctx, c.ID); err != nil {
			return err
		}
	}
	return nil
}

// Close stops the speech worker and closes the database.
func (a *Appliance) Close() error {
	var errs []error
	if a.speech != nil {
		errs = append(errs, a.speech.Close())
	}
	if a.Ledger != nil {
		errs = append(errs, a.Ledger.Anchor(context.Background()))
	}
	if a.Store != nil {
		errs = append(errs, a.Store.Close())
	}
	if a.db != nil {
		errs = append(errs, a.db.Close())
	}
	if a.lock != nil {
		errs = append(errs, a.lock.Close())
	}
	return errors.Join(errs...)
}
