package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"flysense/billing"
	"flysense/billing/pack"
	"flysense/crm"
	"flysense/engine"
	"flysense/engine/queue"
	"flysense/engine/store"
	"flysense/web/auth"
)

func idsOf(p CallPage) string {
	var all []string
	for _, c := range p.Calls {
		all = append(all, c.ID)
	}
	return strings.Join(all, " ")
}

func TestCallList(t *testing.T) {
	w, c := signedIn(t, auth.Owner)
	if empty := c.get("/api/v1/calls").body; strings.Contains(empty, "null") {
		t.Errorf("an empty list has null: %s", empty)
	}
	w.portals.connections = []crm.Connection{{ID: "conn", Name: "Ромашка"}}
	w.purse.receipts = map[string]billing.Receipt{"A": {Charged: 84 * billing.FC / 24}}
	w.addCall("A")
	w.addCall("B", func(call *engine.Call) {
		call.State, call.Problem, call.Agent, call.ConnectionID = engine.NoFunds, "Пополните баланс.", "Борис", "deleted"
		call.StartedAt = start
	})
	for query, want := range map[string]string{
		"":                                  "B A",
		"state=no_funds":                    "B",
		"tone=neutral":                      "B A",
		"tone=negative":                     "",
		"agent=" + url.QueryEscape("Борис"): "B",
		"connection=conn":                   "A",
		"tag=" + url.QueryEscape("договор"):                      "B A",
		"q=" + url.QueryEscape("договоров аренде"):               "B A",
		"q=" + url.QueryEscape("ипотека"):                        "",
		fmt.Sprint("from=", start.UnixMilli()):                   "B",
		fmt.Sprint("to=", start.UnixMilli()):                     "A",
		"limit=1":                                                "B",
		fmt.Sprint("limit=1&cursor=", start.UnixMilli(), "_B"):   "A",
		"q=" + url.QueryEscape(`"; DROP TABLE call; -- * NEAR(`): "",
	} {
		page := read[CallPage](c.get("/api/v1/calls?" + query))
		if idsOf(page) != want {
			t.Errorf("%q: %q, want %q", query, idsOf(page), want)
		}
	}
	page := read[CallPage](c.get("/api/v1/calls?limit=1"))
	if page.Next == "" || page.Total != 2 || page.Seconds != 167 || len(page.Agents) != 2 || page.States["done"] != 1 {
		t.Errorf("%+v", page)
	}
	rows := read[CallPage](c.get("/api/v1/calls")).Calls
	a, b := rows[1], rows[0]
	if a.Connection.Name != "Ромашка" || b.Connection.Name != gone {
		t.Errorf("connections: %q, %q", a.Connection.Name, b.Connection.Name)
	}
	if *a.Charged != "1260000" || a.Price != "1260000" || b.Charged != nil {
		t.Errorf("money: %v %v %v", *a.Charged, a.Price, b.Charged)
	}
	if a.Seconds != 83.5 || a.Summary != "Клиент просит договор." || a.By != "lexicon" || a.Tags[0] != "договор" || !a.Verdicts[0].Found ||
		*a.Progress != (Progress{1, 2}) || b.Problem != "Пополните баланс." {
		t.Errorf("%+v", a)
	}
	for _, bad := range []string{"state=asleep", "tone=angry", "limit=1000", "from=yesterday", "from=-1", "q=" + strings.Repeat("a", 301)} {
		c.get("/api/v1/calls?"+bad).refused(http.StatusUnprocessableEntity, "invalid")
	}
	c.get("/api/v1/calls?cursor=x").refused(http.StatusUnprocessableEntity, "cursor")
}

