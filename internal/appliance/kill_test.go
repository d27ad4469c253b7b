package appliance_test

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"flysense/billing/pack"
	"flysense/billing/pack/demo"
	"flysense/crm/emulator/amocrm"
	"flysense/engine"
	"flysense/engine/queue"
	"flysense/engine/store"
	"flysense/internal/appliance"
)

// The server under test runs in a process of its own and is killed again and
// again, by itself at an exact point or by the test at a random time, while the
// portal stays up in this process and remembers everything.

const (
	dirEnv    = "FLYSENSE_TEST_DIR"
	portalEnv = "FLYSENSE_TEST_PORTAL"
	tokenEnv  = "FLYSENSE_TEST_TOKEN"
	killEnv   = "FLYSENSE_TEST_KILL" // "transcribe window before 3": at the third such commit of that step
	torture   = "FLYSENSE_TORTURE"
	calls     = 30
)

// serve is the process that gets killed.
func serve() error {
	ctx := context.Background()
	dir := os.Getenv(dirEnv)
	o, err := options(dir, nil)
	if err != nil {
		return err
	}
	o.Portal = os.Getenv(portalEnv)
	voice := scriptedSpeech(dir)
	defer voice.Close()
	o.Transcriber = voice
	o.Log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	point := newKillPoint(os.Getenv(killEnv))
	o.Store = func(s engine.Store) engine.Store { return tracedStore{s, point, &sync.Map{}} }
	o.Runner = func(r queue.Runner) queue.Runner { return tracedRunner{r} }
	a, err := appliance.New(ctx, o)
	if err != nil {
		return err
	}
	defer a.Close()
	fmt.Println("up") // the test may kill from here on
	return a.Run(ctx, nil)
}

// killPoint ends the process at the n-th commit of a step, on one side of it.
type killPoint struct {
	step, commit, side string
	left               atomic.Int64
}

func newKillPoint(text string) *killPoint {
	p := &killPoint{}
	var n int64
	if _, err := fmt.Sscan(text, &p.step, &p.commit, &p.side, &n); err == nil {
		p.left.Store(n)
	}
	return p
}

type stepKey struct{}

func (p *killPoint) at(ctx context.Context, commit, side string) {
	step, _ := ctx.Value(stepKey{}).(engine.Step)
	if string(step) != p.step || commit != p.commit || side != p.side || p.left.Add(-1) != 0 {
		return
	}
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

// commits are what a step leaves in its transactions, in their order: "state"
// is the call's own (taken up, or ended), "hold" has nothing of the store in it.
var commits = []struct {
	step engine.Step
	of   []string
}{
	{engine.StepDetect, []string{"mark"}},
	{engine.StepFetch, []string{"state", "recording"}},
	{engine.StepTranscribe, []string{"state", "hold", "window", "transcript"}},
	{engine.StepAnalyse, []string{"state", "analysis"}},
	{engine.StepDeliver, []string{"state", "note"}},
}

// tracedStore knows its transactions by what was written in them.
type tracedStore struct {
	engine.Store
	point *killPoint
	wrote *sync.Map // by *sql.Tx
}

func (s tracedStore) SaveMark(ctx context.Context, tx *sql.Tx, connectionID, mark string) error {
	s.wrote.Store(tx, "mark")
	return s.Store.SaveMark(ctx, tx, connectionID, mark)
}

func (s tracedStore) SaveCall(ctx context.Context, tx *sql.Tx, c engine.Call) error {
	s.wrote.LoadOrStore(tx, "state") // beside a result it is no commit of its own
	return s.Store.SaveCall(ctx, tx, c)
}

func (s tracedStore) SaveRecording(ctx context.Context, tx *sql.Tx, r engine.Recording, windows []engine.Window) error {
	s.wrote.Store(tx, "recording")
	return s.Store.SaveRecording(ctx, tx, r, windows)
}

func (s tracedStore) SaveHeard(ctx context.Context, tx *sql.Tx, callID string, h engine.Heard) error {
	s.wrote.Store(tx, "window")
	return s.Store.SaveHeard(ctx, tx, callID, h)
}

func (s tracedStore) SaveTranscript(ctx context.Context, tx *sql.Tx, t engine.Transcript) error {
	s.wrote.Store(tx, "transcript")
	return s.Store.SaveTranscript(ctx, tx, t)
}

func (s tracedStore) SaveAnalysis(ctx context.Context, tx *sql.Tx, a engine.Analysis) error {
	s.wrote.Store(tx, "analysis")
	return s.Store.SaveAnalysis(ctx, tx, a)
}

func (s tracedStore) SaveNote(ctx context.Context, tx *sql.Tx, n engine.Note) error {
	s.wrote.Store(tx, "note")
	return s.Store.SaveNote(ctx, tx, n)
}

func (s tracedStore) Tx(ctx context.Context, fn func(tx *sql.Tx) error) error {
	commit := "hold"
	err := s.Store.Tx(ctx, func(tx *sql.Tx) error {
		err := fn(tx)
		if wrote, ok := s.wrote.LoadAndDelete(tx); ok {
			commit, _ = wrote.(string)
		}
		if err == nil {
			s.point.at(ctx, commit, "before")
		}
		return err
	})
	if err == nil {
		s.point.at(ctx, commit, "after")
	}
	return err
}

type tracedRunner struct{ queue.Runner }

func (r tracedRunner) Do(ctx context.Context, j engine.Job) error {
	return r.Runner.Do(context.WithValue(ctx, stepKey{}, j.Step), j)
}

// victim is a running server process.
type victim struct {
	cmd    *exec.Cmd
	exited chan struct{}
	up     chan struct{}
}

func (k *killing) start(point string) *victim {
	k.t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), roleEnv+"=server", dirEnv+"="+k.dir, portalEnv+"="+k.portal.addr(), killEnv+"="+point, slowEnv+"=15", k.mark)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		k.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		k.t.Fatal(err)
	}
	v := &victim{cmd: cmd, exited: make(chan struct{}), up: make(chan struct{})}
	go func() {
		lines := bufio.NewScanner(out)
		if lines.Scan() {
			close(v.up)
		}
		for lines.Scan() {
		}
		_ = cmd.Wait()
		close(v.exited)
	}()
	return v
}

