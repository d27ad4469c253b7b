package web

import (
	"context"
	"errors"
	"strconv"
	"time"

	"flysense/billing"
	"flysense/crm"
	"flysense/engine"
	"flysense/engine/store"
)

// CallRow is a call as the list shows it.
type CallRow struct {
	ID         string `json:"id"`
	Connection struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	} `json:"connection"`
	Direction  string         `json:"direction" enum:"in,out,"`
	Phone      string         `json:"phone"`
	Agent      string         `json:"agent"`
	Title      string         `json:"title"`
	StartedAt  int64          `json:"startedAt"`
	Seconds    float64        `json:"seconds" doc:"decoded, or reported by the telephony before that"`
	State      string         `json:"state"`
	Step       string         `json:"step"`
	Problem    string         `json:"problem"`
	Remark     string         `json:"remark"`
	Summary    string         `json:"summary"`
	Tone       string         `json:"tone"`
	By         string         `json:"by" doc:"lexicon, or the language model's name"`
	Tags       []string       `json:"tags" nullable:"false"`
	Verdicts   []ShortVerdict `json:"verdicts" nullable:"false"`
	Progress   *Progress      `json:"progress"`
	Position   *int           `json:"position" doc:"in the queue, from 1"`
	ETASeconds *float64       `json:"etaSeconds"`
	Price      string         `json:"price" doc:"expected, in ledger units"`
	Charged    *string        `json:"charged" doc:"so far, in ledger units"`
}

// ShortVerdict is a classifier's answer without its proof.
type ShortVerdict struct {
	Kind  string `json:"kind"`
	Found bool   `json:"found"`
}

// Progress counts the windows of a recording that have been recognised.
type Progress struct {
	Done  int `json:"done"`
	Total int `json:"total"`
}

// CallPage is a part of the list of calls.
type CallPage struct {
	Calls   []CallRow      `json:"calls" nullable:"false"`
	Next    string         `json:"next" doc:"cursor of the following page, empty on the last one"`
	Total   int            `json:"total"`
	Seconds float64        `json:"seconds"`
	Agents  []string       `json:"agents" nullable:"false"`
	States  map[string]int `json:"states"`
}

type callsInput struct {
	Query      string `query:"q" maxLength:"300" doc:"words of title, phone, agent, dialogue, summary and tags"`
	State      string `query:"state" enum:"found,waiting,queued,running,no_funds,needs_owner,done,failed,quarantined,cancelled,"`
	Tone       string `query:"tone" enum:"positive,neutral,negative,"`
	Agent      string `query:"agent" maxLength:"300"`
	Connection string `query:"connection" maxLength:"64"`
	Tag        string `query:"tag" maxLength:"300"`
	From       int64  `query:"from" minimum:"0" doc:"started at or after, Unix ms"`
	To         int64  `query:"to" minimum:"0" doc:"started before, Unix ms"`
	Cursor     string `query:"cursor" maxLength:"100"`
	Limit      int    `query:"limit" minimum:"0" maximum:"200" doc:"50 by default"`
}

type callsOutput struct{ Body CallPage }

func (s *Server) calls(ctx context.Context, in *callsInput) (*callsOutput, error) {
	page, err := s.Store.List(ctx, store.Filter{
		Query:      in.Query,
		State:      engine.State(in.State),
		Tone:       engine.Tone(in.Tone),
		Agent:      in.Agent,
		Connection: in.Connection,
		Tag:        in.Tag,
		From:       fromMillis(in.From),
		To:         fromMillis(in.To),
		Cursor:     in.Cursor,
		Limit:      in.Limit,
	})
	if err != nil {
		return nil, err
	}
	rows, err := s.rows(ctx, page.Rows)
	if err != nil {
		return nil, err
	}
	out := CallPage{
		Calls: rows, Next: page.Next, Total: page.Total, Seconds: page.Length.Seconds(),
		Agents: orEmpty(page.Agents), States: map[string]int{},
	}
	for state, count := range page.States {
		out.States[string(state)] = count
	}
	return &callsOutput{out}, nil
}