func TestCallDetail(t *testing.T) {
	w, c := signedIn(t, auth.Owner)
	w.addCall("A")
	w.purse.receipts = map[string]billing.Receipt{"A": {Held: billing.FC}}
	got := read[Call](c.get("/api/v1/calls/A"))
	if len(got.Turns) != 2 || got.Turns[0].Speaker != "client" || got.Turns[0].Start != 0.5 || got.Turns[0].Words[0].Text != "Алло." ||
		got.Turns[1].Words == nil || got.AgentChannel != 1 || got.Model != "demo" || got.Language != "ru" {
		t.Errorf("dialogue: %+v", got)
	}
	if r := got.Recording; r == nil || !r.Available || r.Seconds != 83.5 || *r.KeptUntil != start.Add(time.Hour).UnixMilli() || r.Format != "mp3 MPEG-2.5" {
		t.Errorf("recording: %+v", got.Recording)
	}
	if fmt.Sprint(got.Peaks) != "[[0 255] [7]]" {
		t.Errorf("peaks: %v", got.Peaks)
	}
	if *got.Held != "360000" || !got.Notes[0].Written || got.Notes[0].CardURL == "" || len(got.History) != 1 || got.History[0].State != "done" {
		t.Errorf("%+v", got)
	}
	c.get("/api/v1/calls/none").refused(http.StatusNotFound, "not_found")
	c.get("/api/v1/calls/%00").refused(http.StatusNotFound, "not_found")

	w.addCall("BARE", func(call *engine.Call) { call.State = engine.Found })
	if _, err := w.Store.Row(t.Context(), "BARE"); err != nil {
		t.Fatal(err)
	}
	if err := w.Store.Audio.Remove(t.Context(), "BARE"); err != nil {
		t.Fatal(err)
	}
	if bare := read[Call](c.get("/api/v1/calls/BARE")); bare.Recording.Available {
		t.Error("audio without a file can be played")
	}
}

func TestEdit(t *testing.T) {
	w, c := signedIn(t, auth.Owner)
	w.addCall("A")
	got := read[Analysis](c.ask("PATCH", "/api/v1/calls/A/analysis", `{"field":"summary","value":"Договор отправлен."}`))
	if got.Summary != "Договор отправлен." || got.Original.Summary != "Клиент просит договор." || got.Edits[0].Author != "anna" || got.Edits[0].At != start.UnixMilli() {
		t.Errorf("%+v", got)
	}
	got = read[Analysis](c.ask("PATCH", "/api/v1/calls/A/analysis", `{"field":"verdict","value":"greeting=false"}`))
	if got.Verdicts[0].Found || !got.Original.Verdicts[0].Found {
		t.Errorf("%+v", got)
	}
	if again := read[Call](c.get("/api/v1/calls/A")); again.Analysis.Summary != "Договор отправлен." || again.Summary != "Договор отправлен." {
		t.Error("the page forgot the edit")
	}
	c.ask("PATCH", "/api/v1/calls/A/analysis", `{"field":"phone","value":"1"}`).refused(http.StatusUnprocessableEntity, "invalid")
	w.desk.err = &engine.BadEdit{Reason: "Такой тональности нет."}
	c.ask("PATCH", "/api/v1/calls/A/analysis", `{"field":"tone","value":"angry"}`).refused(http.StatusUnprocessableEntity, "bad_edit")
}

func TestDesk(t *testing.T) {
	w, c := signedIn(t, auth.Owner)
	w.addCall("A")
	if row := read[CallRow](c.ask("POST", "/api/v1/calls/A/start", "")); row.ID != "A" {
		t.Errorf("%+v", row)
	}
	c.ask("POST", "/api/v1/calls/A/cancel", "").want(http.StatusNoContent)
	c.ask("POST", "/api/v1/calls/A/refetch", "").want(http.StatusNoContent)
	w.desk.err = engine.ErrBusy
	c.ask("POST", "/api/v1/calls/A/start", "").refused(http.StatusConflict, "busy")
	w.desk.err = nil
	c.ask("DELETE", "/api/v1/calls/A", "").want(http.StatusNoContent)
	c.get("/api/v1/calls/A").refused(http.StatusNotFound, "not_found")
	if want := "[start A by anna cancel A by anna refetch A by anna start A by anna delete A by anna]"; fmt.Sprint(w.desk.asked) != want {
		t.Errorf("asked %v", w.desk.asked)
	}
}