// killing is one run of the test.
type killing struct {
	t      *testing.T
	dir    string
	mark   string // stands in the environment of every process of the run
	portal *portal
	cards  []amocrm.Card
	made   int
	kills  map[string]int
}

// feed keeps about thirty calls in the works.
func (k *killing) feed() {
	done := 0
	for _, c := range k.cards {
		if len(k.portal.results(c)) > 0 {
			done++
		}
	}
	for ; k.made-done < calls; k.made++ {
		card := k.portal.AddLead(amocrm.Lead{Name: "Сделка " + strconv.Itoa(k.made)})
		k.cards = append(k.cards, card)
		k.portal.AddCall(card, amocrm.Call{Recording: "a.mp3", Duration: 10 * time.Second, Phone: "+79000000001"})
	}
}

func TestKilledServer(t *testing.T) {
	if testing.Short() {
		t.Skip("kills without the race detector only")
	}
	each := 1
	if os.Getenv(torture) != "" {
		each = 10
	}
	k := &killing{t: t, dir: t.TempDir(), kills: map[string]int{}}
	k.mark = "FLYSENSE_TEST_MARK=" + filepath.Base(k.dir) + strconv.Itoa(os.Getpid())
	k.portal = newPortal(t, amocrm.Options{Limits: amocrm.Limits{PerToken: -1, PerAccount: -1}})
	k.portal.file("a.mp3", short)
	k.prepare()

	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	for range each {
		for _, c := range commits {
			for _, commit := range c.of {
				for _, side := range []string{"before", "after"} {
					k.feed()
					k.killAt(fmt.Sprintf("%s %s %s", c.step, commit, side), 1+random.IntN(6))
				}
			}
		}
		k.feed()
		k.killAfter(time.Duration(random.IntN(1500)) * time.Millisecond)
	}
	for _, point := range slices.Sorted(maps.Keys(k.kills)) {
		t.Logf("killed %3d times: %s", k.kills[point], point)
	}
	k.finish()
}

