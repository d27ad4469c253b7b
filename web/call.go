package web

import (
	"context"
	"errors"

	"flysense/engine"
)

// Call is one call with everything its page shows.
type Call struct {
	CallRow
	Notes        []Note        `json:"notes" nullable:"false"`
	Recording    *Recording    `json:"recording"`
	Peaks        [][]int       `json:"peaks" nullable:"false" doc:"waveform per channel, 0..255"`
	AgentChannel int           `json:"agentChannel"`
	Turns        []Turn        `json:"turns" nullable:"false"`
	Model        string        `json:"model"`
	Language     string        `json:"language"`
	Analysis     *Analysis     `json:"analysis"`
	History      []HistoryLine `json:"history" nullable:"false"`
	Held         *string       `json:"held" doc:"in ledger units"`
}

// Note is the call's record in one card of the portal.
type Note struct {
	CardKind  string `json:"cardKind"`
	CardID    string `json:"cardId"`
	CardTitle string `json:"cardTitle"`
	CardURL   string `json:"cardUrl"`
	Written   bool   `json:"written" doc:"our result stands in the card"`
}

// Recording is what is known of the audio.
type Recording struct {
	Format    string  `json:"format"`
	Rate      int     `json:"rate" doc:"Hz"`
	Channels  int     `json:"channels"`
	Seconds   float64 `json:"seconds"`
	Bytes     int64   `json:"bytes"`
	Truncated bool    `json:"truncated"`
	Misnamed  bool    `json:"misnamed"`
	KeptUntil *int64  `json:"keptUntil"`
	Available bool    `json:"available" doc:"the audio can be played"`
}

// Turn is what one speaker said until the other one began.
type Turn struct {
	Speaker string  `json:"speaker" enum:"agent,client,unknown"`
	Channel int     `json:"channel"`
	Start   float64 `json:"start"`
	End     float64 `json:"end"`
	Text    string  `json:"text"`
	Words   []Word  `json:"words" nullable:"false"`
}

// Word is a word with its place in the call.
type Word struct {
	Text  string  `json:"text"`
	Start float64 `json:"start"`
	End   float64 `json:"end"`
}

// Understood is what an analysis says.
type Understood struct {
	Summary  string    `json:"summary"`
	Tone     string    `json:"tone"`
	Tags     []string  `json:"tags" nullable:"false"`
	Verdicts []Verdict `json:"verdicts" nullable:"false"`
}

// Verdict is a classifier's answer with the words that prove it.
type Verdict struct {
	Kind    string  `json:"kind"`
	Found   bool    `json:"found"`
	Speaker string  `json:"speaker"`
	Quote   string  `json:"quote"`
	At      float64 `json:"at"`
}

// Analysis is what counts, with people's corrections and what was said first.
type Analysis struct {
	By string `json:"by"`
	Understood
	Edits    []Edit     `json:"edits" nullable:"false"`
	Original Understood `json:"original"`
}

// Edit is a person's correction.
type Edit struct {
	Field  string `json:"field"`
	Value  string `json:"value"`
	Author string `json:"author"`
	At     int64  `json:"at"`
}

// HistoryLine is one change of a call.
type HistoryLine struct {
	At      int64  `json:"at"`
	Actor   string `json:"actor"`
	State   string `json:"state"`
	Step    string `json:"step"`
	Problem string `json:"problem"`
}

type callOutput struct{ Body Call }