func TestAudio(t *testing.T) {
	w, c := signedIn(t, auth.Owner)
	w.addCall("A")
	whole := c.get("/api/v1/calls/A/audio").want(http.StatusOK)
	if whole.body != "0123456789" || whole.header.Get("Content-Type") != "audio/mpeg" || whole.header.Get("Accept-Ranges") != "bytes" || whole.header.Get("Content-Length") != "10" {
		t.Errorf("%q, %v", whole.body, whole.header)
	}
	for ranges, want := range map[string]string{"bytes=2-4": "234", "bytes=7-": "789", "bytes=-1": "9", "bytes=0-999": "0123456789"} {
		c.header = http.Header{"Range": {ranges}}
		if part := c.get("/api/v1/calls/A/audio").want(http.StatusPartialContent); part.body != want {
			t.Errorf("%s: %q", ranges, part.body)
		}
	}
	c.header = http.Header{"Range": {"bytes=99-"}}
	c.get("/api/v1/calls/A/audio").want(http.StatusRequestedRangeNotSatisfiable)
	c.header = http.Header{"If-None-Match": {whole.header.Get("ETag")}}
	c.get("/api/v1/calls/A/audio").want(http.StatusNotModified)
	c.header = nil
	if head := c.ask("HEAD", "/api/v1/calls/A/audio", "").want(http.StatusOK); head.body != "" {
		t.Error("HEAD has a body")
	}
	if err := w.Store.Audio.Remove(t.Context(), "A"); err != nil {
		t.Fatal(err)
	}
	c.get("/api/v1/calls/A/audio").refused(http.StatusGone, "audio_gone")
	c.get("/api/v1/calls/none/audio").refused(http.StatusNotFound, "not_found")
}

func TestTranscriptFiles(t *testing.T) {
	w, c := signedIn(t, auth.Owner)
	w.addCall("A")
	for suffix, kind := range map[string]string{"txt": "text/plain", "json": "application/json", "srt": "application/x-subrip", "vtt": "text/vtt"} {
		got := c.get("/api/v1/calls/A/transcript." + suffix).want(http.StatusOK)
		if !strings.Contains(got.body, "Пришлю договор аренды.") || !strings.HasPrefix(got.header.Get("Content-Type"), kind) ||
			got.header.Get("Content-Disposition") != "attachment; filename=A."+suffix {
			t.Errorf("%s: %v %s", suffix, got.header, got.body)
		}
	}
	c.get("/api/v1/calls/A/transcript.exe").refused(http.StatusNotFound, "not_found")
	none := c.get("/api/v1/calls/none/transcript.txt")
	none.refused(http.StatusNotFound, "not_found")
	if none.header.Get("Content-Disposition") != "" {
		t.Error("a refusal is offered as a file")
	}
}

// What a person reads in the queue adds up: places, sums, and how long it takes
// at the measured speed.
func TestQueue(t *testing.T) {
	w, c := signedIn(t, auth.Owner)
	for _, id := range []string{"RUN", "FIRST", "SECOND", "STUCK"} {
		w.addCall(id, func(call *engine.Call) {
			call.State = engine.Queued
			if id == "STUCK" {
				call.State, call.Problem = engine.Quarantined, "Обработчик падает на этой записи."
			}
		})
	}
	w.portals.connections = []crm.Connection{{ID: "conn", Name: "Ромашка", State: crm.NeedsOwner, Problem: "Доступ потерян."}, {ID: "well", State: crm.Active}}
	w.workers.realtime = 10
	w.lanes.paused = true
	w.lanes.work = []queue.Waiting{
		{Lane: queue.Speech, Step: engine.StepTranscribe, CallID: "RUN", Priority: engine.Automatic, Running: true, Since: start.Add(-time.Second)},
		{Lane: queue.Speech, Step: engine.StepTranscribe, CallID: "FIRST", Priority: engine.ByHand, Since: start.Add(-time.Minute)},
		{Lane: queue.Net, Step: engine.StepFetch, CallID: "SECOND", Priority: engine.Automatic, Since: start.Add(-time.Hour)},
	}
	got := read[Queue](c.get("/api/v1/queue"))
	if !got.Paused || got.GPUProblem == "" || got.Speech.Model != "demo" || !got.Speech.Demo || got.Speech.LastLines == nil {
		t.Errorf("%+v", got)
	}
	if want := "[{net 1 0 3600 83.5} {speech 1 1 60 125.25} {llm 0 0 0 0}]"; fmt.Sprint(got.Lanes) != want {
		t.Errorf("lanes %v, want %v", got.Lanes, want)
	}
	// RUN has half of 83.5 s left, then FIRST, then SECOND.
	if g := got.Groups; len(g) != 4 || g[0].Waiting != 1 || *g[0].ETASeconds != (41.75+83.5)/10 || g[2].Waiting != 1 || *g[2].ETASeconds != (41.75+83.5*2)/10 || g[3].ETASeconds != nil {
		t.Errorf("groups %+v", g)
	}
	if r := got.Working; len(r) != 1 || r[0].CallID != "RUN" || r[0].Title != "Ремонт квартиры" || r[0].Done != 1 || r[0].Total != 2 || *r[0].ETASeconds != 4.175 {
		t.Errorf("working %+v", r)
	}
	if p := got.People; len(p) != 2 || p[0].Kind != "connection" || p[0].Problem != "Доступ потерян." || p[1].ID != "STUCK" {
		t.Errorf("people %+v", p)
	}
	second := read[Call](c.get("/api/v1/calls/SECOND"))
	if *second.Position != 2 || *second.ETASeconds != (41.75+83.5*2)/10 {
		t.Errorf("place %v, %v", *second.Position, *second.ETASeconds)
	}
	if w.lanes.looks != 1 {
		t.Errorf("%d looks at the queue within a second", w.lanes.looks)
	}
	w.clock.pass(workFresh)
	w.workers.realtime = 0 // not measured yet: no promise
	if got := read[Call](c.get("/api/v1/calls/SECOND")); got.ETASeconds != nil || *got.Position != 2 {
		t.Errorf("a promise without a measure: %v", *got.ETASeconds)
	}
	c.ask("POST", "/api/v1/queue/resume", "").want(http.StatusNoContent)
	if w.lanes.paused {
		t.Error("still paused")
	}
	c.ask("POST", "/api/v1/queue/pause", "").want(http.StatusNoContent)
	if !w.lanes.paused {
		t.Error("not paused")
	}
}