// rows adds to calls what other parts know of them.
func (s *Server) rows(ctx context.Context, calls []store.Row) ([]CallRow, error) {
	rows := make([]CallRow, len(calls))
	if len(calls) == 0 {
		return rows, nil
	}
	ids := make([]string, len(calls))
	for i, c := range calls {
		ids[i] = c.ID
	}
	receipts, receiptsErr := s.Receipts.Receipts(ctx, ids)
	tariff, tariffErr := s.Purse.Tariff(ctx)
	names, namesErr := s.connectionNames(ctx)
	work, workErr := s.work(ctx)
	if err := errors.Join(receiptsErr, tariffErr, namesErr, workErr); err != nil {
		return nil, err
	}
	for i, c := range calls {
		receipt, paid := receipts[c.ID]
		row := rowOf(c)
		row.Connection.Name = names.of(c.ConnectionID)
		row.Price = units(tariff.Price(billing.Work{Length: c.Length, Summary: s.SummaryPaid()}))
		if paid && receipt.Charged > 0 {
			charged := units(receipt.Charged)
			row.Charged = &charged
		}
		row.Position, row.ETASeconds = work.place(c.ID)
		rows[i] = row
	}
	return rows, nil
}

// row is one call as the list shows it.
func (s *Server) row(ctx context.Context, id string) (CallRow, error) {
	call, err := s.Store.Row(ctx, id)
	if err != nil {
		return CallRow{}, err
	}
	rows, err := s.rows(ctx, []store.Row{call})
	if err != nil {
		return CallRow{}, err
	}
	return rows[0], nil
}

func rowOf(c store.Row) CallRow {
	row := CallRow{
		ID: c.ID, Direction: string(c.Direction), Phone: c.Phone, Agent: c.Agent, Title: c.Title,
		Seconds: c.Length.Seconds(), State: string(c.State), Step: string(c.Step), Problem: c.Problem, Remark: c.Remark,
		Summary: c.Analysis.Summary, Tone: string(c.Analysis.Tone), By: c.Analysis.By, Tags: orEmpty(c.Analysis.Tags),
		Verdicts: []ShortVerdict{},
	}
	row.Connection.ID = c.ConnectionID
	if !c.StartedAt.IsZero() {
		row.StartedAt = c.StartedAt.UnixMilli()
	}
	for _, v := range c.Analysis.Verdicts {
		row.Verdicts = append(row.Verdicts, ShortVerdict{string(v.Kind), v.Found})
	}
	if c.Progress.Total > 0 {
		row.Progress = &Progress{c.Progress.Done, c.Progress.Total}
	}
	return row
}

// gone is the name of a connection that was deleted.
const gone = "удалённое подключение"

// connectionNames returns the name of any connection, also of those that are
// gone.
func (s *Server) connectionNames(ctx context.Context) (names, error) {
	all, err := s.Portals.List(ctx)
	return namesOf(all), err
}

type names map[string]string

func namesOf(all []crm.Connection) names {
	n := make(names, len(all))
	for _, c := range all {
		n[c.ID] = c.Name
	}
	return n
}

func (n names) of(id string) string {
	if name, there := n[id]; there {
		return name
	}
	return gone
}

type callInput struct {
	ID string `path:"id" maxLength:"64"`
}

type rowOutput struct{ Body CallRow }

func (s *Server) start(ctx context.Context, in *callInput) (*rowOutput, error) {
	if err := s.Desk.Start(ctx, in.ID, who(ctx).Login); err != nil {
		return nil, err
	}
	s.forgetWork()
	row, err := s.row(ctx, in.ID)
	return &rowOutput{row}, err
}

func (s *Server) cancel(ctx context.Context, in *callInput) (*nothing, error) {
	defer s.forgetWork()
	return nil, s.Desk.Cancel(ctx, in.ID, who(ctx).Login)
}

func (s *Server) refetch(ctx context.Context, in *callInput) (*nothing, error) {
	defer s.forgetWork()
	return nil, s.Desk.Refetch(ctx, in.ID, who(ctx).Login)
}

func (s *Server) deleteCall(ctx context.Context, in *callInput) (*nothing, error) {
	defer s.forgetWork()
	return nil, s.Desk.Delete(ctx, in.ID, who(ctx).Login)
}

// units is an amount in the API: JavaScript's numbers are too small for it.
func units(a billing.Amount) string { return strconv.FormatInt(int64(a), 10) }

func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// orEmpty makes an empty list of nil, so that JSON has [] and never null.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
