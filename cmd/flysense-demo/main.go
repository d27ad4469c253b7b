// Command flysense-demo is the appliance with an emulated portal and six
// recorded calls beside it, on one machine and without any set-up. It trusts
// the demo's packs, which the appliance itself refuses.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"flysense/billing/pack"
	"flysense/billing/pack/demo"
	"flysense/crm"
	"flysense/crm/amocrm"
	"flysense/engine"
	"flysense/internal/appliance"
	"flysense/web/auth"
)

// version is set by the linker.
var version = "dev"

const (
	appPort    = 8080
	portalPort = 8090
	login      = "demo"
	nextFC     = 1000
	nextPack   = "next.fspack" // a pack to try the page «Баланс» with
	// patience is how long the six calls may take on a slow machine.
	patience = 15 * time.Minute
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(os.Args) > 2 && os.Args[1] == "worker" {
		exit(appliance.Worker(ctx, os.Args[2:]))
	}
	var o options
	flag.StringVar(&o.assets, "assets", "models/demo", "folder with the demo's model and calls")
	flag.StringVar(&o.data, "data", "build/demo", "folder for the demo's data; it is emptied at each start")
	flag.BoolVar(&o.portalOnly, "portal-only", false, "only the emulated portal")
	flag.BoolVar(&o.once, "once", false, "end when the calls are done")
	flag.BoolVar(&o.verbose, "verbose", false, "log what the appliance does")
	flag.Int64Var(&o.fc, "fc", 1000, "Flycoins in the wallet at the start")
	flag.StringVar(&o.password, "password", "", "password of the ready login; empty makes one up")
	flag.Parse()
	exit(run(ctx, o))
}

func exit(err error) {
	if err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "flysense-demo:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

type options struct {
	assets, data              string
	portalOnly, once, verbose bool
	fc                        int64
	password                  string
}

func run(ctx context.Context, o options) error {
	appListener, err := listen(appPort)
	if err != nil {
		return err
	}
	app := "http://" + appListener.Addr().String()
	redirect := app + "/oauth/amocrm"
	s, err := play(o.assets, redirect)
	if err != nil {
		return err
	}
	defer s.server.Close() //nolint:errcheck // the program ends
	fmt.Printf("\nУчебный портал amoCRM: http://%s/\n", s.addr)
	if o.portalOnly {
		fmt.Printf("  client_id %s\n  client_secret %s\n  долгосрочный токен %s\n", clientID, clientSecret, s.portal.IssueLongLivedToken(clientID, tokenLife))
		s.ring()
		<-ctx.Done()
		return nil
	}

	a, err := start(ctx, o, appListener.Addr().String(), s)
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	ctx, cancel := context.WithCancel(ctx)
	go func() { done <- a.Run(ctx, appListener) }()
	defer func() {
		cancel()
		<-done
		if err := a.Close(); err != nil {
			fmt.Fprintln(os.Stderr, "flysense-demo:", err)
		}
	}()
	if err := prepare(ctx, a, s, redirect, o); err != nil {
		return err
	}
	if o.password == "" {
		o.password = strings.ToLower(rand.Text()[:16])
	}
	if _, err := a.Auth.CreateUser(ctx, login, o.password, auth.Owner); err != nil {
		return fmt.Errorf("make the demo's user: %w", err)
	}
	s.ring()
	fmt.Println("Звонки в портале, устройство забирает и распознаёт их…")
	if err := watch(ctx, a, done); err != nil {
		return err
	}
	if err := show(ctx, os.Stdout, a); err != nil {
		return err
	}
	fmt.Printf("\nОткройте %s/ и войдите: %s / %s\nНовый звонок можно добавить в портале: http://%s/\nПакет на %d FC для страницы «Баланс»: %s\nCtrl+C завершает работу.\n", app, login, o.password, s.addr, nextFC, filepath.Join(o.data, nextPack))
	if o.once {
		return nil
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-done:
		done <- err // for the clean-up
		return err
	}
}

// start builds the appliance on empty data.
func start(ctx context.Context, o options, addr string, s *scene) (*appliance.Appliance, error) {
	if err := os.RemoveAll(o.data); err != nil {
		return nil, fmt.Errorf("empty the demo's data: %w", err)
	}
	data, err := filepath.Abs(o.data)
	if err != nil {
		return nil, err
	}
	config, err := appliance.LoadConfig("", map[string]any{
		"listen":     addr,
		"data_dir":   filepath.Join(data, "data"),
		"keys_dir":   filepath.Join(data, "keys"),
		"demo_model": filepath.Join(o.assets, "ggml-demo-ru.bin"),
		"poll":       "2s",
	})
	if err != nil {
		return nil, err
	}
	out := os.Stderr
	if !o.verbose {
		if err := os.MkdirAll(data, 0o700); err != nil {
			return nil, err
		}
		if out, err = os.Create(filepath.Join(data, "log.txt")); err != nil {
			return nil, err
		}
	}
	return appliance.New(ctx, appliance.Options{
		Config:  config,
		Keys:    append(pack.Release(), demo.Keyset()...),
		Portal:  s.addr,
		Demo:    true,
		Version: version,
		Log:     slog.New(slog.NewTextHandler(out, nil)),
	})
}

// prepare does what an administrator would: coins and a connection.
func prepare(ctx context.Context, a *appliance.Appliance, s *scene, redirect string, o options) error {
	token, err := demo.Pack(a.Ledger.InstallationID(), o.fc, pack.Welcome, time.Now())
	if err != nil {
		return fmt.Errorf("sign the demo's pack: %w", err)
	}
	if _, err := a.Ledger.LoadPack(ctx, token, login); err != nil {
		return fmt.Errorf("load the demo's pack: %w", err)
	}
	if token, err = demo.Pack(a.Ledger.InstallationID(), nextFC, pack.TopUp, time.Now()); err != nil {
		return fmt.Errorf("sign the demo's pack: %w", err)
	}
	if err := os.WriteFile(filepath.Join(o.data, nextPack), []byte(token), 0o600); err != nil {
		return err
	}
	_, err = a.Hub.Create(ctx, login, crm.Application{
		Vendor: amocrm.Vendor,
		Host:   s.addr,
		Credentials: crm.Credentials{
			ClientID: clientID, ClientSecret: clientSecret, RedirectURI: redirect,
			Token: s.portal.IssueLongLivedToken(clientID, tokenLife),
		},
		Automatic:    true,
		AgentChannel: map[engine.Direction]int{engine.Incoming: 0, engine.Outgoing: 0},
	})
	if err != nil {
		return fmt.Errorf("connect the portal: %w", err)
	}
	return nil
}