func TestMoney(t *testing.T) {
	w, c := signedIn(t, auth.Owner)
	w.addCall("A")
	got := read[Balance](c.get("/api/v1/balance"))
	if got.Available != "36000000" || got.Held != "720000" || got.HeldCalls != 3 || got.SecondsLeft != 2400 || got.Tariff != (Tariff{"15000", 15, "720000"}) ||
		got.Daily[0] != (Daily{"2026-11-20", "360000"}) || !got.Check.OK || got.Check.Seq != 42 || got.Installation != "FS-TEST" {
		t.Errorf("%+v", got)
	}
	w.purse.problems = []billing.Problem{{Rule: "I10", Seq: 7, Text: "the chain is broken"}}
	if got := read[Balance](c.get("/api/v1/balance")).Check; got.OK || !strings.Contains(got.Problem, "I10") {
		t.Errorf("%+v", got)
	}

	for seq := int64(60); seq > 0; seq-- {
		e := billing.Entry{Seq: seq, At: start, Kind: billing.Capture, Amount: billing.FC, Key: "A/2", Seconds: 24}
		if seq == 60 {
			e = billing.Entry{Seq: seq, At: start, Kind: billing.Credit, Amount: billing.FC, Key: "P-1", Ref: "paid"}
		}
		w.purse.entries = append(w.purse.entries, e)
	}
	type page struct {
		Operations []Operation `json:"operations"`
		Next       string      `json:"next"`
	}
	first := read[page](c.get("/api/v1/operations"))
	if len(first.Operations) != 50 || first.Next != "11" || first.Operations[0].Ref != "P-1" || first.Operations[0].CallID != "" {
		t.Errorf("%d, next %q, %+v", len(first.Operations), first.Next, first.Operations[0])
	}
	if o := first.Operations[1]; o.Kind != "capture" || o.CallID != "A" || o.Title != "Ремонт квартиры" || o.Units != "360000" || o.Seconds != 24 {
		t.Errorf("%+v", o)
	}
	if last := read[page](c.get("/api/v1/operations?cursor=" + first.Next)); len(last.Operations) != 10 || last.Next != "" || last.Operations[0].Seq != 10 {
		t.Errorf("%+v", last)
	}
	c.get("/api/v1/operations?cursor=-1").refused(http.StatusUnprocessableEntity, "invalid")

	type loaded struct {
		Units   string `json:"units"`
		Already bool   `json:"already"`
	}
	if got := read[loaded](c.ask("POST", "/api/v1/packs", `{"token":" v4.public.x "}`)); got != (loaded{"360000000", true}) {
		t.Errorf("%+v", got)
	}
	w.purse.err = pack.ErrSignature
	for range packsAnHour - 1 {
		c.ask("POST", "/api/v1/packs", `{"token":"x"}`).refused(http.StatusUnprocessableEntity, "pack")
	}
	slow := c.ask("POST", "/api/v1/packs", `{"token":"x"}`)
	slow.refused(http.StatusTooManyRequests, "locked")
	if slow.header.Get("Retry-After") != "360" {
		t.Errorf("Retry-After %q", slow.header.Get("Retry-After"))
	}
	w.clock.pass(6 * time.Minute)
	c.ask("POST", "/api/v1/packs", `{"token":"x"}`).refused(http.StatusUnprocessableEntity, "pack")
}

