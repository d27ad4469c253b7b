package appliance_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"flysense/billing"
	"flysense/billing/pack"
	"flysense/billing/pack/demo"
	"flysense/crm"
	connector "flysense/crm/amocrm"
	"flysense/crm/emulator/amocrm"
	"flysense/engine"
	"flysense/engine/speech"
	"flysense/engine/store"
	"flysense/internal/appliance"
)

const assets = "../../models/demo"

// portal is an emulated amoCRM account under one address with its telephony.
type portal struct {
	*amocrm.Portal
	t      *testing.T
	server *httptest.Server
	card   amocrm.Card
}

func newPortal(t *testing.T, o amocrm.Options) *portal {
	t.Helper()
	o.Log = slog.New(slog.DiscardHandler)
	p := &portal{Portal: amocrm.New(o), t: t}
	mux := http.NewServeMux()
	mux.Handle("/rec/", p.Recordings())
	mux.Handle("/", p.Portal)
	p.server = httptest.NewServer(mux)
	t.Cleanup(p.server.Close)
	p.ServeRecordingsAt(p.server.URL)
	p.RegisterIntegration(amocrm.Integration{ID: clientID, Secret: "secret", Redirect: redirect})
	p.card = p.AddLead(amocrm.Lead{Name: "Кухня"})
	return p
}

const (
	clientID = "client"
	redirect = "http://127.0.0.1/oauth/amocrm"
)

func (p *portal) addr() string { return p.server.Listener.Addr().String() }

// file offers a file of the demo as a recording.
func (p *portal) file(name, path string) {
	p.AddRecording(amocrm.Recording{Name: name, File: path})
}

// clean fails the test if the appliance asked for what amoCRM does not have,
// or gave its token away.
func (p *portal) clean() {
	p.t.Helper()
	if u := p.Unknown(); len(u) > 0 {
		p.t.Errorf("requests amoCRM does not know: %v", u)
	}
	if v := p.Violations(); len(v) > 0 {
		p.t.Errorf("the token went to the telephony: %v", v)
	}
}

// results are our notes in a card.
func (p *portal) results(c amocrm.Card) []string {
	var texts []string
	for _, n := range p.Notes(c) {
		if n.Type == amocrm.ExtendedMessage {
			texts = append(texts, n.Text)
		}
	}
	return texts
}

// options of an appliance in a folder, connected to nothing yet.
func options(dir string, p *portal) (appliance.Options, error) {
	config, err := appliance.LoadConfig("", map[string]any{
		"listen": "127.0.0.1:0", "data_dir": filepath.Join(dir, "data"), "keys_dir": filepath.Join(dir, "keys"),
		"demo_model": filepath.Join(assets, "ggml-demo-ru.bin"), "poll": "1s", "speech_states": 2,
	})
	o := appliance.Options{
		Config: config, Keys: demo.Keyset(), Version: "test", Pace: 1000, Log: slog.New(slog.DiscardHandler),
	}
	if p != nil {
		o.Portal = p.addr()
	}
	return o, err
}

// scriptedSpeech is the real supervisor with a worker that runs the script.
func scriptedSpeech(dir string, env ...string) *speech.Supervisor {
	return speech.New(speech.Options{
		ModelPath: os.Args[0], States: 2, StateDir: dir, Log: slog.New(slog.DiscardHandler),
		Command: func() *exec.Cmd {
			cmd := exec.Command("/proc/self/exe", "worker", "scripted")
			cmd.Env = append(os.Environ(), env...)
			return cmd
		},
		Limits: speech.Limits{BackoffMin: 10 * time.Millisecond, BackoffMax: 100 * time.Millisecond},
	})
}

// stage is an appliance at work in this process.
type stage struct {
	*appliance.Appliance
	t      *testing.T
	ctx    context.Context
	portal *portal
	url    string
}

type setting func(*appliance.Options)

func newStage(t *testing.T, p *portal, settings ...setting) *stage {
	t.Helper()
	dir := t.TempDir()
	o, err := options(dir, p)
	if err != nil {
		t.Fatal(err)
	}
	voice := scriptedSpeech(dir)
	t.Cleanup(func() { _ = voice.Close() })
	o.Transcriber = voice
	for _, set := range settings {
		set(&o)
	}
	ctx, cancel := context.WithCancel(context.Background())
	a, err := appliance.New(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx, listener) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
		if err := a.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	s := &stage{Appliance: a, t: t, ctx: ctx, portal: p, url: "http://" + listener.Addr().String()}
	return s
}

