package appliance

import (
	"context"
	"strings"
	"time"

	"flysense/engine"
	"flysense/web"
)

// openPages gives the web server what it shows.
func (a *Appliance) openPages() (*web.Server, error) {
	c := a.options.Config
	var workers web.Workers = noWorkers{}
	if a.speech != nil {
		workers = a.speech
	}
	return web.New(web.Options{
		Store:       a.Store,
		Auth:        a.Auth,
		Desk:        a.Engine,
		Lanes:       a.Queue,
		Purse:       a.Ledger,
		Receipts:    a.Ledger,
		Portals:     a.Hub,
		Archive:     a,
		Workers:     workers,
		Feed:        a.feed,
		SummaryPaid: func() bool { return a.Engine.Analyst.Charges() },
		Checks: []web.Check{
			{Name: "database", Try: func(ctx context.Context) error { return a.db.Writer.PingContext(ctx) }},
			{Name: "ledger", Try: func(context.Context) error { return a.Ledger.Locked() }},
		},
		Version:   a.options.Version,
		Demo:      a.options.Demo,
		PublicURL: c.BaseURL,
		Secure:    c.TLSCert != "" || strings.HasPrefix(c.BaseURL, "https:"),
		Now:       a.now,
		Log:       a.log,
	})
}

// StartArchive is web.Archive: the search itself is a detect job.
func (a *Appliance) StartArchive(ctx context.Context, actor, connectionID string, from, to time.Time) error {
	a.log.Info("archive asked for", "actor", actor, "connection", connectionID, "from", from, "to", to)
	return a.detect(ctx, engine.Job{ConnectionID: connectionID, From: from, To: to})
}

// noWorkers stands where a test brings a transcriber of its own.
type noWorkers struct{}

func (noWorkers) Speech() web.Speech        { return web.Speech{State: "ready"} }
func (noWorkers) GPUs() ([]web.GPU, string) { return nil, "" }