func TestConnections(t *testing.T) {
	w, c := signedIn(t, auth.Owner, func(o *Options) { o.PublicURL = "https://fly.example.ru/" })
	w.addCall("A")
	w.portals.connections = []crm.Connection{{
		ID: "conn", Vendor: "amocrm", Name: "Ромашка", Host: "demo.amocrm.ru", State: crm.Active, Automatic: true,
		AgentChannel: map[engine.Direction]int{engine.Incoming: 1}, PolledAt: start,
	}}
	type list struct {
		Connections []Connection `json:"connections"`
		RedirectURI string       `json:"redirectUri"`
	}
	got := read[list](c.get("/api/v1/connections"))
	if one := got.Connections[0]; got.RedirectURI != "https://fly.example.ru/oauth/amocrm" || one.Calls != 1 || one.AgentChannelIn != 1 || one.AgentChannelOut != 0 ||
		one.OnPremHosts == nil || *one.LastPollAt != start.UnixMilli() {
		t.Errorf("%+v", got)
	}

	c.ask("POST", "/api/v1/connections", `{"vendor":"amocrm","host":"demo.amocrm.ru","clientId":"id","clientSecret":"secret","redirectUri":"","token":"long"}`).want(http.StatusOK)
	if a := w.portals.asked[1].(crm.Application); a.Credentials.RedirectURI != "https://fly.example.ru/oauth/amocrm" || a.Credentials.Token != "long" || !a.Automatic {
		t.Errorf("%+v", a)
	}
	w.portals.connections[0].State = crm.NeedsOwner
	if got := read[Connection](c.ask("POST", "/api/v1/connections", `{"vendor":"amocrm","host":"demo.amocrm.ru"}`)); !strings.HasPrefix(got.AuthorizeURL, "https://www.amocrm.ru/") {
		t.Errorf("%+v", got)
	}
	w.portals.connections[0].State = crm.Active

	w.portals.asked = nil
	c.ask("PATCH", "/api/v1/connections/conn", `{"automatic":false,"agentChannelOut":1,"onPremHosts":["pbx.local:8443"," 10.1.0.0/16 ",""]}`).want(http.StatusOK)
	change := w.portals.asked[2].(crm.Change)
	if w.portals.asked[0] != "anna" || w.portals.asked[1] != "conn" {
		t.Errorf("asked %v", w.portals.asked)
	}
	if *change.Automatic || change.Name != nil || len(change.AgentChannel) != 1 || change.AgentChannel[engine.Outgoing] != 1 ||
		fmt.Sprint(*change.OnPremHosts) != "[{pbx.local 8443} {10.1.0.0/16 0}]" {
		t.Errorf("%+v", change)
	}
	c.ask("PATCH", "/api/v1/connections/conn", `{"onPremHosts":["pbx:http"]}`).refused(http.StatusUnprocessableEntity, "invalid_on_prem_hosts")
	c.ask("PATCH", "/api/v1/connections/conn", `{"agentChannelIn":2}`).refused(http.StatusUnprocessableEntity, "invalid")

	w.portals.asked = nil
	c.ask("POST", "/api/v1/connections/conn/reconnect", `{"code":"abc"}`).want(http.StatusOK)
	if got := w.portals.asked; got[0] != "anna" || got[1] != "conn" || got[2].(crm.Credentials).Code != "abc" {
		t.Errorf("asked %v", got)
	}
	c.ask("POST", "/api/v1/connections/conn/check", "").want(http.StatusOK)
	type preview struct {
		Count   int     `json:"count"`
		Seconds float64 `json:"seconds"`
		Units   string  `json:"units"`
	}
	if got := read[preview](c.get("/api/v1/connections/conn/archive?from=1&to=2")); got != (preview{3, 61, "1125000"}) { // 15 s at least, and 60 s
		t.Errorf("%+v", got)
	}
	c.get("/api/v1/connections/conn/archive?from=1").refused(http.StatusUnprocessableEntity, "invalid")
	if got := read[struct {
		Started int `json:"started"`
	}](c.ask("POST", "/api/v1/connections/conn/archive", `{"from":1,"to":2}`)); got.Started != 3 {
		t.Errorf("%+v", got)
	}
	if last := w.portals.asked[len(w.portals.asked)-4:]; last[0] != "anna" || last[1] != "conn" || last[2] != time.UnixMilli(1).UTC() || last[3] != time.UnixMilli(2).UTC() {
		t.Errorf("asked %v", last)
	}
	w.portals.err = &crm.AccessError{Err: errors.New("401"), Hint: "Доступ потерян. Подключите портал снова."}
	c.ask("POST", "/api/v1/connections/conn/check", "").refused(http.StatusConflict, "portal")
	w.portals.err = &crm.Invalid{Field: "token", Message: "Портал не принял токен."}
	c.ask("POST", "/api/v1/connections/conn/reconnect", `{"token":"x"}`).refused(http.StatusUnprocessableEntity, "invalid_token")
	w.portals.err = nil
	c.ask("DELETE", "/api/v1/connections/conn", "").want(http.StatusNoContent)
}

