package web

import (
	"context"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"flysense/billing"
)

// Balance is the wallet.
type Balance struct {
	Available    string      `json:"available"`
	Held         string      `json:"held"`
	Spent        string      `json:"spent"`
	SecondsLeft  float64     `json:"secondsLeft" doc:"of speech, without summaries"`
	HeldCalls    int         `json:"heldCalls"`
	Daily        []Daily     `json:"daily" nullable:"false"`
	Check        LedgerCheck `json:"check"`
	Tariff       Tariff      `json:"tariff"`
	Installation string      `json:"installation" doc:"the number packs are made out to"`
}

// Daily is the spending of one day.
type Daily struct {
	Day   string `json:"day" format:"date"`
	Units string `json:"units"`
}

// LedgerCheck is the outcome of the latest proof of the whole ledger.
type LedgerCheck struct {
	At      *int64 `json:"at"`
	Seq     int64  `json:"seq" doc:"how many entries it covered"`
	OK      bool   `json:"ok"`
	Problem string `json:"problem"`
}

// Tariff is the price list.
type Tariff struct {
	PerSecond  string  `json:"perSecond"`
	MinSeconds float64 `json:"minSeconds"`
	Summary    string  `json:"summary"`
}

// Operation is an entry of the ledger.
type Operation struct {
	Seq     int64   `json:"seq"`
	At      int64   `json:"at"`
	Kind    string  `json:"kind" enum:"credit,hold,capture,release"`
	Units   string  `json:"units"`
	CallID  string  `json:"callId"`
	Title   string  `json:"title" doc:"of the call; empty if it was deleted"`
	Seconds float64 `json:"seconds"`
	Ref     string  `json:"ref" doc:"the pack's number, or why a hold was released"`
}

// daysShown is the length of the chart of spending.
const daysShown = 30

type balanceOutput struct{ Body Balance }

func (s *Server) balance(ctx context.Context, _ *nothing) (*balanceOutput, error) {
	wallet, err := s.Purse.Balance(ctx)
	if err != nil {
		return nil, err
	}
	tariff, err := s.Purse.Tariff(ctx)
	if err != nil {
		return nil, err
	}
	holds, err := s.Purse.OpenHolds(ctx)
	if err != nil {
		return nil, err
	}
	days, err := s.Purse.Daily(ctx, daysShown)
	if err != nil {
		return nil, err
	}
	report := s.Purse.Checked()
	out := Balance{
		Available: units(wallet.Available), Held: units(wallet.Held), Spent: units(wallet.Spent),
		SecondsLeft: tariff.Time(wallet.Available).Seconds(), HeldCalls: len(holds), Daily: []Daily{},
		Check:        LedgerCheck{At: millis(report.At), Seq: report.Entries, OK: report.OK()},
		Tariff:       Tariff{units(tariff.Rate), tariff.Minimum.Seconds(), units(tariff.Summary)},
		Installation: s.Purse.InstallationID(),
	}
	if !report.OK() {
		out.Check.Problem = report.Problems[0].String()
	}
	for _, d := range days {
		out.Daily = append(out.Daily, Daily{d.Date.Format(time.DateOnly), units(d.Spent)})
	}
	return &balanceOutput{out}, nil
}

// operationsShown is the length of a page of the ledger.
const operationsShown = 50

type operationsInput struct {
	Cursor string `query:"cursor" pattern:"^[0-9]{0,18}$" maxLength:"18"`
}

type operationsOutput struct {
	Body struct {
		Operations []Operation `json:"operations" nullable:"false"`
		Next       string      `json:"next"`
	}
}

func (s *Server) operations(ctx context.Context, in *operationsInput) (*operationsOutput, error) {
	before, _ := strconv.ParseInt("0"+in.Cursor, 10, 64) // the pattern leaves digits only
	entries, err := s.Purse.Entries(ctx, before, operationsShown+1)
	if err != nil {
		return nil, err
	}
	out := &operationsOutput{}
	if len(entries) > operationsShown {
		entries = entries[:operationsShown]
		out.Body.Next = strconv.FormatInt(entries[operationsShown-1].Seq, 10)
	}
	var ids []string
	for _, e := range entries {
		if id := callOf(e); id != "" {
			ids = append(ids, id)
		}
	}
	briefs, err := s.Store.Briefs(ctx, ids)
	if err != nil {
		return nil, err
	}
	out.Body.Operations = []Operation{}
	for _, e := range entries {
		o := Operation{
			Seq: e.Seq, At: e.At.UnixMilli(), Kind: e.Kind.String(), Units: units(e.Amount),
			CallID: callOf(e), Seconds: float64(e.Seconds), Ref: e.Reason,
		}
		o.Title = briefs[o.CallID].Title
		if e.Kind == billing.Credit {
			o.Ref = e.Key
		}
		out.Body.Operations = append(out.Body.Operations, o)
	}
	return out, nil
}

// callOf is the call an entry paid for: work is keyed "call/run". A pack pays
// for none.
func callOf(e billing.Entry) string {
	if e.Kind == billing.Credit {
		return ""
	}
	id, _, _ := strings.Cut(e.Key, "/")
	return id
}

type packInput struct {
	Body struct {
		Token string `json:"token" maxLength:"20000" doc:"the signed pack as the vendor sent it"`
	}
}

type packOutput struct {
	Body struct {
		Units   string `json:"units"`
		Already bool   `json:"already" doc:"it was loaded before, nothing changed"`
	}
}

func (s *Server) loadPack(ctx context.Context, in *packInput) (*packOutput, error) {
	if err := s.packs.take(s.Now()); err != nil {
		return nil, err
	}
	loaded, err := s.Purse.LoadPack(ctx, strings.TrimSpace(in.Body.Token), who(ctx).Login)
	if err != nil {
		return nil, err
	}
	s.log.Info("pack loaded", "user", who(ctx).Login, "serial", loaded.Serial, "again", loaded.Again)
	s.Feed.Publish(Event{Topic: BalanceChanged})
	out := &packOutput{}
	out.Body.Units, out.Body.Already = units(loaded.Amount), loaded.Again
	return out, nil
}

// packsAnHour is how many packs may be tried.
const packsAnHour = 10

// packLimit slows down whoever tries packs at random.
type packLimit struct{ limiter *rate.Limiter }

func newPackLimit() *packLimit {
	return &packLimit{rate.NewLimiter(rate.Every(time.Hour/packsAnHour), packsAnHour)}
}

func (l *packLimit) take(now time.Time) error {
	r := l.limiter.ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if wait == 0 {
		return nil
	}
	r.CancelAt(now)
	return &refusal{status: http.StatusTooManyRequests, code: "locked", wait: wait,
		message: "Слишком много попыток загрузить пакет. Подождите " + strconv.Itoa(int(math.Ceil(wait.Minutes()))) + " мин и попробуйте снова."}
}