// prepare makes the wallet and the connection, as an administrator would.
func (k *killing) prepare() {
	k.t.Helper()
	ctx := context.Background()
	a := k.open(ctx)
	defer a.Close()
	token, err := demo.Pack(a.Ledger.InstallationID(), 1000, pack.TopUp, time.Now())
	if err != nil {
		k.t.Fatal(err)
	}
	if _, err := a.Ledger.LoadPack(ctx, token, "test"); err != nil {
		k.t.Fatal(err)
	}
	if _, err := connect(ctx, a.Hub, k.portal); err != nil {
		k.t.Fatal(err)
	}
}

// open opens the killed server's data in this process.
func (k *killing) open(ctx context.Context) *appliance.Appliance {
	k.t.Helper()
	o, err := options(k.dir, k.portal)
	if err != nil {
		k.t.Fatal(err)
	}
	o.Transcriber = scriptedSpeech(k.dir)
	a, err := appliance.New(ctx, o)
	if err != nil {
		k.t.Fatal(err)
	}
	return a
}

// killAt waits for the server to kill itself at the n-th commit of a step.
func (k *killing) killAt(point string, n int) {
	k.t.Helper()
	v := k.start(fmt.Sprintf("%s %d", point, n))
	select {
	case <-v.exited:
		if v.cmd.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			k.t.Fatalf("the server ended by itself: %v", v.cmd.ProcessState)
		}
		k.kills[point]++
	case <-time.After(time.Minute):
		_ = v.cmd.Process.Kill()
		<-v.exited
		k.t.Fatalf("no %dth %q in a minute", n, point)
	}
}

func (k *killing) killAfter(d time.Duration) {
	k.t.Helper()
	v := k.start("")
	select {
	case <-v.up:
	case <-v.exited:
		k.t.Fatalf("the server did not start: %v", v.cmd.ProcessState)
	}
	time.Sleep(d)
	_ = v.cmd.Process.Kill()
	<-v.exited
	k.kills["any moment"]++
}

// finish lets everything end and looks for what was lost or doubled.
func (k *killing) finish() {
	k.t.Helper()
	v := k.start("")
	deadline := time.Now().Add(3 * time.Minute)
	for {
		done := 0
		for _, c := range k.cards {
			if len(k.portal.results(c)) > 0 {
				done++
			}
		}
		if done == len(k.cards) {
			break
		}
		if time.Now().After(deadline) {
			k.t.Errorf("%d of %d calls have no result", len(k.cards)-done, len(k.cards))
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	time.Sleep(300 * time.Millisecond) // the last commit of a delivery comes after its note
	_ = v.cmd.Process.Kill()
	<-v.exited

	for _, c := range k.cards {
		if n := len(k.portal.results(c)); n != 1 {
			k.t.Errorf("%s: %d notes", c, n)
		}
	}
	k.portal.clean()
	k.noneLeft()

	ctx := context.Background()
	a := k.open(ctx)
	defer a.Close()
	s := &stage{Appliance: a, t: k.t, ctx: ctx, portal: k.portal}
	s.sound()
	captured := s.captured()
	total := 0
	for cursor := ""; ; {
		page, err := a.Store.List(ctx, store.Filter{Cursor: cursor, Limit: store.MaxLimit})
		if err != nil {
			k.t.Fatal(err)
		}
		for _, r := range page.Rows {
			total++
			if r.State != engine.Done || captured[r.ID] != 1 {
				k.t.Errorf("call %s: %s at %s (%s), captured %d times", r.ID, r.State, r.Step, r.Problem, captured[r.ID])
			}
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	k.t.Logf("%d kills, %d calls", sum(k.kills), total)
	if total != len(k.cards) {
		k.t.Errorf("%d calls in the store, %d in the portal", total, len(k.cards))
	}
}

func sum(m map[string]int) (n int) {
	for _, v := range m {
		n += v
	}
	return n
}

// noneLeft looks for processes of the run that are still alive.
func (k *killing) noneLeft() {
	k.t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		var left []string
		dirs, err := filepath.Glob("/proc/[0-9]*/environ")
		if err != nil {
			k.t.Fatal(err)
		}
		for _, d := range dirs {
			env, err := os.ReadFile(d)
			if err == nil && strings.Contains(string(env), k.mark) && !errors.Is(err, os.ErrNotExist) {
				left = append(left, filepath.Dir(d))
			}
		}
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			k.t.Errorf("processes left behind: %v", left)
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}