// The consent page is another site: the redirect comes without the cookie and
// ends on the page of connections, whatever happened.
func TestConsent(t *testing.T) {
	w := newWorld(t)
	w.portals.connections = []crm.Connection{{ID: "conn"}}
	c := &client{t: t, handler: w, header: http.Header{"Sec-Fetch-Site": {"cross-site"}}}
	got := c.get("/oauth/amocrm?code=x&referer=demo.amocrm.ru&state=s").want(http.StatusSeeOther)
	if q := w.portals.asked[0].(url.Values); q.Get("code") != "x" || q.Get("state") != "s" || got.header.Get("Location") != "/connections?connected=conn" {
		t.Errorf("%v, %s", q, got.header.Get("Location"))
	}
	w.portals.err = &crm.Invalid{Field: "state", Message: "Ссылка устарела."}
	got = c.get("/oauth/amocrm?error=access_denied").want(http.StatusSeeOther)
	if back, err := url.Parse(got.header.Get("Location")); err != nil || back.Path != "/connections" || back.Query().Get("problem") != "Ссылка устарела." {
		t.Errorf("%s", got.header.Get("Location"))
	}
}

// Every kind of error has its status and a Russian message, and what we do not
// know tells nothing of our insides.
func TestEveryErrorIsTold(t *testing.T) {
	for _, tt := range []struct {
		err    error
		status int
	}{
		{auth.ErrNoSession, 401}, {auth.ErrSetup, 401}, {auth.ErrLogin, 401}, {auth.ErrCode, 422}, {auth.ErrSetupDone, 409}, {auth.ErrTaken, 409},
		{&auth.Locked{Wait: 90 * time.Second}, 429}, {&auth.Locked{Wait: 20 * time.Second}, 429}, {&auth.Unfit{Reason: "Пароль короче."}, 422},
		{engine.ErrNotFound, 404}, {engine.ErrBusy, 409}, {engine.ErrAudioGone, 410}, {&engine.BadEdit{Reason: "Нельзя."}, 422},
		{engine.NeedsOwnerError(errors.New("x"), "Подключите портал."), 409},
		{&crm.Invalid{Field: "host", Message: "Введите адрес."}, 422}, {&crm.AccessError{Err: errors.New("x"), Hint: "Доступ потерян."}, 409},
		{pack.ErrSignature, 422}, {billing.ErrLocked, 503}, {store.ErrCursor, 422},
		{&http.MaxBytesError{Limit: maxBody}, 413}, {context.DeadlineExceeded, 504},
		{errForbidden, 403}, {errNoRoute, 404}, {errMethod, 405}, {errCrossOrigin, 403}, {errStreams, 503}, {errFormat, 404},
		{errors.New("SELECT secret FROM call: disk I/O error"), 500}, {os.ErrPermission, 500},
	} {
		r := refusalOf(fmt.Errorf("while at it: %w", tt.err))
		if r.status != tt.status || r.code == "" || !russian(r.message) {
			t.Errorf("%v: %d %q %q", tt.err, r.status, r.code, r.message)
		}
		text, err := json.Marshal(r)
		if err != nil || strings.Contains(string(text), "SELECT") || strings.Contains(string(text), "while at it") {
			t.Errorf("%s, %v", text, err)
		}
	}
}