// topUp loads a pack signed by the demo's key.
func (s *stage) topUp(fc int64) {
	s.t.Helper()
	token, err := demo.Pack(s.Ledger.InstallationID(), fc, pack.TopUp, time.Now())
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.Ledger.LoadPack(s.ctx, token, "test"); err != nil {
		s.t.Fatal(err)
	}
}

// connect gives the appliance a long-lived token of the portal and waits for
// its first look: calls from then on are new.
func (s *stage) connect() crm.Connection {
	s.t.Helper()
	c, err := connect(s.ctx, s.Hub, s.portal)
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

func connect(ctx context.Context, hub *crm.Hub, p *portal) (crm.Connection, error) {
	return hub.Create(ctx, "test", crm.Application{
		Vendor: connector.Vendor, Host: p.addr(), Automatic: true,
		Credentials:  crm.Credentials{ClientID: clientID, ClientSecret: "secret", RedirectURI: redirect, Token: p.IssueLongLivedToken(clientID, 24*time.Hour)},
		AgentChannel: map[engine.Direction]int{engine.Incoming: 0, engine.Outgoing: 0},
	})
}

// until waits for calls that satisfy ok, and returns them.
func (s *stage) until(what string, ok func([]store.Row) bool) []store.Row {
	s.t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for {
		page, err := s.Store.List(s.ctx, store.Filter{Limit: store.MaxLimit})
		if err != nil {
			s.t.Fatal(err)
		}
		if ok(page.Rows) {
			return page.Rows
		}
		if time.Now().After(deadline) {
			var seen []string
			for _, r := range page.Rows {
				seen = append(seen, fmt.Sprintf("%s %s %s %q", r.Title, r.State, r.Step, r.Problem))
			}
			s.t.Fatalf("waited for %s in vain; calls:\n%s", what, strings.Join(seen, "\n"))
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// settled waits until n calls stand where nothing more happens by itself.
func (s *stage) settled(n int) []store.Row {
	s.t.Helper()
	return s.until(fmt.Sprint(n, " settled calls"), func(rows []store.Row) bool {
		settled := 0
		for _, r := range rows {
			if r.State.Terminal() || r.State == engine.NoFunds || r.State == engine.NeedsOwner {
				settled++
			}
		}
		return settled >= n
	})
}

// captured counts the charges of each call, over the whole ledger.
func (s *stage) captured() map[string]int {
	s.t.Helper()
	const page = 500
	found := map[string]int{}
	for before := int64(0); ; {
		entries, err := s.Ledger.Entries(s.ctx, before, page)
		if err != nil {
			s.t.Fatal(err)
		}
		for _, e := range entries {
			before = e.Seq
			if e.Kind == billing.Capture {
				found[e.Ref]++
			}
		}
		if len(entries) < page {
			return found
		}
	}
}

// sound proves ledger and books.
func (s *stage) sound() {
	s.t.Helper()
	report, err := s.Ledger.Verify(s.ctx)
	if err != nil || !report.OK() {
		s.t.Errorf("ledger: %v, %v", report.Problems, err)
	}
	problems, err := s.CheckBooks(s.ctx)
	if err != nil || len(problems) > 0 {
		s.t.Errorf("books: %v, %v", problems, err)
	}
}

func credentials(p *portal) crm.Credentials {
	return crm.Credentials{Token: p.IssueLongLivedToken(clientID, 24*time.Hour)}
}

// wav makes a PCM 16 file of interleaved samples.
func wav(rate, channels int, samples []int16) []byte {
	var b bytes.Buffer
	size := 2 * len(samples)
	b.WriteString("RIFF")
	for _, v := range []any{uint32(36 + size), []byte("WAVEfmt "), uint32(16), uint16(1), uint16(channels), uint32(rate), uint32(2 * channels * rate), uint16(2 * channels), uint16(16), []byte("data"), uint32(size), samples} {
		_ = binary.Write(&b, binary.LittleEndian, v)
	}
	return b.Bytes()
}
