package web

import (
	"context"
	"net/url"
	"time"

	"flysense/billing"
	"flysense/crm"
	"flysense/engine"
	"flysense/engine/queue"
)

// Desk is what a person may do with a call; *engine.Engine is one. An unknown
// call is engine.ErrNotFound, one that is worked on engine.ErrBusy, a
// correction that cannot be *engine.BadEdit.
type Desk interface {
	Start(ctx context.Context, callID, actor string) error
	Cancel(ctx context.Context, callID, actor string) error
	Delete(ctx context.Context, callID, actor string) error
	Refetch(ctx context.Context, callID, actor string) error
	Edit(ctx context.Context, e engine.Edit) error
}

// Lanes are the queue; *queue.Queue is one.
type Lanes interface {
	Work(ctx context.Context) ([]queue.Waiting, error)
	Paused(ctx context.Context) (bool, error)
	Pause(ctx context.Context) error
	Resume(ctx context.Context) error
}

// Purse is the ledger; *billing.Ledger is one.
type Purse interface {
	Balance(ctx context.Context) (billing.Balance, error)
	Entries(ctx context.Context, before int64, limit int) ([]billing.Entry, error)
	OpenHolds(ctx context.Context) ([]billing.Entry, error)
	Daily(ctx context.Context, days int) ([]billing.Day, error)
	Tariff(ctx context.Context) (billing.Tariff, error)
	Checked() billing.Report
	LoadPack(ctx context.Context, token, by string) (billing.Loaded, error)
	InstallationID() string
}

// Receipts tell what calls cost. A call that was never paid has none.
type Receipts interface {
	Receipts(ctx context.Context, callIDs []string) (map[string]billing.Receipt, error)
}

// Portals are the connections; *crm.Hub is one. What a person has to correct is
// *crm.Invalid, lost access *crm.AccessError or a NeedsOwnerError.
type Portals interface {
	List(ctx context.Context) ([]crm.Connection, error)
	Connection(ctx context.Context, id string) (crm.Connection, error)
	Create(ctx context.Context, actor string, a crm.Application) (crm.Connection, error)
	Update(ctx context.Context, actor, id string, c crm.Change) (crm.Connection, error)
	Reconnect(ctx context.Context, actor, id string, c crm.Credentials) (crm.Connection, error)
	Check(ctx context.Context, actor, id string) (crm.Account, error)
	Delete(ctx context.Context, actor, id string) error
	AuthorizeURL(ctx context.Context, actor, id string) (string, error)
	Redirected(ctx context.Context, query url.Values) (crm.Connection, error)
	ArchivePreview(ctx context.Context, id string, from, to time.Time) (crm.Preview, error)
}

// Archive lines up the search of a connection's archive.
type Archive interface {
	StartArchive(ctx context.Context, actor, connectionID string, from, to time.Time) error
}

// Workers tell how the subprocesses do. Both answer at once from what is known.
type Workers interface {
	Speech() Speech
	// GPUs returns the graphics cards, or why nothing is known of them
	// (Russian; "" if they are known).
	GPUs() (cards []GPU, problem string)
}

// Speech is the state of the speech worker.
type Speech struct {
	State     string // starting, ready, busy, down
	Model     string
	Demo      bool   // the demonstration model
	Backend   string // CPU, CUDA, Vulkan
	Device    string
	Realtime  float64 // seconds of audio per second of work, 0 while unknown
	Restarts  int
	Since     time.Time
	LastLines []string // the end of what it wrote to its standard error
}

// GPU is a graphics card as its driver reports it.
type GPU struct {
	Name        string
	Utilisation int   // per cent
	MemoryUsed  int64 // bytes
	MemoryTotal int64 // bytes
	Temperature int   // degrees Celsius
}

// Check is something that must be well for the appliance to work.
type Check struct {
	Name string // one word, shown to monitoring
	Try  func(ctx context.Context) error
}