func (s *Server) call(ctx context.Context, in *callInput) (*callOutput, error) {
	row, err := s.row(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	out := Call{CallRow: row, Notes: []Note{}, Peaks: [][]int{}, Turns: []Turn{}, History: []HistoryLine{}}
	for _, fill := range []func(context.Context, *Call) error{s.addNotes, s.addRecording, s.addTranscript, s.addAnalysis, s.addHistory, s.addHold} {
		if err := fill(ctx, &out); err != nil && !errors.Is(err, engine.ErrNotFound) {
			return nil, err
		}
	}
	return &callOutput{out}, nil
}

func (s *Server) addNotes(ctx context.Context, c *Call) error {
	notes, err := s.Store.Notes(ctx, c.ID)
	for _, n := range notes {
		c.Notes = append(c.Notes, Note{n.CardKind, n.CardID, n.CardTitle, n.CardURL, n.ResultID != ""})
	}
	return err
}

func (s *Server) addRecording(ctx context.Context, c *Call) error {
	r, err := s.Store.Recording(ctx, c.ID)
	if err != nil {
		return err
	}
	_, err = s.Store.Audio.Path(ctx, c.ID)
	if err != nil && !errors.Is(err, engine.ErrAudioGone) {
		return err
	}
	c.Recording = &Recording{
		Format: r.Format, Rate: r.Rate, Channels: r.Channels, Seconds: r.Length.Seconds(), Bytes: r.Bytes,
		Truncated: r.Truncated, Misnamed: r.Misnamed, KeptUntil: millis(r.KeptUntil), Available: err == nil && !r.Gone,
	}
	for _, channel := range r.Peaks {
		values := make([]int, len(channel)) // as []uint8 JSON would have base64
		for i, v := range channel {
			values[i] = int(v)
		}
		c.Peaks = append(c.Peaks, values)
	}
	return nil
}

func (s *Server) addTranscript(ctx context.Context, c *Call) error {
	connection, err := s.Portals.Connection(ctx, c.Connection.ID)
	if err != nil && !errors.Is(err, engine.ErrNotFound) {
		return err
	}
	c.AgentChannel = connection.AgentChannel[engine.Direction(c.Direction)]
	t, err := s.Store.Transcript(ctx, c.ID)
	if err != nil {
		return err
	}
	c.Model, c.Language = t.Model, t.Language
	for _, turn := range t.Turns {
		if turn.Speaker == engine.Agent { // as it was when the call was recognised
			c.AgentChannel = turn.Channel
		}
		words := make([]Word, len(turn.Words))
		for i, w := range turn.Words {
			words[i] = Word{w.Text, w.Start.Seconds(), w.End.Seconds()}
		}
		c.Turns = append(c.Turns, Turn{string(turn.Speaker), turn.Channel, turn.Start.Seconds(), turn.End.Seconds(), turn.Text, words})
	}
	return nil
}

func (s *Server) addAnalysis(ctx context.Context, c *Call) error {
	a, err := s.analysis(ctx, c.ID)
	if err == nil {
		c.Analysis = &a
	}
	return err
}

func (s *Server) analysis(ctx context.Context, callID string) (Analysis, error) {
	counts, err := s.Store.Analysis(ctx, callID)
	if err != nil {
		return Analysis{}, err
	}
	original, err := s.Store.OriginalAnalysis(ctx, callID)
	if err != nil {
		return Analysis{}, err
	}
	edits, err := s.Store.Edits(ctx, callID)
	out := Analysis{By: counts.By, Understood: understood(counts), Original: understood(original), Edits: []Edit{}}
	for _, e := range edits {
		out.Edits = append(out.Edits, Edit{string(e.Field), e.Value, e.Author, e.At.UnixMilli()})
	}
	return out, err
}

func understood(a engine.Analysis) Understood {
	u := Understood{Summary: a.Summary, Tone: string(a.Tone), Tags: orEmpty(a.Tags), Verdicts: []Verdict{}}
	for _, v := range a.Verdicts {
		u.Verdicts = append(u.Verdicts, Verdict{string(v.Kind), v.Found, string(v.Speaker), v.Quote, v.At.Seconds()})
	}
	return u
}

func (s *Server) addHistory(ctx context.Context, c *Call) error {
	events, err := s.Store.History(ctx, c.ID)
	for _, e := range events {
		c.History = append(c.History, HistoryLine{e.At.UnixMilli(), e.Actor, string(e.State), string(e.Step), e.Problem})
	}
	return err
}

func (s *Server) addHold(ctx context.Context, c *Call) error {
	receipts, err := s.Receipts.Receipts(ctx, []string{c.ID})
	if held := receipts[c.ID].Held; held > 0 {
		text := units(held)
		c.Held = &text
	}
	return err
}

type editInput struct {
	ID   string `path:"id" maxLength:"64"`
	Body struct {
		Field string `json:"field" enum:"summary,tone,tags,verdict"`
		Value string `json:"value" maxLength:"20000" doc:"the text, the tone, the tags one per line, or kind=true and kind=false"`
	}
}

type analysisOutput struct{ Body Analysis }

func (s *Server) edit(ctx context.Context, in *editInput) (*analysisOutput, error) {
	err := s.Desk.Edit(ctx, engine.Edit{
		CallID: in.ID, Field: engine.Field(in.Body.Field), Value: in.Body.Value, Author: who(ctx).Login, At: s.Now(),
	})
	if err != nil {
		return nil, err
	}
	a, err := s.analysis(ctx, in.ID)
	return &analysisOutput{a}, err
}
